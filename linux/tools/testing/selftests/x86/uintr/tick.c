// SPDX-License-Identifier: GPL-2.0
/*
 * A tick. No time decides here but in one direction: there are never more
 * ticks than periods, however slow the machine is.
 */
#include <time.h>

#include "waiter.h"

#define PERIOD	UINTR_TICK_MIN_NSEC
#define V	5

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/* Let time pass without a system call. */
static void pass(unsigned int periods)
{
	uint64_t end = now() + periods * PERIOD;

	while (now() < end)
		;
}

/* Compute until it has ticked so often. */
static void compute_until(uint64_t ticks)
{
	uint64_t i;

	for (i = 0; i < ticks; i++) {
		while (handled[V] <= i)
			;
		alive();
	}
}

/* There have been some ticks, and not more than can be. */
static void check_count(uint64_t count, uint64_t start, uint64_t period)
{
	uint64_t most = (now() - start) / period;

	WANT(count > 0, true);
	if (count > most)
		ksft_print_msg("wanted at most %lu ticks, got %lu\n", most, count);
	WANT(count <= most, true);
}

/* What the kernel says about the tick of this thread */
static bool tick_status(uint64_t *period, uint64_t *next)
{
	char text[1024], *line;
	unsigned int vector;

	thread_file(getpid(), gettid(), "arch_status", text, sizeof(text));
	line = strstr(text, "uintr_tick:");
	if (!line)
		return false;
	WANT(sscanf(line, "uintr_tick: vector %u period %lu next %lu", &vector,
		    period, next), 3);
	WANT(vector, V);
	return true;
}

/* It ticks in a thread that runs, not more often than asked for */
TEST(running)
{
	uint64_t start;

	WANT(uintr_register_handler(count_handler, 0), 0);
	_stui();
	start = now();
	WANT(uintr_tick(V, PERIOD, 0), 0);
	compute_until(500);
	check_count(handled[V], start, PERIOD);
}

/* The same if it leaves its CPU again and again */
TEST(yielding)
{
	uint64_t start;

	WANT(uintr_register_handler(count_handler, 0), 0);
	_stui();
	start = now();
	WANT(uintr_tick(V, PERIOD, 0), 0);
	while (handled[V] < 200) {
		sched_yield();
		alive();
	}
	check_count(handled[V], start, PERIOD);
}

/* The same if it moves from CPU to CPU */
TEST(moving)
{
	uint64_t start;
	int i;

	WANT(uintr_register_handler(count_handler, 0), 0);
	_stui();
	start = now();
	WANT(uintr_tick(V, PERIOD, 0), 0);
	for (i = 0; i < 200; i++) {
		uint64_t before = handled[V];

		pin_to(i % nr_cpus());
		while (handled[V] == before)
			;
		alive();
	}
	check_count(handled[V], start, PERIOD);
}

/* It does not drift: all ticks are due at multiples of the period */
TEST(no_drift)
{
	uint64_t period, first, next;
	int i;

	WANT(uintr_register_handler(count_handler, 0), 0);
	_stui();
	WANT(uintr_tick(V, PERIOD, 0), 0);
	WANT(tick_status(&period, &first), true);
	WANT(period, PERIOD);
	for (i = 1; i <= 100; i++) {
		compute_until(i);
		WANT(tick_status(&period, &next), true);
		WANT((next - first) % period, 0);
	}
	WANT(next > first, true);
}

/* What is missed is one tick: UIF is 0 */
TEST(coalesce_uif_0)
{
	uint64_t period, last, next;
	int i;

	WANT(uintr_register_handler(count_handler, 0), 0);
	WANT(uintr_tick(V, PERIOD, 0), 0);
	WANT(tick_status(&period, &next), true);
	for (i = 0; i < 10; i++) {
		last = next;
		while (next == last)
			WANT(tick_status(&period, &next), true);
	}
	WANT(handled[V], 0);
	WANT(uintr_tick(V, 0, 0), 0);
	_stui();
	sched_yield();
	WANT(handled[V], 1);
}

