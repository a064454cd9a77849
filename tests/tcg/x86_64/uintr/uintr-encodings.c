/*
 * Instruction encodings, neighbours and #UD (spec section 5)
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

/* The five instructions, as bytes */
#define B_UIRET    ".byte 0xf3, 0x0f, 0x01, 0xec"
#define B_TESTUI   ".byte 0xf3, 0x0f, 0x01, 0xed"
#define B_CLUI     ".byte 0xf3, 0x0f, 0x01, 0xee"
#define B_STUI     ".byte 0xf3, 0x0f, 0x01, 0xef"
#define B_SENDUIPI ".byte 0xf3, 0x0f, 0xc7, 0xf0"

SNIPPET(b_uiret, B_UIRET);
SNIPPET(b_testui, B_TESTUI);
SNIPPET(b_clui, B_CLUI);
SNIPPET(b_stui, B_STUI);
SNIPPET(b_senduipi, B_SENDUIPI "; nop; nop");
SNIPPET(l_uiret, ".byte 0xf0; " B_UIRET);
SNIPPET(l_testui, ".byte 0xf0; " B_TESTUI);
SNIPPET(l_clui, ".byte 0xf0; " B_CLUI);
SNIPPET(l_stui, ".byte 0xf0; " B_STUI);
SNIPPET(l_senduipi, ".byte 0xf0; " B_SENDUIPI);

static const char *const plain[] = {
    b_uiret, b_testui, b_clui, b_stui, b_senduipi
};
static const char *const locked[] = {
    l_uiret, l_testui, l_clui, l_stui, l_senduipi
};

TEST(bytes_testui, "F3 0F 01 ED is TESTUI", "5.1 6.3")
{
    struct ctx *c = user(b_testui);

    stui();
    EQ(run(c), VEC_DONE);
    EQ(c->rflags & FL_CF, FL_CF);
}

TEST(bytes_stui_clui, "F3 0F 01 EF is STUI, F3 0F 01 EE is CLUI", "5.1")
{
    EQ(run(user(b_stui)), VEC_DONE);
    EQ(testui(), 1);
    EQ(run(user(b_clui)), VEC_DONE);
    EQ(testui(), 0);
}

TEST(bytes_uiret, "F3 0F 01 EC is UIRET", "5.1")
{
    struct ctx *c = user(b_uiret);
    uint64_t *frame;

    c->rsp -= 64;
    frame = (uint64_t *)(c->rsp - USER_BASE);
    frame[0] = USER(s_done);
    frame[1] = FL_1;
    frame[2] = 0x1122334455667788;
    EQ(run(c), VEC_DONE);
    EQ(c->rip, USER(s_done) + 2);
    EQ(c->rsp, 0x1122334455667788);
}

TEST(bytes_senduipi, "F3 0F C7 /6 is SENDUIPI", "5.1")
{
    struct ctx *c = user(b_senduipi);

    uintr_self();
    upids[0].control |= UPID_SN;
    c->rax = 3;
    EQ(run(c), VEC_DONE);
    EQ(upids[0].pir, 8);
}

/* One SENDUIPI per register; every other register names a bad index */
#define SEND(reg) SNIPPET(send_##reg, "senduipi %" #reg "; nop; nop")
SEND(rax); SEND(rcx); SEND(rdx); SEND(rbx);
SEND(rsp); SEND(rbp); SEND(rsi); SEND(rdi);
SEND(r8); SEND(r9); SEND(r10); SEND(r11);
SEND(r12); SEND(r13); SEND(r14); SEND(r15);

static const char *const send_by_reg[] = {
    send_rax, send_rcx, send_rdx, send_rbx, send_rsp, send_rbp, send_rsi,
    send_rdi, send_r8, send_r9, send_r10, send_r11, send_r12, send_r13,
    send_r14, send_r15
};

