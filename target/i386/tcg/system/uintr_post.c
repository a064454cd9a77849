// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * User interrupts: notifications on their way from vCPU to vCPU
 *
 * Slowly, a notification is an IPI like any other: with the BQL it becomes a
 * bit of the target's IRR.  Quickly, it is a bit of the target's uintr_posted,
 * set without a lock and taken by the target at its next instruction
 * boundary.  For the guest such a vector is still on the APIC bus; the target
 * either consumes it there (9.3), as if it had been accepted, acknowledged
 * and ended at once, or lets its APIC accept it as ever.
 *
 * Between the sender and the target:
 *
 *   sender                       target
 *   S1 posted |= vector          T1 neg.icount_decr.high = 0
 *   S2 unlocked_request = true   T2 looks at unlocked_request
 *   S3 neg.icount_decr.high = -1 T3 unlocked_request = false
 *   S4 looks at halted           T4 looks at posted
 *                                H1 halted = 1
 *                                H2 looks at posted (x86_cpu_has_work)
 *
 * There is a full barrier between S1 and S2, S2 and S3, T1 and T2, T3 and T4,
 * H1 and H2.  So nothing is lost:
 *
 *   T1 may undo S3, but then T2 is after S2 and sees the request;
 *   T3 may undo S2, but then T4 is after S1 and sees the vector;
 *   S4 may miss H1, but then H2 is after S1 and sees the vector; and if S4
 *   sees it, the kick under the BQL finds the target before H2 or asleep.
 *
 * tests/models/posted.pml has that as a model.
 */

#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/main-loop.h"
#include "qemu/rcu.h"
#include "cpu.h"
#include "hw/i386/apic.h"
#include "system/cpu-timers.h"
#include "system/tcg.h"
#include "tcg/uintr.h"

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
static bool uintr_may_post(X86CPU *cpu)
{
    return cpu->uintr_fast && qemu_tcg_mttcg_enabled() && !icount_enabled();
}

/* A CPU without the feature has no place for posted vectors in a snapshot. */
static bool uintr_may_be_posted_to(X86CPU *cpu)
{
    return cpu->uintr_fast &&
           (cpu->env.features[FEAT_7_0_EDX] & CPUID_7_0_EDX_UINTR);
}

bool x86_uintr_post(CPUX86State *env, uint32_t ndst, uint8_t nv)
{
    X86CPU *cpu = env_archcpu(env);
    X86CPU *target;

    if (!uintr_may_post(cpu)) {
        return false;
    }
    /* What cpu_exec_step_atomic() executes is in no read section yet */
    RCU_READ_LOCK_GUARD();
    target = apic_uintr_target(cpu->apic_state, ndst, nv);
    if (!target || !uintr_may_be_posted_to(target)) {
        return false;
    }
    qatomic_or(&target->env.uintr_posted.vectors[nv / 64], BIT_ULL(nv % 64));
    smp_mb__after_rmw();
    uintr_poke(CPU(target));
    return true;
}

bool x86_uintr_take(CPUX86State *env, uint8_t vector)
{
    uint64_t *word = &env->uintr_posted.vectors[vector / 64];

    for (int i = 0; i < ARRAY_SIZE(env->uintr_posted.vectors); i++) {
        uint64_t *other = &env->uintr_posted.vectors[i];
        uint64_t others = other == word ? ~BIT_ULL(vector % 64) : ~0ULL;

        if (qatomic_read(other) & others) {
            return false;
        }
    }
    /*
     * Another vCPU may be posting to this word: with a plain store of what was
     * read before, its vector would be gone although it has posted it.
     */
    return qatomic_fetch_and(word, ~BIT_ULL(vector % 64)) &
           BIT_ULL(vector % 64);
}

void x86_uintr_accept_posted(CPUX86State *env)
{
    DeviceState *apic = env_archcpu(env)->apic_state;

    for (int i = 0; i < ARRAY_SIZE(env->uintr_posted.vectors); i++) {
        /* As in x86_uintr_take(): what comes after this is for the next time */
        uint64_t posted = qatomic_xchg(&env->uintr_posted.vectors[i], 0);

        for (; posted; posted &= posted - 1) {
            apic_uintr_accept(apic, i * 64 + ctz64(posted));
        }
    }
}
