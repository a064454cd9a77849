// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * User interrupts: the receiving side
 *
 * Notification identification and processing (rules 9 and 10) move PIR bits
 * of the UPID into UIRR; delivery (rule 12) turns a UIRR bit into a call of
 * the user's handler; UIRET (rule 8) returns from it.
 */

#include "qemu/osdep.h"
#include "qemu/log.h"
#include "qemu/main-loop.h"
#include "qemu/rcu.h"
#include "cpu.h"
#include "exec/exec-all.h"
#include "exec/cpu_ldst.h"
#include "exec/helper-proto.h"
#include "hw/i386/apic.h"
#include "system/replay.h"
#include "tcg/helper-tcg.h"
#include "tcg/uintr.h"

/* RFLAGS bits that UIRET loads, less those that live in CC_SRC and df (8.3) */
#define UIRET_EFLAGS_MASK (TF_MASK | NT_MASK | RF_MASK | AC_MASK | ID_MASK)

int x86_uintr_mmu_index(CPUX86State *env)
{
    /*
     * Implicit supervisor accesses: U/S=0 at any CPL, and RFLAGS.AC does not
     * lift SMAP.  Linear addresses are 64 bits wide in compatibility mode
     * too.
     */
    return env->hflags & HF_SMAP_MASK ? MMU_KSMAP64_IDX : MMU_KNOSMAP64_IDX;
}

bool x86_uintr_canonical(CPUX86State *env, uint64_t addr)
{
    return sextract64(addr, 0, env->cr[4] & CR4_LA57_MASK ? 57 : 48) == addr;
}

/*
 * Rule 10.1 on the UPID at @addr; @host is NULL if that is not RAM.
 * The interrupt has been acknowledged, so the caller has probed for faults.
 */
static void upid_merge(CPUX86State *env, uint64_t addr, void *host)
{
    uint64_t pir;

    if (likely(host)) {
        uint64_t *upid = host;

        /*
         * ON first: a sender that posts between the two steps then finds
         * ON=0 and notifies again, so that its bit is not left behind.
         *
         *   receiver            sender
         *   takes PIR
         *                       posts bit b, sees ON=1, does not notify
         *   clears ON           ... and b waits for some later sender
         */
        qatomic_and(&upid[0], cpu_to_le64(~UPID_ON));
        pir = le64_to_cpu(qatomic_xchg(&upid[1], 0));
    } else {
        int idx = x86_uintr_mmu_index(env);
        uint64_t ctl = cpu_ldq_mmuidx_ra(env, addr, idx, 0);

        cpu_stq_mmuidx_ra(env, addr, ctl & ~UPID_ON, idx, 0);
        pir = cpu_ldq_mmuidx_ra(env, addr + 8, idx, 0);
        cpu_stq_mmuidx_ra(env, addr + 8, 0, idx, 0);
    }
    env->uintr.rr |= pir;
    env->uintr.processed++;
    qemu_log_mask(CPU_LOG_INT, "User-interrupt notification: PIR=%016" PRIx64
                  " UIRR=%016" PRIx64 "\n", pir, env->uintr.rr);
    x86_uintr_recognize(env);
}

static bool uintr_notifications_enabled(CPUX86State *env)
{
    /*
     * Rule 9.1; neither CS.L, CPL nor UIF are consulted.  AMD defines
     * nothing for a guest of SVM: there an interrupt is an interrupt (15.3).
     */
    return (env->hflags & (HF_UINTR_MASK | HF_LMA_MASK | HF_GUEST_MASK)) ==
           (HF_UINTR_MASK | HF_LMA_MASK);
}

/* Rule 9.3: acknowledge the interrupt and write EOI, if its vector is UINV */
static bool uintr_acknowledge(CPUX86State *env)
{
    return apic_uintr_acknowledge(env_archcpu(env)->apic_state,
                                  UINTR_MISC_UINV(env->uintr.misc));
}

/*
 * Can the UPID be updated?  True also where it is not RAM; @host is NULL then.
 * Raises no exception.
 */
static bool upid_probe(CPUX86State *env, uint64_t addr, void **host)
{
    return !(probe_access_flags(env, addr, UPID_SIZE, MMU_DATA_STORE,
                                x86_uintr_mmu_index(env), true, host, 0) &
             TLB_INVALID_MASK);
}

/*
 * Rule 10.4: the boundary, not an instruction, is where the fault happens.
 * Returns if another vCPU has mapped the page in the meantime.
 */
