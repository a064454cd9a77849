/*
 * Random operations: SENDUIPI and the XSAVE family, in loops
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "fuzz.h"

#define SENDS           512             /* in one operation */
#define XSAVES          128

/*
 * A loop over one instruction: RSI goes over its operands, RCX says how many
 * are left. The bytes are good at any address, and in 32-bit code.
 */
struct loop {
    uint8_t code[62];
    uint8_t insn, next;         /* where it is, and what is behind it */
};

/* What a context reads and runs, at USER() or as it is */
static struct job {
    struct {
        uint64_t addr;
        uint32_t eax, edx;
    } xsave[XSAVES];
    uint64_t index[SENDS];
    struct loop loop;
} jobs[MAX_CPUS] __attribute__((aligned(4096)));

static struct job *job(void)
{
    return &jobs[this_cpu()->id];
}

static uint64_t alias(struct ctx *c, const void *p)
{
    return c->cs & 3 ? USER(p) : (uint64_t)p;
}

static uint8_t *emit(uint8_t *p, const void *bytes, unsigned n)
{
    memcpy(p, bytes, n);
    return p + n;
}

/* XSAVE and its like take an address in RDI, SENDUIPI a number in RAX */
static void make_loop(struct loop *l, const void *insn, unsigned n, bool send)
{
    static const uint8_t load_send[] = {
        0x48, 0x8b, 0x06,                       /* mov (%rsi),%rax */
    }, load_xsave[] = {
        0x48, 0x8b, 0x3e,                       /* mov (%rsi),%rdi */
        0x8b, 0x46, 0x08,                       /* mov 8(%rsi),%eax */
        0x8b, 0x56, 0x0c,                       /* mov 12(%rsi),%edx */
    };
    uint8_t *p = send ? emit(l->code, load_send, sizeof(load_send))
                      : emit(l->code, load_xsave, sizeof(load_xsave));

    l->insn = p - l->code;
    p = emit(p, insn, n);
    l->next = p - l->code;
    p = emit(p, "\x83\xc6", 2);                 /* add $n,%esi */
    *p++ = send ? 8 : 16;
    p = emit(p, "\xff\xc9\x75", 3);             /* dec %ecx; jnz */
    *p = l->code - p - 1;
    emit(p + 1, "\xcd\x20", 2);                 /* int $0x20 */
}

/*
 * Where the loop runs: as it is, with other prefixes, or in a page in which
 * anything may be changed meanwhile. There it may become any code, which does
 * no harm at CPL 3.
 */
static const struct loop *place(struct dice *d, struct ctx *c,
                                const struct loop *l, bool send)
{
    static const uint8_t prefixes[] = {
        0x66, 0x67, 0xf2, 0xf3, 0x2e, 0x3e, 0x64, 0xf0, 0x40, 0x41, 0x48, 0x4f,
    };
    struct loop *own = &job()->loop;
    uint64_t where = (uint64_t)pool[below(d, NR_POOL)] + below(d, 63) * 64;
    unsigned n = 1 + below(d, 3);
    uint8_t insn[16];

    for (unsigned i = 0; i < n; i++) {
        insn[i] = ANY(d, prefixes);
    }
    switch (below(d, 16)) {
    case 0:
        memcpy(insn + n, l->code + l->insn, l->next - l->insn);
        make_loop(own, insn, n + l->next - l->insn, send);
        return own;
    case 1:
        if (c->cs & 3) {
            memcpy((void *)where, l, sizeof(*l));
            return (struct loop *)where;
        }
        break;
    }
    return l;
}

/*
 * Run @n rounds of @loop, over each fault of the instruction, of which it
 * counts how often it was started and how often it ended.
 */
