/*
 * SENDUIPI between CPUs: destinations (spec 4.3, 7.7), and delivery there
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

static volatile unsigned ready;

/* Ring 3 on another CPU: logs user interrupts until its flag is set */
static void receive(void *unused)
{
    unsigned id = this_cpu()->id;
    uint64_t v;

    uintr_receiver(id, uh_log);
    __sync_fetch_and_add(&ready, 1);
    v = run(user(s_spin));
    test_case = id;
    EQ(v, VEC_DONE);
}

static void start_receivers(void)
{
    ready = 0;
    for (unsigned i = 1; i < nr_cpus; i++) {
        start_on(i, receive, NULL);
    }
    while (ready < nr_cpus - 1) {
        pause();
    }
    uintr_self();
    wrmsr(MSR_UINTR_HANDLER, USER(uh_log));
}

static void stop_receivers(void)
{
    for (unsigned i = 1; i < nr_cpus; i++) {
        uareas[i].flag = 1;
        wait_cpu(i);
    }
}

static void send_to(unsigned cpu, unsigned vector)
{
    uint64_t before = uareas[cpu].counts[vector];

    uitt[vector].upid = (uint64_t)&upids[cpu];
    senduipi(vector);
    while (*(volatile uint64_t *)&uareas[cpu].counts[vector] == before) {
        pause();
    }
}

TEST_SMP(to_each, 2, "SENDUIPI reaches each other CPU, and only it",
         "7.7 4.3")
{
    start_receivers();
    for (unsigned i = 1; i < nr_cpus; i++) {
        send_to(i, 10 + i);
    }
    stop_receivers();
    for (unsigned i = 1; i < nr_cpus; i++) {
        test_case = i;
        EQ(uareas[i].count, 1);
        EQ(uareas[i].log[0].vector, 10 + i);
    }
}

static void send_from(void *arg)
{
    struct ctx *c = user(s_senduipi);

    wrmsr(MSR_UINTR_MISC, 63);
    wrmsr(MSR_UINTR_TT, (uint64_t)uitt | TT_ENABLE);
    c->rax = this_cpu()->id;
    EQ(run(c), VEC_DONE);
}

TEST_SMP(from_cpl3, 2, "CPL 3 of each other CPU can send to CPU 0",
         "7.7 7.10")
{
    uintr_self();
    for (unsigned i = 1; i < nr_cpus; i++) {
        struct ctx *c;

        test_case = i;
        stui();
        start_on(i, send_from, NULL);
        c = user(s_spin);
        EQ(run(c), VEC_HANDLER);
        EQ(uframe_at(c)->vector, i);
        wait_cpu(i);
    }
}

/* The whole NDST field, ON included: CPU 1 must get it */
static void reaches_cpu1(uint32_t dest)
{
    uint64_t before = uareas[1].counts[7];

    upids[1].control = UPID_NV(NV) | UPID_NDST(dest);
    uitt[7].upid = (uint64_t)&upids[1];
    senduipi(7);
    while (*(volatile uint64_t *)&uareas[1].counts[7] == before) {
        pause();
    }
}

TEST_SMP(xapic_ndst, 2, "xAPIC: NDST[15:8] alone is the destination",
         "4.3 17.3 14.4")
{
    if (x2apic) {
        test_skip("x2APIC mode");
        return;
    }
    start_receivers();
    reaches_cpu1(apic_id_of(1) << 8);
    reaches_cpu1(apic_id_of(1) << 8 | 0xff);
    reaches_cpu1(apic_id_of(1) << 8 | 0xffff0000);
    stop_receivers();
    EQ(uareas[1].counts[7], 3);
    EQ(uarea()->count, 0);
}

#define OTHER_ID 77

static void receive_as_other(void *unused)
{
    apic_write(0x20, OTHER_ID << 24);
    receive(NULL);
    apic_write(0x20, this_cpu()->id << 24);
}

TEST_SMP(changed_id, 2, "xAPIC: an ID that software has changed is the "
         "destination", "4.3")
{
    if (x2apic) {
        test_skip("x2APIC mode");
        return;
    }
    ready = 0;
    start_on(1, receive_as_other, NULL);
    while (!ready) {
        pause();
    }
    uintr_self();
    /* Posts, and notifies nobody */
    upids[1].control = UPID_NV(NV) | UPID_NDST(apic_id_of(1) << 8);
    uitt[7].upid = (uint64_t)&upids[1];
    senduipi(7);
    EQ(upids[1].pir, 1 << 7);
    reaches_cpu1(OTHER_ID << 8);
    uareas[1].flag = 1;
    wait_cpu(1);
    EQ(uareas[1].counts[7], 1);
}

