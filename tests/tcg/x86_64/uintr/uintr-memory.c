/*
 * SENDUIPI's accesses to UITT and UPID (spec 7.3, 7.5, 7.10 to 7.12)
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

#define MSR_PKRS 0x6e1

/* Window pages 0 (UITT) and 1 (UPID) */
static uint64_t window_uitt(uint64_t flags)
{
    uint64_t va = (uint64_t)map(0, (uint64_t)uitt, flags);

    wrmsr(MSR_UINTR_TT, va | TT_ENABLE);
    return va;
}

static uint64_t window_upid(uint64_t flags)
{
    uint64_t va = (uint64_t)map(1, (uint64_t)upids, flags);

    for (int i = 0; i < 64; i++) {
        uitt[i].upid = va;
    }
    return va;
}

static void setup(void)
{
    uintr_self();
    clui();
}

static struct ctx *sender(uint64_t index)
{
    struct ctx *c = user(s_senduipi);

    c->rax = index;
    return c;
}

static uint64_t send(uint64_t index)
{
    return run(sender(index));
}

static void send_faults(struct ctx *c, uint64_t error, uint64_t cr2)
{
    EQ(run(c), EXC_PF);
    EQ(c->error, error);
    EQ(c->cr2, cr2);
    EQ(c->rip, USER(s_senduipi));
    EQ(upids[0].pir, 0);
    EQ(upids[0].control & UPID_ON, 0);
    EQ(rdmsr(MSR_UINTR_RR), 0);
}

TEST(uitt_absent, "an absent UITT page is #PF with U/S=0 and W/R=0",
     "7.3 7.10")
{
    uint64_t va;

    setup();
    va = window_uitt(PTE_W);
    unmap(0);
    send_faults(sender(5), 0, va + 5 * 16);
}

TEST(P6, "P6 an unmapped UITT or UPID raises #PF", "7.3 7.5")
{
    uint64_t va;

    setup();
    va = window_upid(PTE_W);
    unmap(1);
    send_faults(sender(5), PF_W, va);
    va = window_uitt(PTE_W);
    unmap(0);
    send_faults(sender(5), 0, va + 5 * 16);
}

TEST(uitt_noncanonical, "a UITT entry beyond canonical is #GP(0)", "7.3")
{
    setup();
    wrmsr(MSR_UINTR_TT, (first_noncanonical() - 64) | TT_ENABLE);
    EQ(send(4), EXC_GP);
    EQ(this_cpu()->ctx.error, 0);
}

TEST(uitt_msr_legal, "a UITTADDR legal for WRMSR alone is #GP(0) in use",
     "3.4 7.3")
{
    if (first_noncanonical() >> (linear_bits() - 1)) {
        test_skip("paging uses all the address bits of the CPU");
        return;
    }
    setup();
    EQ(try_wrmsr(MSR_UINTR_TT, first_noncanonical() | TT_ENABLE), VEC_DONE);
    EQ(send(0), EXC_GP);
    EQ(this_cpu()->ctx.error, 0);
}

TEST(upid_absent, "an absent UPID page is #PF with U/S=0 and W/R=1",
     "7.5 7.10 17.12")
{
    uint64_t va;

    setup();
    va = window_upid(PTE_W);
    unmap(1);
    send_faults(sender(5), PF_W, va);
}

TEST(upid_read_only, "a read-only UPID page is #PF with P=1 and W/R=1",
     "7.10")
{
    uint64_t va;

    setup();
    va = window_upid(0);
    send_faults(sender(5), PF_P | PF_W, va);
}

TEST(upid_wp0, "with CR0.WP=0 a read-only UPID page is written", "7.10")
{
    setup();
    window_upid(0);
    write_cr0(read_cr0() & ~CR0_WP);
    EQ(send(5), VEC_DONE);
    write_cr0(read_cr0() | CR0_WP);
    EQ(rdmsr(MSR_UINTR_RR), 1 << 5);
}

TEST(upid_noncanonical, "a UPID beyond canonical is #GP(0)", "7.5")
{
    setup();
    uitt[5].upid = first_noncanonical();
    EQ(send(5), EXC_GP);
    EQ(this_cpu()->ctx.error, 0);
    uitt[5].upid = 0x8000000000000000;
    EQ(send(5), EXC_GP);
}

TEST(uitt_read_only, "a read-only UITT page is enough", "7.3 7.10")
{
    setup();
    window_uitt(0);
    EQ(send(5), VEC_DONE);
    EQ(rdmsr(MSR_UINTR_RR), 1 << 5);
}

