/*
 * Enumeration and CR4.UINTR (spec sections 1 and 2)
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

SNIPPET(s_xsetbv, "xsetbv");

TEST(enumerated, "CPUID.7.0:EDX[5] reports UINTR", "1.1")
{
    EQ(cpuid(7, 0).edx >> 5 & 1, 1);
    EQ(try_cr4(read_cr4() | CR4_UINTR), VEC_DONE);
}

TEST(no_user_timer, "CPUID.7.1:EDX[13] reports no user timer", "1.3")
{
    EQ(cpuid(7, 1).edx >> 13 & 1, 0);
}

TEST(no_user_timer_msr, "RDMSR and WRMSR of 1B00H are #GP(0)", "1.3")
{
    uint64_t v;

    EQ(try_rdmsr(0x1b00, &v), EXC_GP);
    EQ(try_wrmsr(0x1b00, 0), EXC_GP);
    EQ(this_cpu()->ctx.error, 0);
}

TEST(not_in_xcr0, "component 14 cannot be set in XCR0", "1.4")
{
    struct ctx *c = kernel(s_xsetbv);

    c->rax = xgetbv(0) | XMASK_UINTR;
    EQ(run(c), EXC_GP);
    EQ(xgetbv(0) & XMASK_UINTR, 0);
}

TEST(in_xss, "component 14 is selected by IA32_XSS[14]", "1.4")
{
    uint64_t v;

    EQ(try_wrmsr(MSR_XSS, XMASK_UINTR), VEC_DONE);
    EQ(try_rdmsr(MSR_XSS, &v), VEC_DONE);
    EQ(v, XMASK_UINTR);
}

TEST(microcode, "the microcode of Zen 1 and 2 has the fix for XSAVES", "1.5")
{
    switch (cpuid(1, 0).eax) {
    case 0x00800f12:
        EQ((uint32_t)rdmsr(MSR_UCODE_REV), 0x0800126e);
        break;
    case 0x00830f10:
        EQ((uint32_t)rdmsr(MSR_UCODE_REV), 0x08301052);
        break;
    default:
        test_skip("AMD's erratum 1386 is of no other CPU");
    }
}

TEST(xsaves_reported, "CPUID.0D.1 reports XSAVES and component 14", "1.5")
{
    EQ(cpuid(13, 1).eax >> 3 & 1, 1);
    EQ(cpuid(13, 1).ecx, XMASK_UINTR);
}

TEST(compacted_size, "CPUID.0D.1:EBX follows XCR0 | IA32_XSS", "1.5")
{
    xsetbv(0, 3);
    EQ(cpuid(13, 1).ebx, 0x240);
    wrmsr(MSR_XSS, XMASK_UINTR);
    EQ(cpuid(13, 1).ebx, 0x270);
    if (cpuid(13, 0).eax & 4) {
        xsetbv(0, 7);
        EQ(cpuid(13, 1).ebx, 0x370);
        wrmsr(MSR_XSS, 0);
        EQ(cpuid(13, 1).ebx, 0x340);
    }
}

TEST(component_14, "CPUID.0D.14 describes 48 bytes of supervisor state",
     "1.6")
{
    struct cpuid r = cpuid(13, 14);

    EQ(r.eax, 0x30);
    EQ(r.ebx, 0);
    EQ(r.ecx, 1);
    EQ(r.edx, 0);
}

TEST(user_leaf, "CPUID.0D.0 does not change with IA32_XSS", "1.7")
{
    struct cpuid before = cpuid(13, 0), after;

    wrmsr(MSR_XSS, XMASK_UINTR);
    after = cpuid(13, 0);
    EQ(before.eax & XMASK_UINTR, 0);
    EQ(memcmp(&before, &after, sizeof(after)), 0);
}

TEST(xss_reserved, "an unsupported IA32_XSS bit is #GP(0)", "1.8")
{
    for (int i = 0; i < 64; i++) {
        test_case = i;
        if (i != XFEATURE_UINTR) {
            EQ(try_wrmsr(MSR_XSS, 1ull << i), EXC_GP);
            EQ(this_cpu()->ctx.error, 0);
        }
    }
    EQ(rdmsr(MSR_XSS), 0);
}

TEST(cr4_alone, "CR4.UINTR needs no other CR4 bit", "2.1")
{
    EQ(try_cr4(CR4_PAE | (read_cr4() & CR4_LA57) | CR4_UINTR), VEC_DONE);
    EQ(read_cr4() & ~CR4_LA57, CR4_PAE | CR4_UINTR);
}

TEST(cr4_reserved, "a reserved CR4 bit beside UINTR is #GP(0)", "2.1")
{
    uint64_t old = read_cr4();

    EQ(try_cr4(old | 1ull << 31), EXC_GP);
    EQ(this_cpu()->ctx.error, 0);
    EQ(read_cr4(), old);
}

extern uint32_t cr4_outside_long_mode(uint32_t bits);
asm(".pushsection .text\n"
    "cr4_outside_long_mode:\n"
    "    push %rbx\n"
    "    mov %edi, %ebx\n"
    "    push $0x08\n"                  /* SEL_CODE32 */
    "    lea 1f(%rip), %rax\n"
    "    push %rax\n"
    "    lretq\n"
    "    .code32\n"
    "1:  mov %cr0, %eax\n"
    "    btr $31, %eax\n"
    "    mov %eax, %cr0\n"              /* no paging: IA-32e mode is off */
    "    mov %cr4, %ecx\n"
    "    mov %ecx, %edx\n"
    "    btr $25, %edx\n"
    "    mov %edx, %cr4\n"
    "    or %ebx, %edx\n"
    "    mov %edx, %cr4\n"
    "    mov %cr4, %edx\n"
    "    mov %ecx, %cr4\n"
    "    bts $31, %eax\n"
    "    mov %eax, %cr0\n"
    "    ljmp $0x10, $2f\n"
    "    .code64\n"
    "2:  mov %edx, %eax\n"
    "    pop %rbx\n"
    "    ret\n"
    ".popsection");