static uint64_t *ctx_reg(struct ctx *c, int n)
{
    uint64_t *regs[] = { &c->rax, &c->rcx, &c->rdx, &c->rbx, &c->rsp, &c->rbp,
                         &c->rsi, &c->rdi, &c->r8, &c->r9, &c->r10, &c->r11,
                         &c->r12, &c->r13, &c->r14, &c->r15 };

    return regs[n];
}

static void each_register(const char *const code[])
{
    uintr_self();
    for (int n = 0; n < 16; n++) {
        struct ctx *c = user(code[n]);

        test_case = n;
        for (int i = 0; i < 16; i++) {
            *ctx_reg(c, i) = 0x100 + i;
        }
        *ctx_reg(c, n) = 16 + n;
        upids[0].control = UPID_SN;
        upids[0].pir = 0;
        EQ(run(c), VEC_DONE);
        EQ(upids[0].pir, 1ull << (16 + n));
        EQ(*ctx_reg(c, n), 16 + n);
    }
}

TEST(every_register, "SENDUIPI takes each of the 16 registers", "5.1 17.1")
{
    each_register(send_by_reg);
}

TEST(P1, "P1 SENDUIPI is not limited to RAX and R12", "5.1 17.1")
{
    each_register(send_by_reg);
}

SNIPPET(s_send_66, ".byte 0x66, 0xf3, 0x0f, 0xc7, 0xf1; nop; nop");
SNIPPET(s_send_rexw, ".byte 0xf3, 0x48, 0x0f, 0xc7, 0xf1; nop; nop");
SNIPPET(s_send_rexwb, ".byte 0xf3, 0x49, 0x0f, 0xc7, 0xf1; nop; nop");
SNIPPET(s_send_rexr, ".byte 0xf3, 0x44, 0x0f, 0xc7, 0xf1; nop; nop");

static void send_64bit(const char *code, int reg)
{
    struct ctx *c = user(code);

    uintr_self();
    upids[0].control |= UPID_SN;
    *ctx_reg(c, reg) = 7;
    EQ(run(c), VEC_DONE);
    EQ(upids[0].pir, 1 << 7);
    c = user(code);
    *ctx_reg(c, reg) = 0x100000007;
    EQ(run(c), EXC_GP);
}

TEST(prefix_66, "66H does not narrow the operand of SENDUIPI", "5.1 7.2")
{
    struct ctx *c = user(s_send_66);

    send_64bit(s_send_66, 1);
    c = user(s_send_66);
    c->rcx = 0x10007;
    EQ(run(c), EXC_GP);
}

TEST(rex_w, "REX.W changes nothing in SENDUIPI", "5.1")
{
    send_64bit(s_send_rexw, 1);
}

TEST(no_rex_w, "without REX.W the operand of SENDUIPI has 64 bits", "5.1")
{
    send_64bit(send_rcx, 1);
}

TEST(rex_b, "REX.B selects R9", "5.1")
{
    send_64bit(s_send_rexwb, 9);
}

TEST(rex_r, "REX.R is ignored by SENDUIPI", "5.1")
{
    send_64bit(s_send_rexr, 1);
}

/* Neighbouring opcodes (5.2) */
SNIPPET(n_rdpkru, ".byte 0x0f, 0x01, 0xee");
SNIPPET(n_wrpkru, ".byte 0x0f, 0x01, 0xef");
SNIPPET(n_rdrand, ".byte 0x48, 0x0f, 0xc7, 0xf0");
SNIPPET(n_rdseed, ".byte 0x48, 0x0f, 0xc7, 0xf8");
SNIPPET(n_rdpid, ".byte 0xf3, 0x0f, 0xc7, 0xf8");
SNIPPET(n_vmxon, ".byte 0xf3, 0x0f, 0xc7, 0x30");
SNIPPET(n_setssbsy, ".byte 0xf3, 0x0f, 0x01, 0xe8");
SNIPPET(n_saveprevssp, ".byte 0xf3, 0x0f, 0x01, 0xea");
SNIPPET(n_cmpxchg8b, ".byte 0x0f, 0xc7, 0x0f");

