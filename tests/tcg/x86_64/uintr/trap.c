/*
 * Descriptor tables, traps, contexts, and the other CPUs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

extern const uint64_t boot_gdt[];
extern const char trap_stubs[], ap_start[], ap_start_end[];
void run_tests(void);
void ctx_enter(struct ctx *c, uint64_t *saved_rsp);
void ctx_leave(uint64_t saved_rsp) __attribute__((noreturn));
void enter_la57(void);

struct cpu cpus[MAX_CPUS];
struct uarea uareas[MAX_CPUS];
unsigned nr_cpus = 1;
void (*volatile trap_handler[256])(struct ctx *);
void (*volatile cpu_restarted)(void *);
volatile bool crashes_are_fine;
static struct {
    uint64_t lo, hi;
} idt[256] __attribute__((aligned(16)));

struct table {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

/*
 * Exceptions have a stack of their own, so that they can be taken from a
 * context whose RSP is unusable. Software interrupts that end a context are
 * open to CPL 3.
 */
static void idt_init(void)
{
    for (unsigned v = 0; v < 256; v++) {
        uint64_t addr = (uint64_t)trap_stubs + 16 * v;
        uint64_t ist = v == EXC_NMI ? 2 : v < 32 ? 1 : 0;
        uint64_t type = v == VEC_DONE || v == VEC_HANDLER || v == 3
                        || v == NV ? 0xee : 0x8e;

        idt[v].lo = (addr & 0xffff) | (uint64_t)SEL_CODE64 << 16 |
                    ist << 32 | type << 40 | (addr >> 16 & 0xffff) << 48;
        idt[v].hi = addr >> 32;
    }
}

static void load_tables(struct cpu *c)
{
    uint64_t tss = (uint64_t)&c->tss;
    struct table gdtr = { sizeof(c->gdt) - 1, (uint64_t)c->gdt };
    struct table idtr = { sizeof(idt) - 1, (uint64_t)idt };

    memcpy(c->gdt, boot_gdt, sizeof(c->gdt));
    c->gdt[SEL_TSS / 8] = (sizeof(struct tss) - 1) | (tss & 0xffffff) << 16 |
                          0x89ull << 40 | (tss >> 24 & 0xff) << 56;
    c->gdt[SEL_TSS / 8 + 1] = tss >> 32;
    c->tss.rsp[0] = (uint64_t)c->irq_stack + STACK_SIZE;
    c->tss.ist[0] = (uint64_t)c->trap_stack + STACK_SIZE;
    c->tss.ist[1] = (uint64_t)c->nmi_stack + STACK_SIZE;
    c->tss.iomap = sizeof(struct tss);
    asm volatile("lgdt %0; lidt %1; ltr %w2; mov %w3, %%ds; mov %w3, %%es;"
                 "mov %w4, %%fs; mov %w4, %%gs; mov %w5, %%ss"
                 : : "m"(gdtr), "m"(idtr), "r"(SEL_TSS), "r"(SEL_UDATA),
                 "r"(0), "r"(SEL_DATA) : "memory");
    c->self = c;
    wrmsr(MSR_GS_BASE, (uint64_t)c);
    wrmsr(MSR_FS_BASE, USER(&uareas[c->id]));
}

static void cpu_idle(struct cpu *c)
{
    for (;;) {
        void (*job)(void *) = c->job;

        /* When its wake-up has come it cannot end what the job runs. */
        if (job && c->irqs[VEC_WAKE]) {
            c->irqs[VEC_WAKE] = 0;
            job(c->job_arg);
            __atomic_store_n(&c->job, NULL, __ATOMIC_RELEASE);
        } else {
            asm volatile("sti; hlt; cli" : : : "memory");
        }
    }
}

/* Every CPU comes here from crt.S */
void cpu_main(unsigned id)
{
    struct cpu *c = &cpus[id];

    c->id = id;
    if (id == 0) {
        idt_init();
    }
    load_tables(c);
    write_cr4(CR4_DEFAULT);
    if (has_option("la57")) {
        enter_la57();
    }
    apic_init();
    if (id == 0) {
        uintr_record_start();
        smp_boot();
        run_tests();
    }
    c->running = NULL;                  /* INIT may have ended a context */
    c->online = true;
    if (cpu_restarted) {
        cpu_restarted(NULL);
    }
    cpu_idle(c);
}

static uint8_t fw_cfg_cpus(void)
{
    outw(0x510, 5);
    return inb(0x511);
}

void copy_ap_start(void)
{
    memcpy((void *)AP_START, ap_start, ap_start_end - ap_start);
}

void smp_boot(void)
{
    nr_cpus = fw_cfg_cpus();
    if (nr_cpus > MAX_CPUS) {
        nr_cpus = MAX_CPUS;
    }
    copy_ap_start();
    for (unsigned i = 1; i < nr_cpus; i++) {
        apic_send(i, 0x4500);                   /* INIT */
        apic_send(i, 0x4600 | AP_START >> 12);  /* SIPI */
        while (!cpus[i].online) {
            pause();
        }
    }
}

