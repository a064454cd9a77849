/*
 * Random operations: the loop of each CPU, and who watches over it
 *
 * Not a test: run-fuzz runs this, on machines and with options of its own. No
 * result is looked at but that QEMU goes on. What a CPU does is a function of
 * the seed, of its number and of the operation's number, so that a seed can be
 * replayed, and an INIT or a reset of the machine in the middle changes nothing
 * in what comes after.
 *
 * Options: seed=N, ops=N (of each CPU), first=N, hostile, unplug, trace
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "fuzz.h"

/* A reset does not load this again: above the image, below the firmware's */
#define PROGRESS        0x1000000
#define PROGRESS_MAGIC  0x5a5a0000

struct progress {
    uint64_t magic;             /* with the seed */
    uint64_t resets, revivals;
    struct {
        volatile uint64_t next;         /* operation; written by its CPU only */
        volatile uint64_t counts[NR_COUNTS];
    } __attribute__((aligned(64))) cpu[MAX_CPUS];
};

static struct progress *const progress = (struct progress *)PROGRESS;
static uint32_t seed;
static uint64_t last;
static unsigned total_weight;
static bool hostile, trace;
static uint64_t unplug_at = -1;                 /* operation of CPU 0 */
static volatile unsigned arrived;
static volatile unsigned gone = MAX_CPUS;       /* a CPU that was unplugged */

static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

uint64_t roll(struct dice *d)
{
    d->state += 0x9e3779b97f4a7c15ull;
    return mix(d->state);
}

unsigned below(struct dice *d, unsigned n)
{
    return (uint32_t)roll(d) % n;
}

void count(unsigned what, uint64_t n)
{
    progress->cpu[this_cpu()->id].counts[what] += n;
}

static unsigned total(unsigned what)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < nr_cpus; i++) {
        n += progress->cpu[i].counts[what];
    }
    return n;
}

static uint64_t all_ops(void)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < nr_cpus; i++) {
        n += progress->cpu[i].next;
    }
    return n;
}

/* The runner takes a machine for hung that does not print this any more. */
static void report(void)
{
    static uint64_t reported;
    uint64_t n = all_ops();

    if (n >= reported + 256) {
        reported = n;
        printf("# at %u\n", (unsigned)n);
    }
}

static const struct op *choose(struct dice *d)
{
    unsigned n = below(d, total_weight);
    const struct op *op = ops;

    while (n >= op->weight || (op->hostile && !hostile)) {
        n -= op->hostile && !hostile ? 0 : op->weight;
        op++;
    }
    return op;
}

/* One line after the other, unless a CPU had an INIT while it was printing */
static void say(unsigned cpu, uint64_t n, const char *name)
{
    static volatile uint32_t busy;

    for (int i = 0; i < 10000 && __sync_lock_test_and_set(&busy, 1); i++) {
        pause();
    }
    printf("# cpu %u op %u %s\n", cpu, (unsigned)n, name);
    __sync_lock_release(&busy);
}

static void do_op(uint64_t n)
{
    unsigned cpu = this_cpu()->id;
    struct dice d = { mix((uint64_t)seed << 32 | cpu << 24) ^ mix(n) };
    const struct op *op = choose(&d);

    /* Before: a CPU that does not come back from it goes on with the next */
    progress->cpu[cpu].next = n + 1;
    if (trace) {
        say(cpu, n, op->name);
    }
    op->fn(&d);
}

static bool finished(unsigned cpu)
{
    return progress->cpu[cpu].next >= last || cpu == gone;
}

/*
 * A CPU may wait for an interrupt that never comes, go round in random code,
 * or wait for a SIPI. It is waited for, each time twice as long, as it may
 * just be slow, before it gets an NMI (which ends a context at CPL 3), an INIT
 * and a SIPI. INIT of the first CPU resets the machine, so it gets NMIs only.
 */
