/*
 * The UPID update is atomic (spec 7.6, 10.1). Several CPUs change different
 * bits of one UPID; each bit has one owner, who checks after every step
 * that it is as the owner left it. A read, a change and a write in separate
 * steps anywhere brings an old value back, and the owner sees it.
 *
 * How long a race lasts is counted in overlaps, SENDUIPIs during which
 * another CPU has made a step, so that a busy host only makes it slower.
 * Where CPUs take turns there are none, and a number of rounds is the end.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

#define OVERLAPS 20000
#define ROUNDS (has_option("serial") ? 5000 : 40000000)
#define shared (&upids[8])

static volatile unsigned started, finished;
static volatile struct {
    uint64_t steps;
} __attribute__((aligned(64))) progress[MAX_CPUS];

static bool test_and_set(volatile uint64_t *p, uint64_t bit)
{
    bool old;

    asm volatile("lock btsq %2, %1" : "=@ccc"(old), "+m"(*p) : "r"(bit));
    return old;
}

static bool test_and_clear(volatile uint64_t *p, uint64_t bit)
{
    bool old;

    asm volatile("lock btrq %2, %1" : "=@ccc"(old), "+m"(*p) : "r"(bit));
    return old;
}

static bool bit(volatile uint64_t *p, uint64_t n)
{
    return *p >> n & 1;
}

/* Run @fn on every CPU at the same time; CPU i uses UITT entry i, vector i */
static void race(void (*fn)(void *))
{
    shared->control = UPID_SN | UPID_NV(IRQ) | UPID_NDST(ndst(0));
    shared->pir = 0;
    for (unsigned i = 0; i < 64; i++) {
        uitt[i].lo = UITTE(i);
        uitt[i].upid = (uint64_t)shared;
    }
    started = finished = 0;
    for (unsigned i = 1; i < nr_cpus; i++) {
        start_on(i, fn, NULL);
    }
    fn(NULL);
    for (unsigned i = 1; i < nr_cpus; i++) {
        wait_cpu(i);
    }
}

static unsigned begin(void)
{
    wrmsr(MSR_UINTR_MISC, 63);
    wrmsr(MSR_UINTR_TT, (uint64_t)uitt | TT_ENABLE);
    __sync_fetch_and_add(&started, 1);
    while (started < nr_cpus) {
        pause();
    }
    return this_cpu()->id;
}

static uint64_t steps_of_others(unsigned id)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < nr_cpus; i++) {
        sum += i == id ? 0 : progress[i].steps;
    }
    return sum;
}

/* A host that ran all CPUs on one core may choose another when one wakes */
static void nap(void)
{
    apic_timer_oneshot(IRQ, 1000);
    asm volatile("sti; hlt; cli" : : : "memory");
}

/*
 * SENDUIPI of a vector that only this CPU posts and takes back, until one
 * sender has had enough overlaps
 */
static void post_and_take(unsigned id)
{
    uint64_t rounds = ROUNDS, overlaps = 0, last = 0;

    test_case = id;
    while (rounds-- && overlaps < OVERLAPS && !finished && !test_failed()) {
        uint64_t before = steps_of_others(id);

        EQ(bit(&shared->pir, id), 0);
        senduipi(id);
        EQ(test_and_clear(&shared->pir, id), 1);
        overlaps += steps_of_others(id) != before;
        progress[id].steps++;
        if (!(rounds & 0xffff)) {
            if (overlaps < last + 100) {
                nap();
            }
            last = overlaps;
        }
    }
    __sync_fetch_and_add(&finished, 1);
}

static void sender(void *unused)
{
    post_and_take(begin());
}

TEST_SMP(B8, 2, "B8 SENDUIPI of several CPUs to one UPID loses no post",
         "7.6 17.12")
{
    race(sender);
    EQ(shared->control, UPID_SN | UPID_NV(IRQ) | UPID_NDST(ndst(0)));
    EQ(shared->pir, 0);
}

