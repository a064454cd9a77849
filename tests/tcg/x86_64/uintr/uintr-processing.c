/*
 * Notification processing (spec section 10) and recognition (section 11)
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

/* A notification that the next context with IF=1 takes first of all */
static void notify(void)
{
    apic_send(apic_id_of(0), 0x4000 | NV);
}

static void setup(void)
{
    uintr_self();
    clui();
}

TEST(clears_on, "processing clears ON", "10.1")
{
    setup();
    upids[0].control |= UPID_ON;
    notify();
    EQ(run(user(s_nops)), VEC_DONE);
    EQ(upids[0].control, UPID_NV(NV) | UPID_NDST(ndst(0)));
}

TEST(keeps_other, "processing keeps SN, NV, NDST and reserved bits",
     "10.1 4.2")
{
    setup();
    upids[0].control = ~0ull;
    notify();
    EQ(run(user(s_nops)), VEC_DONE);
    EQ(upids[0].control, ~UPID_ON);
}

TEST(moves_pir, "processing moves PIR into UIRR", "10.1")
{
    setup();
    upids[0].pir = 0x8000000100000001;
    notify();
    EQ(run(user(s_nops)), VEC_DONE);
    EQ(upids[0].pir, 0);
    EQ(rdmsr(MSR_UINTR_RR), 0x8000000100000001);
}

TEST(ors, "the old UIRR is kept: PIR is ORed in", "10.1 17.4")
{
    setup();
    set_rr(0x4000000000000002);
    upids[0].pir = 0x8000000000000001;
    notify();
    EQ(run(user(s_nops)), VEC_DONE);
    EQ(rdmsr(MSR_UINTR_RR), 0xc000000000000003);
}

TEST(next_16_bytes, "processing touches 16 bytes of the UPID", "10.1 4.1")
{
    uint64_t *after = (uint64_t *)&upids[0] + 2;

    setup();
    for (int i = 0; i < 6; i++) {
        after[i] = ~0ull;
    }
    notify();
    EQ(run(user(s_nops)), VEC_DONE);
    for (int i = 0; i < 6; i++) {
        EQ(after[i], ~0ull);
    }
}

TEST(ignores_sn, "SN=1 does not stop processing", "10.2")
{
    setup();
    upids[0].control |= UPID_SN | UPID_ON;
    upids[0].pir = 4;
    notify();
    EQ(run(user(s_nops)), VEC_DONE);
    EQ(upids[0].control & 3, UPID_SN);
    EQ(rdmsr(MSR_UINTR_RR), 4);
}

TEST(empty_pir, "PIR=0 is normal and makes nothing pending", "10.2")
{
    uintr_self();
    upids[0].control |= UPID_ON;
    notify();
    EQ(run(user(s_nops)), VEC_DONE);
    EQ(rdmsr(MSR_UINTR_RR), 0);
    EQ(upids[0].control & UPID_ON, 0);
    EQ(testui(), 1);
    EQ(apic_idle(), 1);
}

TEST(recognised, "a posted vector is delivered after processing",
     "10.6 11.1 10.1")
{
    struct ctx *c = user(s_spin);

    uintr_self();
    upids[0].pir = 1ull << 50;
    notify();
    EQ(run(c), VEC_HANDLER);
    EQ(uframe_at(c)->vector, 50);
}

TEST(U3, "U3 UIF=0 or CPL 0 does not throw a notification away",
     "10.1 9.1")
{
    for (int cpl = 0; cpl < 4; cpl += 3) {
        struct ctx *c = ring(cpl, s_nops);

        test_case = cpl;
        setup();
        set_rr(0);
        if (cpl == 0) {
            stui();
        }
        upids[0].control |= UPID_ON;
        upids[0].pir = 1ull << 9;
        c->rflags |= FL_IF;
        notify();
        EQ(run(c), VEC_DONE);
        EQ(upids[0].control & UPID_ON, 0);
        EQ(upids[0].pir, 0);
        EQ(rdmsr(MSR_UINTR_RR), 1ull << 9);
    }
}

static uint64_t window_upid(uint64_t flags)
{
    uint64_t va = (uint64_t)map(0, (uint64_t)upids, flags);

    wrmsr(MSR_UINTR_PD, va);
    upids[0].pir = 1;
    upids[0].control |= UPID_ON;
    return va;
}

