/*
 * SENDUIPI (spec section 7): checks, the update, the notification
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

static struct upid saved_upid;
static uint64_t saved_icr;

static uint64_t send(uint64_t index)
{
    struct ctx *c = user(s_senduipi);

    saved_upid = upids[0];
    saved_icr = apic_icr();
    c->rax = index;
    return run(c);
}

/* SENDUIPI @index raises @vector and changes nothing */
static void send_fails(uint64_t index, uint64_t vector, uint64_t error)
{
    struct ctx *c = &this_cpu()->ctx;

    EQ(send(index), vector);
    EQ(c->error, error);
    EQ(c->rip, USER(s_senduipi));
    EQ(c->rax, index);
    EQ(c->rsp, user_stack_top());
    EQ(c->rflags & ~FL_RF, FL_1 | FL_IF);
    EQ(upids[0].control, saved_upid.control);
    EQ(upids[0].pir, saved_upid.pir);
    EQ(rdmsr(MSR_UINTR_RR), 0);
    EQ(apic_icr(), saved_icr);
    EQ(apic_idle(), 1);
}

TEST(index_equal, "index = UITTSZ is legal", "7.2 4.5")
{
    uintr_self();
    clui();
    wrmsr(MSR_UINTR_MISC, MISC(NV, 7));
    EQ(send(7), VEC_DONE);
    EQ(rdmsr(MSR_UINTR_RR), 1 << 7);
}

TEST(index_zero, "UITTSZ = 0 is a table of one entry", "7.2 4.5")
{
    uintr_self();
    clui();
    wrmsr(MSR_UINTR_MISC, MISC(NV, 0));
    EQ(send(0), VEC_DONE);
    EQ(rdmsr(MSR_UINTR_RR), 1);
    set_rr(0);
    send_fails(1, EXC_GP, 0);
}

TEST(index_greater, "index > UITTSZ is #GP(0)", "7.2 7.1")
{
    uintr_self();
    wrmsr(MSR_UINTR_MISC, MISC(NV, 7));
    send_fails(8, EXC_GP, 0);
}

TEST(index_64bit, "the index is compared as 64 bits, unsigned", "7.2")
{
    uintr_self();
    send_fails(0x100000000, EXC_GP, 0);
    send_fails(0x8000000000000000, EXC_GP, 0);
    send_fails(~0ull, EXC_GP, 0);
}

TEST(P7, "P7 an index is not cut to 32 bits", "7.2")
{
    uintr_self();
    send_fails(0x100000003, EXC_GP, 0);
}

TEST(uittsz_max, "UITTSZ = FFFFFFFFH is compared unsigned", "7.2")
{
    uintr_self();
    clui();
    wrmsr(MSR_UINTR_MISC, MISC(NV, 0xffffffff));
    EQ(send(9), VEC_DONE);
    set_rr(0);
    send_fails(0x100000000, EXC_GP, 0);
}

TEST(high_index, "an index reaches its entry beyond the first page", "7.3")
{
    uintr_self();
    clui();
    uitt[1000] = uitt[0];
    uitt[1000].lo = UITTE(33);
    wrmsr(MSR_UINTR_MISC, MISC(NV, 1000));
    EQ(send(1000), VEC_DONE);
    EQ(rdmsr(MSR_UINTR_RR), 1ull << 33);
}

TEST(not_valid, "V=0 is #GP(0)", "7.4")
{
    uintr_self();
    uitt[2].lo &= ~UITTE_V;
    send_fails(2, EXC_GP, 0);
}

TEST(uitte_reserved, "each reserved bit of a UITT entry is #GP(0)",
     "7.4 4.4")
{
    for (int b = 1; b < 64 + 6; b++) {
        if (b >= 8 && b < 14) {
            continue;               /* UV */
        }
        test_case = b;
        uintr_self();
        if (b < 64) {
            uitt[2].lo |= 1ull << b;
        } else {
            uitt[2].upid |= 1ull << (b - 64);
        }
        send_fails(2, EXC_GP, 0);
    }
}

TEST(P4, "P4 V, reserved bits, UV < 64 and alignment are checked",
     "7.4 4.4")
{
    static const struct uitte bad[] = {
        { 0, 0 }, { 3, 0 }, { UITTE(64), 0 }, { UITTE(0xff), 0 },
        { UITTE(1) | 1ull << 40, 0 }, { UITTE(1), 0x20 },
    };

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        test_case = i;
        uintr_self();
        uitt[5].lo = bad[i].lo;
        uitt[5].upid |= bad[i].upid;
        send_fails(5, EXC_GP, 0);
    }
}

