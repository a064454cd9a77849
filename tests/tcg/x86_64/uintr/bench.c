/*
 * How long it takes, in emulated time of a guest without an operating system
 *
 * Not a test: scripts/bench runs this on two QEMUs in turn. A figure is a line
 * "# figure NAME PICOSECONDS ROUNDS", for one of what is measured with its
 * share of the loop around it; "# sample NAME NANOSECONDS" is a single round.
 * Needs the option "x2apic", as on the references that it is compared with.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

#define HPET            0xfed00000
#define HPET_PERIOD     0x004           /* of its counter, in femtoseconds */
#define HPET_CONFIG     0x010
#define HPET_COUNTER    0x0f0

#define KVEC_SELF       0x51            /* kernel-mode handlers */
#define KVEC_PING       0x52
#define KVEC_PONG       0x53
#define NR_SAMPLES      4096

static uint32_t samples[NR_SAMPLES];

static uint32_t hpet_read(uint32_t reg)
{
    return *(volatile uint32_t *)(uintptr_t)(HPET + reg);
}

/* The lower half of the counter wraps after 42 s; no figure takes that long */
static uint32_t hpet_now(void)
{
    static bool running;

    if (!running) {
        *(volatile uint32_t *)(HPET + HPET_CONFIG) = 1;
        running = true;
    }
    return hpet_read(HPET_COUNTER);
}

static uint64_t picoseconds(uint32_t ticks)
{
    return (uint64_t)ticks * (hpet_read(HPET_PERIOD) / 1000);
}

/*
 * The context counts RBX down to 0 and does @per of what is measured each time.
 * One run of a few rounds goes before, for the translation. Returns the number
 * of all rounds.
 */
static unsigned figure(const char *name, struct ctx *c, unsigned rounds,
                       unsigned per)
{
    const unsigned warm_up = 1000;
    struct ctx start = *c;
    uint32_t ticks;

    rounds /= number_option("divide=", 1);
    c->rbx = warm_up;
    EQ(run(c), VEC_DONE);
    *c = start;
    c->rbx = rounds;
    ticks = hpet_now();
    EQ(run(c), VEC_DONE);
    ticks = hpet_now() - ticks;
    printf("# figure %s %u %u\n", name,
           (unsigned)(picoseconds(ticks) / rounds / per), rounds);
    return warm_up + rounds;
}

/* The TSC's frequency is the host's, and is not known here. */
static void print_samples(const char *name, uint64_t tsc, uint32_t ticks)
{
    uint64_t ns = picoseconds(ticks) / 1000;

    for (int i = 0; i < NR_SAMPLES; i++) {
        printf("# sample %s %u\n", name, (unsigned)(samples[i] * ns / tsc));
    }
}

/* The same with a time stamp for each round, R8 being where they go */
static void sample(const char *name, struct ctx *c)
{
    uint32_t ticks;
    uint64_t tsc;

    c->rbx = NR_SAMPLES;
    c->r8 = (uint64_t)samples + (c->cs & 3 ? USER_BASE : 0);
    tsc = rdtsc();
    ticks = hpet_now();
    EQ(run(c), VEC_DONE);
    print_samples(name, rdtsc() - tsc, hpet_now() - ticks);
}

#define ROUND(body)     "1: " body "; dec %ebx; jnz 1b"
#define STAMPED(body)                                                   \
    "1: rdtsc; mov %eax, %r9d; " body "; rdtsc; sub %r9d, %eax;"        \
    "mov %eax, (%r8); add $4, %r8; dec %ebx; jnz 1b"

/* ---- without interrupts ---- */

SNIPPET(b_loop, ROUND(""));
SNIPPET(b_clui, ROUND(".rept 16; clui; .endr"));
SNIPPET(b_stui, ROUND(".rept 16; stui; .endr"));
SNIPPET(b_testui, ROUND(".rept 16; testui; .endr"));
SNIPPET(b_ret, ROUND("mov %rdi, %rsp; ret; b_ret_back:"));
SNIPPET(b_uiret, ROUND("mov %rdi, %rsp; uiret; b_uiret_back:"));
extern const char b_ret_back[], b_uiret_back[];

static struct ctx *with_frame(const void *code, const void *back)
{
    struct ctx *c = user(code);
    uint64_t *frame = uarea()->scratch;

    frame[0] = USER(back);
    frame[1] = FL_1 | FL_IF;
    frame[2] = user_stack_top();
    c->rdi = USER(frame);
    return c;
}

TEST(loop, "a round of a loop", "")
{
    figure("loop", user(b_loop), 10000000, 1);
}

TEST(near_ret, "RET to an address from memory", "")
{
    figure("ret", with_frame(b_ret, b_ret_back), 5000000, 1);
}