static bool senders_left(void)
{
    return finished < nr_cpus - 1;
}

/* CPU 0 is the kernel that changes PIR and SN with LOCKed instructions */
static void locked_kernel(void)
{
    while (senders_left() && !test_failed()) {
        EQ(test_and_set(&shared->pir, 40), 0);
        EQ(test_and_set(&shared->control, 0), 0);       /* ON */
        EQ(bit(&shared->pir, 40), 1);
        EQ(test_and_clear(&shared->pir, 40), 1);
        EQ(test_and_clear(&shared->control, 0), 1);
        EQ(bit(&shared->pir, 40), 0);
        progress[0].steps++;
    }
}

static void locked(void *unused)
{
    if (begin() == 0) {
        locked_kernel();
    } else {
        post_and_take(this_cpu()->id);
    }
}

TEST_SMP(U4, 2, "U4 SENDUIPI and LOCKed instructions of another CPU lose "
         "nothing", "7.6 17.12")
{
    race(locked);
    EQ(shared->pir, 0);
}

/* CPU 0 changes NDST and NV, as a kernel does, with plain stores */
static void plain_kernel(void)
{
    volatile uint32_t *ndst_field = (volatile uint32_t *)shared + 1;
    volatile uint8_t *nv_field = (volatile uint8_t *)shared + 2;

    for (unsigned n = 0; senders_left() && !test_failed(); n++) {
        *ndst_field = n;
        *nv_field = n;
        for (int i = 0; i < 4; i++) {
            EQ(*ndst_field, n);
            EQ(*nv_field, (uint8_t)n);
        }
        progress[0].steps++;
    }
}

static void plain(void *unused)
{
    if (begin() == 0) {
        plain_kernel();
    } else {
        post_and_take(this_cpu()->id);
    }
}

TEST_SMP(P5, 2, "P5 SENDUIPI and plain stores of another CPU lose nothing",
         "7.6 17.12")
{
    race(plain);
    EQ(shared->pir, 0);
}

/*
 * Real notifications: CPU 0 receives in ring 0 and takes what arrives out of
 * UIRR. Progress is counted in CPU 0's own steps: a post that it has not
 * seen after so many interrupt windows is lost.
 */
#define STEPS 100000
#define SECOND 32                       /* the second entry of each CPU */

static volatile uint64_t seen[64], windows;
static volatile unsigned nr_sending;    /* CPUs that may owe a notification */

static void take(void)
{
    uint64_t rr;

    irq_window();
    rr = rdmsr(MSR_UINTR_RR);
    if (rr) {
        wrmsr(MSR_UINTR_RR, 0);
        for (unsigned v = 0; v < nr_cpus; v++) {
            seen[v] += rr >> v & 1;
        }
    }
    windows++;
    pause();
}

/*
 * Bursts of changing length, so that the last send, of another vector, which
 * nothing repairs, comes at every moment of the processing of an earlier one
 */
static void notifier(unsigned id)
{
    uint64_t rounds = ROUNDS / 2000, overlaps = 0, random = id;

    test_case = id;
    while (rounds-- && overlaps < OVERLAPS && !finished && !test_failed()) {
        uint64_t before = seen[id], step = windows;

        random = random * 6364136223846793005 + 1442695040888963407;
        __sync_fetch_and_add(&nr_sending, 1);
        for (unsigned n = random >> 59; n; n--) {
            senduipi(id + SECOND);
        }
        senduipi(id);
        __sync_fetch_and_sub(&nr_sending, 1);
        overlaps += windows != step;
        step = windows;
        while (seen[id] == before && windows < step + STEPS) {
            /* Who set ON, and has not notified yet, may not run just now. */
            if (nr_sending) {
                step = windows;
            }
            pause();
        }
        EQ(seen[id], before + 1);
    }
    __sync_fetch_and_add(&finished, 1);
}

