// SPDX-License-Identifier: GPL-2.0
/*
 * User interrupts: senders. Each connects a process with one vector of a
 * receiver, and stands behind one entry of the target table (uitt.c).
 */

#include <linux/mm_types.h>
#include <linux/nospec.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include <asm/uintr.h>

#include "trace.h"
#include "uintr.h"
#include "uitt.h"

/**
 * struct uintr_sender - connection of a process with a vector
 * @node:	in uintr_fd::senders of @ufd, protected by @receiver's lock
 * @ufd:	the fd it was made through, NULL if there was none
 * @receiver:	who gets what is sent
 * @vector:	0..63
 * @uitt:	the table it is an entry of
 * @thread:	who registered it: one thread can do so only once for an fd
 */
struct uintr_sender {
	struct list_head	node;
	struct uintr_fd		*ufd;
	struct uintr_receiver	*receiver;
	unsigned int		vector;
	struct uintr_uitt	*uitt;
	struct pid		*thread;
};

/* It is not in the table any more, and no CPU uses the entry it had. */
static void sender_free(struct uintr_sender *sender)
{
	struct uintr_receiver *receiver = sender->receiver;

	scoped_guard(mutex, &receiver->lock)
		list_del(&sender->node);
	uintr_receiver_put(receiver);
	put_pid(sender->thread);
	kfree(sender);
}

/* What uintr_sender_post() finds at an index */
static void uitt_set_sender(struct uintr_uitt *uitt, int index,
			    struct uintr_sender *sender)
{
	lockdep_assert_held(&uitt->lock);
	guard(raw_spinlock_irqsave)(&uitt->post_lock);
	uitt->senders[index] = sender;
}

/* When this returns no CPU uses these entries any more, and they are free. */
static void uitt_disconnect(struct uintr_uitt *uitt, const unsigned long *which)
{
	struct uintr_sender *sender;
	unsigned int i;

	lockdep_assert_held(&uitt->lock);
	if (bitmap_empty(which, UINTR_NR_SENDERS))
		return;

	for_each_set_bit(i, which, UINTR_NR_SENDERS)
		WRITE_ONCE(uitt->table[i].ctrl, 0);
	uintr_uitt_synchronize(uitt);
	for_each_set_bit(i, which, UINTR_NR_SENDERS) {
		sender = uitt->senders[i];
		uitt_set_sender(uitt, i, NULL);
		sender_free(sender);
	}
}

/*
 * A connection without an fd ends with nothing: when its thread has exited,
 * others can still send without a fault. Make place when there is none left.
 */
static void uitt_reclaim(struct uintr_uitt *uitt)
{
	DECLARE_BITMAP(which, UINTR_NR_SENDERS) = {};
	struct uintr_sender *sender;
	int i;

	for (i = 0; i < UINTR_NR_SENDERS; i++) {
		sender = uitt->senders[i];
		if (sender && !sender->ufd && READ_ONCE(sender->receiver->dead))
			__set_bit(i, which);
	}
	uitt_disconnect(uitt, which);
}

/* Return: the index of the lowest free entry, or -ENOSPC */
static int uitt_find_free(struct uintr_uitt *uitt)
{
	int i;

	for (i = 0; i < UINTR_NR_SENDERS; i++) {
		if (!uitt->senders[i])
			return i;
	}
	return -ENOSPC;
}

/* Return: the index of a connection through @ufd, -ENOENT if there is none */
static int uitt_find_fd(struct uintr_uitt *uitt, struct uintr_fd *ufd,
			struct pid *thread)
{
	struct uintr_sender *sender;
	int i;

	for (i = 0; i < UINTR_NR_SENDERS; i++) {
		sender = uitt->senders[i];
		if (sender && sender->ufd == ufd &&
		    (!thread || sender->thread == thread))
			return i;
	}
	return -ENOENT;
}

/* A connection of the current process that is not in its table yet */
static struct uintr_sender *sender_alloc(struct uintr_uitt *uitt,
					 struct uintr_receiver *receiver,
					 unsigned int vector,
					 struct uintr_fd *ufd)
{
	struct uintr_sender *sender;

	sender = kzalloc(sizeof(*sender), GFP_KERNEL_ACCOUNT);
	if (!sender)
		return NULL;

	INIT_LIST_HEAD(&sender->node);
	refcount_inc(&receiver->refs);
	sender->receiver = receiver;
	sender->vector = vector;
	sender->ufd = ufd;
	sender->uitt = uitt;
	sender->thread = get_pid(task_pid(current));
	return sender;
}

/*
 * Get known to the fd. Who revokes or closes it after that finds us, and has to
 * wait for the lock of our table.
 */