static volatile uint64_t got[MAX_CPUS];

static void count_irq(struct ctx *c)
{
    got[this_cpu()->id]++;
    apic_eoi();
}

/* Everything that other CPUs were sent has arrived when they did a job */
static void nothing(void *unused)
{
    irq_window();
}

static void settle(void)
{
    for (unsigned i = nr_cpus; i--; ) {
        on_cpu(i, nothing, NULL);
    }
}

/* Sends the ordinary vector IRQ by SENDUIPI to @dest */
static void send_irq(uint32_t dest)
{
    memset((void *)got, 0, sizeof(got));
    trap_handler[IRQ] = count_irq;
    uintr_self();
    upids[9].control = UPID_NV(IRQ) | UPID_NDST(dest);
    upids[9].pir = 0;
    uitt[3].upid = (uint64_t)&upids[9];
    senduipi(3);
    settle();
}

TEST_SMP(x2apic_ndst, 2, "x2APIC: all 32 bits of NDST are the destination",
         "4.3")
{
    if (!x2apic) {
        test_skip("xAPIC mode");
        return;
    }
    send_irq(1);
    EQ(got[1], 1);
    EQ(got[0], 0);
    send_irq(1 << 8);
    EQ(got[0] + got[1], 0);
    send_irq(0x101);
    EQ(got[0] + got[1], 0);
    send_irq(0x80000001);
    EQ(got[0] + got[1], 0);
}

TEST_SMP(absent_cpu, 2, "a destination that does not exist is posted only",
         "7.7")
{
    send_irq(x2apic ? 0x77 : 0x7700);
    EQ(upids[9].control & UPID_ON, UPID_ON);
    EQ(upids[9].pir, 8);
    for (unsigned i = 0; i < nr_cpus; i++) {
        test_case = i;
        EQ(got[i], 0);
    }
}

TEST_SMP(broadcast, 2, "the broadcast ID means every CPU, sender included",
         "7.7")
{
    send_irq(x2apic ? 0xffffffff : 0xff00);
    for (unsigned i = 0; i < nr_cpus; i++) {
        test_case = i;
        EQ(got[i], 1);
    }
}

/* A shorthand of "all but self" in the ICR of this CPU */
static void dirty_icr(void *unused)
{
    apic_send(0, 0xc4000 | (IRQ + 1));
}

static void swallow(struct ctx *c)
{
    apic_eoi();
}

TEST_SMP(P8, 2, "P8 NDST follows the APIC mode, old ICR contents do not "
         "matter", "4.3 7.7 17.3")
{
    trap_handler[IRQ + 1] = swallow;
    for (unsigned i = nr_cpus; i--; ) {
        on_cpu(i, dirty_icr, NULL);
    }
    settle();
    send_irq(ndst(1));
    EQ(got[1], 1);
    for (unsigned i = 0; i < nr_cpus; i++) {
        test_case = i;
        EQ(got[i], i == 1);
    }
    EQ(apic_icr() & 0xc0000, 0);
}

static void other_mode(void *arg)
{
    uint64_t base = rdmsr(MSR_APIC_BASE);

    if (arg) {
        wrmsr(MSR_APIC_BASE, base | 0x400);
    } else {
        wrmsr(MSR_APIC_BASE, base & ~0xc00ull);
        wrmsr(MSR_APIC_BASE, (base & ~0xc00ull) | 0x800);
        x2apic = false;
        apic_init();
    }
}

static void send_irq_on(void *dest)
{
    wrmsr(MSR_UINTR_MISC, 63);
    wrmsr(MSR_UINTR_TT, (uint64_t)uitt | TT_ENABLE);
    upids[9].control = UPID_NV(IRQ) | UPID_NDST((uint64_t)dest);
    uitt[3].lo = UITTE(3);
    uitt[3].upid = (uint64_t)&upids[9];
    senduipi(3);
}

TEST_SMP(sender_mode, 2, "the sender's APIC mode decodes NDST", "7.7 4.3")
{
    if (x2apic || !(cpuid(1, 0).ecx >> 21 & 1)) {
        test_skip("needs a CPU 1 that can leave xAPIC mode");
        return;
    }
    on_cpu(1, other_mode, (void *)1);
    send_irq(apic_id_of(1) << 8);       /* sender xAPIC, target x2APIC */
    EQ(got[1], 1);
    EQ(got[0], 0);
    memset((void *)got, 0, sizeof(got));
    on_cpu(1, send_irq_on, (void *)(uint64_t)apic_id_of(0));
    settle();                           /* sender x2APIC, target xAPIC */
    EQ(got[0], 1);
    EQ(got[1], 0);
    on_cpu(1, other_mode, NULL);
}

