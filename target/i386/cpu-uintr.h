/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * User interrupts: the architecture's numbers, the state in CPUX86State, and
 * the functions that files of QEMU call.  Included by cpu.h.  A number in
 * parentheses is that of a rule of docs/uintr-rules.md.
 */
#ifndef I386_CPU_UINTR_H
#define I386_CPU_UINTR_H

#define CPUID_7_0_EDX_UINTR     (1U << 5)
#define CPUID_7_1_EDX_UIRET_UIF (1U << 17)  /* UIRET loads UIF from RFLAGS[1] */

#define CR4_UINTR_MASK          (1U << 25)
#define HF_UINTR_SHIFT          29          /* CR4.UINTR */
#define HF_UINTR_MASK           (1 << HF_UINTR_SHIFT)

#define MSR_IA32_UINTR_RR           0x00000985
#define MSR_IA32_UINTR_HANDLER      0x00000986
#define MSR_IA32_UINTR_STACKADJUST  0x00000987
#define MSR_IA32_UINTR_MISC         0x00000988
#define MSR_IA32_UINTR_PD           0x00000989
#define MSR_IA32_UINTR_TT           0x0000098a
#define MSR_IA32_UINTR_TIMER        0x00001b00  /* announced, then withdrawn */

/* XSAVE state component 14 (13.1) */
#define XSTATE_UINTR_BIT        14
#define XSTATE_UINTR_MASK       (1ULL << XSTATE_UINTR_BIT)
#define XSAVE_UINTR_SIZE        48

/*
 * State of one logical processor (3.1).  Only the thread of the vCPU touches
 * it, or anybody while the vCPU is stopped.  The registers are kept as RDMSR
 * shows them.
 *
 * RESET clears it.  INIT keeps it, like other MSRs: the manual does not
 * settle that (3.7), and the place of the field in CPUX86State, inside
 * start_init_save ... end_init_save, is what decides.
 */
typedef struct CPUX86Uintr {
    uint64_t handler;       /* IA32_UINTR_HANDLER */
    uint64_t stack_adjust;  /* IA32_UINTR_STACKADJUST */
    uint64_t misc;          /* IA32_UINTR_MISC: UITTSZ 31:0, UINV 39:32 */
    uint64_t pd;            /* IA32_UINTR_PD: UPIDADDR */
    uint64_t rr;            /* IA32_UINTR_RR: UIRR */
    uint64_t tt;            /* IA32_UINTR_TT: UITTADDR, SENDUIPI enable 0 */
    bool     uif;           /* in no MSR */

    /* What "info uintr" tells.  Lost on RESET, and not migrated. */
    uint64_t posted;        /* SENDUIPI that set a bit of a PIR */
    uint64_t notified;      /* those that sent a notification too */
    uint64_t taken;         /* notifications taken, not left to the IDT */
    uint64_t delivered;
} CPUX86Uintr;

/*
 * Vectors of notifications in flight to this vCPU, see
 * tcg/system/uintr-notify.c.  Any thread sets bits, the vCPU's own thread
 * clears them.  RESET and INIT, which also empty the IRR, clear them.
 */
typedef struct CPUX86UintrInFlight {
    uint64_t vectors[4];
    uint64_t unused[8];     /* other vCPUs write to no line that is read here */
} CPUX86UintrInFlight;

/**
 * x86_cpu_expand_uintr: let "uintr" pull in what it needs, or drop it
 *
 * Part of CPU expansion, before dependencies are resolved.  Prints a warning
 * if the feature cannot be had; "enforce" makes that an error.  Chooses a
 * revision of the microcode, unless the user has, with which XSAVES is used.
 */
void x86_cpu_expand_uintr(X86CPU *cpu);

/**
 * x86_uintr_tcg_features: feature bits that TCG supports on @cpu only
 *
 * In addition to FeatureWordInfo.tcg_features, which "max" enables.
 */
uint64_t x86_uintr_tcg_features(X86CPU *cpu, FeatureWord w);

#ifndef CONFIG_USER_ONLY
/**
 * x86_uintr_in_flight: is a notification in flight to this vCPU?
 *
 * For any thread.  Has no barrier: see tcg/system/uintr-notify.c.
 */
bool x86_uintr_in_flight(X86CPU *cpu);

/**
 * x86_uintr_has_work: must a halted vCPU run because of one in flight?
 *
 * Part of CPUClass.has_work, with the barrier that this needs.
 */
bool x86_uintr_has_work(X86CPU *cpu);

/**
 * x86_uintr_rdmsr, x86_uintr_wrmsr: IA32_UINTR_RR ... IA32_UINTR_TT
 *
 * Return false if the access is #GP(0), with nothing changed.
 */
bool x86_uintr_rdmsr(CPUArchState *env, uint32_t msr, uint64_t *val);
bool x86_uintr_wrmsr(CPUArchState *env, uint32_t msr, uint64_t val);

/**
 * x86_uintr_exec_interrupt: take the next interrupt, if it is a notification
 *
 * The TCGCPUOps callback; leaves all else to x86_cpu_exec_interrupt().  The
 * BQL is dropped while the UPID is touched.  May raise #PF or #GP, with the
 * interrupt consumed (10.5).
 */
bool x86_uintr_exec_interrupt(CPUState *cs, int interrupt_request);

/**
 * x86_uintr_exec_halt: take a notification without an end of HLT (9.7)
 *
 * The TCGCPUOps callback; leaves all else to x86_cpu_exec_halt().
 */
bool x86_uintr_exec_halt(CPUState *cs);

/**
 * x86_uintr_exec_unlocked: take what is in flight, and deliver a user
 * interrupt at this boundary, if any
 *
 * The TCGCPUOps callback.  Returns true if the program flow was changed.  May
 * raise a fault of the delivery, with the interrupt still pending (12.7).
 */
bool x86_uintr_exec_unlocked(CPUState *cs);

extern const VMStateDescription vmstate_x86_uintr;

/**
 * x86_uintr_post_load: check and complete the state after loading it
 *
 * Returns 0, or -EINVAL with a message printed (16.3).
 */
int x86_uintr_post_load(X86CPU *cpu);
#endif

#endif /* I386_CPU_UINTR_H */
