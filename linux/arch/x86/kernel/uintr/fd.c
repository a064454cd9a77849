// SPDX-License-Identifier: GPL-2.0
/*
 * User interrupts: the file descriptor that stands for one vector of one
 * receiver. Whoever has it can register as a sender, so it is passed on like
 * any other fd. There is nothing to read, write or wait for; for that there
 * are event fds (event.c).
 *
 * A receiver that wants to get rid of one of several senders gives each an fd
 * of its own, and revokes that. To close it would not do: the sender has it,
 * too.
 */

#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/nospec.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "uintr.h"

/* What all kinds of uintr fds begin and end with */
void uintr_fd_init(struct uintr_fd *ufd, struct uintr_receiver *receiver,
		   unsigned int vector)
{
	ufd->receiver = receiver;
	ufd->vector = vector;
	ufd->owner = get_pid(task_tgid(current));
	INIT_LIST_HEAD(&ufd->senders);
}

void uintr_fd_destroy(struct uintr_fd *ufd)
{
	put_pid(ufd->owner);
}

/* Return: 0, or -EBUSY if it has an fd and is not to be shared */
static int vector_get(struct uintr_receiver *receiver, unsigned int vector,
		      bool shared)
{
	/* A user's number that leads to an access. */
	vector = array_index_nospec(vector, UINTR_NR_VECTORS);
	guard(mutex)(&receiver->lock);

	if (receiver->nr_fds[vector] && !shared)
		return -EBUSY;
	receiver->nr_fds[vector]++;
	__set_bit(vector, &receiver->vectors);
	refcount_inc(&receiver->refs);
	return 0;
}

/*
 * What is posted but not yet notified is lost with the last fd of a vector, if
 * that was ever in use.
 */
static void vector_put(struct uintr_receiver *receiver, unsigned int vector,
		       bool used)
{
	scoped_guard(mutex, &receiver->lock) {
		if (!--receiver->nr_fds[vector]) {
			__clear_bit(vector, &receiver->vectors);
			if (used)
				clear_bit(vector,
					  (unsigned long *)&receiver->upid->pir);
		}
	}
	uintr_receiver_put(receiver);
}

/* First nobody posts, then the vector may be free. */
static int uintr_fd_release(struct inode *inode, struct file *file)
{
	struct uintr_fd *ufd = file->private_data;

	uintr_unbind_fd(ufd);
	uintr_disconnect(ufd);
	vector_put(ufd->receiver, ufd->vector, true);
	uintr_fd_destroy(ufd);
	kfree(ufd);

	return 0;
}

/*
 * When this returns nobody posts through the fd any more. Only the process
 * that has made it can do that, for any of its senders may have it.
 */
static int uintr_fd_revoke(struct uintr_fd *ufd)
{
	if (ufd->owner != task_tgid(current))
		return -EPERM;

	scoped_guard(mutex, &ufd->receiver->lock)
		WRITE_ONCE(ufd->revoked, true);
	uintr_unbind_fd(ufd);
	uintr_disconnect(ufd);
	/* Pairs with uintr_post(). */
	synchronize_rcu();
	return 0;
}

long uintr_fd_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	if (cmd != UINTR_FD_REVOKE)
		return -EINVAL;

	return uintr_fd_revoke(file->private_data);
}

#ifdef CONFIG_PROC_FS
static void uintr_fd_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct uintr_fd *ufd = file->private_data;

	seq_printf(m, "user_vector:%u\n", ufd->vector);
}
#endif

static const struct file_operations uintr_fops = {
#ifdef CONFIG_PROC_FS
	.show_fdinfo	= uintr_fd_show_fdinfo,
#endif
	.release	= uintr_fd_release,
	.unlocked_ioctl	= uintr_fd_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.llseek		= noop_llseek,
};

/* The fd object of @file, or NULL if it is a file of another kind. */
struct uintr_fd *uintr_fd_from_file(struct file *file)
{
	if (file->f_op == &uintr_fops || file->f_op == &uintr_event_fops)
		return file->private_data;
	return NULL;
}

/**
 * uintr_fd_create - make an fd for a vector
 * @receiver:	whose vector it is
 * @vector:	0..63
 * @shared:	others may stand for it as well
 *
 * Return: the fd, -EBUSY, or what the file system layer has to say
 */
int uintr_fd_create(struct uintr_receiver *receiver, unsigned int vector,
		    bool shared)
{
	struct uintr_fd *ufd;
	int fd = vector_get(receiver, vector, shared);

	if (fd)
		return fd;

	ufd = kzalloc(sizeof(*ufd), GFP_KERNEL_ACCOUNT);
	if (!ufd) {
		vector_put(receiver, vector, false);
		return -ENOMEM;
	}
	uintr_fd_init(ufd, receiver, vector);

	fd = anon_inode_getfd("[uintrfd]", &uintr_fops, ufd,
			      O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		vector_put(receiver, vector, false);
		uintr_fd_destroy(ufd);
		kfree(ufd);
	}

	return fd;
}
