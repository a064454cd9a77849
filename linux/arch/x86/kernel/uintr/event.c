// SPDX-License-Identifier: GPL-2.0
/*
 * User interrupts: event fds. Somebody registers as a sender as on any uintr
 * fd, but there is no handler: the fd becomes readable.
 *
 * An event fd has a UPID of its own. Whoever waits for the fd arms the UPID
 * (wait.c); who posts then wakes all who wait. Then it is silent until somebody
 * waits again, so there are no wake-ups that nobody wants, and senders to who
 * only tries again and again never trap.
 *
 * Who reads takes what others may be asleep for, so it arms if there are any.
 * With edge-triggered epoll that is all that arms, as the fd is not polled
 * again; so the read has to come before the next edge.
 */

#include <linux/anon_inodes.h>
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "trace.h"
#include "uintr.h"

static u64 *event_pir(struct uintr_fd *ufd)
{
	return &ufd->receiver->upid->pir;
}

/*
 * The next post wakes those who wait. What was posted before, while the UPID
 * was silent, has woken nobody: others may be asleep for whom it was.
 */
static void event_arm(struct uintr_fd *ufd)
{
	struct uintr_receiver *receiver = ufd->receiver;

	trace_uintr_arm(NULL);
	uintr_upid_arm(receiver->upid);
	if (READ_ONCE(receiver->upid->pir))
		uintr_wake_event(receiver);
}

/*
 * Is there something to read? Else the next post wakes. For those who are in
 * the queue already:
 *
 *	here				event_take()
 *	1 join the queue		1 PIR = 0
 *	  smp_mb()			  xchg() is a full barrier
 *	2 read PIR			2 is anybody in the queue?
 *
 * It is not possible that both 2 come before the 1 of the other side. So if we
 * sleep, because PIR is 0 or for what another one takes then, we or it has
 * armed after PIR was taken, and the next post wakes us.
 */
static bool event_ready(struct uintr_fd *ufd)
{
	/* set_current_state() is one, too, but poll() has none. */
	smp_mb();
	if (!READ_ONCE(*event_pir(ufd)))
		event_arm(ufd);
	return READ_ONCE(*event_pir(ufd));
}

/* What was posted. Those who wait want to be woken by the next post. */
static u64 event_take(struct uintr_fd *ufd)
{
	u64 posted = xchg(event_pir(ufd), 0);

	/* Pairs with event_ready(). */
	if (waitqueue_active(&ufd->receiver->queue))
		event_arm(ufd);
	return posted;
}

static ssize_t uintr_event_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct file *file = iocb->ki_filp;
	struct uintr_fd *ufd = file->private_data;
	u64 posted;
	int ret;

	if (iov_iter_count(to) < sizeof(posted))
		return -EINVAL;

	while (!(posted = event_take(ufd))) {
		if ((file->f_flags & O_NONBLOCK) ||
		    (iocb->ki_flags & IOCB_NOWAIT))
			return -EAGAIN;
		ret = wait_event_interruptible(ufd->receiver->queue,
					       event_ready(ufd));
		if (ret)
			return ret;
	}

	if (copy_to_iter(&posted, sizeof(posted), to) != sizeof(posted))
		return -EFAULT;
	return sizeof(posted);
}

static __poll_t uintr_event_poll(struct file *file, poll_table *wait)
{
	struct uintr_fd *ufd = file->private_data;

	poll_wait(file, &ufd->receiver->queue, wait);
	return event_ready(ufd) ? EPOLLIN | EPOLLRDNORM : 0;
}

static void event_free(struct uintr_fd *ufd)
{
	uintr_receiver_kill(ufd->receiver);
	uintr_fd_destroy(ufd);
	kfree(ufd);
}

/* First nobody posts any more, then the UPID can go. */
static int uintr_event_release(struct inode *inode, struct file *file)
{
	struct uintr_fd *ufd = file->private_data;

	uintr_disconnect(ufd);
	event_free(ufd);
	return 0;
}

#ifdef CONFIG_PROC_FS
static void uintr_event_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct uintr_fd *ufd = file->private_data;

	seq_printf(m, "user_vector:%u\n", ufd->vector);
	seq_printf(m, "uintr_pending:%llx\n", READ_ONCE(*event_pir(ufd)));
}
#endif

const struct file_operations uintr_event_fops = {
#ifdef CONFIG_PROC_FS
	.show_fdinfo	= uintr_event_show_fdinfo,
#endif
	.release	= uintr_event_release,
	.unlocked_ioctl	= uintr_fd_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.read_iter	= uintr_event_read,
	.poll		= uintr_event_poll,
	.llseek		= noop_llseek,
};

/**
 * uintr_event_create - make an event fd
 * @vector:	0..63, the bit that its readers find
 * @flags:	UINTR_FD_NONBLOCK, UINTR_FD_CLOEXEC
 *
 * Return: the fd, -ENOMEM, -EAGAIN, or what the file system layer has to say
 */
int uintr_event_create(unsigned int vector, unsigned int flags)
{
	struct uintr_receiver *receiver;
	struct uintr_fd *ufd;
	int fd;

	BUILD_BUG_ON(UINTR_FD_NONBLOCK != O_NONBLOCK);
	BUILD_BUG_ON(UINTR_FD_CLOEXEC != O_CLOEXEC);

	ufd = kzalloc(sizeof(*ufd), GFP_KERNEL_ACCOUNT);
	if (!ufd)
		return -ENOMEM;
	receiver = uintr_receiver_alloc();
	if (IS_ERR(receiver)) {
		kfree(ufd);
		return PTR_ERR(receiver);
	}
	receiver->event = true;
	uintr_fd_init(ufd, receiver, vector);

	fd = anon_inode_getfd("[uintrevent]", &uintr_event_fops, ufd,
			      O_RDONLY | (flags & (O_NONBLOCK | O_CLOEXEC)));
	if (fd < 0)
		event_free(ufd);

	return fd;
}
