/*
 * Reset, migration, other features of the CPU (spec 2.4, 3.7, 15, 16)
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

static const uint64_t values[6] = {
    0x8000000000000021, 0x00007ffffffff123, 0xffff800000000081,
    MISC(NV, 0x89abcdef), 0x00007fffdeadbec0, 0xffff8000deadbef1,
};

static void load_values(void *unused)
{
    wrmsr(MSR_XSS, XMASK_UINTR);
    for (int i = 0; i < 6; i++) {
        wrmsr(MSR_UINTR_RR + i, values[i]);
    }
    stui();
}

static void check_values(void *unused)
{
    for (int i = 0; i < 6; i++) {
        test_case = this_cpu()->id << 8 | i;
        EQ(rdmsr(MSR_UINTR_RR + i), values[i]);
    }
    EQ(rdmsr(MSR_XSS), XMASK_UINTR);
    EQ(read_cr4() & CR4_UINTR, CR4_UINTR);
    EQ(testui(), 1);
}

TEST(reset, "RESET zeroes the state, IA32_XSS and CR4.UINTR", "2.4 3.7")
{
    if (!after_reset()) {
        load_values(NULL);
        machine_reset();
    }
    EQ(start_state.cr4 & CR4_UINTR, 0);
    for (int i = 0; i < 6; i++) {
        test_case = i;
        EQ(start_state.msr[i], 0);
    }
    EQ(start_state.uif, 0);
    EQ(start_state.xss, 0);
}

TEST_SMP(P19, 2, "P19 migration carries the state of every CPU", "16.1")
{
    on_cpu(1, load_values, NULL);
    load_values(NULL);
    if (!machine_migrate()) {
        return;
    }
    check_values(NULL);
    on_cpu(1, check_values, NULL);
}

TEST(migrate_uif, "migration carries UIF=0 and zeroes", "16.1")
{
    if (!machine_migrate()) {
        return;
    }
    EQ(testui(), 0);
    for (int i = 0; i < 6; i++) {
        test_case = i;
        EQ(rdmsr(MSR_UINTR_RR + i), 0);
    }
}

TEST(migrate_pending, "what is pending is delivered after migration",
     "16.1 11.1")
{
    struct ctx *c;

    uintr_self();
    set_rr(1ull << 44);
    if (!machine_migrate()) {
        return;
    }
    c = user(s_nops);
    EQ(run(c), VEC_HANDLER);
    EQ(uframe_at(c)->vector, 44);
}

TEST(migrate_notified, "a notification in the IRR migrates", "16.1 16.2")
{
    uintr_self();
    clui();
    senduipi(13);
    EQ(apic_irr(NV), 1);
    if (!machine_migrate()) {
        return;
    }
    EQ(run(user(s_nops)), VEC_DONE);
    EQ(rdmsr(MSR_UINTR_RR), 1 << 13);
    EQ(upids[0].control & UPID_ON, 0);
}

TEST(migrate_esr, "an error that the ESR does not show yet migrates", "16.1")
{
    uintr_self();
    upid_set(0, 5, 0);
    apic_write(0x280, 0);
    apic_write(0x280, 0);
    senduipi(13);
    if (!machine_migrate()) {
        return;
    }
    EQ(apic_read(0x280), 0);
    apic_write(0x280, 0);
    EQ(apic_read(0x280), 0x20);
    apic_write(0x280, 0);
}

/* The runner fails P20 if QEMU prints anything in the whole binary */
TEST(P20, "P20 nothing is logged per instruction", "")
{
    uintr_self();
    wrmsr(MSR_UINTR_HANDLER, USER(uh_log));
    for (int i = 0; i < 100; i++) {
        struct ctx *c = user(s_senduipi);

        c->rax = i % 64;
        EQ(run(c), VEC_DONE);
    }
    EQ(uarea()->count, 100);
}

/* ---- SVM ---- */

#define VMCB ((volatile uint8_t *)spare_pages[0])
#define VMCB64(o) (*(volatile uint64_t *)(VMCB + (o)))
#define VMCB32(o) (*(volatile uint32_t *)(VMCB + (o)))
#define MSR_VM_HSAVE_PA 0xc0010117u

static void vmcb_segment(int offset, uint16_t sel, uint16_t attr)
{
    VMCB32(offset) = sel | (uint32_t)attr << 16;
    VMCB32(offset + 4) = 0xffffffff;
    VMCB64(offset + 8) = 0;
}

