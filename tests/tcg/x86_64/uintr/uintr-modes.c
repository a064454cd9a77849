/*
 * The instructions outside IA-32e mode (spec 5.3), INIT (2.4) and start-up
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

/*
 * Code that another CPU runs after INIT and SIPI instead of ap_start. In
 * real mode, then in protected mode without paging, it executes the five
 * instructions and counts the #UD. Results go to fixed low memory.
 */
#define PROBE           0x9000
#define RESULT          0xa000
struct result {
    volatile uint32_t cr4, real, protected, v86, done, interrupts, upid;
};
#define result ((struct result *)RESULT)

extern const char probe[], probe_end[];
asm(".pushsection .text\n"
    ".code16\n"
    "probe:\n"
    "    cli\n"
    "    xor %ax, %ax\n"
    "    mov %ax, %ds\n"
    "    mov %ax, %ss\n"
    "    mov $0x7000, %sp\n"
    "    mov %cr4, %eax\n"
    "    mov %eax, 0xa000\n"
    "    or $0x2000000, %eax\n"         /* CR4.UINTR, so that only the */
    "    mov %eax, %cr4\n"              /* mode can be the reason */
    "    movl $0x9000 + probe_ud16 - probe, 6 * 4\n"
    "    .byte 0xf3, 0x0f, 0x01, 0xec\n"
    "    .byte 0xf3, 0x0f, 0x01, 0xed\n"
    "    .byte 0xf3, 0x0f, 0x01, 0xee\n"
    "    .byte 0xf3, 0x0f, 0x01, 0xef\n"
    "    .byte 0xf3, 0x0f, 0xc7, 0xf0\n"
    "    lgdtl 0x9000 + probe_gdtr - probe\n"
    "    lidtl 0x9000 + probe_idtr - probe\n"
    "    mov $0x11, %eax\n"
    "    mov %eax, %cr0\n"
    "    ljmpl $8, $0x9000 + probe_32 - probe\n"
    "probe_ud16:\n"
    "    incl 0xa004\n"
    "    mov %sp, %bp\n"
    "    addw $4, (%bp)\n"
    "    iretw\n"
    "    .code32\n"
    "probe_32:\n"
    "    mov $16, %eax\n"
    "    mov %eax, %ds\n"
    "    mov %eax, %ss\n"
    "    mov %eax, %es\n"
    "    mov $0x7000, %esp\n"
    "    .byte 0xf3, 0x0f, 0x01, 0xec\n"
    "    .byte 0xf3, 0x0f, 0x01, 0xed\n"
    "    .byte 0xf3, 0x0f, 0x01, 0xee\n"
    "    .byte 0xf3, 0x0f, 0x01, 0xef\n"
    "    .byte 0xf3, 0x0f, 0xc7, 0xf0\n"
    /* vector 30H = UINV as a self-IPI: APIC on, UPID at result.upid */
    "    mov $0x988, %ecx\n"
    "    xor %eax, %eax\n"
    "    mov $0x30, %edx\n"
    "    wrmsr\n"
    "    mov $0x989, %ecx\n"
    "    mov 0xa018, %eax\n"
    "    xor %edx, %edx\n"
    "    wrmsr\n"
    "    mov $0x1b, %ecx\n"
    "    rdmsr\n"
    "    xor %edx, %edx\n"
    "    test $0x400, %eax\n"
    "    jz 1f\n"
    "    mov $0x80f, %ecx\n"
    "    mov $0x1ff, %eax\n"
    "    wrmsr\n"
    "    mov $0x83f, %ecx\n"
    "    mov $0x30, %eax\n"
    "    wrmsr\n"
    "    jmp 2f\n"
    "1:  movl $0x1ff, 0xfee000f0\n"
    "    movl $0x44030, 0xfee00300\n"
    "2:  sti\n"
    "    nop\n"
    "    nop\n"
    "    cli\n"
    /* virtual-8086 mode: TSS for the way back, then IRET with VM=1 */
    "    mov $24, %eax\n"
    "    ltr %ax\n"
    "    movl $0xa00c, 0x9000 + probe_counter - probe\n"
    "    pushl $0\n"                    /* gs fs ds es ss esp eflags cs ip */
    "    pushl $0\n"
    "    pushl $0\n"
    "    pushl $0\n"
    "    pushl $0\n"
    "    pushl $0x6000\n"
    "    pushl $0x20002\n"
    "    pushl $0\n"
    "    pushl $0x9000 + probe_v86 - probe\n"
    "    iretl\n"
    "probe_ud32:\n"
    "    mov %cs:0x9000 + probe_counter - probe, %ebx\n"
    "    mov $16, %eax\n"
    "    mov %eax, %ds\n"
    "    incl %ss:(%ebx)\n"
    "    addl $4, (%esp)\n"
    "    iretl\n"
    "probe_irq32:\n"
    "    incl 0xa014\n"
    "    iretl\n"
    "probe_gp32:\n"                     /* HLT in virtual-8086 mode */
    "    mov $16, %eax\n"
    "    mov %eax, %ds\n"
    "    movl $1, 0xa010\n"
    "1:  hlt\n"
    "    jmp 1b\n"
    "    .code16\n"
    "probe_v86:\n"
    "    .byte 0xf3, 0x0f, 0x01, 0xec\n"
    "    .byte 0xf3, 0x0f, 0x01, 0xed\n"
    "    .byte 0xf3, 0x0f, 0x01, 0xee\n"
    "    .byte 0xf3, 0x0f, 0x01, 0xef\n"
    "    .byte 0xf3, 0x0f, 0xc7, 0xf0\n"
    "    hlt\n"
    "    .balign 8\n"
    "probe_counter: .long 0xa008\n"
    "    .balign 8\n"
    "probe_gdt:\n"
    "    .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff\n"
    "    .quad 0x00008900b0000067\n"    /* TSS at 0xb000 */
    "probe_gdtr: .short 31; .long 0x9000 + probe_gdt - probe\n"
    "    .balign 8\n"
    "probe_idt:\n"
    "    .fill 6, 8, 0\n"
    "    .short 0x9000 + probe_ud32 - probe, 8, 0x8e00, 0\n"
    "    .fill 6, 8, 0\n"
    "    .short 0x9000 + probe_gp32 - probe, 8, 0x8e00, 0\n"
    "    .fill 0x30 - 14, 8, 0\n"
    "    .short 0x9000 + probe_irq32 - probe, 8, 0x8e00, 0\n"
    "probe_idtr: .short 0x31 * 8 - 1; .long 0x9000 + probe_idt - probe\n"
    "probe_end:\n"
    ".code64\n"
    ".popsection");

