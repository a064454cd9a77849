/*
 * UIRET (spec section 8)
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

SNIPPET(s_target, "nop; nop");

/* A hand-made frame on the stack of @c, which is about to run UIRET */
static uint64_t *frame_for(struct ctx *c, uint64_t rip, uint64_t rflags,
                           uint64_t rsp)
{
    uint64_t *f;
    uint64_t base = c->cs == SEL_UCODE64 ? USER_BASE : 0;

    c->rsp -= 256;
    f = (uint64_t *)(c->rsp - base);
    f[0] = rip;
    f[1] = rflags;
    f[2] = rsp;
    f[3] = 0xdeadbeef;
    return f;
}

#define RSP_AFTER 0x123456789abcd123        /* the popped RSP is unchecked */

TEST(pops, "UIRET pops RIP, RFLAGS and RSP, not a vector", "8.1 17.2")
{
    struct ctx *c = user(s_uiret);

    frame_for(c, USER(s_target), FL_1, RSP_AFTER);
    EQ(run(c), VEC_DONE);
    EQ(c->rip, USER(s_target) + 4);
    EQ(c->rsp, RSP_AFTER);
}

TEST(every_cpl, "UIRET works at every CPL and keeps it", "8.1 8.6")
{
    for (int cpl = 0; cpl < 3; cpl++) {
        struct ctx *c = ring(cpl, s_uiret);
        uint64_t cs = c->cs, ss = c->ss, rsp = c->rsp;

        test_case = cpl;
        frame_for(c, (uint64_t)s_target, FL_1, rsp);
        EQ(run(c), VEC_DONE);
        EQ(c->cs, cs);
        EQ(c->ss, ss);
        EQ(c->rip, (uint64_t)s_target + 4);
        EQ(c->rsp, rsp);
    }
}

TEST(segments, "CS and SS stay whatever the frame says", "8.6")
{
    struct ctx *c = user(s_uiret);
    uint64_t *f = frame_for(c, USER(s_target), FL_1, RSP_AFTER);

    f[3] = SEL_DATA;
    EQ(run(c), VEC_DONE);
    EQ(c->cs, SEL_UCODE64);
    EQ(c->ss, SEL_UDATA);
}

#define LOADED (FL_STATUS | FL_TF | FL_DF | FL_NT | FL_RF | FL_AC | FL_ID)

TEST(flags_mask, "the mask of loaded flags is 254DD5H", "8.3")
{
    EQ(LOADED, 0x254dd5);
}

SNIPPET(s_ud2, "ud2");

/* RF shows in what a fault saves only if the fault does not set it: INT */
TEST(flags_set, "UIRET loads CF PF AF ZF SF DF OF NT AC ID as 1", "8.3")
{
    struct ctx *c = user(s_uiret);

    frame_for(c, USER(s_done), LOADED & ~(FL_TF | FL_RF), RSP_AFTER);
    EQ(run(c), VEC_DONE);
    EQ(c->rflags & LOADED & ~FL_RF, LOADED & ~(FL_TF | FL_RF));
}

TEST(flags_clear, "UIRET loads CF PF AF ZF SF DF OF NT AC ID as 0", "8.3")
{
    struct ctx *c = user(s_uiret);

    c->rflags |= LOADED & ~(FL_TF | FL_RF);
    frame_for(c, USER(s_done), 0, RSP_AFTER);
    EQ(run(c), VEC_DONE);
    EQ(c->rflags, FL_1 | FL_IF);
}

static void kept_flags(int cpl)
{
    struct ctx *c = ring(cpl, s_uiret);
    uint64_t target = cpl == 3 ? USER(s_done) : (uint64_t)s_done;

    frame_for(c, target, ~(uint64_t)FL_TF, c->rsp);
    c->rflags = FL_1;
    EQ(run(c), VEC_DONE);
    EQ(c->rflags & (FL_IF | FL_IOPL | FL_VIF | FL_VIP), 0);
    EQ(c->rflags >> 17 & 1, 0);

    c = ring(cpl, s_uiret);
    frame_for(c, target, 0, c->rsp);
    c->rflags = FL_1 | FL_IF | FL_IOPL;
    EQ(run(c), VEC_DONE);
    EQ(c->rflags & (FL_IF | FL_IOPL), FL_IF | FL_IOPL);
}

TEST(kept_cpl3, "at CPL 3 UIRET keeps IF, IOPL, VM, VIF and VIP", "8.3")
{
    kept_flags(3);
}

