// SPDX-License-Identifier: GPL-2.0
/*
 * User interrupts: waking what is asleep.
 *
 * The UPID of a blocked thread is armed: it names the kernel's wake vector
 * and a CPU, and is in the list of this CPU. The wake interrupt looks for
 * UPIDs in the list that something was posted to. An event fd is armed in the
 * same way while somebody waits for it.
 *
 * Why no wake-up is lost. Let A be the exchange in uintr_upid_set_armed(),
 * which clears ON and SN, and P a post, which is one atomic operation too.
 *
 *  P before A	The bit is in PIR when uintr_arm() looks at it after A; or the
 *		CPU moved it to UIRR before the state was saved, and uintr_arm()
 *		looks there too. It sends the wake vector to its own CPU.
 *  A before P	The first such P finds ON and SN clear, and sends the wake
 *		vector to the CPU in whose list the waiter is since before A.
 *		Later posts may find ON set; the same interrupt stands for them.
 *
 * The wake interrupt clears ON before it looks at PIR, so a post after its
 * look notifies again. Everything else that clears ON looks at PIR afterwards,
 * so an interrupt that goes to where the waiter has been before can be
 * ignored. tests/models of the emulator's tree has all that as a model.
 *
 * A waiter that has fired is not armed and its UPID silent, so a sender cannot
 * keep a CPU busy, and nobody is woken twice for one post before it has been
 * in user mode.
 *
 * The list lock is taken inside the runqueue lock in uintr_arm(). So the wake
 * interrupt must not wake anybody while it holds it, and collects the threads
 * and event fds. An event fd is "firing" until all who wait for it are awake,
 * and armed again or freed only after that; with PREEMPT_RT irq_work wakes
 * them. The wake interrupt may wake a thread from a sleep that is not
 * interruptible, if that follows one that was; code that sleeps has to expect
 * that anyway (wake_q_add()).
 */

#include <linux/cpuhotplug.h>
#include <linux/hrtimer.h>
#include <linux/irq_work.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/wake_q.h>

#include <asm/apic.h>
#include <asm/idtentry.h>

#include "trace.h"
#include "uintr.h"

/**
 * struct uintr_armed - what is armed on a CPU
 * @lock:	protects the rest
 * @list:	of struct uintr_waiter
 * @nr:		how many these are
 * @todo:	how many of them, from the front, have not been looked at since
 *		the last wake interrupt
 * @more:	looks at them
 */
struct uintr_armed {
	raw_spinlock_t		lock;
	struct list_head	list;
	unsigned int		nr;
	unsigned int		todo;
	struct irq_work		more;
};

/* With interrupts off it looks at so many; there may be any number. */
#define UINTR_SCAN_MAX		64

static DEFINE_PER_CPU(struct uintr_armed, uintr_armed);

void uintr_waiter_init(struct uintr_waiter *w, struct uintr_upid *upid,
		       struct task_struct *task)
{
	INIT_LIST_HEAD(&w->node);
	w->cpu = UINTR_NOT_ARMED;
	w->upid = upid;
	w->task = task;
}

/* Has @w something to wake for? The image of an armed thread is exact. */
bool uintr_waiter_pending(struct uintr_waiter *w)
{
	struct uintr_task *u = container_of(w, struct uintr_task, waiter);

	return READ_ONCE(w->upid->pir) || (w->task && u->x.state.uirr);
}

/* Arm @w on this CPU, whose list is locked, if nobody else has been faster. */
static bool arm_here(struct uintr_waiter *w, struct uintr_armed *armed, int cpu)
{
	if (cmpxchg(&w->cpu, UINTR_NOT_ARMED, cpu) != UINTR_NOT_ARMED)
		return false;

	list_add_tail(&w->node, &armed->list);
	armed->nr++;
	uintr_upid_set_armed(w->upid, cpu);
	trace_uintr_arm(w->task, cpu);
	/* A list is no place to wake somebody, and maybe w is current. */
	if (uintr_waiter_pending(w))
		__apic_send_IPI_self(UINTR_WAKE_VECTOR);
	return true;
}

/**
 * uintr_arm - have the kernel notified of what is posted
 * @w:	the waiter; stays where it is if it is armed already
 *
 * If something has been posted it fires soon. Several threads may arm an
 * event fd at the same time. One that finds it armed takes the lock of that
 * list, too: if it is about to fire because of what the thread has just read,
 * it has to be armed again after that. One that finds it firing waits, so for
 * an event fd call this with interrupts on and without locks that a wake-up
 * takes.
 */
void uintr_arm(struct uintr_waiter *w)
{
	struct uintr_armed *armed;
	unsigned long flags;
	bool done = false;
	int here, cpu;

	local_irq_save(flags);
	here = smp_processor_id();
	while (!done) {
		cpu = READ_ONCE(w->cpu);
		if (cpu == UINTR_FIRING) {
			/* There may be many to wake. */
			local_irq_restore(flags);
			cpu_relax();
			local_irq_save(flags);
			here = smp_processor_id();
			continue;
		}
		if (cpu == UINTR_NOT_ARMED)
			cpu = here;
		armed = per_cpu_ptr(&uintr_armed, cpu);
		raw_spin_lock(&armed->lock);
		done = w->cpu == cpu ||
		       (cpu == here && arm_here(w, armed, cpu));
		raw_spin_unlock(&armed->lock);
	}
	local_irq_restore(flags);
}

/**
 * uintr_disarm - undo uintr_arm()
 * @w:	nobody arms it at the same time
 *
 * The UPID still notifies the kernel, which does not find @w then. When this
 * returns nobody uses @w any more.
 */