/* The same: the thread sleeps, normally before the first tick */
TEST(coalesce_asleep)
{
	struct timespec three_periods = { .tv_nsec = 300 * PERIOD };
	int i;

	WANT(uintr_register_handler(count_handler, 0), 0);
	for (i = 1; i <= 10; i++) {
		WANT(uintr_tick(V, 100 * PERIOD, 0), 0);
		WANT(nanosleep(&three_periods, NULL), 0);
		WANT(uintr_tick(V, 0, 0), 0);
		_stui();
		sched_yield();
		_clui();
		WANT(handled[V], (uint64_t)i);
	}
}

/* The sum over all CPUs of the user interrupts that the kernel has posted */
static uint64_t posts(void)
{
	FILE *f = fopen("/proc/interrupts", "r");
	char line[1024], *p, *end;
	uint64_t sum = 0, n;

	WANT(f != NULL, true);
	do {
		WANT(fgets(line, sizeof(line), f) != NULL, true);
		p = strstr(line, "UIP:");
	} while (!p);
	fclose(f);
	for (p += 4; n = strtoull(p, &end, 10), end != p; p = end)
		sum += n;
	return sum;
}

/* No timer expires any more for anybody. */
static void no_more_ticks(void)
{
	uint64_t before = posts();

	pass(100);
	WANT(posts() - before, 0);
}

static int pipe_fd[2];

static long tick_and_read(struct waiter *w)
{
	char c;

	WANT(uintr_tick(V, PERIOD, 0), 0);
	WAIT_UNTIL(handled[V] >= 10);
	return read(pipe_fd[0], &c, 1);
}

/* A thread that sleeps costs nobody anything, and goes on afterwards */
TEST(asleep)
{
	struct waiter w = { .uif = true, .call = tick_and_read };

	WANT(pipe(pipe_fd), 0);
	start_waiter(&w);
	WAIT_OFF_CPU(getpid(), w.tid);
	no_more_ticks();
	WANT(write(pipe_fd[1], "", 1), 1);
	join_waiter(&w);
	WANT(w.result, 1);
}

/* Another period takes the place of the one before */
TEST(changed_period)
{
	uint64_t start, before;

	WANT(uintr_register_handler(count_handler, 0), 0);
	_stui();
	WANT(uintr_tick(V, PERIOD, 0), 0);
	WAIT_UNTIL(handled[V] >= 10);
	WANT(uintr_tick(V, UINTR_TICK_MAX_NSEC, 0), 0);
	before = handled[V];
	no_more_ticks();
	WANT(handled[V], before);
	start = now();
	WANT(uintr_tick(V, PERIOD * 4, 0), 0);
	WAIT_UNTIL(handled[V] >= before + 20);
	check_count(handled[V] - before, start, PERIOD * 4);
}

/* Another vector takes the place of the one before */
TEST(changed_vector)
{
	uint64_t before;

	WANT(uintr_register_handler(count_handler, 0), 0);
	_stui();
	WANT(uintr_tick(V, PERIOD, 0), 0);
	WAIT_UNTIL(handled[V] >= 10);
	WANT(uintr_tick(V + 1, PERIOD, 0), 0);
	before = handled[V];
	WAIT_UNTIL(handled[V + 1] >= 10);
	WANT(handled[V], before);
}

/* A period of 0 stops it */
TEST(stop)
{
	uint64_t before, period, next;

	WANT(uintr_register_handler(count_handler, 0), 0);
	_stui();
	WANT(uintr_tick(V, PERIOD, 0), 0);
	WAIT_UNTIL(handled[V] >= 10);
	WANT(uintr_tick(V, 0, 0), 0);
	before = handled[V];
	no_more_ticks();
	WANT(handled[V], before);
	WANT(tick_status(&period, &next), false);
}

