// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * User interrupts: delivery, and the return from it
 *
 * Delivery (rule 12) turns a UIRR bit into a call of the user's handler; UIRET
 * (rule 8) returns from it.
 */

#include "qemu/osdep.h"
#include "qemu/log.h"
#include "cpu.h"
#include "exec/helper-proto.h"
#include "tcg/helper-tcg.h"
#include "tcg/uintr.h"
#include "tcg/uintr-compat.h"

/* RFLAGS bits that UIRET loads, less those that live in CC_SRC and df (8.3) */
#define UIRET_EFLAGS_MASK (TF_MASK | NT_MASK | RF_MASK | AC_MASK | ID_MASK)

bool x86_uintr_canonical(CPUX86State *env, uint64_t addr)
{
    return sextract64(addr, 0, env->cr[4] & CR4_LA57_MASK ? 57 : 48) == addr;
}

/* Rule 12.1 */
static bool uintr_deliverable(CPUX86State *env)
{
    const uint32_t mask = HF_UINTR_MASK | HF_LMA_MASK | HF_CS64_MASK |
                          HF_CPL_MASK | HF_INHIBIT_IRQ_MASK | HF_GUEST_MASK;
    const uint32_t want = HF_UINTR_MASK | HF_LMA_MASK | HF_CS64_MASK |
                          HF_CPL_MASK;

    return env->uintr.rr && env->uintr.uif && (env->hflags & mask) == want &&
           (env->hflags2 & HF2_GIF_MASK);
}

static bool is_same_page(uint64_t addr, unsigned size)
{
    return (addr & ~TARGET_PAGE_MASK) <= TARGET_PAGE_SIZE - size;
}

/* Rule 12.4 b and c */
static uint64_t uintr_stack(CPUX86State *env)
{
    uint64_t adjust = env->uintr.stack_adjust;
    uint64_t rsp = adjust & 1 ? adjust : env->regs[R_ESP] - adjust;

    return rsp & ~15ULL;
}

/*
 * The usual case of pushing @frame, in the order of the pushes, below @rsp:
 * all of it is in one page of RAM, and there is no fault.
 */
static bool uintr_push_fast(CPUX86State *env, uint64_t rsp,
                            const uint64_t frame[4])
{
    uint64_t addr = rsp - 32;
    void *host;

    if (!is_same_page(addr, 32) || !x86_uintr_canonical(env, addr) ||
        (probe_access_flags(env, addr, 32, MMU_DATA_STORE, MMU_USER64_IDX,
                            true, &host, 0) & TLB_INVALID_MASK) || !host) {
        return false;
    }
    for (int i = 0; i < 4; i++) {
        stq_le_p(host + 24 - 8 * i, frame[i]);
    }
    return true;
}

static void uintr_push(CPUX86State *env, uint64_t rsp, const uint64_t frame[4])
{
    void *host[4];

    /* In the order of the pushes, so that CR2 is that of the first to fail */
    for (int i = 0; i < 4; i++) {
        uint64_t addr = rsp - 8 * (i + 1);

        if (!x86_uintr_canonical(env, addr)) {
            raise_exception_err(env, EXCP0C_STACK, 0);
        }
        probe_access_flags(env, addr, 8, MMU_DATA_STORE, MMU_USER64_IDX,
                           false, &host[i], 0);
    }
    for (int i = 0; i < 4; i++) {
        if (host[i]) {
            stq_le_p(host[i], frame[i]);
        } else {
            cpu_stq_mmuidx_ra(env, rsp - 8 * (i + 1), frame[i],
                              MMU_USER64_IDX, 0);
        }
    }
}

/* Rule 12.4.  All faults are raised before the first store (12.7). */
static void uintr_deliver(CPUX86State *env)
{
    int vector = 63 - clz64(env->uintr.rr);
    uint64_t rsp = uintr_stack(env);
    uint64_t frame[4] = {
        env->regs[R_ESP], cpu_compute_eflags(env), env->eip, vector
    };

    if (!x86_uintr_canonical(env, env->uintr.handler)) {
        raise_exception_err(env, EXCP0D_GPF, 0);
    }
    if (!uintr_push_fast(env, rsp, frame)) {
        uintr_push(env, rsp, frame);
    }

    qemu_log_mask(CPU_LOG_INT, "User interrupt %d: RIP=" TARGET_FMT_lx
                  " RSP=" TARGET_FMT_lx "\n", vector, env->eip,
                  env->regs[R_ESP]);
    env->uintr.rr &= ~BIT_ULL(vector);
    env->uintr.delivered++;
    /* If UIRR is empty now the next pass of the main loop will notice */
    env->uintr.uif = false;
    env->eflags &= ~(TF_MASK | RF_MASK);
    env->regs[R_ESP] = rsp - sizeof(frame);
    env->eip = env->uintr.handler;
}

bool x86_uintr_exec_unlocked(CPUState *cs)
{
    CPUX86State *env = cpu_env(cs);
    int request;

    if (x86_uintr_in_flight(env_archcpu(env))) {
        x86_uintr_take_in_flight(env);
    }
    if (!uintr_deliverable(env)) {
        /* RESET has emptied UIRR with a memset() */
        x86_uintr_recognize(env);
        return false;
    }
    /*
     * Interrupts go first (12.2).  One that is pending now was raised after
     * the main loop had looked, or is waiting for its next pass.  POLL is a
     * question to the APIC, not an interrupt, and a replay does not ask it.
     */
    request = qatomic_read(&cs->interrupt_request) & ~CPU_INTERRUPT_POLL;
    if (x86_cpu_pending_interrupt(cs, request)) {
        return false;
    }
    uintr_deliver(env);
    return true;
}

/* What UIRET pops: RIP, RFLAGS, RSP */
static void uintr_pop(CPUX86State *env, uint64_t rsp, uint64_t frame[3],
                      uintptr_t ra)
{
    int idx = cpu_mmu_index(env_cpu(env), false);
    void *host = NULL;

    if (is_same_page(rsp, 24) &&
        (probe_access_flags(env, rsp, 24, MMU_DATA_LOAD, idx, false, &host,
                            ra) & TLB_WATCHPOINT)) {
        host = NULL;
    }
    for (int i = 0; i < 3; i++) {
        frame[i] = likely(host) ? ldq_le_p(host + 8 * i) :
                   cpu_ldq_mmuidx_ra(env, rsp + 8 * i, idx, ra);
    }
}

void helper_uiret(CPUX86State *env)
{
    uintptr_t ra = GETPC();
    uint64_t rsp = env->regs[R_ESP];
    uint64_t frame[3], rip, rflags;

    if (!x86_uintr_canonical(env, rsp) || !x86_uintr_canonical(env, rsp + 23)) {
        raise_exception_err_ra(env, EXCP0C_STACK, 0, ra);
    }
    if ((rsp & 7) && (env->hflags & HF_CPL_MASK) == 3 &&
        (env->cr[0] & CR0_AM_MASK) && (env->eflags & AC_MASK)) {
        raise_exception_err_ra(env, EXCP11_ALGN, 0, ra);
    }
    uintr_pop(env, rsp, frame, ra);
    rip = frame[0];
    rflags = frame[1];
    if (!x86_uintr_canonical(env, rip)) {
        raise_exception_err_ra(env, EXCP0D_GPF, 0, ra);
    }

    cpu_load_eflags(env, rflags, UIRET_EFLAGS_MASK);
    env->uintr.uif = !(env->features[FEAT_7_1_EDX] &
                       CPUID_7_1_EDX_UIRET_UIF) || (rflags & 2);
    env->regs[R_ESP] = frame[2];
    env->eip = rip;
}