TEST(kept_cpl0, "at CPL 0 UIRET keeps IF, IOPL, VM, VIF and VIP", "8.3")
{
    kept_flags(0);
}

SNIPPET(s_uiret_setc, "setc %al; setz %bl; sets %cl; seto %dl");

static void condition_codes(void)
{
    for (int i = 0; i < 2; i++) {
        struct ctx *c = user(s_uiret);

        test_case = i;
        c->rflags |= i ? 0 : FL_STATUS;
        frame_for(c, USER(s_uiret_setc), i ? FL_STATUS : 0, RSP_AFTER);
        EQ(run(c), VEC_DONE);
        EQ(c->rax & 0xff, i);
        EQ(c->rbx & 0xff, i);
        EQ(c->rcx & 0xff, i);
        EQ(c->rdx & 0xff, i);
    }
}

TEST(cc, "conditions after UIRET come from the popped flags", "8.3")
{
    condition_codes();
}

TEST(P17, "P17 UIRET checks RIP and reloads the condition codes", "8.2 8.3")
{
    struct ctx *c = user(s_uiret);

    condition_codes();
    c = user(s_uiret);
    frame_for(c, first_noncanonical(), FL_1, RSP_AFTER);
    EQ(run(c), EXC_GP);
    EQ(c->rip, USER(s_uiret));
}

/* Faults: nothing changes */
static void uiret_fails(struct ctx *c, uint64_t vector, uint64_t error)
{
    struct ctx before = *c;

    clui();
    EQ(run(c), vector);
    EQ(c->error, error);
    EQ(c->rip, before.rip);
    EQ(c->rsp, before.rsp);
    EQ(c->rflags & ~FL_RF, before.rflags);
    EQ(testui(), 0);
}

TEST(stack_noncanonical, "a stack beyond canonical is #SS(0)", "8.2")
{
    struct ctx *c = user(s_uiret);

    c->rsp = first_noncanonical();
    uiret_fails(c, EXC_SS, 0);
}

TEST(stack_noncanonical_cpl0, "a stack beyond canonical is #SS(0) at CPL 0",
     "8.2")
{
    struct ctx *c = kernel(s_uiret);

    c->rsp = first_noncanonical() + 4096;
    uiret_fails(c, EXC_SS, 0);
}

TEST(stack_absent, "an absent stack page is #PF", "8.2")
{
    struct ctx *c = user(s_uiret);

    c->rsp = WINDOW;
    uiret_fails(c, EXC_PF, PF_U);
    EQ(c->cr2, WINDOW);
}

TEST(stack_second_page, "a frame whose second page is absent is #PF", "8.2")
{
    struct ctx *c = user(s_uiret);
    uint64_t *f = (uint64_t *)(spare_pages[0] + 4096 - 16);

    map(0, (uint64_t)spare_pages[0], PTE_U | PTE_W);
    f[0] = USER(s_target);
    f[1] = FL_STATUS | FL_1;
    c->rsp = WINDOW + 4096 - 16;
    uiret_fails(c, EXC_PF, PF_U);
    EQ(c->cr2, WINDOW + 4096);
    map(1, (uint64_t)spare_pages[1], PTE_U | PTE_W);
    *(uint64_t *)spare_pages[1] = RSP_AFTER;
    EQ(run(c), VEC_DONE);
    EQ(c->rsp, RSP_AFTER);
}

TEST(stack_supervisor, "a supervisor stack page is #PF at CPL 3", "8.2")
{
    struct ctx *c = user(s_uiret);

    map(0, (uint64_t)spare_pages[0], PTE_W);
    c->rsp = WINDOW + 64;
    uiret_fails(c, EXC_PF, PF_U | PF_P);
}

TEST(misaligned_ac, "a misaligned stack with AC=1 at CPL 3 is #AC(0)",
     "8.2")
{
    struct ctx *c = user(s_uiret);

    frame_for(c, USER(s_target), FL_1, RSP_AFTER);
    c->rsp += 4;
    c->rflags |= FL_AC;
    write_cr0(read_cr0() | CR0_AM);
    uiret_fails(c, EXC_AC, 0);
    write_cr0(read_cr0() & ~CR0_AM);
}

TEST(misaligned, "a misaligned stack with AC=0 is fine", "8.2")
{
    struct ctx *c = user(s_uiret);
    uint64_t *f;

    write_cr0(read_cr0() | CR0_AM);
    c->rsp -= 256 - 3;
    f = (uint64_t *)(c->rsp - USER_BASE);
    f[0] = USER(s_target);
    f[1] = FL_1;
    f[2] = RSP_AFTER;
    EQ(run(c), VEC_DONE);
    EQ(c->rsp, RSP_AFTER);
    write_cr0(read_cr0() & ~CR0_AM);
}

