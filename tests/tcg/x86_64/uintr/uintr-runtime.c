/*
 * The runtime itself: these need no user interrupts
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

SNIPPET(s_ud2, "ud2");
SNIPPET(s_load, "mov (%rax), %rax");
SNIPPET(s_store, "mov %rax, (%rbx)");
SNIPPET(s_code32, ".code32; mov %esp, %eax; push %eax; pop %ebx; .code64");

TEST(ring3_returns, "a snippet runs at CPL 3 and comes back", "")
{
    struct ctx *c = user(s_nops);

    EQ(run(c), VEC_DONE);
    EQ(c->cs, SEL_UCODE64);
    EQ(c->rip, USER(s_nops) + 4);
    EQ(c->rsp, user_stack_top());
}

TEST(every_ring, "snippets run at CPL 0, 1, 2 and 3", "")
{
    for (int cpl = 0; cpl < 4; cpl++) {
        struct ctx *c = ring(cpl, s_ud2);

        EQ(run(c), EXC_UD);
        EQ(c->cs & 3, cpl);
    }
}

TEST(compat_returns, "a snippet runs in compatibility mode", "")
{
    struct ctx *c = compat(s_code32);

    EQ(run(c), VEC_DONE);
    EQ(c->cs, SEL_UCODE32);
    EQ(c->rbx, user_stack_top());
}

TEST(fault_is_a_value, "a page fault reports error code and CR2", "")
{
    struct ctx *c = user(s_store);

    c->rbx = WINDOW + 0x123;
    EQ(run(c), EXC_PF);
    EQ(c->error, PF_U | PF_W);
    EQ(c->cr2, WINDOW + 0x123);
    EQ(c->rip, USER(s_store));
}

TEST(supervisor_page, "CPL 3 cannot read supervisor memory", "")
{
    struct ctx *c = user(s_load);

    c->rax = (uint64_t)upids;
    EQ(run(c), EXC_PF);
    EQ(c->error, PF_U | PF_P);
}

TEST(window, "the window maps, protects and unmaps pages", "")
{
    struct ctx *c = kernel(s_store);
    uint64_t *p = map(0, (uint64_t)spare_pages[0], PTE_W);

    p[5] = 7;
    EQ(*(uint64_t *)&spare_pages[0][40], 7);
    map(0, (uint64_t)spare_pages[0], 0);
    c->rbx = (uint64_t)p;
    EQ(run(c), EXC_PF);
    EQ(c->error, PF_P | PF_W);
}

TEST(self_ipi, "a self-IPI ends a context with IF=1", "")
{
    struct ctx *c = user(s_spin);

    apic_send(apic_id_of(0), 0x4000 | IRQ);
    EQ(run(c), IRQ);
    EQ(apic_isr(IRQ), 1);
    apic_eoi();
    EQ(apic_idle(), 1);
}

TEST(timer, "the APIC timer ends a context", "")
{
    apic_timer_oneshot(IRQ, 1000);
    EQ(run(user(s_spin)), IRQ);
    apic_eoi();
}

static void ap_job(void *arg)
{
    *(uint64_t *)arg = run(user(s_ud2)) + 100 * this_cpu()->id;
}

TEST_SMP(other_cpu, 2, "another CPU runs a snippet at CPL 3", "")
{
    uint64_t result = 0;

    on_cpu(1, ap_job, &result);
    EQ(result, 100 + EXC_UD);
}

TEST_SMP(last_cpu, 4, "the fourth CPU runs a snippet at CPL 3", "")
{
    uint64_t result = 0;

    on_cpu(3, ap_job, &result);
    EQ(result, 300 + EXC_UD);
}
