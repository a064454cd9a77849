// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * User interrupts: what CPUID may say
 *
 * "uintr" is never on by itself.  It brings the compacted XSAVE format with
 * it; a CPU without it has the CPUID that it always had, so TCG offers
 * XSAVEC and XSAVES only together with it, or where the user names them.
 */

#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "system/tcg.h"
#include "cpu.h"

/* Is there any CPU that can have the feature? */
static bool uintr_emulated(void)
{
#if defined(TARGET_X86_64) && !defined(CONFIG_USER_ONLY)
    return tcg_enabled();
#else
    return false;
#endif
}

static bool uintr_requested(CPUX86State *env)
{
    return env->features[FEAT_7_0_EDX] & CPUID_7_0_EDX_UINTR;
}

uint64_t x86_uintr_tcg_features(X86CPU *cpu, FeatureWord w)
{
    CPUX86State *env = &cpu->env;

    if (!uintr_emulated()) {
        return 0;
    }
    switch (w) {
    case FEAT_7_0_EDX:
        return CPUID_7_0_EDX_UINTR;
    case FEAT_7_1_EDX:
        return CPUID_7_1_EDX_UIRET_UIF;
    case FEAT_XSAVE_XSS_LO:
        return XSTATE_UINTR_MASK;
    case FEAT_XSAVE:
        return uintr_requested(env) ?
               CPUID_XSAVE_XSAVEC | CPUID_XSAVE_XSAVES : 0;
    default:
        return 0;
    }
}

static void uintr_drop(X86CPU *cpu, const char *why)
{
    cpu->env.features[FEAT_7_0_EDX] &= ~CPUID_7_0_EDX_UINTR;
    cpu->filtered_features[FEAT_7_0_EDX] |= CPUID_7_0_EDX_UINTR;
    if (cpu->check_cpuid || cpu->enforce_cpuid) {
        warn_report("CPU feature uintr is off: %s", why);
    }
}

/* Switch on what the user has not switched off. */
static void uintr_pull_in(CPUX86State *env, FeatureWord w, uint64_t mask)
{
    env->features[w] |= mask & ~env->user_features[w];
}

/*
 * AMD's erratum 1386: XSAVES may not save XMM registers.  Linux does without
 * XSAVES on these CPUs, and then without user interrupts, if the revision of
 * the microcode is older than the one with the fix; QEMU's default is.
 */
static uint64_t xsaves_ucode_rev(CPUX86State *env)
{
    switch (env->cpuid_version) {
    case 0x00800f12:            /* EPYC */
        return 0x0800126e;
    case 0x00830f10:            /* EPYC-Rome */
        return 0x08301052;
    default:
        return 0;
    }
}

/*
 * For all CPUs alike, so it does not matter which comes first.  The size is 0
 * for CPUs whose accelerator has no such component.
 */
static void uintr_init_xsave(void)
{
    x86_ext_save_areas[XSTATE_UINTR_BIT] = (ExtSaveArea) {
        .feature = FEAT_7_0_EDX, .bits = CPUID_7_0_EDX_UINTR,
        .offset = 0,            /* a supervisor component has none */
        .size = XSAVE_UINTR_SIZE,
    };
}

void x86_cpu_expand_uintr(X86CPU *cpu)
{
    CPUX86State *env = &cpu->env;

    if (!uintr_requested(env)) {
        return;
    }
    if (!uintr_emulated()) {
        uintr_drop(cpu, "only TCG's x86_64 system emulation has it, "
                   "use -accel tcg");
        return;
    }
    if (!(env->features[FEAT_8000_0001_EDX] & CPUID_EXT2_LM)) {
        uintr_drop(cpu, "it needs 64-bit mode, use a CPU model with lm");
        return;
    }
    uintr_pull_in(env, FEAT_1_ECX, CPUID_EXT_XSAVE);
    uintr_pull_in(env, FEAT_XSAVE, CPUID_XSAVE_XSAVES);
    if (!(env->features[FEAT_1_ECX] & CPUID_EXT_XSAVE) ||
        !(env->features[FEAT_XSAVE] & CPUID_XSAVE_XSAVES)) {
        uintr_drop(cpu, "it needs xsave and xsaves");
        return;
    }
    uintr_pull_in(env, FEAT_XSAVE, CPUID_XSAVE_XSAVEC);
    uintr_init_xsave();
    if (cpu->ucode_rev == 0 && IS_AMD_CPU(env)) {
        cpu->ucode_rev = xsaves_ucode_rev(env);
    }
}