static void watch(unsigned cpu)
{
    static struct {
        uint64_t seen, since, patience;
        unsigned step;
    } all[MAX_CPUS];
    __typeof__(&all[0]) w = &all[cpu];
    uint64_t next = progress->cpu[cpu].next, now = rdtsc();

    if (finished(cpu) || next != w->seen) {
        w->seen = next;
        w->since = now;
        w->step = 0;
        w->patience = 1 << 24;
        return;
    }
    if (now - w->since < w->patience) {
        return;
    }
    w->since = now;
    progress->revivals++;
    if (w->step == 0 || cpu == 0) {
        apic_send(apic_id_of(cpu), 0x4400);
    } else if (w->step == 1) {
        /* Its own APIC may have another ID, or be in another mode. */
        apic_send(apic_id_of(cpu), w->patience >> 26 ? 0xc4500 : 0x4500);
    } else {
        copy_ap_start();        /* see op_init() */
        apic_send(apic_id_of(cpu), (w->patience >> 26 ? 0xc4600 : 0x4600) |
                  AP_START >> 12);
        w->patience *= 2;
    }
    w->step = (w->step + 1) % 3;
}

/* QEMU's docs/specs/acpi_cpu_hotplug.rst, on the machine "pc" */
static void unplug_last_cpu(void)
{
    outb(0xaf00, 0);
    outw(0xaf00, nr_cpus - 1);
    gone = nr_cpus - 1;
    outb(0xaf04, 8);
}

static void fuzz_cpu(void)
{
    unsigned cpu = this_cpu()->id;

    fuzz_reset_cpu();
    while (!finished(cpu)) {
        if (cpu == 0 && progress->cpu[0].next == unplug_at) {
            unplug_last_cpu();
        }
        do_op(progress->cpu[cpu].next);
        if (cpu == 0) {
            for (unsigned i = 1; i < nr_cpus; i++) {
                watch(i);
            }
            report();
        } else if (cpu == 1) {
            watch(0);
        }
        pause();                /* with one thread for all: the next CPU */
    }
}

/*
 * From here each CPU but the first comes and goes: by the first start, and by
 * an INIT and a SIPI in the middle of it. At first nobody starts before all are
 * here, as some of what comes then would not be understood in cpu_idle().
 */
static void restarted(void *unused)
{
    __sync_fetch_and_add(&arrived, 1);
    while (arrived < nr_cpus - 1) {
        pause();
    }
    fuzz_cpu();
    for (;;) {
        if (this_cpu()->id == 1) {
            watch(0);
            pause();
        } else {
            asm volatile("cli; hlt" : : : "memory");
        }
    }
}

static void start(void)
{
    unsigned first = number_option("first=", 0);

    seed = number_option("seed=", 1);
    last = first + (uint64_t)number_option("ops=", 1000);
    hostile = has_option("hostile");
    trace = has_option("trace");
    if (has_option("unplug")) {
        unplug_at = first + (last - first) / 2;
    }
    for (unsigned i = 0; i < nr_ops; i++) {
        total_weight += ops[i].hostile && !hostile ? 0 : ops[i].weight;
    }
    if (after_reset() && progress->magic == PROGRESS_MAGIC + seed) {
        progress->resets++;
        return;
    }
    memset(progress, 0, sizeof(*progress));
    progress->magic = PROGRESS_MAGIC + seed;
    for (unsigned i = 0; i < nr_cpus; i++) {
        progress->cpu[i].next = first;
    }
}

TEST(fuzz, "the machine goes on", "")
{
    resets_are_fine();
    /* Random code at CPL 3 reaches this program's memory through its alias. */
    crashes_are_fine = true;
    start();
    cpu_restarted = restarted;
    for (unsigned i = 1; i < nr_cpus; i++) {
        start_on(i, restarted, NULL);
    }
    while (arrived < nr_cpus - 1) {
        pause();
    }
    fuzz_cpu();
    for (unsigned i = 1; i < nr_cpus; i++) {
        while (!finished(i)) {
            watch(i);
            report();
            pause();
        }
    }
    printf("# senduipi %u %u xsave %u %u ops %u revived %u resets %u\n",
           total(SENDUIPI), total(SENT), total(XSAVE), total(XSAVED),
           (unsigned)all_ops(), (unsigned)progress->revivals,
           (unsigned)progress->resets);
}
