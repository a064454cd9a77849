/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
#ifndef _UAPI_ASM_X86_UINTR_H
#define _UAPI_ASM_X86_UINTR_H

/*
 * User interrupts. The system calls have no wrapper in libc; their numbers
 * are in <asm/unistd.h>, and compilers declare the instructions and the
 * frame that a handler gets in <x86gprintrin.h> (option -muintr).
 */

/* Vectors of one receiving thread: 0..63, and 63 is delivered first. */
#define UINTR_NR_VECTORS	64

/* Connections a process can have, that is 1 + the highest uipi_index. */
#define UINTR_NR_SENDERS	256

/* Bytes below the stack pointer that a delivery leaves alone. */
#define UINTR_REDZONE		128

#endif /* _UAPI_ASM_X86_UINTR_H */
