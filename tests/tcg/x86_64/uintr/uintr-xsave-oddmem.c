/*
 * XSAVE areas where no operating system puts them: over two pages of which
 * one is a device or is not there, and over the end of the address space.
 *
 * An instruction is executed on an area in one piece of RAM, and on an area
 * of the same contents in the odd place. Both must end in the same way, and
 * leave the same in registers and memory; a fault must change nothing.
 *
 * At the end of the address space: all bytes of an area that goes on at 0
 * have canonical addresses, and there are no limits in 64-bit mode (SDM
 * volume 3A, section 5.3.1). In compatibility mode, with a limit of 4 GiB,
 * the CPU may fault or not (section 5.3); QEMU does not.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

extern volatile uint64_t pml4[512], pml5[512];

#define PA_HPET     0xfed00000
#define HPET_COUNT  0xf0            /* keeps what is written to it */
#define PA_NOTHING  0xd0000000
#define NO_PAGE     (~0ull)
#define DR7_NONE    0x400ull
#define DR7_RW_8    0xb0401ull      /* address 0, reads and writes, 8 bytes */
#define RAM(n)      ((uint64_t)spare_pages[n])

/* Without REX.W these are the same bytes in 64-bit and 32-bit code */
SNIPPET(s_fxsave, "fxsave (%rdi)");
SNIPPET(s_fxrstor, "fxrstor (%rdi)");
SNIPPET(s_xsave, "xsave (%rdi)");
SNIPPET(s_xsaveopt, "xsaveopt (%rdi)");
SNIPPET(s_xrstor, "xrstor (%rdi)");
SNIPPET(s_xsavec, "xsavec (%rdi)");
SNIPPET(s_xsaves, "xsaves (%rdi)");
SNIPPET(s_xrstors, "xrstors (%rdi)");

enum { X87, FX, STANDARD, COMPACT, SUPERVISOR };
enum { FXSAVE, FXRSTOR, XSAVE, XSAVEOPT, XRSTOR, XSAVEC, XSAVES, XRSTORS };

static const struct insn {
    const char *code;
    int format;
    bool store;
} insns[] = {
    [FXSAVE] = { s_fxsave, FX, true },
    [FXRSTOR] = { s_fxrstor, FX, false },
    [XSAVE] = { s_xsave, STANDARD, true },
    [XSAVEOPT] = { s_xsaveopt, STANDARD, true },
    [XRSTOR] = { s_xrstor, STANDARD, false },
    [XSAVEC] = { s_xsavec, COMPACT, true },
    [XSAVES] = { s_xsaves, SUPERVISOR, true },
    [XRSTORS] = { s_xrstors, SUPERVISOR, false },
};

/* How many bytes of the area are before the end of the first page */
static const unsigned splits[] = { 128, 256, 512, 576, 832 };

/* Where the odd area is */
static struct {
    uint64_t end;                   /* of its first page */
    uint64_t width;                 /* of addresses, as a mask */
    uint64_t cs;
    uint64_t pa[2];                 /* of its pages */
    bool watch;                     /* a breakpoint where the second begins */
} odd;

static uint64_t odd_area;
#define area ((volatile uint64_t *)&xareas[0])

static volatile uint64_t *odd_word(unsigned offset)
{
    return (volatile uint64_t *)((odd_area + offset) & odd.width);
}

static bool is_ram(uint64_t pa)
{
    return pa < PA_NOTHING;
}

/* ---- registers ---- */

static uint64_t components(const struct insn *i)
{
    uint64_t mask = cpuid(13, 0).eax & 7;

    /* In the HPET's registers UINTR would have values that are refused */
    if (i->format == SUPERVISOR && odd.pa[0] != PA_HPET &&
        odd.pa[1] != PA_HPET) {
        mask |= XMASK_UINTR;
    }
    return mask;
}

static unsigned size_of(const struct insn *i)
{
    uint64_t mask = components(i);

    return i->format == FX ? 512 : 576 + (mask & 4 ? 256 : 0) +
                                   (mask & XMASK_UINTR ? 48 : 0);
}

struct registers {
    uint8_t xsave[1024];
    uint64_t msr[6];
    bool uif;
} __attribute__((aligned(64)));

static void get_registers(struct registers *r)
{
    memset(r, 0, sizeof(*r));
    asm volatile("xsave64 %0" : "+m"(r->xsave) : "a"(7), "d"(0) : "memory");
    for (int i = 0; i < 6; i++) {
        r->msr[i] = rdmsr(MSR_UINTR_RR + i);
    }
    r->uif = testui();
}