TEST(flags, "CLUI, STUI with nothing pending, TESTUI", "")
{
    if (!has_uintr()) {
        return;
    }
    figure("clui", user(b_clui), 1000000, 16);
    figure("stui", user(b_stui), 1000000, 16);
    figure("testui", user(b_testui), 1000000, 16);
}

TEST(uiret, "UIRET with nothing pending", "")
{
    if (has_uintr()) {
        figure("uiret", with_frame(b_uiret, b_uiret_back), 2000000, 1);
    }
}

/* ---- interrupts of the APIC, as kernel code has them ---- */

asm(".pushsection .text\n"
    "k_end: push %rax\n"                /* of this interrupt */
    "   push %rcx\n"
    "   push %rdx\n"
    "   mov $0x80b, %ecx\n"
    "   xor %eax, %eax\n"
    "   xor %edx, %edx\n"
    "   wrmsr\n"
    "   jmp *%r10\n"
    "k_back: pop %rdx\n"
    "   pop %rcx\n"
    "   pop %rax\n"
    "   iretq\n"
    "k_count: lock incq k_counter(%rip)\n"
    "   jmp k_back\n"
    "k_reply: mov $0x830, %ecx\n"       /* to the APIC whose ID is 0 */
    "   mov $0x4053, %eax\n"
    "   wrmsr\n"
    "   jmp k_back\n"
    ".popsection");
extern const char k_end[], k_count[], k_reply[];
volatile uint64_t k_counter, k_ready, k_stop;

/* Entered directly, without the runtime's handlers; continues at R10 */
static void set_gate(uint8_t vector)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) idtr;
    uint64_t *gate;

    asm volatile("sidt %0" : "=m"(idtr));
    gate = (uint64_t *)idtr.base + 2 * vector;
    gate[0] = ((uint64_t)k_end & 0xffff) | (uint64_t)SEL_CODE64 << 16 |
              0x8eull << 40 | ((uint64_t)k_end >> 16 & 0xffff) << 48;
    gate[1] = (uint64_t)k_end >> 32;
}

/* With interrupts on; @handler goes on after the EOI */
static struct ctx *kernel_with(const void *code, const void *handler)
{
    struct ctx *c = kernel(code);

    c->rflags |= FL_IF;
    c->r10 = (uint64_t)handler;
    return c;
}

#define SEND_SELF "mov $0x83f, %ecx; mov $0x51, %eax; wrmsr"
#define SEND_PING "mov $0x830, %ecx; mov $0x4052, %eax; mov $1, %edx;"  \
                  "mov k_counter, %rsi; wrmsr;"                         \
                  "2: cmp %rsi, k_counter; je 2b"

SNIPPET(b_apic_self, ROUND(SEND_SELF));
SNIPPET(b_apic_self_stamped, STAMPED(SEND_SELF));
SNIPPET(b_apic_ping, ROUND(SEND_PING));
SNIPPET(b_apic_ping_stamped, STAMPED(SEND_PING));
SNIPPET(b_apic_pong, "movq $1, k_ready; 1: cmpq $0, k_stop; je 1b");

TEST(apic_self, "self-IPI, handler with EOI, IRET in x2APIC mode", "")
{
    uint64_t before = k_counter;
    unsigned rounds;

    set_gate(KVEC_SELF);
    rounds = figure("apic_self", kernel_with(b_apic_self, k_count), 300000, 1);
    EQ(k_counter - before, rounds);
    sample("apic_self", kernel_with(b_apic_self_stamped, k_count));
}

static void apic_pong(void *unused)
{
    EQ(run(kernel_with(b_apic_pong, k_reply)), VEC_DONE);
}

TEST_SMP(apic_round_trip, 2, "IPI to another CPU, whose handler replies", "")
{
    set_gate(KVEC_PING);
    set_gate(KVEC_PONG);
    start_on(1, apic_pong, NULL);
    while (!k_ready) {
        pause();
    }
    figure("apic_round_trip", kernel_with(b_apic_ping, k_count), 100000, 1);
    sample("apic_round_trip", kernel_with(b_apic_ping_stamped, k_count));
    k_stop = 1;
    wait_cpu(1);
}

/* ---- user interrupts ---- */

asm(".pushsection .text\n"
    "u_count: incq %fs:0\n"
    "   add $8, %rsp\n"
    "   uiret\n"
    "u_reply: push %rax\n"
    "   mov $2, %eax\n"
    "   senduipi %rax\n"
    "   pop %rax\n"
    "   add $8, %rsp\n"
    "   uiret\n"
    ".popsection");
extern const char u_count[], u_reply[];

#define USEND_PING "mov %fs:0, %rsi; senduipi %rcx; 2: cmp %rsi, %fs:0; je 2b"

SNIPPET(b_self, ROUND("senduipi %rcx"));
SNIPPET(b_self_stamped, STAMPED("senduipi %rcx"));
SNIPPET(b_ping, ROUND(USEND_PING));
SNIPPET(b_ping_stamped, STAMPED(USEND_PING));
/* Says in counts[0] that it receives, and goes on until the flag is set */
SNIPPET(b_pong, "movq $1, %fs:16; 1: cmpq $0, %fs:8; je 1b");

