// SPDX-License-Identifier: GPL-2.0
/*
 * User interrupts: waking what is asleep.
 *
 * While a thread sleeps its UPID is armed: UPID_ARMED_BIT is set, which is
 * reserved, so that SENDUIPI raises #GP and changes nothing (SDM, SENDUIPI).
 * The kernel then posts in its place and wakes the receiver (send.c). An event
 * fd is armed in the same way while somebody waits for it.
 *
 * So it is the sender who spends the time for a wake-up, in its own context,
 * and is charged for it. It finds the receiver by the index of SENDUIPI. No CPU
 * is interrupted to look for what was posted, and it does not matter how many
 * others are armed. What the kernel posts has its receiver woken by the same
 * functions.
 *
 * Why no wake-up is lost. Let A be the setting of the bit, and P a post, by
 * SENDUIPI or by the kernel, which is one atomic operation on PIR and the bit.
 *
 *  P before A	The bit of the vector is in PIR when uintr_arm() looks at it
 *		after A; or the CPU moved it to UIRR before the state was saved,
 *		and uintr_arm() looks there too. As it runs inside the runqueue
 *		lock, it leaves the wake-up to an interrupt of this CPU.
 *  A before P	The first such P finds the bit and clears it, and who does that
 *		wakes the receiver. Later posts find SN and are silent; the same
 *		wake-up stands for them.
 *
 * Between that P and its wake-up, what was posted may be taken away again: the
 * last fd of the vector is closed. Then there is nothing to wake for, but the
 * thread is still asleep. So uintr_wake_thread() sets the bit again before it
 * looks. tests/models of the emulator's tree has all that as a model.
 *
 * A thread that was woken is silent until it has been in user mode, so a sender
 * takes one trap for each wake-up, and nobody is woken twice for one post
 * before that.
 */

#include <linux/hrtimer.h>
#include <linux/irq_work.h>
#include <linux/lockdep.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "trace.h"
#include "uintr.h"

/* Has a thread something to wake for? The image of an armed one is exact. */
bool uintr_pending(struct uintr_task *u)
{
	return READ_ONCE(u->receiver->upid->pir) || u->x.state.uirr;
}

/**
 * uintr_arm - let a user interrupt wake current
 * @u:		of current, which leaves the CPU; stays armed if it is
 *
 * If something has been posted it wakes soon. Called inside the runqueue lock.
 */
void uintr_arm(struct uintr_task *u)
{
	if (READ_ONCE(u->armed))
		return;

	WRITE_ONCE(u->armed, true);
	trace_uintr_arm(current);
	uintr_upid_arm(u->receiver->upid);
	if (uintr_pending(u))
		irq_work_queue(&u->receiver->work);
}

/**
 * uintr_disarm - undo uintr_arm()
 * @u:		of current
 *
 * When this returns no user interrupt wakes current any more.
 */
void uintr_disarm(struct uintr_task *u)
{
	/* Pairs with uintr_wake_thread(), which has said before why it woke. */
	if (!smp_load_acquire(&u->armed))
		return;

	guard(raw_spinlock_irqsave)(&u->receiver->wake_lock);
	u->armed = false;
	uintr_upid_disarm(u->receiver->upid);
}

/**
 * uintr_wake_thread - wake a thread, if it is still armed and has a reason
 * @receiver:	of the thread; something has been posted to it
 *
 * For any context that may wake a thread, so not inside the runqueue lock. All
 * other senders are silent since the post, and count on us. So who posts must
 * not be preempted between the two.
 */
void uintr_wake_thread(struct uintr_receiver *receiver)
{
	struct uintr_task *u;

	lockdep_assert_preemption_disabled();
	guard(raw_spinlock_irqsave)(&receiver->wake_lock);

	u = receiver->owner;
	if (!u || !u->armed)
		return;
	/* As in uintr_arm(): before the look at PIR. */
	uintr_upid_arm(receiver->upid);
	if (!uintr_pending(u))
		return;
	uintr_upid_disarm(receiver->upid);

	/* No handler will run, so nothing is cut short for its sake. */
	if (!(READ_ONCE(u->task->flags) & (PF_EXITING | PF_DUMPCORE))) {
		trace_uintr_wake(u->task, receiver->upid->pir);
		this_cpu_inc(uintr_counts.wakes);
		WRITE_ONCE(u->kicked, true);
		/* Ends the sleep without a signal, see uintr_end_syscall(). */
		set_tsk_thread_flag(u->task, TIF_NOTIFY_SIGNAL);
		wake_up_state(u->task, TASK_INTERRUPTIBLE);
	}
	/* Pairs with uintr_disarm(). */
	smp_store_release(&u->armed, false);
}

/* In an interrupt, with PREEMPT_RT as well. */
static void wake_work(struct irq_work *work)
{
	uintr_wake_thread(container_of(work, struct uintr_receiver, work));
}

/* For uintr_receiver_alloc() */
void uintr_wake_init(struct uintr_receiver *receiver)
{
	raw_spin_lock_init(&receiver->wake_lock);
	init_waitqueue_head(&receiver->queue);
	receiver->work = IRQ_WORK_INIT_HARD(wake_work);
}

/**
 * uintr_wake_event - wake all who wait for an event fd
 * @receiver:	of the event fd; something has been posted to it
 *
 * In a thread, whose time it takes, as that of who writes to an eventfd.
 */
void uintr_wake_event(struct uintr_receiver *receiver)
{
	trace_uintr_wake(NULL, receiver->upid->pir);
	this_cpu_inc(uintr_counts.wakes);
	wake_up_poll(&receiver->queue, EPOLLIN | EPOLLRDNORM);
}

static long uintr_block_restart(struct restart_block *restart)
{
	return uintr_block_until(restart->nanosleep.expires);
}

/**
 * uintr_block_until - wait for a user interrupt
 * @until:	how long at most, by CLOCK_MONOTONIC; KTIME_MAX for ever
 *
 * It does not matter what UIF is, and nothing is consumed.
 *
 * Return: -EINTR if a user interrupt is pending, 0 when the time is over, or
 * -ERESTART_RESTARTBLOCK if a signal came: one without a handler, as when the
 * thread is stopped and continued, does not end the wait
 */
long uintr_block_until(ktime_t until)
{
	struct uintr_task *u = current->thread.uintr;
	long ret;

	/* The CPU collects nothing any more, so the image is exact. */
	uintr_edit_state();
	u->waiting = true;
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		ret = -EINTR;
		if (uintr_pending(u))
			break;
		ret = -ERESTART_RESTARTBLOCK;
		if (signal_pending(current))
			break;
		ret = 0;
		if (!schedule_hrtimeout(until == KTIME_MAX ? NULL : &until,
					HRTIMER_MODE_ABS))
			break;
	}
	__set_current_state(TASK_RUNNING);
	u->waiting = false;

	if (ret == -ERESTART_RESTARTBLOCK) {
		current->restart_block.nanosleep.expires = until;
		set_restart_fn(&current->restart_block, uintr_block_restart);
	}
	return ret;
}
