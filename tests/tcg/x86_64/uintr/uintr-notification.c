/*
 * Notification identification (spec section 9)
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

/*
 * A vector is posted and notified; the next boundary with IF=1 takes it. This
 * may or may not go through the APIC, which is the test's point; others below
 * have the APIC send it.
 */
static void notify(void)
{
    upids[0].control &= ~UPID_ON;
    upids[0].pir = 0;
    set_rr(0);
    senduipi(0);
}

static void setup(void)
{
    uintr_self();
    clui();
}

static bool taken(void)
{
    return rdmsr(MSR_UINTR_RR) == 1 && upids[0].pir == 0 &&
           !(upids[0].control & UPID_ON);
}

static struct ctx *with_if(struct ctx *c)
{
    c->rflags |= FL_IF;
    return c;
}

TEST(every_cpl, "at every CPL", "9.1")
{
    for (int cpl = 0; cpl < 4; cpl++) {
        test_case = cpl;
        setup();
        notify();
        EQ(run(with_if(ring(cpl, s_nops))), VEC_DONE);
        EQ(taken(), 1);
    }
}

TEST(uif_irrelevant, "whatever UIF", "9.1")
{
    for (int uif = 0; uif < 2; uif++) {
        test_case = uif;
        setup();
        if (uif) {
            stui();
        }
        notify();
        EQ(run(with_if(kernel(s_nops))), VEC_DONE);
        EQ(taken(), 1);
        EQ(testui(), uif);
    }
}

SNIPPET(s_compat_nops, ".code32; nop; nop; nop; .code64");

static void in_compat(void)
{
    struct ctx *c;

    setup();
    notify();
    EQ(run(compat(s_compat_nops)), VEC_DONE);
    EQ(taken(), 1);
    setup();
    notify();
    c = with_if(kernel(s_compat_nops));
    c->cs = SEL_CODE32;
    EQ(run(c), VEC_DONE);
    EQ(taken(), 1);
}

TEST(compat_mode, "in compatibility mode", "9.1 17.9")
{
    in_compat();
}

TEST(B4, "B4 in compatibility mode vector UINV does not use the IDT",
     "9.1 17.9")
{
    in_compat();
}

TEST(if_clear, "with IF=0 the vector stays in the IRR", "9.2")
{
    setup();
    notify();
    EQ(run(kernel(s_nops)), VEC_DONE);
    EQ(apic_irr(NV), 1);
    EQ(upids[0].pir, 1);
    EQ(upids[0].control & UPID_ON, UPID_ON);
}

SNIPPET(s_sti_cli, "sti; cli; nop");
SNIPPET(s_sti_nop_cli, "sti; nop; cli");

TEST(sti_shadow, "the STI shadow delays it", "9.2")
{
    setup();
    notify();
    EQ(run(kernel(s_sti_cli)), VEC_DONE);
    EQ(apic_irr(NV), 1);
    EQ(run(kernel(s_sti_nop_cli)), VEC_DONE);
    EQ(taken(), 1);
}

SNIPPET(s_ss_loop, "mov %ss, %eax; 1: mov %eax, %ss; inc %rbx; jmp 1b");

TEST(ss_shadow, "the MOV SS shadow delays a fault of processing", "9.2")
{
    uintr_self();
    wrmsr(MSR_UINTR_PD, WINDOW);
    for (int i = 0; i < 100; i++) {
        struct ctx *c = user(s_ss_loop);

        test_case = i;
        apic_timer_oneshot(NV, 1000);
        EQ(run(c), EXC_PF);
        EQ(c->rip == USER(s_ss_loop) + 4, 0);
    }
}

TEST(tpr, "a task priority at or above its class blocks it", "9.2")
{
    setup();
    apic_write(0x80, NV & 0xf0);
    notify();
    EQ(run(user(s_nops)), VEC_DONE);
    EQ(apic_irr(NV), 1);
    EQ(upids[0].pir, 1);
    apic_write(0x80, (NV & 0xf0) - 0x10);
    EQ(run(user(s_nops)), VEC_DONE);
    EQ(taken(), 1);
}

TEST(tpr_sent, "also if SENDUIPI sends it with IF=1", "9.2")
{
    struct ctx *c = with_if(kernel(s_senduipi));

    setup();
    apic_write(0x80, NV & 0xf0);
    EQ(run(c), VEC_DONE);
    EQ(apic_irr(NV), 1);
    EQ(upids[0].pir, 1);
    apic_write(0x80, 0);
    irq_window();
    EQ(taken(), 1);
}

TEST(cr8, "so does CR8", "9.2")
{
    setup();
    write_cr8(NV >> 4);
    notify();
    EQ(run(user(s_nops)), VEC_DONE);
    EQ(apic_irr(NV), 1);
    write_cr8(0);
    EQ(run(user(s_nops)), VEC_DONE);
    EQ(taken(), 1);
}

