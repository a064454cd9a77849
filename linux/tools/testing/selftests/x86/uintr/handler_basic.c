// SPDX-License-Identifier: GPL-2.0
/* How an interrupt is delivered: vector, frame, stack, flags, registers. */
#include "uintr.h"

/* Each of the 64 vectors arrives as itself, once */
TEST(P2_each_vector)
{
	int i, j;

	setup_all_vectors(count_handler);
	_stui();
	for (i = 0; i < UINTR_NR_VECTORS; i++) {
		_senduipi(indexes[i]);
		WAIT_UNTIL(handled[i]);
		for (j = 0; j < UINTR_NR_VECTORS; j++)
			WANT(handled[j], j <= i);
	}
}

static volatile int depth, max_depth, uif_in_handler = -1;

static UINTR_HANDLER(note_depth, frame, vector)
{
	uif_in_handler = _testui();
	if (++depth > max_depth)
		max_depth = depth;
	if (vector == 1)
		_senduipi(indexes[63]);
	handled[vector]++;
	depth--;
}

/* Handler runs with UIF 0, a higher vector waits for its end */
TEST(no_nesting)
{
	setup_all_vectors(note_depth);
	_stui();
	_senduipi(indexes[1]);
	WAIT_UNTIL(handled[63]);
	WANT(handled[1], 1);
	WANT(max_depth, 1);
	WANT(uif_in_handler, 0);
	WANT(_testui(), 1);
}

/* Up to vector 8, interrupted in turn by the next one */
static UINTR_HANDLER(nesting_handler, frame, vector)
{
	if (++depth > max_depth)
		max_depth = depth;
	if (vector < 8) {
		_senduipi(indexes[vector + 1]);
		_stui();
		while (!handled[vector + 1])
			__builtin_ia32_pause();
		_clui();
	}
	handled[vector]++;
	depth--;
}

/* Handler that executes STUI is interrupted itself, even by a lower vector */
TEST(nesting)
{
	int i;

	setup_all_vectors(nesting_handler);
	_stui();
	_senduipi(indexes[0]);
	WAIT_UNTIL(handled[0]);
	WANT(max_depth, 9);
	WANT(depth, 0);
	for (i = 0; i <= 8; i++)
		WANT(handled[i], 1);
	WANT(_testui(), 1);
	/* Downwards: 63 is higher than what it lets in. */
	_senduipi(indexes[63]);
	_senduipi(indexes[7]);
	WAIT_UNTIL(handled[7] == 2);
	WANT(handled[63], 1);
}

static volatile uint64_t frame_rip, frame_rsp, frame_flags, frame_at;

static UINTR_HANDLER(note_frame, frame, vector)
{
	frame_rip = frame->rip;
	frame_rsp = frame->rsp;
	frame_flags = frame->rflags;
	frame_at = (uintptr_t)frame;
	handled[vector]++;
}

extern char spin_begin[], spin_end[];

/* Frame has RIP, RFLAGS and RSP of the interrupted code, aligned below the red zone */
TEST(frame)
{
	uint64_t rsp;
	int fd;

	WANT(uintr_register_handler(note_frame, 0), 0);
	fd = uintr_create_fd(3, 0);
	WANT(uintr_register_sender(fd, 0), 0);
	_stui();
	asm volatile(".globl spin_begin, spin_end\n"
		     "mov %%rsp, %[rsp]\n\t"
		     ".byte 0xf3, 0x0f, 0xc7, 0xf0\n"
		     "spin_begin:\n\t"
		     "pause\n\t"
		     "cmpq $0, %[flag]\n\t"
		     "stc\n\t"
		     "je spin_begin\n"
		     "spin_end:"
		     : [rsp] "=&r" (rsp)
		     : "a" (0ul), [flag] "m" (handled[3])
		     : "memory", "cc");
	WANT(frame_rip >= (uintptr_t)spin_begin, true);
	WANT(frame_rip <= (uintptr_t)spin_end, true);
	WANT(frame_rsp, rsp);
	/* Interrupts are on, and bit 1 is always set. */
	WANT(frame_flags & 0x202, 0x202);
	/* Vector, RIP, RFLAGS and RSP: 32 bytes from an aligned top. */
	WANT((frame_at + 24) % 16, 0);
	WANT(frame_at + 24 <= rsp - 128, true);
	WANT(frame_at + 24 > rsp - 128 - 16, true);
}

/*
 * Fill the 128 bytes below the stack pointer, be interrupted, compare. The
 * stack must not be used otherwise meanwhile.
 */
