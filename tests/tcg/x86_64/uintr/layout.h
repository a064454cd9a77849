/*
 * Constants shared by the assembler and the C part of the runtime
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef UINTR_LAYOUT_H
#define UINTR_LAYOUT_H

#define MAX_CPUS        64
#define STACK_SIZE      16384
#define AP_START        0x8000          /* SIPI vector 8 */

/*
 * Address space:
 *   0    .. 1 GiB   identity map, supervisor only
 *   1    .. 2 GiB   the same physical memory again, user accessible; any
 *                   position-independent function can so run at any CPL
 *   2    .. 3 GiB   test window: 4 KiB pages, empty until a test maps some
 *   3    .. 4 GiB   identity map of the devices, supervisor, uncached
 */
#define USER_BASE       0x40000000
#define WINDOW          0x80000000
#define WINDOW_PAGES    1024

#define SEL_CODE32      0x08
#define SEL_CODE64      0x10
#define SEL_DATA        0x18
#define SEL_UCODE32     0x23
#define SEL_UDATA       0x2b
#define SEL_UCODE64     0x33
#define SEL_UDATA2      0x3b            /* where SYSEXIT expects the stack */
#define SEL_CODE64_R1   0x41
#define SEL_DATA_R1     0x49
#define SEL_CODE64_R2   0x52
#define SEL_DATA_R2     0x5a
#define SEL_TSS         0x60

/* Software interrupts by which a snippet ends; see snippets.h */
#define VEC_DONE        0x20
#define VEC_HANDLER     0x21

/* Starts a job on another CPU; above whatever a test left in service there */
#define VEC_WAKE        0xfe

/* Offsets in struct cpu */
#define CPU_SELF        0

#endif
