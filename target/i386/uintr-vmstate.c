// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * User interrupts: migration and snapshots
 *
 * UPID and UITT are guest memory, and a notification on its way is a bit of
 * the local APIC's IRR, or of uintr_posted (16.1).
 *
 * A stream is input.  What follows here takes for granted what WRMSR and
 * SENDUIPI check, so a state that they cannot make is not loaded.
 */

#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "cpu.h"
#include "migration/vmstate.h"
#include "system/tcg.h"
#include "tcg/uintr.h"

static bool uintr_needed(void *opaque)
{
    X86CPU *cpu = opaque;

    return cpu->env.features[FEAT_7_0_EDX] & CPUID_7_0_EDX_UINTR;
}

static bool posted_needed(void *opaque)
{
    X86CPU *cpu = opaque;

    return x86_uintr_in_flight(cpu);
}

/* The destination may have uintr-fast=off, and takes them nevertheless */
static const VMStateDescription vmstate_posted = {
    .name = "cpu/uintr/posted",
    .version_id = 1,
    .minimum_version_id = 1,
    .needed = posted_needed,
    .fields = (const VMStateField[]) {
        VMSTATE_UINT64_ARRAY(env.uintr_posted.vectors, X86CPU, 4),
        VMSTATE_END_OF_LIST()
    }
};

const VMStateDescription vmstate_x86_uintr = {
    .name = "cpu/uintr",
    .version_id = 1,
    .minimum_version_id = 1,
    .needed = uintr_needed,
    .fields = (const VMStateField[]) {
        VMSTATE_UINT64(env.uintr.handler, X86CPU),
        VMSTATE_UINT64(env.uintr.stack_adjust, X86CPU),
        VMSTATE_UINT64(env.uintr.misc, X86CPU),
        VMSTATE_UINT64(env.uintr.pd, X86CPU),
        VMSTATE_UINT64(env.uintr.rr, X86CPU),
        VMSTATE_UINT64(env.uintr.tt, X86CPU),
        VMSTATE_BOOL(env.uintr.uif, X86CPU),
        VMSTATE_END_OF_LIST()
    },
    .subsections = (const VMStateDescription * const []) {
        &vmstate_posted,
        NULL
    }
};

/*
 * SENDUIPI posts any vector of an APIC interrupt, whatever UINV is, to a CPU
 * that has an APIC.
 */
static bool posted_possible(X86CPU *cpu)
{
    return !x86_uintr_in_flight(cpu) ||
           (cpu->apic_state &&
            !(cpu->env.uintr_posted.vectors[0] & MAKE_64BIT_MASK(0, 16)));
}

int x86_uintr_post_load(X86CPU *cpu)
{
    CPUX86State *env = &cpu->env;
    uint64_t xss_reserved = ~(uint64_t)env->features[FEAT_XSAVE_XSS_LO];
    uint32_t msr = x86_uintr_impossible_msr(env);

    if (!uintr_needed(cpu) &&
        ((env->cr[4] & CR4_UINTR_MASK) || x86_uintr_in_use(env) ||
         x86_uintr_in_flight(cpu))) {
        error_report("The migrated CPU uses user interrupts: "
                     "add +uintr to the destination's -cpu");
        return -EINVAL;
    }
    if (msr) {
        error_report("MSR 0x%x of the migrated CPU has a value "
                     "that WRMSR would refuse", msr);
        return -EINVAL;
    }
    /* Other accelerators know what they support */
    if (tcg_enabled() && (env->xss & xss_reserved)) {
        error_report("IA32_XSS of the migrated CPU has a reserved bit set");
        return -EINVAL;
    }
    if (!posted_possible(cpu)) {
        error_report("The migrated CPU has been sent a user-interrupt "
                     "notification with an impossible vector");
        return -EINVAL;
    }
    /* hflags has been loaded, too, and copies CR4 */
    env->hflags = deposit32(env->hflags, HF_UINTR_SHIFT, 1,
                            !!(env->cr[4] & CR4_UINTR_MASK));
    x86_uintr_recognize(env);
    return 0;
}