void uintr_disarm(struct uintr_waiter *w)
{
	struct uintr_armed *armed;
	unsigned long flags;
	int cpu;

	/* It may fire, or move to another CPU, before the lock is taken. */
	while ((cpu = smp_load_acquire(&w->cpu)) != UINTR_NOT_ARMED) {
		if (cpu == UINTR_FIRING) {
			cpu_relax();
			continue;
		}
		armed = per_cpu_ptr(&uintr_armed, cpu);
		raw_spin_lock_irqsave(&armed->lock, flags);
		if (w->cpu == cpu) {
			list_del_init(&w->node);
			armed->nr--;
			w->cpu = UINTR_NOT_ARMED;
		}
		raw_spin_unlock_irqrestore(&armed->lock, flags);
	}
}

static void task_fire(struct uintr_waiter *w, struct wake_q_head *wake_q)
{
	struct uintr_task *u = container_of(w, struct uintr_task, waiter);

	/* No handler will run, so nothing is cut short for its sake. */
	if (READ_ONCE(w->task->flags) & (PF_EXITING | PF_DUMPCORE))
		return;

	WRITE_ONCE(u->kicked, true);
	/* Ends the sleep without a signal, see uintr_end_syscall(). */
	set_tsk_thread_flag(w->task, TIF_NOTIFY_SIGNAL);
	wake_q_add(wake_q, w->task);
}

static void waiter_fire(struct uintr_waiter *w, struct uintr_armed *armed,
			struct wake_q_head *wake_q, struct list_head *events)
{
	trace_uintr_wake(w->task, w->upid->pir);
	this_cpu_inc(uintr_counts.wakes);
	list_del_init(&w->node);
	armed->nr--;
	uintr_upid_set_silent(w->upid);

	if (w->task) {
		task_fire(w, wake_q);
	} else if (IS_ENABLED(CONFIG_PREEMPT_RT)) {
		uintr_event_fire(w);
	} else {
		/* An irq_work would be one more interrupt on the way. */
		list_add_tail(&w->node, events);
		WRITE_ONCE(w->cpu, UINTR_FIRING);
		return;
	}
	/* Pairs with uintr_disarm(), after which @w may be freed. */
	smp_store_release(&w->cpu, UINTR_NOT_ARMED);
}

/* No list is locked any more. Nobody arms or frees them before this is done. */
static void events_wake(struct list_head *events)
{
	struct uintr_waiter *w, *next;

	list_for_each_entry_safe(w, next, events, node) {
		list_del_init(&w->node);
		uintr_event_wake(w);
		/* Pairs with uintr_disarm(), as above. */
		smp_store_release(&w->cpu, UINTR_NOT_ARMED);
	}
}

static void uintr_scan(struct uintr_armed *armed, bool all)
{
	struct uintr_waiter *w;
	DEFINE_WAKE_Q(wake_q);
	LIST_HEAD(events);
	unsigned int i;

	raw_spin_lock(&armed->lock);
	if (all)
		armed->todo = armed->nr;
	for (i = 0; i < UINTR_SCAN_MAX && armed->todo; i++) {
		armed->todo--;
		w = list_first_entry_or_null(&armed->list, struct uintr_waiter,
					     node);
		if (!w)
			break;
		list_move_tail(&w->node, &armed->list);
		/* Before the look at PIR: see above. */
		if (READ_ONCE(w->upid->status) & BIT(UPID_ON_BIT))
			clear_bit(UPID_ON_BIT, (unsigned long *)&w->upid->nc);
		if (uintr_waiter_pending(w))
			waiter_fire(w, armed, &wake_q, &events);
	}
	if (armed->todo)
		irq_work_queue(&armed->more);
	raw_spin_unlock(&armed->lock);

	wake_up_q(&wake_q);
	events_wake(&events);
}

static void uintr_scan_more(struct irq_work *work)
{
	uintr_scan(container_of(work, struct uintr_armed, more), false);
}

DEFINE_IDTENTRY_SYSVEC(sysvec_uintr_wake)
{
	apic_eoi();
	uintr_scan(this_cpu_ptr(&uintr_armed), true);
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
		if (uintr_waiter_pending(&u->waiter))
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

/*
 * A CPU goes offline, and all others wait for it with interrupts off. Nobody
 * is armed there any more after this: no user thread runs there.
 */
static int uintr_cpu_dying(unsigned int cpu)
{
	struct uintr_armed *armed = per_cpu_ptr(&uintr_armed, cpu);
	unsigned int to_cpu = cpumask_any_but(cpu_online_mask, cpu);
	struct uintr_armed *to = per_cpu_ptr(&uintr_armed, to_cpu);
	struct uintr_waiter *w;

	raw_spin_lock(&armed->lock);
	raw_spin_lock_nested(&to->lock, SINGLE_DEPTH_NESTING);
	list_for_each_entry(w, &armed->list, node) {
		w->cpu = to_cpu;
		uintr_upid_set_armed(w->upid, to_cpu);
	}
	list_splice_init(&armed->list, &to->list);
	to->nr += armed->nr;
	armed->nr = 0;
	armed->todo = 0;
	raw_spin_unlock(&to->lock);
	raw_spin_unlock(&armed->lock);

	/* What was posted before goes there too. */
	__apic_send_IPI(to_cpu, UINTR_WAKE_VECTOR);
	return 0;
}

int __init uintr_wait_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct uintr_armed *armed = per_cpu_ptr(&uintr_armed, cpu);

		raw_spin_lock_init(&armed->lock);
		INIT_LIST_HEAD(&armed->list);
		armed->more = IRQ_WORK_INIT_HARD(uintr_scan_more);
	}

	return cpuhp_setup_state_nocalls(CPUHP_AP_X86_UINTR_DYING,
					 "x86/uintr:dying", NULL,
					 uintr_cpu_dying);
}