/* Low bytes are 0: they may go to registers that enable things */
static uint64_t pattern(unsigned seed, unsigned n)
{
    return (seed * 0x0102040810204081 + n * 0x00123456789abcde) << 8;
}

static void set_registers(unsigned seed, uint8_t uinv)
{
    static uint64_t image[128] __attribute__((aligned(64)));

    memset(image, 0, sizeof(image));
    for (int i = 4; i < 104; i++) {
        image[i] = i < 64 || i >= 72 ? pattern(seed, i) : 0;
    }
    image[0] = 0xff0000037f - (seed << 8);      /* FTW, FCW */
    image[3] = 0x1f80 | seed;                   /* MXCSR */
    image[64] = cpuid(13, 0).eax & 7;
    asm volatile("xrstor64 %0" : : "m"(image), "a"(7), "d"(0) : "memory");

    wrmsr(MSR_UINTR_HANDLER, pattern(seed, 0) >> 24);
    wrmsr(MSR_UINTR_STACKADJUST, seed);
    wrmsr(MSR_UINTR_PD, seed << 6);
    wrmsr(MSR_UINTR_TT, seed << 4);
    wrmsr(MSR_UINTR_MISC, MISC(uinv, seed));
    if (seed == 1) {
        stui();
    } else {
        clui();
    }
}

/* ---- one instruction in two places ---- */

static uint64_t execute(const struct insn *i, uint64_t address)
{
    struct ctx *c = odd.cs == SEL_UCODE64 ? user(i->code) : kernel(i->code);
    uint64_t mask = components(i);

    c->cs = odd.cs;
    c->rdi = address;
    c->rax = mask;
    return run(c);
}

static uint64_t execute_watched(const struct insn *i, uint64_t address)
{
    uint64_t v;

    asm volatile("mov %0, %%dr0" : : "r"(odd.end));
    asm volatile("mov %0, %%dr7" : : "r"(DR7_RW_8));
    v = execute(i, address);
    asm volatile("mov %0, %%dr7" : : "r"(DR7_NONE));
    return v;
}

static void fill_area(const struct insn *i)
{
    uint64_t mask = components(i);

    memset((void *)area, 0x5a, 1024);
    if (i->store) {
        return;
    }
    memset((void *)&area[64], 0, 64);
    set_registers(1, 0x5a);
    if (i->format == SUPERVISOR) {
        xsaves((void *)area, mask);
    } else {
        asm volatile("xsave64 (%0)" : : "r"(area), "a"((uint32_t)mask),
                     "d"(0) : "memory");
    }
}

/* The area, and the odd one, get the same contents */
static void prepare(const struct insn *i, unsigned split)
{
    fill_area(i);
    for (unsigned n = 0; n < size_of(i); n += 8) {
        uint64_t pa = odd.pa[n >= split];

        if (is_ram(pa)) {
            *odd_word(n) = area[n / 8];
        } else if (pa != NO_PAGE) {
            area[n / 8] = *odd_word(n);
        }
    }
}

static void compare_areas(const struct insn *i, unsigned split)
{
    for (unsigned n = 0; n < size_of(i); n += 8) {
        uint64_t pa = odd.pa[n >= split];

        if (is_ram(pa) || (pa == PA_HPET && n - split == HPET_COUNT)) {
            test_case = split * 0x10000 + n;
            EQ(*odd_word(n), area[n / 8]);
        }
    }
}

static void check(const struct insn *i, unsigned split)
{
    static struct registers wanted, got;
    uint8_t uinv = i->store ? 0x5a : 0;
    /* Else the header is the device's: what there is to load is not known */
    bool loads_all = i->store || i->format == FX ||
                     is_ram(odd.pa[split <= 512]);
    uint64_t v;

    odd_area = (odd.end - split) & odd.width;
    prepare(i, split);
    set_registers(2, uinv);
    v = execute(i, odd.cs == SEL_UCODE64 ? USER(area) : (uint64_t)area);
    get_registers(&wanted);
    if (loads_all) {
        EQ(v, VEC_DONE);
    }

    set_registers(2, uinv);
    if (odd.watch && loads_all) {
        EQ(execute_watched(i, odd_area), EXC_DB);
    } else {
        EQ(execute(i, odd_area), v);
    }
    get_registers(&got);
    EQ(memcmp(&got, &wanted, sizeof(got)), 0);
    compare_areas(i, split);
}

