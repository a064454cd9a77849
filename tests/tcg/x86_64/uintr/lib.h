/*
 * Runtime of the bare-metal tests of user interrupts
 *
 * A test runs in ring 0 with interrupts off, and executes the code under
 * test as a *context* at any CPL and mode: run() loads all registers of
 * struct ctx, and the next exception or interrupt ends it and stores all
 * registers back. A fault is thus an ordinary value.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef UINTR_LIB_H
#define UINTR_LIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "layout.h"
#include "x86.h"

/* ---- tests and their results (lib.c) ---- */

struct test {
    const char *name;
    const char *rules;      /* rules of the spec whose outcome it checks */
    void (*fn)(void);
    uint64_t cpus;
};

#define TEST_SMP(fn, cpus, name, rules)                                 \
    static void fn(void);                                               \
    static const struct test test_##fn                                  \
    __attribute__((used, section(".tests"), aligned(8))) =              \
        { name, rules, fn, cpus };                                      \
    static void fn(void)
#define TEST(fn, name, rules) TEST_SMP(fn, 1, name, rules)

/* Record a failure; the first one of a test is reported */
void check_eq(uint64_t got, uint64_t wanted, const char *what, int line);
#define EQ(got, wanted) \
    check_eq((uint64_t)(got), (uint64_t)(wanted), #got, __LINE__)
bool test_failed(void);
extern uint64_t test_case;      /* a loop's counter, shown with a failure */
void test_skip(const char *why);
/*
 * Reset the machine: the test starts again with after_reset() true. Migrate
 * it: goes on in another QEMU, if the runner can do that, else returns false.
 */
void machine_reset(void) __attribute__((noreturn));
bool after_reset(void);
void resets_are_fine(void);     /* also one that nobody asked for is a reset */
extern volatile bool crashes_are_fine;  /* an exception in ring 0 resets, too */
bool machine_migrate(void);

void printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void die(const char *why, uint64_t a, uint64_t b, uint64_t c)
    __attribute__((noreturn));
void *memset(void *p, int c, size_t n);
void *memcpy(void *d, const void *s, size_t n);
int memcmp(const void *a, const void *b, size_t n);
bool has_option(const char *name);
unsigned number_option(const char *name, unsigned def);

/* ---- contexts (trap.c) ---- */

struct ctx {
    /* in the order the trap entry pushes them */
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
    uint64_t rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error, rip, cs, rflags, rsp, ss;
    uint64_t cr2;
};

struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3, iomap;
} __attribute__((packed));

struct cpu {
    struct cpu *self;               /* CPU_SELF */
    struct ctx *running;
    uint64_t saved_rsp;
    uint32_t id;
    void (*volatile job)(void *);
    void *job_arg;
    volatile bool online;
    struct ctx ctx;
    uint64_t irqs[256];             /* interrupts taken outside a context */
    uint64_t gdt[14];
    struct tss tss;
    uint8_t trap_stack[STACK_SIZE] __attribute__((aligned(64)));
    uint8_t irq_stack[STACK_SIZE] __attribute__((aligned(64)));
    uint8_t nmi_stack[STACK_SIZE] __attribute__((aligned(64)));
    uint8_t kernel_stack[STACK_SIZE] __attribute__((aligned(64)));
} __attribute__((aligned(64)));

extern struct cpu cpus[MAX_CPUS];
extern unsigned nr_cpus;

static inline struct cpu *this_cpu(void)
{
    struct cpu *c;

    asm volatile("mov %%gs:%c1, %0" : "=r"(c) : "i"(CPU_SELF));
    return c;
}

/*
 * Memory that user code may address through %fs: a log of delivered user
 * interrupts and the stack. uh_log (snippets.c) fills the log.
 */
struct ulog {
    uint64_t vector, rip, rflags, rsp, frame;
};
#define ULOG_SIZE 32
struct uarea {
    uint64_t count;                 /* handler runs */
    uint64_t flag;                  /* free for tests */
    uint64_t counts[64];            /* handler runs per vector */
    struct ulog log[ULOG_SIZE];
    uint64_t scratch[64];
    uint8_t stack[STACK_SIZE] __attribute__((aligned(64)));
} __attribute__((aligned(4096)));
extern struct uarea uareas[MAX_CPUS];

static inline struct uarea *uarea(void)
{
    return &uareas[this_cpu()->id];
}

/* The address of code or data in the user alias */
#define USER(p) ((uint64_t)(p) + USER_BASE)

/* Code for a context: ends with a software interrupt VEC_DONE */
#define SNIPPET(name, body)                                             \
    extern const char name[];                                           \
    asm(".pushsection .text\n.globl " #name "\n.balign 16\n"            \
        #name ":\n" body "\nint $0x20\n.popsection")

/* This CPU's context, set up for @code at CPL 3, CPL 0, ... */
struct ctx *user(const void *code);         /* 64-bit, CPL 3, IF=1 */
struct ctx *compat(const void *code);       /* 32-bit, CPL 3, IF=1 */
struct ctx *kernel(const void *code);       /* 64-bit, CPL 0, IF=0 */
struct ctx *ring(int cpl, const void *code);
uint64_t run(struct ctx *c);                /* returns c->vector */
uint64_t user_stack_top(void);

/* Called instead of ending the context; must EOI if it is an interrupt */
extern void (*volatile trap_handler[256])(struct ctx *);

/* What a CPU does after INIT and SIPI, if not to wait for a job */
extern void (*volatile cpu_restarted)(void *unused);

/* Accept whatever maskable interrupt is pending; see cpu->irqs[] */
void irq_window(void);
void smp_boot(void);
void copy_ap_start(void);       /* to where a SIPI sends a CPU */
void on_cpu(unsigned cpu, void (*fn)(void *), void *arg);
void start_on(unsigned cpu, void (*fn)(void *), void *arg);
void wait_cpu(unsigned cpu);

/* Fault vector of one instruction in ring 0, VEC_DONE if it completed */
uint64_t try_wrmsr(uint32_t msr, uint64_t value);
uint64_t try_rdmsr(uint32_t msr, uint64_t *value);
uint64_t try_cr4(uint64_t value);

/* ---- paging (paging.c) ---- */

#define PTE_P   1ull
#define PTE_W   2ull
#define PTE_U   4ull
#define PTE_A   0x20ull
#define PTE_D   0x40ull
#define PTE_PKEY(k) ((uint64_t)(k) << 59)
#define PTE_NX  (1ull << 63)

/* Window page @n shows the physical page @pa */
void *map(unsigned n, uint64_t pa, uint64_t flags);
void unmap(unsigned n);
uint64_t pte(unsigned n);
void set_pte(unsigned n, uint64_t value);
extern uint8_t spare_pages[8][4096];        /* for a test's own use */

/* ---- local APIC (apic.c) ---- */

extern bool x2apic;
void apic_init(void);
uint32_t apic_read(uint32_t reg);
void apic_write(uint32_t reg, uint32_t value);
uint64_t apic_icr(void);
void apic_send(uint32_t dest, uint32_t low);
void apic_eoi(void);
bool apic_irr(uint8_t vector);
bool apic_isr(uint8_t vector);
bool apic_idle(void);                       /* nothing in IRR and ISR */
uint32_t apic_id_of(unsigned cpu);
uint32_t ndst(unsigned cpu);                /* as UPID.NDST wants it */
void apic_timer_oneshot(uint8_t vector, uint32_t ticks);
void ioapic_write(uint32_t reg, uint32_t value);
uint32_t ioapic_read(uint32_t reg);

#include "uintr.h"

#endif
