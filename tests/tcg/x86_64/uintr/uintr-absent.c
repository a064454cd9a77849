/*
 * A CPU that does not enumerate UINTR behaves as if there were none
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

TEST(not_enumerated, "CPUID reports nothing of user interrupts", "1.1 1.6")
{
    struct cpuid r = cpuid(13, 14);

    EQ(cpuid(7, 0).edx >> 5 & 1, 0);
    EQ(cpuid(7, 1).edx >> 17 & 1, 0);
    EQ(cpuid(13, 1).ecx & XMASK_UINTR, 0);
    EQ(r.eax | r.ebx | r.ecx | r.edx, 0);
}

TEST(cr4_reserved, "setting CR4.UINTR is #GP(0)", "1.1 2.1 16.3")
{
    uint64_t old = read_cr4();

    EQ(try_cr4(old | CR4_UINTR), EXC_GP);
    EQ(this_cpu()->ctx.error, 0);
    EQ(read_cr4(), old);
}

TEST(msrs, "RDMSR and WRMSR of the six MSRs are #GP(0)", "1.1 3.2")
{
    uint64_t v;

    for (uint32_t m = MSR_UINTR_RR; m <= MSR_UINTR_TT; m++) {
        test_case = m;
        EQ(try_rdmsr(m, &v), EXC_GP);
        EQ(this_cpu()->ctx.error, 0);
        EQ(try_wrmsr(m, 0), EXC_GP);
        EQ(this_cpu()->ctx.error, 0);
    }
}

SNIPPET(s_all_uiret, "uiret");
SNIPPET(s_all_testui, "testui");
SNIPPET(s_all_clui, "clui");
SNIPPET(s_all_stui, "stui");
SNIPPET(s_all_senduipi, "senduipi %rax");

TEST(instructions, "the five instructions are #UD", "1.1 5.3")
{
    const char *code[] = { s_all_uiret, s_all_testui, s_all_clui, s_all_stui,
                           s_all_senduipi };

    for (int i = 0; i < 10; i++) {
        test_case = i;
        EQ(run(ring(i < 5 ? 3 : 0, code[i % 5])), EXC_UD);
    }
}

TEST(ordinary_vector, "every vector is an ordinary interrupt", "9.9")
{
    apic_send(apic_id_of(0), 0x4000 | NV);
    EQ(run(user(s_spin)), NV);
    EQ(apic_isr(NV), 1);
}
