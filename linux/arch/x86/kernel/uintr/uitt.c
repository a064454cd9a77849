// SPDX-License-Identifier: GPL-2.0
/*
 * User interrupts: senders and the target table of a process.
 *
 * SENDUIPI reads an entry of the table and then writes to the UPID that it
 * found there, all in one instruction in user mode. An entry can be cleared
 * by any CPU while others execute that instruction, so between clearing an
 * entry and reusing it, or freeing the UPID, every CPU that can be in the
 * instruction must have left it, see uitt_synchronize().
 *
 * The table itself belongs to the processes that use it, normally one, and to
 * the fds that stand for it. A thread may still have its address in the
 * registers or in its image when they have all gone, but it never returns to
 * user mode before uintr_exit() has dropped it.
 */

#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/nospec.h>
#include <linux/pid.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/smp.h>

#include <asm/ptrace.h>
#include <asm/uintr.h>

#include "trace.h"
#include "uintr.h"

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

/**
 * struct uintr_uitt - target table
 * @refs:	of processes and ipi fds, and of uintr_disconnect()
 * @owner:	the process that made it and that alone can change it, NULL
 *		when that is gone
 * @lock:	protects all that follows
 * @table:	what the CPUs read
 * @senders:	the connections behind its entries
 */
struct uintr_uitt {
	refcount_t		refs;
	struct mm_struct	*owner;
	struct mutex		lock;
	struct uintr_uitt_entry	*table;
	struct uintr_sender	*senders[UINTR_NR_SENDERS];
};

static struct uintr_uitt *uitt_alloc(void)
{
	struct uintr_uitt *uitt;

	BUILD_BUG_ON(sizeof(*uitt->table) * UINTR_NR_SENDERS > PAGE_SIZE);

	uitt = kzalloc(sizeof(*uitt), GFP_KERNEL_ACCOUNT);
	if (!uitt)
		return NULL;
	uitt->table = uintr_page_alloc();
	if (!uitt->table) {
		kfree(uitt);
		return NULL;
	}
	refcount_set(&uitt->refs, 1);
	uitt->owner = current->mm;
	mutex_init(&uitt->lock);
	return uitt;
}

/* The table of an mm, which another thread may just have made; or NULL */
static struct uintr_uitt *uitt_of(struct mm_struct *mm)
{
	/* Pairs with uitt_get(): the table behind the pointer is complete. */
	return smp_load_acquire(&mm->context.uitt);
}

/* Get the table of the current process, allocate it if there is none. */
static struct uintr_uitt *uitt_get(void)
{
	struct mm_struct *mm = current->mm;
	struct uintr_uitt *uitt, *other;

	uitt = uitt_of(mm);
	if (uitt)
		return uitt;
	uitt = uitt_alloc();
	if (!uitt)
		return NULL;

	/* Another thread may be faster. Pairs with uitt_of(). */
	other = cmpxchg(&mm->context.uitt, NULL, uitt);
	if (!other)
		return uitt;
	uintr_uitt_put(uitt);
	return other;
}

/* Has the current process made the table, and not adopted it? */
static bool uitt_is_own(struct uintr_uitt *uitt)
{
	return READ_ONCE(uitt->owner) == current->mm;
}

/* What the registers have to hold for the table to be used. */
static u64 uitt_addr(struct uintr_uitt *uitt)
{
	return (unsigned long)uitt->table | UINTR_STATE_TT_ENABLE;
}

/* Let current execute SENDUIPI with this table. */
static int uitt_use(struct uintr_uitt *uitt)
{
	struct uintr_state *state;

	if (uintr_task_alloc())
		return -ENOMEM;

	state = uintr_edit_state();
	state->uitt_addr = uitt_addr(uitt);
	state->uitt_size = UINTR_NR_SENDERS - 1;

	return 0;
}

static bool uitt_is_loaded(int cpu, void *uitt)
{
	return READ_ONCE(per_cpu(uintr_loaded_table, cpu)) == uitt_addr(uitt);
}

static void uitt_interrupt(void *unused)
{
}

/*
 * Wait until no CPU uses an entry of the table that has been invalidated.
 *
 * A CPU takes an interrupt only between instructions, so one that has taken
 * ours has left the SENDUIPI that may have read the entry; and on this CPU we
 * are in the kernel. All others do not have the table in their registers, and
 * are left alone:
 *
 *	here				uintr_load() there
 *	1 entry = invalid		1 uintr_loaded_table = table
 *	  smp_mb()			  smp_mb()
 *	2 read uintr_loaded_table	2 SENDUIPI reads the entry
 *
 * It is not possible that both 2 come before the 1 of the other side: either
 * we find the table loaded, or SENDUIPI finds the entry invalid. uintr_save()
 * clears uintr_loaded_table when the table has left the registers, so whoever
 * finds it cleared finds all done that was sent there. tests/models of the
 * emulator's tree has that as a model.
 *
 * An RCU grace period would not do: a nohz_full CPU counts as quiescent in
 * user mode without leaving it.
 */
