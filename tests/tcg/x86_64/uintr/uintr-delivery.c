/*
 * Delivery: conditions and what it does (spec 12.1 to 12.5, 12.9 to 12.11)
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

static struct ctx *pending(struct ctx *c)
{
    uintr_self();
    set_rr(1ull << 11);
    return c;
}

TEST(delivers, "with all conditions met it happens at once", "12.1")
{
    struct ctx *c = pending(user(s_nops));

    EQ(run(c), VEC_HANDLER);
    EQ(uframe_at(c)->rip, USER(s_nops));
}

TEST(uif, "not with UIF=0", "12.1")
{
    struct ctx *c = pending(user(s_nops));

    clui();
    EQ(run(c), VEC_DONE);
    EQ(rdmsr(MSR_UINTR_RR), 1 << 11);
}

TEST(cpl, "not at CPL 0, 1 or 2", "12.1")
{
    for (int cpl = 0; cpl < 3; cpl++) {
        test_case = cpl;
        EQ(run(pending(ring(cpl, s_nops))), VEC_DONE);
        EQ(rdmsr(MSR_UINTR_RR), 1 << 11);
    }
}

SNIPPET(s_compat, ".code32; nop; nop; .code64");

TEST(compat_mode, "not in compatibility mode", "12.1")
{
    EQ(run(pending(compat(s_compat))), VEC_DONE);
    EQ(rdmsr(MSR_UINTR_RR), 1 << 11);
}

TEST(if_irrelevant, "RFLAGS.IF=0 does not hold it back", "12.1")
{
    struct ctx *c = pending(user(s_nops));

    c->rflags &= ~FL_IF;
    EQ(run(c), VEC_HANDLER);
    EQ(uframe_at(c)->rflags & FL_IF, 0);
}

SNIPPET(s_ss_loop, "mov %ss, %eax; 1: mov %eax, %ss; inc %rbx; jmp 1b");

TEST(ss_shadow, "not in the MOV SS shadow", "12.1 9.2")
{
    uintr_self();
    for (int i = 0; i < 100; i++) {
        struct ctx *c = user(s_ss_loop);

        test_case = i;
        upids[0].pir = 1;
        apic_timer_oneshot(NV, 1000);
        EQ(run(c), VEC_HANDLER);
        /* MOV from SS and MOV to SS are 4 bytes */
        EQ(uframe_at(c)->rip == USER(s_ss_loop) + 4, 0);
        stui();
    }
}

TEST(external_first, "an external interrupt is taken before it", "12.2")
{
    struct ctx *c = pending(user(s_nops));

    apic_send(apic_id_of(0), 0x4000 | IRQ);
    EQ(run(c), IRQ);
    EQ(c->rip, USER(s_nops));
    EQ(rdmsr(MSR_UINTR_RR), 1 << 11);
    apic_eoi();
    EQ(run(c), VEC_HANDLER);
    EQ(uframe_at(c)->rip, USER(s_nops));
}

SNIPPET(s_stui_nop, "stui; nop; nop");

TEST(trap_first, "a single-step trap is taken before it", "12.2")
{
    struct ctx *c = pending(user(s_stui_nop));

    clui();
    c->rflags |= FL_TF;
    EQ(run(c), EXC_DB);
    EQ(c->rip, USER(s_stui_nop) + 4);
    EQ(rdmsr(MSR_UINTR_RR), 1 << 11);
    EQ(testui(), 1);
    EQ(run(c), VEC_HANDLER);
    EQ(uframe_at(c)->rip, USER(s_stui_nop) + 4);
}

TEST(subtract, "RSP - UISTACKADJUST, aligned to 16, is the stack",
     "12.4")
{
    for (int low = 0; low < 16; low += 3) {
        struct ctx *c = pending(user(s_nops));
        uint64_t rsp = c->rsp - low;

        test_case = low;
        c->rsp = rsp;
        wrmsr(MSR_UINTR_STACKADJUST, 256);
        EQ(run(c), VEC_HANDLER);
        EQ(c->rsp, ((rsp - 256) & ~15ull) - 32);
        EQ(uframe_at(c)->rsp, rsp);
    }
}

TEST(subtract_zero, "UISTACKADJUST=0 leaves no red zone", "12.4")
{
    struct ctx *c = pending(user(s_nops));

    wrmsr(MSR_UINTR_STACKADJUST, 0);
    EQ(run(c), VEC_HANDLER);
    EQ(c->rsp, user_stack_top() - 32);
}