TEST(cr4_protected_mode, "CR4.UINTR can be set outside IA-32e mode", "2.1")
{
    EQ(cr4_outside_long_mode(CR4_UINTR) & CR4_UINTR, CR4_UINTR);
    EQ(cr4_outside_long_mode(0) & CR4_UINTR, 0);
}

TEST(cr4_no_xsave_gate, "CR4.UINTR=0 does not gate XSAVES and XRSTORS", "2.2")
{
    wrmsr(MSR_XSS, XMASK_UINTR);
    write_cr4(read_cr4() & ~CR4_UINTR);
    wrmsr(MSR_UINTR_STACKADJUST, 0x1234);
    xsaves(&xareas[0], XMASK_UINTR);
    EQ(xareas[0].uintr.stackadjust, 0x1234);
    wrmsr(MSR_UINTR_STACKADJUST, 0);
    xrstors(&xareas[0], XMASK_UINTR);
    EQ(rdmsr(MSR_UINTR_STACKADJUST), 0x1234);
}

TEST(cr4_gates_delivery, "CR4.UINTR=0 holds back delivery", "2.2 12.1")
{
    uintr_self();
    set_rr(1);
    write_cr4(read_cr4() & ~CR4_UINTR);
    EQ(run(user(s_nops)), VEC_DONE);
    EQ(rdmsr(MSR_UINTR_RR), 1);
}

TEST(cr4_gates_notification, "CR4.UINTR=0: vector UINV goes through the IDT",
     "2.2 9.9")
{
    uintr_self();
    upids[0].pir = 2;
    write_cr4(read_cr4() & ~CR4_UINTR);
    apic_send(apic_id_of(0), 0x4000 | NV);
    EQ(run(user(s_spin)), NV);
    EQ(apic_isr(NV), 1);
    EQ(upids[0].pir, 2);
}

TEST(cr4_keeps_state, "clearing CR4.UINTR changes no state", "2.3")
{
    uint64_t msrs[6];

    uintr_self();
    set_rr(0x8000000000000001);
    for (int i = 0; i < 6; i++) {
        msrs[i] = rdmsr(MSR_UINTR_RR + i);
    }
    write_cr4(read_cr4() & ~CR4_UINTR);
    for (int i = 0; i < 6; i++) {
        test_case = i;
        EQ(rdmsr(MSR_UINTR_RR + i), msrs[i]);
    }
    write_cr4(read_cr4() | CR4_UINTR);
    EQ(testui(), 1);
}

TEST(cr4_set_makes_deliverable,
     "UIRR written while CR4.UINTR=0 is delivered after it is set",
     "2.3 17.6 11.2")
{
    uintr_self();
    write_cr4(read_cr4() & ~CR4_UINTR);
    set_rr(1ull << 40);
    EQ(run(user(s_nops)), VEC_DONE);
    write_cr4(read_cr4() | CR4_UINTR);
    EQ(run(user(s_nops)), VEC_HANDLER);
    EQ(uframe_at(&this_cpu()->ctx)->vector, 40);
}
