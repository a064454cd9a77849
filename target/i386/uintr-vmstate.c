// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * User interrupts: migration and snapshots
 *
 * UPID and UITT are guest memory.  A notification that is not yet taken is a
 * bit of the local APIC's IRR, or of uintr_in_flight (16.1).
 *
 * A stream is input.  The rest of the code relies on what WRMSR and SENDUIPI
 * check, so a state that these cannot make is not loaded.
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

static bool in_flight_needed(void *opaque)
{
    X86CPU *cpu = opaque;

    return x86_uintr_in_flight(cpu);
}

/*
 * A destination with uintr-fast=off takes them all the same.  The name is that
 * of the first version, and stays for old streams.
 */
static const VMStateDescription vmstate_in_flight = {
    .name = "cpu/uintr/posted",
    .version_id = 1,
    .minimum_version_id = 1,
    .needed = in_flight_needed,
    .fields = (const VMStateField[]) {
        VMSTATE_UINT64_ARRAY(env.uintr_in_flight.vectors, X86CPU, 4),
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
        &vmstate_in_flight,
        NULL
    }
};

/*
 * SENDUIPI notifies a CPU that has an APIC, and with any vector that is not
 * reserved, whatever UINV is (7.7).
 */
static bool in_flight_possible(X86CPU *cpu)
{
    return !x86_uintr_in_flight(cpu) ||
           (cpu->apic_state &&
            !(cpu->env.uintr_in_flight.vectors[0] & MAKE_64BIT_MASK(0, 16)));
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
    if (!in_flight_possible(cpu)) {
        error_report("The migrated CPU has a user-interrupt notification "
                     "in flight with an impossible vector");
        return -EINVAL;
    }
    /* hflags has been loaded, too, and must agree with CR4 */
    env->hflags = deposit32(env->hflags, HF_UINTR_SHIFT, 1,
                            !!(env->cr[4] & CR4_UINTR_MASK));
    x86_uintr_recognize(env);
    return 0;
}
