/*
 * Random operations: what they are
 *
 * An operation takes all its random numbers from its own dice, whatever
 * happens to it. It never writes where this program has its text, its tables
 * and its stacks: without these it could not go on.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "fuzz.h"

extern uint64_t pml4[];

#define NR_WINDOW       32              /* pages of the window, of all CPUs */

/*
 * The window's third 2 MiB: their page table is the HPET. It has 64 bits for
 * each timer that keep what is written.
 */
#define HPET            0xfed00000
#define HPET_ROUTE(n)   (0x110 + 32 * (n))
#define HPET_WINDOW(n)  (WINDOW + 0x400000ull + HPET_ROUTE(n) / 8 * 4096)

/* The fourth: PCI configuration space of "q35", as its firmware puts it */
#define ECAM            0xb0000000
#define ECAM_WINDOW     (WINDOW + 0x600000ull)

uint8_t pool[NR_POOL][4096] __attribute__((aligned(4096)));
static uint64_t top[3][512] __attribute__((aligned(4096)));

static const uint64_t devices[] = {
    0xfee00000, 0xfec00000, HPET, 0xfffff000, 0xfffc0000, 0xd0000000,
    0xa0000, 0xc0000, 0xe0000, 0xf0000, 0x1fff000, 0x2000000, ECAM, 1ull << 36,
};

static const uint64_t extremes[] = {
    0, 16, 0x1000, -16ull, -64ull, -0x200ull, -0x240ull, -0x1000ull,
    0xfffffe00, 0x7fffffffffc0, 0x7ffffffffff0, 0x800000000000,
    0xffff800000000000, 0x5a5a5a5a5a5a5a40,
};

static uint64_t bits(struct dice *d)
{
    uint64_t a = roll(d), b = roll(d);

    return one_in(d, 2) ? a & b & roll(d) : one_in(d, 2) ? a : 0;
}

uint64_t offset(struct dice *d)
{
    static const uint16_t common[] = {
        0, 0x40, 0x80, 0x300, 0x380, 0x800, 0xc00, 0xdc0, 0xe00, 0xfc0,
    };
    uint64_t any = roll(d) & 0xfff;

    switch (below(d, 8)) {
    case 0:
        return any;
    case 1:
        return any & ~15;
    case 2:
        return any & ~63;
    case 3:
        return 0x1000 - (any & 127);
    default:
        return ANY(d, common);
    }
}

uint64_t address(struct dice *d)
{
    uint64_t where = offset(d), page = roll(d);

    switch (below(d, 16)) {
    case 0:
        return ANY(d, extremes);
    case 1:
        return HPET_WINDOW(0) + where;
    case 2:
        return USER(pool[page % NR_POOL]) + where;
    case 3:
        return ANY(d, devices) + where;
    case 4 ... 6:
        return (uint64_t)pool[page % NR_POOL] + where;
    default:
        return WINDOW + page % NR_WINDOW * 4096 + where;
    }
}

static uint64_t physical(struct dice *d)
{
    unsigned n = below(d, NR_POOL);

    return one_in(d, 3) ? ANY(d, devices) : (uint64_t)pool[n];
}

static uint64_t flags(struct dice *d)
{
    uint64_t rare = roll(d) & roll(d) & roll(d) & roll(d);

    return (PTE_P | PTE_W | PTE_U | (roll(d) & (PTE_A | PTE_D))) ^
           (rare & (PTE_P | PTE_W | PTE_U | PTE_NX | 0x18 | 7ull << 49 |
                    PTE_PKEY(15)));
}

/* ---- descriptors, MSRs ---- */

static uint64_t upid_address(struct dice *d)
{
    uint64_t a = address(d), b = (uint64_t)&upids[below(d, 64)];

    return one_in(d, 3) ? b : one_in(d, 16) ? a : a & ~63ull;
}

static uint32_t destination(struct dice *d)
{
    static const uint32_t odd[] = {
        0xff00, 0xffffffff, 0xff, 0x5500, 0x55, 0x80000000, 0x10000,
    };
    unsigned cpu = below(d, nr_cpus), any = ANY(d, odd);

    return one_in(d, 8) ? any : one_in(d, 8) ? cpu ^ cpu << 8 : ndst(cpu);
}

static uint8_t vector(struct dice *d)
{
    static const uint8_t some[] = { 0, 1, 2, 14, 15, 16, 0x20, IRQ, VEC_WAKE };
    uint8_t any = roll(d);

    return one_in(d, 3) ? NV : one_in(d, 2) ? ANY(d, some) : any;
}

