/*
 * What operating systems, modules and user programs do with user interrupts
 * (spec section 14)
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

#define area0 (&xareas[0])
#define area1 (&xareas[1])

static void notify_self(void)
{
    apic_send(apic_id_of(0), 0x4000 | NV);
}

/* ---- switching the state ---- */

struct state {
    uint64_t msr[6];
    bool uif;
};

/* As a kernel without XSAVES does it, at CPL 0 */
static void save(struct state *s)
{
    uint64_t misc = rdmsr(MSR_UINTR_MISC);

    wrmsr(MSR_UINTR_MISC, (uint32_t)misc);      /* UINV = 0 first */
    for (int i = 0; i < 6; i++) {
        s->msr[i] = rdmsr(MSR_UINTR_RR + i);
        wrmsr(MSR_UINTR_RR + i, 0);
    }
    s->msr[MSR_UINTR_MISC - MSR_UINTR_RR] = misc;
    s->uif = testui();
    clui();
}

static void restore(const struct state *s)
{
    for (int i = 0; i < 6; i++) {
        wrmsr(MSR_UINTR_RR + i, s->msr[i]);
    }
    if (s->uif) {
        stui();
    } else {
        clui();
    }
}

TEST(switch_by_msr, "a kernel switches by RDMSR, WRMSR, STUI, CLUI, TESTUI",
     "2.2 3.2 6.1 6.2 6.3 14.2")
{
    struct state a, b;
    struct ctx *c;

    uintr_self();
    set_rr(1 << 3);
    save(&a);
    EQ(run(user(s_nops)), VEC_DONE);
    uintr_self();
    clui();
    set_rr(1 << 4);
    save(&b);
    restore(&a);
    c = user(s_nops);
    EQ(run(c), VEC_HANDLER);
    EQ(uframe_at(c)->vector, 3);
    save(&a);
    restore(&b);
    EQ(run(user(s_nops)), VEC_DONE);
    c = user(s_stui);
    EQ(run(c), VEC_HANDLER);
    EQ(uframe_at(c)->vector, 4);
}

TEST(module_xsaves, "a module XSAVES and XRSTORS only component 14",
     "13.2 13.4 13.6 14.1 14.2")
{
    struct ctx *c;

    wrmsr(MSR_XSS, XMASK_UINTR);
    uintr_self();
    set_rr(1 << 3);
    xsaves(area0, XMASK_UINTR);
    uintr_self();
    clui();
    set_rr(1 << 4);
    xsaves(area1, XMASK_UINTR);
    xrstors(area0, XMASK_UINTR);
    c = user(s_nops);
    EQ(run(c), VEC_HANDLER);
    EQ(uframe_at(c)->vector, 3);
    xsaves(area0, XMASK_UINTR);
    xrstors(area1, XMASK_UINTR);
    EQ(run(user(s_nops)), VEC_DONE);
    EQ(run(user(s_stui)), VEC_HANDLER);
    EQ(rdmsr(MSR_UINTR_MISC), MISC(NV, 63));
}

/* ---- migration of a thread between CPUs ---- */

static void save_here(void *area)
{
    wrmsr(MSR_XSS, XMASK_UINTR);
    xsaves(area, XMASK_UINTR);
}

static uint64_t vector_there;
static struct uframe frame_there;

static void receive_there(void *area)
{
    struct ctx *c = user(s_spin);
    unsigned id = this_cpu()->id;

    wrmsr(MSR_XSS, XMASK_UINTR);
    wrmsr(MSR_UINTR_MISC, 0);
    xrstors(area, XMASK_UINTR);
    upids[0].control = UPID_NV(NV) | UPID_NDST(ndst(id));
    apic_send(apic_id_of(id), 0x4000 | NV);
    vector_there = run(c);
    frame_there = *uframe_at(c);
}

TEST_SMP(U1, 2, "U1 UIF goes with the thread to another CPU", "13.6 13.1")
{
    uintr_self();
    save_here(area0);
    upids[0].control |= UPID_SN;
    upids[0].pir = 1 << 6;
    on_cpu(1, receive_there, area0);
    EQ(vector_there, VEC_HANDLER);
    EQ(frame_there.vector, 6);
}