static bool sender_join(struct uintr_sender *sender)
{
	if (!sender->ufd)
		return true;
	guard(mutex)(&sender->receiver->lock);
	if (uintr_fd_shut(sender->ufd))
		return false;
	list_add_tail(&sender->node, &sender->ufd->senders);
	return true;
}

/* Fill the lowest free entry of the table. Return: its index, or an error */
static int sender_connect(struct uintr_sender *sender)
{
	struct uintr_uitt *uitt = sender->uitt;
	struct uintr_uitt_entry *entry;
	int index;

	lockdep_assert_held(&uitt->lock);
	if (sender->ufd && uitt_find_fd(uitt, sender->ufd, sender->thread) >= 0)
		return -EISCONN;
	/* May as well happen just after that, see sender_join(). */
	if (sender->ufd && uintr_fd_shut(sender->ufd))
		return -ESHUTDOWN;

	index = uitt_find_free(uitt);
	if (index < 0) {
		uitt_reclaim(uitt);
		index = uitt_find_free(uitt);
	}
	if (index < 0)
		return index;

	if (!sender_join(sender))
		return -ESHUTDOWN;
	uitt_set_sender(uitt, index, sender);

	entry = &uitt->table[index];
	entry->upid_addr = (unsigned long)sender->receiver->upid;
	/* A CPU that finds the entry valid must find the address, too. */
	smp_store_release(&entry->ctrl,
			  UITTE_VALID | sender->vector << UITTE_VECTOR_SHIFT);
	trace_uintr_connect(index, sender->vector);
	return index;
}

static int sender_register(struct uintr_receiver *receiver, unsigned int vector,
			   struct uintr_fd *ufd)
{
	struct uintr_sender *sender;
	struct uintr_uitt *uitt;
	int index;

	/* No table for who cannot send. Without one nothing is connected. */
	if (ufd && !READ_ONCE(current->mm->context.uitt) && uintr_fd_shut(ufd))
		return -ESHUTDOWN;
	uitt = uintr_uitt_create();
	if (!uitt)
		return -ENOMEM;
	if (!uintr_uitt_is_own(uitt))
		return -EPERM;
	sender = sender_alloc(uitt, receiver, vector, ufd);
	if (!sender)
		return -ENOMEM;

	index = uintr_uitt_use(uitt);
	if (!index) {
		guard(mutex)(&uitt->lock);
		index = sender_connect(sender);
	}
	if (index < 0)
		sender_free(sender);
	return index;
}

/**
 * uintr_sender_register - connect the current process with a vector
 * @ufd:	the fd object that stands for the vector
 *
 * Return: the lowest free index, -EPERM if the table is that of another
 * process, -EISCONN, -ESHUTDOWN, -ENOSPC or -ENOMEM
 */
int uintr_sender_register(struct uintr_fd *ufd)
{
	return sender_register(ufd->receiver, ufd->vector, ufd);
}

/**
 * uintr_sender_register_self - connect the current process with current
 * @vector:	0..63
 *
 * Current has a receiver. There is no fd that could be closed, so the
 * connection stays until it is unregistered or the table is full.
 *
 * Return: the lowest free index, -EPERM if the table is that of another
 * process, -ENOSPC or -ENOMEM
 */
int uintr_sender_register_self(unsigned int vector)
{
	return sender_register(uintr_current_receiver(), vector, NULL);
}

/* Close one connection of the current process, whose table is locked. */
static int uitt_disconnect_one(struct uintr_uitt *uitt, int index)
{
	DECLARE_BITMAP(which, UINTR_NR_SENDERS) = {};

	if (!uintr_uitt_is_own(uitt))
		return -EPERM;

	__set_bit(index, which);
	uitt_disconnect(uitt, which);
	return 0;
}

/**
 * uintr_sender_unregister - close a connection of the current process
 * @index:	what uintr_sender_register() has returned
 *
 * Return: 0, -EPERM if the table is that of another process, or -EINVAL if
 * there is no such connection
 */
int uintr_sender_unregister(unsigned int index)
{
	struct uintr_uitt *uitt = uintr_uitt_of(current->mm);

	if (!uitt || index >= UINTR_NR_SENDERS)
		return -EINVAL;
	index = array_index_nospec(index, UINTR_NR_SENDERS);
	guard(mutex)(&uitt->lock);

	if (!uitt->senders[index])
		return -EINVAL;
	return uitt_disconnect_one(uitt, index);
}

/**
 * uintr_sender_unregister_fd - close a connection of the current process
 * @ufd:	the fd object it was made through
 *
 * One that current has made goes before those of other threads.
 *
 * Return: 0, -EPERM if the table is that of another process, or -EINVAL if
 * there is no such connection
 */