static void op_upid(struct dice *d)
{
    struct upid *in_pool = (void *)(pool[below(d, NR_POOL)] +
                                    (offset(d) & 0xfc0));
    struct upid *upid = one_in(d, 2) ? in_pool : &upids[below(d, 64)];
    uint64_t odd = roll(d) & roll(d) & roll(d);

    upid->control = (roll(d) & (UPID_ON | UPID_SN)) | UPID_NV(vector(d)) |
                    UPID_NDST(destination(d)) | (one_in(d, 8) ? odd : 0);
    upid->pir = bits(d);
}

static void op_uitte(struct dice *d)
{
    struct uitte *in_pool = (void *)(pool[below(d, NR_POOL)] +
                                     (offset(d) & 0xff0));
    struct uitte *e = one_in(d, 4) ? in_pool : &uitt[below(d, 64)];
    uint64_t odd = roll(d) & roll(d) & roll(d);

    e->lo = UITTE(below(d, 64)) ^ (one_in(d, 8) ? odd : 0);
    e->upid = upid_address(d);
}

/* One bit of what others are using */
static void op_flip(struct dice *d)
{
    for (unsigned i = 0; i < 32; i++) {
        uint64_t any = roll(d);
        uint64_t *p = any & 1 ? (uint64_t *)upids : any & 2 ? (uint64_t *)uitt
                      : (uint64_t *)pool[any >> 8 & (NR_POOL - 1)];

        __sync_fetch_and_xor(&p[any >> 16 & 127], 1ull << (any >> 32 & 63));
    }
}

static void set_msr(struct dice *d, uint32_t msr)
{
    uint64_t where = address(d), any = bits(d), value;

    switch (msr) {
    case MSR_UINTR_HANDLER:
        value = one_in(d, 4) ? where : USER(one_in(d, 8) ? uh_exit : uh_log);
        break;
    case MSR_UINTR_STACKADJUST:
        value = one_in(d, 4) ? where | 1 : one_in(d, 4) ? any : 128;
        break;
    case MSR_UINTR_MISC:
        value = MISC(vector(d), one_in(d, 4) ? (uint32_t)any : 63);
        break;
    case MSR_UINTR_PD:
        value = upid_address(d);
        break;
    case MSR_UINTR_TT:
        value = (one_in(d, 4) ? where & ~15ull : (uint64_t)uitt) |
                !one_in(d, 8);
        break;
    case MSR_XSS:
        value = one_in(d, 2) ? XMASK_UINTR : any;
        break;
    default:
        value = any;
    }
    try_wrmsr(msr, one_in(d, 16) ? any : value);
}

static void op_msr(struct dice *d)
{
    static const uint32_t msrs[] = {
        MSR_UINTR_RR, MSR_UINTR_HANDLER, MSR_UINTR_STACKADJUST,
        MSR_UINTR_MISC, MSR_UINTR_PD, MSR_UINTR_TT, MSR_XSS,
    };
    uint64_t value;

    set_msr(d, ANY(d, msrs));
    try_rdmsr(ANY(d, msrs), &value);
}

/* What makes user interrupts go round again */
static void op_sane(struct dice *d)
{
    unsigned cpu = this_cpu()->id;

    fuzz_reset_cpu();
    uintr_receiver(cpu, uh_log);
    wrmsr(MSR_UINTR_TT, (uint64_t)uitt | TT_ENABLE);
    for (unsigned i = 0; i < 64; i++) {
        uitt[i].lo = UITTE(i);
        uitt[i].upid = (uint64_t)&upids[below(d, nr_cpus)];
    }
}

/* ---- paging, control registers ---- */

static void op_map(struct dice *d)
{
    extern volatile uint64_t window_pt[];
    unsigned n = below(d, NR_WINDOW);
    uint64_t value = one_in(d, 16) ? 0 : physical(d) | flags(d);

    if (one_in(d, 4)) {
        window_pt[n] = value;           /* others and we find out late */
    } else {
        set_pte(n, value);
    }
}

static void op_flush(struct dice *d)
{
    write_cr3(read_cr3());
}

static void set_hpet_pte(unsigned n, uint32_t value)
{
    volatile uint32_t *pte = (volatile uint32_t *)(HPET + HPET_ROUTE(n) + 0ull);

    pte[0] = value;
    pte[1] = 0;
    asm volatile("invlpg (%0)" : : "r"(HPET_WINDOW(n)) : "memory");
}

/* The entry of a page table in a device: A and D are set there by exclusion */
static void op_hpet_pte(struct dice *d)
{
    set_hpet_pte(0, physical(d) | (flags(d) & ~(PTE_A | PTE_D)));
}

