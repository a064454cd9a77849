// SPDX-License-Identifier: GPL-2.0
/* User interrupts leave the vector registers and other state alone. */
#include "uintr.h"

#define XSAVE_MASK	7	/* x87, SSE, AVX */

static uint8_t xsave_area[4096] __attribute__((aligned(64)));

/* Needs all of its registers, so it saves those that the compiler does not. */
static UINTR_HANDLER(xsavec_handler, frame, vector)
{
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

/* Not every CPU model has AVX, and the rest of this needs it. */
static bool have_avx(void)
{
	return __builtin_cpu_supports("avx");
}

/* Handler that saves by XSAVEC leaves the AVX registers as they were */
TEST(xsavec)
{
	static uint64_t in[3][4], out[3][4];
	int fd, i, round;

	if (!have_avx())
		SKIP(return, "no AVX");
	WANT(have_xsavec(), true);
	WANT(uintr_register_handler(xsavec_handler, 0), 0);
	fd = uintr_create_fd(3, 0);
	WANT(uintr_register_sender(fd, 0), 0);
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
		WANT(memcmp(in, out, sizeof(in)), 0);
	}
}

/*
 * Load all AVX registers, move, send to oneself, wait for the handler to have
 * run @count times, store the registers.
 */
static void move_and_send(const void *in, void *out, const cpu_set_t *set,
			  uint64_t count)
{
	long ret = __NR_sched_setaffinity;

	asm volatile(".irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\t"
		     "vmovdqu 32*\\r(%[in]), %%ymm\\r\n\t"
		     ".endr\n\t"
		     "syscall\n\t"
		     "xor %%eax, %%eax\n\t"
		     ".byte 0xf3, 0x0f, 0xc7, 0xf0\n"
		     "1:\n\t"
		     "pause\n\t"
		     "cmpq %[count], %[flag]\n\t"
		     "jne 1b\n\t"
		     ".irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\t"
		     "vmovdqu %%ymm\\r, 32*\\r(%[out])\n\t"
		     ".endr\n\t"
		     "vzeroupper"
		     : "+a" (ret)
		     : [in] "r" (in), [out] "r" (out), [count] "r" (count),
		       [flag] "m" (handled[3]),
		       "D" (0L), "S" (sizeof(*set)), "d" (set)
		     : "rcx", "r11", "memory", "cc");
}

/* AVX registers of a receiver survive its moves */
TEST(avx_moves)
{
	static uint64_t in[64], out[64];
	cpu_set_t set;
	int fd, i, k;

	if (!have_avx())
		SKIP(return, "no AVX");
	WANT(self_setup(3, &fd), 0);
	_stui();
	for (i = 1; i <= 400; i++) {
		for (k = 0; k < 64; k++)
			in[k] = (uint64_t)i << 32 | k;
		CPU_ZERO(&set);
		CPU_SET(i % nr_cpus(), &set);
		move_and_send(in, out, &set, i);
		WANT(memcmp(in, out, sizeof(in)), 0);
	}
}

/*
 * Load all AVX registers, wait until the handler has run @count times, store
 * them. Signals may come meanwhile, too.
 */
static void wait_with_registers(const void *in, void *out, uint64_t count)
{
	asm volatile(".irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\t"
		     "vmovdqu 32*\\r(%[in]), %%ymm\\r\n\t"
		     ".endr\n"
		     "1:\n\t"
		     "pause\n\t"
		     "cmpq %[count], %[flag]\n\t"
		     "jb 1b\n\t"
		     ".irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\t"
		     "vmovdqu %%ymm\\r, 32*\\r(%[out])\n\t"
		     ".endr\n\t"
		     "vzeroupper"
		     : : [in] "r" (in), [out] "r" (out), [count] "r" (count),
		       [flag] "m" (handled[3]) : "memory", "cc");
}

static volatile bool stop;
static volatile int mix_fd = -1;
static volatile uint64_t nr_signals, nr_answered;
static pthread_t receiver;

static void spoil_registers(int signal)
{
	asm volatile("vpcmpeqd %ymm1, %ymm1, %ymm1\n\t"
		     "vmovdqa %ymm1, %ymm0\n\t"
		     "vmovdqa %ymm1, %ymm14");
	nr_signals++;
}

static void *post_steadily(void *arg)
{
	int index = WANT_OK(uintr_register_sender(mix_fd, 0));

	while (!load(stop)) {
		_senduipi(index);
		sched_yield();
	}
	return NULL;
}

static void *signal_steadily(void *arg)
{
	while (!load(stop)) {
		uint64_t before = nr_signals;

		WANT(pthread_kill(receiver, SIGUSR1), 0);
		WAIT_UNTIL(load(stop) || load(nr_signals) != before);
	}
	return NULL;
}

static void child_of_mix(void)
{
	WANT(_testui(), 0);
}

/* AVX registers survive user interrupts, signals and forks all at once */
TEST(avx_signals_fork)
{
	static uint64_t in[64], out[64];
	long i, rounds = nr_rounds(300, 10000);
	pthread_t poster, signaller;
	int k;

	if (!have_avx())
		SKIP(return, "no AVX");
	receiver = pthread_self();
	signal(SIGUSR1, spoil_registers);
	WANT(uintr_register_handler(xsavec_handler, 0), 0);
	mix_fd = WANT_OK(uintr_create_fd(3, 0));
	_stui();
	poster = start(post_steadily, NULL);
	signaller = start(signal_steadily, NULL);
	for (i = 1; i <= rounds; i++) {
		for (k = 0; k < 64; k++)
			in[k] = (uint64_t)i << 32 | k;
		wait_with_registers(in, out, handled[3] + 3);
		WANT(memcmp(in, out, sizeof(in)), 0);
		WANT(_testui(), 1);
		if (i % 16 == 0)
			WANT(run_in_child(child_of_mix), 0);
		alive();
	}
	WAIT_UNTIL(nr_signals);
	store(stop, true);
	pthread_join(poster, NULL);
	pthread_join(signaller, NULL);
}

TEST_HARNESS_MAIN
