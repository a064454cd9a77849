/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * User interrupts from user space: the system calls, which libc does not
 * have, and the instructions from the compiler (option -muintr).
 */
#ifndef UINTR_USER_H
#define UINTR_USER_H

#include <stdint.h>
#include <unistd.h>
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
#ifndef __NR_uintr_bind
#define __NR_uintr_bind			481
#endif

#define UINTR_VECTORS		64
#define UINTR_MAX_SENDERS	256

/* Flags of uintr_register_handler() */
#ifndef UINTR_HANDLER_FLAG_WAITING_RECEIVER
#define UINTR_HANDLER_FLAG_WAITING_RECEIVER	0x1000
#define UINTR_HANDLER_FLAG_WAITING_SENDER	0x2000
#define UINTR_HANDLER_FLAG_RESTART		0x4000
#endif
#ifndef UINTR_HANDLER_FLAG_WAITING_MASKED
#define UINTR_HANDLER_FLAG_WAITING_MASKED	0x80000000
#endif

#ifndef UINTR_FD_EVENT
#define UINTR_FD_EVENT		0x1	/* flag of uintr_create_fd() */
#endif

/*
 * A handler. The compiler saves the general registers it uses and ends it
 * with UIRET; it must not use any other registers.
 */
#define UINTR_HANDLER(name, frame, vector)				\
	void __attribute__((interrupt, target("general-regs-only")))	\
	name(struct __uintr_frame *frame, unsigned long long vector)

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

/* The fd that was registered, or the index that registering returned. */
static inline long uintr_unregister_sender(int fd, unsigned flags)
{
	return syscall(__NR_uintr_unregister_sender, fd, flags);
}

/* Always fails, with EINTR, unless it ends by a limit that is not 0. */
static inline int uintr_wait(uint64_t usec, unsigned flags)
{
	return syscall(__NR_uintr_wait, usec, flags);
}

/* Post the vector of uintr_fd whenever fd wakes its pollers with the events. */
static inline int uintr_bind(int uintr_fd, int fd, unsigned events,
			     unsigned flags)
{
	return syscall(__NR_uintr_bind, uintr_fd, fd, events, flags);
}

#endif