TEST(rip_noncanonical, "a popped RIP beyond canonical is #GP(0)", "8.2")
{
    for (int cpl = 0; cpl < 4; cpl += 3) {
        struct ctx *c = ring(cpl, s_uiret);

        test_case = cpl;
        frame_for(c, first_noncanonical(), FL_1, RSP_AFTER);
        uiret_fails(c, EXC_GP, 0);
        c = ring(cpl, s_uiret);
        frame_for(c, 0xfedcba9876543210, FL_1, RSP_AFTER);
        uiret_fails(c, EXC_GP, 0);
    }
}

TEST(rip_high, "the highest canonical RIP is jumped to", "8.2")
{
    struct ctx *c = user(s_uiret);

    frame_for(c, first_noncanonical() - 1, FL_1, RSP_AFTER);
    EQ(run(c), EXC_PF);
    EQ(c->rip, first_noncanonical() - 1);
    EQ(c->rsp, RSP_AFTER);
}

TEST(rsp_unchecked, "the popped RSP is not checked", "8.2")
{
    struct ctx *c = user(s_uiret);

    frame_for(c, USER(s_target), FL_1, 0xfedcba9876543211);
    EQ(run(c), VEC_DONE);
    EQ(c->rsp, 0xfedcba9876543211);
}

TEST(sets_uif, "UIRET sets UIF when bit 1 of the image is 1", "8.4")
{
    struct ctx *c = user(s_uiret);

    frame_for(c, USER(s_target), FL_1, RSP_AFTER);
    EQ(run(c), VEC_DONE);
    EQ(testui(), 1);
}

TEST(uif_from_image, "bit 1 = 0 gives UIF = !CPUID.UIRET_UIF", "8.4 1.2")
{
    struct ctx *c = user(s_uiret);

    frame_for(c, USER(s_target), 0, RSP_AFTER);
    EQ(run(c), VEC_DONE);
    EQ(testui(), !has_uiret_uif());
    EQ(c->rflags & FL_1, FL_1);
    stui();
    c = user(s_uiret);
    frame_for(c, USER(s_target), 0, RSP_AFTER);
    EQ(run(c), VEC_DONE);
    EQ(testui(), !has_uiret_uif());
}

TEST(handler_return, "an unmodified frame returns with UIF=1", "8.4 8.1")
{
    struct ctx *c = user(s_nops);

    uintr_self();
    wrmsr(MSR_UINTR_HANDLER, USER(uh_log));
    set_rr(1);
    c->rflags |= FL_CF | FL_ZF;
    EQ(run(c), VEC_DONE);
    EQ(uarea()->count, 1);
    EQ(c->rflags, FL_1 | FL_IF | FL_CF | FL_ZF);
    EQ(c->rsp, user_stack_top());
    EQ(testui(), 1);
}

SNIPPET(s_four_nops, "nop; nop; nop; nop");

TEST(tf, "TF loaded as 1 traps after the next instruction", "8.7")
{
    struct ctx *c = user(s_uiret);

    frame_for(c, USER(s_four_nops), FL_1 | FL_TF, RSP_AFTER);
    EQ(run(c), EXC_DB);
    EQ(c->rip, USER(s_four_nops) + 1);
}

TEST(tf_cleared, "TF loaded as 0 ends stepping after UIRET's own trap",
     "8.7")
{
    struct ctx *c = user(s_uiret);

    c->rflags |= FL_TF;
    frame_for(c, USER(s_four_nops), FL_1, RSP_AFTER);
    EQ(run(c), EXC_DB);
    EQ(c->rip, USER(s_four_nops));
    EQ(c->rflags & FL_TF, 0);
    EQ(run(c), VEC_DONE);
}

static volatile uint64_t nmis;

/* Runs with NMIs blocked; a second one is pending until the IRET */
static void uiret_in_nmi(struct ctx *c)
{
    if (nmis++ == 0) {
        apic_send(apic_id_of(0), 0x4400);
        asm volatile("mov %%rsp, %%rax; push %%rax; pushf;"
                     "lea 1f(%%rip), %%rax; push %%rax; uiret;"
                     "1: nop; nop" : : : "rax", "memory");
        EQ(nmis, 1);
    }
}

