/*
 * HLT and user interrupts (spec 9.7 and 12.3)
 *
 * CPU 1 halts. CPU 0 watches what can be seen of a notification in memory,
 * then ends the HLT by an ordinary interrupt. If anything else had ended it,
 * RIP would be past the instruction that follows HLT.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

SNIPPET(s_halt, "sti; hlt; 1: pause; pause; jmp 1b");
#define AFTER_HLT ((uint64_t)s_halt + 2)

static struct {
    volatile uint64_t rr, vector, rip, rr_after;
    volatile bool ready;
    bool uif;
    const char *code;
} job;

static bool no_uinv;

static void halt(void *unused)
{
    struct ctx *c;

    uintr_receiver(1, uh_exit);
    if (!job.uif) {
        clui();
    }
    if (no_uinv) {
        wrmsr(MSR_UINTR_MISC, 0);
    }
    set_rr(job.rr);
    c = kernel(job.code);
    job.ready = true;
    job.vector = run(c);
    apic_eoi();
    job.rip = c->rip;
    job.rr_after = rdmsr(MSR_UINTR_RR);
}

static void start(uint64_t rr, bool uif)
{
    memset(&job, 0, sizeof(job));
    job.code = s_halt;
    job.rr = rr;
    job.uif = uif;
    uitt[0].lo = UITTE(9);
    uitt[0].upid = (uint64_t)&upids[1];
    wrmsr(MSR_UINTR_MISC, 0);
    wrmsr(MSR_UINTR_TT, (uint64_t)uitt | TT_ENABLE);
    start_on(1, halt, NULL);
    while (!job.ready) {
        pause();
    }
}

/* Let CPU 1 get on: into HLT, or out of it if it wrongly ends */
static void let_it_run(void)
{
    for (int i = 0; i < 20000; i++) {
        pause();
    }
}

static void end(void)
{
    let_it_run();
    apic_send(apic_id_of(1), 0x4000 | IRQ);
    wait_cpu(1);
    EQ(job.vector, IRQ);
}

static void notified(bool uif)
{
    start(0, uif);
    let_it_run();
    senduipi(0);
    while (upids[1].pir) {
        pause();
    }
    end();
    EQ(job.rip, AFTER_HLT);
    EQ(job.rr_after, 1 << 9);
    EQ(upids[1].control & UPID_ON, 0);
}

TEST_SMP(back_to_hlt, 2, "a notification does not end HLT", "9.7 17.10")
{
    notified(false);
}

TEST_SMP(back_to_hlt_uif, 2, "nor does it with UIF=1", "9.7 17.10")
{
    notified(true);
}

TEST_SMP(B5, 2, "B5 HLT does not end when a notification is taken",
         "9.7 17.10")
{
    notified(false);
    notified(true);
}

TEST_SMP(many, 2, "ten notifications do not end HLT either", "9.7")
{
    start(0, false);
    let_it_run();
    for (int i = 0; i < 10; i++) {
        uitt[0].lo = UITTE(i);
        senduipi(0);
        while (upids[1].pir) {
            pause();
        }
    }
    end();
    EQ(job.rip, AFTER_HLT);
    EQ(job.rr_after, 0x3ff);
}

TEST_SMP(by_apic, 2, "nor does any number that the APIC has", "9.7")
{
    start(0, false);
    let_it_run();
    for (int i = 0; i < 1000; i++) {
        apic_send(apic_id_of(1), 0x4000 | NV);
    }
    end();
    EQ(job.rip, AFTER_HLT);
}

TEST_SMP(pending_before, 2, "a notification pending at STI; HLT is taken "
         "and the CPU stays halted", "9.7 17.10")
{
    start(0, false);
    senduipi(0);                        /* races with the HLT on purpose */
    while (upids[1].pir) {
        pause();
    }
    end();
    EQ(job.rip, AFTER_HLT);
    EQ(job.rr_after, 1 << 9);
}

TEST_SMP(uirr_no_wake, 2, "UIRR != 0 does not end HLT", "12.3 17.10")
{
    start(1, true);
    end();
    EQ(job.rip, AFTER_HLT);
    EQ(job.rr_after, 1);
}

TEST_SMP(other_wakes, 2, "an ordinary interrupt ends HLT as ever", "9.7")
{
    start(0, false);
    end();
    EQ(job.rip, AFTER_HLT);
}

TEST(both_pending, "a notification, then an ordinary interrupt, both pending "
     "at HLT", "9.7 9.6")
{
    struct ctx *c = kernel(s_halt);

    uintr_self();
    clui();
    upids[0].pir = 4;
    apic_send(apic_id_of(0), 0x4000 | NV);
    apic_send(apic_id_of(0), 0x4000 | IRQ);
    EQ(run(c), IRQ);
    EQ(c->rip, AFTER_HLT);
    EQ(rdmsr(MSR_UINTR_RR), 4);
}


