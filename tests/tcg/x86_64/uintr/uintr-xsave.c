/*
 * XSAVE component 14 (spec section 13)
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

#define area (&xareas[0])
#define HEADER (XCOMPACT | XMASK_UINTR)

SNIPPET(s_xsaves, "xsaves64 (%rdi)");
SNIPPET(s_xrstors, "xrstors64 (%rdi)");
SNIPPET(s_xsave, "xsave64 (%rdi)");
SNIPPET(s_xsavec, "xsavec64 (%rdi)");
SNIPPET(s_xsaveopt, "xsaveopt64 (%rdi)");
SNIPPET(s_xrstor, "xrstor64 (%rdi)");

static struct ctx *with_area(struct ctx *c, void *p, uint64_t mask)
{
    c->rdi = (uint64_t)p;
    c->rax = (uint32_t)mask;
    c->rdx = mask >> 32;
    return c;
}

static uint64_t try_xsaves(void *p, uint64_t mask)
{
    return run(with_area(kernel(s_xsaves), p, mask));
}

static uint64_t try_xrstors(void *p, uint64_t mask)
{
    return run(with_area(kernel(s_xrstors), p, mask));
}

static const struct xuintr values = {
    .handler = 0x00007ffffffff123,
    .stackadjust = 0xffff800000000081,
    .misc = MISC(0x5a, 0x89abcdef),
    .pd = 0x00007fffdeadbec0,
    .rr = 0xfedcba9876543210,
    .tt = 0xffff8000deadbef1,
};

static void load_values(void)
{
    wrmsr(MSR_XSS, XMASK_UINTR);
    wrmsr(MSR_UINTR_HANDLER, values.handler);
    wrmsr(MSR_UINTR_STACKADJUST, values.stackadjust);
    wrmsr(MSR_UINTR_MISC, values.misc);
    wrmsr(MSR_UINTR_PD, values.pd);
    wrmsr(MSR_UINTR_RR, values.rr);
    wrmsr(MSR_UINTR_TT, values.tt);
    stui();
}

static void clear_all(void)
{
    for (uint32_t m = MSR_UINTR_RR; m <= MSR_UINTR_TT; m++) {
        wrmsr(m, 0);
    }
    clui();
}

/* An image as software would build it */
static void image(void)
{
    wrmsr(MSR_XSS, XMASK_UINTR);
    memset(area, 0, sizeof(*area));
    area->xstate_bv = XMASK_UINTR;
    area->xcomp_bv = HEADER;
    area->uintr = values;
    area->uintr.misc |= XUINTR_UIF;
}

static void all_zero(void)
{
    for (uint32_t m = MSR_UINTR_RR; m <= MSR_UINTR_TT; m++) {
        test_case = m;
        EQ(rdmsr(m), 0);
    }
    EQ(testui(), 0);
}

TEST(layout, "XSAVES writes the 48 bytes in the documented order", "13.1")
{
    load_values();
    EQ(try_xsaves(area, XMASK_UINTR), VEC_DONE);
    EQ(area->xstate_bv, XMASK_UINTR);
    EQ(area->xcomp_bv, HEADER);
    EQ(area->uintr.handler, values.handler);
    EQ(area->uintr.stackadjust, values.stackadjust);
    EQ(area->uintr.misc, values.misc | XUINTR_UIF);
    EQ(area->uintr.pd, values.pd);
    EQ(area->uintr.rr, values.rr);
    EQ(area->uintr.tt, values.tt);
}

TEST(forty_eight, "XSAVES of component 14 writes 48 bytes after the header",
     "13.1 1.6")
{
    load_values();
    memset(area->rest, 0x5a, 64);
    memset(area->legacy, 0x5a, 512);
    EQ(try_xsaves(area, XMASK_UINTR), VEC_DONE);
    EQ(area->rest[0], 0x5a);
    EQ(area->legacy[0], 0x5a);
    EQ(area->legacy[511], 0x5a);
}

