/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _ASM_X86_UINTR_H
#define _ASM_X86_UINTR_H

/* What the rest of the kernel calls in arch/x86/kernel/uintr/. */

#include <asm/cpufeature.h>

struct cpuinfo_x86;
struct file;
struct mm_struct;
struct pt_regs;
struct seq_file;
struct task_struct;

/*
 * Where the CPU finds what it needs in user mode: an unused hole between
 * cpu_entry_area and the espfix stacks.
 */
#define UINTR_AREA_START	(-3UL << P4D_SHIFT)
#define UINTR_AREA_END		(-2UL << P4D_SHIFT)

#ifdef CONFIG_X86_USER_INTERRUPTS

void setup_uintr(struct cpuinfo_x86 *c);
void uintr_init_area(void);
void uintr_show_interrupts(struct seq_file *m, int prec);
int uintr_show_status(struct seq_file *m, struct task_struct *tsk);

void uintr_sched_out(void);
void uintr_load(void);
void uintr_fork(struct task_struct *p);
void uintr_exit(struct task_struct *tsk);

void uintr_init_mm(struct mm_struct *mm);
void uintr_exit_mm(struct mm_struct *mm);

bool uintr_fixup_invalid_op(struct pt_regs *regs);
bool uintr_fixup_gp(struct pt_regs *regs);
void uintr_end_syscall(struct pt_regs *regs);
unsigned long uintr_signal_sp(unsigned long sp);

/* Current leaves the CPU; the runqueue is locked and interrupts are off. */
static __always_inline void uintr_switch_out(void)
{
	if (cpu_feature_enabled(X86_FEATURE_UINTR))
		uintr_sched_out();
}

#else /* !CONFIG_X86_USER_INTERRUPTS */

static inline void setup_uintr(struct cpuinfo_x86 *c) { }
static inline void uintr_init_area(void) { }
static inline void uintr_show_interrupts(struct seq_file *m, int prec) { }
static inline void uintr_load(void) { }
static inline void uintr_fork(struct task_struct *p) { }
static inline void uintr_exit(struct task_struct *tsk) { }
static inline void uintr_init_mm(struct mm_struct *mm) { }
static inline void uintr_exit_mm(struct mm_struct *mm) { }
static inline void uintr_switch_out(void) { }
static inline void uintr_end_syscall(struct pt_regs *regs) { }

static inline unsigned long uintr_signal_sp(unsigned long sp)
{
	return sp;
}

static inline int uintr_show_status(struct seq_file *m, struct task_struct *tsk)
{
	return 0;
}

static inline bool uintr_fixup_invalid_op(struct pt_regs *regs)
{
	return false;
}

static inline bool uintr_fixup_gp(struct pt_regs *regs)
{
	return false;
}

#endif /* CONFIG_X86_USER_INTERRUPTS */

#endif /* _ASM_X86_UINTR_H */
