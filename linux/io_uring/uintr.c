// SPDX-License-Identifier: GPL-2.0
/*
 * Completions as user interrupts: the ring posts to a vector when it has
 * published completions. Several of them may share one interrupt, so the
 * handler has to empty the ring.
 */

#include <linux/file.h>
#include <linux/kernel.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/uintr.h>

#include <linux/io_uring.h>
#include <linux/io_uring_types.h>

#include "uintr.h"

/**
 * struct io_uintr - where completions are posted to
 * @file:	stands for the vector; we have a reference to it
 * @tail:	of the completion ring at the last post
 * @rcu:	posting does not take a lock
 */
struct io_uintr {
	struct file	*file;
	u32		tail;
	struct rcu_head	rcu;
};

static void io_uintr_free(struct rcu_head *rcu)
{
	struct io_uintr *uintr = container_of(rcu, struct io_uintr, rcu);

	fput(uintr->file);
	kfree(uintr);
}

/* There is something for the owner of the ring to do. */
void io_uintr_signal(struct io_ring_ctx *ctx)
{
	struct io_uintr *uintr;

	guard(rcu)();
	uintr = rcu_dereference(ctx->uintr);
	if (uintr)
		uintr_post(uintr->file);
}

/*
 * Post if completions have been published since the last time. Of two that
 * come at the same time one posts, and it does so after both were published.
 */
void io_uintr_flush_signal(struct io_ring_ctx *ctx)
{
	struct io_uintr *uintr;
	u32 tail;

	guard(rcu)();
	uintr = rcu_dereference(ctx->uintr);
	if (!uintr)
		return;

	tail = READ_ONCE(ctx->rings->cq.tail);
	if (xchg(&uintr->tail, tail) != tail)
		uintr_post(uintr->file);
}

int io_uintr_register(struct io_ring_ctx *ctx, void __user *arg)
{
	struct io_uintr *uintr;
	struct file *file;
	int fd;

	if (ctx->has_uintr)
		return -EBUSY;
	if (copy_from_user(&fd, arg, sizeof(fd)))
		return -EFAULT;

	file = uintr_fget(fd);
	if (IS_ERR(file))
		return PTR_ERR(file);
	uintr = kzalloc(sizeof(*uintr), GFP_KERNEL_ACCOUNT);
	if (!uintr) {
		fput(file);
		return -ENOMEM;
	}

	uintr->file = file;
	uintr->tail = READ_ONCE(ctx->rings->cq.tail);
	rcu_assign_pointer(ctx->uintr, uintr);
	ctx->has_uintr = true;
	return 0;
}

int io_uintr_unregister(struct io_ring_ctx *ctx)
{
	struct io_uintr *uintr;

	if (!ctx->has_uintr)
		return -ENXIO;

	uintr = rcu_dereference_protected(ctx->uintr, true);
	ctx->has_uintr = false;
	rcu_assign_pointer(ctx->uintr, NULL);
	call_rcu(&uintr->rcu, io_uintr_free);
	return 0;
}
