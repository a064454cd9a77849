/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * User interrupts: the part of CPUX86State, and what the CPU model code
 * calls.  Included by cpu.h; numbers of rules are those of
 * docs/uintr-rules.md.
 */
#ifndef I386_CPU_UINTR_H
#define I386_CPU_UINTR_H

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
    uint64_t sent;          /* SENDUIPI that posted a vector */
    uint64_t notified;      /* those that sent a notification too */
    uint64_t processed;     /* notifications taken, not left to the IDT */
    uint64_t delivered;
} CPUX86Uintr;

/*
 * Vectors of notifications that are on their way to this vCPU, see
 * tcg/system/uintr_post.c.  Any thread sets bits, the vCPU's own thread
 * takes them.  RESET and INIT, which also empty the IRR, clear them.
 */
typedef struct CPUX86UintrPosted {
    uint64_t vectors[4];
    uint64_t unused[8];     /* other vCPUs write to no line that is read here */
} CPUX86UintrPosted;

/* XSAVE state component 14 (13.1) */
#define XSAVE_UINTR_SIZE 48

#define MSR_IA32_UINTR_TIMER 0x00001b00     /* announced, then withdrawn */

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

/**
 * x86_uintr_xss_components: supervisor state components that TCG supports
 */
uint64_t x86_uintr_xss_components(void);

/**
 * x86_cpu_xsave_compacted_components: what CPUID.(0DH,1).EBX is the size of
 *
 * XCR0 | IA32_XSS where an instruction makes that format (1.5), else the
 * @supported components, as ever.
 */
uint64_t x86_cpu_xsave_compacted_components(X86CPU *cpu, uint64_t supported);

#ifndef CONFIG_USER_ONLY
/**
 * x86_uintr_in_flight: is a notification on its way to this vCPU?
 *
 * For any thread.  It is ordered after nothing: see tcg/system/uintr_post.c.
 */
bool x86_uintr_in_flight(X86CPU *cpu);

/**
 * x86_uintr_has_work: does that keep the vCPU from being idle in HLT?
 */
bool x86_uintr_has_work(X86CPU *cpu);

extern const VMStateDescription vmstate_x86_uintr;

/**
 * x86_uintr_post_load: check and complete the state after loading it
 *
 * Returns 0, or -EINVAL with a message printed (16.3).
 */
int x86_uintr_post_load(X86CPU *cpu);
#endif

#endif /* I386_CPU_UINTR_H */
