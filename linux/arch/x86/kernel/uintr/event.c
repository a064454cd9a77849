// SPDX-License-Identifier: GPL-2.0
/*
 * User interrupts: event fds. Somebody registers as a sender as on any uintr
 * fd, but there is no handler: the fd becomes readable.
 *
 * An event fd has a UPID of its own. Whoever polls or reads it arms the UPID
 * (wait.c); when something is posted it fires, and wakes all who wait for the
 * fd. Then it stays silent until somebody looks again, so senders cannot keep
 * a CPU busy with wake-ups that nobody wants. With edge-triggered epoll the
 * fd is not polled again; there the read arms, so it has to come before the
 * next edge.
 */

#include <linux/anon_inodes.h>
#include <linux/cpumask.h>
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "uintr.h"

/**
 * struct uintr_event - private data of an event fd
 * @fd:		what it shares with other uintr fds; must be the first
 * @waiter:	of the receiver's UPID
 * @queue:	who waits for something to read
 * @work:	wakes them with PREEMPT_RT, where an interrupt must not
 */
struct uintr_event {
	struct uintr_fd		fd;
	struct uintr_waiter	waiter;
	wait_queue_head_t	queue;
	struct irq_work		work;
};

static u64 *event_pir(struct uintr_event *event)
{
	return &event->fd.receiver->upid->pir;
}

static void event_wake(struct uintr_event *event)
{
	wake_up_poll(&event->queue, EPOLLIN | EPOLLRDNORM);
}

static void event_work(struct irq_work *work)
{
	event_wake(container_of(work, struct uintr_event, work));
}

/* In an interrupt, but not with PREEMPT_RT: it takes sleeping locks. */
void uintr_event_wake(struct uintr_waiter *w)
{
	/* Tells lockdep that with PREEMPT_RT a thread does this. */
	lockdep_irq_work_enter(0);
	event_wake(container_of(w, struct uintr_event, waiter));
	lockdep_irq_work_exit(0);
}

/*
 * In an interrupt with PREEMPT_RT, with the lock of a list of waiters held. A
 * thread does the work, which a CPU that goes offline has lost before it takes
 * its last interrupt.
 */
void uintr_event_fire(struct uintr_waiter *w)
{
	struct uintr_event *event = container_of(w, struct uintr_event, waiter);

	if (cpu_active(smp_processor_id()))
		irq_work_queue(&event->work);
	else
		irq_work_queue_on(&event->work, cpumask_any(cpu_active_mask));
}

/*
 * What was posted. Armed after that, so that the next post wakes those who
 * wait for it although somebody else has read.
 */
static u64 event_take(struct uintr_event *event)
{
	u64 posted = xchg(event_pir(event), 0);

	uintr_arm(&event->waiter);
	return posted;
}

static ssize_t uintr_event_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct file *file = iocb->ki_filp;
	struct uintr_event *event = file->private_data;
	u64 posted;
	int ret;

	if (iov_iter_count(to) < sizeof(posted))
		return -EINVAL;

	while (!(posted = event_take(event))) {
		if ((file->f_flags & O_NONBLOCK) ||
		    (iocb->ki_flags & IOCB_NOWAIT))
			return -EAGAIN;
		ret = wait_event_interruptible(event->queue,
					       READ_ONCE(*event_pir(event)));
		if (ret)
			return ret;
	}

	if (copy_to_iter(&posted, sizeof(posted), to) != sizeof(posted))
		return -EFAULT;
	return sizeof(posted);
}

static __poll_t uintr_event_poll(struct file *file, poll_table *wait)
{
	struct uintr_event *event = file->private_data;

	poll_wait(file, &event->queue, wait);
	/* In the queue first: what is posted from now on wakes the queue. */
	if (!READ_ONCE(*event_pir(event)))
		uintr_arm(&event->waiter);
	return READ_ONCE(*event_pir(event)) ? EPOLLIN | EPOLLRDNORM : 0;
}

static void event_free(struct uintr_event *event)
{
	uintr_disarm(&event->waiter);
	irq_work_sync(&event->work);
	uintr_receiver_kill(event->fd.receiver);
	uintr_fd_destroy(&event->fd);
	kfree(event);
}

/* First nobody posts any more, then nobody is woken. */
static int uintr_event_release(struct inode *inode, struct file *file)
{
	struct uintr_event *event = file->private_data;

	uintr_disconnect(&event->fd);
	event_free(event);
	return 0;
}

#ifdef CONFIG_PROC_FS
static void uintr_event_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct uintr_event *event = file->private_data;

	seq_printf(m, "user_vector:%u\n", event->fd.vector);
	seq_printf(m, "uintr_pending:%llx\n", READ_ONCE(*event_pir(event)));
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
 * Return: the fd, -ENOMEM, or what the file system layer has to say
 */
int uintr_event_create(unsigned int vector, unsigned int flags)
{
	struct uintr_receiver *receiver;
	struct uintr_event *event;
	int fd;

	BUILD_BUG_ON(UINTR_FD_NONBLOCK != O_NONBLOCK);
	BUILD_BUG_ON(UINTR_FD_CLOEXEC != O_CLOEXEC);

	event = kzalloc(sizeof(*event), GFP_KERNEL_ACCOUNT);
	if (!event)
		return -ENOMEM;
	receiver = uintr_receiver_alloc();
	if (!receiver) {
		kfree(event);
		return -ENOMEM;
	}
	uintr_fd_init(&event->fd, receiver, vector);
	uintr_waiter_init(&event->waiter, receiver->upid, NULL);
	init_waitqueue_head(&event->queue);
	init_irq_work(&event->work, event_work);

	fd = anon_inode_getfd("[uintrevent]", &uintr_event_fops, event,
			      O_RDONLY | (flags & (O_NONBLOCK | O_CLOEXEC)));
	if (fd < 0)
		event_free(event);

	return fd;
}
