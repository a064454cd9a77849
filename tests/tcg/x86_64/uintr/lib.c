/*
 * Output, options, and the loop over the tests of a binary
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdarg.h>
#include "lib.h"

extern const struct test tests_start[], tests_end[];
extern uint32_t pvh_info;

static unsigned current;            /* number of the running test, from 1 */
static const char *skip_reason;
static struct {
    volatile uint32_t set;
    int line;
    const char *what;
    uint64_t wanted, got, case_nr;
} failure;
uint64_t test_case;

static void put_number(uint64_t v, unsigned base)
{
    char buf[20];
    int n = 0;

    do {
        buf[n++] = "0123456789abcdef"[v % base];
        v /= base;
    } while (v);
    while (n) {
        outb(0xe9, buf[--n]);
    }
}

static void put_string(const char *s)
{
    while (*s) {
        outb(0xe9, *s++);
    }
}

/* Knows %s, %u, %d and %lx */
void printf(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    for (; *fmt; fmt++) {
        if (*fmt != '%') {
            outb(0xe9, *fmt);
            continue;
        }
        switch (*++fmt) {
        case 's':
            put_string(va_arg(ap, const char *));
            break;
        case 'u':
        case 'd':
            put_number(va_arg(ap, unsigned), 10);
            break;
        case 'l':
            fmt++;
            put_string("0x");
            put_number(va_arg(ap, uint64_t), 16);
            break;
        }
    }
    va_end(ap);
}

void *memset(void *p, int c, size_t n)
{
    uint8_t *d = p;

    while (n--) {
        *d++ = c;
    }
    return p;
}

void *memcpy(void *dst, const void *src, size_t n)
{
    uint8_t *d = dst;
    const uint8_t *s = src;

    while (n--) {
        *d++ = *s++;
    }
    return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;

    for (; n; n--, x++, y++) {
        if (*x != *y) {
            return *x - *y;
        }
    }
    return 0;
}

/*
 * The kernel command line, from the PVH start information, as it was when CPU 0
 * started: nothing keeps a test from that memory.
 */
static const char *command_line(void)
{
    const uint64_t *info = (const uint64_t *)(uintptr_t)pvh_info;
    static char line[512];
    static bool known;

    if (!known && info && info[3]) {
        memcpy(line, (const char *)info[3], sizeof(line) - 1);
    }
    known = true;
    return line;
}

/* The rest of the option that starts with @name, or NULL */
static const char *option(const char *name)
{
    const char *s = command_line();

    while (*s) {
        const char *n = name;

        while (*n && *n == *s) {
            n++, s++;
        }
        if (!*n) {
            return s;
        }
        while (*s && *s != ' ') {
            s++;
        }
        while (*s == ' ') {
            s++;
        }
    }
    return NULL;
}

bool has_option(const char *name)
{
    return option(name) != NULL;
}

unsigned number_option(const char *name, unsigned def)
{
    const char *s = option(name);
    unsigned v = 0;

    if (!s) {
        return def;
    }
    for (; *s >= '0' && *s <= '9'; s++) {
        v = v * 10 + *s - '0';
    }
    return v;
}

/*
 * A failed run leaves through isa-debug-exit with an odd status, a good one
 * through the ACPI power button, the only way to status 0.
 */
static void __attribute__((noreturn)) leave(bool good)
{
    if (good) {
        outw(0x604, 0x2000);
    } else {
        outb(0xf4, 1);
    }
    for (;;) {
        asm volatile("cli; hlt");
    }
}

void check_eq(uint64_t got, uint64_t wanted, const char *what, int line)
{
    if (got == wanted || __sync_lock_test_and_set(&failure.set, 1)) {
        return;
    }
    failure.what = what;
    failure.line = line;
    failure.wanted = wanted;
    failure.got = got;
    failure.case_nr = test_case;
}

bool test_failed(void)
{
    return failure.set;
}

void test_skip(const char *why)
{
    skip_reason = why;
}

