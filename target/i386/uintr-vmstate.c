// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * User interrupts: migration and snapshots
 *
 * UPID and UITT are guest memory, and a notification on its way is a bit of
 * the local APIC's IRR, or of uintr_posted (16.1).
 */

#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "cpu.h"
#include "migration/vmstate.h"

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

int x86_uintr_post_load(X86CPU *cpu)
{
    CPUX86State *env = &cpu->env;

    if ((env->cr[4] & CR4_UINTR_MASK) && !uintr_needed(cpu)) {
        error_report("The migrated CPU uses user interrupts: "
                     "add +uintr to the destination's -cpu");
        return -EINVAL;
    }
    /* As x86_uintr_recognize() does, which a build without TCG lacks */
    CPU(cpu)->neg.unlocked_request = env->uintr.rr || x86_uintr_in_flight(cpu);
    return 0;
}