/* The same for the stack that interrupts find; it is that of one CPU */
static void op_hpet_stack(struct dice *d)
{
    static uint8_t stack[4096] __attribute__((aligned(4096)));

    if (this_cpu()->id == nr_cpus - 1) {
        set_hpet_pte(1, (uint64_t)stack | PTE_P | PTE_W);
        this_cpu()->tss.rsp[0] = HPET_WINDOW(1) + sizeof(stack);
    }
}

static void op_cr(struct dice *d)
{
    static const uint64_t cr4[] = {
        CR4_UINTR, CR4_UINTR, CR4_OSXSAVE, CR4_SMAP, CR4_SMEP, CR4_PKE,
        CR4_OSFXSR, 8 /* DE */, 0x80 /* PGE */, 4 /* TSD */,
    };
    static const uint64_t cr0[] = { 8 /* TS */, 2 /* MP */, 4 /* EM */,
        CR0_AM, CR0_WP };
    uint64_t cr4_bit = ANY(d, cr4), cr0_bit = ANY(d, cr0);

    if (one_in(d, 4)) {
        write_cr0(read_cr0() ^ cr0_bit);
    } else {
        try_cr4(read_cr4() ^ cr4_bit);
    }
}

SNIPPET(s_xsetbv, "xsetbv");

static void op_xcr0(struct dice *d)
{
    static const uint32_t xcr0[] = { 1, 3, 7, 0x1f, 0x207, 0x21f, 5, 0 };
    struct ctx *c = kernel(s_xsetbv);

    c->rax = ANY(d, xcr0);
    run(c);
}

static void op_watch(struct dice *d)
{
    /* Nothing at CPL 0 but the contexts looks there. */
    uint64_t where = WINDOW + below(d, NR_WINDOW) * 4096ull +
                     (offset(d) & ~7ull);

    asm volatile("mov %0, %%dr0; mov %1, %%dr1" : :
                 "r"(where), "r"(where + 8));
    asm volatile("mov %0, %%dr7" : :
                 "r"(one_in(d, 3) ? 0x400 : 0xbb040full));
}

/* ---- events ---- */

static void op_uif(struct dice *d)
{
    static const char *const code[] = { s_stui, s_stui, s_clui, s_testui };

    run(user(ANY(d, code)));
}

static void op_uiret(struct dice *d)
{
    struct ctx *c = user(s_uiret);
    uint64_t *frame = (uint64_t *)(c->rsp - USER_BASE - 64);
    uint64_t where = address(d), any = bits(d);

    frame[0] = one_in(d, 8) ? where : USER(s_done);
    frame[1] = any;
    frame[2] = one_in(d, 2) ? where : c->rsp;
    c->rsp = one_in(d, 8) ? where : c->rsp - 64;
    run(c);
}

static void op_timer(struct dice *d)
{
    apic_timer_oneshot(vector(d) | 0x20, below(d, 100000));
}

SNIPPET(s_sti_hlt, "sti; hlt; cli");

static void op_hlt(struct dice *d)
{
    unsigned ticks = 1 + below(d, 10000);

    if (this_cpu()->id) {
        apic_timer_oneshot(vector(d) | 0x20, ticks);
        run(kernel(s_sti_hlt));
    }
}

static void op_ipi(struct dice *d)
{
    static const uint32_t modes[] = {
        0x4000, 0x4000, 0x4000, 0x4100, 0x4400, 0x4800, 0x8000, 0xc000,
    };
    uint32_t any = ANY(d, modes), cpu = below(d, nr_cpus);

    any |= one_in(d, 8) ? below(d, 4) << 18 : 0;
    apic_send(apic_id_of(cpu), any | vector(d));
}

static void op_init(struct dice *d)
{
    unsigned cpu = below(d, nr_cpus);

    if (cpu) {
        apic_send(apic_id_of(cpu), 0x4500);
        for (unsigned i = below(d, 1000); i; i--) {
            pause();
        }
        if (!one_in(d, 4)) {
            copy_ap_start();    /* what is in low memory is never safe */
            apic_send(apic_id_of(cpu), 0x4600 | AP_START >> 12);
        }
    }
}

static void op_apic(struct dice *d)
{
    static const uint32_t regs[] = {
        0x80, 0x80, 0xb0, 0xf0, 0xd0, 0x280, 0x320, 0x350, 0x370, 0x3e0,
    };
    uint32_t reg = ANY(d, regs), any = bits(d);

    if (rdmsr(MSR_APIC_BASE) & 0x400) {
        try_wrmsr(MSR_X2APIC + reg / 16, any);      /* #GP for some */
    } else {
        apic_write(reg, any);
    }
}

