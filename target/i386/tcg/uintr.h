/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * User interrupts: layout of the structures in guest memory, and the calls
 * between the translator, the event loop and the state of a vCPU.
 *
 * "Rule n" in this and the other uintr files is a rule of
 * docs/uintr-rules.md; the manual's text is in the SDM volume 3A, chapter
 * "User Interrupts".
 *
 * Unless said otherwise a function runs in the thread of the vCPU that @env
 * belongs to, is called without the BQL, and either returns with its work
 * done or raises a guest exception having changed nothing.
 */
#ifndef I386_TCG_UINTR_H
#define I386_TCG_UINTR_H

#include "qemu/bitops.h"
#include "cpu.h"

/* User posted-interrupt descriptor: 64-byte aligned, 16 bytes used (4.1) */
#define UPID_SIZE       16
#define UPID_ON         BIT_ULL(0)      /* notification outstanding */
#define UPID_SN         BIT_ULL(1)      /* notifications suppressed */
#define UPID_RESERVED   (MAKE_64BIT_MASK(2, 14) | MAKE_64BIT_MASK(24, 8))
#define UPID_NV(ctl)    extract64(ctl, 16, 8)
#define UPID_NDST(ctl)  extract64(ctl, 32, 32)

/* User-interrupt target table entry: 16 bytes, 16-byte aligned (4.4) */
#define UITTE_SIZE      16
#define UITTE_V         BIT_ULL(0)
#define UITTE_RESERVED  (MAKE_64BIT_MASK(1, 7) | MAKE_64BIT_MASK(14, 50))
#define UITTE_UV(ctl)   extract64(ctl, 8, 6)
#define UITTE_UPID_RESERVED MAKE_64BIT_MASK(0, 6)

/* IA32_UINTR_TT and IA32_UINTR_MISC (3.2) */
#define UINTR_TT_ENABLE BIT_ULL(0)
#define UINTR_TT_ADDR(tt) ((tt) & ~MAKE_64BIT_MASK(0, 4))
#define UINTR_MISC_UITTSZ(misc) extract64(misc, 0, 32)
#define UINTR_MISC_UINV_MASK MAKE_64BIT_MASK(32, 8)
#define UINTR_MISC_UINV(misc) extract64(misc, 32, 8)
/* UIF has no MSR: it lives in this bit of the XSAVE image of MISC (3.3) */
#define UINTR_MISC_UIF  BIT_ULL(63)

/**
 * x86_uintr_rdmsr, x86_uintr_wrmsr: IA32_UINTR_RR ... IA32_UINTR_TT
 *
 * Return false if the access is #GP(0), with nothing changed.
 */
bool x86_uintr_rdmsr(CPUX86State *env, uint32_t msr, uint64_t *val);
bool x86_uintr_wrmsr(CPUX86State *env, uint32_t msr, uint64_t val);

/**
 * x86_uintr_impossible_msr: the first of these MSRs that no WRMSR can have made
 * what it is, or 0
 */
uint32_t x86_uintr_impossible_msr(CPUX86State *env);

/**
 * x86_xss_wrmsr: IA32_XSS; returns false if the write is #GP(0) (1.8)
 */
bool x86_xss_wrmsr(CPUX86State *env, uint64_t val);

/**
 * x86_uintr_canonical: does @addr fit the current paging mode?
 */
bool x86_uintr_canonical(CPUX86State *env, uint64_t addr);

/**
 * x86_uintr_recognize: re-evaluate "a user interrupt is pending" (11.1)
 *
 * To be called after every change of UIRR.
 */
void x86_uintr_recognize(CPUX86State *env);

/**
 * x86_uintr_mmu_index: MMU index of UITT and UPID accesses (7.10, 10.3)
 */
int x86_uintr_mmu_index(CPUX86State *env);

/**
 * x86_uintr_notify: take the next interrupt as a notification, if it is one
 *
 * Called with the BQL when a maskable interrupt is about to be accepted;
 * the BQL is dropped while the UPID is touched.  Returns true if the
 * interrupt has been consumed; false if the IDT is to see it.  May raise
 * #PF or #GP, with the interrupt consumed (10.5).
 */
bool x86_uintr_notify(CPUX86State *env);

/**
 * x86_uintr_notify_halted: the same for a vCPU that is in HLT
 *
 * Returns true if the vCPU goes on being halted (9.7).  Never raises an
 * exception: a notification that would fault, or whose UPID is not in RAM, is
 * left for x86_uintr_notify(), after HLT has ended.
 */
bool x86_uintr_notify_halted(CPUX86State *env);

/**
 * x86_uintr_post: send a notification without the BQL
 *
 * As apic_uintr_send(), but returns false, with nothing done, if it takes the
 * BQL to do it.  The CPU property "uintr-fast" switches that off.
 */
bool x86_uintr_post(CPUX86State *env, uint32_t ndst, uint8_t nv);

/**
 * x86_uintr_take: take @vector, if it is all that is posted to this vCPU
 */
bool x86_uintr_take(CPUX86State *env, uint8_t vector);

/**
 * x86_uintr_accept_posted: leave all that is posted to this vCPU to its APIC
 *
 * Called with the BQL.
 */
void x86_uintr_accept_posted(CPUX86State *env);

/**
 * x86_cpu_exec_unlocked: deliver a user interrupt at this boundary, if any
 *
 * The TCGCPUOps hook of the same name.  Returns true if the program flow was
 * changed.  May raise a fault of the delivery, with the interrupt still
 * pending (12.7).
 */
bool x86_cpu_exec_unlocked(CPUState *cs);

/* Component 14 of XSAVES and XRSTORS, see xsaves_helper.c.inc */
#define UINTR_XSAVE_QWORDS 6

/* x86_uintr_in_use: XINUSE[14] (13.3) */
bool x86_uintr_in_use(CPUX86State *env);
void x86_uintr_xsave(CPUX86State *env, uint64_t image[UINTR_XSAVE_QWORDS]);
/* Is XRSTORS of @image allowed now?  A NULL image is the initial state. */
bool x86_uintr_xrstor_ok(CPUX86State *env, const uint64_t *image);
void x86_uintr_xrstor(CPUX86State *env, const uint64_t *image);

#endif /* I386_TCG_UINTR_H */