static void nmi_ends(struct ctx *c)
{
    c->rip = (uint64_t)s_done;
}

TEST_SMP(nmi, 2, "an NMI ends HLT also after a notification", "9.7")
{
    trap_handler[EXC_NMI] = nmi_ends;
    start(0, false);
    let_it_run();
    senduipi(0);
    while (upids[1].pir) {
        pause();
    }
    apic_send(apic_id_of(1), 0x4400);
    wait_cpu(1);
    EQ(job.vector, VEC_DONE);
    EQ(job.rr_after, 1 << 9);
}

TEST_SMP(uinv_off, 2, "with UINV=0 the same vector is ordinary and ends HLT",
         "9.7 9.10")
{
    no_uinv = true;
    start(0, false);
    no_uinv = false;
    let_it_run();
    senduipi(0);
    wait_cpu(1);
    EQ(job.vector, NV);
    EQ(job.rip, AFTER_HLT);
    EQ(upids[1].pir, 1 << 9);
}

static volatile bool ended_by_nmi;
static volatile unsigned nmis;

/* It may come before HLT, and another one after it */
static void on_nmi(struct ctx *c)
{
    if (c->rip == (uint64_t)s_hlt + 1) {
        ended_by_nmi = true;
    }
    nmis++;
}

/* Interrupts that come while IF=0, and keep coming; no one of them ends HLT */
static void send_notification(void)
{
    __sync_fetch_and_and(&upids[1].control, ~UPID_ON);
    senduipi(0);
}

static void send_ordinary(void)
{
    apic_send(apic_id_of(1), 0x4000 | IRQ);
}

static void send_both(void)
{
    send_ordinary();
    send_notification();
}

static void halt_with_if_clear(void *unused)
{
    uintr_receiver(1, uh_exit);
    trap_handler[EXC_NMI] = on_nmi;
    ended_by_nmi = false;
    job.ready = true;
    EQ(run(kernel(s_hlt)), VEC_DONE);
    EQ(ended_by_nmi, true);
    job.ready = false;
}

static void masked_by_if(void (*send)(void))
{
    job.ready = false;
    uitt[0].lo = UITTE(9);
    uitt[0].upid = (uint64_t)&upids[1];
    wrmsr(MSR_UINTR_MISC, 0);
    wrmsr(MSR_UINTR_TT, (uint64_t)uitt | TT_ENABLE);
    start_on(1, halt_with_if_clear, NULL);
    while (!job.ready) {
        pause();
    }
    let_it_run();
    for (int i = 0; i < 100000; i++) {
        send();
    }
    while (job.ready) {
        unsigned before = nmis;

        apic_send(apic_id_of(1), 0x4400);
        while (nmis == before) {
            pause();
        }
    }
    wait_cpu(1);
    trap_handler[EXC_NMI] = NULL;
}

TEST_SMP(masked, 2, "with IF=0 no number of notifications ends HLT", "9.2 9.7")
{
    masked_by_if(send_notification);
}

TEST_SMP(masked_ordinary, 2, "nor does any number of ordinary interrupts",
         "9.2 9.7")
{
    masked_by_if(send_ordinary);
}

TEST_SMP(masked_both, 2, "nor do both in turn", "9.2 9.7")
{
    masked_by_if(send_both);
}

SNIPPET(s_mwait, "mwait");

TEST(mwait, "with ECX[0] = 1 a masked interrupt ends MWAIT", "9.7")
{
    struct ctx *c = kernel(s_mwait);

    if (!(cpuid(1, 0).ecx >> 3 & 1)) {
        test_skip("this CPU has no MWAIT");
        return;
    }
    uintr_self();
    c->rcx = cpuid(5, 0).ecx >> 1 & 1;
    apic_send(apic_id_of(0), 0x4000 | NV);
    EQ(run(c), VEC_DONE);
    EQ(c->rip, (uint64_t)s_mwait + 3 + 2);
    EQ(apic_irr(NV), 1);
}

TEST(mwait_reserved, "MWAIT takes no other bit of ECX", "9.7")
{
    for (int i = 1; i < 32; i++) {
        struct ctx *c = kernel(s_mwait);

        if (!(cpuid(1, 0).ecx >> 3 & 1)) {
            test_skip("this CPU has no MWAIT");
            return;
        }
        test_case = i;
        c->rcx = 1u << i;
        EQ(run(c), EXC_GP);
        EQ(c->rip, (uint64_t)s_mwait);
    }
}
