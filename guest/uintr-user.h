/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * User interrupts from user space: the system calls, which libc does not
 * have, and the instructions from the compiler (option -muintr). Each call has
 * a manual page, see uintr(7).
 */
#ifndef UINTR_USER_H
#define UINTR_USER_H

#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <x86gprintrin.h>
#if __has_include("sys/rseq.h")	/* glibc 2.35 */
#include <sys/rseq.h>
#define UINTR_HAVE_RSEQ
#endif

#ifndef __NR_uintr_register_handler
#define __NR_uintr_register_handler	471
#define __NR_uintr_unregister_handler	472
#define __NR_uintr_create_fd		473
#define __NR_uintr_register_sender	474
#define __NR_uintr_unregister_sender	475
#endif
#ifndef __NR_uintr_wait
#define __NR_uintr_wait			476
#endif
#ifndef __NR_uintr_register_self
#define __NR_uintr_register_self	477
#define __NR_uintr_alt_stack		478
#define __NR_uintr_ipi_fd		479
#endif
#ifndef __NR_uintr_wait_value
#define __NR_uintr_wait_value		480
#define __NR_uintr_bind			481
#endif
#ifndef __NR_uintr_tick
#define __NR_uintr_tick			482
#endif

/* What follows is <asm/uintr.h>, for who has no such kernel headers. */
#ifndef UINTR_NR_VECTORS
#define UINTR_NR_VECTORS	64
#define UINTR_NR_SENDERS	256
#define UINTR_REDZONE		128
#define UINTR_MINSTKSZ		1024
#define UINTR_WAIT_MAX_USEC	1000000000
#define UINTR_TICK_MIN_NSEC	100000
#define UINTR_TICK_MAX_NSEC	1000000000000

/* uintr_register_handler() */
#define UINTR_HANDLER_FLAG_WAITING_NONE		0x0000
#define UINTR_HANDLER_FLAG_WAITING_RECEIVER	0x1000
#define UINTR_HANDLER_FLAG_WAITING_SENDER	0x2000
#define UINTR_HANDLER_FLAG_WAITING_ANY		0x3000
#define UINTR_HANDLER_FLAG_RESTART		0x4000
#define UINTR_HANDLER_FLAG_WAITING_MASKED	0x80000000

/* uintr_create_fd() */
#define UINTR_FD_NONBLOCK	0x00000800
#define UINTR_FD_CLOEXEC	0x00080000
#define UINTR_FD_EVENT		0x01000000
#define UINTR_FD_SHARED		0x02000000

/* ioctl() of what uintr_create_fd() and uintr_ipi_fd() return */
#define UINTR_FD_REVOKE		_IO('u', 1)
#define UIPI_SET_TARGET_TABLE	_IO('u', 0)
#endif

#define UINTR_GENERAL_REGS	target("general-regs-only")
#define UINTR_CALLEE							\
	__attribute__((always_inline, no_caller_saved_registers,	\
		       UINTR_GENERAL_REGS))

#ifdef UINTR_HAVE_RSEQ
/* What libc has registered with rseq(2) for this thread, or NULL. */
static inline UINTR_CALLEE struct rseq *uintr_libc_rseq(void)
{
	char *thread;

	__asm__("mov %%fs:0, %0" : "=r" (thread));
	return __rseq_size ? (struct rseq *)(thread + __rseq_offset) : NULL;
}

/*
 * A restartable sequence is aborted when its thread is preempted, moved or
 * gets a signal in it. While a handler runs the kernel cannot see that there
 * is one below it, so the handler aborts it, before anything else. For clang
 * the frame is volatile: it takes what is written there to be of no use.
 */
static inline UINTR_CALLEE void
uintr_abort_rseq(volatile struct __uintr_frame *frame, struct rseq *rseq)
{
	volatile unsigned long long *current;
	const struct rseq_cs *cs;

	if (!rseq)
		return;
	current = (volatile unsigned long long *)&rseq->rseq_cs;
	cs = (const struct rseq_cs *)*current;
	if (cs && frame->rip - cs->start_ip < cs->post_commit_offset) {
		frame->rip = cs->abort_ip;
		*current = 0;
	}
}
#define uintr_abort_libc_rseq(frame)					\
	uintr_abort_rseq(frame, uintr_libc_rseq())
