/* SPDX-License-Identifier: GPL-2.0 */
/* How much memory the kernel uses, to see leaks. */
#ifndef SELFTEST_UINTR_MEMORY_H
#define SELFTEST_UINTR_MEMORY_H

#include <linux/membarrier.h>

#include "uintr.h"

/* Memory for kernel objects, and mapped by the kernel for others, in kB */
static inline long kernel_memory(void)
{
	char line[128];
	long sum = 0, n;
	FILE *f;

	/* Includes a grace period, after which what was freed is free. */
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	f = fopen("/proc/meminfo", "r");
	WANT(f != NULL, true);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "SUnreclaim: %ld", &n) == 1 ||
		    sscanf(line, "VmallocUsed: %ld", &n) == 1)
			sum += n;
	}
	fclose(f);
	return sum;
}

/* Objects of our own, in whole slabs; -1 if the kernel does not tell */
static inline long uintr_objects(void)
{
	FILE *f = fopen("/proc/slabinfo", "r");
	long sum = -1, n;
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "uintr%*s %ld", &n) == 1)
			sum = (sum < 0 ? 0 : sum) + n;
	}
	if (f)
		fclose(f);
	return sum;
}

/*
 * What @function does @rounds times must not cost more than @limit kB. It is
 * done some times before, on each CPU, because caches have to fill.
 */
static inline void want_no_leak(void (*function)(void), long rounds, long limit)
{
	long i, before, objects, after;
	cpu_set_t set;

	WANT(sched_getaffinity(0, sizeof(set), &set), 0);
	for (i = 0; i < rounds / 4 || i < nr_cpus(); i++) {
		pin_to(i % nr_cpus());
		function();
		alive();
	}
	WANT(sched_setaffinity(0, sizeof(set), &set), 0);
	before = kernel_memory();
	objects = uintr_objects();
	for (i = 0; i < rounds; i++) {
		function();
		alive();
	}
	after = kernel_memory();
	ksft_print_msg("%ld rounds, memory %ld kB, then %ld kB; objects %ld, then %ld\n",
		       rounds, before, after, objects, uintr_objects());
	/* KASAN keeps what is freed for a while; there kmemleak has to look. */
	if (getenv("UINTR_QUARANTINE"))
		return;
	/* What a worker frees comes late, a leak never. */
	WAIT_UNTIL(kernel_memory() - before <= limit);
	/* A CPU may have begun one more slab; half the rounds would be a leak. */
	WANT(uintr_objects() <= objects + rounds / 2, true);
}

#endif
