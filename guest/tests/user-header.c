/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What guest/uintr-user.h promises: its handlers abort the restartable sequence
 * that they interrupt, and its calls are those of the manual. And what the
 * compiler makes of aligned variables in a handler.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "uintr-user.h"

static int results, failures;

static void result(long got, long wanted, const char *name)
{
	if (got != wanted)
		printf("# wanted %ld, got %ld\n", wanted, got);
	printf("%sok %d - %s\n", got == wanted ? "" : "not ", ++results, name);
	failures += got != wanted;
}

static volatile int runs;
static volatile uintptr_t variable_at;

static UINTR_HANDLER(handler, frame, vector)
{
	alignas(32) volatile char variable[64];

	(void)frame;
	variable[0] = vector;
	variable_at = (uintptr_t)variable;
	runs++;
}

/*
 * A sequence that sends, and ends when the handler has run. Was it aborted? It
 * is, too, when the thread is preempted before it has sent.
 */
static bool aborted(long index)
{
	struct rseq *rseq = uintr_libc_rseq();
	int result, before = runs;

	__asm__ volatile(".pushsection __rseq_cs, \"aw\"\n\t"
			 ".balign 32\n"
			 "1:\t.long 0, 0\n\t"
			 ".quad 2f, 3f - 2f, 4f\n\t"
			 ".popsection\n\t"
			 ".pushsection __rseq_failure, \"ax\"\n\t"
			 ".long 0x53053053\n"	/* glibc's signature */
			 "4:\tmovl $1, %[result]\n\t"
			 "jmp 3f\n\t"
			 ".popsection\n\t"
			 "lea 1b(%%rip), %%rax\n\t"
			 "mov %%rax, 8(%[rseq])\n"
			 "2:\tsenduipi %[index]\n"
			 "5:\tcmp %[before], %[runs]\n\t"
			 "je 5b\n\t"
			 "movl $0, %[result]\n"
			 "3:\tmovq $0, 8(%[rseq])"
			 : [result] "=&r" (result)
			 : [rseq] "r" (rseq), [index] "r" (index),
			   [before] "r" (before), [runs] "m" (runs)
			 : "rax", "memory", "cc");
	return result;
}

static void handlers(void)
{
	bool was_aborted;
	int index;

	uintr_register_handler(handler, 0);
	index = uintr_register_self(3, 0);
	_stui();
	do {
		was_aborted = aborted(index);
	} while (!runs);
	result(was_aborted, true, "UINTR_HANDLER: aborts the sequence below it");
	result(variable_at % 32, 0, "handler: alignment of 32 bytes");
}

static void calls(void)
{
	static volatile uint32_t word = 1;
	static char stack[8192];
	int fd = uintr_create_fd(3, UINTR_FD_EVENT | UINTR_FD_NONBLOCK |
				 UINTR_FD_CLOEXEC);

	result(fcntl(fd, F_GETFD), FD_CLOEXEC, "event fd: close-on-exec");
	result(ioctl(fd, UINTR_FD_REVOKE), 0, "event fd: revoke");
	result(uintr_wait_value(&word, 0, 0, 0) < 0 ? errno : 0, EAGAIN,
	       "uintr_wait_value: another value");
	result(uintr_alt_stack(stack + sizeof(stack), sizeof(stack), 0), 0,
	       "uintr_alt_stack");
	fd = uintr_ipi_fd(0);
	result(ioctl(fd, UIPI_SET_TARGET_TABLE) ? errno : 0, EBUSY,
	       "uintr_ipi_fd: its own process has a table");
}

int main(void)
{
	handlers();
	calls();
	printf("1..%d\n", results);
	return failures ? 1 : 0;
}