/* Another CPU takes this for its own mode of the APIC until it has an INIT */
static void op_apic_mode(struct dice *d)
{
    uint64_t base = rdmsr(MSR_APIC_BASE);

    if (one_in(d, 2)) {
        try_wrmsr(MSR_APIC_BASE, base & ~0xc00ull);
    }
    try_wrmsr(MSR_APIC_BASE, (base & ~0xc00ull) | 0x800);
    if (one_in(d, 2)) {
        try_wrmsr(MSR_APIC_BASE, base | 0xc00);
    }
}

static void op_smi(struct dice *d)
{
    apic_send(apic_id_of(below(d, nr_cpus)), 0x4200);
}

/* Anything to a device or into the configuration space of PCI (q35) */
static void op_device(struct dice *d)
{
    uint64_t ecam = ECAM_WINDOW + (roll(d) & 0xf8ffc);
    uint64_t device = ANY(d, devices) + (offset(d) & ~3);
    uint64_t where = one_in(d, 2) || device >= ECAM ? ecam : device;

    *(volatile uint32_t *)where = roll(d);
}

const struct op ops[] = {
    { "send",     op_send,      40 },
    { "xsave",    op_xsave,     20 },
    { "header",   op_header,    10 },
    { "upid",     op_upid,      10 },
    { "uitte",    op_uitte,     10 },
    { "flip",     op_flip,      4 },
    { "msr",      op_msr,       10 },
    { "sane",     op_sane,      6 },
    { "map",      op_map,       6 },
    { "flush",    op_flush,     2 },
    { "hpet-pte", op_hpet_pte,  2 },
    { "stack",    op_hpet_stack, 4 },
    { "cr",       op_cr,        2 },
    { "xcr0",     op_xcr0,      1 },
    { "watch",    op_watch,     1 },
    { "uif",      op_uif,       4 },
    { "uiret",    op_uiret,     4 },
    { "timer",    op_timer,     1 },
    { "hlt",      op_hlt,       1 },
    { "ipi",      op_ipi,       3 },
    { "init",     op_init,      1 },
    { "apic",     op_apic,      2 },
    { "mode",     op_apic_mode, 1, true },
    { "smi",      op_smi,       1, true },
    { "device",   op_device,    1, true },
};
const unsigned nr_ops = sizeof(ops) / sizeof(ops[0]);

/* ---- start ---- */

/*
 * An interrupt, here or at CPL 3. It may be one with the vector of an exception
 * that pushes no error code; then trap() ends the context.
 */
static void interrupt(struct ctx *f)
{
    apic_eoi();
}

/* Somebody thinks that this CPU goes round in a context: let it end. */
static void nmi(struct ctx *f)
{
    if (f->cs & 3) {
        f->cs = SEL_UCODE64;
        f->ss = SEL_UDATA;
        f->rip = USER(s_done);
    }
}

void fuzz_reset_cpu(void)
{
    struct cpu *c = this_cpu();
    uint64_t *pdpt, *pd;

    write_cr0((read_cr0() & ~0xeull) | CR0_WP | 2);
    write_cr4(CR4_DEFAULT | CR4_UINTR);
    xsetbv(0, cpuid(13, 0).eax & 0x21f);
    wrmsr(MSR_XSS, XMASK_UINTR);
    wrmsr(MSR_FS_BASE, USER(&uareas[c->id]));
    c->tss.rsp[0] = (uint64_t)c->irq_stack + STACK_SIZE;
    /* Random code at CPL 3 may contain SYSCALL. */
    wrmsr(MSR_LSTAR, (uint64_t)s_done);
    wrmsr(MSR_LSTAR + 1, (uint64_t)s_done);
    asm volatile("mov %0, %%dr7" : : "r"(0x400ull));
    apic_write(0xf0, 0x1ff);
    apic_write(0x80, 0);
    apic_eoi();
    for (unsigned v = 32; v < 256; v++) {
        if (v != VEC_DONE && v != VEC_HANDLER) {
            trap_handler[v] = interrupt;
        }
    }
    trap_handler[EXC_NMI] = nmi;
    pdpt = (uint64_t *)(pml4[0] & ~0xfffull);
    pd = (uint64_t *)(pdpt[WINDOW >> 30] & ~0xfffull);
    pd[2] = HPET | PTE_P | PTE_W | PTE_U;
    /* Not the user's: op_device() writes with CR4.SMAP set as well */
    pd[3] = ECAM | PTE_P | PTE_W | 0x80;
    /* The last page of all: an area may go on at 0 from there */
    pml4[511] = (uint64_t)top[0] | PTE_P | PTE_W | PTE_U;
    top[0][511] = (uint64_t)top[1] | PTE_P | PTE_W | PTE_U;
    top[1][511] = (uint64_t)top[2] | PTE_P | PTE_W | PTE_U;
    top[2][511] = (uint64_t)pool[0] | PTE_P | PTE_W | PTE_U;
}