/* The test, and with it the binary, cannot go on */
void die(const char *why, uint64_t a, uint64_t b, uint64_t c)
{
    static volatile uint32_t dying;

    while (__sync_lock_test_and_set(&dying, 1)) {
        asm volatile("cli; hlt");       /* another CPU was first */
    }
    printf("not ok %u - %s # wanted the test to end, got %s "
           "%lx %lx %lx (cpu %u)\n", current,
           current ? tests_start[current - 1].name : "start-up",
           why, a, b, c, this_cpu()->id);
    leave(false);
}

/*
 * Two bytes of CMOS memory survive a reset: what the machine was doing, and
 * the number of the test. A reset nobody asked for, such as a triple fault,
 * ends the binary like a crash.
 */
#define CMOS_PHASE      0x70
#define CMOS_TEST       0x71
#define PHASE_RUNNING   0xaa
#define PHASE_RESET     0x55

static bool resumed;

static void cmos_write(uint8_t reg, uint8_t v)
{
    outb(0x70, reg);
    outb(0x71, v);
}

static uint8_t cmos_read(uint8_t reg)
{
    outb(0x70, reg);
    return inb(0x71);
}

void resets_are_fine(void)
{
    cmos_write(CMOS_TEST, current);
    cmos_write(CMOS_PHASE, PHASE_RESET);
}

void machine_reset(void)
{
    resets_are_fine();
    outb(0xcf9, 2);
    outb(0xcf9, 6);
    for (;;) {
        asm volatile("cli; hlt");
    }
}

bool after_reset(void)
{
    return resumed;
}

static volatile bool migrated;

static void arrived(struct ctx *c)
{
    migrated = true;
}

/* The runner answers this line, and ends with an NMI on the new machine */
bool machine_migrate(void)
{
    if (!has_option("migrate")) {
        test_skip("only under the runner");
        return false;
    }
    migrated = false;
    trap_handler[EXC_NMI] = arrived;
    printf("# migrate\n");
    while (!migrated) {
        pause();
    }
    return true;
}

static bool run_test(const struct test *t)
{
    failure.set = 0;
    skip_reason = NULL;
    test_case = 0;
    if (t->cpus > nr_cpus) {
        printf("ok %u - %s # SKIP needs %u CPUs\n", current, t->name,
               (unsigned)t->cpus);
        return true;
    }
    /* The runner blames this test if nothing follows */
    printf("# %u - %s\n", current, t->name);
    for (unsigned i = nr_cpus; i--; ) {
        on_cpu(i, uintr_reset_cpu, NULL);
    }
    t->fn();
    if (failure.set) {
        printf("not ok %u - %s # wanted %s = %lx, got %lx "
               "(case %lx, line %u)\n", current, t->name, failure.what,
               failure.wanted, failure.got, failure.case_nr, failure.line);
    } else if (skip_reason) {
        printf("ok %u - %s # SKIP %s\n", current, t->name, skip_reason);
    } else {
        printf("ok %u - %s\n", current, t->name);
    }
    return !failure.set;
}

/* Option: from=N, the first test to run */
void run_tests(void)
{
    unsigned n = tests_end - tests_start;
    unsigned from = number_option("from=", 1);
    unsigned upto = number_option("upto=", n);
    bool good = true;
    uint8_t phase = cmos_read(CMOS_PHASE);

    cmos_write(CMOS_PHASE, PHASE_RUNNING);
    if (phase == PHASE_RUNNING) {
        printf("# unexpected reset\n");
        leave(false);
    } else if (phase == PHASE_RESET) {
        resumed = true;
        from = cmos_read(CMOS_TEST);
    } else {
        printf("1..%u\n", n);
    }
    for (current = from; current <= upto; current++) {
        if (has_option("list")) {
            printf("# %u - %s\n", current, tests_start[current - 1].name);
            continue;
        }
        good &= run_test(&tests_start[current - 1]);
        resumed = false;
    }
    printf("# end\n");
    while (has_option("stay")) {        /* for the monitor, which says quit */
        asm volatile("cli; hlt");
    }
    leave(good);
}
