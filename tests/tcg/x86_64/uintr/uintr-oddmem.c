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

/*
 * A page table in the HPET, the only registers that keep 64 bits of which all
 * have no effect: the entry for odd_page() is in the route of its timer 0.
 * Accessed and dirty bits are set there while all other CPUs stand still.
 */
#define HPET_ROUTE  0x110

extern uint64_t pml4[];

static void set_odd_pte(uint64_t value)
{
    volatile uint32_t *route = (volatile uint32_t *)(PA_HPET + HPET_ROUTE);

    route[0] = value;
    route[1] = 0;
}

static uint8_t *odd_page(void *page)
{
    uint64_t *pdpt = (uint64_t *)(pml4[0] & ~0xfffull);
    uint64_t *pd = (uint64_t *)(pdpt[WINDOW >> 30] & ~0xfffull);
    uint8_t *va = (uint8_t *)(WINDOW + WINDOW_PAGES * 4096 +
                              HPET_ROUTE / 8 * 4096);

    pd[WINDOW_PAGES / 512] = PA_HPET | PTE_P | PTE_W;
    set_odd_pte((uint64_t)page | PTE_P | PTE_W);
    asm volatile("invlpg (%0)" : : "r"(va) : "memory");
    return va;
}

static volatile unsigned interrupts;

static void interrupt_on_odd_stack(struct ctx *c)
{
    odd_page(spare_pages[0]);
    interrupts++;
    apic_eoi();
}

static void spin_on_odd_stack(void *unused)
{
    struct cpu *cpu = this_cpu();
    uint64_t rsp = cpu->tss.rsp[0];

    cpu->tss.rsp[0] = (uint64_t)odd_page(spare_pages[0]) + 4096;
    run(user(s_spin));
    cpu->tss.rsp[0] = rsp;
}

TEST_SMP(stack_table_hpet, 2, "an interrupt whose stack has its page table in "
         "device registers does not stop the machine", "")
{
    interrupts = 0;
    trap_handler[IRQ] = interrupt_on_odd_stack;
    start_on(1, spin_on_odd_stack, NULL);
    for (unsigned i = 1; i <= 300; i++) {
        while (interrupts < i) {
            apic_send(apic_id_of(1), 0x4000 | IRQ);
        }
    }
    uareas[1].flag = 1;
    wait_cpu(1);
}

/* 1 GiB at 1 << 39: the first 2 MiB again and again */
static uint64_t repeated_memory(void)
{
    static uint64_t pdpt[512] __attribute__((aligned(4096)));
    static uint64_t pd[512] __attribute__((aligned(4096)));

    for (unsigned i = 0; i < 512; i++) {
        pd[i] = PTE_P | 0x80;
    }
    pdpt[0] = (uint64_t)pd | PTE_P;
    pml4[1] = (uint64_t)pdpt | PTE_P;
    return 1ull << 39;
}

/*
 * The loads, 16 MiB apart, take the place in the TLB that the page of the code
 * had. It is one block of code, so the CPU does not look there again before
 * SENDUIPI has stopped all others.
 */
extern const char s_leave_tlb[], s_leave_tlb_end[];
SNIPPET(s_leave_tlb, "mov %ecx, (%rsi);"
        ".rept 24; mov (%rdi), %edx; add $0x1000000, %rdi; .endr;"
        "senduipi %rax; int $0x20; s_leave_tlb_end:");

TEST(code_table_hpet, "SENDUIPI to device registers from a page whose page "
     "table is in device registers does not stop the machine", "7.5")
{
    struct ctx *c = kernel(s_done);

    uintr_self();
    clui();
    map(0, PA_HPET, PTE_W);
    uitt[1].upid = WINDOW + 0x40;
    memcpy(spare_pages[0], s_leave_tlb, s_leave_tlb_end - s_leave_tlb);
    c->rip = (uint64_t)odd_page(spare_pages[0]);
    c->rax = 1;
    c->rcx = (uint64_t)spare_pages[0] | PTE_P | PTE_W;
    c->rsi = PA_HPET + HPET_ROUTE;
    c->rdi = repeated_memory() + (c->rip & 0xfff000);
    EQ(sane(run(c)), 1);
    still_alive();
}