TEST(uif_clear, "XSAVES writes UIF=0 as bit 63 = 0", "13.1")
{
    load_values();
    clui();
    EQ(try_xsaves(area, XMASK_UINTR), VEC_DONE);
    EQ(area->uintr.misc, values.misc);
}

TEST(restores, "XRSTORS loads every element, UIF included", "13.6 13.1")
{
    image();
    EQ(try_xrstors(area, XMASK_UINTR), VEC_DONE);
    EQ(rdmsr(MSR_UINTR_HANDLER), values.handler);
    EQ(rdmsr(MSR_UINTR_STACKADJUST), values.stackadjust);
    EQ(rdmsr(MSR_UINTR_MISC), values.misc);
    EQ(rdmsr(MSR_UINTR_PD), values.pd);
    EQ(rdmsr(MSR_UINTR_RR), values.rr);
    EQ(rdmsr(MSR_UINTR_TT), values.tt);
    EQ(testui(), 1);
}

TEST(restores_uif_clear, "XRSTORS loads UIF=0 as well", "13.6")
{
    image();
    area->uintr.misc = values.misc;
    stui();
    EQ(try_xrstors(area, XMASK_UINTR), VEC_DONE);
    EQ(testui(), 0);
}

TEST(xss_gates, "without IA32_XSS[14] XSAVES and XRSTORS ignore it", "13.2")
{
    load_values();
    wrmsr(MSR_XSS, 0);
    EQ(try_xsaves(area, XMASK_UINTR), VEC_DONE);
    EQ(area->xstate_bv, 0);
    EQ(area->xcomp_bv, XCOMPACT);
    EQ(area->uintr.handler, 0);
    EQ(rdmsr(MSR_UINTR_MISC), values.misc);
    image();
    wrmsr(MSR_XSS, 0);
    EQ(try_xrstors(area, XMASK_UINTR), EXC_GP);
}

TEST(cpl3, "XSAVES and XRSTORS at CPL 3 are #GP(0)", "13.2")
{
    struct ctx *c;

    load_values();
    clui();
    c = with_area(user(s_xsaves), (void *)USER(area), XMASK_UINTR);
    EQ(run(c), EXC_GP);
    EQ(c->error, 0);
    c = with_area(user(s_xrstors), (void *)USER(area), XMASK_UINTR);
    EQ(run(c), EXC_GP);
    EQ(rdmsr(MSR_UINTR_MISC), values.misc);
}

TEST(priority, "XSAVEC, XSAVES and XRSTORS at CPL 3: #UD, then #NM, then #GP",
     "13.2 13.11")
{
    const char *code[] = { s_xsavec, s_xsaves, s_xrstors };

    wrmsr(MSR_XSS, XMASK_UINTR);
    for (int i = 0; i < 3; i++) {
        void *misaligned = (void *)(USER(area) + 32);

        test_case = i;
        write_cr4(read_cr4() & ~CR4_OSXSAVE);
        write_cr0(read_cr0() | CR0_TS);
        EQ(run(with_area(user(code[i]), misaligned, 3)), EXC_UD);
        write_cr4(read_cr4() | CR4_OSXSAVE);
        EQ(run(with_area(user(code[i]), misaligned, 3)), EXC_NM);
        write_cr0(read_cr0() & ~CR0_TS);
        EQ(run(with_area(user(code[i]), misaligned, 3)), EXC_GP);
        EQ(this_cpu()->ctx.error, 0);
    }
}

TEST(others_save_nothing, "XSAVE, XSAVEC and XSAVEOPT never store it",
     "13.2")
{
    const char *code[] = { s_xsave, s_xsavec, s_xsaveopt };

    for (int i = 0; i < 3; i++) {
        test_case = i;
        load_values();
        memset(area, 0, sizeof(*area));
        EQ(run(with_area(kernel(code[i]), area, XMASK_UINTR)), VEC_DONE);
        EQ(area->xstate_bv & XMASK_UINTR, 0);
        EQ(area->uintr.handler, 0);
        EQ(rdmsr(MSR_UINTR_MISC), values.misc);
        EQ(testui(), 1);
    }
}