TEST(pkru, "0F 01 EE and EF without F3 are RDPKRU and WRPKRU", "5.2")
{
    struct ctx *c = user(n_wrpkru);

    if (!(cpuid(7, 0).ecx >> 3 & 1)) {
        test_skip("this CPU has no protection keys");
        return;
    }
    write_cr4(read_cr4() | CR4_PKE);
    c->rax = 0x30000;
    EQ(run(c), VEC_DONE);
    c = user(n_rdpkru);
    EQ(run(c), VEC_DONE);
    EQ(c->rax, 0x30000);
    EQ(testui(), 0);
    c = user(n_wrpkru);
    run(c);
}

TEST(rdrand, "0F C7 /6 without F3 is RDRAND", "5.2")
{
    struct ctx *c = user(n_rdrand);

    uintr_self();
    EQ(run(c), cpuid(1, 0).ecx >> 30 & 1 ? VEC_DONE : EXC_UD);
    EQ(upids[0].pir, 0);
}

TEST(rdseed, "0F C7 /7 without F3 is RDSEED", "5.2")
{
    EQ(run(user(n_rdseed)), cpuid(7, 0).ebx >> 18 & 1 ? VEC_DONE : EXC_UD);
}

TEST(rdpid, "F3 0F C7 /7 is RDPID", "5.2")
{
    struct ctx *c = user(n_rdpid);

    if (!(cpuid(7, 0).ecx >> 22 & 1)) {
        test_skip("this CPU has no RDPID");
        return;
    }
    wrmsr(0xc0000103, 0x5a);
    EQ(run(c), VEC_DONE);
    EQ(c->rax, 0x5a);
}

TEST(vmxon, "F3 0F C7 /6 with memory is VMXON, here #UD", "5.2 1.9")
{
    struct ctx *c = user(n_vmxon);

    uintr_self();
    c->rax = user_stack_top() - 64;
    EQ(cpuid(1, 0).ecx >> 5 & 1, 0);
    EQ(run(c), EXC_UD);
    EQ(upids[0].pir, 0);
}

TEST(shadow_stack, "F3 0F 01 E8 and EA stay #UD without shadow stacks", "5.2")
{
    EQ(run(kernel(n_setssbsy)), EXC_UD);
    EQ(run(kernel(n_saveprevssp)), EXC_UD);
}

TEST(cmpxchg8b, "0F C7 /1 is still CMPXCHG8B", "5.2")
{
    struct ctx *c = user(n_cmpxchg8b);
    uint64_t *mem = uarea()->scratch;

    mem[0] = 5;
    c->rdi = USER(mem);
    c->rax = 5;
    c->rbx = 9;
    EQ(run(c), VEC_DONE);
    EQ(mem[0], 9);
}

/* #UD */
static void all_ud(struct ctx *(*mode)(const void *), const char *const *code)
{
    uintr_self();
    clui();
    for (int i = 0; i < 5; i++) {
        struct ctx *c = mode(code[i]);
        uint64_t rip = c->rip;

        test_case = i;
        EQ(run(c), EXC_UD);
        EQ(c->rip, rip);
    }
    EQ(upids[0].pir, 0);
    EQ(testui(), 0);
}

TEST(ud_lock, "LOCK makes all five #UD at CPL 3", "5.3 17.14")
{
    all_ud(user, locked);
}

TEST(ud_lock_kernel, "LOCK makes all five #UD at CPL 0", "5.3 17.14")
{
    all_ud(kernel, locked);
}

TEST(ud_compat, "all five are #UD in compatibility mode", "5.3 17.14")
{
    all_ud(compat, plain);
}

static struct ctx *compat_kernel(const void *code)
{
    struct ctx *c = kernel(code);