TEST(upid_reserved, "each reserved UPID bit is #GP(0)", "7.5 4.2")
{
    for (int b = 2; b < 32; b++) {
        if (b >= 16 && b < 24) {
            continue;               /* NV */
        }
        test_case = b;
        uintr_self();
        upids[0].control |= 1ull << b;
        send_fails(2, EXC_GP, 0);
    }
}

TEST(posts, "SENDUIPI sets PIR[UV] for each of the 64 vectors", "7.6 4.1")
{
    uintr_self();
    upids[0].control |= UPID_SN;
    for (int v = 0; v < 64; v++) {
        test_case = v;
        upids[0].pir = 0;
        EQ(send(v), VEC_DONE);
        EQ(upids[0].pir, 1ull << v);
    }
}

TEST(P2, "P2 vectors from 31 up are posted as themselves", "7.6 4.1")
{
    uintr_self();
    upids[0].control |= UPID_SN;
    for (int v = 31; v < 64; v++) {
        test_case = v;
        upids[0].pir = 0;
        EQ(send(v), VEC_DONE);
        EQ(upids[0].pir, 1ull << v);
    }
}

TEST(uv_not_index, "the vector is the entry's UV, not its index", "7.6 4.4")
{
    uintr_self();
    upids[0].control |= UPID_SN;
    uitt[3].lo = UITTE(60);
    EQ(send(3), VEC_DONE);
    EQ(upids[0].pir, 1ull << 60);
}

TEST(keeps_pir, "SENDUIPI keeps the other PIR bits", "7.6")
{
    uintr_self();
    upids[0].control |= UPID_SN;
    upids[0].pir = 0x8000000080000001;
    EQ(send(31), VEC_DONE);
    EQ(upids[0].pir, 0x8000000080000001);
    EQ(send(32), VEC_DONE);
    EQ(upids[0].pir, 0x8000000180000001);
}

/* A UPID that notifies a vector nobody takes: IF=0 at CPL 3 */
static uint64_t send_blocked(uint64_t index)
{
    struct ctx *c = user(s_senduipi);

    c->rax = index;
    c->rflags &= ~FL_IF;
    return run(c);
}

TEST(sets_on, "ON=0 and SN=0: ON is set and NV is sent", "7.6 7.7")
{
    uintr_self();
    EQ(send_blocked(1), VEC_DONE);
    EQ(upids[0].control, UPID_ON | UPID_NV(NV) | UPID_NDST(ndst(0)));
    EQ(upids[0].pir, 2);
    EQ(apic_irr(NV), 1);
}

TEST(on_set, "ON=1: post only, no IPI", "7.8")
{
    uintr_self();
    upids[0].control |= UPID_ON;
    EQ(send_blocked(1), VEC_DONE);
    EQ(upids[0].control, UPID_ON | UPID_NV(NV) | UPID_NDST(ndst(0)));
    EQ(upids[0].pir, 2);
    EQ(apic_idle(), 1);
}

TEST(sn_set, "SN=1: post only, ON stays 0, no IPI", "7.8")
{
    uintr_self();
    upids[0].control |= UPID_SN;
    EQ(send_blocked(1), VEC_DONE);
    EQ(upids[0].control, UPID_SN | UPID_NV(NV) | UPID_NDST(ndst(0)));
    EQ(upids[0].pir, 2);
    EQ(apic_idle(), 1);
}

TEST(P3, "P3 the SN mask is bit 1 alone", "7.8 4.1")
{
    /* with 0x11 SN would not be seen */
    uintr_self();
    upids[0].control |= UPID_SN;
    EQ(send_blocked(1), VEC_DONE);
    EQ(upids[0].control & 3, UPID_SN);
    EQ(apic_idle(), 1);
}

TEST(on_and_sn, "ON=1 and SN=1: post only", "7.8")
{
    uintr_self();
    upids[0].control |= UPID_SN | UPID_ON;
    EQ(send_blocked(63), VEC_DONE);
    EQ(upids[0].control & 3, UPID_SN | UPID_ON);
    EQ(upids[0].pir, 1ull << 63);
    EQ(apic_idle(), 1);
}

TEST(any_vector, "NV may be any vector", "7.7")
{
    uintr_self();
    for (int nv = 0x30; nv < 0xff; nv += 0x11) {
        test_case = nv;
        upid_set(0, nv, 0);
        EQ(send(1), nv);
        EQ(apic_isr(nv), 1);
        apic_eoi();
    }
}