static void uitt_synchronize(struct uintr_uitt *uitt)
{
	/* The entry is invalid before we look for those who have the table. */
	smp_mb();
	on_each_cpu_cond(uitt_is_loaded, uitt_interrupt, uitt, true);
}

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

/* When this returns no CPU uses these entries any more, and they are free. */
static void uitt_disconnect(struct uintr_uitt *uitt, const unsigned long *which)
{
	unsigned int i;

	lockdep_assert_held(&uitt->lock);
	if (bitmap_empty(which, UINTR_NR_SENDERS))
		return;

	for_each_set_bit(i, which, UINTR_NR_SENDERS)
		WRITE_ONCE(uitt->table[i].ctrl, 0);
	uitt_synchronize(uitt);
	for_each_set_bit(i, which, UINTR_NR_SENDERS) {
		sender_free(uitt->senders[i]);
		uitt->senders[i] = NULL;
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
	uitt->senders[index] = sender;

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
	uitt = uitt_get();
	if (!uitt)
		return -ENOMEM;
	if (!uitt_is_own(uitt))
		return -EPERM;
	sender = sender_alloc(uitt, receiver, vector, ufd);
	if (!sender)
		return -ENOMEM;

	index = uitt_use(uitt);
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

	if (!uitt_is_own(uitt))
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
	struct uintr_uitt *uitt = uitt_of(current->mm);

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
	struct uintr_uitt *uitt = uitt_of(current->mm);
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
 * uintr_fixup_invalid_op - #UD in user mode may be a missing target table
 * @regs:	where it happened
 *
 * The process may have got its table from another thread, or after this
 * thread was last in user mode; or its state is in memory, and what was a system
 * call to be restarted has become SENDUIPI. There is no need to look at the
 * instruction: with the table loaded it either works now or faults again.
 *
 * Return: true to execute the instruction again
 */
bool uintr_fixup_invalid_op(struct pt_regs *regs)
{
	struct uintr_uitt *uitt;
	struct uintr_task *u;
	bool loaded;

	if (!cpu_feature_enabled(X86_FEATURE_UINTR) || !user_mode(regs))
		return false;
	if (uintr_cancel_restart())
		return true;

	uitt = uitt_of(current->mm);
	u = current->thread.uintr;
	if (!uitt || (u && u->x.state.uitt_addr))
		return false;

	local_irq_enable();
	loaded = !uitt_use(uitt);
	local_irq_disable();

	return loaded;
}

/**
 * uintr_uitt_get_current - share the table of the current process
 *
 * Return: the table, allocated if there was none, with one more reference, or
 * NULL if there is no memory
 */
struct uintr_uitt *uintr_uitt_get_current(void)
{
	struct uintr_uitt *uitt = uitt_get();

	if (uitt)
		refcount_inc(&uitt->refs);
	return uitt;
}

/**
 * uintr_uitt_adopt - let the current process use the table of another
 * @uitt:	the table
 *
 * It can send by it, but not change it: an index stays what its owner has made
 * it.
 *
 * Return: 0, -EBUSY if the process has a table, or -ENOMEM
 */
int uintr_uitt_adopt(struct uintr_uitt *uitt)
{
	if (uintr_task_alloc())
		return -ENOMEM;

	refcount_inc(&uitt->refs);
	/* As in uitt_get(). */
	if (cmpxchg(&current->mm->context.uitt, NULL, uitt)) {
		uintr_uitt_put(uitt);
		return -EBUSY;
	}
	return uitt_use(uitt);
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
	uintr_page_free(uitt->table);
	kfree(uitt);
}

/* How many connections a process has, while others make and close some. */
unsigned int uintr_count_senders(struct mm_struct *mm)
{
	struct uintr_uitt *uitt = uitt_of(mm);
	unsigned int i, n = 0;

	for (i = 0; uitt && i < UINTR_NR_SENDERS; i++)
		n += !!READ_ONCE(uitt->senders[i]);
	return n;
}

void uintr_init_mm(struct mm_struct *mm)
{
	mm->context.uitt = NULL;
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
