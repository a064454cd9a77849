// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * User interrupts: notifications on their way from vCPU to vCPU
 *
 * On the slow path a notification is an IPI like any other: with the BQL it
 * becomes a bit of the target's IRR.  On the fast path it is a bit of the
 * target's uintr_in_flight, set without a lock.  The target looks at it at its
 * next instruction boundary.  For the guest such a vector is still on the APIC
 * bus: the target either takes it there (9.3), as if its APIC had accepted it
 * and software had acknowledged and ended it at once, or lets its APIC accept
 * it as any other.
 *
 * Between the sender and the target:
 *
 *   sender                       target
 *   S1 in_flight |= vector       T1 neg.icount_decr.high = 0
 *   S2 unlocked_request = true   T2 looks at unlocked_request
 *   S3 neg.icount_decr.high = -1 T3 unlocked_request = false
 *   S4 looks at halted           T4 looks at in_flight
 *                                H1 halted = 1
 *                                H2 looks at in_flight (has_work)
 *
 * There is a full barrier between S1 and S2, S2 and S3, T1 and T2, T3 and T4,
 * H1 and H2.  So nothing is lost:
 *
 *   T1 may undo S3, but then T2 is after S2 and sees the request;
 *   T3 may undo S2, but then T4 is after S1 and sees the vector;
 *   S2 is left out if the request is there already, and then again either T3
 *   comes after S1, so that T4 sees the vector, or the request stays;
 *   S4 may miss H1, but then H2 is after S1 and sees the vector; and if S4
 *   sees it, the kick under the BQL finds the target before H2 or asleep.
 *
 * tests/models/in-flight.pml has that as a model.
 */

#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/main-loop.h"
#include "qemu/rcu.h"
#include "cpu.h"
#include "hw/i386/apic-uintr.h"
#include "system/tcg.h"
#include "tcg/uintr.h"
#include "tcg/uintr-compat.h"

/* Make the vCPU leave translated code, or HLT, and look at unlocked_request. */
static void uintr_poke(CPUState *cs)
{
    if (!qatomic_read(&cs->neg.unlocked_request)) {
        qatomic_set_mb(&cs->neg.unlocked_request, true);
    }
    qatomic_set(&cs->neg.icount_decr.u16.high, -1);
    if (unlikely(qatomic_read(&cs->halted))) {
        /* It may be about to wait for the condition of this lock */
        bql_lock();
        qemu_cpu_kick(cs);
        bql_unlock();
    }
}

/*
 * With icount, a vCPU must see an event after the same number of instructions
 * each time; with one thread for all vCPUs, only a kick makes the next one run.
 */
static bool uintr_may_fly(X86CPU *cpu)
{
    return cpu->uintr_fast && qemu_tcg_mttcg_enabled() && !icount_enabled();
}

/* The snapshot of a CPU without the feature has no place for in_flight. */
static bool uintr_may_receive(X86CPU *cpu)
{
    return cpu->uintr_fast &&
           (cpu->env.features[FEAT_7_0_EDX] & CPUID_7_0_EDX_UINTR);
}

/* Returns false, with nothing done, if it takes the BQL to do it. */
static bool uintr_notify_unlocked(CPUX86State *env, uint32_t ndst, uint8_t nv)
{
    X86CPU *cpu = env_archcpu(env);
    X86CPU *target;

    if (!uintr_may_fly(cpu)) {
        return false;
    }
    /* What cpu_exec_step_atomic() executes is in no read section yet */
    RCU_READ_LOCK_GUARD();
    target = apic_uintr_target(cpu, ndst, nv);
    if (!target || !uintr_may_receive(target)) {
        return false;
    }
    qatomic_or(&target->env.uintr_in_flight.vectors[nv / 64],
               BIT_ULL(nv % 64));
    smp_mb__after_rmw();
    uintr_poke(CPU(target));
    return true;
}

void x86_uintr_notify(CPUX86State *env, uint32_t ndst, uint8_t nv)
{
    if (likely(uintr_notify_unlocked(env, ndst, nv))) {
        return;
    }
    /* The local APIC belongs to the BQL */
    bql_lock();
    apic_uintr_notify(env_archcpu(env), ndst, nv);
    bql_unlock();
}

bool x86_uintr_claim_in_flight(CPUX86State *env, uint8_t vector)
{
    uint64_t *word = &env->uintr_in_flight.vectors[vector / 64];

    for (int i = 0; i < ARRAY_SIZE(env->uintr_in_flight.vectors); i++) {
        uint64_t *other = &env->uintr_in_flight.vectors[i];
        uint64_t others = other == word ? ~BIT_ULL(vector % 64) : ~0ULL;

        if (qatomic_read(other) & others) {
            return false;
        }
    }
    /*
     * Another vCPU may be setting a bit of this word: with a plain store of
     * what was read before, its notification would be lost.
     */
    return qatomic_fetch_and(word, ~BIT_ULL(vector % 64)) &
           BIT_ULL(vector % 64);
}

void x86_uintr_accept_in_flight(CPUX86State *env)
{
    for (int i = 0; i < ARRAY_SIZE(env->uintr_in_flight.vectors); i++) {
        /* As above: what comes after this is for the next time */
        uint64_t bits = qatomic_xchg(&env->uintr_in_flight.vectors[i], 0);

        for (; bits; bits &= bits - 1) {
            apic_uintr_accept(env_archcpu(env), i * 64 + ctz64(bits));
        }
    }
}