static void set_cr4_uintr(void *unused)
{
    uintr_receiver(1, uh_exit);
    write_cr4(read_cr4() | CR4_UINTR);
}

/* INIT and SIPI to @address, on CPU 1 */
static void restart_cpu1(uint32_t address)
{
    apic_send(apic_id_of(1), 0x4500);
    apic_send(apic_id_of(1), 0x4600 | address >> 12);
}

static void run_probe(void)
{
    uint32_t *tss = (uint32_t *)0xb000;

    memset(result, 0, sizeof(*result));
    result->upid = (uint32_t)(uint64_t)&upids[1];
    memset(tss, 0, 0x68);
    tss[1] = 0x5000;                    /* ESP0, SS0 */
    tss[2] = 16;
    memcpy((void *)PROBE, probe, probe_end - probe);
    on_cpu(1, set_cr4_uintr, NULL);
    upids[1].pir = 1;
    restart_cpu1(PROBE);
    while (!result->done) {
        pause();
    }
    /* back to the runtime */
    cpus[1].online = false;
    restart_cpu1(AP_START);
    while (!cpus[1].online) {
        pause();
    }
}

TEST_SMP(init_clears_cr4, 2, "INIT clears CR4.UINTR", "2.4")
{
    run_probe();
    EQ(result->cr4, 0);
}

TEST_SMP(ud_real, 2, "all five are #UD in real mode", "5.3")
{
    run_probe();
    EQ(result->real, 5);
}

TEST_SMP(ud_protected, 2, "all five are #UD in protected mode", "5.3")
{
    run_probe();
    EQ(result->protected, 5);
}

TEST_SMP(ud_v86, 2, "all five are #UD in virtual-8086 mode", "5.3")
{
    run_probe();
    EQ(result->v86, 5);
}

TEST_SMP(outside_lma, 2, "outside IA-32e mode vector UINV is an ordinary "
         "interrupt", "9.1 9.9")
{
    run_probe();
    EQ(result->interrupts, 1);
    EQ(upids[1].pir, 1);
}

static void check_cr4(void *unused)
{
    EQ(read_cr4() & CR4_UINTR, 0);
}

TEST_SMP(init_disables, 2, "after INIT the instructions are disabled", "2.4")
{
    run_probe();
    on_cpu(1, check_cr4, NULL);
}