static void upid_fault(CPUX86State *env, uint64_t addr)
{
    void *host;

    /* The main loop will not come to record that the interrupt was taken */
    replay_interrupt();
    if (!x86_uintr_canonical(env, addr)) {
        /* EXT=1: an event external to the program */
        raise_exception_err(env, EXCP0D_GPF, 1);
    }
    probe_access_flags(env, addr, UPID_SIZE, MMU_DATA_STORE,
                       x86_uintr_mmu_index(env), false, &host, 0);
}

/* Rule 10.  The interrupt is consumed even if that raises a fault (10.5). */
static void uintr_process(CPUX86State *env)
{
    uint64_t addr = env->uintr.pd;
    void *host;

    while (!upid_probe(env, addr, &host)) {
        upid_fault(env, addr);
    }
    upid_merge(env, addr, host);
}

bool x86_uintr_notify(CPUX86State *env)
{
    if (!uintr_notifications_enabled(env) || !uintr_acknowledge(env)) {
        return false;
    }

    /*
     * Page walks may have to stop all other vCPUs, which may be waiting for
     * the BQL.  If a fault is raised the main loop finds the BQL released.
     */
    bql_unlock();
    uintr_process(env);
    bql_lock();
    return true;
}

/*
 * Would an interrupt with the vector UINV be the next to be accepted, and be
 * a notification?  Rule 9.2, for a vector that the APIC does not know of.
 * What it knows of has set a bit of interrupt_request.
 */
static bool uintr_acceptable(CPUX86State *env)
{
    X86CPU *cpu = env_archcpu(env);
    int request = qatomic_read(&CPU(cpu)->interrupt_request);

    return uintr_notifications_enabled(env) && (env->eflags & IF_MASK) &&
           !(env->hflags & HF_INHIBIT_IRQ_MASK) &&
           (env->hflags2 & HF2_GIF_MASK) &&
           !x86_cpu_pending_interrupt(CPU(cpu), request) &&
           apic_uintr_acceptable(cpu->apic_state,
                                 UINTR_MISC_UINV(env->uintr.misc));
}

/* What other vCPUs have sent without the BQL */
static void uintr_receive_posted(CPUX86State *env)
{
    if (uintr_acceptable(env) &&
        x86_uintr_take(env, UINTR_MISC_UINV(env->uintr.misc))) {
        uintr_process(env);
        return;
    }
    bql_lock();
    x86_uintr_accept_posted(env);
    bql_unlock();
}

bool x86_uintr_notify_halted(CPUX86State *env)
{
    CPUState *cs = env_cpu(env);
    DeviceState *apic = env_archcpu(env)->apic_state;
    uint8_t uinv = UINTR_MISC_UINV(env->uintr.misc);
    uint64_t addr = env->uintr.pd;
    void *host;
    int request;

    if (x86_uintr_in_flight(env_archcpu(env))) {
        bql_lock();
        x86_uintr_accept_posted(env);
        bql_unlock();
    }
    request = qatomic_read(&cs->interrupt_request);
    switch (x86_cpu_pending_interrupt(cs, request)) {
    case 0:
        /* More may have been posted since: the caller will come here again */
    case CPU_INTERRUPT_POLL:
        /*
         * Came after the caller had asked the APIC, and may be an interrupt
         * that is masked.  The caller will ask again.
         */
        return true;
    case CPU_INTERRUPT_HARD:
        break;
    default:
        return false;
    }

    /*
     * The look at the IRR, without the BQL, is a hint: no other interrupt may
     * touch the UPID, not even its dirty bit.
     */
    if (!uintr_notifications_enabled(env) || !uinv ||
        apic_get_highest_priority_irr(apic) != uinv) {
        return false;
    }

    RCU_READ_LOCK_GUARD();
    if (!upid_probe(env, addr, &host) || !host) {
        return false;
    }
    bql_lock();
    if (!uintr_acknowledge(env)) {
        bql_unlock();
        return false;
    }
    /*
     * Migration may have collected the dirty bit that the probe has set.  As
     * with any store, it then waits for this thread to look for queued work
     * before it copies the page (tcg_log_global_after_sync).
     */
    upid_merge(env, addr, host);
    bql_unlock();
    return true;
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

bool x86_cpu_exec_unlocked(CPUState *cs)
{
    CPUX86State *env = cpu_env(cs);
    int request;

    if (x86_uintr_in_flight(env_archcpu(env))) {
        uintr_receive_posted(env);
    }
    if (!uintr_deliverable(env)) {
        /* RESET empties UIRR without telling anybody */
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