/* It belongs to the handler: the next one has none */
TEST(unregister)
{
	uint64_t before, period, next;
	int i;

	for (i = 0; i < 10; i++) {
		WANT(uintr_register_handler(count_handler, 0), 0);
		_stui();
		WANT(uintr_tick(V, PERIOD, 0), 0);
		WAIT_UNTIL(handled[V] >= 10);
		WANT(uintr_unregister_handler(0), 0);
		before = handled[V];
		no_more_ticks();
		WANT(uintr_register_handler(count_handler, 0), 0);
		no_more_ticks();
		WANT(handled[V], before);
		WANT(tick_status(&period, &next), false);
		WANT(uintr_unregister_handler(0), 0);
	}
}

static void *tick_and_exit(void *arg)
{
	WANT(uintr_register_handler(waiter_handler, 0), 0);
	_stui();
	WANT(uintr_tick(V, PERIOD, 0), 0);
	while (arg && my_handled < 5)
		;
	return NULL;
}

static int nr_threads(void)
{
	DIR *threads = opendir("/proc/self/task");
	int n = 0;

	WANT(threads != NULL, true);
	while (readdir(threads))
		n++;
	closedir(threads);
	return n - 2;	/* . and .. */
}

/* It ends with its thread, at whatever moment */
TEST(thread_exits)
{
	long i, rounds = nr_rounds(200, 5000);

	for (i = 0; i < rounds; i++) {
		pthread_join(start(tick_and_exit, (void *)(i & 1)), NULL);
		alive();
	}
	/* They may still be in exit when pthread_join() returns. */
	WAIT_UNTIL(nr_threads() == 1);
	no_more_ticks();
}

static void tick_and_exit_all(void)
{
	tick_and_exit((void *)1);
	_exit(0);
}

/* It ends with its process */
TEST(process_exits)
{
	int i;

	for (i = 0; i < 20; i++)
		WANT(run_in_child(tick_and_exit_all), 0);
	no_more_ticks();
}

static void tick_and_exec(void)
{
	tick_and_exit((void *)1);
	setenv("AFTER_EXEC", "", 1);
	execl("/proc/self/exe", "tick", NULL);
	_exit(99);
}

/* What was executed sees no ticks, neither with nor without a handler. */
static void __attribute__((constructor)) after_exec(void)
{
	if (!getenv("AFTER_EXEC"))
		return;
	WANT(_testui(), 0);
	no_more_ticks();
	WANT(uintr_register_handler(count_handler, 0), 0);
	_stui();
	no_more_ticks();
	WANT(handled[V], 0);
	_exit(0);
}

/* It ends by execve */
TEST(process_executes)
{
	WANT(run_in_child(tick_and_exec), 0);
}

static void child_has_none(void)
{
	uint64_t period, next, before = handled[V];

	WANT(uintr_register_handler(count_handler, 0), 0);
	_stui();
	pass(20);
	WANT(tick_status(&period, &next), false);
	WANT(handled[V], before);
}

/* A child inherits none, and the parent keeps its own */
TEST(process_forks)
{
	uint64_t before;

	WANT(uintr_register_handler(count_handler, 0), 0);
	_stui();
	WANT(uintr_tick(V, PERIOD, 0), 0);
	WANT(run_in_child(child_has_none), 0);
	before = handled[V];
	WAIT_UNTIL(handled[V] >= before + 10);
}

static void *tick_own_vector(void *arg)
{
	uint64_t vector = (uintptr_t)arg, period = PERIOD * vector, start;

	WANT(uintr_register_handler(waiter_handler, 0), 0);
	_stui();
	start = now();
	WANT(uintr_tick(vector, period, 0), 0);
	while (my_handled < 50)
		;
	WANT(uintr_tick(vector, 0, 0), 0);
	check_count(my_handled, start, period);
	/* Nobody else posts it. */
	WANT(handled[vector], my_handled);
	return NULL;
}

/* Each thread has its own */
TEST(threads)
{
	pthread_t thread[8];
	uintptr_t i;

	for (i = 0; i < ARRAY_SIZE(thread); i++)
		thread[i] = start(tick_own_vector, (void *)(i + 1));
	for (i = 0; i < ARRAY_SIZE(thread); i++)
		pthread_join(thread[i], NULL);
}

TEST_HARNESS_MAIN