static void check_fault(const struct insn *i, unsigned split)
{
    static struct registers wanted, got;

    odd_area = odd.end - split;
    prepare(i, split);
    set_registers(2, i->store ? 0x5a : 0);
    get_registers(&wanted);
    EQ(execute(i, odd_area), EXC_PF);
    EQ(this_cpu()->ctx.error, i->store ? PF_W : 0);
    EQ(this_cpu()->ctx.cr2, odd.pa[0] == NO_PAGE ? odd_area : odd.end);
    get_registers(&got);
    EQ(memcmp(&got, &wanted, sizeof(got)), 0);
    compare_areas(i, split);
}

static void all(void (*fn)(const struct insn *, unsigned))
{
    unsigned n = sizeof(insns) / sizeof(insns[0]);

    wrmsr(MSR_XSS, XMASK_UINTR);
    for (unsigned i = 0; i < n * sizeof(splits) / sizeof(splits[0]); i++) {
        const struct insn *insn = &insns[i % n];
        unsigned split = splits[i / n];

        test_case = split * 0x10000 + i % n;
        if (split < size_of(insn) && (insn->format != SUPERVISOR ||
                                      odd.cs != SEL_UCODE64)) {
            fn(insn, split);
        }
    }
}

/* ---- places ---- */

static void window(uint64_t first, uint64_t second, uint64_t flags)
{
    odd.end = WINDOW + 4096;
    odd.width = ~0ull;
    odd.cs = flags & PTE_U ? SEL_UCODE64 : SEL_CODE64;
    odd.watch = false;
    odd.pa[0] = first;
    odd.pa[1] = second;
    for (int i = 0; i < 2; i++) {
        if (odd.pa[i] != NO_PAGE) {
            map(i, odd.pa[i], PTE_W | flags);
        }
    }
}

TEST(ram_ram, "FXSAVE and XSAVE areas in two pages apart", "")
{
    window(RAM(0), RAM(2), 0);
    all(check);
}

TEST(ram_device, "FXSAVE and XSAVE areas in RAM, then a device", "")
{
    window(RAM(0), PA_HPET, 0);
    all(check);
}

TEST(device_ram, "FXSAVE and XSAVE areas in a device, then RAM", "")
{
    window(PA_HPET, RAM(0), 0);
    all(check);
}

TEST(ram_device_user, "FXSAVE and XSAVE areas in RAM, then a device, CPL 3",
     "")
{
    window(RAM(0), PA_HPET, PTE_U);
    all(check);
}

/* The areas above have FP, SSE and AVX: it is these that are stored first */
TEST(xsaves_device_header, "XSAVES whose header is in a device saves UINV",
     "")
{
    struct ctx *c = kernel(s_xsaves);
    volatile uint64_t *image;

    wrmsr(MSR_XSS, XMASK_UINTR);
    window(PA_HPET, RAM(0), 0);
    set_registers(2, 0x5a);
    c->rdi = odd.end - 576;
    c->rax = XMASK_UINTR;
    EQ(run(c), VEC_DONE);
    image = (volatile uint64_t *)odd.end;
    EQ(image[2], MISC(0x5a, 2));
    EQ(rdmsr(MSR_UINTR_MISC), MISC(0, 2));
}

TEST(xrstors_device_legacy, "XRSTORS that loads FP from a device loads UINV",
     "")
{
    volatile uint64_t *header = (volatile uint64_t *)(WINDOW + 4096);
    struct ctx *c = kernel(s_xrstors);

    wrmsr(MSR_XSS, XMASK_UINTR);
    window(PA_HPET, RAM(0), 0);
    for (int i = 0; i < 14; i++) {
        header[i] = 0;
    }
    header[0] = 1 | XMASK_UINTR;
    header[1] = 1ull << 63 | 1 | XMASK_UINTR;
    header[8 + 2] = MISC(0x5a, 2);
    set_registers(2, 0);
    c->rdi = odd.end - 512;
    c->rax = 1 | XMASK_UINTR;
    EQ(run(c), VEC_DONE);
    EQ(rdmsr(MSR_UINTR_MISC), MISC(0x5a, 2));
}

TEST(ram_nothing, "FXSAVE and XSAVE areas in RAM, then no memory", "")
{
    window(RAM(0), PA_NOTHING, 0);
    all(check);
}

TEST(ram_unmapped, "FXSAVE and XSAVE areas in RAM, then no page: #PF", "")
{
    window(RAM(0), NO_PAGE, 0);
    all(check_fault);
}

TEST(unmapped_ram, "FXSAVE and XSAVE areas in no page, then RAM: #PF", "")
{
    window(NO_PAGE, RAM(0), 0);
    all(check_fault);
}

