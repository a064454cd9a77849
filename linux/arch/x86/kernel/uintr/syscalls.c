// SPDX-License-Identifier: GPL-2.0
/*
 * User interrupts: the system calls, their arguments and errors. The order of
 * the checks is what programs were written for.
 */

#include <linux/file.h>
#include <linux/poll.h>
#include <linux/syscalls.h>
#include <linux/uaccess.h>

#include <asm/cpufeature.h>
#include <asm/processor.h>
#include <asm/uintr.h>

#include "uintr.h"

/* Some say when and how blocking calls end, so they have to end. */
static bool handler_flags_valid(unsigned int flags)
{
	unsigned int how = UINTR_HANDLER_FLAG_RESTART |
			   UINTR_HANDLER_FLAG_WAITING_MASKED;

	if (flags & ~(UINTR_HANDLER_FLAG_WAITING_ANY | how))
		return false;

	return !(flags & how) || (flags & UINTR_HANDLER_FLAG_WAITING_ANY);
}

/**
 * sys_uintr_register_handler - receive user interrupts in this thread
 * @handler:	where they are delivered
 * @flags:	UINTR_HANDLER_FLAG_*
 */
SYSCALL_DEFINE2(uintr_register_handler, u64, handler, unsigned int, flags)
{
	if (!cpu_feature_enabled(X86_FEATURE_UINTR))
		return -EOPNOTSUPP;
	if (!handler_flags_valid(flags))
		return -EINVAL;
	if (!handler || handler >= TASK_SIZE_MAX)
		return -EFAULT;

	return uintr_receiver_register(handler, flags);
}

/**
 * sys_uintr_unregister_handler - receive no more user interrupts
 * @flags:	must be 0
 */
SYSCALL_DEFINE1(uintr_unregister_handler, unsigned int, flags)
{
	if (!cpu_feature_enabled(X86_FEATURE_UINTR))
		return -EOPNOTSUPP;
	if (flags || !uintr_current_receiver())
		return -EINVAL;

	uintr_receiver_unregister();
	return 0;
}

#define EVENT_FLAGS	(UINTR_FD_EVENT | UINTR_FD_NONBLOCK | UINTR_FD_CLOEXEC)

/* How to open is to be said of event fds only, and these need not share. */
static bool fd_flags_valid(unsigned int flags)
{
	if (flags & UINTR_FD_EVENT)
		return !(flags & ~EVENT_FLAGS);
	return !(flags & ~UINTR_FD_SHARED);
}

/**
 * sys_uintr_create_fd - make an fd for a vector
 * @vector:	0..63
 * @flags:	UINTR_FD_EVENT and its flags, or, for a vector of this thread,
 *		UINTR_FD_SHARED or 0
 */
SYSCALL_DEFINE2(uintr_create_fd, u64, vector, unsigned int, flags)
{
	struct uintr_receiver *receiver = uintr_current_receiver();

	if (!cpu_feature_enabled(X86_FEATURE_UINTR))
		return -EOPNOTSUPP;
	if (!fd_flags_valid(flags))
		return -EINVAL;
	if (!(flags & UINTR_FD_EVENT) && !receiver)
		return -EINVAL;
	if (vector >= UINTR_NR_VECTORS)
		return -ENOSPC;

	if (flags & UINTR_FD_EVENT)
		return uintr_event_create(vector, flags);
	return uintr_fd_create(receiver, vector, flags & UINTR_FD_SHARED);
}

/**
 * sys_uintr_register_sender - allow this process to send to a vector
 * @fd:		what uintr_create_fd() returned to the receiver
 * @flags:	must be 0
 */
SYSCALL_DEFINE2(uintr_register_sender, int, fd, unsigned int, flags)
{
	struct uintr_fd *ufd;

	if (!cpu_feature_enabled(X86_FEATURE_UINTR))
		return -EOPNOTSUPP;
	if (flags)
		return -EINVAL;

	CLASS(fd, f)(fd);
	if (!fd_file(f))
		return -EBADF;
	ufd = uintr_fd_from_file(fd_file(f));
	if (!ufd)
		return -EOPNOTSUPP;

	return uintr_sender_register(ufd);
}

#define UNREGISTER_FLAGS	(UINTR_UNREGISTER_INDEX | UINTR_UNREGISTER_FD)

/**
 * sys_uintr_unregister_sender - give a connection up
 * @fd:		its index, or the fd it was made through
 * @flags:	UINTR_UNREGISTER_INDEX or UINTR_UNREGISTER_FD
 *
 * Programs that know no flags pass 0, newer ones of them with the index, older
 * ones with the fd. So an index is an index, and all else is an fd.
 */
SYSCALL_DEFINE2(uintr_unregister_sender, int, fd, unsigned int, flags)
{
	struct uintr_fd *ufd;
	int ret;

	if (!cpu_feature_enabled(X86_FEATURE_UINTR))
		return -EOPNOTSUPP;
	if ((flags & ~UNREGISTER_FLAGS) || flags == UNREGISTER_FLAGS)
		return -EINVAL;

	if (flags != UINTR_UNREGISTER_FD) {
		ret = uintr_sender_unregister(fd);
		if (ret != -EINVAL || flags)
			return ret;
	}

	CLASS(fd, f)(fd);
	if (!fd_file(f))
		return -EBADF;
	ufd = uintr_fd_from_file(fd_file(f));
	if (!ufd)
		return -EOPNOTSUPP;

	return uintr_sender_unregister_fd(ufd);
}

