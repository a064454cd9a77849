// SPDX-License-Identifier: GPL-2.0
/*
 * User interrupts: a handler with a stack of its own. The CPU loads the stack
 * pointer with the upper end of that stack at each delivery, whatever is on
 * the stack already; and it leaves there where the stack pointer was before.
 */

#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>

#include <asm/processor.h>
#include <asm/uintr.h>

#include "uintr.h"

/* What is assumed of a stack if nobody says: the first programs pass 0. */
#define STACK_SIZE_UNKNOWN	SZ_64K

/**
 * uintr_set_stack - give the handler of current a stack
 * @sp:		its upper end, or 0 for the stack of the interrupted code
 * @size:	in bytes, 0 if it is not known
 *
 * Current has a receiver.
 *
 * Return: 0, -ENOMEM if the stack is too small, or -EFAULT
 */
int uintr_set_stack(u64 sp, u64 size)
{
	struct uintr_state *state;

	if (sp >= TASK_SIZE_MAX)
		return -EFAULT;
	if (sp && size && size < UINTR_MINSTKSZ)
		return -ENOMEM;
	if (sp && size > sp)
		return -EFAULT;

	state = uintr_edit_state();
	state->stack_adjust = sp ? sp | UINTR_STACK_LOAD : UINTR_REDZONE;
	current->thread.uintr->stack_size = size ?: STACK_SIZE_UNKNOWN;
	return 0;
}

/**
 * uintr_signal_sp - where is the stack of a signal handler used up to?
 * @sp:		stack pointer of current, which gets a signal
 *
 * If a handler with a stack of its own has interrupted a signal handler on
 * the alternate signal stack, @sp does not tell that this stack is in use.
 * Nothing but the sight of the user's stack pointer is at stake, so what is
 * found on the user's stack can be trusted that far.
 *
 * Return: the stack pointer that was interrupted in that case, else @sp
 */
unsigned long uintr_signal_sp(unsigned long sp)
{
	struct uintr_task *u = current->thread.uintr;
	unsigned long top, interrupted;
	u64 adjust;

	if (!u || !u->receiver)
		return sp;

	/* Only this thread changes it, and the CPU never does. */
	adjust = u->x.state.stack_adjust;
	top = round_down(adjust, 16);
	if (!(adjust & UINTR_STACK_LOAD) ||
	    sp >= top || top - sp > u->stack_size)
		return sp;

	/* RSP is pushed first. */
	if (get_user(interrupted, (unsigned long __user *)top - 1))
		return sp;

	return on_sig_stack(interrupted) ? interrupted : sp;
}
