// SPDX-License-Identifier: GPL-2.0
/*
 * User interrupts: the kernel as a sender.
 */

#include <linux/export.h>
#include <linux/file.h>
#include <linux/irq_work.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/smp.h>
#include <linux/uintr.h>

#include <asm/apic.h>
#include <asm/cpufeature.h>
#include <asm/processor.h>

#include "trace.h"
#include "uintr.h"

/* Send a fixed interrupt to where a UPID says, as SENDUIPI does. */
static void uintr_notify(unsigned int vector, u32 ndst)
{
	u32 apic_id = x2apic_mode ? ndst : (ndst >> 8) & 0xff;
	unsigned long flags;

	local_irq_save(flags);
	/* The write of an x2APIC register may pass the one to the UPID. */
	if (x2apic_mode)
		weak_wrmsr_fence();
	apic_wait_icr_idle();
	apic_icr_write(APIC_DEST_PHYSICAL | APIC_DM_FIXED | vector, apic_id);
	local_irq_restore(flags);
}

/**
 * uintr_upid_post - do what SENDUIPI does
 * @upid:	what to post to
 * @vector:	0..63
 *
 * For any context but NMI, which may have interrupted somebody between the two
 * halves of the ICR. PIR and ON change together as in the instruction. Setting
 * the bit first and ON later would let the receiver take the bit in between,
 * and then ON would stay with nothing to show for it. And only one of those
 * who find the UPID armed wakes the receiver.
 *
 * Return: was it armed? The caller has to wake the receiver then
 */
bool uintr_upid_post(struct uintr_upid *upid, unsigned int vector)
{
	union {
		struct {
			u64 nc;
			u64 pir;
		};
		u128 whole;
	} old, new;
	bool notify;

	WARN_ON_ONCE(in_nmi());
	/* It may be torn; the exchange fails then. */
	old.nc = READ_ONCE(upid->nc);
	old.pir = READ_ONCE(upid->pir);
	do {
		new = old;
		new.pir |= BIT_ULL(vector);
		new.nc &= ~BIT(UPID_ARMED_BIT);
		notify = !(old.nc & (BIT(UPID_ON_BIT) | BIT(UPID_SN_BIT)));
		if (notify)
			new.nc |= BIT(UPID_ON_BIT);
	} while (!try_cmpxchg128((u128 *)upid, &old.whole, new.whole));

	trace_uintr_post(vector, notify);
	if (notify)
		uintr_notify((old.nc >> 16) & 0xff, old.nc >> 32);
	return old.nc & BIT(UPID_ARMED_BIT);
}

/**
 * uintr_post_vector - send a user interrupt
 * @receiver:	whose vector it is, not that of an event fd
 * @vector:	0..63
 *
 * For any context that may wake a thread, except NMI.
 */
void uintr_post_vector(struct uintr_receiver *receiver, unsigned int vector)
{
	/* After the post other senders are silent: uintr_wake_thread(). */
	guard(preempt)();
	this_cpu_inc(uintr_counts.posts);
	if (uintr_upid_post(receiver->upid, vector))
		uintr_wake_thread(receiver);
}

/**
 * uintr_fget - get a uintr fd to post to
 * @fd:		an fd from uintr_create_fd(), not an event fd
 *
 * Return: the file, to be given back by fput(), or -EBADF, or -EINVAL if it
 * is another kind of file
 */
struct file *uintr_fget(int fd)
{
	struct file *file = fget(fd);

	if (!file)
		return ERR_PTR(-EBADF);
	if (uintr_fd_from_file(file) && file->f_op != &uintr_event_fops)
		return file;

	fput(file);
	return ERR_PTR(-EINVAL);
}
EXPORT_SYMBOL_GPL(uintr_fget);

/**
 * uintr_post - send a user interrupt
 * @file:	what uintr_fget() has returned
 *
 * For any context that may wake a thread, except NMI. Without effect if the
 * receiver is gone or has revoked it.
 */
void uintr_post(struct file *file)
{
	struct uintr_fd *ufd = file->private_data;

	/* Pairs with uintr_fd_revoke(), which waits for us. */
	guard(rcu)();
	if (!READ_ONCE(ufd->revoked))
		uintr_post_vector(ufd->receiver, ufd->vector);
}
EXPORT_SYMBOL_GPL(uintr_post);
