/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the workloads have in common: options, time, statistics, supervision.
 *
 * A workload's first process only supervises. It forks the processes that do
 * the work and ends with an error if one of them fails, or if no side of the
 * exchange gets on for a while: it then says what each side was waiting for.
 * So nothing hangs, and the sides need neither signals nor time-outs.
 */
#ifndef BENCH_H
#define BENCH_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <x86gprintrin.h>

enum {
	BENCH_OK,
	BENCH_FAILED,
	BENCH_USAGE,
	BENCH_UNSUPPORTED = 77,	/* CPU or kernel without user interrupts */
};

#define __printf(a, b)	__attribute__((__format__(printf, a, b)))
#define ARRAY_SIZE(array)	((int)(sizeof(array) / sizeof((array)[0])))

#define BENCH_MAX_SIDES		8
#define BENCH_MAX_OPTIONS	20

#define load(x)		__atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define store(x, v)	__atomic_store_n(&(x), v, __ATOMIC_RELEASE)

/* One who takes part. It is in memory that all processes share. */
struct bench_side {
	const char *name;
	const char *doing;	/* what it waits for, for the supervisor */
	uint64_t done;		/* grows as long as the side gets on */
	pid_t pid, tid;		/* set by whoever needs them */
};

/* A process of the workload. It has failed unless run() returns. */
struct bench_process {
	const char *name;
	void (*run)(void *arg);
	void *arg;
	pid_t pid;
};

struct bench_stats {
	uint64_t count;
	double sum, min, max, mean, deviation, p50, p99;	/* microseconds */
};

/*
 * An option, -letter or --name; it has one of @number, @flag and @text, which
 * is where its value goes. One without a letter only appears in --help. The
 * last one has no name.
 */
struct bench_option {
	char letter;
	const char *name, *help;
	uint64_t *number, min, max;
	bool *flag;
	const char **text;
};

/*
 * Must be the first call in main(). Parses the options, -w and --help among
 * them, and ends the program if something is wrong with them. Returns the word
 * beside the options that @word names; if that is NULL, there must not be one.
 */
const char *bench_init(int argc, char **argv, const char *summary,
		       const struct bench_option *options, const char *word);

/* End the process with an error; bench_check() adds what errno says. */
_Noreturn __printf(1, 2) void bench_die(const char *format, ...);
_Noreturn __printf(1, 2) void bench_usage(const char *format, ...);
void bench_check(bool ok, const char *what);

/* Ends the program with BENCH_UNSUPPORTED without user interrupts. */
bool bench_has_uintr(void);
void bench_need_uintr(void);

/* Zeroed memory that all processes share. */
void *bench_shared(size_t size);
struct bench_side *bench_side(const char *name);

/*
 * Run the processes to their ends. Between them, tick() is called, if there
 * is one, each so many microseconds.
 */
void bench_run(struct bench_process *processes, int count, void (*tick)(void),
	       unsigned int tick_us);

/* Ticks of the TSC, and in microseconds; a handler may read the time, too. */
static inline uint64_t bench_ticks(void)
{
	return __rdtsc();
}

double bench_us(uint64_t ticks);
void bench_sleep_us(uint64_t us);

/* Sorts the samples, which are in ticks. */
struct bench_stats bench_stats(uint64_t *samples, uint64_t count);

void bench_pin(int cpu);

/*
 * The number of the system call that a thread is blocked in, or -1. This is
 * the kernel's word, and it gives it only of a thread that is off its CPU.
 */
int bench_open_syscall(pid_t pid, pid_t tid);
long bench_blocked_in(int fd);

void bench_send_fd(int socket, int fd);
int bench_receive_fd(int socket);

/*
 * Wait for another thread. It normally answers within a few microseconds; if
 * not, it may need this very CPU.
 */
#define BENCH_SPINS	2000

#define bench_spin_until(condition)					\
	do {								\
		unsigned int spins_ = 0;				\
									\
		while (!(condition)) {					\
			if (++spins_ % BENCH_SPINS == 0)		\
				sched_yield();				\
		}							\
	} while (0)

#endif
