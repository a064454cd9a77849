/*
 * Faults during delivery and right after it (spec 12.4a, 12.6 to 12.8)
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

/* The user stack of these tests: window pages 1 and 2, top of page 2 */
#define STACK_TOP (WINDOW + 3 * 4096)
#define FRAME_IN_PAGE_1 (WINDOW + 2 * 4096)

static struct ctx *pending(uint64_t rsp)
{
    struct ctx *c = user(s_nops);

    uintr_self();
    wrmsr(MSR_UINTR_STACKADJUST, 0);
    set_rr(1ull << 11);
    c->rsp = rsp;
    return c;
}

static void map_stack(uint64_t flags)
{
    map(1, (uint64_t)spare_pages[1], flags);
    map(2, (uint64_t)spare_pages[2], flags);
}

/* Delivery failed and left no trace */
static void intact(struct ctx *c, uint64_t rsp)
{
    EQ(c->rip, USER(s_nops));
    EQ(c->rsp, rsp);
    EQ(c->rflags & ~FL_RF, FL_1 | FL_IF);
    EQ(c->cs, SEL_UCODE64);
    EQ(testui(), 1);
    EQ(rdmsr(MSR_UINTR_RR), 1 << 11);
}

static struct uframe *frame(struct ctx *c)
{
    return (struct uframe *)(spare_pages[2] + (c->rsp & 0xfff));
}

static void stack_faults(uint64_t flags, uint64_t error)
{
    struct ctx *c = pending(STACK_TOP);

    map_stack(flags);
    EQ(run(c), EXC_PF);
    EQ(c->error, error);
    EQ(c->cr2 >> 12, (STACK_TOP - 32) >> 12);
    intact(c, STACK_TOP);
}

TEST(stack_absent, "an absent stack page is #PF, U/S=1, W/R=1",
     "12.6 12.7")
{
    struct ctx *c = pending(STACK_TOP);

    EQ(run(c), EXC_PF);
    EQ(c->error, PF_U | PF_W);
    EQ(c->cr2 >> 12, (STACK_TOP - 32) >> 12);
    intact(c, STACK_TOP);
}

TEST(stack_supervisor, "a supervisor stack page is #PF, U/S=1", "12.6 12.7")
{
    stack_faults(PTE_W, PF_P | PF_U | PF_W);
}

TEST(stack_read_only, "a read-only stack page is #PF", "12.6 12.7")
{
    stack_faults(PTE_U, PF_P | PF_U | PF_W);
}

TEST(stack_smap, "SMAP does not concern the user stack", "12.6")
{
    struct ctx *c = pending(STACK_TOP);

    map_stack(PTE_U | PTE_W);
    write_cr4(read_cr4() | CR4_SMAP);
    EQ(run(c), VEC_HANDLER);
    write_cr4(read_cr4() & ~CR4_SMAP);
    EQ(frame(c)->vector, 11);
}

TEST(stack_pkru, "PKRU applies to the user stack", "12.6")
{
    struct ctx *c = pending(STACK_TOP);

    if (!(cpuid(7, 0).ecx >> 3 & 1)) {
        test_skip("this CPU has no protection keys");
        return;
    }
    map_stack(PTE_U | PTE_W | PTE_PKEY(2));
    write_cr4(read_cr4() | CR4_PKE);
    asm volatile(".byte 0x0f, 0x01, 0xef" : : "a"(2 << 4), "c"(0), "d"(0));
    EQ(run(c), EXC_PF);
    EQ(c->error, PF_P | PF_U | PF_W | PF_PK);
    intact(c, STACK_TOP);
    asm volatile(".byte 0x0f, 0x01, 0xef" : : "a"(0), "c"(0), "d"(0));
    EQ(run(c), VEC_HANDLER);
}

TEST(stack_noncanonical, "a stack beyond canonical is #SS(0)", "12.6 12.7")
{
    uint64_t rsp = first_noncanonical() + 64;
    struct ctx *c = pending(rsp);

    EQ(run(c), EXC_SS);
    EQ(c->error, 0);
    intact(c, rsp);
}

TEST(handler_noncanonical, "a handler beyond canonical is #GP(0)",
     "12.4 12.7 3.4")
{
    struct ctx *c = pending(STACK_TOP);

    if (first_noncanonical() >> (linear_bits() - 1)) {
        test_skip("paging uses all the address bits of the CPU");
        return;
    }
    map_stack(PTE_U | PTE_W);
    wrmsr(MSR_UINTR_HANDLER, first_noncanonical());
    EQ(run(c), EXC_GP);
    EQ(c->error, 0);
    intact(c, STACK_TOP);
    EQ(frame(c)[-1].vector, 0);     /* nothing was pushed */
}

TEST(retry, "after the fault is handled delivery is tried again", "12.7")
{
    struct ctx *c = pending(STACK_TOP);

    EQ(run(c), EXC_PF);
    map_stack(PTE_U | PTE_W);
    EQ(run(c), VEC_HANDLER);
    EQ(frame(c)->vector, 11);
    EQ(frame(c)->rip, USER(s_nops));
    EQ(frame(c)->rsp, STACK_TOP);
    EQ(c->rsp, STACK_TOP - 32);
}