TEST_SMP(ping, 2, "every one of 64 vectors arrives, many times",
         "7.7 10.1 12.9")
{
    start_receivers();
    for (int round = 0; round < 10; round++) {
        for (unsigned v = 0; v < 64; v++) {
            test_case = v;
            send_to(1 + v % (nr_cpus - 1), v);
        }
    }
    stop_receivers();
    EQ(upids[1].pir, 0);
    EQ(upids[1].control & UPID_ON, 0);
}

TEST_SMP(burst, 2, "after a burst the last send of every vector is seen",
         "7.6 7.8 10.1")
{
    start_receivers();
    for (unsigned v = 0; v < 64; v++) {
        uitt[v].upid = (uint64_t)&upids[1];
    }
    for (int i = 0; i < 5000; i++) {
        senduipi(i * 7 % 64);
    }
    for (unsigned v = 0; v < 64; v++) {
        test_case = v;
        send_to(1, v);
    }
    stop_receivers();
    EQ(uareas[1].count <= 5064, 1);
    EQ(upids[1].pir, 0);
}

/* Everybody receives at CPL 3 and sends at CPL 3 to the next CPU */
SNIPPET(s_ring_send,
        "mov $64, %ebx\n"
        "1: mov %rbx, %rax\n"
        "dec %rax\n"
        "senduipi %rax\n"
        "2: pause\n"
        "mov %fs:8, %rcx\n"             /* wait for the one before us */
        "cmpq $0, %fs:16(,%rax,8)\n"
        "je 2b\n"
        "dec %ebx\n"
        "jnz 1b");

static void ring_member(void *arg)
{
    struct uitte *table = arg;
    unsigned id = this_cpu()->id;

    uintr_receiver(id, uh_log);
    __sync_fetch_and_add(&ready, 1);
    while (ready < nr_cpus) {
        pause();
    }
    wrmsr(MSR_UINTR_TT, (uint64_t)(table + 64 * id) | TT_ENABLE);
    EQ(run(user(s_ring_send)), VEC_DONE);
}

TEST_SMP(ring_of_cpus, 2, "all CPUs send and receive at CPL 3 at once",
         "7.6 7.7 10.1 12.1")
{
    ready = 0;
    for (unsigned i = 0; i < nr_cpus; i++) {
        for (unsigned v = 0; v < 64; v++) {
            uitt[64 * i + v].lo = UITTE(v);
            uitt[64 * i + v].upid = (uint64_t)&upids[(i + 1) % nr_cpus];
        }
    }
    for (unsigned i = 1; i < nr_cpus; i++) {
        start_on(i, ring_member, uitt);
    }
    ring_member(uitt);
    for (unsigned i = 1; i < nr_cpus; i++) {
        wait_cpu(i);
    }
    for (unsigned i = 0; i < nr_cpus; i++) {
        for (unsigned v = 0; v < 64; v++) {
            test_case = i << 8 | v;
            EQ(uareas[i].counts[v], 1);
        }
    }
}

static void with_own_state(void *arg)
{
    uint64_t id = this_cpu()->id;
    struct ctx *c = user(s_nops);

    uintr_receiver(id, uh_exit);
    if (id & 1) {
        clui();
    }
    wrmsr(MSR_UINTR_STACKADJUST, 64 * id);
    set_rr(1ull << id);
    __sync_fetch_and_add(&ready, 1);
    while (ready < nr_cpus) {
        pause();
    }
    test_case = id;
    EQ(run(c), id & 1 ? VEC_DONE : VEC_HANDLER);
    EQ(rdmsr(MSR_UINTR_RR), id & 1 ? 1ull << id : 0);
    EQ(rdmsr(MSR_UINTR_STACKADJUST), 64 * id);
    EQ(rdmsr(MSR_UINTR_PD), &upids[id]);
    EQ(testui(), 0);
}

TEST_SMP(P16, 2, "P16 no state is shared between CPUs", "3.1")
{
    ready = 0;
    for (unsigned i = 1; i < nr_cpus; i++) {
        start_on(i, with_own_state, NULL);
    }
    with_own_state(NULL);
    for (unsigned i = 1; i < nr_cpus; i++) {
        wait_cpu(i);
    }
}