static uint64_t fill_red_zone(uint64_t index)
{
	uint64_t wrong = 0;

	asm volatile("mov $-128, %%rcx\n"
		     "1:\n\t"
		     "mov %%rcx, (%%rsp, %%rcx)\n\t"
		     "add $8, %%rcx\n\t"
		     "jne 1b\n\t"
		     ".byte 0xf3, 0x0f, 0xc7, 0xf0\n"
		     "2:\n\t"
		     "pause\n\t"
		     "cmpq $0, %[flag]\n\t"
		     "je 2b\n\t"
		     "mov $-128, %%rcx\n"
		     "3:\n\t"
		     "cmp %%rcx, (%%rsp, %%rcx)\n\t"
		     "je 4f\n\t"
		     "inc %[wrong]\n"
		     "4:\n\t"
		     "add $8, %%rcx\n\t"
		     "jne 3b"
		     : [wrong] "+r" (wrong)
		     : "a" (index), [flag] "m" (handled[3])
		     : "rcx", "memory", "cc");
	return wrong;
}

#define FLAGS	0xcd5	/* OF, DF, SF, ZF, AF, PF, CF */

/*
 * Load the flags, be interrupted, store the flags. Nothing between changes
 * them, and what is pushed stays out of the red zone.
 */
static uint64_t flags_after(uint64_t flags, uint64_t count)
{
	asm volatile("lea -128(%%rsp), %%rsp\n\t"
		     "pushfq\n\t"
		     "or %[flags], (%%rsp)\n\t"
		     "popfq\n\t"
		     ".byte 0xf3, 0x0f, 0xc7, 0xf0\n"
		     "1:\n\t"
		     "pause\n\t"
		     "mov (%[handled]), %%rcx\n\t"
		     "lea (%%rcx, %[minus]), %%rcx\n\t"
		     "jrcxz 2f\n\t"
		     "jmp 1b\n"
		     "2:\n\t"
		     "pushfq\n\t"
		     "pop %[flags]\n\t"
		     "cld\n\t"
		     "lea 128(%%rsp), %%rsp"
		     : [flags] "+r" (flags)
		     : "a" (0ul), [handled] "r" (&handled[3]), [minus] "r" (-count)
		     : "rcx", "memory", "cc");
	return flags & FLAGS;
}

/* The flags are in the frame and come back from there */
TEST(flags)
{
	static const uint64_t flags[] = { 1, 0x40, 0x80, 0x400, 0x800, FLAGS };
	int fd, i;

	WANT(uintr_register_handler(note_frame, 0), 0);
	fd = uintr_create_fd(3, 0);
	WANT(uintr_register_sender(fd, 0), 0);
	_stui();
	for (i = 0; i < (int)ARRAY_SIZE(flags); i++) {
		WANT(flags_after(flags[i], i + 1) & flags[i], flags[i]);
		WANT(frame_flags & flags[i], flags[i]);
		/* Neither single steps nor resumed breakpoints. */
		WANT(frame_flags & 0x10100, 0);
	}
}

/* The 128 bytes below the stack pointer are left alone */
TEST(red_zone)
{
	int fd;

	WANT(self_setup(3, &fd), 0);
	_stui();
	WANT(fill_red_zone(0), 0);
	WANT(handled[3], 1);
}

#define XSAVE_MASK	7	/* x87, SSE, AVX */

static volatile uint64_t signal_count;

static void count_signal(int signal)
{
	signal_count++;
}

/* Signals and user interrupts do not disturb each other */
TEST(with_signals)
{
	int fd, i;

	WANT(self_setup(3, &fd), 0);
	signal(SIGUSR1, count_signal);
	_stui();
	for (i = 1; i <= 500; i++) {
		_senduipi(0);
		raise(SIGUSR1);
		WAIT_UNTIL(handled[3] == (uint64_t)i);
		WANT(signal_count, i);
	}
}

/* Interrupt that came during a system call is delivered after it */
TEST(after_sleep)
{
	int fd;

	WANT(self_setup(3, &fd), 0);
	_senduipi(0);
	_stui();
	/* Either before or right after this call. */
	sched_yield();
	WAIT_UNTIL(handled[3]);
	WANT(handled[3], 1);
}

static void wrong_handler(void)
{
}

static void return_from_handler(void)
{
	int fd, index;

	WANT(uintr_register_handler(wrong_handler, 0), 0);
	fd = uintr_create_fd(3, 0);
	index = uintr_register_sender(fd, 0);
	_stui();
	_senduipi(index);
	/* RET jumps to the vector number. */
	for (;;)
		;
}

/* Handler that returns by RET ends with SIGSEGV */
TEST(no_uiret)
{
	int status = run_in_child(return_from_handler);

	WANT(WIFSIGNALED(status), true);
	WANT(WTERMSIG(status), SIGSEGV);
}

TEST_HARNESS_MAIN