SNIPPET(s_guest, "mov $0x77, %ebx; testui; setc %cl; movzx %cl, %ecx;"
        "vmmcall");

static bool vmcb_init(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) table;

    if (!(cpuid(0x80000001, 0).ecx >> 2 & 1)) {
        test_skip("this CPU has no SVM");
        return false;
    }
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | 1 << 12);
    wrmsr(MSR_VM_HSAVE_PA, (uint64_t)spare_pages[1]);
    VMCB32(0x10) = 3;                       /* VMRUN, VMMCALL */
    VMCB32(0x58) = 1;                       /* ASID */
    for (int o = 0x400; o <= 0x430; o += 0x10) {
        vmcb_segment(o, SEL_DATA, 0xc93);
    }
    vmcb_segment(0x410, SEL_CODE64, 0xa9b);
    asm volatile("sgdt %0" : "=m"(table));
    VMCB32(0x464) = table.limit;
    VMCB64(0x468) = table.base;
    asm volatile("sidt %0" : "=m"(table));
    VMCB32(0x484) = table.limit;
    VMCB64(0x488) = table.base;
    VMCB64(0x4d0) = rdmsr(MSR_EFER);
    VMCB64(0x548) = read_cr4();
    VMCB64(0x550) = read_cr3();
    VMCB64(0x558) = read_cr0();
    VMCB64(0x570) = FL_1;
    VMCB64(0x578) = (uint64_t)s_guest;
    VMCB64(0x5d8) = (uint64_t)this_cpu()->kernel_stack + STACK_SIZE;
    return true;
}

static uint64_t vmrun(uint64_t *rcx)
{
    uint64_t rbx = 0;

    asm volatile("clgi; vmrun; stgi"
                 : "+b"(rbx), "=c"(*rcx) : "a"(VMCB)
                 : "memory", "cc", "rdx", "rsi", "rdi", "r8", "r9", "r10",
                 "r11");
    return rbx;
}

TEST(svm, "VMRUN works with CR4.UINTR=1, and UIF is untouched", "15.3")
{
    uint64_t uif;

    uintr_self();
    if (!vmcb_init()) {
        return;
    }
    EQ(vmrun(&uif), 0x77);
    EQ(VMCB64(0x70), 0x81);                 /* VMMCALL */
    EQ(uif, 1);
    EQ(read_cr4() & CR4_UINTR, CR4_UINTR);
    EQ(testui(), 1);
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~(1ull << 12));
}

TEST(svm_pending, "what is pending at VMRUN is delivered after it", "15.3")
{
    uint64_t uif;
    struct ctx *c;

    uintr_self();
    if (!vmcb_init()) {
        return;
    }
    set_rr(2);
    EQ(vmrun(&uif), 0x77);
    EQ(rdmsr(MSR_UINTR_RR), 2);
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~(1ull << 12));
    c = user(s_nops);
    EQ(run(c), VEC_HANDLER);
    EQ(uframe_at(c)->vector, 1);
}

/* ---- SMM: the firmware's handler of the APM port ---- */

TEST(smm, "the state and CR4.UINTR survive an SMI", "15.4")
{
    load_values(NULL);
    outb(0xb2, 0x5a);
    check_values(NULL);
}

TEST(smm_pending, "a notification and a pending vector survive an SMI",
     "15.4")
{
    struct ctx *c = user(s_nops);

    uintr_self();
    set_rr(1 << 4);
    upids[0].pir = 1 << 7;
    apic_send(apic_id_of(0), 0x4000 | NV);
    outb(0xb2, 0x5a);
    EQ(rdmsr(MSR_UINTR_RR), 1 << 4);
    EQ(run(c), VEC_HANDLER);
    EQ(uframe_at(c)->vector, 7);
    EQ(rdmsr(MSR_UINTR_RR), 1 << 4);
}

/* ---- ways into 64-bit CPL 3 other than IRET ---- */

/*
 * Run what @prepare makes a few times with nothing pending, so that an
 * emulator that links blocks of code has linked them; then with UIRR = 1 << 9.
 */
static struct ctx *run_often_then_pending(struct ctx *(*prepare)(void))
{
    struct ctx *c = NULL;

    for (int i = 0; i < 5; i++) {
        uintr_self();
        set_rr(i == 4 ? 1 << 9 : 0);
        c = prepare();
        EQ(run(c), i == 4 ? VEC_HANDLER : VEC_DONE);
    }
    EQ(uframe_at(c)->vector, 9);
    EQ(c->cs, SEL_UCODE64);
    return c;
}