TEST(watchpoint, "FXSAVE and XSAVE areas with a breakpoint in the second page",
     "")
{
    const uint64_t second[] = { RAM(1), RAM(2), PA_HPET };

    for (int i = 0; i < 3; i++) {
        window(RAM(0), second[i], 0);
        odd.watch = true;
        all(check);
    }
}

/*
 * A page table whose last page is spare page 0. Where an area goes on after
 * the last address, physical page 0 is mapped anyway.
 */
static volatile uint64_t *last_page(void)
{
    static volatile uint64_t table[512] __attribute__((aligned(4096)));

    table[511] = RAM(0) | PTE_P | PTE_W;
    odd.watch = false;
    odd.pa[0] = RAM(0);
    odd.pa[1] = 0;
    return table;
}

static void wrap_at_2_64(void)
{
    static volatile uint64_t tables[2][512] __attribute__((aligned(4096)));

    tables[0][511] = (uint64_t)last_page() | PTE_P | PTE_W;
    tables[1][511] = (uint64_t)tables[0] | PTE_P | PTE_W;
    pml4[511] = (uint64_t)tables[1] | PTE_P | PTE_W;
    pml5[511] = (uint64_t)pml4 | PTE_P | PTE_W;
    write_cr3(read_cr3());
    odd.end = 0;
    odd.width = ~0ull;
    odd.cs = SEL_CODE64;
}

TEST(wrap_64, "FXSAVE and XSAVE areas that wrap at 2^64", "")
{
    wrap_at_2_64();
    all(check);
}

TEST(wrap_header, "reserved bytes of a header that ends at 2^64 are checked",
     "")
{
    wrmsr(MSR_XSS, XMASK_UINTR);
    wrap_at_2_64();
    odd_area = odd.end - 576;
    prepare(&insns[XRSTORS], 576);
    for (int i = 2; i < 8; i++) {
        test_case = i;
        *odd_word(512 + 8 * i) = 1ull << 56;
        set_registers(2, 0);
        EQ(execute(&insns[XRSTORS], odd_area), EXC_GP);
        *odd_word(512 + 8 * i) = 0;
    }
    set_registers(2, 0);
    EQ(execute(&insns[XRSTORS], odd_area), VEC_DONE);
}

TEST(wrap_32, "FXSAVE and XSAVE areas that wrap at 2^32, compatibility mode",
     "")
{
    uint64_t *pdpt = (uint64_t *)(pml4[0] & ~0xfffull);
    volatile uint64_t *pd = (uint64_t *)(pdpt[3] & ~0xfffull);
    uint64_t was = pd[511];

    pd[511] = (uint64_t)last_page() | PTE_P | PTE_W;
    write_cr3(read_cr3());
    odd.end = 1ull << 32;
    odd.width = 0xffffffff;
    odd.cs = SEL_CODE32;
    all(check);
    pd[511] = was;
    write_cr3(read_cr3());
}

/* ---- x87 ---- */

SNIPPET(s_fldt, "fldt (%rdi)");
SNIPPET(s_fstpt, "fstpt (%rdi)");
SNIPPET(s_fbld, "fbld (%rdi)");
SNIPPET(s_fbstp, "fbstp (%rdi)");
SNIPPET(s_fldenv, "fldenv (%rdi)");
SNIPPET(s_fnstenv, "fnstenv (%rdi)");
SNIPPET(s_frstor, "frstor (%rdi)");
SNIPPET(s_fnsave, "fnsave (%rdi)");

static const struct {
    struct insn insn;
    unsigned size;
} x87[] = {
    { { s_fldt, X87, false }, 10 },
    { { s_fstpt, X87, true }, 10 },
    { { s_fbld, X87, false }, 10 },
    { { s_fbstp, X87, true }, 10 },
    { { s_fldenv, X87, false }, 28 },
    { { s_fnstenv, X87, true }, 28 },
    { { s_frstor, X87, false }, 108 },
    { { s_fnsave, X87, true }, 108 },
};
#define NR_X87 (sizeof(x87) / sizeof(x87[0]))

