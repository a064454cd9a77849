// SPDX-License-Identifier: GPL-2.0
/*
 * User interrupts: a tick, as schedulers in user mode need it.
 *
 * Nobody needs one in a thread that does not run. So the timer is queued only
 * while the state of the thread is in the registers, on the CPU that has it:
 * uintr_load() starts it, and uintr_save() stops it. This has consequences:
 *
 *  - A CPU has one tick at most, whatever its users do. The shortest period
 *    bounds what it costs, and the thread that wants it pays.
 *  - Whatever ends a receiver, exit, exec or unregistering, has saved the
 *    state before, and so has stopped the timer. Nobody starts it again.
 *  - The callback runs on the CPU of the thread, so where uintr_save() stops
 *    the timer it is not running.
 *  - A thread that is blocked or preempted gets one tick on its way back to
 *    user mode if there should have been any.
 *
 * The timer expires at whole multiples of the period, counted from the system
 * call that sets it, however late it or the thread may be at times.
 */

#include <linux/hrtimer.h>
#include <linux/ktime.h>

#include "uintr.h"

static enum hrtimer_restart uintr_tick_expired(struct hrtimer *timer)
{
	struct uintr_task *u = container_of(timer, struct uintr_task,
					    tick.timer);

	uintr_post_vector(u->receiver, u->tick.vector);
	hrtimer_forward_now(timer, ns_to_ktime(u->tick.period));
	return HRTIMER_RESTART;
}

/* In hard interrupt context with PREEMPT_RT, too. */
void uintr_tick_init(struct uintr_tick *tick)
{
	hrtimer_init(&tick->timer, CLOCK_MONOTONIC,
		     HRTIMER_MODE_ABS_PINNED_HARD);
	tick->timer.function = uintr_tick_expired;
}

/* The state of current is about to be loaded. Interrupts are off. */
void uintr_tick_start(struct uintr_task *u)
{
	struct uintr_tick *tick = &u->tick;

	if (!tick->period)
		return;
	if (hrtimer_forward_now(&tick->timer, ns_to_ktime(tick->period)))
		u->x.state.uirr |= BIT_ULL(tick->vector);
	hrtimer_start_expires(&tick->timer, HRTIMER_MODE_ABS_PINNED_HARD);
}

/*
 * The state of current is about to be saved. Preemption is off; the runqueue
 * may be locked, inside of which the lock of the timers nests.
 */
void uintr_tick_stop(struct uintr_task *u)
{
	if (u->tick.period)
		hrtimer_try_to_cancel(&u->tick.timer);
}

/**
 * uintr_tick_set - give current, which is a receiver, another tick
 * @vector:	0..63
 * @period:	in nanoseconds, 0 for none; checked by the caller
 *
 * What has been posted by the one before stays posted.
 */
void uintr_tick_set(unsigned int vector, u64 period)
{
	struct uintr_tick *tick = &current->thread.uintr->tick;

	/* This stops the timer until current is in user mode again. */
	uintr_edit_state();
	tick->vector = vector;
	tick->period = period;
	hrtimer_set_expires(&tick->timer, ktime_add_ns(ktime_get(), period));
}