static void faults(struct ctx *c, uint64_t error, uint64_t cr2)
{
    uint64_t rip = c->rip, rsp = c->rsp;

    notify();
    EQ(run(c), EXC_PF);
    EQ(c->error, error);
    EQ(c->cr2, cr2);
    EQ(c->rip, rip);
    EQ(c->rsp, rsp);
    EQ(upids[0].pir, 1);
    EQ(rdmsr(MSR_UINTR_RR), 0);
}

TEST(absent, "an absent UPID is #PF, U/S=0, W/R=1, at the boundary",
     "10.4 10.3")
{
    uint64_t va;

    setup();
    va = window_upid(PTE_W);
    unmap(0);
    faults(user(s_nops), PF_W, va);
}

TEST(B7, "B7 #PF for an absent UPID says W/R=1", "10.4 7.10")
{
    struct ctx *c;
    uint64_t va;

    setup();
    va = window_upid(PTE_W);
    unmap(0);
    faults(user(s_nops), PF_W, va);
    uitt[1].upid = va;
    c = user(s_senduipi);
    c->rax = 1;
    EQ(run(c), EXC_PF);
    EQ(c->error, PF_W);
}

TEST(read_only, "a read-only UPID is #PF, P=1, W/R=1", "10.4 10.3")
{
    uint64_t va;

    setup();
    va = window_upid(0);
    faults(user(s_nops), PF_P | PF_W, va);
}

static struct ctx *kernel_if(const void *code)
{
    struct ctx *c = kernel(code);

    c->rflags |= FL_IF;
    return c;
}

TEST(absent_cpl0, "the same fault at CPL 0", "10.4")
{
    uint64_t va;

    setup();
    va = window_upid(PTE_W);
    unmap(0);
    faults(kernel_if(s_nops), PF_W, va);
}

TEST(noncanonical, "a UPIDADDR beyond canonical is #GP with EXT=1", "10.4")
{
    struct ctx *c = user(s_nops);

    if (first_noncanonical() >> (linear_bits() - 1)) {
        test_skip("paging uses all the address bits of the CPU");
        return;
    }
    setup();
    wrmsr(MSR_UINTR_PD, first_noncanonical());
    notify();
    EQ(run(c), EXC_GP);
    EQ(c->error, 1);
    EQ(c->rip, USER(s_nops));
    EQ(apic_idle(), 1);
}

TEST(fault_eoi, "after a fault acknowledgement and EOI stand", "10.5")
{
    setup();
    window_upid(PTE_W);
    unmap(0);
    notify();
    EQ(run(user(s_nops)), EXC_PF);
    EQ(apic_isr(NV), 0);
    EQ(apic_irr(NV), 0);
}

TEST(fault_no_retry, "after a fault the PIR waits for another notification",
     "10.5")
{
    struct ctx *c = user(s_nops);

    setup();
    window_upid(PTE_W);
    unmap(0);
    notify();
    EQ(run(c), EXC_PF);
    window_upid(PTE_W);
    EQ(run(c), VEC_DONE);
    EQ(upids[0].pir, 1);
    EQ(rdmsr(MSR_UINTR_RR), 0);
    notify();
    EQ(run(user(s_nops)), VEC_DONE);
    EQ(rdmsr(MSR_UINTR_RR), 1);
}

TEST(smap, "with SMAP a UPID in a user page is #PF", "10.3")
{
    uint64_t va;

    setup();
    write_cr4(read_cr4() | CR4_SMAP);
    va = window_upid(PTE_W | PTE_U);
    faults(user(s_nops), PF_P | PF_W, va);
}

static void smap_ac(void)
{
    struct ctx *c = user(s_nops);
    uint64_t va;

    setup();
    write_cr4(read_cr4() | CR4_SMAP);
    va = window_upid(PTE_W | PTE_U);
    c->rflags |= FL_AC;
    faults(c, PF_P | PF_W, va);
    c = kernel_if(s_nops);
    c->rflags |= FL_AC;
    faults(c, PF_P | PF_W, va);
}

TEST(smap_with_ac, "RFLAGS.AC excuses neither at CPL 3 nor at CPL 0",
     "10.3 17.11")
{
    smap_ac();
}

TEST(B6, "B6 RFLAGS.AC=1 does not let UPID accesses reach user pages",
     "10.3 17.11 7.10")
{
    struct ctx *c;

    smap_ac();
    setup();
    uitt[1].upid = WINDOW;
    upids[0].pir = 0;
    c = user(s_senduipi);
    c->rax = 1;
    c->rflags |= FL_AC;
    EQ(run(c), EXC_PF);
    EQ(c->error, PF_P | PF_W);
}

