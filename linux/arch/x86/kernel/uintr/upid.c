// SPDX-License-Identifier: GPL-2.0
/*
 * User interrupts: receivers and their posted-interrupt descriptors.
 *
 * Other CPUs change a UPID at any time by SENDUIPI, and the receiver's CPU by
 * notification processing, each with atomic operations. So does the kernel.
 *
 * Lifetime: the thread and every open fd hold a reference. The entries of
 * target tables, through which CPUs reach the UPID, need none: they are made
 * through an fd, and the last close of the fd invalidates them and waits for
 * the CPUs that are using them (uintr_disconnect()) before it lets go.
 */

#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/smp.h>

#include <asm/apic.h>

#include "uintr.h"

/**
 * uintr_receiver_alloc - allocate a receiver for a new handler
 *
 * Return: the receiver with one reference, or NULL if there is no memory
 */
struct uintr_receiver *uintr_receiver_alloc(void)
{
	struct uintr_receiver *receiver;

	/* What has a power of two as its size is aligned to it. */
	BUILD_BUG_ON_NOT_POWER_OF_2(sizeof(*receiver));
	receiver = kzalloc(sizeof(*receiver), GFP_KERNEL_ACCOUNT);
	if (!receiver)
		return NULL;

	refcount_set(&receiver->refs, 1);
	/* Not loaded anywhere yet. */
	receiver->upid.status = BIT(UPID_SN_BIT);
	receiver->upid.nv = UINTR_NOTIFICATION_VECTOR;

	return receiver;
}

void uintr_receiver_put(struct uintr_receiver *receiver)
{
	if (refcount_dec_and_test(&receiver->refs))
		kfree(receiver);
}

/* Where notifications for a thread on this CPU have to go. */
static u32 uintr_ndst(void)
{
	u32 apic_id = this_cpu_read(x86_cpu_to_apicid);

	return x2apic_mode ? apic_id : (apic_id << 8) & 0xff00;
}

/**
 * uintr_receiver_arm - let senders notify this CPU
 * @receiver:	the receiver of current
 *
 * ON is cleared, too. It can be left over from a notification that went to
 * where the thread was before, and would suppress all later ones. That is
 * safe only because PIR is read afterwards: a post before the exchange of the
 * control word is in PIR by then, and a post after it finds ON and SN clear
 * and notifies.
 *
 * Return: the vectors posted so far, taken out of the UPID
 */
u64 uintr_receiver_arm(struct uintr_receiver *receiver)
{
	struct uintr_upid nc = {
		.nv	= UINTR_NOTIFICATION_VECTOR,
		.ndst	= uintr_ndst(),
	};

	xchg(&receiver->upid.nc, nc.nc);
	return xchg(&receiver->upid.pir, 0);
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
 *
 * UIF stays as it is.
 *
 * Return: 0, -EBUSY or -ENOMEM
 */
int uintr_receiver_register(u64 handler)
{
	struct uintr_receiver *receiver;
	struct uintr_state *state;

	if (uintr_current_receiver())
		return -EBUSY;
	if (uintr_task_alloc())
		return -ENOMEM;
	receiver = uintr_receiver_alloc();
	if (!receiver)
		return -ENOMEM;

	state = uintr_edit_state();
	state->handler = handler;
	state->stack_adjust = UINTR_REDZONE;
	state->uinv = UINTR_NOTIFICATION_VECTOR;
	state->upid_addr = (unsigned long)&receiver->upid;
	current->thread.uintr->receiver = receiver;

	return 0;
}

/**
 * uintr_receiver_unregister - current stops being a receiver
 *
 * What has not been delivered is dropped. The target table and UIF stay.
 * Senders do not fault: they go on posting to the UPID, with SN set, until
 * the fds are closed.
 */
void uintr_receiver_unregister(void)
{
	struct uintr_task *u = current->thread.uintr;
	struct uintr_state *state = uintr_edit_state();

	state->handler = 0;
	state->stack_adjust = 0;
	state->uinv = 0;
	state->upid_addr = 0;
	state->uirr = 0;

	WRITE_ONCE(u->receiver->dead, true);
	uintr_receiver_put(u->receiver);
	u->receiver = NULL;
}