/* The operand begins @split bytes before the end of the window's first page */
static void check_x87(unsigned n, unsigned split)
{
    static struct registers wanted, got;
    uint8_t *p = (uint8_t *)WINDOW + 4096 - split;
    unsigned size = x87[n].size;
    unsigned kept = split < size && !is_ram(odd.pa[1]) ? split : size;

    test_case = n * 0x100 + split;
    set_registers(1, 0);
    asm volatile("fnsave (%0)" : : "r"(area) : "memory");
    if (pte(0) & PTE_W) {
        memcpy(p, (void *)area, size);
    }
    memcpy((void *)area, p, size);
    set_registers(2, 0);
    EQ(execute(&x87[n].insn, (uint64_t)area), VEC_DONE);
    get_registers(&wanted);

    set_registers(2, 0);
    EQ(execute(&x87[n].insn, (uint64_t)p), VEC_DONE);
    get_registers(&got);
    EQ(memcmp(&got, &wanted, sizeof(got)), 0);
    EQ(memcmp(p, (void *)area, kept), 0);
}

static void all_x87(void)
{
    for (unsigned n = 0; n < NR_X87; n++) {
        for (unsigned split = 1; split < x87[n].size; split++) {
            check_x87(n, split);
        }
    }
}

TEST(x87_ram_ram, "x87 operands in two pages apart", "")
{
    window(RAM(0), RAM(2), 0);
    all_x87();
}

TEST(x87_ram_nothing, "x87 operands in RAM, then no memory", "")
{
    window(RAM(0), PA_NOTHING, 0);
    all_x87();
}

TEST(x87_read_only, "x87 loads do not ask for a page that can be written", "")
{
    window(RAM(0), RAM(1), 0);
    map(0, RAM(0), 0);
    for (unsigned n = 0; n < NR_X87; n++) {
        if (!x87[n].insn.store) {
            check_x87(n, 128);
        }
    }
}

/* ---- memory that changes while the instruction is executed ---- */

#define OVERLAPS 1000
#define ROUNDS (has_option("serial") ? 200 : 10000000)
#define FOREIGN (1ull << 40)

static volatile uint64_t steps;
static volatile bool stop;

static void write_foreign_bit(void *word)
{
    while (!stop) {
        *(volatile uint64_t *)word = FOREIGN;
        steps++;
    }
}

static void flip_mxcsr(void *mxcsr)
{
    while (!stop) {
        *(volatile uint32_t *)mxcsr = 0x1f80;
        *(volatile uint32_t *)mxcsr = 0xffff1f80;
        steps++;
    }
}

/*
 * Execute @insn on an odd area of which CPU 1 changes a word all the time, and
 * look at the outcome, until CPU 1 has been at it often enough during an
 * execution. Components in no memory make executions long.
 */
static void race(const struct insn *i, void (*fn)(void *), void *word,
                 void (*outcome)(uint64_t vector))
{
    uint64_t overlaps = 0;

    stop = false;
    start_on(1, fn, word);
    for (int n = ROUNDS; n && overlaps < OVERLAPS && !test_failed(); n--) {
        uint64_t v, before;

        set_registers(2, 0);
        before = steps;
        v = execute(i, odd_area);
        overlaps += steps != before;
        outcome(v);
    }
    stop = true;
    wait_cpu(1);
}

/* What is there is what XSAVEC stored, or what CPU 1 stored after that */
static void one_of_both(uint64_t v)
{
    uint64_t bv = *odd_word(512);

    EQ(v, VEC_DONE);
    if (bv != FOREIGN) {
        EQ(bv, components(&insns[XSAVEC]));
    }
}

TEST_SMP(xstate_bv_race, 2, "XSAVEC takes no bit of XSTATE_BV from memory", "")
{
    window(PA_NOTHING, RAM(0), 0);
    odd_area = odd.end - 512;
    race(&insns[XSAVEC], write_foreign_bit, spare_pages[0], one_of_both);
}

static void refused_or_valid(uint64_t v)
{
    uint32_t mxcsr;

    asm volatile("stmxcsr %0" : "=m"(mxcsr));
    EQ(mxcsr, v == EXC_GP ? 0x1f82 : 0x1f80);
}

TEST_SMP(mxcsr_race, 2, "XRSTORS loads the MXCSR that it has checked", "")
{
    struct xarea *p = (void *)(WINDOW + 4096 - 576);

    window(RAM(0), PA_NOTHING, 0);
    wrmsr(MSR_XSS, XMASK_UINTR);
    odd_area = (uint64_t)p;
    memset(p->legacy, 0, sizeof(p->legacy));
    p->legacy[24] = 0x80;
    p->legacy[25] = 0x1f;
    p->xstate_bv = 3 | XMASK_UINTR;
    p->xcomp_bv = XCOMPACT | p->xstate_bv;
    race(&insns[XRSTORS], flip_mxcsr, spare_pages[0] + 4096 - 576 + 24,
         refused_or_valid);
}