TEST(xrstor_loads_nothing, "XRSTOR never loads it", "13.2")
{
    load_values();
    memset(area, 0, sizeof(*area));
    EQ(run(with_area(kernel(s_xrstor), area, ~0ull)), VEC_DONE);
    EQ(rdmsr(MSR_UINTR_HANDLER), values.handler);
    EQ(rdmsr(MSR_UINTR_RR), values.rr);
    EQ(testui(), 1);
    image();
    EQ(run(with_area(kernel(s_xrstor), area, XMASK_UINTR)), EXC_GP);
}

TEST(no_cr4_gate, "CR4.UINTR is not consulted", "13.2 2.2")
{
    image();
    write_cr4(read_cr4() & ~CR4_UINTR);
    EQ(try_xrstors(area, XMASK_UINTR), VEC_DONE);
    memset(area, 0, sizeof(*area));
    EQ(try_xsaves(area, XMASK_UINTR), VEC_DONE);
    EQ(area->uintr.rr, values.rr);
    EQ(area->uintr.misc, values.misc | XUINTR_UIF);
}

TEST(xinuse, "any single element makes the component in use", "13.3")
{
    static const struct {
        uint32_t msr;
        uint64_t value;
    } one[] = {
        { MSR_UINTR_RR, 1 }, { MSR_UINTR_HANDLER, 1 },
        { MSR_UINTR_STACKADJUST, 1 }, { MSR_UINTR_MISC, 1 },
        { MSR_UINTR_MISC, MISC(1, 0) }, { MSR_UINTR_PD, 64 },
        { MSR_UINTR_TT, 16 }, { MSR_UINTR_TT, TT_ENABLE }, { 0, 0 },
    };

    wrmsr(MSR_XSS, XMASK_UINTR);
    for (unsigned i = 0; i < sizeof(one) / sizeof(one[0]); i++) {
        test_case = i;
        clear_all();
        if (one[i].msr) {
            wrmsr(one[i].msr, one[i].value);
        } else {
            stui();
        }
        memset(area, 0, sizeof(*area));
        EQ(try_xsaves(area, XMASK_UINTR), VEC_DONE);
        EQ(area->xstate_bv, XMASK_UINTR);
    }
}

TEST(init_optimisation, "with everything 0 nothing is stored", "13.5 13.3")
{
    wrmsr(MSR_XSS, XMASK_UINTR);
    memset(&area->uintr, 0x5a, sizeof(area->uintr));
    EQ(try_xsaves(area, XMASK_UINTR), VEC_DONE);
    EQ(area->xstate_bv, 0);
    EQ(area->xcomp_bv, HEADER);
    EQ(area->uintr.handler, 0x5a5a5a5a5a5a5a5a);
}

TEST(no_modified, "the modified optimisation is not applied", "13.5")
{
    image();
    EQ(try_xrstors(area, XMASK_UINTR), VEC_DONE);
    wrmsr(MSR_UINTR_MISC, 0);
    memset(&area->uintr, 0, sizeof(area->uintr));
    EQ(try_xsaves(area, XMASK_UINTR), VEC_DONE);
    EQ(area->uintr.handler, values.handler);
    EQ(area->uintr.misc, XUINTR_UIF);
    memset(&area->uintr, 0, sizeof(area->uintr));
    EQ(try_xsaves(area, XMASK_UINTR), VEC_DONE);
    EQ(area->uintr.handler, values.handler);
}