/* CPU 0 becomes the receiver before anybody starts to send */
static void arm(void)
{
    uintr_receiver(0, uh_exit);
    clui();
    shared->control = UPID_NV(NV) | UPID_NDST(ndst(0));
    wrmsr(MSR_UINTR_PD, (uint64_t)shared);
    begin();
    wrmsr(MSR_UINTR_MISC, MISC(NV, 63));
}

static void notified(void *unused)
{
    if (this_cpu()->id) {
        notifier(begin());
        return;
    }
    arm();
    while (finished < nr_cpus - 1) {
        take();
    }
}

TEST_SMP(no_lost_notification, 2, "posts and processing race without loss",
         "7.6 7.8 10.1 17.12")
{
    windows = 0;
    memset((void *)seen, 0, sizeof(seen));
    race(notified);
}

/*
 * CPU 0 processes one notification of its own after another, while the
 * others post with LOCKed instructions, and CPU 1 also changes NDST
 */
static volatile uint64_t posted[MAX_CPUS];

static void change_ndst(uint32_t n)
{
    volatile uint32_t *field = (volatile uint32_t *)shared + 1;

    for (int i = 0; i < 16; i++) {
        *field = n + i;
        EQ(*field, n + i);
        EQ(*field, n + i);
    }
}

static void poster(unsigned id)
{
    uint64_t rounds = ROUNDS / 4000;

    test_case = id;
    while (rounds-- && !finished && !test_failed()) {
        EQ(test_and_set(&shared->pir, id), 0);
        posted[id]++;
        for (uint32_t n = 0; bit(&shared->pir, id) && !test_failed(); n++) {
            if (id == 1) {
                change_ndst(n * 16);
            }
            pause();
        }
    }
    __sync_fetch_and_add(&finished, 1);
}

static void processing(void *unused)
{
    if (this_cpu()->id) {
        poster(begin());
        return;
    }
    arm();
    while (finished < nr_cpus - 1) {
        apic_send(apic_id_of(0), 0x4000 | NV);
        take();
    }
    apic_send(apic_id_of(0), 0x4000 | NV);
    take();
}

TEST_SMP(processing_atomic, 2, "processing and other CPUs' stores lose "
         "nothing", "10.1 17.12")
{
    memset((void *)seen, 0, sizeof(seen));
    memset((void *)posted, 0, sizeof(posted));
    race(processing);
    for (unsigned i = 1; i < nr_cpus; i++) {
        test_case = i;
        EQ(seen[i], posted[i]);
    }
}

/* UIRR is ORed, so posts that arrive one by one add up */
static void adding(void *unused)
{
    unsigned id = this_cpu()->id;

    if (id == 1) {
        begin();
        for (unsigned v = 0; v < 64; v++) {
            senduipi(v);
            while (shared->pir && !test_failed()) {
                pause();
            }
        }
        finished = 1;
    } else if (id > 1) {
        begin();
    } else {
        arm();
        while (!finished) {
            irq_window();
            pause();
        }
        EQ(rdmsr(MSR_UINTR_RR), ~0ull);
    }
}

TEST_SMP(adding_up, 2, "64 notifications one after another add up in UIRR",
         "10.1 17.4")
{
    race(adding);
}

/* ON set by one sender keeps the others from notifying until it is cleared */
static void only_one(void *unused)
{
    unsigned id;

    if (this_cpu()->id == 0) {
        shared->control &= ~UPID_SN;
    }
    id = begin();
    for (unsigned n = 0; n < 3000; n++) {
        senduipi(id);
    }
}

static volatile uint64_t interrupts;

static void count(struct ctx *c)
{
    __sync_fetch_and_add(&interrupts, 1);
    apic_eoi();
}

TEST_SMP(one_notification, 2, "many senders with nobody clearing ON send one "
         "notification", "7.6 7.8")
{
    interrupts = 0;
    trap_handler[IRQ] = count;
    race(only_one);
    irq_window();
    EQ(interrupts, 1);
    EQ(shared->control & 3, UPID_ON);
    EQ(shared->pir, (1ull << nr_cpus) - 1);
}
