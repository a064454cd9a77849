// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * User interrupts: what CPUID may say
 *
 * "uintr" is never on by itself.  It brings the compacted XSAVE format with
 * it; a CPU without it has the CPUID that it always had, so TCG offers
 * XSAVEC and XSAVES only together with it, or by the user's own word.
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

uint64_t x86_uintr_xss_components(void)
{
    return uintr_emulated() ? XSTATE_UINTR_MASK : 0;
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
        return (CPUID_XSAVE_XSAVEC | CPUID_XSAVE_XSAVES) &
               (uintr_requested(env) ? ~0ULL : env->user_features[w]);
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
    if (cpu->ucode_rev == 0 && IS_AMD_CPU(env)) {
        cpu->ucode_rev = xsaves_ucode_rev(env);
    }
}

#ifndef CONFIG_USER_ONLY
bool x86_uintr_in_flight(X86CPU *cpu)
{
    const uint64_t *vectors = cpu->env.uintr_posted.vectors;

    return qatomic_read(&vectors[0]) | qatomic_read(&vectors[1]) |
           qatomic_read(&vectors[2]) | qatomic_read(&vectors[3]);
}

bool x86_uintr_has_work(X86CPU *cpu)
{
    /* After "halted" has been set: H1 and H2 in tcg/system/uintr_post.c */
    smp_mb();
    return x86_uintr_in_flight(cpu);
}
#endif

uint64_t x86_cpu_xsave_compacted_components(X86CPU *cpu, uint64_t supported)
{
    CPUX86State *env = &cpu->env;

    if (tcg_enabled() && (env->features[FEAT_XSAVE] &
                          (CPUID_XSAVE_XSAVEC | CPUID_XSAVE_XSAVES))) {
        return env->xcr0 | env->xss;
    }
    return supported;
}
