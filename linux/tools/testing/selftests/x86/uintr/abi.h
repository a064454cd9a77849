/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The user API of user interrupts, so that the tests build with any headers.
 * The instructions are the compiler's (option -muintr).
 */
#ifndef SELFTEST_UINTR_ABI_H
#define SELFTEST_UINTR_ABI_H

#include <stdint.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <x86gprintrin.h>

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
#endif
#ifndef __NR_uintr_alt_stack
#define __NR_uintr_alt_stack		478
#endif
#ifndef __NR_uintr_ipi_fd
#define __NR_uintr_ipi_fd		479
#endif
#ifndef __NR_uintr_wait_value
#define __NR_uintr_wait_value		480
#endif
#ifndef __NR_uintr_bind
#define __NR_uintr_bind			481
#endif
#ifndef __NR_uintr_tick
#define __NR_uintr_tick			482
#endif

#ifndef UINTR_NR_VECTORS
#define UINTR_NR_VECTORS	64
#endif
#ifndef UINTR_NR_SENDERS
#define UINTR_NR_SENDERS	256
#endif
#ifndef UINTR_REDZONE
#define UINTR_REDZONE		128
#endif
#ifndef UINTR_MINSTKSZ
#define UINTR_MINSTKSZ		1024
#endif
#ifndef UINTR_WAIT_MAX_USEC
#define UINTR_WAIT_MAX_USEC	1000000000
#endif
#ifndef UINTR_TICK_MIN_NSEC
#define UINTR_TICK_MIN_NSEC	100000
#define UINTR_TICK_MAX_NSEC	1000000000000
#endif
#ifndef UINTR_HANDLER_FLAG_WAITING_RECEIVER
#define UINTR_HANDLER_FLAG_WAITING_RECEIVER	0x1000
#define UINTR_HANDLER_FLAG_WAITING_SENDER	0x2000
#endif
#ifndef UINTR_HANDLER_FLAG_RESTART
#define UINTR_HANDLER_FLAG_RESTART		0x4000
#endif
#ifndef UINTR_HANDLER_FLAG_WAITING_MASKED
#define UINTR_HANDLER_FLAG_WAITING_MASKED	0x80000000
#endif
#ifndef UINTR_FD_EVENT
#define UINTR_FD_NONBLOCK	0x00000800
#define UINTR_FD_CLOEXEC	0x00080000
#define UINTR_FD_EVENT		0x01000000
#define UINTR_FD_SHARED		0x02000000
#define UINTR_FD_REVOKE		_IO('u', 1)
#endif
#ifndef UINTR_UNREGISTER_FD
#define UINTR_UNREGISTER_INDEX	0x10000
#define UINTR_UNREGISTER_FD	0x20000
#endif
#ifndef UIPI_SET_TARGET_TABLE
#define UIPI_SET_TARGET_TABLE	_IO('u', 0)
#endif
#ifndef IORING_REGISTER_UINTR
#define IORING_REGISTER_UINTR	31
#define IORING_UNREGISTER_UINTR	32
#endif

#define WAITING	UINTR_HANDLER_FLAG_WAITING_RECEIVER
#define RESTART	(WAITING | UINTR_HANDLER_FLAG_RESTART)
#define MASKED	(WAITING | UINTR_HANDLER_FLAG_WAITING_MASKED)

/*
 * A handler. The compiler saves the general registers it uses and ends it
 * with UIRET; it must not use any other registers.
 */
#define UINTR_HANDLER(name, frame, vector)				\
	void __attribute__((interrupt))					\
	name(struct __uintr_frame *frame, unsigned long long vector)

static inline long uintr_register_handler(const void *handler, unsigned int flags)
{
	return syscall(__NR_uintr_register_handler, handler, flags);
}

static inline long uintr_unregister_handler(unsigned int flags)
{
	return syscall(__NR_uintr_unregister_handler, flags);
}

static inline int uintr_create_fd(uint64_t vector, unsigned int flags)
{
	return syscall(__NR_uintr_create_fd, vector, flags);
}

static inline int uintr_register_sender(int fd, unsigned int flags)
{
	return syscall(__NR_uintr_register_sender, fd, flags);
}

/* The index that registering returned, or the fd; the flags say which. */
static inline long uintr_unregister_sender(int fd, unsigned int flags)
{
	return syscall(__NR_uintr_unregister_sender, fd, flags);
}

static inline long uintr_wait(uint64_t usec, unsigned int flags)
{
	return syscall(__NR_uintr_wait, usec, flags);
}

static inline int uintr_register_self(uint64_t vector, unsigned int flags)
{
	return syscall(__NR_uintr_register_self, vector, flags);
}

static inline long uintr_alt_stack(void *sp, size_t size, unsigned int flags)
{
	return syscall(__NR_uintr_alt_stack, sp, size, flags);
}

static inline int uintr_ipi_fd(unsigned int flags)
{
	return syscall(__NR_uintr_ipi_fd, flags);
}

static inline long uintr_wait_value(const volatile uint32_t *word, uint32_t value,
				    uint64_t usec, unsigned int flags)
{
	return syscall(__NR_uintr_wait_value, word, value, usec, flags);
}

static inline long uintr_bind(int uintr_fd, int fd, unsigned int events,
			      unsigned int flags)
{
	return syscall(__NR_uintr_bind, uintr_fd, fd, events, flags);
}

static inline long uintr_tick(uint64_t vector, uint64_t period, unsigned int flags)
{
	return syscall(__NR_uintr_tick, vector, period, flags);
}

#endif
