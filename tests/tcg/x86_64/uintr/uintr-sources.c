/*
 * Notifications from devices (spec 9.3, 9.4): I/O APIC, level-triggered
 * lines, MSI
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

/* The first serial port, ISA interrupt 4; THR empty is its interrupt */
#define UART 0x3f8
#define PIN 4
#define RED_LOW (0x10 + 2 * PIN)
#define RED_HIGH (RED_LOW + 1)
#define RED_MASKED 0x10000
#define RED_LEVEL 0x8000
#define RED_REMOTE_IRR 0x4000

static void line(bool raise)
{
    outb(UART + 4, 8);
    outb(UART + 1, raise ? 2 : 0);
}

static void route(uint32_t low)
{
    line(false);
    ioapic_write(RED_LOW, RED_MASKED);
    ioapic_write(RED_HIGH, apic_id_of(0) << 24);
    ioapic_write(RED_LOW, low);
}

static void setup(void)
{
    uintr_self();
    clui();
    upids[0].control |= UPID_ON;
    upids[0].pir = 1ull << 35;
}

static void taken(void)
{
    EQ(rdmsr(MSR_UINTR_RR), 1ull << 35);
    EQ(upids[0].pir, 0);
    EQ(upids[0].control & UPID_ON, 0);
    EQ(apic_idle(), 1);
}

TEST(edge, "an edge-triggered I/O APIC interrupt with vector UINV counts",
     "9.4")
{
    setup();
    route(NV);
    line(true);
    EQ(apic_irr(NV), 1);
    line(false);
    EQ(run(user(s_nops)), VEC_DONE);
    route(RED_MASKED);
    taken();
}

TEST(level, "a level-triggered one counts as well", "9.4")
{
    setup();
    route(NV | RED_LEVEL);
    line(true);
    EQ(apic_irr(NV), 1);
    line(false);
    EQ(run(user(s_nops)), VEC_DONE);
    taken();
    route(RED_MASKED);
}

TEST(broadcast, "its EOI is broadcast: the I/O APIC's remote IRR is cleared",
     "9.3 17.5")
{
    setup();
    route(NV | RED_LEVEL);
    line(true);
    EQ(ioapic_read(RED_LOW) & RED_REMOTE_IRR, RED_REMOTE_IRR);
    line(false);
    EQ(run(user(s_nops)), VEC_DONE);
    EQ(ioapic_read(RED_LOW) & RED_REMOTE_IRR, 0);
    route(RED_MASKED);
}

TEST(again, "the line can interrupt again after that", "9.3 17.5")
{
    setup();
    route(NV | RED_LEVEL);
    for (int i = 0; i < 3; i++) {
        test_case = i;
        set_rr(0);
        upids[0].pir = 1ull << 35;
        line(true);
        EQ(apic_irr(NV), 1);
        line(false);
        EQ(run(user(s_nops)), VEC_DONE);
        taken();
    }
    route(RED_MASKED);
}

TEST(level_ordinary, "a level-triggered ordinary vector waits for its EOI",
     "9.3 9.9")
{
    setup();
    route(IRQ | RED_LEVEL);
    line(true);
    EQ(run(user(s_spin)), IRQ);
    line(false);
    EQ(ioapic_read(RED_LOW) & RED_REMOTE_IRR, RED_REMOTE_IRR);
    apic_eoi();
    EQ(ioapic_read(RED_LOW) & RED_REMOTE_IRR, 0);
    EQ(upids[0].pir, 1ull << 35);
    route(RED_MASKED);
}

#define HPET(reg) (*(volatile uint64_t *)(0xfed00000 + (reg)))

TEST(msi, "an MSI with vector UINV counts", "9.4")
{
    struct ctx *c = user(s_spin);

    if (!(HPET(0x100) >> 15 & 1)) {
        test_skip("the HPET has no MSI (-global hpet.msi=on)");
        return;
    }
    setup();
    stui();
    HPET(0x10) = 0;
    HPET(0xf0) = 0;
    HPET(0x110) = (0xfee00000ull | apic_id_of(0) << 12) << 32 | NV;
    HPET(0x100) = 1 << 14 | 1 << 2;         /* FSB, enabled */
    HPET(0x108) = 1000;
    HPET(0x10) = 1;
    EQ(run(c), VEC_HANDLER);
    HPET(0x100) = 0;
    HPET(0x10) = 0;
    EQ(uframe_at(c)->vector, 35);
    EQ(apic_idle(), 1);
}

TEST(timer_periodic, "a periodic local timer with vector UINV keeps counting",
     "9.4 9.3")
{
    uintr_self();
    wrmsr(MSR_UINTR_HANDLER, USER(uh_exit));
    apic_write(0x3e0, 0xb);
    apic_write(0x320, NV | 0x20000);
    apic_write(0x380, 100000);
    for (int i = 0; i < 5; i++) {
        test_case = i;
        upids[0].pir = 1ull << i;
        EQ(run(user(s_spin)), VEC_HANDLER);
        EQ(uframe_at(&this_cpu()->ctx)->vector, i);
        stui();
    }
    apic_write(0x320, 0x10000);
    apic_write(0x380, 0);
}

/* Nothing of user interrupts: a guest must not stop QEMU by its timers. */
TEST(apic_timer_short, "a period of one tick of the APIC timer does not stop "
     "the machine", "")
{
    struct cpu *c = this_cpu();

    if (has_option("serial")) {
        test_skip("with icount it takes long, and is nothing else");
        return;
    }
    apic_write(0x3e0, 0xb);             /* divide by 1 */
    apic_write(0x320, 0x20000 | IRQ);   /* periodic */
    apic_write(0x380, 1);
    while (c->irqs[IRQ] < 10) {
        irq_window();
    }
    apic_write(0x320, 0x10000);
}

TEST(hpet_late, "a comparator of the HPET far behind the counter does not stop "
     "the machine", "")
{
    HPET(0x10) = 0;
    HPET(0xf0) = 1ull << 58;            /* counter */
    HPET(0x100) = 0x4c;                 /* timer 0: on, periodic, set */
    HPET(0x108) = 1;                    /* comparator and period */
    HPET(0x10) = 1;
    while (HPET(0x108) < 1ull << 58) {
        pause();
    }
    HPET(0x10) = 0;
    HPET(0x100) = 0;
}

/* A fast host keeps up with it: this is for one with sanitizers */
TEST(pit_short, "a period of one tick of the PIT does not stop the machine", "")
{
    outb(0x43, 0x34);                   /* channel 0, mode 2 */
    outb(0x40, 1);
    outb(0x40, 0);
    for (int i = 0; i < 1000; i++) {
        outb(0x43, 0);                  /* latch and read the count */
        EQ(inb(0x40), 1);
        EQ(inb(0x40), 0);
    }
    outb(0x43, 0x30);                   /* mode 0: none any more */
}
