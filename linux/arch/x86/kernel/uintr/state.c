// SPDX-License-Identifier: GPL-2.0
/*
 * User interrupts: switching the register state.
 *
 * TIF_UINTR set means: the state of this thread is in memory, and has to be
 * loaded before the thread returns to user mode. Three invariants hold:
 *
 *  I1 UINV is not 0 only while the registers hold the state of current and
 *     TIF_UINTR is clear; the image in memory is stale then.
 *  I2 Else the registers hold the init state: no table, nothing pending.
 *  I3 UIF belongs to the thread even if it uses nothing else. STUI may come
 *     before the registration, and then no image exists: TIF_UINTR without
 *     a uintr_task stands for a state in which only UIF is set.
 *
 * Nothing here takes a lock: the image is only used by its own thread, or in
 * its name with interrupts off.
 */

#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/thread_info.h>

#include <asm/asm.h>
#include <asm/fpu/xstate.h>
#include <asm/uintr.h>

#include "uintr.h"

static struct kmem_cache *uintr_task_cache __ro_after_init;

/* Compacted format, and no component in it: XRSTORS loads the init state. */
static struct uintr_xstate uintr_init_xstate __ro_after_init = {
	.header.xcomp_bv = XCOMP_BV_COMPACTED_FORMAT | XFEATURE_MASK_UINTR,
};

void __init uintr_state_init(void)
{
	uintr_task_cache = KMEM_CACHE(uintr_task, SLAB_PANIC | SLAB_ACCOUNT);
}

/* Spelled in bytes for binutils before 2.36. */
static __always_inline bool uintr_testui(void)
{
	bool uif;

	asm volatile(".byte 0xf3, 0x0f, 0x01, 0xed" CC_SET(c)
		     : CC_OUT(c) (uif) : : "memory");
	return uif;
}

static __always_inline void uintr_clui(void)
{
	asm volatile(".byte 0xf3, 0x0f, 0x01, 0xee" : : : "memory");
}

static __always_inline void uintr_stui(void)
{
	asm volatile(".byte 0xf3, 0x0f, 0x01, 0xef" : : : "memory");
}

/**
 * uintr_save - take the state of a thread out of the registers
 * @tsk:	current, or in __switch_to() the thread that leaves
 *
 * Preemption must be off. From here on the image is valid, notifications of
 * the thread come through the IDT and are only counted, and senders stop to
 * notify when they see SN.
 */
void uintr_save(struct task_struct *tsk)
{
	struct uintr_task *u = tsk->thread.uintr;

	if (test_tsk_thread_flag(tsk, TIF_UINTR))
		return;

	if (!u) {
		if (uintr_testui()) {
			uintr_clui();
			set_tsk_thread_flag(tsk, TIF_UINTR);
		}
		return;
	}

	/* This also clears UINV, without which XRSTORS would fault. */
	xsaves(&u->x.xregs, XFEATURE_MASK_UINTR);
	/* A component in its init state is not stored. */
	if (!(u->x.header.xfeatures & XFEATURE_MASK_UINTR))
		memset(&u->x.state, 0, sizeof(u->x.state));
	xrstors(&uintr_init_xstate.xregs, XFEATURE_MASK_UINTR);

	set_tsk_thread_flag(tsk, TIF_UINTR);
	if (u->receiver)
		set_bit(UPID_SN_BIT, (unsigned long *)&u->receiver->upid.nc);
}

/**
 * uintr_load - load the state of current before it returns to user mode
 *
 * Interrupts are off and stay off until the CPU is in user mode, so the CPU
 * cannot process a notification here. What was posted before
 * uintr_receiver_arm() is merged into UIRR by software; what is posted after
 * it raises a notification that this CPU accepts in user mode.
 */
void uintr_load(void)
{
	struct uintr_task *u = current->thread.uintr;

	clear_thread_flag(TIF_UINTR);

	if (!u) {
		uintr_stui();
		return;
	}

	if (u->receiver)
		u->x.state.uirr |= uintr_receiver_arm(u->receiver);
	u->x.header.xfeatures = XFEATURE_MASK_UINTR;
	xrstors(&u->x.xregs, XFEATURE_MASK_UINTR);
}

/**
 * uintr_task_alloc - make sure that current has a uintr_task
 *
 * Return: 0 or -ENOMEM
 */
int uintr_task_alloc(void)
{
	struct uintr_task *u;

	if (current->thread.uintr)
		return 0;

	u = kmem_cache_zalloc(uintr_task_cache, GFP_KERNEL);
	if (!u)
		return -ENOMEM;
	u->x.header.xcomp_bv = uintr_init_xstate.header.xcomp_bv;

	preempt_disable();
	/* Whoever had no image had no state, except for UIF (I3). */
	uintr_save(current);
	if (test_thread_flag(TIF_UINTR))
		u->x.state.flags = UINTR_STATE_UIF;
	set_thread_flag(TIF_UINTR);
	current->thread.uintr = u;
	preempt_enable();

	return 0;
}

/**
 * uintr_edit_state - get the state of current for changes
 *
 * The changes take effect when current, which must have a uintr_task,
 * returns to user mode.
 *
 * Return: the state in the image
 */
struct uintr_state *uintr_edit_state(void)
{
	preempt_disable();
	uintr_save(current);
	preempt_enable();

	return &current->thread.uintr->x.state;
}

/* A child inherits nothing, and its UIF is 0. */
void uintr_fork(struct task_struct *p)
{
	p->thread.uintr = NULL;
	clear_tsk_thread_flag(p, TIF_UINTR);
}

/* The thread exits or executes a new program. */
void uintr_exit(struct task_struct *tsk)
{
	struct uintr_task *u;

	/* A fork that fails also ends here. Its child has nothing yet. */
	if (!cpu_feature_enabled(X86_FEATURE_UINTR) || tsk != current)
		return;

	preempt_disable();
	uintr_save(tsk);
	u = tsk->thread.uintr;
	tsk->thread.uintr = NULL;
	clear_thread_flag(TIF_UINTR);
	preempt_enable();

	if (!u)
		return;

	if (u->receiver) {
		WRITE_ONCE(u->receiver->dead, true);
		uintr_receiver_put(u->receiver);
	}
	kmem_cache_free(uintr_task_cache, u);
}
