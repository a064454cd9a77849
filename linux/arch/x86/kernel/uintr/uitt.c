// SPDX-License-Identifier: GPL-2.0
/*
 * User interrupts: senders and the target table of a process.
 *
 * SENDUIPI reads an entry of the table and then writes to the UPID that it
 * found there, all in one instruction in user mode. An entry can be cleared
 * by any CPU while others execute that instruction, so between clearing an
 * entry and reusing it, or freeing the UPID, every CPU must have left the
 * instruction. kick_all_cpus_sync() does exactly that: it interrupts all
 * other CPUs and waits until each has taken the interrupt, which is only
 * possible between instructions; and this CPU is in the kernel. An RCU grace
 * period would not do: a nohz_full CPU counts as quiescent in user mode
 * without leaving it.
 *
 * The table itself belongs to the processes that use it, normally one, and to
 * the fds that stand for it. A thread may still have its address in the
 * registers or in its image when they have all gone, but it never returns to
 * user mode before uintr_exit() has dropped it.
 */

#include <linux/mm_types.h>
#include <linux/mutex.h>
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
 * @node:	in uintr_fd::senders of the fd it was made through, empty if
 *		there was none
 * @receiver:	who gets what is sent
 * @uitt:	the table it is an entry of
 * @index:	the entry
 * @thread:	who registered it: one thread can do so only once for an fd
 */
struct uintr_sender {
	struct list_head	node;
	struct uintr_receiver	*receiver;
	struct uintr_uitt	*uitt;
	unsigned int		index;
	struct pid		*thread;
};

struct uintr_uitt {
	refcount_t		refs;
	struct uintr_uitt_entry	*table;
	struct uintr_sender	*senders[UINTR_NR_SENDERS];
};

/* Protects all connections. Sending does not need it, connecting is rare. */
DEFINE_MUTEX(uintr_mutex);

/* Get the table of the current process, allocate it if there is none. */
static struct uintr_uitt *uitt_get(void)
{
	struct mm_struct *mm = current->mm;
	struct uintr_uitt *uitt = mm->context.uitt;

	BUILD_BUG_ON(sizeof(*uitt->table) * UINTR_NR_SENDERS > PAGE_SIZE);

	if (uitt)
		return uitt;

	uitt = kzalloc(sizeof(*uitt), GFP_KERNEL_ACCOUNT);
	if (!uitt)
		return NULL;
	uitt->table = uintr_page_alloc();
	if (!uitt->table) {
		kfree(uitt);
		return NULL;
	}
	refcount_set(&uitt->refs, 1);
	/* Pairs with uintr_fixup_invalid_op() in other threads. */
	smp_store_release(&mm->context.uitt, uitt);

	return uitt;
}

/* Let current execute SENDUIPI with this table. */
static int uitt_use(struct uintr_uitt *uitt)
{
	struct uintr_state *state;

	if (uintr_task_alloc())
		return -ENOMEM;

	state = uintr_edit_state();
	state->uitt_addr = (unsigned long)uitt->table | UINTR_STATE_TT_ENABLE;
	state->uitt_size = UINTR_NR_SENDERS - 1;

	return 0;
}

/* No CPU starts to use the entry any more. Some may still be using it. */
static void sender_invalidate(struct uintr_sender *sender)
{
	WRITE_ONCE(sender->uitt->table[sender->index].ctrl, 0);
}

/* After the kick: nobody uses the entry. */
static void sender_free(struct uintr_sender *sender)
{
	sender->uitt->senders[sender->index] = NULL;
	list_del(&sender->node);
	uintr_receiver_put(sender->receiver);
	put_pid(sender->thread);
	kfree(sender);
}

static bool sender_matches(struct uintr_sender *sender, bool same_thread)
{
	return sender->uitt == current->mm->context.uitt &&
	       (!same_thread || sender->thread == task_pid(current));
}

/* Find a connection of this process, or of just this thread, through @ufd. */
static struct uintr_sender *sender_find(struct uintr_fd *ufd, bool same_thread)
{
	struct uintr_sender *sender;

	list_for_each_entry(sender, &ufd->senders, node) {
		if (sender_matches(sender, same_thread))
			return sender;
	}
	return NULL;
}

/* When this returns no CPU uses the entries any more. */
static void senders_disconnect(struct list_head *senders)
{
	struct uintr_sender *sender, *next;

	if (list_empty(senders))
		return;

	list_for_each_entry(sender, senders, node)
		sender_invalidate(sender);
	kick_all_cpus_sync();
	list_for_each_entry_safe(sender, next, senders, node)
		sender_free(sender);
}

/*
 * A connection without an fd ends with nothing: when its thread has exited,
 * others can still send without a fault. Make place when there is none left.
 */