TEST(restart, "after a page fault SENDUIPI restarts and completes", "7.5")
{
    struct ctx *c;

    setup();
    window_uitt(0);
    window_upid(PTE_W);
    unmap(0);
    unmap(1);
    c = sender(5);
    EQ(run(c), EXC_PF);
    map(0, (uint64_t)uitt, 0);
    EQ(run(c), EXC_PF);
    map(1, (uint64_t)upids, PTE_W);
    EQ(run(c), VEC_DONE);
    EQ(rdmsr(MSR_UINTR_RR), 1 << 5);
}

TEST(supervisor, "at CPL 3 supervisor pages are reached", "7.10")
{
    setup();
    EQ(send(5), VEC_DONE);
    EQ(rdmsr(MSR_UINTR_RR), 1 << 5);
}

TEST(user_pages, "without SMAP user pages do as well", "7.10")
{
    setup();
    window_uitt(PTE_U);
    window_upid(PTE_U | PTE_W);
    EQ(send(5), VEC_DONE);
    EQ(rdmsr(MSR_UINTR_RR), 1 << 5);
}

static void smap_faults(uint64_t rflags)
{
    struct ctx *c;
    uint64_t va;

    setup();
    write_cr4(read_cr4() | CR4_SMAP);
    va = window_upid(PTE_U | PTE_W);
    c = sender(5);
    c->rflags |= rflags;
    send_faults(c, PF_P | PF_W, va);
    va = window_uitt(PTE_U);
    c = sender(5);
    c->rflags |= rflags;
    send_faults(c, PF_P, va + 5 * 16);
}

TEST(smap, "with SMAP a user page is #PF", "7.10")
{
    smap_faults(0);
}

TEST(smap_ac, "at CPL 3 RFLAGS.AC does not excuse SMAP", "7.10 17.11")
{
    smap_faults(FL_AC);
}

TEST(smap_supervisor, "with SMAP supervisor pages are still reached", "7.10")
{
    setup();
    write_cr4(read_cr4() | CR4_SMAP);
    EQ(send(5), VEC_DONE);
    EQ(rdmsr(MSR_UINTR_RR), 1 << 5);
}

static void wrpkru(uint32_t v)
{
    asm volatile(".byte 0x0f, 0x01, 0xef" : : "a"(v), "c"(0), "d"(0));
}

TEST(pkru, "PKRU is irrelevant for supervisor pages", "7.10")
{
    if (!(cpuid(7, 0).ecx >> 3 & 1)) {
        test_skip("this CPU has no protection keys");
        return;
    }
    setup();
    window_uitt(PTE_PKEY(3));
    window_upid(PTE_W | PTE_PKEY(3));
    write_cr4(read_cr4() | CR4_PKE);
    wrpkru(3 << 6);
    EQ(send(5), VEC_DONE);
    wrpkru(0);
    EQ(rdmsr(MSR_UINTR_RR), 1 << 5);
}

TEST(pks, "supervisor protection keys apply", "7.10")
{
    struct ctx *c;

    if (!(cpuid(7, 0).ecx >> 31 & 1)) {
        test_skip("this CPU has no supervisor protection keys");
        return;
    }
    setup();
    window_upid(PTE_W | PTE_PKEY(3));
    write_cr4(read_cr4() | CR4_PKS);
    wrmsr(MSR_PKRS, 2 << 6);        /* key 3: no writes */
    c = sender(5);
    EQ(run(c), EXC_PF);
    EQ(c->error, PF_P | PF_W | PF_PK);
    wrmsr(MSR_PKRS, 0);
    write_cr4(read_cr4() & ~CR4_PKS);
    EQ(upids[0].pir, 0);
}

TEST(accessed, "UITT page: Accessed; UPID page: Accessed and Dirty", "7.10")
{
    setup();
    window_uitt(PTE_W);
    window_upid(PTE_W);
    EQ(send(5), VEC_DONE);
    EQ(pte(0) & (PTE_A | PTE_D), PTE_A);
    EQ(pte(1) & (PTE_A | PTE_D), PTE_A | PTE_D);
}

TEST(no_ac, "alignment checking does not concern SENDUIPI", "7.10")
{
    struct ctx *c;

    setup();
    write_cr0(read_cr0() | CR0_AM);
    c = sender(5);
    c->rflags |= FL_AC;
    EQ(run(c), VEC_DONE);
    write_cr0(read_cr0() & ~CR0_AM);
    EQ(rdmsr(MSR_UINTR_RR), 1 << 5);
}

