/*
 * UITT and UPID where no operating system puts them: device registers, ROM
 * and nothing. What the CPU does is not specified, but the instruction must
 * end, with or without a fault, and the machine must go on (spec 7.3, 7.5,
 * 10.4).
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

#define PA_APIC     0xfee00000
#define PA_IOAPIC   0xfec00000
#define PA_HPET     0xfed00000
#define PA_ROM      0xfffff000      /* the firmware's last page */
#define PA_NOTHING  0xd0000000

static bool sane(uint64_t vector)
{
    return vector == VEC_DONE || vector == EXC_GP || vector == EXC_PF;
}

static uint64_t send(uint64_t index)
{
    struct ctx *c = user(s_senduipi);

    c->rax = index;
    return run(c);
}

static void still_alive(void)
{
    uintr_self();
    set_rr(0);
    clui();
    EQ(send(5), VEC_DONE);
    EQ(rdmsr(MSR_UINTR_RR), 1 << 5);
}

static void uitt_at(uint64_t pa)
{
    uintr_self();
    clui();
    map(0, pa, PTE_W);
    wrmsr(MSR_UINTR_TT, WINDOW | TT_ENABLE);
    for (int i = 0; i < 64; i += 9) {
        test_case = i;
        EQ(sane(send(i)), 1);
    }
    still_alive();
}

static void upid_at(uint64_t pa, uint64_t offset)
{
    uintr_self();
    clui();
    map(0, pa, PTE_W);
    uitt[1].upid = WINDOW + offset;
    EQ(sane(send(1)), 1);
    still_alive();
}

static void processing_at(uint64_t pa, uint64_t offset)
{
    uint64_t v;

    uintr_self();
    clui();
    map(0, pa, PTE_W);
    wrmsr(MSR_UINTR_PD, WINDOW + offset);
    apic_send(apic_id_of(0), 0x4000 | NV);
    v = run(user(s_nops));
    EQ(sane(v), 1);
    still_alive();
}

TEST(uitt_hpet, "a UITT in device registers does not stop the machine",
     "7.3")
{
    uitt_at(PA_HPET);
}

TEST(uitt_ioapic, "a UITT in the I/O APIC does not stop the machine", "7.3")
{
    uitt_at(PA_IOAPIC);
}

TEST(uitt_rom, "a UITT in ROM does not stop the machine", "7.3")
{
    uitt_at(PA_ROM);
}

TEST(uitt_nothing, "a UITT in no memory does not stop the machine", "7.3")
{
    uitt_at(PA_NOTHING);
}

TEST(upid_hpet, "a UPID in device registers does not stop the machine",
     "7.5")
{
    upid_at(PA_HPET, 0x40);
}

TEST(upid_apic, "a UPID in the APIC page does not stop the machine", "7.5")
{
    upid_at(PA_APIC, 0x3c0);
}

TEST(upid_rom, "a UPID in ROM does not stop the machine", "7.5")
{
    upid_at(PA_ROM, 0);
}

TEST(upid_nothing, "a UPID in no memory does not stop the machine", "7.5")
{
    upid_at(PA_NOTHING, 0);
}

TEST(processing_hpet,
     "notification processing in device registers does not stop the machine",
     "10.1")
{
    processing_at(PA_HPET, 0x40);
}

TEST(processing_rom,
     "notification processing in ROM does not stop the machine", "10.1")
{
    processing_at(PA_ROM, 0);
}

TEST(processing_nothing,
     "notification processing in no memory does not stop the machine",
     "10.1")
{
    processing_at(PA_NOTHING, 0);
}

TEST(rom_unchanged, "SENDUIPI cannot change ROM", "7.5")
{
    uint64_t before[2], *rom;

    rom = map(0, PA_ROM, PTE_W);
    before[0] = rom[0];
    before[1] = rom[1];
    uintr_self();
    clui();
    uitt[1].upid = WINDOW;
    EQ(sane(send(1)), 1);
    EQ(rom[0], before[0]);
    EQ(rom[1], before[1]);
}

TEST(stack_mmio, "delivery to a stack in no memory does not stop the machine",
     "12.7")
{
    uintr_self();
    map(0, PA_NOTHING, PTE_W | PTE_U);
    wrmsr(MSR_UINTR_STACKADJUST, (WINDOW + 0x800) | 1);
    set_rr(1);
    EQ(run(user(s_nops)), VEC_HANDLER);
    still_alive();
}