static void uitt_reclaim(struct uintr_uitt *uitt)
{
	struct uintr_sender *sender;
	LIST_HEAD(dead);
	int i;

	for (i = 0; i < UINTR_NR_SENDERS; i++) {
		sender = uitt->senders[i];
		if (sender && list_empty(&sender->node) && sender->receiver->dead)
			list_add(&sender->node, &dead);
	}
	senders_disconnect(&dead);
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

/*
 * Fill the lowest free entry of the table of current. The new connection is
 * not in a list yet.
 */
static struct uintr_sender *sender_connect(struct uintr_receiver *receiver,
					   unsigned int vector)
{
	struct uintr_uitt *uitt = uitt_get();
	struct uintr_uitt_entry *entry;
	struct uintr_sender *sender;
	int index;

	if (!uitt)
		return ERR_PTR(-ENOMEM);
	index = uitt_find_free(uitt);
	if (index < 0) {
		uitt_reclaim(uitt);
		index = uitt_find_free(uitt);
	}
	if (index < 0)
		return ERR_PTR(index);
	if (uitt_use(uitt))
		return ERR_PTR(-ENOMEM);
	sender = kzalloc(sizeof(*sender), GFP_KERNEL_ACCOUNT);
	if (!sender)
		return ERR_PTR(-ENOMEM);

	INIT_LIST_HEAD(&sender->node);
	refcount_inc(&receiver->refs);
	sender->receiver = receiver;
	sender->uitt = uitt;
	sender->index = index;
	sender->thread = get_pid(task_pid(current));
	uitt->senders[index] = sender;

	entry = &uitt->table[index];
	entry->upid_addr = (unsigned long)receiver->upid;
	/* A CPU that finds the entry valid must find the address, too. */
	smp_store_release(&entry->ctrl,
			  UITTE_VALID | vector << UITTE_VECTOR_SHIFT);
	trace_uintr_connect(index, vector);
	return sender;
}

/**
 * uintr_sender_register - connect the current process with a vector
 * @ufd:	the fd object that stands for the vector
 *
 * Return: the lowest free index, -EISCONN, -ESHUTDOWN, -ENOSPC or -ENOMEM
 */
int uintr_sender_register(struct uintr_fd *ufd)
{
	struct uintr_sender *sender;

	guard(mutex)(&uintr_mutex);

	if (sender_find(ufd, true))
		return -EISCONN;
	if (uintr_fd_shut(ufd))
		return -ESHUTDOWN;

	sender = sender_connect(ufd->receiver, ufd->vector);
	if (IS_ERR(sender))
		return PTR_ERR(sender);
	list_add_tail(&sender->node, &ufd->senders);

	return sender->index;
}

/**
 * uintr_sender_register_self - connect the current process with current
 * @vector:	0..63
 *
 * Current has a receiver. There is no fd that could be closed, so the
 * connection stays until it is unregistered or the table is full.
 *
 * Return: the lowest free index, -ENOSPC or -ENOMEM
 */
int uintr_sender_register_self(unsigned int vector)
{
	struct uintr_sender *sender;

	guard(mutex)(&uintr_mutex);

	sender = sender_connect(uintr_current_receiver(), vector);
	return IS_ERR(sender) ? PTR_ERR(sender) : sender->index;
}

/**
 * uintr_sender_unregister - close a connection of the current process
 * @ufd:	fd object it was made through, or NULL to look for the index
 * @index:	index of the entry, used if @ufd does not name a connection
 *
 * Return: 0, or -EINVAL if there is no such connection
 */
int uintr_sender_unregister(struct uintr_fd *ufd, unsigned int index)
{
	struct uintr_sender *sender = NULL;
	struct uintr_uitt *uitt;

	guard(mutex)(&uintr_mutex);

	uitt = current->mm->context.uitt;
	if (ufd)
		sender = sender_find(ufd, true) ?: sender_find(ufd, false);
	if (!sender && uitt && index < UINTR_NR_SENDERS)
		sender = uitt->senders[index];
	if (!sender)
		return -EINVAL;

	sender_invalidate(sender);
	kick_all_cpus_sync();
	sender_free(sender);

	return 0;
}

/**
 * uintr_disconnect - close all connections that were made through an fd
 * @ufd:	the fd object
 *
 * When this returns no CPU posts to the vector any more.
 */
void uintr_disconnect(struct uintr_fd *ufd)
{
	guard(mutex)(&uintr_mutex);
	senders_disconnect(&ufd->senders);
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

	/* Pairs with uitt_get(): the table behind the pointer is complete. */
	uitt = smp_load_acquire(&current->mm->context.uitt);
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
	struct uintr_uitt *uitt;

	guard(mutex)(&uintr_mutex);

	uitt = uitt_get();
	if (uitt)
		refcount_inc(&uitt->refs);
	return uitt;
}

/**
 * uintr_uitt_adopt - let the current process use the table of another
 * @uitt:	the table
 *
 * Return: 0, -EBUSY if the process has a table, or -ENOMEM
 */
int uintr_uitt_adopt(struct uintr_uitt *uitt)
{
	guard(mutex)(&uintr_mutex);

	if (current->mm->context.uitt)
		return -EBUSY;
	if (uitt_use(uitt))
		return -ENOMEM;

	refcount_inc(&uitt->refs);
	/* As in uitt_get(). */
	smp_store_release(&current->mm->context.uitt, uitt);
	return 0;
}

/*
 * No thread of a process that used the table returns to user mode after the
 * last reference has gone, so no CPU can be using the entries and there is
 * nothing to wait for.
 */
void uintr_uitt_put(struct uintr_uitt *uitt)
{
	int i;

	if (!refcount_dec_and_test(&uitt->refs))
		return;

	mutex_lock(&uintr_mutex);
	for (i = 0; i < UINTR_NR_SENDERS; i++) {
		if (uitt->senders[i])
			sender_free(uitt->senders[i]);
	}
	mutex_unlock(&uintr_mutex);

	uintr_page_free(uitt->table);
	kfree(uitt);
}

/* How many connections a process has. Called with uintr_mutex held. */
unsigned int uintr_count_senders(struct mm_struct *mm)
{
	struct uintr_uitt *uitt = mm->context.uitt;
	unsigned int i, n = 0;

	lockdep_assert_held(&uintr_mutex);

	for (i = 0; uitt && i < UINTR_NR_SENDERS; i++)
		n += !!uitt->senders[i];
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
	uintr_uitt_put(uitt);
}
