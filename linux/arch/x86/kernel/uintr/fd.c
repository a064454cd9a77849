// SPDX-License-Identifier: GPL-2.0
/*
 * User interrupts: the file descriptor that stands for one vector of one
 * receiver. Whoever has it can register as a sender, so it is passed on like
 * any other fd. There is nothing to read, write or wait for; for that there
 * are event fds (event.c).
 */

#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "uintr.h"

static void uintr_fd_free(struct uintr_fd *ufd)
{
	clear_bit(ufd->vector, &ufd->receiver->vectors);
	uintr_receiver_put(ufd->receiver);
	kfree(ufd);
}

/*
 * What is posted but not yet notified is lost with the vector. The order
 * matters: first nobody posts, then the bit goes, then the vector is free.
 */
static int uintr_fd_release(struct inode *inode, struct file *file)
{
	struct uintr_fd *ufd = file->private_data;

	uintr_unbind_fd(ufd);
	uintr_disconnect(ufd);
	clear_bit(ufd->vector, (unsigned long *)&ufd->receiver->upid->pir);
	uintr_fd_free(ufd);

	return 0;
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
 *
 * Return: the fd, -EBUSY, or what the file system layer has to say
 */
int uintr_fd_create(struct uintr_receiver *receiver, unsigned int vector)
{
	struct uintr_fd *ufd;
	int fd;

	if (test_and_set_bit(vector, &receiver->vectors))
		return -EBUSY;

	ufd = kzalloc(sizeof(*ufd), GFP_KERNEL_ACCOUNT);
	if (!ufd) {
		clear_bit(vector, &receiver->vectors);
		return -ENOMEM;
	}
	refcount_inc(&receiver->refs);
	ufd->receiver = receiver;
	ufd->vector = vector;
	INIT_LIST_HEAD(&ufd->senders);

	fd = anon_inode_getfd("[uintrfd]", &uintr_fops, ufd,
			      O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		uintr_fd_free(ufd);

	return fd;
}