TEST(subtract_negative, "a negative UISTACKADJUST moves the stack up",
     "12.4")
{
    struct ctx *c = pending(user(s_nops));

    c->rsp -= 1024;
    wrmsr(MSR_UINTR_STACKADJUST, -512ll);
    EQ(run(c), VEC_HANDLER);
    EQ(c->rsp, user_stack_top() - 512 - 32);
}

TEST(load, "UISTACKADJUST[0]=1 loads the stack pointer", "12.4")
{
    struct ctx *c = pending(user(s_nops));
    uint64_t rsp = c->rsp;

    wrmsr(MSR_UINTR_STACKADJUST, (user_stack_top() - 4096) | 1);
    EQ(run(c), VEC_HANDLER);
    EQ(c->rsp, user_stack_top() - 4096 - 32);
    EQ(uframe_at(c)->rsp, rsp);
}

TEST(load_unaligned, "a loaded stack pointer is aligned too", "12.4")
{
    struct ctx *c = pending(user(s_nops));

    wrmsr(MSR_UINTR_STACKADJUST, (user_stack_top() - 4096) | 9);
    EQ(run(c), VEC_HANDLER);
    EQ(c->rsp, user_stack_top() - 4096 - 32);
}

TEST(frame, "the frame is vector, RIP, RFLAGS, RSP", "12.4")
{
    struct ctx *c = pending(user(s_nops));

    c->rflags |= FL_CF | FL_OF | FL_DF | FL_ID;
    EQ(run(c), VEC_HANDLER);
    EQ(uframe_at(c)->vector, 11);
    EQ(uframe_at(c)->rip, USER(s_nops));
    EQ(uframe_at(c)->rflags, FL_1 | FL_IF | FL_CF | FL_OF | FL_DF | FL_ID);
    EQ(uframe_at(c)->rsp, user_stack_top());
}

TEST(red_zone, "the red zone stays untouched", "12.4")
{
    struct ctx *c = pending(user(s_nops));
    uint64_t *below = (uint64_t *)(c->rsp - USER_BASE) - 16;

    for (int i = 0; i < 16; i++) {
        below[i] = i;
    }
    EQ(run(c), VEC_HANDLER);
    for (int i = 0; i < 16; i++) {
        EQ(below[i], i);
    }
}

TEST(every_vector, "each of the 64 vectors is pushed and cleared", "12.4")
{
    for (int v = 0; v < 64; v++) {
        struct ctx *c = pending(user(s_nops));

        test_case = v;
        set_rr(1ull << v);
        EQ(run(c), VEC_HANDLER);
        EQ(uframe_at(c)->vector, v);
        EQ(rdmsr(MSR_UINTR_RR), 0);
    }
}

TEST(clears_one, "only the delivered bit of UIRR is cleared", "12.4 17.4")
{
    for (int v = 0; v < 64; v++) {
        struct ctx *c = pending(user(s_nops));

        test_case = v;
        set_rr((2ull << v) - 1);
        EQ(run(c), VEC_HANDLER);
        EQ(rdmsr(MSR_UINTR_RR), (1ull << v) - 1);
    }
}

TEST(P12, "P12 vectors above 31 are cleared from UIRR", "12.4 17.4")
{
    for (int v = 31; v < 64; v++) {
        struct ctx *c = pending(user(s_nops));

        test_case = v;
        set_rr(1ull << v | 1);
        EQ(run(c), VEC_HANDLER);
        EQ(uframe_at(c)->vector, v);
        EQ(rdmsr(MSR_UINTR_RR), 1);
    }
}

TEST(clears_uif, "UIF is 0 in the handler", "12.4")
{
    EQ(run(pending(user(s_nops))), VEC_HANDLER);
    EQ(testui(), 0);
}

TEST(tf_rf, "TF and RF are 0 in the handler, and pushed as they were",
     "12.4 12.5 15.7")
{
    struct ctx *c = pending(user(s_nops));

    c->rflags |= FL_TF | FL_RF;
    EQ(run(c), VEC_HANDLER);
    EQ(c->rflags & (FL_TF | FL_RF), 0);
    EQ(uframe_at(c)->rflags & (FL_TF | FL_RF), FL_TF | FL_RF);
}

TEST(keeps, "CS, SS, IF, DF, AC and the other flags stay", "12.4 12.11")
{
    struct ctx *c = pending(user(s_nops));
    uint64_t flags = FL_1 | FL_IF | FL_DF | FL_AC | FL_ID | FL_STATUS |
                     FL_NT;

    c->rflags = flags;
    EQ(run(c), VEC_HANDLER);
    EQ(c->rip, USER(uh_exit) + 2);
    EQ(c->cs, SEL_UCODE64);
    EQ(c->ss, SEL_UDATA);
    EQ(c->rflags, flags);
}

