// SPDX-License-Identifier: GPL-2.0
/*
 * User interrupts: any file that can be polled as a sender. A binding waits
 * for the file as poll() does, but instead of a thread that sleeps there is a
 * post to a vector for every wake-up.
 *
 * A binding belongs to the receiver, and keeps the file open. If it belonged
 * to the uintr fd, two files could keep each other alive: a socket that is
 * bound, and that carries the uintr fd in a message. Now the end of the
 * receiver's thread is the end of all that.
 */

#include <linux/cred.h>
#include <linux/file.h>
#include <linux/io_uring.h>
#include <linux/io_uring_types.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>

#include "uintr.h"

/**
 * struct uintr_bind_wait - one wait queue of a bound file
 * @next:	files can have several
 * @wait:	our entry in it
 * @queue:	NULL when the queue has gone before the file
 * @binding:	whose it is
 */
struct uintr_bind_wait {
	struct uintr_bind_wait	*next;
	wait_queue_entry_t	wait;
	wait_queue_head_t	*queue;
	struct uintr_binding	*binding;
};

/**
 * struct uintr_binding - a file that posts to a vector
 * @node:	in uintr_receiver::bindings
 * @ufd:	stands for the vector
 * @file:	we have a reference to it
 * @events:	what to post for, EPOLL*
 * @pt:		for adding ourselves to the file's wait queues
 * @waits:	our entries in these
 * @error:	-ENOMEM if one could not be made
 * @ucounts:	whom it is counted for; NULL if there are too many
 */
struct uintr_binding {
	struct list_head	node;
	struct uintr_fd		*ufd;
	struct file		*file;
	__poll_t		events;
	poll_table		pt;
	struct uintr_bind_wait	*waits;
	int			error;
	struct ucounts		*ucounts;
};

/* Somebody wakes the file's pollers. For any context; the queue is locked. */
static int binding_wake(wait_queue_entry_t *wait, unsigned int mode, int sync,
			void *key)
{
	struct uintr_bind_wait *w = container_of(wait, struct uintr_bind_wait,
						 wait);
	struct uintr_binding *b = w->binding;
	__poll_t events = key_to_poll(key);

	/* Without events the waker does not know what has happened. */
	if (!events || (events & b->events))
		uintr_post_vector(b->ufd->receiver, b->ufd->vector);

	if (events & POLLFREE) {
		list_del_init(&wait->entry);
		/* Pairs with bind_wait_remove(). */
		smp_store_release(&w->queue, NULL);
	}
	return 0;
}

static void binding_queue(struct file *file, wait_queue_head_t *queue,
			  poll_table *pt)
{
	struct uintr_binding *b = container_of(pt, struct uintr_binding, pt);
	struct uintr_bind_wait *w;

	w = kzalloc(sizeof(*w), GFP_KERNEL_ACCOUNT);
	if (!w) {
		b->error = -ENOMEM;
		return;
	}
	init_waitqueue_func_entry(&w->wait, binding_wake);
	w->queue = queue;
	w->binding = b;
	w->next = b->waits;
	b->waits = w;
	add_wait_queue(queue, &w->wait);
}

/* A queue that goes before its file is freed by RCU. */
static void bind_wait_remove(struct uintr_bind_wait *w)
{
	wait_queue_head_t *queue;

	guard(rcu)();
	/* Pairs with binding_wake(). */
	queue = smp_load_acquire(&w->queue);
	if (queue)
		remove_wait_queue(queue, &w->wait);
}

static void binding_free(struct uintr_binding *b)
{
	struct uintr_bind_wait *w;

	while ((w = b->waits)) {
		b->waits = w->next;
		bind_wait_remove(w);
		kfree(w);
	}
	fput(b->file);
	if (b->ucounts)
		dec_ucount(b->ucounts, UCOUNT_UINTR_BINDINGS);
	kfree(b);
}

static void binding_remove(struct uintr_binding *b)
{
	list_del(&b->node);
	b->ufd->receiver->nr_bindings--;
	binding_free(b);
}

