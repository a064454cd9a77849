/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Do the AVX registers of a thread survive its moves from CPU to CPU?
 *
 * Several threads fill all registers with values of their own, let themselves
 * be moved, and compare. Needs no user interrupts and runs on any kernel: with
 * "+uintr" the kernel saves the registers by XSAVES in compacted format.
 * Prints TAP.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS	6
#define REGS	16

struct ymm {
	uint64_t q[4];
};

static uint64_t moves = 3000;
static int cpus[CPU_SETSIZE];
static int nr_cpus;
static uint64_t wrong[THREADS];

/*
 * Load all registers, move to the CPUs in @set, store all registers. It is
 * one block so that the compiler has no chance to use the registers; the
 * kernel has to preserve them in a system call.
 */
static long move_with(const struct ymm *in, struct ymm *out,
		      const cpu_set_t *set)
{
	register long arg3 asm("rdx") = (long)set;
	long ret = 203;				/* sched_setaffinity */

	asm volatile(".irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\t"
		     "vmovdqu 32*\\r(%[in]), %%ymm\\r\n\t"
		     ".endr\n\t"
		     "syscall\n\t"
		     ".irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\t"
		     "vmovdqu %%ymm\\r, 32*\\r(%[out])\n\t"
		     ".endr\n\t"
		     "vzeroupper"
		     : "+a" (ret)
		     : [in] "r" (in), [out] "r" (out), "D" (0L),
		       "S" (sizeof(*set)), "r" (arg3)
		     : "rcx", "r11", "memory", "cc",
		       "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
		       "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
		       "xmm13", "xmm14", "xmm15");
	return ret;
}

static void *run(void *arg)
{
	uint64_t id = (uintptr_t)arg, i;
	struct ymm in[REGS], out[REGS];
	cpu_set_t set;
	int r, k;

	for (i = 0; i < moves / THREADS + 1; i++) {
		for (r = 0; r < REGS; r++) {
			for (k = 0; k < 4; k++)
				in[r].q[k] = (id + 1) << 56 | i << 16 | r << 8 | k;
		}
		CPU_ZERO(&set);
		CPU_SET(cpus[(i + id) % nr_cpus], &set);
		memset(out, 0, sizeof(out));
		if (move_with(in, out, &set) < 0 ||
		    sched_getcpu() != cpus[(i + id) % nr_cpus] ||
		    memcmp(in, out, sizeof(in)))
			wrong[id]++;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread[THREADS];
	cpu_set_t set;
	uintptr_t i;
	int failed = 0;

	if (argc > 1)
		moves = strtoull(argv[1], NULL, 0);
	printf("TAP version 13\n1..%d\n", THREADS);
	sched_getaffinity(0, sizeof(set), &set);
	for (i = 0; i < CPU_SETSIZE; i++) {
		if (CPU_ISSET(i, &set))
			cpus[nr_cpus++] = i;
	}
	if (!__builtin_cpu_supports("avx")) {
		for (i = 0; i < THREADS; i++)
			printf("ok %lu avx-migrate # SKIP this CPU has no AVX\n",
			       (unsigned long)i + 1);
		return 0;
	}

	for (i = 0; i < THREADS; i++) {
		errno = pthread_create(&thread[i], NULL, run, (void *)i);
		if (errno) {
			perror("avx-migrate: pthread_create");
			return 1;
		}
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		printf("%sok %lu avx-migrate: thread %lu keeps its registers in %lu moves",
		       wrong[i] ? "not " : "", (unsigned long)i + 1,
		       (unsigned long)i, (unsigned long)(moves / THREADS + 1));
		if (wrong[i])
			printf(" (wanted 0 differences, got %lu)",
			       (unsigned long)wrong[i]);
		printf("\n");
		failed |= !!wrong[i];
	}
	return failed;
}
