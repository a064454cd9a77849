/*
 * Default state of a test, and the handlers and snippets many tests share
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

struct upid upids[64] __attribute__((aligned(4096)));
struct uitte uitt[UITT_ENTRIES] __attribute__((aligned(4096)));
struct xarea xareas[2];

struct start_state start_state;
extern uint32_t start_cr4;

void uintr_record_start(void)
{
    struct ctx *c;

    start_state.cr4 = start_cr4;
    if (!has_uintr()) {
        return;
    }
    start_state.xss = rdmsr(MSR_XSS);
    write_cr4(read_cr4() | CR4_UINTR);
    for (int i = 0; i < 6; i++) {
        start_state.msr[i] = rdmsr(MSR_UINTR_RR + i);
    }
    c = kernel(s_testui);
    run(c);
    start_state.uif = c->rflags & FL_CF;
    write_cr4(read_cr4() & ~CR4_UINTR);
}

bool has_uintr(void)
{
    return cpuid(7, 0).edx >> 5 & 1;
}

bool has_uiret_uif(void)
{
    return cpuid(7, 1).edx >> 17 & 1;
}

unsigned linear_bits(void)
{
    return cpuid(7, 0).ecx >> 16 & 1 ? 57 : 48;
}

uint64_t first_noncanonical(void)
{
    return read_cr4() & CR4_LA57 ? 1ull << 56 : 1ull << 47;
}

void set_rr(uint64_t v)
{
    wrmsr(MSR_UINTR_RR, v);
}

/* Shared memory, once per test, by the CPU that runs the test */
static void reset_memory(void)
{
    memset(upids, 0, sizeof(upids));
    memset(uitt, 0, sizeof(uitt));
    memset(xareas, 0, sizeof(xareas));
    memset(spare_pages, 0, sizeof(spare_pages));
    for (unsigned v = 0; v < 256; v++) {
        trap_handler[v] = NULL;
    }
    for (unsigned i = 0; i < WINDOW_PAGES; i++) {
        if (pte(i)) {
            unmap(i);
        }
    }
}

static void reset_apic(void)
{
    apic_write(0x80, 0);
    apic_write(0x320, 0x10000);
    apic_write(0x380, 0);
    apic_write(0x370, 0x10000);
    while (!apic_idle()) {
        irq_window();
        apic_eoi();
    }
}

void uintr_reset_cpu(void *unused)
{
    struct cpu *c = this_cpu();

    if (c->id == 0) {
        reset_memory();
    }
    write_cr0(read_cr0() | CR0_WP);
    write_cr4(CR4_DEFAULT | (read_cr4() & CR4_LA57));
    write_cr3(read_cr3());              /* other CPUs' changes of the window */
    xsetbv(0, cpuid(13, 0).eax & 7);
    reset_apic();
    memset(&uareas[c->id], 0, offsetof(struct uarea, stack));
    wrmsr(MSR_FS_BASE, USER(&uareas[c->id]));
    if (!has_uintr()) {
        return;
    }
    write_cr4(read_cr4() | CR4_UINTR);
    wrmsr(MSR_XSS, 0);
    for (uint32_t msr = MSR_UINTR_RR; msr <= MSR_UINTR_TT; msr++) {
        wrmsr(msr, 0);
    }
    clui();
    memset(c->irqs, 0, sizeof(c->irqs));
}

void upid_set(unsigned n, uint8_t nv, unsigned cpu)
{
    upids[n].control = UPID_NV(nv) | UPID_NDST(ndst(cpu));
    upids[n].pir = 0;
}

void uintr_receiver(unsigned cpu, const void *handler)
{
    upid_set(cpu, NV, cpu);
    wrmsr(MSR_UINTR_HANDLER, USER(handler));
    wrmsr(MSR_UINTR_STACKADJUST, 128);
    wrmsr(MSR_UINTR_PD, (uint64_t)&upids[cpu]);
    wrmsr(MSR_UINTR_MISC, MISC(NV, 63));
    stui();
}

void uintr_self(void)
{
    unsigned cpu = this_cpu()->id;

    uintr_receiver(cpu, uh_exit);
    for (unsigned i = 0; i < 64; i++) {
        uitt[i].lo = UITTE(i);
        uitt[i].upid = (uint64_t)&upids[cpu];
    }
    wrmsr(MSR_UINTR_TT, (uint64_t)uitt | TT_ENABLE);
}

struct uframe *uframe_at(struct ctx *c)
{
    static struct uframe none;

    if (c->vector != VEC_HANDLER || c->rsp < USER_BASE) {
        return &none;
    }
    return (struct uframe *)(c->rsp - USER_BASE);
}

SNIPPET(s_done, "");
SNIPPET(s_nops, "nop; nop");
SNIPPET(s_spin, "1: pause; cmpq $0, %fs:8; je 1b");
SNIPPET(s_stui, "stui");
SNIPPET(s_clui, "clui");
SNIPPET(s_testui, "testui");
SNIPPET(s_senduipi, "senduipi %rax");
SNIPPET(s_uiret, "uiret");
SNIPPET(s_hlt, "hlt");

asm(".pushsection .text\n"
    ".globl uh_exit, uh_log, uh_log_end\n"
    "uh_exit: int $0x21\n"
    "uh_log:\n"
    "    push %rax\n"
    "    push %rcx\n"
    "    mov %fs:0, %eax\n"
    "    incq %fs:0\n"
    "    and $31, %eax\n"
    "    imul $40, %eax, %eax\n"
    "    mov 16(%rsp), %rcx\n"
    "    mov %rcx, %fs:528(%rax)\n"
    "    incq %fs:16(,%rcx,8)\n"
    "    mov 24(%rsp), %rcx\n"
    "    mov %rcx, %fs:536(%rax)\n"
    "    mov 32(%rsp), %rcx\n"
    "    mov %rcx, %fs:544(%rax)\n"
    "    mov 40(%rsp), %rcx\n"
    "    mov %rcx, %fs:552(%rax)\n"
    "    lea 16(%rsp), %rcx\n"
    "    mov %rcx, %fs:560(%rax)\n"
    "    pop %rcx\n"
    "    pop %rax\n"
    "    add $8, %rsp\n"
    "uh_log_end:\n"
    "    uiret\n"
    ".popsection");

_Static_assert(offsetof(struct uarea, flag) == 8 &&
               offsetof(struct uarea, counts) == 16 &&
               offsetof(struct uarea, log) == 528 &&
               sizeof(struct ulog) == 40 && ULOG_SIZE == 32,
               "uh_log and s_spin know these");
