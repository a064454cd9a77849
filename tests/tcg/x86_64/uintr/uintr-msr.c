/*
 * State and MSRs (spec section 3)
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

SNIPPET(s_rdmsr3, "rdmsr");
SNIPPET(s_wrmsr3, "wrmsr");

static const struct {
    uint32_t msr;
    uint64_t legal;             /* a value with many bits set */
    uint64_t reserved;
} msrs[] = {
    { MSR_UINTR_RR, 0xfedcba9876543210, 0 },
    { MSR_UINTR_HANDLER, 0x00007fffffffffff, 0 },
    { MSR_UINTR_STACKADJUST, 0xffff800000000001, 0 },
    { MSR_UINTR_MISC, 0x000000ffffffffff, 0xffffff0000000000 },
    { MSR_UINTR_PD, 0xffff8000deadbec0, 0x3f },
    { MSR_UINTR_TT, 0x00007fffdeadbef1, 0xe },
};

TEST(read_back, "each MSR reads back what was written", "3.2")
{
    for (int i = 0; i < 6; i++) {
        test_case = msrs[i].msr;
        EQ(try_wrmsr(msrs[i].msr, msrs[i].legal), VEC_DONE);
    }
    for (int i = 0; i < 6; i++) {
        test_case = msrs[i].msr;
        EQ(rdmsr(msrs[i].msr), msrs[i].legal);
    }
}

TEST(rr_all_bits, "all 64 bits of IA32_UINTR_RR can be written", "3.2")
{
    for (int i = 0; i < 64; i++) {
        test_case = i;
        EQ(try_wrmsr(MSR_UINTR_RR, 1ull << i), VEC_DONE);
        EQ(rdmsr(MSR_UINTR_RR), 1ull << i);
    }
}

TEST(reserved_bits, "each reserved bit of an MSR is #GP(0)", "3.2 3.3")
{
    for (int i = 0; i < 6; i++) {
        for (int b = 0; b < 64; b++) {
            if (!(msrs[i].reserved >> b & 1)) {
                continue;
            }
            test_case = msrs[i].msr << 8 | b;
            EQ(try_wrmsr(msrs[i].msr, 1ull << b), EXC_GP);
            EQ(this_cpu()->ctx.error, 0);
            EQ(rdmsr(msrs[i].msr), 0);
        }
    }
}

TEST(cpl3, "RDMSR and WRMSR at CPL 3 are #GP(0)", "3.2")
{
    for (int i = 0; i < 6; i++) {
        test_case = msrs[i].msr;
        for (int write = 0; write < 2; write++) {
            struct ctx *c = user(write ? s_wrmsr3 : s_rdmsr3);

            c->rcx = msrs[i].msr;
            EQ(run(c), EXC_GP);
            EQ(c->error, 0);
        }
    }
}

TEST(uif_in_no_msr, "UIF shows in no MSR", "3.3")
{
    stui();
    for (int i = 0; i < 6; i++) {
        test_case = msrs[i].msr;
        EQ(rdmsr(msrs[i].msr), 0);
    }
    EQ(testui(), 1);
}

TEST(uif_not_writable, "bit 63 of IA32_UINTR_MISC is reserved", "3.3")
{
    EQ(try_wrmsr(MSR_UINTR_MISC, 1ull << 63), EXC_GP);
    EQ(testui(), 0);
}

static const uint32_t address_msrs[] = {
    MSR_UINTR_HANDLER, MSR_UINTR_STACKADJUST, MSR_UINTR_PD, MSR_UINTR_TT
};

TEST(canonical, "an address beyond the enumerated width is #GP(0)",
     "3.2 3.4")
{
    uint64_t first = 1ull << (linear_bits() - 1);

    for (int i = 0; i < 4; i++) {
        test_case = address_msrs[i];
        EQ(try_wrmsr(address_msrs[i], first), EXC_GP);
        EQ(this_cpu()->ctx.error, 0);
        EQ(try_wrmsr(address_msrs[i], ~0ull << linear_bits()), EXC_GP);
        EQ(try_wrmsr(address_msrs[i], 0x8000000000000000), EXC_GP);
        EQ(rdmsr(address_msrs[i]), 0);
    }
}

TEST(canonical_edges, "the widest canonical addresses are accepted", "3.4")
{
    uint64_t low = (1ull << (linear_bits() - 1)) - 64;
    uint64_t high = ~0ull << (linear_bits() - 1);

    for (int i = 0; i < 4; i++) {
        test_case = address_msrs[i];
        EQ(try_wrmsr(address_msrs[i], low), VEC_DONE);
        EQ(rdmsr(address_msrs[i]), low);
        EQ(try_wrmsr(address_msrs[i], high), VEC_DONE);
        EQ(rdmsr(address_msrs[i]), high);
    }
}

TEST(rr_sets_pending, "WRMSR of UIRR makes an interrupt pending at once",
     "3.5 11.1")
{
    uintr_self();
    set_rr(1ull << 5);
    EQ(run(user(s_nops)), VEC_HANDLER);
    EQ(uframe_at(&this_cpu()->ctx)->vector, 5);
}

TEST(rr_clears_pending, "WRMSR of UIRR=0 takes a pending one back",
     "3.5 11.1")
{
    uintr_self();
    set_rr(1ull << 5);
    set_rr(0);
    EQ(run(user(s_nops)), VEC_DONE);
    EQ(testui(), 1);
}

static void write_all(void *arg)
{
    for (int i = 0; i < 6; i++) {
        wrmsr(msrs[i].msr, 0x40 * (this_cpu()->id + 1));
    }
    if (this_cpu()->id) {
        stui();
    }
}

static void check_all(void *arg)
{
    test_case = this_cpu()->id;
    for (int i = 0; i < 6; i++) {
        EQ(rdmsr(msrs[i].msr), 0x40 * (this_cpu()->id + 1));
    }
    EQ(testui(), this_cpu()->id != 0);
}

TEST_SMP(per_cpu, 2, "every CPU has MSRs and UIF of its own", "3.1")
{
    for (unsigned i = nr_cpus; i--; ) {
        on_cpu(i, write_all, NULL);
    }
    for (unsigned i = nr_cpus; i--; ) {
        on_cpu(i, check_all, NULL);
    }
}

TEST(cr4_no_msr_gate, "CR4.UINTR=0 does not gate RDMSR and WRMSR", "2.2")
{
    uint64_t v;

    write_cr4(read_cr4() & ~CR4_UINTR);
    for (uint32_t m = MSR_UINTR_RR; m <= MSR_UINTR_TT; m++) {
        test_case = m;
        EQ(try_wrmsr(m, 0x40), VEC_DONE);
        EQ(try_rdmsr(m, &v), VEC_DONE);
        EQ(v, 0x40);
    }
}

TEST(neighbour_msrs, "writing one MSR leaves the others alone", "3.1")
{
    for (int i = 0; i < 6; i++) {
        wrmsr(msrs[i].msr, msrs[i].legal);
        for (int j = 0; j < 6; j++) {
            test_case = i * 6 + j;
            EQ(rdmsr(msrs[j].msr), j == i ? msrs[i].legal : 0);
        }
        wrmsr(msrs[i].msr, 0);
    }
}
