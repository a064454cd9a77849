/*
 * Local APIC in xAPIC or x2APIC mode, I/O APIC
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

#define APIC ((volatile uint8_t *)0xfee00000)
#define IOAPIC ((volatile uint8_t *)0xfec00000)

bool x2apic;

/* A test may put one CPU into the other mode */
static bool msr_mode(void)
{
    return rdmsr(MSR_APIC_BASE) & 0x400;
}

void apic_init(void)
{
    x2apic = has_option("x2apic");
    if (x2apic) {
        wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 0xc00);
    }
    apic_write(0xf0, 0x1ff);            /* enabled, spurious vector 255 */
    apic_write(0x360, 0x400);           /* LINT1 = NMI, for the runner */
    apic_write(0x350, 0x10000);         /* LINT0 (8259) masked */
    apic_write(0x320, 0x10000);         /* timer masked */
    /* Last: QEMU then forgets a tick of the 8254 that came before. */
    apic_write(0x80, 0);                /* TPR */
}

uint32_t apic_read(uint32_t reg)
{
    return msr_mode() ? rdmsr(MSR_X2APIC + reg / 16)
                      : *(volatile uint32_t *)(APIC + reg);
}

void apic_write(uint32_t reg, uint32_t value)
{
    if (msr_mode()) {
        wrmsr(MSR_X2APIC + reg / 16, value);
    } else {
        *(volatile uint32_t *)(APIC + reg) = value;
    }
}

/* Destination in bits 63:32 as each mode keeps it */
uint64_t apic_icr(void)
{
    return msr_mode() ? rdmsr(MSR_X2APIC + 0x30)
                      : apic_read(0x300) | (uint64_t)apic_read(0x310) << 32;
}

void apic_send(uint32_t dest, uint32_t low)
{
    if (msr_mode()) {
        wrmsr(MSR_X2APIC + 0x30, low | (uint64_t)dest << 32);
    } else {
        apic_write(0x310, dest << 24);
        apic_write(0x300, low);
    }
}

void apic_eoi(void)
{
    apic_write(0xb0, 0);
}

static bool apic_bit(uint32_t base, uint8_t v)
{
    return apic_read(base + v / 32 * 16) >> (v % 32) & 1;
}

bool apic_irr(uint8_t v)
{
    return apic_bit(0x200, v);
}

bool apic_isr(uint8_t v)
{
    return apic_bit(0x100, v);
}

bool apic_idle(void)
{
    uint32_t bits = 0;

    for (unsigned i = 0; i < 8; i++) {
        bits |= apic_read(0x100 + i * 16) | apic_read(0x200 + i * 16);
    }
    return !bits;
}

uint32_t apic_id_of(unsigned cpu)
{
    return cpu;
}

/* spec 4.3 */
uint32_t ndst(unsigned cpu)
{
    return x2apic ? apic_id_of(cpu) : apic_id_of(cpu) << 8;
}

void apic_timer_oneshot(uint8_t vector, uint32_t ticks)
{
    apic_write(0x3e0, 0xb);             /* divide by 1 */
    apic_write(0x320, vector);
    apic_write(0x380, ticks);
}

void ioapic_write(uint32_t reg, uint32_t value)
{
    *(volatile uint32_t *)IOAPIC = reg;
    *(volatile uint32_t *)(IOAPIC + 0x10) = value;
}

uint32_t ioapic_read(uint32_t reg)
{
    *(volatile uint32_t *)IOAPIC = reg;
    return *(volatile uint32_t *)(IOAPIC + 0x10);
}