TEST(clears_uinv, "XSAVES sets UINV=0 and nothing else", "13.4 13.10")
{
    load_values();
    EQ(try_xsaves(area, XMASK_UINTR), VEC_DONE);
    EQ(rdmsr(MSR_UINTR_MISC), (uint32_t)values.misc);
    EQ(rdmsr(MSR_UINTR_HANDLER), values.handler);
    EQ(rdmsr(MSR_UINTR_STACKADJUST), values.stackadjust);
    EQ(rdmsr(MSR_UINTR_PD), values.pd);
    EQ(rdmsr(MSR_UINTR_RR), values.rr);
    EQ(rdmsr(MSR_UINTR_TT), values.tt);
    EQ(testui(), 1);
}

TEST(save_fault, "a fault while storing leaves UINV alone", "13.4")
{
    struct ctx *c;

    load_values();
    map(0, (uint64_t)area, 0);
    c = with_area(kernel(s_xsaves), (void *)WINDOW, XMASK_UINTR);
    EQ(run(c), EXC_PF);
    EQ(c->error, PF_P | PF_W);
    EQ(rdmsr(MSR_UINTR_MISC), values.misc);
}

TEST(save_fault_crossing, "so does a fault on the second page of the area",
     "13.4")
{
    struct ctx *c;

    load_values();
    map(0, (uint64_t)spare_pages[0], PTE_W);
    c = with_area(kernel(s_xsaves), (void *)(WINDOW + 4096 - 576),
                  XMASK_UINTR);
    EQ(run(c), EXC_PF);
    EQ(rdmsr(MSR_UINTR_MISC), values.misc);
    map(1, (uint64_t)spare_pages[1], PTE_W);
    EQ(run(c), VEC_DONE);
    EQ(((struct xuintr *)spare_pages[1])->rr, values.rr);
    EQ(rdmsr(MSR_UINTR_MISC), (uint32_t)values.misc);
}

TEST(other_mask, "without RFBM[14] XSAVES leaves UINV alone", "13.4 13.9")
{
    load_values();
    EQ(try_xsaves(area, 3), VEC_DONE);
    EQ(area->xcomp_bv, XCOMPACT | 3);
    EQ(rdmsr(MSR_UINTR_MISC), values.misc);
}

TEST(uinv_armed, "XRSTORS with UINV != 0 is #GP(0) and loads nothing",
     "13.6 13.10")
{
    image();
    wrmsr(MSR_UINTR_MISC, MISC(1, 7));
    EQ(try_xrstors(area, XMASK_UINTR), EXC_GP);
    EQ(this_cpu()->ctx.error, 0);
    EQ(rdmsr(MSR_UINTR_MISC), MISC(1, 7));
    wrmsr(MSR_UINTR_MISC, 0);
    all_zero();
}

static void bad_image(int word, uint64_t value)
{
    image();
    (&area->uintr.handler)[word] = value;
    EQ(try_xrstors(area, XMASK_UINTR), EXC_GP);
    EQ(this_cpu()->ctx.error, 0);
    all_zero();
}

TEST(reserved, "a reserved bit in the image is #GP(0), nothing is loaded",
     "13.6 13.7")
{
    for (int b = 40; b < 63; b++) {
        bad_image(2, 1ull << b);
    }
    for (int b = 0; b < 6; b++) {
        bad_image(3, 1ull << b);
    }
    for (int b = 1; b < 4; b++) {
        bad_image(5, 1ull << b);
    }
}

TEST(noncanonical, "an address beyond the CPU's width is #GP(0)",
     "13.6 13.7 3.4")
{
    uint64_t bad = 1ull << (linear_bits() - 1);

    bad_image(0, bad);
    bad_image(1, bad);
    bad_image(3, bad);
    bad_image(5, bad);
}

TEST(width, "an address of the CPU's full width is loaded", "13.6 3.4")
{
    uint64_t high = ~0ull << (linear_bits() - 1);

    image();
    area->uintr.handler = high;
    area->uintr.pd = high;
    area->uintr.tt = high;
    EQ(try_xrstors(area, XMASK_UINTR), VEC_DONE);
    EQ(rdmsr(MSR_UINTR_HANDLER), high);
    EQ(rdmsr(MSR_UINTR_PD), high);
    EQ(rdmsr(MSR_UINTR_TT), high);
}