static struct uintr_binding *binding_find(struct uintr_fd *ufd,
					  struct file *file)
{
	struct uintr_binding *b;

	list_for_each_entry(b, &ufd->receiver->bindings, node) {
		if (b->ufd == ufd && b->file == file)
			return b;
	}
	return NULL;
}

/* Put a binding in the place of another of the same pair, if there is one. */
static int binding_install(struct uintr_binding *b)
{
	struct uintr_receiver *receiver = b->ufd->receiver;
	struct uintr_binding *old;

	guard(mutex)(&receiver->lock);

	if (uintr_fd_shut(b->ufd))
		return -ESHUTDOWN;
	old = binding_find(b->ufd, b->file);
	/* Who binds and closes must not keep more open than with open(). */
	if (!old && receiver->nr_bindings >= rlimit(RLIMIT_NOFILE))
		return -EMFILE;
	/* Who changes one at the limit has no place for two. */
	if (old && !b->ucounts)
		swap(old->ucounts, b->ucounts);
	if (!b->ucounts)
		return -ENOSPC;
	if (old)
		binding_remove(old);
	receiver->nr_bindings++;
	list_add(&b->node, &receiver->bindings);
	return 0;
}

/*
 * Completions of such a ring wait until its owner asks for them, and until
 * then wake nobody but the owner.
 */
static bool ring_defers_completions(struct file *file)
{
	struct io_ring_ctx *ctx = file->private_data;

	return io_is_uring_fops(file) &&
	       (ctx->flags & IORING_SETUP_DEFER_TASKRUN);
}

/**
 * uintr_bind_file - let a file post to a vector
 * @ufd:	stands for the vector
 * @file:	the file
 * @events:	what to post for, EPOLL*
 *
 * It posts at once if one of the events is there already.
 *
 * Return: 0, -EPERM if nothing would wake us, -ESHUTDOWN, -EMFILE, -ENOSPC or
 * -ENOMEM
 */
int uintr_bind_file(struct uintr_fd *ufd, struct file *file, __poll_t events)
{
	struct uintr_binding *b;
	__poll_t ready;
	int ret;

	if (!file_can_poll(file) || ring_defers_completions(file))
		return -EPERM;
	b = kzalloc(sizeof(*b), GFP_KERNEL_ACCOUNT);
	if (!b)
		return -ENOMEM;
	b->ufd = ufd;
	b->file = get_file(file);
	b->events = events | EPOLLERR | EPOLLHUP;
	/* Who wakes the file's pollers pays for each of its bindings. */
	b->ucounts = inc_ucount(current_user_ns(), current_euid(),
				UCOUNT_UINTR_BINDINGS);
	init_poll_funcptr(&b->pt, binding_queue);
	b->pt._key = b->events;

	ready = vfs_poll(file, &b->pt);
	ret = b->error ?: binding_install(b);
	if (ret)
		binding_free(b);
	else if (ready & b->events)
		uintr_post_vector(ufd->receiver, ufd->vector);

	return ret;
}

/* Return: 0, or -ENOENT if the two are not bound */
int uintr_unbind_file(struct uintr_fd *ufd, struct file *file)
{
	struct uintr_binding *b;

	guard(mutex)(&ufd->receiver->lock);

	b = binding_find(ufd, file);
	if (!b)
		return -ENOENT;
	binding_remove(b);
	return 0;
}

/* Remove all bindings of a uintr fd. */
void uintr_unbind_fd(struct uintr_fd *ufd)
{
	struct uintr_binding *b, *next;

	guard(mutex)(&ufd->receiver->lock);

	list_for_each_entry_safe(b, next, &ufd->receiver->bindings, node) {
		if (b->ufd == ufd)
			binding_remove(b);
	}
}

/* Remove all bindings of a receiver. Called with its lock held. */
void uintr_unbind_receiver(struct uintr_receiver *receiver)
{
	struct uintr_binding *b, *next;

	list_for_each_entry_safe(b, next, &receiver->bindings, node)
		binding_remove(b);
}