#else
#define uintr_abort_libc_rseq(frame)	((void)(frame))
#endif

#ifndef UINTR_UNREGISTER_FD
/* flags of uintr_unregister_sender(): what its first argument is */
#define UINTR_UNREGISTER_INDEX	0x10000
#define UINTR_UNREGISTER_FD	0x20000
#endif

/*
 * A handler as the compiler makes it: it saves the general registers that it
 * uses and ends with UIRET; it must not use any other registers.
 */
#define UINTR_RAW_HANDLER(name, frame, vector)				\
	void __attribute__((interrupt, UINTR_GENERAL_REGS))		\
	name(struct __uintr_frame *frame, unsigned long long vector)

/* A handler that aborts the restartable sequence that it interrupts. */
#define UINTR_HANDLER(name, frame, vector)				\
	UINTR_RAW_HANDLER(name, frame, vector);				\
	static inline UINTR_CALLEE void					\
	name##_body(struct __uintr_frame *, unsigned long long);	\
	UINTR_RAW_HANDLER(name, frame, vector)				\
	{								\
		uintr_abort_libc_rseq(frame);				\
		name##_body(frame, vector);				\
	}								\
	static inline UINTR_CALLEE void					\
	name##_body(struct __uintr_frame *frame, unsigned long long vector)

static inline long uintr_register_handler(const void *handler, unsigned flags)
{
	return syscall(__NR_uintr_register_handler, handler, flags);
}

static inline long uintr_unregister_handler(unsigned flags)
{
	return syscall(__NR_uintr_unregister_handler, flags);
}

static inline int uintr_create_fd(uint64_t vector, unsigned flags)
{
	return syscall(__NR_uintr_create_fd, vector, flags);
}

static inline int uintr_register_sender(int fd, unsigned flags)
{
	return syscall(__NR_uintr_register_sender, fd, flags);
}

/* The index that registering returned, or the fd; the flags say which. */
static inline long uintr_unregister_sender(int fd, unsigned flags)
{
	return syscall(__NR_uintr_unregister_sender, fd, flags);
}

/* Always fails, with EINTR, unless it ends by a limit that is not 0. */
static inline int uintr_wait(uint64_t usec, unsigned flags)
{
	return syscall(__NR_uintr_wait, usec, flags);
}

/* An index for SENDUIPI to a vector of this thread, without an fd. */
static inline int uintr_register_self(uint64_t vector, unsigned flags)
{
	return syscall(__NR_uintr_register_self, vector, flags);
}

/* sp is the upper end of the stack, not its first byte, and size what is below. */
static inline int uintr_alt_stack(void *sp, size_t size, unsigned flags)
{
	return syscall(__NR_uintr_alt_stack, sp, size, flags);
}

/* An fd for all indexes of this process; see UIPI_SET_TARGET_TABLE. */
static inline int uintr_ipi_fd(unsigned flags)
{
	return syscall(__NR_uintr_ipi_fd, flags);
}

/* The same as uintr_wait(), but fails with EAGAIN if word is not value. */
static inline int uintr_wait_value(const volatile uint32_t *word,
				   uint32_t value, uint64_t usec,
				   unsigned flags)
{
	return syscall(__NR_uintr_wait_value, word, value, usec, flags);
}

/* Post the vector of uintr_fd whenever fd wakes its pollers with the events. */
static inline int uintr_bind(int uintr_fd, int fd, unsigned events,
			     unsigned flags)
{
	return syscall(__NR_uintr_bind, uintr_fd, fd, events, flags);
}

/* Post the vector each period, in ns, while this thread runs; 0: no more. */
static inline long uintr_tick(uint64_t vector, uint64_t period, unsigned flags)
{
	return syscall(__NR_uintr_tick, vector, period, flags);
}

#endif
