// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * User interrupts: the receiver takes a notification
 *
 * What the SDM calls user-interrupt notification identification and
 * processing (rules 9 and 10).  The notification is in the IRR of the local
 * APIC, or still in flight (see uintr-notify.c), and the vCPU runs or is
 * halted.  UIRR, where the vectors go, is for uintr-deliver.c to look at.
 */

#include "qemu/osdep.h"
#include "qemu/log.h"
#include "qemu/main-loop.h"
#include "qemu/rcu.h"
#include "cpu.h"
#include "hw/i386/apic.h"
#include "hw/i386/apic-uintr.h"
#include "system/replay.h"
#include "tcg/helper-tcg.h"
#include "tcg/uintr.h"
#include "tcg/uintr-compat.h"

int x86_uintr_mmu_index(CPUX86State *env)
{
    /*
     * Implicit supervisor accesses: U/S=0 at any CPL, and RFLAGS.AC does not
     * lift SMAP.  Linear addresses are 64 bits wide in compatibility mode
     * too.
     */
    return env->hflags & HF_SMAP_MASK ? MMU_KSMAP64_IDX : MMU_KNOSMAP64_IDX;
}

/*
 * Rule 10.1 on the UPID at @addr; @host is NULL if that is not RAM.
 * The interrupt has been acknowledged, so the caller has probed for faults.
 */
static void upid_take(CPUX86State *env, uint64_t addr, void *host)
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
    env->uintr.taken++;
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
    return apic_uintr_acknowledge(env_archcpu(env),
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
static void uintr_take(CPUX86State *env)
{
    uint64_t addr = env->uintr.pd;
    void *host;

    while (!upid_probe(env, addr, &host)) {
        upid_fault(env, addr);
    }
    upid_take(env, addr, host);
}

bool x86_uintr_exec_interrupt(CPUState *cs, int interrupt_request)
{
    CPUX86State *env = cpu_env(cs);

    if (!uintr_notifications_enabled(env) ||
        x86_cpu_pending_interrupt(cs, interrupt_request) !=
        CPU_INTERRUPT_HARD || !uintr_acknowledge(env)) {
        return x86_cpu_exec_interrupt(cs, interrupt_request);
    }

    /*
     * Page walks may have to stop all other vCPUs, which may be waiting for
     * the BQL.  If a fault is raised the main loop finds the BQL released.
     */
    bql_unlock();
    uintr_take(env);
    bql_lock();
    return true;
}

/*
 * Would an interrupt with the vector UINV be the next, and be a notification?
 * Rule 9.2, for a vector that the APIC does not know of.  What it knows of has
 * set a bit of interrupt_request.
 */
static bool uintr_would_take(CPUX86State *env)
{
    X86CPU *cpu = env_archcpu(env);
    int request = qatomic_read(&CPU(cpu)->interrupt_request);

    return uintr_notifications_enabled(env) && (env->eflags & IF_MASK) &&
           !(env->hflags & HF_INHIBIT_IRQ_MASK) &&
           (env->hflags2 & HF2_GIF_MASK) &&
           !x86_cpu_pending_interrupt(CPU(cpu), request) &&
           apic_uintr_dispatchable(cpu, UINTR_MISC_UINV(env->uintr.misc));
}

void x86_uintr_take_in_flight(CPUX86State *env)
{
    if (uintr_would_take(env) &&
        x86_uintr_claim_in_flight(env, UINTR_MISC_UINV(env->uintr.misc))) {
        uintr_take(env);
        return;
    }
    bql_lock();
    x86_uintr_accept_in_flight(env);
    bql_unlock();
}

/*
 * Returns true if the vCPU goes on being halted (9.7).  Never raises an
 * exception: a notification that would fault, or whose UPID is not in RAM, is
 * left for x86_uintr_exec_interrupt(), after HLT has ended.
 */
static bool uintr_take_halted(CPUX86State *env)
{
    CPUState *cs = env_cpu(env);
    X86CPU *cpu = env_archcpu(env);
    uint8_t uinv = UINTR_MISC_UINV(env->uintr.misc);
    uint64_t addr = env->uintr.pd;
    void *host;
    int request;

    if (x86_uintr_in_flight(cpu)) {
        bql_lock();
        x86_uintr_accept_in_flight(env);
        bql_unlock();
    }
    request = qatomic_read(&cs->interrupt_request);
    switch (x86_cpu_pending_interrupt(cs, request)) {
    case 0:
        /* More may be in flight since: the caller will come here again */
    case CPU_INTERRUPT_POLL:
        /*
         * Came after the caller had asked the APIC, and may be a notification.
         * The caller will ask again.
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
        apic_get_highest_priority_irr(cpu->apic_state) != uinv) {
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
    upid_take(env, addr, host);
    bql_unlock();
    return true;
}

bool x86_uintr_exec_halt(CPUState *cs)
{
    X86CPU *cpu = X86_CPU(cs);

    /* As x86_cpu_exec_halt() does: what waits may be a notification */
    if (qatomic_read(&cs->interrupt_request) & CPU_INTERRUPT_POLL) {
        bql_lock();
        apic_poll_irq(cpu->apic_state);
        cpu_reset_interrupt(cs, CPU_INTERRUPT_POLL);
        bql_unlock();
    }
    /*
     * If a notification comes from here on, HLT must not end because of it:
     * the caller comes here again.
     */
    if (!cpu_has_work(cs) || uintr_take_halted(&cpu->env)) {
        return false;
    }
    return x86_cpu_exec_halt(cs);
}
