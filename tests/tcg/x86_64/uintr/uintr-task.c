/*
 * A task-state segment anywhere: over two pages at any byte, and over the
 * end of the memory. Only 32-bit code can switch tasks, so every test leaves
 * long mode for a while, without paging.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

#define RAM_END     0x2000000       /* the runner starts QEMU with -m 32 */
#define SEL_OLD     0x70
#define SEL_NEW     0x78

struct tss32 {
    uint32_t link, stacks[6], cr3, eip, eflags, regs[8], segs[6], ldt, trap;
} __attribute__((packed));

static uint64_t gdt[16];
struct table {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));
static struct table task_gdtr __attribute__((used)) = {
    sizeof(gdt) - 1, (uint64_t)gdt
};
static uint64_t task_rsp __attribute__((used));

void call_task(void);
extern const char in_new_task[];

/*
 * call_task() leaves long mode and calls the task SEL_NEW, which begins at
 * in_new_task, goes back to long mode and returns to the caller.
 */
asm(".pushsection .text\n"
    "call_task:\n"
    "    push %rbx\n"
    "    push %rbp\n"
    "    push %r12\n"
    "    push %r13\n"
    "    push %r14\n"
    "    push %r15\n"
    "    mov %rsp, task_rsp(%rip)\n"
    "    push $0x08\n"                      /* SEL_CODE32 */
    "    lea 1f(%rip), %rax\n"
    "    push %rax\n"
    "    lretq\n"
    ".code32\n"
    "1:  mov %cr0, %eax\n"
    "    btr $31, %eax\n"                   /* PG */
    "    mov %eax, %cr0\n"
    "    mov $0xc0000080, %ecx\n"
    "    rdmsr\n"
    "    btr $8, %eax\n"                    /* EFER.LME */
    "    wrmsr\n"
    "    lgdt task_gdtr\n"
    "    mov $0x70, %eax\n"                 /* SEL_OLD */
    "    ltr %ax\n"
    "    lcall $0x78, $0\n"                 /* SEL_NEW */
    "in_new_task:\n"
    "    clts\n"
    "    mov $0xc0000080, %ecx\n"
    "    rdmsr\n"
    "    bts $8, %eax\n"
    "    wrmsr\n"
    "    mov %cr0, %eax\n"
    "    bts $31, %eax\n"
    "    mov %eax, %cr0\n"
    "    ljmp $0x10, $1f\n"                 /* SEL_CODE64 */
    ".code64\n"
    "1:  mov task_rsp(%rip), %rsp\n"
    "    push $2\n"                         /* NT=0 */
    "    popf\n"
    "    pop %r15\n"
    "    pop %r14\n"
    "    pop %r13\n"
    "    pop %r12\n"
    "    pop %rbp\n"
    "    pop %rbx\n"
    "    ret\n"
    ".popsection");

static uint64_t tss_descriptor(uint64_t base)
{
    return (sizeof(struct tss32) - 1) | (base & 0xffffff) << 16 |
           0x89ull << 40 | (base >> 24) << 56;
}

/* Call the task whose TSS is at @base; returns the link that it finds there */
static uint16_t call_task_at(uint64_t base)
{
    static struct tss32 old;
    struct tss32 new = {
        .link = 0xffff,
        .eip = (uint64_t)in_new_task,
        .eflags = FL_1,
        .segs = { SEL_DATA, SEL_CODE32, SEL_DATA, SEL_DATA },
    };
    uint64_t fs = rdmsr(MSR_FS_BASE), gs = rdmsr(MSR_GS_BASE);
    struct cpu *cpu = this_cpu();
    struct table gdtr;

    asm volatile("sgdt %0" : "=m"(gdtr));
    memcpy(gdt, cpu->gdt, sizeof(cpu->gdt));
    gdt[SEL_OLD / 8] = tss_descriptor((uint64_t)&old);
    gdt[SEL_NEW / 8] = tss_descriptor(base);
    memcpy((void *)base, &new, sizeof(new));

    call_task();

    cpu->gdt[SEL_TSS / 8] &= ~(2ull << 40);     /* not busy */
    asm volatile("lgdt %0; ltr %w1; mov %w2, %%ds; mov %w2, %%es;"
                 "mov %w3, %%ss" : : "m"(gdtr), "r"(SEL_TSS), "r"(SEL_UDATA),
                 "r"(SEL_DATA) : "memory");
    wrmsr(MSR_FS_BASE, fs);
    wrmsr(MSR_GS_BASE, gs);
    memcpy(&new, (void *)base, sizeof(new));
    return new.link;
}

TEST(two_pages, "the TSS of a task that is called may cross a page", "")
{
    uint64_t end = (uint64_t)spare_pages[1];

    for (unsigned split = 1; split <= sizeof(struct tss32); split++) {
        test_case = split;
        EQ(call_task_at(end - split), SEL_OLD);
    }
}

TEST(end_of_ram, "the TSS of a task that is called may leave the RAM", "")
{
    const unsigned split = offsetof(struct tss32, ldt);
    uint8_t *p = (uint8_t *)RAM_END - split;
    uint8_t saved[offsetof(struct tss32, ldt)];

    memcpy(saved, p, split);
    EQ(call_task_at((uint64_t)p), SEL_OLD);
    memcpy(p, saved, split);
}
