/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * User interrupts: layout of the structures in guest memory, and the calls
 * between the translator, the event loop and the state of a vCPU.
 *
 * "Rule n" in this and the other uintr files is a rule of
 * docs/uintr-rules.md; the manual's text is in the SDM volume 3A, chapter
 * "User Interrupts".
 *
 * The words: SENDUIPI *posts* a vector when it sets the vector's bit of PIR;
 * then it may *notify*, that is send the IPI.  The notification is *in flight*
 * until the receiver, or its APIC, has it.  The receiver *takes* it when it
 * moves PIR to UIRR, and *delivers* when it calls the handler.
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
 * x86_uintr_impossible_msr: the first MSR with a value that WRMSR refuses (3.2)
 *
 * Returns 0 if there is none.
 */
uint32_t x86_uintr_impossible_msr(CPUX86State *env);

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
 * x86_uintr_notify: send a notification (7.7)
 *
 * Takes the BQL if the target cannot be notified without it.
 */
void x86_uintr_notify(CPUX86State *env, uint32_t ndst, uint8_t nv);

/**
 * x86_uintr_claim_in_flight: clear @vector, if nothing else is in flight
 *
 * Returns true if it was in flight: the caller takes the notification.
 */
bool x86_uintr_claim_in_flight(CPUX86State *env, uint8_t vector);

/**
 * x86_uintr_accept_in_flight: let the vCPU's APIC accept all that is in flight
 *
 * Called with the BQL.
 */
void x86_uintr_accept_in_flight(CPUX86State *env);

/**
 * x86_uintr_take_in_flight: take the notification in flight
 *
 * If it cannot be taken now, or is none, let the vCPU's APIC accept it.  May
 * raise #PF or #GP, with the notification consumed (10.5).
 */
void x86_uintr_take_in_flight(CPUX86State *env);

/* Component 14 of XSAVES and XRSTORS, a row in the table of xsaves.c.inc */
#define UINTR_XSAVE_QWORDS 6

/* x86_uintr_in_use: XINUSE[14] (13.3) */
bool x86_uintr_in_use(CPUX86State *env);
void x86_uintr_xsave(CPUX86State *env, uint64_t image[UINTR_XSAVE_QWORDS]);
/* Returns false if XRSTORS of @image is #GP(0), with nothing changed. */
bool x86_uintr_xrstor(CPUX86State *env,
                      const uint64_t image[UINTR_XSAVE_QWORDS]);
void x86_uintr_xrstor_init(CPUX86State *env);

#endif /* I386_TCG_UINTR_H */
