/*
 * All CPUs send to all at CPL 3 and receive at the same time: of each pair the
 * last SENDUIPI is seen in the end (spec 7.6, 10.1). A loss is a hang.
 *
 * The option "sends=N" has each CPU send so many times.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

#define SENDS           20000
#define PADDED          8               /* no two CPUs write to one line */

/* How often the first CPU has sent to the second, and what that has seen */
static volatile uint64_t sent[MAX_CPUS][MAX_CPUS][PADDED];
static volatile uint64_t seen[MAX_CPUS][MAX_CPUS][PADDED];
static volatile unsigned running, sending;

/* At CPL 3 they are in the user alias: code and data are relative to RIP */
static uint64_t my_id(void)
{
    uint64_t id;

    asm("mov %%fs:%c1, %0" : "=r"(id) : "i"(offsetof(struct uarea, scratch)));
    return id;
}

struct __attribute__((packed)) uintr_frame {
    uint64_t rip, rflags, rsp;
};

/* The vector is the sender's number. */
static void __attribute__((interrupt, used))
handler(struct uintr_frame *frame, unsigned long long from)
{
    uint64_t me = my_id();

    seen[from][me][0] = sent[from][me][0];
}

static bool all_seen(uint64_t me, uint64_t cpus)
{
    for (uint64_t from = 0; from < cpus; from++) {
        if (seen[from][me][0] != sent[from][me][0]) {
            return false;
        }
    }
    return true;
}

static void __attribute__((used)) send_to_all(uint64_t sends, uint64_t cpus)
{
    uint64_t me = my_id(), to = me;

    __sync_fetch_and_add(&running, 1);
    while (running < cpus) {
        pause();
    }
    while (sends--) {
        to = to + 1 < cpus ? to + 1 : 0;
        sent[me][to][0]++;
        senduipi(me * cpus + to);
    }
    __sync_fetch_and_sub(&sending, 1);
    while (sending || !all_seen(me, cpus)) {
        pause();
    }
    asm volatile("int $0x20");
}

static void stress(void *unused)
{
    unsigned me = this_cpu()->id;
    struct ctx *c;

    uintr_receiver(me, (const void *)handler);
    wrmsr(MSR_UINTR_MISC, MISC(NV, UITT_ENTRIES - 1));
    wrmsr(MSR_UINTR_TT, (uint64_t)uitt | TT_ENABLE);
    uarea()->scratch[0] = me;
    c = user((const void *)send_to_all);
    c->rdi = number_option("sends=", SENDS);
    c->rsi = nr_cpus;
    EQ(run(c), VEC_DONE);
}

TEST_SMP(all_to_all, 2, "the last of many SENDUIPIs to each CPU is seen",
         "7.6 10.1")
{
    for (unsigned from = 0; from < nr_cpus; from++) {
        for (unsigned to = 0; to < nr_cpus; to++) {
            struct uitte *entry = &uitt[from * nr_cpus + to];

            entry->lo = UITTE(from);
            entry->upid = (uint64_t)&upids[to];
        }
    }
    running = 0;
    sending = nr_cpus;
    for (unsigned i = 1; i < nr_cpus; i++) {
        start_on(i, stress, NULL);
    }
    stress(NULL);
    for (unsigned i = 1; i < nr_cpus; i++) {
        wait_cpu(i);
    }
}