TEST(restart, "after a fault UINV is 0, so that XRSTORS can be restarted",
     "13.7")
{
    struct ctx *c;

    image();
    memcpy(spare_pages[0] + 4096 - 576, area, 576);
    memcpy(spare_pages[1], &area->uintr, 48);
    map(0, (uint64_t)spare_pages[0], 0);
    c = with_area(kernel(s_xrstors), (void *)(WINDOW + 4096 - 576),
                  XMASK_UINTR);
    EQ(run(c), EXC_PF);
    EQ(rdmsr(MSR_UINTR_MISC) >> 32, 0);
    map(1, (uint64_t)spare_pages[1], 0);
    EQ(run(c), VEC_DONE);
    EQ(rdmsr(MSR_UINTR_MISC), values.misc);
    EQ(rdmsr(MSR_UINTR_RR), values.rr);
}

TEST(init, "XSTATE_BV[14]=0 makes every element 0, UIF included", "13.8")
{
    image();
    EQ(try_xrstors(area, XMASK_UINTR), VEC_DONE);
    wrmsr(MSR_UINTR_MISC, 5);
    area->xstate_bv = 0;
    EQ(try_xrstors(area, XMASK_UINTR), VEC_DONE);
    all_zero();
}

TEST(not_requested, "without RFBM[14] XRSTORS neither loads nor checks",
     "13.9")
{
    load_values();
    memset(area, 0, sizeof(*area));
    area->xcomp_bv = XCOMPACT | 3;
    EQ(try_xrstors(area, 3), VEC_DONE);
    EQ(rdmsr(MSR_UINTR_MISC), values.misc);
    EQ(rdmsr(MSR_UINTR_RR), values.rr);
    EQ(testui(), 1);
}

TEST(after_sse_avx, "beside x87, SSE and AVX it follows them", "1.5 13.1")
{
    uint64_t avx = cpuid(13, 0).eax & 4;
    uint64_t mask = XMASK_UINTR | 3 | avx;
    uint64_t offset = avx ? 832 : 576;

    load_values();
    xsetbv(0, 3 | avx);
    if (avx) {
        asm volatile("vpcmpeqd %%ymm7, %%ymm7, %%ymm7" : : : "memory");
        asm volatile("vinsertf128 $1, %%xmm7, %%ymm7, %%ymm7" : : : "memory");
    }
    EQ(try_xsaves(area, mask), VEC_DONE);
    EQ(area->xcomp_bv, XCOMPACT | mask);
    EQ(area->xstate_bv & XMASK_UINTR, XMASK_UINTR);
    EQ(((struct xuintr *)((char *)area + offset))->rr, values.rr);
    EQ(((struct xuintr *)((char *)area + offset))->tt, values.tt);
    clear_all();
    EQ(try_xrstors(area, mask), VEC_DONE);
    EQ(rdmsr(MSR_UINTR_RR), values.rr);
    EQ(testui(), 1);
}

TEST(bad_header, "XRSTORS checks the compacted header", "13.6")
{
    image();
    area->xcomp_bv = XMASK_UINTR;           /* not compacted */
    EQ(try_xrstors(area, XMASK_UINTR), EXC_GP);
    image();
    area->xstate_bv |= 1;                   /* not in XCOMP_BV */
    EQ(try_xrstors(area, XMASK_UINTR), EXC_GP);
    image();
    area->reserved[0] = 1;
    EQ(try_xrstors(area, XMASK_UINTR), EXC_GP);
    image();
    area->xcomp_bv |= 1ull << 20;           /* not supported */
    EQ(try_xrstors(area, XMASK_UINTR), EXC_GP);
    image();
    EQ(try_xrstors((char *)area + 32, XMASK_UINTR), EXC_GP);
    all_zero();
}