TEST(ppr, "a higher vector in service blocks it until EOI", "9.2")
{
    setup();
    apic_send(apic_id_of(0), 0x4000 | IRQ_HIGH);
    EQ(run(user(s_spin)), IRQ_HIGH);
    notify();
    EQ(run(user(s_nops)), VEC_DONE);
    EQ(apic_irr(NV), 1);
    apic_eoi();
    EQ(run(user(s_nops)), VEC_DONE);
    EQ(taken(), 1);
}

TEST(higher_first, "a higher ordinary vector is taken before it", "9.2 9.3")
{
    struct ctx *c = user(s_spin);

    setup();
    notify();
    apic_send(apic_id_of(0), 0x4000 | IRQ_HIGH);
    EQ(run(c), IRQ_HIGH);
    EQ(c->rip, USER(s_spin));
    EQ(apic_irr(NV), 1);
    EQ(upids[0].pir, 1);
}

TEST(lower_after, "it is taken whole before a lower vector", "9.2 9.6")
{
    struct ctx *c = user(s_spin);

    setup();
    notify();
    apic_send(apic_id_of(0), 0x4000 | IRQ);
    EQ(run(c), IRQ);
    EQ(c->rip, USER(s_spin));
    EQ(taken(), 1);
    EQ(apic_isr(NV), 0);
}

TEST(eoi, "the APIC gets an EOI, so the ISR bit goes", "9.3 17.5")
{
    setup();
    notify();
    EQ(run(user(s_nops)), VEC_DONE);
    EQ(apic_idle(), 1);
    notify();
    EQ(run(user(s_nops)), VEC_DONE);
    EQ(taken(), 1);
}

TEST(eoi_nested, "the EOI ends UINV only, not a lower vector in service",
     "9.3")
{
    setup();
    apic_send(apic_id_of(0), 0x4000 | IRQ);
    EQ(run(user(s_spin)), IRQ);
    notify();
    EQ(run(user(s_nops)), VEC_DONE);
    EQ(taken(), 1);
    EQ(apic_isr(NV), 0);
    EQ(apic_isr(IRQ), 1);
}

TEST(other_vector, "another vector goes through the IDT as ever", "9.3")
{
    setup();
    upids[0].pir = 1;
    apic_send(apic_id_of(0), 0x4000 | (NV + 1));
    EQ(run(user(s_spin)), NV + 1);
    EQ(apic_isr(NV + 1), 1);
    EQ(upids[0].pir, 1);
}

static void any_uinv(void)
{
    for (int v = 0x20; v < 0xff; v += 0x0d) {
        test_case = v;
        setup();
        wrmsr(MSR_UINTR_MISC, MISC(v, 63));
        upids[0].pir = 1;
        set_rr(0);
        apic_send(apic_id_of(0), 0x4000 | v);
        EQ(run(user(s_nops)), VEC_DONE);
        EQ(rdmsr(MSR_UINTR_RR), 1);
        EQ(apic_idle(), 1);
    }
}

TEST(uinv_any, "UINV may be any vector", "9.3 17.5")
{
    any_uinv();
}

TEST(P11, "P11 UINV is not hard-coded to ECH", "9.3 17.5")
{
    setup();
    upids[0].pir = 1;
    apic_send(apic_id_of(0), 0x4000 | 0xec);
    EQ(run(user(s_spin)), 0xec);
    apic_eoi();
    EQ(upids[0].pir, 1);
    any_uinv();
}

SNIPPET(s_nops_ud2, "nop; nop; ud2");

TEST(no_trace, "nothing is pushed and no register or flag changes", "9.3")
{
    /* an exception ends it, on a stack of its own */
    struct ctx *c = with_if(kernel(s_nops_ud2));
    uint64_t *below = (uint64_t *)c->rsp - 8;
    uint64_t flags = c->rflags | FL_STATUS | FL_DF;

    setup();
    for (int i = 0; i < 8; i++) {
        below[i] = 0xa5a5a5a5a5a5a5a5;
    }
    c->rflags = flags;
    c->rbx = 0x1234;
    notify();
    EQ(run(c), EXC_UD);
    EQ(c->rflags & ~FL_RF, flags);
    EQ(c->rbx, 0x1234);
    EQ(c->rip, (uint64_t)s_nops_ud2 + 2);
    for (int i = 0; i < 8; i++) {
        EQ(below[i], 0xa5a5a5a5a5a5a5a5);
    }
    EQ(taken(), 1);
}

static uint64_t counted;

static void count_trap(struct ctx *c)
{
    counted++;
    apic_eoi();
}