SNIPPET(s_sysret, "sysretq");
SNIPPET(s_sysexit, "rex.W sysexit");
SNIPPET(s_lret, "lretq");
SNIPPET(s_far_jmp32,
        ".code32; ljmp $0x33, $1f + 0x40000000; nop; .code64; 1: nop; nop");

static struct ctx *with_sysret(void)
{
    struct ctx *c = kernel(s_sysret);

    wrmsr(MSR_STAR, 0x23ull << 48 | 0x10ull << 32);
    c->rcx = USER(s_nops);
    c->r11 = FL_1 | FL_IF;
    c->rsp = user_stack_top();
    return c;
}

TEST(sysret, "a pending interrupt is delivered after SYSRET", "12.1 2.3")
{
    struct ctx *c = run_often_then_pending(with_sysret);

    EQ(uframe_at(c)->rip, USER(s_nops));
}

static struct ctx *with_sysexit(void)
{
    struct ctx *c = kernel(s_sysexit);

    wrmsr(0x174, SEL_CODE64);
    c->rdx = USER(s_nops);
    c->rcx = user_stack_top();
    return c;
}

TEST(sysexit, "a pending interrupt is delivered after SYSEXIT", "12.1")
{
    struct ctx *c;

    if (cpuid(0, 0).ebx != 0x756e6547) {
        test_skip("only Intel CPUs have SYSEXIT in 64-bit mode");
        return;
    }
    c = run_often_then_pending(with_sysexit);
    EQ(uframe_at(c)->rip, USER(s_nops));
}

static struct ctx *with_far_return(void)
{
    struct ctx *c = kernel(s_lret);
    uint64_t *sp = (uint64_t *)c->rsp - 8;

    sp[0] = USER(s_nops);
    sp[1] = SEL_UCODE64;
    sp[2] = user_stack_top();
    sp[3] = SEL_UDATA;
    c->rsp = (uint64_t)sp;
    return c;
}

TEST(far_return, "a pending interrupt is delivered after a far return",
     "12.1")
{
    struct ctx *c = run_often_then_pending(with_far_return);

    EQ(uframe_at(c)->rip, USER(s_nops));
}

static struct ctx *with_far_jump(void)
{
    return compat(s_far_jmp32);
}

TEST(far_jump, "a far jump from compatibility to 64-bit mode delivers",
     "12.1")
{
    struct ctx *c = run_often_then_pending(with_far_jump);

    EQ(uframe_at(c)->rip, USER(s_far_jmp32) + 8);
}

SNIPPET(s_far_call32,
        ".code32; lcall $0x33, $1f + 0x40000000; nop; .code64; 1: nop; nop");

static struct ctx *with_far_call(void)
{
    return compat(s_far_call32);
}

TEST(far_call, "so does a far call", "12.1")
{
    struct ctx *c = run_often_then_pending(with_far_call);

    EQ(uframe_at(c)->rip, USER(s_far_call32) + 8);
}

SNIPPET(s_far_ret32, ".code32; lretl; .code64");

static struct ctx *with_far_return_32(void)
{
    struct ctx *c = compat(s_far_ret32);
    uint32_t *sp;

    c->rsp -= 64;
    sp = (uint32_t *)(c->rsp - USER_BASE);
    sp[0] = USER(s_nops);
    sp[1] = SEL_UCODE64;
    return c;
}

TEST(far_return_32, "so does a far return", "12.1")
{
    struct ctx *c = run_often_then_pending(with_far_return_32);

    EQ(uframe_at(c)->rip, USER(s_nops));
}

SNIPPET(s_syscall, "syscall");

TEST(syscall, "SYSCALL at CPL 3 is not disturbed by UIF=0 and UIRR != 0",
     "12.1")
{
    struct ctx *c = user(s_syscall);

    uintr_self();
    set_rr(1);
    clui();
    wrmsr(MSR_STAR, 0x23ull << 48 | 0x10ull << 32);
    wrmsr(MSR_LSTAR, (uint64_t)s_done);
    wrmsr(MSR_FMASK, FL_IF);
    EQ(run(c), VEC_DONE);
    EQ(c->cs, SEL_CODE64);
    EQ(c->rcx, USER(s_syscall) + 2);
}
