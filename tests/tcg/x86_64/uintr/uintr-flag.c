/*
 * CLUI, STUI and TESTUI (spec section 6)
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

#define ALL_FLAGS (FL_STATUS | FL_DF | FL_ID | FL_AC)

static void keeps_flags(const char *code)
{
    for (int i = 0; i < 2; i++) {
        struct ctx *c = user(code);
        uint64_t flags = FL_1 | FL_IF | (i ? ALL_FLAGS : 0);

        test_case = i;
        c->rflags = flags;
        EQ(run(c), VEC_DONE);
        EQ(c->rflags, flags);
    }
}

/*
 * Run @code a few times with nothing pending, as a program does, so that an
 * emulator that links blocks of code has linked them; then with UIRR = 1.
 */
static struct ctx *run_often_then_pending(const char *code)
{
    struct ctx *c = NULL;

    for (int i = 0; i < 5; i++) {
        uintr_self();
        clui();
        set_rr(i == 4);
        c = user(code);
        EQ(run(c), i == 4 ? VEC_HANDLER : VEC_DONE);
    }
    return c;
}

TEST(clui_clears, "CLUI clears UIF", "6.1")
{
    stui();
    EQ(run(user(s_clui)), VEC_DONE);
    EQ(testui(), 0);
}

TEST(clui_flags, "CLUI leaves the flags alone", "6.1")
{
    keeps_flags(s_clui);
}

SNIPPET(s_stui_clui, "stui; clui; nop; nop");
SNIPPET(s_clui_stui, "clui; nop; nop; stui; nop; nop; clui");

TEST(clui_holds, "a pending interrupt waits from CLUI to STUI", "6.1")
{
    struct ctx *c = run_often_then_pending(s_clui_stui);

    EQ(uframe_at(c)->rip, USER(s_clui_stui) + 10);
}

SNIPPET(s_short_window, "1: stui; clui; inc %rbx; jmp 1b");

TEST(clui_boundary, "no user interrupt at the boundary after CLUI", "6.1 6.2")
{
    uintr_self();
    for (int i = 0; i < 50; i++) {
        struct ctx *c = user(s_short_window);

        test_case = i;
        upids[0].pir = 1;
        clui();
        apic_timer_oneshot(NV, 1000);
        EQ(run(c), VEC_HANDLER);
        /* the only boundary with UIF=1 is the one after STUI */
        EQ(uframe_at(c)->rip, USER(s_short_window) + 4);
    }
}

TEST(stui_sets, "STUI sets UIF", "6.2")
{
    EQ(run(user(s_stui)), VEC_DONE);
    EQ(testui(), 1);
}

TEST(stui_flags, "STUI leaves the flags alone", "6.2")
{
    keeps_flags(s_stui);
}

TEST(stui_no_shadow, "a pending interrupt is taken right after STUI", "6.2")
{
    struct ctx *c = run_often_then_pending(s_stui_clui);

    EQ(uframe_at(c)->rip, USER(s_stui_clui) + 4);
}

SNIPPET(s_stui_stui, "stui; stui; clui");

TEST(stui_twice, "a second STUI makes no shadow either", "6.2")
{
    struct ctx *c = run_often_then_pending(s_stui_stui);

    EQ(uframe_at(c)->rip, USER(s_stui_stui) + 4);
}

SNIPPET(s_stui_pending, "stui; nop; nop; clui; nop");

TEST(stui_nothing_pending, "STUI with nothing pending delivers nothing",
     "6.2 11.1")
{
    uintr_self();
    clui();
    EQ(run(user(s_stui_pending)), VEC_DONE);
    EQ(testui(), 0);
}

TEST(testui_set, "TESTUI returns UIF=1 in CF and clears the other five",
     "6.3")
{
    struct ctx *c = user(s_testui);

    stui();
    c->rflags = FL_1 | FL_IF | FL_STATUS;
    EQ(run(c), VEC_DONE);
    EQ(c->rflags & FL_STATUS, FL_CF);
}

TEST(testui_clear, "TESTUI returns UIF=0 in CF and clears the other five",
     "6.3")
{
    struct ctx *c = user(s_testui);

    c->rflags = FL_1 | FL_IF | FL_STATUS;
    EQ(run(c), VEC_DONE);
    EQ(c->rflags & FL_STATUS, 0);
}

TEST(testui_other, "TESTUI leaves the other flags and UIF alone", "6.3")
{
    struct ctx *c = user(s_testui);
    uint64_t other = FL_1 | FL_IF | FL_DF | FL_ID | FL_AC;

    stui();
    c->rflags = other;
    EQ(run(c), VEC_DONE);
    EQ(c->rflags, other | FL_CF);
    EQ(testui(), 1);
}

SNIPPET(s_lazy, "add %rax, %rbx; testui; sbb %rcx, %rcx; lahf");

TEST(testui_lazy, "flags computed before TESTUI do not show through", "6.3")
{
    struct ctx *c = user(s_lazy);

    stui();
    c->rax = 1;
    c->rbx = ~0ull;
    EQ(run(c), VEC_DONE);
    EQ(c->rcx, ~0ull);
    clui();
    c = user(s_lazy);
    c->rax = 1;
    c->rbx = ~0ull;
    c->rcx = 5;
    EQ(run(c), VEC_DONE);
    EQ(c->rcx, 0);
}

TEST(P18, "P18 TESTUI exists and reports UIF", "6.3 5.1")
{
    struct ctx *c = user(s_testui);

    stui();
    EQ(run(c), VEC_DONE);
    EQ(c->rflags & FL_CF, FL_CF);
    clui();
    c = user(s_testui);
    EQ(run(c), VEC_DONE);
    EQ(c->rflags & FL_CF, 0);
}

SNIPPET(s_stui_then_jmp, "stui; jmp 1f; nop; 1: clui");

TEST(stui_before_jump, "STUI before a jump is as good", "6.2")
{
    struct ctx *c = run_often_then_pending(s_stui_then_jmp);

    EQ(uframe_at(c)->rip, USER(s_stui_then_jmp) + 4);
}
