// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * User interrupts: the six MSRs and XSAVE state component 14, and whether
 * anything is pending
 *
 * MSRs and component are views of the same six quadwords, and both judge a
 * value by the same rules (3.2, 13.6), so one table describes them.
 */

#include "qemu/osdep.h"
#include "cpu.h"
#include "tcg/uintr.h"

typedef struct UintrReg {
    uint32_t msr;
    uint32_t offset;        /* in CPUX86State */
    uint64_t reserved;      /* bits that must be written as 0 */
    bool     address;       /* must be canonical */
} UintrReg;

#define UINTR_REG(MSR, FIELD, ADDRESS, RESERVED) \
    { MSR, offsetof(CPUX86State, uintr.FIELD), RESERVED, ADDRESS }

/* In the order of the XSAVE image (13.1) */
static const UintrReg uintr_regs[UINTR_XSAVE_QWORDS] = {
    UINTR_REG(MSR_IA32_UINTR_HANDLER,     handler,      true,  0),
    UINTR_REG(MSR_IA32_UINTR_STACKADJUST, stack_adjust, true,  0),
    UINTR_REG(MSR_IA32_UINTR_MISC,        misc,  false,
              MAKE_64BIT_MASK(40, 24)),
    UINTR_REG(MSR_IA32_UINTR_PD,          pd,    true,  MAKE_64BIT_MASK(0, 6)),
    UINTR_REG(MSR_IA32_UINTR_RR,          rr,    false, 0),
    UINTR_REG(MSR_IA32_UINTR_TT,          tt,    true,  MAKE_64BIT_MASK(1, 3)),
};

enum { IMAGE_MISC = 2 };

static uint64_t *uintr_reg(CPUX86State *env, const UintrReg *reg)
{
    return (void *)env + reg->offset;
}

static bool uintr_reg_valid(CPUX86State *env, const UintrReg *reg, uint64_t val)
{
    /*
     * Unlike at the moment of use the widest enumerated linear address
     * counts here, whatever CR4.LA57 says (3.4).
     */
    bool la57 = env->features[FEAT_7_0_ECX] & CPUID_7_0_ECX_LA57;

    return !(val & reg->reserved) &&
           (!reg->address || sextract64(val, 0, la57 ? 57 : 48) == val);
}

static const UintrReg *uintr_reg_by_msr(CPUX86State *env, uint32_t msr)
{
    if (!(env->features[FEAT_7_0_EDX] & CPUID_7_0_EDX_UINTR)) {
        return NULL;
    }
    for (int i = 0; i < ARRAY_SIZE(uintr_regs); i++) {
        if (uintr_regs[i].msr == msr) {
            return &uintr_regs[i];
        }
    }
    return NULL;
}

bool x86_uintr_rdmsr(CPUX86State *env, uint32_t msr, uint64_t *val)
{
    const UintrReg *reg = uintr_reg_by_msr(env, msr);

    if (!reg) {
        return false;
    }
    *val = *uintr_reg(env, reg);
    return true;
}

bool x86_uintr_wrmsr(CPUX86State *env, uint32_t msr, uint64_t val)
{
    const UintrReg *reg = uintr_reg_by_msr(env, msr);

    if (!reg || !uintr_reg_valid(env, reg, val)) {
        return false;
    }
    *uintr_reg(env, reg) = val;
    x86_uintr_recognize(env);
    return true;
}

bool x86_uintr_in_flight(X86CPU *cpu)
{
    const uint64_t *vectors = cpu->env.uintr_in_flight.vectors;

    return qatomic_read(&vectors[0]) | qatomic_read(&vectors[1]) |
           qatomic_read(&vectors[2]) | qatomic_read(&vectors[3]);
}

bool x86_uintr_has_work(X86CPU *cpu)
{
    /* After "halted" has been set: H1 and H2 in tcg/system/uintr-notify.c */
    smp_mb();
    return x86_uintr_in_flight(cpu);
}

void x86_uintr_recognize(CPUX86State *env)
{
    /*
     * Pending means UIRR != 0 and nothing else; CR4, UIF, CPL and mode are
     * looked at when delivery is tried (11.2).  All ways by which these can
     * change lead through the main loop, which tests this flag.
     */
    CPUState *cs = env_cpu(env);

    if (env->uintr.rr) {
        qatomic_set(&cs->neg.unlocked_request, true);
        return;
    }
    /* Another vCPU may be setting it at the same time: see uintr-notify.c */
    qatomic_set_mb(&cs->neg.unlocked_request, false);
    if (x86_uintr_in_flight(env_archcpu(env))) {
        qatomic_set(&cs->neg.unlocked_request, true);
    }
}

uint32_t x86_uintr_impossible_msr(CPUX86State *env)
{
    for (int i = 0; i < ARRAY_SIZE(uintr_regs); i++) {
        const UintrReg *reg = &uintr_regs[i];

        if (!uintr_reg_valid(env, reg, *uintr_reg(env, reg))) {
            return reg->msr;
        }
    }
    return 0;
}

bool x86_uintr_in_use(CPUX86State *env)
{
    uint64_t any = env->uintr.uif;

    for (int i = 0; i < ARRAY_SIZE(uintr_regs); i++) {
        any |= *uintr_reg(env, &uintr_regs[i]);
    }
    return any;
}

void x86_uintr_xsave(CPUX86State *env, uint64_t image[UINTR_XSAVE_QWORDS])
{
    for (int i = 0; i < ARRAY_SIZE(uintr_regs); i++) {
        image[i] = *uintr_reg(env, &uintr_regs[i]);
    }
    if (env->uintr.uif) {
        image[IMAGE_MISC] |= UINTR_MISC_UIF;
    }
}

static void uintr_load_image(CPUX86State *env, const uint64_t *image)
{
    for (int i = 0; i < ARRAY_SIZE(uintr_regs); i++) {
        *uintr_reg(env, &uintr_regs[i]) = image[i];
    }
    env->uintr.misc &= ~UINTR_MISC_UIF;
    env->uintr.uif = image[IMAGE_MISC] & UINTR_MISC_UIF;
    x86_uintr_recognize(env);
}

bool x86_uintr_xrstor(CPUX86State *env,
                      const uint64_t image[UINTR_XSAVE_QWORDS])
{
    /* UIRR could still be changing while UINV is armed (13.6, 13.10) */
    if (UINTR_MISC_UINV(env->uintr.misc)) {
        return false;
    }
    for (int i = 0; i < ARRAY_SIZE(uintr_regs); i++) {
        uint64_t val = image[i];

        if (i == IMAGE_MISC) {
            val &= ~UINTR_MISC_UIF;
        }
        if (!uintr_reg_valid(env, &uintr_regs[i], val)) {
            return false;
        }
    }
    uintr_load_image(env, image);
    return true;
}

void x86_uintr_xrstor_init(CPUX86State *env)
{
    static const uint64_t init[UINTR_XSAVE_QWORDS];

    /*
     * The manual asks for UINV == 0 "before restoring" and leaves open
     * whether going to the initial state is that (13.8).  It is not, here.
     */
    uintr_load_image(env, init);
}