void start_on(unsigned cpu, void (*fn)(void *), void *arg)
{
    cpus[cpu].job_arg = arg;
    __atomic_store_n(&cpus[cpu].job, fn, __ATOMIC_RELEASE);
    apic_send(apic_id_of(cpu), 0x4000 | VEC_WAKE);
}

void wait_cpu(unsigned cpu)
{
    while (__atomic_load_n(&cpus[cpu].job, __ATOMIC_ACQUIRE)) {
        pause();
    }
}

void on_cpu(unsigned cpu, void (*fn)(void *), void *arg)
{
    if (cpu == this_cpu()->id) {
        fn(arg);
    } else {
        start_on(cpu, fn, arg);
        wait_cpu(cpu);
    }
}

void irq_window(void)
{
    asm volatile("sti; nop; nop; cli" : : : "memory");
}

/* Called by the entry stubs with the interrupted registers */
void trap(struct ctx *f)
{
    struct cpu *cpu = this_cpu();
    struct ctx *c = cpu->running;
    uint64_t v = f->vector;

    if (trap_handler[v]) {
        cpu->running = NULL;
        trap_handler[v](f);
        cpu->running = c;
    } else if (v == EXC_NMI) {
        /* The runner sends it when nothing happens any more */
        die("a hang, RIP, CS, RFLAGS", f->rip, f->cs, f->rflags);
    } else if (c) {
        memcpy(c, f, offsetof(struct ctx, cr2));
        c->cr2 = v == EXC_PF ? read_cr2() : 0;
        cpu->running = NULL;
        ctx_leave(cpu->saved_rsp);
    } else if (v < 32) {
        printf("# exception %u, error %lx, cr2 %lx\n", (unsigned)v, f->error,
               read_cr2());
        if (crashes_are_fine) {
            machine_reset();
        }
        die("an exception in ring 0, vector, RIP, RSP", v, f->rip, f->rsp);
    } else {
        cpu->irqs[v]++;
        if (v != 0xff) {
            apic_eoi();
        }
    }
}

uint64_t run(struct ctx *c)
{
    struct cpu *cpu = this_cpu();

    cpu->running = c;
    ctx_enter(c, &cpu->saved_rsp);
    return c->vector;
}

uint64_t user_stack_top(void)
{
    return USER(uarea()->stack + STACK_SIZE);
}

static struct ctx *context(uint64_t rip, uint64_t cs, uint64_t ss,
                           uint64_t rsp, uint64_t rflags)
{
    struct ctx *c = &this_cpu()->ctx;

    memset(c, 0, sizeof(*c));
    c->rip = rip;
    c->cs = cs;
    c->ss = ss;
    c->rsp = rsp;
    c->rflags = rflags;
    return c;
}

struct ctx *user(const void *code)
{
    return context(USER(code), SEL_UCODE64, SEL_UDATA, user_stack_top(),
                   FL_IF | FL_1);
}

struct ctx *compat(const void *code)
{
    return context(USER(code), SEL_UCODE32, SEL_UDATA, user_stack_top(),
                   FL_IF | FL_1);
}

struct ctx *kernel(const void *code)
{
    return context((uint64_t)code, SEL_CODE64, SEL_DATA,
                   (uint64_t)this_cpu()->kernel_stack + STACK_SIZE, FL_1);
}

struct ctx *ring(int cpl, const void *code)
{
    static const uint64_t cs[] = { SEL_CODE64, SEL_CODE64_R1, SEL_CODE64_R2,
                                   SEL_UCODE64 };
    static const uint64_t ss[] = { SEL_DATA, SEL_DATA_R1, SEL_DATA_R2,
                                   SEL_UDATA };
    struct ctx *c = cpl == 3 ? user(code) : kernel(code);

    c->cs = cs[cpl];
    c->ss = ss[cpl];
    return c;
}

SNIPPET(s_wrmsr, "wrmsr");
SNIPPET(s_rdmsr, "rdmsr");
SNIPPET(s_cr4, "mov %rax, %cr4");

uint64_t try_wrmsr(uint32_t msr, uint64_t value)
{
    struct ctx *c = kernel(s_wrmsr);

    c->rcx = msr;
    c->rax = (uint32_t)value;
    c->rdx = value >> 32;
    return run(c);
}

uint64_t try_rdmsr(uint32_t msr, uint64_t *value)
{
    struct ctx *c = kernel(s_rdmsr);

    c->rcx = msr;
    run(c);
    *value = (uint32_t)c->rax | c->rdx << 32;
    return c->vector;
}

uint64_t try_cr4(uint64_t value)
{
    struct ctx *c = kernel(s_cr4);

    c->rax = value;
    return run(c);
}