TEST(user_page, "without SMAP a UPID in a user page works", "10.3")
{
    setup();
    window_upid(PTE_W | PTE_U);
    notify();
    EQ(run(user(s_nops)), VEC_DONE);
    EQ(rdmsr(MSR_UINTR_RR), 1);
}

TEST(supervisor_page, "at CPL 3 a supervisor UPID is reached under SMAP",
     "10.3")
{
    setup();
    write_cr4(read_cr4() | CR4_SMAP);
    window_upid(PTE_W);
    notify();
    EQ(run(user(s_nops)), VEC_DONE);
    EQ(rdmsr(MSR_UINTR_RR), 1);
}

TEST(dirty, "processing sets Accessed and Dirty of the UPID page", "10.3")
{
    setup();
    window_upid(PTE_W);
    notify();
    EQ(run(user(s_nops)), VEC_DONE);
    EQ(pte(0) & (PTE_A | PTE_D), PTE_A | PTE_D);
}

/* Recognition (section 11) */

TEST(pending_is_uirr, "pending means UIRR != 0, whatever made it so",
     "11.2 11.1")
{
    struct ctx *c = user(s_nops);

    /* set with CR4.UINTR=0, UIF=0 and at CPL 0; deliverable later */
    uintr_self();
    clui();
    write_cr4(read_cr4() & ~CR4_UINTR);
    set_rr(1ull << 62);
    EQ(run(c), VEC_DONE);
    write_cr4(read_cr4() | CR4_UINTR);
    EQ(run(user(s_nops)), VEC_DONE);
    c = user(s_stui);
    EQ(run(c), VEC_HANDLER);
    EQ(uframe_at(c)->vector, 62);
}

TEST(B1, "B1 UIRR set while CR4.UINTR=0 is delivered after it is set",
     "2.3 17.6")
{
    uintr_self();
    write_cr4(read_cr4() & ~CR4_UINTR);
    set_rr(8);
    EQ(run(user(s_nops)), VEC_DONE);
    write_cr4(read_cr4() | CR4_UINTR);
    EQ(run(user(s_nops)), VEC_HANDLER);
}

TEST(xrstors_pends, "XRSTORS with UIRR != 0 makes it pending", "11.1")
{
    struct ctx *c = user(s_nops);

    uintr_self();
    wrmsr(MSR_XSS, XMASK_UINTR);
    set_rr(1ull << 7);
    xsaves(&xareas[0], XMASK_UINTR);
    set_rr(0);
    xrstors(&xareas[0], XMASK_UINTR);
    EQ(run(c), VEC_HANDLER);
    EQ(uframe_at(c)->vector, 7);
}

TEST(xrstors_init_clears, "XRSTORS in init form takes a pending one back",
     "11.1 13.8 17.7")
{
    uintr_self();
    wrmsr(MSR_XSS, XMASK_UINTR);
    wrmsr(MSR_UINTR_MISC, 0);
    set_rr(1ull << 7);
    memset(&xareas[0], 0, sizeof(xareas[0]));
    xareas[0].xcomp_bv = XCOMPACT | XMASK_UINTR;
    xrstors(&xareas[0], XMASK_UINTR);
    EQ(run(user(s_stui)), VEC_DONE);
    EQ(rdmsr(MSR_UINTR_RR), 0);
}

/* PAUSE leaves for the main loop, where what is stale would be found. */
SNIPPET(s_stui_pause, "stui; pause");

TEST(B2, "B2 XRSTORS in init form leaves no stale event for STUI",
     "13.8 17.7")
{
    uintr_self();
    clui();
    wrmsr(MSR_XSS, XMASK_UINTR);
    wrmsr(MSR_UINTR_MISC, 0);
    set_rr(~0ull);
    memset(&xareas[0], 0, sizeof(xareas[0]));
    xareas[0].xcomp_bv = XCOMPACT | XMASK_UINTR;
    xrstors(&xareas[0], XMASK_UINTR);
    /* no MSR is written in between: that would look at UIRR again */
    EQ(run(user(s_stui_pause)), VEC_DONE);
    EQ(testui(), 1);
}

TEST(last_delivery, "the last delivery ends recognition", "11.1 12.4")
{
    uintr_self();
    set_rr(1);
    EQ(run(user(s_nops)), VEC_HANDLER);
    stui();
    EQ(run(user(s_nops)), VEC_DONE);
}