    c->cs = SEL_CODE32;
    return c;
}

TEST(ud_compat_kernel, "all five are #UD in compatibility mode at CPL 0",
     "5.3")
{
    all_ud(compat_kernel, plain);
}

static struct ctx *user_no_cr4(const void *code)
{
    write_cr4(read_cr4() & ~CR4_UINTR);
    return user(code);
}

static struct ctx *kernel_no_cr4(const void *code)
{
    write_cr4(read_cr4() & ~CR4_UINTR);
    return kernel(code);
}

static void no_cr4(struct ctx *(*mode)(const void *))
{
    uintr_self();
    stui();
    for (int i = 0; i < 5; i++) {
        test_case = i;
        EQ(run(mode(plain[i])), EXC_UD);
    }
    write_cr4(read_cr4() | CR4_UINTR);
    EQ(testui(), 1);
    EQ(upids[0].pir, 0);
}

TEST(ud_cr4, "all five are #UD at CPL 3 with CR4.UINTR=0", "5.3 17.14")
{
    no_cr4(user_no_cr4);
}

TEST(ud_cr4_kernel, "all five are #UD at CPL 0 with CR4.UINTR=0", "5.3 2.2")
{
    no_cr4(kernel_no_cr4);
}

TEST(ud_tt, "SENDUIPI is #UD if IA32_UINTR_TT[0]=0", "5.3 17.14")
{
    struct ctx *c;

    uintr_self();
    wrmsr(MSR_UINTR_TT, (uint64_t)uitt);
    for (int cpl = 0; cpl < 4; cpl += 3) {
        test_case = cpl;
        c = ring(cpl, b_senduipi);
        EQ(run(c), EXC_UD);
    }
    EQ(upids[0].pir, 0);
}

TEST(ud_before_gp, "TT[0]=0 is #UD even if the index is too high", "5.3 7.1")
{
    struct ctx *c = user(b_senduipi);

    uintr_self();
    wrmsr(MSR_UINTR_TT, (uint64_t)uitt);
    c->rax = ~0ull;
    EQ(run(c), EXC_UD);
}

TEST(tt_other, "IA32_UINTR_TT[0]=0 does not disable the other four", "5.3")
{
    wrmsr(MSR_UINTR_TT, 0);
    EQ(run(user(b_stui)), VEC_DONE);
    EQ(run(user(b_testui)), VEC_DONE);
    EQ(run(user(b_clui)), VEC_DONE);
    EQ(testui(), 0);
}

TEST(every_cpl, "the instructions work at every CPL", "5.3")
{
    uintr_self();
    upids[0].control |= UPID_SN;
    for (int cpl = 0; cpl < 4; cpl++) {
        struct ctx *c;

        test_case = cpl;
        EQ(run(ring(cpl, b_stui)), VEC_DONE);
        EQ(testui(), 1);
        c = ring(cpl, b_testui);
        EQ(run(c), VEC_DONE);
        EQ(c->rflags & FL_CF, FL_CF);
        EQ(run(ring(cpl, b_clui)), VEC_DONE);
        EQ(testui(), 0);
        if (cpl == 0 || cpl == 3) {
            c = ring(cpl, b_senduipi);
            c->rax = 20 + cpl;
            EQ(run(c), VEC_DONE);
            EQ(upids[0].pir >> (20 + cpl) & 1, 1);
        }
    }
}

/* SENDUIPI reaches supervisor memory from CPL 1 and 2 as well */
TEST(senduipi_cpl12, "SENDUIPI works at CPL 1 and 2", "5.3")
{
    uintr_self();
    upids[0].control |= UPID_SN;
    for (int cpl = 1; cpl < 3; cpl++) {
        struct ctx *c = ring(cpl, b_senduipi);

        test_case = cpl;
        c->rax = cpl;
        EQ(run(c), VEC_DONE);
    }
    EQ(upids[0].pir, 6);
}
