// SPDX-License-Identifier: GPL-2.0
/*
 * User interrupts: receivers and their posted-interrupt descriptors.
 *
 * Other CPUs change a UPID at any time by SENDUIPI, and the receiver's CPU by
 * notification processing, each with atomic operations. So does the kernel.
 * It moves the UPID of a thread between these states:
 *
 *  live	The thread's state is in the registers of the CPU that NDST
 *		names, and this CPU takes the notification vector itself.
 *  silent	SN is set: nobody notifies. Whoever leaves this state looks at
 *		what was posted meanwhile.
 *  armed	The same, but SENDUIPI raises #GP for the kernel to wake the
 *		receiver (wait.c).
 *
 * Lifetime: the thread, open fds and connected senders hold references. The
 * last one is dropped only after all CPUs have left a SENDUIPI that may have
 * read a table entry with its address, see uitt.c.
 */

#include <linux/cred.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/user_namespace.h>

#include <asm/apic.h>

#include "trace.h"
#include "uintr.h"

static void receiver_free(struct uintr_receiver *receiver)
{
	if (receiver->ucounts)
		dec_ucount(receiver->ucounts, UCOUNT_UINTR_RECEIVERS);
	/* Whoever ran its irq_work may still be about to say that it is done. */
	kfree_rcu(receiver, rcu);
}

/**
 * uintr_receiver_alloc - allocate a receiver for a new handler or event fd
 *
 * Return: the receiver with one reference, -ENOMEM, or -EAGAIN if the user has
 * too many
 */
struct uintr_receiver *uintr_receiver_alloc(void)
{
	struct uintr_receiver *receiver;
	int ret = -ENOMEM;

	receiver = kzalloc(sizeof(*receiver), GFP_KERNEL_ACCOUNT);
	if (!receiver)
		return ERR_PTR(ret);

	ret = -EAGAIN;
	receiver->ucounts = inc_ucount(current_user_ns(), current_euid(),
				       UCOUNT_UINTR_RECEIVERS);
	if (!receiver->ucounts)
		goto err;

	ret = -ENOMEM;
	receiver->upid = uintr_upid_alloc();
	if (!receiver->upid)
		goto err;

	refcount_set(&receiver->refs, 1);
	mutex_init(&receiver->lock);
	INIT_LIST_HEAD(&receiver->bindings);
	uintr_wake_init(receiver);
	uintr_upid_set_silent(receiver->upid);

	return receiver;

err:
	receiver_free(receiver);
	return ERR_PTR(ret);
}

void uintr_receiver_put(struct uintr_receiver *receiver)
{
	if (refcount_dec_and_test(&receiver->refs)) {
		irq_work_sync(&receiver->work);
		uintr_upid_free(receiver->upid);
		receiver_free(receiver);
	}
}

/**
 * uintr_receiver_kill - the thread or event fd of a receiver goes
 * @receiver:	of a thread: neither live nor armed any more
 *
 * Senders do not fault. They go on posting to the UPID until its fds are
 * closed, but nobody can connect any more. Takes away the reference of the
 * thread or event fd.
 */
void uintr_receiver_kill(struct uintr_receiver *receiver)
{
	scoped_guard(raw_spinlock_irqsave, &receiver->wake_lock)
		receiver->owner = NULL;
	uintr_upid_set_silent(receiver->upid);
	scoped_guard(mutex, &receiver->lock) {
		WRITE_ONCE(receiver->dead, true);
		uintr_unbind_receiver(receiver);
	}
	uintr_receiver_put(receiver);
}

/* Where notifications for this CPU have to go. */
static u32 uintr_ndst(unsigned int cpu)
{
	u32 apic_id = per_cpu(x86_cpu_to_apicid, cpu);

	return x2apic_mode ? apic_id : (apic_id << 8) & 0xff00;
}

/**
 * uintr_upid_set_live - let senders notify this CPU
 * @upid:	that of current, whose state is about to be loaded
 *
 * ON is cleared, too. It can be left over from a notification that went to
 * where the thread was before, and would suppress all later ones. That is
 * safe only because PIR is read afterwards: a post before the exchange of the
 * control word is in PIR by then, and a post after it finds ON and SN clear
 * and notifies.
 *
 * Return: the vectors posted so far, taken out of the UPID
 */
u64 uintr_upid_set_live(struct uintr_upid *upid)
{
	struct uintr_upid nc = {
		.nv	= UINTR_NOTIFICATION_VECTOR,
		.ndst	= uintr_ndst(smp_processor_id()),
	};

	xchg(&upid->nc, nc.nc);
	return xchg(&upid->pir, 0);
}

/* A sender on another CPU may be setting ON: change nothing but SN. */
void uintr_upid_set_silent(struct uintr_upid *upid)
{
	set_bit(UPID_SN_BIT, (unsigned long *)&upid->nc);
}

/**
 * uintr_upid_arm - let SENDUIPI trap
 * @upid:	is silent, or armed already
 *
 * The caller has to look at PIR afterwards, for the same reason as above.
 */
void uintr_upid_arm(struct uintr_upid *upid)
{
	set_bit(UPID_ARMED_BIT, (unsigned long *)&upid->nc);
}

/* Silent again */
void uintr_upid_disarm(struct uintr_upid *upid)
{
	clear_bit(UPID_ARMED_BIT, (unsigned long *)&upid->nc);
}

/* The receiver of current, or NULL. */
struct uintr_receiver *uintr_current_receiver(void)
{
	struct uintr_task *u = current->thread.uintr;

	return u ? u->receiver : NULL;
}

/**
 * uintr_receiver_register - make current a receiver
 * @handler:	user address of the handler
 * @flags:	UINTR_HANDLER_FLAG_*
 *
 * UIF stays as it is.
 *
 * Return: 0, -EBUSY, -ENOMEM or -EAGAIN
 */
int uintr_receiver_register(u64 handler, unsigned int flags)
{
	struct uintr_receiver *receiver;
	struct uintr_state *state;
	struct uintr_task *u;

	if (uintr_current_receiver())
		return -EBUSY;
	if (uintr_task_alloc())
		return -ENOMEM;
	receiver = uintr_receiver_alloc();
	if (IS_ERR(receiver))
		return PTR_ERR(receiver);

	state = uintr_edit_state();
	state->handler = handler;
	state->stack_adjust = UINTR_REDZONE;
	state->uinv = UINTR_NOTIFICATION_VECTOR;
	state->upid_addr = (unsigned long)receiver->upid;

	u = current->thread.uintr;
	u->flags = flags;
	u->kicked = false;
	receiver->owner = u;
	/* From here on the thread can be armed, and is looked at in /proc. */
	smp_store_release(&u->receiver, receiver);
	trace_uintr_register(handler, flags);

	return 0;
}

/**
 * uintr_receiver_unregister - current stops being a receiver
 *
 * What has not been delivered is dropped, and so is the tick. The target table
 * and UIF stay.
 */
void uintr_receiver_unregister(void)
{
	struct uintr_task *u = current->thread.uintr;
	struct uintr_state *state = uintr_edit_state();
	struct uintr_receiver *receiver = u->receiver;

	trace_uintr_unregister(state->uirr);
	state->handler = 0;
	state->stack_adjust = 0;
	state->uinv = 0;
	state->upid_addr = 0;
	state->uirr = 0;
	u->restart_ip = 0;
	u->tick.period = 0;

	uintr_stop_waiting(u);
	task_lock(current);
	u->receiver = NULL;
	task_unlock(current);
	uintr_receiver_kill(receiver);
}