TEST(icr, "the ICR reads as if software had written it", "7.7")
{
    uintr_self();
    upid_set(0, IRQ, 0);
    apic_send(apic_id_of(0), 0x4000 | IRQ_HIGH);
    irq_window();
    EQ(send_blocked(1), VEC_DONE);
    EQ(apic_icr() & 0xcffff, IRQ);
    EQ(apic_icr() >> (x2apic ? 32 : 56), apic_id_of(0));
}

TEST(edge, "the notification is an edge interrupt", "7.7")
{
    uintr_self();
    EQ(send_blocked(1), VEC_DONE);
    EQ(apic_read(0x180 + NV / 32 * 16) >> NV % 32 & 1, 0);
}

TEST(low_vector, "NV below 16 reports an illegal vector in the ESR", "7.7")
{
    uintr_self();
    upid_set(0, 5, 0);
    apic_write(0x280, 0);
    EQ(send_blocked(1), VEC_DONE);
    EQ(upids[0].pir, 2);
    apic_write(0x280, 0);
    EQ(apic_read(0x280) & 0x20, 0x20);
    EQ(apic_idle(), 1);
}

TEST(esr, "the ESR shows the errors since its last write", "7.7")
{
    for (int i = 0; i < 2; i++) {
        test_case = i;
        uintr_self();
        upid_set(0, 5, 0);
        apic_write(0x280, 0);
        apic_write(0x280, 0);
        EQ(send_blocked(1), VEC_DONE);
        EQ(apic_read(0x280), 0);
        apic_write(0x280, 0);
        EQ(apic_read(0x280), 0x20);
        EQ(apic_read(0x280), 0x20);
        apic_write(0x280, 0);
        EQ(apic_read(0x280), 0);
    }
}

TEST(esr_value, "only x2APIC mode minds what is written to the ESR", "7.7")
{
    if (x2apic) {
        EQ(try_wrmsr(MSR_X2APIC + 0x28, 1), EXC_GP);
        EQ(try_wrmsr(MSR_X2APIC + 0x28, 1ull << 32), EXC_GP);
        EQ(try_wrmsr(MSR_X2APIC + 0x28, 0), VEC_DONE);
    } else {
        apic_write(0x280, 0xffffffff);
    }
    EQ(apic_read(0x280), 0);
}

TEST(low_vector_error, "NV below 16 raises the APIC's error interrupt", "7.7")
{
    uintr_self();
    upid_set(0, 15, 0);
    apic_write(0x370, IRQ);
    EQ(send(1), IRQ);
    apic_write(0x370, 0x10000);
    EQ(upids[0].pir, 2);
}

TEST(no_receiver_state, "a CPU with UINV=0, no UPID and UIF=0 can send",
     "7.9")
{
    uintr_self();
    wrmsr(MSR_UINTR_MISC, MISC(0, 63));
    wrmsr(MSR_UINTR_PD, 0);
    wrmsr(MSR_UINTR_HANDLER, 0);
    clui();
    upid_set(0, IRQ, 0);
    EQ(send(4), IRQ);
    EQ(upids[0].pir, 1 << 4);
    EQ(upids[0].control & UPID_ON, UPID_ON);
}

TEST(no_flags, "SENDUIPI changes no flag", "7.6")
{
    struct ctx *c = user(s_senduipi);

    uintr_self();
    upids[0].control |= UPID_SN;
    c->rflags |= FL_STATUS | FL_DF;
    EQ(run(c), VEC_DONE);
    EQ(c->rflags, FL_1 | FL_IF | FL_STATUS | FL_DF);
}

TEST(P10, "P10 bits 3:1 of IA32_UINTR_TT are #GP and never part of the "
     "address", "3.2 4.5 5.3")
{
    uintr_self();
    EQ(try_wrmsr(MSR_UINTR_TT, (uint64_t)uitt | 2), EXC_GP);
    wrmsr(MSR_UINTR_TT, (uint64_t)uitt);
    EQ(send(1), EXC_UD);
    /* bit 0 enables and is not an address bit */
    wrmsr(MSR_UINTR_TT, (uint64_t)uitt | TT_ENABLE);
    clui();
    EQ(send(1), VEC_DONE);
    EQ(rdmsr(MSR_UINTR_RR), 2);
}

TEST(table_alignment, "a UITT may start at any 16-byte address", "4.5 7.3")
{
    uintr_self();
    clui();
    for (int i = 1; i < 512; i += 85) {
        test_case = i;
        wrmsr(MSR_UINTR_TT, (uint64_t)&uitt[i] | TT_ENABLE);
        uitt[i + 1] = uitt[9];
        EQ(send(1), VEC_DONE);
        EQ(rdmsr(MSR_UINTR_RR), 1 << 9);
        uintr_self();
        set_rr(0);
        clui();
    }
}
