/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
#ifndef _UAPI_ASM_X86_UINTR_H
#define _UAPI_ASM_X86_UINTR_H

/*
 * User interrupts. The system calls have no wrapper in libc; their numbers
 * are in <asm/unistd.h>, and compilers declare the instructions and the
 * frame that a handler gets in <x86gprintrin.h> (option -muintr).
 */

#include <linux/ioctl.h>

/* Vectors of one receiving thread: 0..63, and 63 is delivered first. */
#define UINTR_NR_VECTORS	64

/* Connections a process can have, that is 1 + the highest uipi_index. */
#define UINTR_NR_SENDERS	256

/* Bytes below the stack pointer that a delivery leaves alone. */
#define UINTR_REDZONE		128

/* The least size that uintr_alt_stack() takes, if it is told the size. */
#define UINTR_MINSTKSZ		1024

/* The longest time that uintr_wait() takes, in microseconds. */
#define UINTR_WAIT_MAX_USEC	1000000000

/* The shortest and the longest period of uintr_tick(), in nanoseconds. */
#define UINTR_TICK_MIN_NSEC	100000
#define UINTR_TICK_MAX_NSEC	1000000000000

/*
 * Flags of uintr_register_handler(): a user interrupt that finds UIF set ends
 * every blocking system call that a signal would end. It does not matter which
 * of the two is given; they say who pays for it on other kernels. Calls that
 * SA_RESTART restarts are restarted with RESTART, the others fail with EINTR.
 *
 * With MASKED in addition to one of the two, a call also ends, with EINTR, if
 * UIF is clear. The user interrupt stays pending, and the next call that would
 * block ends as well, until STUI lets the handler run.
 */
#define UINTR_HANDLER_FLAG_WAITING_NONE		0x0000
#define UINTR_HANDLER_FLAG_WAITING_RECEIVER	0x1000
#define UINTR_HANDLER_FLAG_WAITING_SENDER	0x2000
#define UINTR_HANDLER_FLAG_WAITING_ANY		0x3000
#define UINTR_HANDLER_FLAG_RESTART		0x4000
#define UINTR_HANDLER_FLAG_WAITING_MASKED	0x80000000

/*
 * Flags of uintr_create_fd(). With EVENT there is no handler, the fd itself
 * becomes readable: a read returns a __u64 with the bit of the vector set.
 * NONBLOCK and CLOEXEC go with it, and are O_NONBLOCK and O_CLOEXEC. Without
 * EVENT a vector has one fd, and more with SHARED.
 * Our own flags are high bits, since programs expect errors for the low ones.
 */
#define UINTR_FD_NONBLOCK	0x00000800
#define UINTR_FD_CLOEXEC	0x00080000
#define UINTR_FD_EVENT		0x01000000
#define UINTR_FD_SHARED		0x02000000

/*
 * Flags of uintr_unregister_sender(): what its first argument is. Without one
 * of them it is an index, if that is in use, and else an fd.
 */
#define UINTR_UNREGISTER_INDEX	0x10000
#define UINTR_UNREGISTER_FD	0x20000

/* Of the fd that uintr_ipi_fd() returns: use its table in this process. */
#define UIPI_SET_TARGET_TABLE	_IO('u', 0)

/* Of a uintr fd: nobody sends through it any more. */
#define UINTR_FD_REVOKE		_IO('u', 1)

#endif /* _UAPI_ASM_X86_UINTR_H */