TEST(no_idt, "the IDT entry of UINV is not used", "9.3")
{
    setup();
    counted = 0;
    trap_handler[NV] = count_trap;
    notify();
    EQ(run(user(s_nops)), VEC_DONE);
    EQ(counted, 0);
    EQ(taken(), 1);
}

TEST(timer, "a local timer interrupt with vector UINV counts", "9.4")
{
    struct ctx *c = user(s_spin);

    uintr_self();
    upids[0].pir = 1ull << 33;
    apic_timer_oneshot(NV, 1000);
    EQ(run(c), VEC_HANDLER);
    EQ(uframe_at(c)->vector, 33);
    EQ(apic_idle(), 1);
}

TEST(self_ipi, "an IPI with the self shorthand counts", "9.4")
{
    setup();
    upids[0].pir = 1;
    apic_send(0, 0x44000 | NV);
    EQ(run(user(s_nops)), VEC_DONE);
    EQ(taken(), 1);
}

TEST(self_ipi_msr, "the x2APIC SELF IPI register counts", "9.4")
{
    if (!x2apic) {
        test_skip("xAPIC mode");
        return;
    }
    setup();
    upids[0].pir = 1;
    wrmsr(0x83f, NV);
    EQ(run(user(s_nops)), VEC_DONE);
    EQ(taken(), 1);
}

static void count_nmi(struct ctx *c)
{
    counted++;
}

TEST(nmi, "an NMI whose vector field is UINV is an NMI", "9.4")
{
    setup();
    counted = 0;
    trap_handler[EXC_NMI] = count_nmi;
    upids[0].pir = 1;
    apic_send(apic_id_of(0), 0x4400 | NV);
    while (!*(volatile uint64_t *)&counted) {
        pause();
    }
    EQ(run(user(s_nops)), VEC_DONE);
    EQ(upids[0].pir, 1);
    EQ(counted, 1);
}

SNIPPET(s_int_nv, "int $0xe0");

TEST(int_n, "INT n with n = UINV is an ordinary software interrupt",
     "9.4 15.6")
{
    struct ctx *c = user(s_int_nv);

    setup();
    upids[0].pir = 1;
    EQ(run(c), NV);
    EQ(c->rip, USER(s_int_nv) + 2);
    EQ(upids[0].pir, 1);
}

SNIPPET(s_gp, "hlt");

TEST(exception, "an exception whose vector is UINV is an exception", "9.4")
{
    struct ctx *c = user(s_gp);

    setup();
    wrmsr(MSR_UINTR_MISC, MISC(EXC_GP, 63));
    upids[0].pir = 1;
    EQ(run(c), EXC_GP);
    EQ(c->rip, USER(s_gp));
    EQ(upids[0].pir, 1);
}

TEST(uinv_zero, "after UINV=0 the old vector goes through the IDT",
     "9.5 9.10")
{
    setup();
    wrmsr(MSR_UINTR_MISC, MISC(0, 63));
    notify();
    EQ(run(user(s_spin)), NV);
    EQ(apic_isr(NV), 1);
    EQ(upids[0].pir, 1);
    EQ(upids[0].control & UPID_ON, UPID_ON);
}

static void pic_vector_base(uint8_t base)
{
    outb(0x20, 0x11);
    outb(0x21, base);
    outb(0x21, 4);
    outb(0x21, 1);
    outb(0x21, 0xfe);               /* only IRQ 0, the PIT */
}

TEST(extint_zero, "an 8259 vector 0 does not match UINV=0", "9.5")
{
    setup();
    wrmsr(MSR_UINTR_MISC, MISC(0, 63));
    upids[0].pir = 1;
    outb(0x43, 0x30);               /* PIT: one interrupt, low then high */
    pic_vector_base(0);
    apic_write(0x350, 0x700);       /* LINT0 = ExtINT */
    outb(0x40, 0xff);
    outb(0x40, 0);
    EQ(run(user(s_spin)), 0);
    apic_write(0x350, 0x10000);
    outb(0x20, 0x20);
    outb(0x21, 0xff);
    EQ(upids[0].pir, 1);
}

TEST(cr4_clear, "with CR4.UINTR=0 software must EOI vector UINV", "9.9")
{
    setup();
    notify();
    write_cr4(read_cr4() & ~CR4_UINTR);
    EQ(run(user(s_spin)), NV);
    EQ(apic_isr(NV), 1);
    apic_eoi();
    EQ(apic_idle(), 1);
    EQ(upids[0].pir, 1);
}

TEST(after_xsaves, "a notification after XSAVES is an ordinary interrupt",
     "9.10 13.10")
{
    setup();
    wrmsr(MSR_XSS, XMASK_UINTR);
    notify();
    xsaves(&xareas[0], XMASK_UINTR);
    EQ(run(user(s_spin)), NV);
    EQ(apic_isr(NV), 1);
    apic_eoi();
    EQ(upids[0].pir, 1);
}