static void run_loop(struct dice *d, const struct loop *loop, unsigned n,
                     const void *operands, bool send)
{
    struct ctx *c = one_in(d, 4) ? kernel(s_done) :
                    !send && one_in(d, 8) ? compat(s_done) : user(s_done);
    unsigned faults = 0, left;

    loop = place(d, c, loop, send);
    if (one_in(d, 16)) {
        c->rflags ^= roll(d) & (FL_TF | FL_AC | FL_DF | FL_NT | FL_RF);
    }
    if (c->cs == SEL_CODE64 && !send && one_in(d, 4)) {
        c->cs = SEL_CODE32;
    }
    c->rip = alias(c, loop->code);
    c->rsi = alias(c, operands);
    c->rcx = n;
    while (run(c) != VEC_DONE && faults < n &&
           c->rip == alias(c, loop->code + loop->insn)) {
        faults++;
        c->rip = alias(c, loop->code + loop->next);
    }
    left = c->rcx < n ? c->rcx : n;
    n -= left;
    count(send ? SENDUIPI : XSAVE, n);
    count(send ? SENT : XSAVED, n < faults ? 0 : n - faults);
}

void op_send(struct dice *d)
{
    static const uint8_t senduipi[] = { 0xf3, 0x0f, 0xc7, 0xf0 };
    static struct loop loop;

    if (!loop.insn) {
        make_loop(&loop, senduipi, sizeof(senduipi), true);
    }
    for (unsigned i = 0; i < SENDS; i++) {
        uint64_t any = roll(d);

        job()->index[i] = any >> 59 ? any & 63 : any >> (any >> 32 & 63);
    }
    run_loop(d, &loop, SENDS, job()->index, true);
}

void op_xsave(struct dice *d)
{
    /* REX.W or a segment prefix that does nothing, and the instruction */
    static const uint8_t insns[][2] = {
        { 0xae, 0x07 },         /* fxsave */
        { 0xae, 0x0f },         /* fxrstor */
        { 0xae, 0x27 },         /* xsave */
        { 0xae, 0x2f },         /* xrstor */
        { 0xae, 0x37 },         /* xsaveopt */
        { 0xc7, 0x1f },         /* xrstors */
        { 0xc7, 0x27 },         /* xsavec */
        { 0xc7, 0x2f },         /* xsaves */
    };
    static struct loop loops[2][sizeof(insns) / 2];
    unsigned n = below(d, sizeof(insns) / 2), wide = below(d, 2);
    uint8_t insn[] = { wide ? 0x48 : 0x3e, 0x0f, insns[n][0], insns[n][1] };

    if (!loops[wide][n].insn) {
        make_loop(&loops[wide][n], insn, sizeof(insn), false);
    }
    for (unsigned i = 0; i < XSAVES; i++) {
        uint64_t mask = roll(d);

        job()->xsave[i].addr = address(d) & (one_in(d, 8) ? ~0ull : ~63ull);
        job()->xsave[i].eax = one_in(d, 2) ? ~0u : mask & (mask >> 20);
        job()->xsave[i].edx = one_in(d, 8) ? ~0u : 0;
    }
    run_loop(d, &loops[wide][n], XSAVES, job()->xsave, false);
}

/* A header that XRSTOR or XRSTORS may like */
void op_header(struct dice *d)
{
    static const uint64_t masks[] = {
        0, 1, 2, 3, 4, 7, XMASK_UINTR, XMASK_UINTR | 7, 0x18, 0x200, 0x21f,
        0x421f,
    };
    struct xarea *area = (struct xarea *)
        (((uint64_t)pool[below(d, NR_POOL - 1)] + offset(d)) & ~63ull);
    uint64_t have = ANY(d, masks), odd = roll(d) & roll(d) & roll(d);

    area->xcomp_bv = one_in(d, 4) ? 0 : XCOMPACT | have;
    area->xstate_bv = have & roll(d);
    memset(area->reserved, 0, sizeof(area->reserved));
    if (one_in(d, 8)) {
        area->xstate_bv ^= odd & roll(d);
    }
    if (one_in(d, 2)) {
        *(uint32_t *)(area->legacy + 24) = 0x1f80;      /* MXCSR */
    }
    if (one_in(d, 2)) {
        area->uintr = (struct xuintr){
            USER(uh_log), 128, MISC(NV, 63), (uint64_t)&upids[this_cpu()->id],
            roll(d), (uint64_t)uitt | TT_ENABLE,
        };
    }
}