static int wait_check(u64 usec, unsigned int flags)
{
	if (!cpu_feature_enabled(X86_FEATURE_UINTR))
		return -EOPNOTSUPP;
	if (flags || usec > UINTR_WAIT_MAX_USEC)
		return -EINVAL;
	if (!uintr_current_receiver())
		return -EOPNOTSUPP;
	return 0;
}

static long wait_for(u64 usec)
{
	return uintr_block_until(usec ? ktime_add_us(ktime_get(), usec) :
					KTIME_MAX);
}

/**
 * sys_uintr_wait - wait for a user interrupt
 * @usec:	how long at most, 0 for ever
 * @flags:	must be 0, unless @usec is 0
 *
 * The first programs pass only flags, which have to be 0, and whatever is in
 * the second register. So a first argument of 0 is all there is then.
 */
SYSCALL_DEFINE2(uintr_wait, u64, usec, unsigned int, flags)
{
	return wait_check(usec, usec ? flags : 0) ?: wait_for(usec);
}

/**
 * sys_uintr_wait_value - wait for a user interrupt unless one has come
 * @word:	that the handler changes
 * @value:	what the caller has found in it
 * @usec:	how long at most, 0 for ever
 * @flags:	must be 0
 *
 * The handler of this thread does not run in between: it only runs in user
 * mode.
 */
SYSCALL_DEFINE4(uintr_wait_value, u32 __user *, word, u32, value, u64, usec,
		unsigned int, flags)
{
	int ret = wait_check(usec, flags);
	u32 now;

	if (ret)
		return ret;
	if (get_user(now, word))
		return -EFAULT;
	if (now != value)
		return -EAGAIN;

	return wait_for(usec);
}

/**
 * sys_uintr_register_self - send to a vector of this thread
 * @vector:	0..63
 * @flags:	must be 0
 */
SYSCALL_DEFINE2(uintr_register_self, u64, vector, unsigned int, flags)
{
	if (!cpu_feature_enabled(X86_FEATURE_UINTR))
		return -EOPNOTSUPP;
	if (flags || !uintr_current_receiver())
		return -EINVAL;
	if (vector >= UINTR_NR_VECTORS)
		return -ENOSPC;

	return uintr_sender_register_self(vector);
}

/**
 * sys_uintr_alt_stack - let the handler have a stack of its own
 * @sp:		its upper end, or 0 for the stack of the interrupted code
 * @size:	in bytes, 0 if it is not known
 * @flags:	must be 0
 */
SYSCALL_DEFINE3(uintr_alt_stack, u64, sp, size_t, size, unsigned int, flags)
{
	if (!cpu_feature_enabled(X86_FEATURE_UINTR))
		return -EOPNOTSUPP;
	if (flags)
		return -EINVAL;
	if (!uintr_current_receiver())
		return -EOPNOTSUPP;

	return uintr_set_stack(sp, size);
}

/**
 * sys_uintr_ipi_fd - make an fd for the target table of this process
 * @flags:	must be 0
 */
SYSCALL_DEFINE1(uintr_ipi_fd, unsigned int, flags)
{
	if (!cpu_feature_enabled(X86_FEATURE_UINTR))
		return -EOPNOTSUPP;
	if (flags)
		return -EINVAL;

	return uintr_ipi_fd_create();
}

#define BIND_EVENTS	(EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLERR | EPOLLHUP | \
			 EPOLLRDNORM | EPOLLRDBAND | EPOLLWRNORM | \
			 EPOLLWRBAND | EPOLLMSG | EPOLLRDHUP)

/**
 * sys_uintr_bind - let what an fd can be polled for post to a vector
 * @uintr_fd:	stands for the vector
 * @fd:		what can be polled
 * @events:	EPOLL*, 0 to undo it
 * @flags:	must be 0
 */
SYSCALL_DEFINE4(uintr_bind, int, uintr_fd, int, fd, unsigned int, events,
		unsigned int, flags)
{
	struct uintr_fd *ufd;

	if (!cpu_feature_enabled(X86_FEATURE_UINTR))
		return -EOPNOTSUPP;
	if (flags || (events & ~(__force unsigned int)BIND_EVENTS))
		return -EINVAL;

	CLASS(fd, u)(uintr_fd);
	CLASS(fd, f)(fd);
	if (!fd_file(u) || !fd_file(f))
		return -EBADF;
	ufd = uintr_fd_from_file(fd_file(u));
	if (!ufd)
		return -EOPNOTSUPP;
	if (fd_file(u)->f_op == &uintr_event_fops)
		return -EINVAL;

	if (!events)
		return uintr_unbind_file(ufd, fd_file(f));
	return uintr_bind_file(ufd, fd_file(f), (__force __poll_t)events);
}

/**
 * sys_uintr_tick - post to a vector of this thread at regular times
 * @vector:	0..63
 * @period:	in nanoseconds, 0 to stop it
 * @flags:	must be 0
 */
SYSCALL_DEFINE3(uintr_tick, u64, vector, u64, period, unsigned int, flags)
{
	if (!cpu_feature_enabled(X86_FEATURE_UINTR))
		return -EOPNOTSUPP;
	if (flags || !uintr_current_receiver())
		return -EINVAL;
	if (period && (period < UINTR_TICK_MIN_NSEC ||
		       period > UINTR_TICK_MAX_NSEC))
		return -EINVAL;
	if (vector >= UINTR_NR_VECTORS)
		return -ENOSPC;

	uintr_tick_set(vector, period);
	return 0;
}