TEST(nmi_blocking, "UIRET leaves NMIs blocked", "8.6")
{
    nmis = 0;
    trap_handler[EXC_NMI] = uiret_in_nmi;
    apic_send(apic_id_of(0), 0x4400);
    while (nmis < 2) {
        pause();
    }
    EQ(nmis, 2);
}

static void write_dr(uint64_t dr0, uint64_t dr7)
{
    asm volatile("mov %0, %%dr0; mov %1, %%dr7" : : "r"(dr0), "r"(dr7));
}

TEST(rf, "RF loaded as 1 suppresses an instruction breakpoint once", "8.7")
{
    struct ctx *c = user(s_uiret);
    uint64_t rsp = c->rsp;

    write_dr(USER(s_four_nops), 1);
    frame_for(c, USER(s_four_nops), FL_1, rsp);
    EQ(run(c), EXC_DB);
    EQ(c->rip, USER(s_four_nops));
    c = user(s_uiret);
    frame_for(c, USER(s_four_nops), FL_1 | FL_RF, rsp);
    EQ(run(c), VEC_DONE);
    write_dr(0, 0x400);
}

TEST(rf_again, "so it does if RF is 1 when UIRET begins", "8.3 8.7")
{
    struct ctx *c = user(s_uiret);

    write_dr(USER(s_four_nops), 1);
    frame_for(c, USER(s_four_nops), FL_1 | FL_RF, c->rsp);
    c->rflags |= FL_RF;
    EQ(run(c), VEC_DONE);
    c = user(s_uiret);
    frame_for(c, USER(s_four_nops), FL_1, c->rsp);
    c->rflags |= FL_RF;
    EQ(run(c), EXC_DB);
    EQ(c->rip, USER(s_four_nops));
    write_dr(0, 0x400);
}

SNIPPET(s_iret, "iretq");

/* SDM 3B, "Instruction-Breakpoint Exception Condition": not UIRET alone */
TEST(iret_rf, "IRET loads RF if RF is 1 when it begins", "8.7")
{
    for (int i = 0; i < 2; i++) {
        struct ctx *c = user(s_iret);
        uint64_t *f;

        test_case = i;
        write_dr(USER(s_four_nops), 1);
        f = frame_for(c, USER(s_four_nops), SEL_UCODE64, FL_1 | FL_IF);
        f[2] |= i ? FL_RF : 0;
        f[3] = user_stack_top();
        f[4] = SEL_UDATA;
        c->rflags |= FL_RF;
        EQ(run(c), i ? VEC_DONE : EXC_DB);
        write_dr(0, 0x400);
    }
}

TEST(pending_after, "a pending interrupt comes before the resumed code",
     "8.8")
{
    struct ctx *c = user(s_uiret);

    uintr_self();
    clui();
    set_rr(1 << 3);
    frame_for(c, USER(s_target), FL_1 | FL_IF, user_stack_top());
    EQ(run(c), VEC_HANDLER);
    EQ(uframe_at(c)->rip, USER(s_target));
    EQ(uframe_at(c)->rsp, user_stack_top());
}

TEST(single_step, "delivery with TF=1 and UIRET restore stepping", "15.7")
{
    struct ctx *c = user(s_four_nops);

    uintr_self();
    wrmsr(MSR_UINTR_HANDLER, USER(uh_log));
    set_rr(1);
    c->rflags |= FL_TF;
    EQ(run(c), EXC_DB);
    /* the handler ran without steps, then one instruction was stepped */
    EQ(uarea()->count, 1);
    EQ(uarea()->log[0].rflags & FL_TF, FL_TF);
    EQ(c->rip, USER(s_four_nops) + 1);
}

TEST(data_breakpoint, "a data breakpoint sees what UIRET pops", "8.1")
{
    struct ctx *c = user(s_uiret);

    frame_for(c, USER(s_four_nops), FL_1, user_stack_top());
    write_dr(c->rsp, 0xf0001);          /* 8 bytes read or written */
    EQ(run(c), EXC_DB);
    EQ(c->rip, USER(s_four_nops));
    write_dr(0, 0x400);
}

TEST(breakpoint_after, "a pending interrupt comes before a breakpoint there",
     "8.8 12.2")
{
    struct ctx *c = user(s_uiret);

    uintr_self();
    clui();
    set_rr(1 << 3);
    frame_for(c, USER(s_target), FL_1 | FL_IF, user_stack_top());
    write_dr(USER(s_target), 1);
    EQ(run(c), VEC_HANDLER);
    write_dr(0, 0x400);
}