static void uif_there(void *area)
{
    wrmsr(MSR_XSS, XMASK_UINTR);
    wrmsr(MSR_UINTR_MISC, 0);
    stui();
    xrstors(area, XMASK_UINTR);
    vector_there = testui();
}

TEST_SMP(uif_clear_moves, 2, "UIF=0 goes with the thread as well", "13.6")
{
    uintr_self();
    clui();
    save_here(area0);
    on_cpu(1, uif_there, area0);
    EQ(vector_there, 0);
}

static void send_there(void *area)
{
    struct ctx *c = user(s_senduipi);

    wrmsr(MSR_XSS, XMASK_UINTR);
    wrmsr(MSR_UINTR_MISC, 0);
    xrstors(area, XMASK_UINTR);
    c->rax = 5;
    vector_there = run(c);
}

TEST_SMP(U2, 2, "U2 IA32_UINTR_TT goes with the sender to another CPU",
         "13.6 13.1")
{
    uintr_self();
    upids[0].control |= UPID_SN;
    save_here(area0);
    on_cpu(1, send_there, area0);
    EQ(vector_there, VEC_DONE);
    EQ(upids[0].pir, 1 << 5);
}

static uint64_t misc_there, pd_there;

static void read_there(void *area)
{
    wrmsr(MSR_XSS, XMASK_UINTR);
    wrmsr(MSR_UINTR_MISC, 0);
    xrstors(area, XMASK_UINTR);
    misc_there = rdmsr(MSR_UINTR_MISC);
    pd_there = rdmsr(MSR_UINTR_PD);
}

TEST_SMP(U7, 2, "U7 UINV and the UPID address go with the thread", "13.6 13.1")
{
    uintr_self();
    save_here(area0);
    on_cpu(1, read_there, area0);
    EQ(misc_there, MISC(NV, 63));
    EQ(pd_there, upids);
}

/* ---- the kernel's protocol ---- */

TEST(switched_out, "while switched out, sends are posted without an IPI",
     "14.1 7.8")
{
    wrmsr(MSR_XSS, XMASK_UINTR);
    uintr_self();
    __sync_fetch_and_or(&upids[0].control, UPID_SN);
    xsaves(area0, XMASK_UINTR);
    wrmsr(MSR_UINTR_MISC, 63);
    senduipi(12);
    EQ(upids[0].pir, 1 << 12);
    EQ(apic_idle(), 1);
}

TEST(return_to_user, "a self-IPI before IRET is swallowed there and delivers",
     "14.2 9.2 10.6")
{
    struct ctx *c;

    wrmsr(MSR_XSS, XMASK_UINTR);
    uintr_self();
    __sync_fetch_and_or(&upids[0].control, UPID_SN);
    xsaves(area0, XMASK_UINTR);
    wrmsr(MSR_UINTR_MISC, 63);
    senduipi(12);
    /* back: re-arm, NDST, SN, and because of PIR != 0 a self-IPI */
    wrmsr(MSR_UINTR_MISC, 0);
    xrstors(area0, XMASK_UINTR);
    *((volatile uint32_t *)&upids[0] + 1) = ndst(0);
    __sync_fetch_and_and(&upids[0].control, ~UPID_SN);
    notify_self();
    EQ(apic_irr(NV), 1);
    c = user(s_nops);
    EQ(run(c), VEC_HANDLER);
    EQ(uframe_at(c)->vector, 12);
    EQ(uframe_at(c)->rip, USER(s_nops));
    EQ(apic_idle(), 1);
}

TEST(U5, "U5 one self-IPI is enough, even with UIF=0", "14.2 10.1")
{
    int ipis = 0;

    uintr_self();
    clui();
    upids[0].control |= UPID_ON;
    upids[0].pir = 1;
    while (upids[0].pir && ipis < 10) {
        notify_self();
        ipis++;
        EQ(run(user(s_nops)), VEC_DONE);
    }
    EQ(ipis, 1);
    EQ(upids[0].control & UPID_ON, 0);
    EQ(rdmsr(MSR_UINTR_RR), 1);
}

