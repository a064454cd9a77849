/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _ASM_X86_UINTR_H
#define _ASM_X86_UINTR_H

/* What the rest of the kernel calls in arch/x86/kernel/uintr/. */

#include <asm/cpufeature.h>

struct cpuinfo_x86;
struct mm_struct;
struct pt_regs;
struct task_struct;

#ifdef CONFIG_X86_USER_INTERRUPTS

void setup_uintr(struct cpuinfo_x86 *c);

void uintr_save(struct task_struct *tsk);
void uintr_load(void);
void uintr_fork(struct task_struct *p);
void uintr_exit(struct task_struct *tsk);

void uintr_init_mm(struct mm_struct *mm);
void uintr_exit_mm(struct mm_struct *mm);

bool uintr_fixup_invalid_op(struct pt_regs *regs);

static __always_inline void uintr_switch_out(struct task_struct *prev)
{
	if (cpu_feature_enabled(X86_FEATURE_UINTR))
		uintr_save(prev);
}

#else /* !CONFIG_X86_USER_INTERRUPTS */

static inline void setup_uintr(struct cpuinfo_x86 *c) { }
static inline void uintr_load(void) { }
static inline void uintr_fork(struct task_struct *p) { }
static inline void uintr_exit(struct task_struct *tsk) { }
static inline void uintr_init_mm(struct mm_struct *mm) { }
static inline void uintr_exit_mm(struct mm_struct *mm) { }
static inline void uintr_switch_out(struct task_struct *prev) { }

static inline bool uintr_fixup_invalid_op(struct pt_regs *regs)
{
	return false;
}

#endif /* CONFIG_X86_USER_INTERRUPTS */

#endif /* _ASM_X86_UINTR_H */
