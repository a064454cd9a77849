/*
 * Tables and registers of user interrupts
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef UINTR_UINTR_H
#define UINTR_UINTR_H

#define UPID_ON         1ull
#define UPID_SN         2ull
#define UPID_NV(v)      ((uint64_t)(v) << 16)
#define UPID_NDST(d)    ((uint64_t)(d) << 32)

struct upid {
    volatile uint64_t control;      /* ON, SN, NV, NDST */
    volatile uint64_t pir;
} __attribute__((aligned(64)));

#define UITTE_V         1ull
#define UITTE(vector)   (UITTE_V | (uint64_t)(vector) << 8)

struct uitte {
    volatile uint64_t lo, upid;
} __attribute__((aligned(16)));

#define UITT_ENTRIES    1024
#define TT_ENABLE       1ull
#define MISC(uinv, uittsz) ((uint64_t)(uinv) << 32 | (uittsz))

/* XSAVE component 14 */
#define XFEATURE_UINTR  14
#define XMASK_UINTR     (1ull << XFEATURE_UINTR)
#define XCOMPACT        (1ull << 63)
#define XUINTR_UIF      (1ull << 63)

struct xuintr {
    uint64_t handler, stackadjust, misc, pd, rr, tt;
};

struct xarea {
    uint8_t legacy[512];
    uint64_t xstate_bv, xcomp_bv, reserved[6];
    struct xuintr uintr;            /* if 14 is the only component */
    uint8_t rest[4096 - 576 - sizeof(struct xuintr)];
} __attribute__((aligned(4096)));

static inline void xsaves(void *area, uint64_t mask)
{
    asm volatile("xsaves64 (%0)" : : "r"(area), "a"((uint32_t)mask),
                 "d"((uint32_t)(mask >> 32)) : "memory");
}

static inline void xrstors(const void *area, uint64_t mask)
{
    asm volatile("xrstors64 (%0)" : : "r"(area), "a"((uint32_t)mask),
                 "d"((uint32_t)(mask >> 32)) : "memory");
}

static inline void clui(void)
{
    asm volatile("clui" : : : "memory");
}

static inline void stui(void)
{
    asm volatile("stui" : : : "memory");
}

static inline bool testui(void)
{
    bool uif;

    asm volatile("testui" : "=@ccc"(uif) : : "memory");
    return uif;
}

static inline void senduipi(uint64_t index)
{
    asm volatile("senduipi %0" : : "r"(index) : "memory");
}

/* Vectors the tests use for UINV and for an ordinary interrupt */
#define NV              0xe0
#define IRQ             0x50
#define IRQ_HIGH        0xf0

extern struct upid upids[64];
extern struct uitte uitt[UITT_ENTRIES];
extern struct xarea xareas[2];

/* What CPU 0 found when it started, before anything was written */
struct start_state {
    uint64_t cr4, xss, msr[6];
    bool uif;
};
extern struct start_state start_state;
void uintr_record_start(void);

bool has_uintr(void);
bool has_uiret_uif(void);
unsigned linear_bits(void);         /* 57 if LA57 is enumerated, else 48 */
uint64_t first_noncanonical(void);  /* in the current paging mode */

/* Everything of this CPU that a test may have changed, to its default */
void uintr_reset_cpu(void *unused);
/*
 * This CPU receives with UINV = NV, upids[cpu], handler uh_exit and UIF=1,
 * and UITT entry i < 64 sends vector i to it. Red zone of 128 bytes.
 */
void uintr_self(void);
void uintr_receiver(unsigned cpu, const void *handler);
void upid_set(unsigned n, uint8_t nv, unsigned cpu);
void set_rr(uint64_t v);

/* Handlers */
extern const char uh_exit[];        /* software interrupt VEC_HANDLER */
extern const char uh_log[];         /* logs to struct uarea, UIRET */
extern const char uh_log_end[];

/* Snippets */
extern const char s_done[];         /* nothing */
extern const char s_nops[];         /* two NOPs */
extern const char s_spin[];         /* until flag of struct uarea is set */
extern const char s_stui[], s_clui[], s_testui[];
extern const char s_senduipi[];     /* index in RAX */
extern const char s_uiret[];
extern const char s_hlt[];

/* The user frame that delivery pushed, if c is at the handler's entry */
struct uframe {
    uint64_t vector, rip, rflags, rsp;
};
struct uframe *uframe_at(struct ctx *c);

#endif
