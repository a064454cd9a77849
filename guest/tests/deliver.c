/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How an interrupt is delivered: frame, stack, order, registers. */
#include "test.h"

static int indexes[UINTR_VECTORS];

static void setup_all(const void *handler)
{
	int i, fd;

	EXPECT(uintr_register_handler(handler, 0), 0);
	for (i = 0; i < UINTR_VECTORS; i++) {
		fd = uintr_create_fd(i, 0);
		EXPECT(fd >= 0, true);
		indexes[i] = uintr_register_sender(fd, 0);
		EXPECT(indexes[i], i);
	}
}

TEST(each_vector, "each of the 64 vectors arrives as itself, once (P2)")
{
	int i, j;

	setup_all(count_handler);
	_stui();
	for (i = 0; i < UINTR_VECTORS; i++) {
		_senduipi(indexes[i]);
		WAIT_UNTIL(handled[i]);
		for (j = 0; j < UINTR_VECTORS; j++)
			EXPECT(handled[j], j <= i);
	}
}

static int order[UINTR_VECTORS];
static volatile int nr_order;

static UINTR_HANDLER(note_order, frame, vector)
{
	(void)frame;
	order[nr_order++] = vector;
}

TEST(priority, "pending vectors are delivered from 63 down to 0 (P12)")
{
	int i;

	setup_all(note_order);
	for (i = 0; i < UINTR_VECTORS; i++)
		_senduipi(indexes[(i * 29) % UINTR_VECTORS]);
	EXPECT(nr_order, 0);
	_stui();
	WAIT_UNTIL(nr_order == UINTR_VECTORS);
	for (i = 0; i < UINTR_VECTORS; i++)
		EXPECT(order[i], UINTR_VECTORS - 1 - i);
}

TEST(coalesce, "sends of one vector before its delivery are one interrupt")
{
	int fd, i;

	EXPECT(self_setup(40, &fd), 0);
	for (i = 0; i < 10; i++)
		_senduipi(0);
	_stui();
	WAIT_UNTIL(handled[40]);
	sched_yield();
	EXPECT(handled[40], 1);
}

static volatile int depth, max_depth, uif_in_handler = -1;

static UINTR_HANDLER(note_depth, frame, vector)
{
	(void)frame;
	uif_in_handler = _testui();
	if (++depth > max_depth)
		max_depth = depth;
	if (vector == 1)
		_senduipi(indexes[63]);
	handled[vector]++;
	depth--;
}

TEST(no_nesting, "handler runs with UIF 0, a higher vector waits for its end")
{
	setup_all(note_depth);
	_stui();
	_senduipi(indexes[1]);
	WAIT_UNTIL(handled[63]);
	EXPECT(handled[1], 1);
	EXPECT(max_depth, 1);
	EXPECT(uif_in_handler, 0);
	EXPECT(_testui(), 1);
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

TEST(frame, "frame has RIP, RFLAGS and RSP of the interrupted code, aligned below the red zone")
{
	uint64_t rsp;
	int fd;

	EXPECT(uintr_register_handler(note_frame, 0), 0);
	fd = uintr_create_fd(3, 0);
	EXPECT(uintr_register_sender(fd, 0), 0);
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
	EXPECT(frame_rip >= (uintptr_t)spin_begin, true);
	EXPECT(frame_rip <= (uintptr_t)spin_end, true);
	EXPECT(frame_rsp, rsp);
	/* Interrupts are on, and bit 1 is always set. */
	EXPECT(frame_flags & 0x202, 0x202);
	/* Vector, RIP, RFLAGS and RSP: 32 bytes from an aligned top. */
	EXPECT((frame_at + 24) % 16, 0);
	EXPECT(frame_at + 24 <= rsp - 128, true);
	EXPECT(frame_at + 24 > rsp - 128 - 16, true);
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

TEST(red_zone, "the 128 bytes below the stack pointer are left alone")
{
	int fd;

	EXPECT(self_setup(3, &fd), 0);
	_stui();
	EXPECT(fill_red_zone(0), 0);
	EXPECT(handled[3], 1);
}

#define XSAVE_MASK	7	/* x87, SSE, AVX */

static uint8_t xsave_area[4096] __attribute__((aligned(64)));

/* Needs all of its registers, so it saves those that the compiler does not. */
static UINTR_HANDLER(xsavec_handler, frame, vector)
{
	(void)frame;
	asm volatile("xsavec64 %0" : "=m" (xsave_area)
		     : "a" (XSAVE_MASK), "d" (0) : "memory");
	asm volatile("vpcmpeqd %ymm0, %ymm0, %ymm0\n\t"
		     "vmovdqa %ymm0, %ymm7\n\t"
		     "vmovdqa %ymm0, %ymm15");
	asm volatile("xrstor64 %0" : : "m" (xsave_area),
		     "a" (XSAVE_MASK), "d" (0) : "memory");
	handled[vector]++;
}

static bool have_xsavec(void)
{
	unsigned a = 13, b, c = 1, d;

	asm volatile("cpuid" : "+a" (a), "=b" (b), "+c" (c), "=d" (d));
	return a & 2;
}

TEST(xsavec, "handler that saves by XSAVEC leaves the AVX registers as they were")
{
	static uint64_t in[3][4], out[3][4];
	int fd, i, round;

	EXPECT(have_xsavec(), true);
	EXPECT(uintr_register_handler(xsavec_handler, 0), 0);
	fd = uintr_create_fd(3, 0);
	EXPECT(uintr_register_sender(fd, 0), 0);
	_stui();
	for (round = 1; round <= 100; round++) {
		for (i = 0; i < 12; i++)
			in[i / 4][i % 4] = round * 0x0101010101010101ull + i;
		asm volatile("vmovdqu (%[in]), %%ymm0\n\t"
			     "vmovdqu 32(%[in]), %%ymm7\n\t"
			     "vmovdqu 64(%[in]), %%ymm15\n\t"
			     ".byte 0xf3, 0x0f, 0xc7, 0xf0\n"
			     "1:\n\t"
			     "pause\n\t"
			     "cmpq %[round], %[flag]\n\t"
			     "jne 1b\n\t"
			     "vmovdqu %%ymm0, (%[out])\n\t"
			     "vmovdqu %%ymm7, 32(%[out])\n\t"
			     "vmovdqu %%ymm15, 64(%[out])\n\t"
			     "vzeroupper"
			     : : [in] "r" (in), [out] "r" (out), "a" (0ul),
			       [round] "r" ((uint64_t)round),
			       [flag] "m" (handled[3])
			     : "memory", "cc");
		EXPECT(memcmp(in, out, sizeof(in)), 0);
	}
}

static volatile uint64_t signal_count;

static void count_signal(int signal)
{
	(void)signal;
	signal_count++;
}

TEST(with_signals, "signals and user interrupts do not disturb each other")
{
	int fd, i;

	EXPECT(self_setup(3, &fd), 0);
	signal(SIGUSR1, count_signal);
	_stui();
	for (i = 1; i <= 500; i++) {
		_senduipi(0);
		raise(SIGUSR1);
		WAIT_UNTIL(handled[3] == (uint64_t)i);
		EXPECT(signal_count, i);
	}
}

TEST(after_sleep, "interrupt that came during a system call is delivered after it")
{
	int fd;

	EXPECT(self_setup(3, &fd), 0);
	_senduipi(0);
	_stui();
	/* Either before or right after this call. */
	sched_yield();
	WAIT_UNTIL(handled[3]);
	EXPECT(handled[3], 1);
}
