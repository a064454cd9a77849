/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A tick takes the CPU from one thread of the program and gives it to the next. */
#include <cpuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "uintr-user.h"

#define THREADS		3
#define STACK_SIZE	65536
#define PERIOD		1000000		/* ns */
#define PREEMPTIONS	20		/* of each thread, at least */
#define STEPS		10000

/* A thread of ours. The kernel knows one, in which they all run. */
static struct thread {
	void *sp;			/* while it does not run */
	unsigned char *xsave;		/* its other registers, the same */
	volatile int preempted;
	int done;
	double x[4];
	long rounds;
} threads[THREADS + 1], *current = &threads[THREADS];	/* the last is main() */

/*
 * Save what the ABI promises to the caller of a function, go to the stack of
 * another thread, and return there. It was in this function, too, if it is not
 * a new one.
 */
void switch_stack(void **from, void *to);
asm(".pushsection .text\n"
	".type switch_stack, @function\n"
	"switch_stack:\n"
	"	push %rbx\n"
	"	push %rbp\n"
	"	push %r12\n"
	"	push %r13\n"
	"	push %r14\n"
	"	push %r15\n"
	"	mov %rsp, (%rdi)\n"
	"	mov %rsi, %rsp\n"
	"	pop %r15\n"
	"	pop %r14\n"
	"	pop %r13\n"
	"	pop %r12\n"
	"	pop %rbp\n"
	"	pop %rbx\n"
	"	ret\n"
	".size switch_stack, . - switch_stack\n"
	".popsection");

#define NO_VECTORS	__attribute__((target("general-regs-only")))

/* All ones: whatever the kernel has enabled, whatever comes after AVX-512. */
static inline NO_VECTORS void xsavec(void *area)
{
	asm volatile("xsavec64 (%0)" : : "r"(area), "a"(-1), "d"(-1) : "memory");
}

static inline NO_VECTORS void xrstor(const void *area)
{
	asm volatile("xrstor64 (%0)" : : "r"(area), "a"(-1), "d"(-1) : "memory");
}

/*
 * Let the next thread run, and return when it is the turn of this one again.
 *
 * UIF must be 0, so that a tick cannot come in the middle. It belongs to the
 * kernel's thread, not to one of ours: each sets it when it is through here,
 * by UIRET or by STUI.
 *
 * The vector registers, MXCSR and the x87 registers are those of the code that
 * was interrupted until XSAVEC has saved them. So nothing before that may use
 * them, which compilers do at any place if they are not told. A thread that
 * comes here by itself needs this as well: MXCSR and the x87 control word
 * survive a function call.
 */
static __attribute__((target("general-regs-only"), no_caller_saved_registers))
void schedule(void)
{
	struct thread *prev = current, *next = prev;

	do {
		next = next == &threads[THREADS] ? threads : next + 1;
	} while (next->done);

	current = next;
	xsavec(prev->xsave);
	switch_stack(&prev->sp, next->sp);
	/* Others have run, and prev is current again. */
	xrstor(prev->xsave);
}

/*
 * The CPU has pushed RSP, RFLAGS and RIP on the stack of the thread, below its
 * red zone of 128 bytes. With a stack of the handler's own, uintr_alt_stack(),
 * the next tick would overwrite the frames of threads that wait here.
 *
 * The compiler saves the general registers that a handler uses, and clears DF.
 * What schedule() uses it saves itself, because of its attribute, and what it
 * does not use is saved by switch_stack(). Each restores it from the stack that
 * the CPU is on by then, and at the end UIRET pops RIP, RFLAGS and RSP. It sets
 * UIF, which newer CPUs take from bit 1 of the RFLAGS on the stack. That bit is
 * always 1 in RFLAGS, but who builds such a frame by hand must not forget it.
 *
 * With shadow stacks these would have to be switched, too.
 */
static UINTR_HANDLER(tick, frame, vector)
{
	(void)frame;
	(void)vector;
	current->preempted++;
	schedule();
}