/* PAUSE would leave for the main loop, and take locks there. */
static void start_receiver(unsigned cpu, void (*fn)(void *))
{
    volatile uint64_t *ready = &uareas[cpu].counts[0];

    start_on(cpu, fn, NULL);
    while (!*ready) {
        continue;
    }
}

static void spin_for(unsigned cpu)
{
    while (__atomic_load_n(&cpus[cpu].job, __ATOMIC_ACQUIRE)) {
        continue;
    }
}

/* The context sends by entry 1 to CPU @to, whose handler replies by entry 2 */
static struct ctx *sender(const void *code, unsigned to)
{
    struct ctx *c;

    uintr_self();
    wrmsr(MSR_UINTR_HANDLER, USER(u_count));
    uitt[1].upid = (uint64_t)&upids[to];
    c = user(code);
    c->rcx = 1;
    return c;
}

TEST(self, "SENDUIPI to oneself, handler, UIRET", "")
{
    unsigned rounds;

    if (!has_uintr()) {
        return;
    }
    rounds = figure("self", sender(b_self, 0), 1000000, 1);
    EQ(uarea()->count, rounds);
    sample("self", sender(b_self_stamped, 0));
}

static void pong(void *unused)
{
    uintr_receiver(1, u_reply);
    wrmsr(MSR_UINTR_TT, (uint64_t)uitt | TT_ENABLE);
    EQ(run(user(b_pong)), VEC_DONE);
}

TEST_SMP(round_trip, 2, "SENDUIPI to another CPU, whose handler replies", "")
{
    if (!has_uintr()) {
        return;
    }
    uintr_self();
    start_receiver(1, pong);
    figure("round_trip", sender(b_ping, 1), 200000, 1);
    sample("round_trip", sender(b_ping_stamped, 1));
    uareas[1].flag = 1;
    wait_cpu(1);
}

TEST(suppressed, "SENDUIPI with ON or SN set", "")
{
    struct ctx *c;

    if (!has_uintr()) {
        return;
    }
    c = sender(b_self, 0);
    upids[0].control |= UPID_SN;
    figure("send_sn", c, 2000000, 1);
    c = sender(b_self, 0);
    upids[0].control |= UPID_ON;
    figure("send_on", c, 2000000, 1);
    EQ(uarea()->count, 0);
}

/*
 * Sending alone: the sender itself clears ON, so that each SENDUIPI notifies
 * another CPU. That one only counts, and misses what it is too slow for.
 */
SNIPPET(b_send, ROUND("senduipi %rcx; lock andq $~1, (%rdi)"));

static void count(void *unused)
{
    unsigned cpu = this_cpu()->id;

    uintr_receiver(cpu, u_count);
    EQ(run(user(b_pong)), VEC_DONE);
}

static struct ctx *far_sender(unsigned to)
{
    struct ctx *c;

    wrmsr(MSR_UINTR_MISC, 63);
    wrmsr(MSR_UINTR_TT, (uint64_t)uitt | TT_ENABLE);
    uitt[to].lo = UITTE(1);
    uitt[to].upid = (uint64_t)&upids[to];
    c = user(b_send);
    c->rcx = to;
    c->rdi = USER(&upids[to]);
    return c;
}

TEST_SMP(send, 2, "SENDUIPI that notifies another CPU", "")
{
    if (!has_uintr()) {
        return;
    }
    start_receiver(1, count);
    figure("send", far_sender(1), 1000000, 1);
    uareas[1].flag = 1;
    wait_cpu(1);
    EQ(uareas[1].count > 0, 1);
}

#define PAIRS           4
#define PAIR_SENDS      50000

static void send_to_pair(void *unused)
{
    struct ctx *c = far_sender(PAIRS + this_cpu()->id);

    c->rbx = PAIR_SENDS;
    EQ(run(c), VEC_DONE);
}

/* For a count of locks, not for the time */
TEST_SMP(pairs, 2 * PAIRS, "4 CPUs send to 4 others", "")
{
    if (!has_uintr()) {
        return;
    }
    for (unsigned i = 0; i < PAIRS; i++) {
        start_receiver(PAIRS + i, count);
    }
    printf("# count %u\n", PAIRS * PAIR_SENDS);
    for (unsigned i = 1; i < PAIRS; i++) {
        start_on(i, send_to_pair, NULL);
    }
    send_to_pair(NULL);
    for (unsigned i = 1; i < PAIRS; i++) {
        spin_for(i);
    }
    for (unsigned i = 0; i < PAIRS; i++) {
        uareas[PAIRS + i].flag = 1;
        spin_for(PAIRS + i);
        EQ(uareas[PAIRS + i].count > 0, 1);
    }
}