TEST(blocked_receiver, "with NV changed to an ordinary vector a send enters "
     "the IDT", "14.3 9.3")
{
    uintr_self();
    upid_set(0, IRQ, 0);
    senduipi(2);
    EQ(run(user(s_spin)), IRQ);
    EQ(upids[0].pir, 4);
    EQ(upids[0].control & UPID_ON, UPID_ON);
    apic_eoi();
}

TEST(linux_values, "UINV ECH with a red zone of 128", "14.5 12.4")
{
    struct ctx *c = user(s_spin);

    uintr_self();
    wrmsr(MSR_UINTR_MISC, MISC(0xec, 63));
    upid_set(0, 0xec, 0);
    senduipi(2);
    EQ(run(c), VEC_HANDLER);
    EQ(c->rsp, user_stack_top() - 128 - 32);
}

TEST(spurious, "a notification for a task switched out is an ordinary "
     "interrupt that software ends", "9.10 14.1")
{
    wrmsr(MSR_XSS, XMASK_UINTR);
    uintr_self();
    senduipi(1);
    xsaves(area0, XMASK_UINTR);
    irq_window();
    EQ(this_cpu()->irqs[NV], 1);
    EQ(upids[0].pir, 2);
}

/* ---- user programs ---- */

/* A handler that never returns: it switches to another stack and goes on */
SNIPPET(uh_switch,
        "mov (%rsp), %rbx\n"
        "mov %r15, %rsp\n"
        "stui\n"
        "1: pause\n"
        "jmp 1b");

TEST(never_returns, "a handler switches stacks, sets UIF and never returns",
     "6.2 12.9 12.10")
{
    struct ctx *c = user(s_spin);
    uint32_t ticks = 1000;

    uintr_self();
    wrmsr(MSR_UINTR_HANDLER, USER(uh_switch));
    set_rr(1 << 5);
    c->r15 = user_stack_top() - 4096;
    do {                                /* until it is in its loop */
        /* It gets further each time, also where 1000 are few instructions. */
        apic_timer_oneshot(IRQ, ticks);
        ticks *= 2;
        EQ(run(c), IRQ);
        apic_eoi();
    } while (c->rbx != 5 || !testui());
    wrmsr(MSR_UINTR_HANDLER, USER(uh_exit));
    set_rr(1 << 6);
    EQ(run(c), VEC_HANDLER);
    EQ(uframe_at(c)->vector, 6);
    EQ(uframe_at(c)->rsp, user_stack_top() - 4096);
}

/* A user-level scheduler: build a frame for another thread, and UIRET */
SNIPPET(s_to_thread,
        "push %rdi\n"                   /* RSP of the thread */
        "push $0x3\n"                   /* RFLAGS: bit 1 and CF */
        "push %rsi\n"                   /* RIP of the thread */
        "uiret");
SNIPPET(s_thread, "setc %al; testui; setc %bl");

TEST(hand_made, "a user-level thread starts by UIRET from a hand-made frame",
     "8.1 8.3 8.4")
{
    struct ctx *c = user(s_to_thread);

    c->rdi = user_stack_top() - 8192;
    c->rsi = USER(s_thread);
    EQ(run(c), VEC_DONE);
    EQ(c->rip, USER(s_thread) + 12);
    EQ(c->rsp, user_stack_top() - 8192);
    EQ(c->rax, 1);
    EQ(c->rbx, 1);
}

/*
 * A handler that saves and clobbers the vector registers as compilers do:
 * XSAVEC or XSAVEOPT with the mask of XGETBV(1).
 */
#define XHANDLER(name, save)                                            \
    SNIPPET(name,                                                       \
            "push %rax; push %rcx; push %rdx; push %rbx\n"              \
            "mov %rsp, %rbx\n"                                          \
            "sub $2048, %rsp\n"                                         \
            "and $-64, %rsp\n"                                          \
            "xor %eax, %eax\n"                                          \
            "movq %rax, 512(%rsp); movq %rax, 520(%rsp)\n"              \
            "movq %rax, 528(%rsp); movq %rax, 536(%rsp)\n"              \
            "movq %rax, 544(%rsp); movq %rax, 552(%rsp)\n"              \
            "movq %rax, 560(%rsp); movq %rax, 568(%rsp)\n"              \
            "mov $1, %ecx; xgetbv; and $7, %eax; mov %eax, %ecx\n"      \
            "xor %edx, %edx\n"                                          \
            save " (%rsp)\n"                                            \
            "pxor %xmm3, %xmm3; pcmpeqd %xmm5, %xmm5\n"                 \
            "mov %ecx, %eax; xor %edx, %edx\n"                          \
            "xrstor64 (%rsp)\n"                                         \
            "mov %rbx, %rsp\n"                                          \
            "pop %rbx; pop %rdx; pop %rcx; pop %rax\n"                  \
            "incq %fs:0\n"                                              \
            "add $8, %rsp\n"                                            \
            "uiret")