TEST(keeps_registers, "the general registers stay", "12.4")
{
    struct ctx *c = pending(user(s_nops)), before;

    for (int i = 0; i < 15; i++) {
        (&c->r15)[i] = 0x1111111111111111ull * i;
    }
    before = *c;
    EQ(run(c), VEC_HANDLER);
    EQ(memcmp(c, &before, offsetof(struct ctx, vector)), 0);
}

SNIPPET(s_lazy, "xor %eax, %eax; stui");
SNIPPET(s_lazy_add, "add %rbx, %rax; stui");

static void pushed_flags(void)
{
    struct ctx *c = pending(user(s_lazy));

    clui();
    c->rflags |= FL_STATUS;
    EQ(run(c), VEC_HANDLER);
    EQ(uframe_at(c)->rflags & (FL_STATUS & ~FL_AF), FL_ZF | FL_PF);

    c = pending(user(s_lazy_add));
    clui();
    c->rax = 0x7fffffffffffffff;
    c->rbx = 1;
    EQ(run(c), VEC_HANDLER);
    EQ(uframe_at(c)->rflags & FL_STATUS, FL_OF | FL_SF | FL_AF | FL_PF);
}

TEST(arithmetic_flags, "flags just computed are in the pushed RFLAGS",
     "12.4")
{
    pushed_flags();
}

TEST(P13, "P13 the pushed RFLAGS are not stale", "12.4")
{
    pushed_flags();
}

TEST(highest_first, "the highest vector goes first", "12.9 3.1")
{
    struct ctx *c = pending(user(s_nops));

    set_rr(0x8000000100000021);
    for (int i = 0; i < 4; i++) {
        static const int order[] = { 63, 32, 5, 0 };

        test_case = i;
        EQ(run(c), VEC_HANDLER);
        EQ(uframe_at(c)->vector, order[i]);
        stui();
        c = user(s_nops);
    }
    EQ(run(c), VEC_DONE);
}

TEST(one_at_a_time, "one delivery takes one vector, the rest wait for UIF",
     "12.9")
{
    struct ctx *c = pending(user(s_nops));

    set_rr(6);
    EQ(run(c), VEC_HANDLER);
    EQ(rdmsr(MSR_UINTR_RR), 2);
    EQ(run(user(s_nops)), VEC_DONE);
    EQ(rdmsr(MSR_UINTR_RR), 2);
}

TEST(no_nesting, "a higher vector waits while the handler runs", "12.10")
{
    struct ctx *c = pending(user(s_nops));

    wrmsr(MSR_UINTR_HANDLER, USER(s_nops));
    EQ(run(c), VEC_DONE);           /* the "handler" ends with UIF=0 */
    EQ(testui(), 0);
    upids[0].pir = 1ull << 63;
    apic_send(apic_id_of(0), 0x4000 | NV);
    EQ(run(user(s_nops)), VEC_DONE);
    EQ(rdmsr(MSR_UINTR_RR), 1ull << 63);
}

TEST(all_in_order, "64 pending vectors are handled from 63 down to 0",
     "12.9 12.10 8.8")
{
    struct ulog *log = uarea()->log;

    pending(NULL);
    wrmsr(MSR_UINTR_HANDLER, USER(uh_log));
    set_rr(0xffffffff00000000);
    EQ(run(user(s_nops)), VEC_DONE);
    EQ(uarea()->count, 32);
    for (int i = 0; i < 32; i++) {
        test_case = i;
        EQ(log[i].vector, 63 - i);
    }
    EQ(rdmsr(MSR_UINTR_RR), 0);
}

static uint64_t read_dr6(void)
{
    uint64_t v;

    asm volatile("mov %%dr6, %0" : "=r"(v));
    return v;
}

TEST(no_cr2_dr6, "CR2 and DR6 do not change", "12.11")
{
    struct ctx *c = pending(user(s_nops));
    uint64_t dr6 = read_dr6();

    write_cr2(0x1234567000);
    EQ(run(c), VEC_HANDLER);
    EQ(read_cr2(), 0x1234567000);
    EQ(read_dr6(), dr6);
}

/* P15: thousands of masked notifications are nothing special */
TEST(P15, "P15 thousands of notifications with UIF=0 do not end QEMU",
     "10.1")
{
    pending(NULL);
    set_rr(0);
    clui();
    for (int i = 0; i < 5000; i++) {
        struct ctx *c = user(s_senduipi);

        c->rax = i % 64;
        EQ(run(c), VEC_DONE);
    }
    EQ(rdmsr(MSR_UINTR_RR), ~0ull);
}