/* Floating-point numbers, in vector registers most of the time. */
static inline void steps(double *x, long n)
{
	double __attribute__((vector_size(32))) v;

	memcpy(&v, x, sizeof(v));
	while (n--)
		v = v * (1 - v) * 3.9;	/* Each bit matters in the end. */
	memcpy(x, &v, sizeof(v));
}

static __attribute__((target("avx"))) void steps_avx(double *x, long n)
{
	steps(x, n);
}

static void steps_sse(double *x, long n)
{
	steps(x, n);
}

static void compute(double *x, long n)
{
	if (__builtin_cpu_supports("avx"))
		steps_avx(x, n);
	else
		steps_sse(x, n);
}

static void initial_values(int i, double *x)
{
	int j;

	for (j = 0; j < 4; j++)
		x[j] = 0.1 + 0.2 * j + 0.01 * i;
}

/*
 * Threads begin here, with UIF 0. Nothing but their own code may be in here:
 * libc knows the kernel's thread only. Two of ours that are in malloc() or in
 * printf() at the same time wait for each other, or for nobody, and errno is
 * the same variable for all.
 */
static void thread_start(void)
{
	struct thread *me = current;

	xrstor(me->xsave);
	_stui();
	do {
		compute(me->x, STEPS);
		me->rounds++;
	} while (me->preempted < PREEMPTIONS);
	_clui();
	me->done = 1;
	schedule();
	abort();		/* Nobody comes back. */
}

/*
 * The size of an area is the CPU's business. XSAVEC leaves the second half of
 * the header alone, which must be 0 for XRSTOR. Bit 63 of XCOMP_BV makes XRSTOR
 * load initial values for all that was not saved, MXCSR included; without it
 * MXCSR would be 0 in a new thread, and every rounding an exception.
 */
static void *new_xsave_area(void)
{
	unsigned int eax, ebx = 0, ecx, edx;
	uint64_t xcomp_bv = 1ull << 63;
	unsigned char *area;

	__get_cpuid_count(0xd, 1, &eax, &ebx, &ecx, &edx);
	ebx = (ebx + 63) / 64 * 64;
	area = aligned_alloc(64, ebx);
	if (!area)
		abort();
	memset(area, 0, ebx);
	memcpy(area + 512 + 8, &xcomp_bv, sizeof(xcomp_bv));
	return area;
}

/*
 * A stack as if the thread was in switch_stack(), called by nobody. A signal
 * handler runs on it, too, so it must not be too small.
 */
static void *new_stack(void)
{
	uint64_t *sp = aligned_alloc(16, STACK_SIZE);

	if (!sp)
		abort();
	sp += STACK_SIZE / sizeof(*sp);
	*--sp = 0;			/* where thread_start() would return to */
	*--sp = (uintptr_t)thread_start;
	sp -= 6;			/* the registers; any values will do */
	return sp;
}

/* The same without a tick */
static int right(int i)
{
	double x[4];
	long round;

	initial_values(i, x);
	for (round = 0; round < threads[i].rounds; round++)
		compute(x, STEPS);
	return !memcmp(x, threads[i].x, sizeof(x));
}

int main(void)
{
	int i, wrong = 0;

	if (uintr_register_handler(tick, 0)) {
		perror("uintr_register_handler");
		return 1;
	}
	for (i = 0; i < THREADS; i++) {
		threads[i].sp = new_stack();
		initial_values(i, threads[i].x);
	}
	for (i = 0; i <= THREADS; i++)
		threads[i].xsave = new_xsave_area();

	if (uintr_tick(0, PERIOD, 0)) {
		perror("uintr_tick");
		return 1;
	}
	/* Its turn comes last, and it gives it away at once. UIF is 0 here. */
	while (!threads[0].done || !threads[1].done || !threads[2].done)
		schedule();
	uintr_tick(0, 0, 0);

	for (i = 0; i < THREADS; i++) {
		if (right(i)) {
			printf("thread %d: right\n", i);
		} else {
			printf("thread %d: wrong\n", i);
			wrong = 1;
		}
	}
	return wrong;
}