/* Old RSP and RFLAGS fit into page 2, RIP and the vector do not */
static void crossing(void)
{
    uint64_t rsp = FRAME_IN_PAGE_1 + 16;
    struct ctx *c = pending(rsp);

    map(2, (uint64_t)spare_pages[2], PTE_U | PTE_W);
    EQ(run(c), EXC_PF);
    EQ(c->error, PF_U | PF_W);
    EQ(c->cr2 >> 12, (FRAME_IN_PAGE_1 - 1) >> 12);
    intact(c, rsp);
    map(1, (uint64_t)spare_pages[1], PTE_U | PTE_W);
    EQ(run(c), VEC_HANDLER);
    EQ(c->rsp, rsp - 32);
    EQ(((uint64_t *)&spare_pages[1][4080])[0], 11);
    EQ(((uint64_t *)&spare_pages[1][4080])[1], USER(s_nops));
    EQ(((uint64_t *)spare_pages[2])[1], rsp);
}

TEST(stack_crossing, "a frame across a page boundary faults and restarts",
     "12.7 12.6")
{
    crossing();
}

TEST(P14, "P14 RSP does not change before the four pushes can fault", "12.7")
{
    crossing();
}

TEST(not_lost, "after a fault another interrupt may come first", "12.7 12.2")
{
    struct ctx *c = pending(STACK_TOP);

    EQ(run(c), EXC_PF);
    map_stack(PTE_U | PTE_W);
    apic_send(apic_id_of(0), 0x4000 | IRQ);
    EQ(run(c), IRQ);
    intact(c, STACK_TOP);
    apic_eoi();
    EQ(run(c), VEC_HANDLER);
}

/* The first byte of the handler cannot be fetched */
static void first_fetch(void)
{
    struct ctx *c = pending(STACK_TOP);

    map_stack(PTE_U | PTE_W);
    wrmsr(MSR_UINTR_HANDLER, WINDOW + 0x5123);
    EQ(run(c), EXC_PF);
    EQ(c->cr2, WINDOW + 0x5123);
    EQ(c->error & ~PF_I, PF_U);
    EQ(c->rip, WINDOW + 0x5123);
    EQ(c->rsp, STACK_TOP - 32);
    EQ(testui(), 0);
    EQ(rdmsr(MSR_UINTR_RR), 0);
    EQ(frame(c)->vector, 11);
    EQ(frame(c)->rip, USER(s_nops));
}

TEST(handler_absent, "a fetch fault in the handler reports the handler",
     "12.8 17.8")
{
    first_fetch();
}

TEST(B3, "B3 a page fault on the handler's first byte reports its RIP",
     "12.8 17.8")
{
    first_fetch();
}

TEST(handler_nx, "a handler in a no-execute page likewise", "12.8")
{
    struct ctx *c = pending(STACK_TOP);

    map_stack(PTE_U | PTE_W);
    map(5, (uint64_t)spare_pages[5], PTE_U | PTE_NX);
    wrmsr(MSR_UINTR_HANDLER, WINDOW + 0x5000);
    EQ(run(c), EXC_PF);
    EQ(c->error, PF_P | PF_U | PF_I);
    EQ(c->rip, WINDOW + 0x5000);
    EQ(frame(c)->rip, USER(s_nops));
}

TEST(handler_supervisor, "a handler in a supervisor page likewise", "12.8")
{
    struct ctx *c = pending(STACK_TOP);

    map_stack(PTE_U | PTE_W);
    wrmsr(MSR_UINTR_HANDLER, (uint64_t)uh_exit);
    EQ(run(c), EXC_PF);
    EQ(c->error & ~PF_I, PF_P | PF_U);
    EQ(c->rip, (uint64_t)uh_exit);
}

TEST(handler_absent_restart, "that fault restarts in the handler, once",
     "12.8")
{
    struct ctx *c = pending(STACK_TOP);

    map_stack(PTE_U | PTE_W);
    memset(spare_pages[5], 0x90, 4096);
    memcpy(spare_pages[5] + 16, "\xcd\x21", 2);     /* int $VEC_HANDLER */
    wrmsr(MSR_UINTR_HANDLER, WINDOW + 0x5000);
    EQ(run(c), EXC_PF);
    map(5, (uint64_t)spare_pages[5], PTE_U);
    EQ(run(c), VEC_HANDLER);
    EQ(c->rip, WINDOW + 0x5000 + 18);
    EQ(c->rsp, STACK_TOP - 32);
}

TEST(stack_dirty, "delivery sets Accessed and Dirty of the stack page",
     "12.6")
{
    struct ctx *c = pending(STACK_TOP);

    map_stack(PTE_U | PTE_W);
    EQ(run(c), VEC_HANDLER);
    EQ(pte(2) & (PTE_A | PTE_D), PTE_A | PTE_D);
}

TEST(no_alignment_check, "alignment checking does not concern the frame",
     "12.6")
{
    struct ctx *c = pending(STACK_TOP - 3);

    map_stack(PTE_U | PTE_W);
    write_cr0(read_cr0() | CR0_AM);
    c->rflags |= FL_AC;
    EQ(run(c), VEC_HANDLER);
    write_cr0(read_cr0() & ~CR0_AM);
    EQ(c->rsp, STACK_TOP - 48);
    EQ(frame(c)->rsp, STACK_TOP - 3);
}