XHANDLER(uh_xsavec, "xsavec64");
XHANDLER(uh_xsaveopt, "xsaveopt64");

SNIPPET(s_vectors,
        "movq %rax, %xmm3; movq %rbx, %xmm5\n"
        "stui\n"
        "nop\n"
        "movq %xmm3, %rcx; movq %xmm5, %rdx");

static void vector_handler(const char *handler)
{
    struct ctx *c = user(s_vectors);

    if (!(cpuid(13, 1).eax & 4)) {
        test_skip("this CPU has no XGETBV(1)");
        return;
    }
    uintr_self();
    clui();
    wrmsr(MSR_UINTR_HANDLER, USER(handler));
    set_rr(1);
    c->rax = 0x1122334455667788;
    c->rbx = 0x99aabbccddeeff00;
    EQ(run(c), VEC_DONE);
    EQ(uarea()->count, 1);
    EQ(c->rcx, 0x1122334455667788);
    EQ(c->rdx, 0x99aabbccddeeff00);
}

TEST(xsavec_handler, "a handler uses XGETBV(1) and XSAVEC", "13.2 12.4")
{
    vector_handler(uh_xsavec);
}

TEST(xsaveopt_handler, "a handler uses XGETBV(1) and XSAVEOPT", "13.2 12.4")
{
    vector_handler(uh_xsaveopt);
}

/*
 * Timer interrupts for user space: SN stays 1, the thread posts to itself
 * in advance, and the next local timer interrupt with vector UINV moves the
 * post into UIRR.
 */
TEST(user_timer, "a thread with SN=1 posts to itself for the timer",
     "7.8 9.4 10.2 12.1")
{
    uintr_self();
    upids[0].control |= UPID_SN;
    for (int i = 0; i < 5; i++) {
        struct ctx *c = user(s_senduipi);

        test_case = i;
        c->rax = i;
        EQ(run(c), VEC_DONE);
        EQ(upids[0].pir, 1ull << i);
        EQ(apic_idle(), 1);
        apic_timer_oneshot(NV, 1000);
        c = user(s_spin);
        EQ(run(c), VEC_HANDLER);
        EQ(uframe_at(c)->vector, i);
        EQ(upids[0].control & 3, UPID_SN);
        stui();
    }
}

TEST(user_upid, "user space may hold and change its UPID with plain stores",
     "10.3 7.10")
{
    struct upid *mine = (struct upid *)spare_pages[0];
    struct ctx *c;

    uintr_self();
    map(0, (uint64_t)mine, PTE_U | PTE_W);
    mine->control = UPID_NV(NV) | UPID_NDST(ndst(0));
    uitt[7].upid = WINDOW;
    wrmsr(MSR_UINTR_PD, WINDOW);
    *(volatile uint8_t *)mine = UPID_SN;
    c = user(s_senduipi);
    c->rax = 7;
    EQ(run(c), VEC_DONE);
    EQ(mine->pir, 1 << 7);
    *(volatile uint8_t *)mine = 0;
    c = user(s_senduipi);
    c->rax = 7;
    EQ(run(c), VEC_HANDLER);
    EQ(uframe_at(c)->vector, 7);
}

TEST(genuine_intel, "a driver that insists on an Intel CPU can have one",
     "12.1")
{
    struct cpuid r = cpuid(0, 0);

    if (r.ebx != 0x756e6547) {
        test_skip("the machine is not vendor=GenuineIntel");
        return;
    }
    uintr_self();
    EQ(cpuid(1, 0).ecx >> 3 & 1, 0);        /* no MONITOR, no MWAIT idle */
    set_rr(1);
    EQ(run(user(s_nops)), VEC_HANDLER);
}