TEST(order_index, "a bad index is #GP before the UITT is read", "7.1 7.2")
{
    setup();
    window_uitt(0);
    unmap(0);
    EQ(send(64), EXC_GP);
}

TEST(order_entry, "a bad UITT entry is #GP before the UPID is read",
     "7.1 7.4")
{
    setup();
    window_upid(PTE_W);
    unmap(1);
    uitt[5].lo = 0;
    EQ(send(5), EXC_GP);
}

TEST(order_disabled, "TT[0]=0 is #UD before the UITT is read", "7.1 5.3")
{
    setup();
    window_uitt(0);
    unmap(0);
    wrmsr(MSR_UINTR_TT, WINDOW);
    EQ(send(5), EXC_UD);
}

/* Two window pages whose physical pages are not neighbours */
static void two_pages(void)
{
    struct uitte *second = (struct uitte *)spare_pages[6];

    setup();
    map(0, (uint64_t)spare_pages[2], PTE_W);
    map(1, (uint64_t)second, PTE_W);
    memset(spare_pages[3], 0, 4096);    /* physically after page 0 */
    second[44].lo = UITTE(17);
    second[44].upid = (uint64_t)upids;
    wrmsr(MSR_UINTR_MISC, MISC(NV, 511));
    wrmsr(MSR_UINTR_TT, WINDOW | TT_ENABLE);
    EQ(send(256 + 44), VEC_DONE);
    EQ(rdmsr(MSR_UINTR_RR), 1 << 17);
}

TEST(page_crossing, "a UITT of two pages is translated page by page",
     "7.3 17.13")
{
    two_pages();
}

TEST(P9, "P9 the UITT is not translated once for all its pages", "7.3 17.13")
{
    two_pages();
}

TEST(second_page_absent, "the second page of a UITT may be absent alone",
     "7.3 17.13")
{
    setup();
    map(0, (uint64_t)uitt, 0);
    wrmsr(MSR_UINTR_MISC, MISC(NV, 511));
    wrmsr(MSR_UINTR_TT, WINDOW | TT_ENABLE);
    EQ(send(5), VEC_DONE);
    EQ(rdmsr(MSR_UINTR_RR), 1 << 5);
    set_rr(0);
    send_faults(sender(256 + 44), 0, WINDOW + (256 + 44) * 16);
}

/*
 * A second set of page tables in which the window shows other pages. Only
 * the top levels are copied: spare_pages 0 to 3 are PML4, PDPT, PD and PT.
 */
extern uint64_t pml4[512], pml5[512];

static uint64_t other_tables(void)
{
    uint64_t *table[4];
    uint64_t *old = pml4;

    for (int i = 0; i < 4; i++) {
        table[i] = (uint64_t *)spare_pages[i];
    }
    memcpy(table[0], old, 4096);
    old = (uint64_t *)(old[0] & ~0xfffull);
    memcpy(table[1], old, 4096);
    table[0][0] = (uint64_t)table[1] | 7;
    table[1][2] = (uint64_t)table[2] | 7;
    table[2][0] = (uint64_t)table[3] | 7;
    return (uint64_t)table[0];
}

TEST(live_cr3, "UITT and UPID are found through the live CR3", "7.11")
{
    uint64_t *pt = (uint64_t *)spare_pages[3];
    uint64_t old = read_cr3();
    struct upid *other = (struct upid *)spare_pages[5];
    struct ctx *c;

    if (read_cr4() & CR4_LA57) {
        test_skip("written for four levels");
        return;
    }
    setup();
    upids[0].control |= UPID_SN;
    window_upid(PTE_W);
    other->control = UPID_SN;
    other_tables();
    pt[1] = (uint64_t)other | PTE_P | PTE_W;
    write_cr3((uint64_t)spare_pages[0]);
    c = sender(5);
    EQ(run(c), VEC_DONE);
    pt[1] = 0;
    write_cr3((uint64_t)spare_pages[0]);
    c = sender(6);
    EQ(run(c), EXC_PF);
    write_cr3(old);
    EQ(other->pir, 1 << 5);
    EQ(upids[0].pir, 0);
}

TEST(either_fault, "a reserved bit in a read-only UPID faults either way",
     "7.12")
{
    uint64_t v;

    setup();
    window_upid(0);
    upids[0].control |= 4;
    v = send(5);
    EQ(v == EXC_GP || v == EXC_PF, 1);
    EQ(upids[0].pir, 0);
}