int uintr_sender_unregister_fd(struct uintr_fd *ufd)
{
	struct uintr_uitt *uitt = uintr_uitt_of(current->mm);
	int index;

	if (!uitt)
		return -EINVAL;
	guard(mutex)(&uitt->lock);

	index = uitt_find_fd(uitt, ufd, task_pid(current));
	if (index < 0)
		index = uitt_find_fd(uitt, ufd, NULL);
	if (index < 0)
		return -EINVAL;
	return uitt_disconnect_one(uitt, index);
}

/* Close all connections in the table that were made through an fd. */
static void uitt_disconnect_fd(struct uintr_uitt *uitt, struct uintr_fd *ufd)
{
	DECLARE_BITMAP(which, UINTR_NR_SENDERS) = {};
	int i;

	guard(mutex)(&uitt->lock);

	for (i = 0; i < UINTR_NR_SENDERS; i++) {
		if (uitt->senders[i] && uitt->senders[i]->ufd == ufd)
			__set_bit(i, which);
	}
	uitt_disconnect(uitt, which);
}

/* A table, with one more reference, that has connections through an fd */
static struct uintr_uitt *fd_find_uitt(struct uintr_fd *ufd)
{
	struct uintr_sender *sender, *next;

	guard(mutex)(&ufd->receiver->lock);

	list_for_each_entry_safe(sender, next, &ufd->senders, node) {
		if (refcount_inc_not_zero(&sender->uitt->refs))
			return sender->uitt;
		/* Nobody uses the table. uintr_uitt_put() frees the sender. */
		list_del_init(&sender->node);
	}
	return NULL;
}

/**
 * uintr_disconnect - close all connections that were made through an fd
 * @ufd:	the fd object; nobody can connect through it any more
 *
 * When this returns no CPU posts to the vector any more.
 */
void uintr_disconnect(struct uintr_fd *ufd)
{
	struct uintr_uitt *uitt;

	while ((uitt = fd_find_uitt(ufd))) {
		uitt_disconnect_fd(uitt, ufd);
		uintr_uitt_put(uitt);
	}
}

/**
 * uintr_sender_post - post as SENDUIPI of current would do
 * @index:	its operand
 *
 * Wakes the receiver: a thread before we can be preempted, and without a mutex
 * that another user may hold, see uintr_wake_thread(). For an event fd that
 * cannot be had with PREEMPT_RT, where its queue has a lock that sleeps.
 *
 * Return: false if there is no connection
 */
bool uintr_sender_post(u64 index)
{
	struct uintr_uitt *uitt = uintr_uitt_of(current->mm);
	struct uintr_receiver *receiver;
	struct uintr_sender *sender;

	if (!uitt || index >= UINTR_NR_SENDERS)
		return false;
	index = array_index_nospec(index, UINTR_NR_SENDERS);

	scoped_guard(raw_spinlock_irqsave, &uitt->post_lock) {
		sender = uitt->senders[index];
		if (!sender)
			return false;
		receiver = sender->receiver;
		if (!uintr_upid_post(receiver->upid, sender->vector))
			return true;
		if (!receiver->event) {
			uintr_wake_thread(receiver);
			return true;
		}
		refcount_inc(&receiver->refs);
	}
	uintr_wake_event(receiver);
	uintr_receiver_put(receiver);
	return true;
}

/*
 * No thread of a process that used the table returns to user mode after the
 * last reference has gone, so no CPU can be using the entries and there is
 * nothing to wait for. Nor does it need the lock, and exit_mmap() has locked
 * enough.
 */
void uintr_uitt_put(struct uintr_uitt *uitt)
{
	int i;

	if (!refcount_dec_and_test(&uitt->refs))
		return;

	for (i = 0; i < UINTR_NR_SENDERS; i++) {
		if (uitt->senders[i])
			sender_free(uitt->senders[i]);
	}
	uintr_uitt_free(uitt);
}

/* How many connections a process has, while others make and close some. */
unsigned int uintr_count_senders(struct mm_struct *mm)
{
	struct uintr_uitt *uitt = uintr_uitt_of(mm);
	unsigned int i, n = 0;

	for (i = 0; uitt && i < UINTR_NR_SENDERS; i++)
		n += !!READ_ONCE(uitt->senders[i]);
	return n;
}

void uintr_exit_mm(struct mm_struct *mm)
{
	struct uintr_uitt *uitt = mm->context.uitt;

	if (!uitt)
		return;

	mm->context.uitt = NULL;
	/* Another mm may be at this address later, and adopt the table. */
	if (uitt->owner == mm)
		WRITE_ONCE(uitt->owner, NULL);
	uintr_uitt_put(uitt);
}
