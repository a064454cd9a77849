/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a tick costs a thread that computes: a user timer interrupt, a timerfd
 * that is bound to a vector and read in the handler, and a signal. Each in turn
 * interrupts the same computation, whose time without a tick is subtracted.
 *
 * The result of the computation must be that without a tick, and there must
 * not be more ticks than periods. That there are fewer is no error: what comes
 * late is one tick.
 */
#include "bench.h"

#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "uintr-user.h"

#define VECTOR	1

static struct shared {
	uint64_t steps;		/* of a computation */
	const struct mechanism *mechanism;
	uint64_t period;	/* in ns */
	/* Of the last run */
	uint64_t ns, ticks;
	double result;
} *x;

static struct bench_side *side;
static volatile uint64_t ticks;
static int timer_fd;

static UINTR_HANDLER(count, frame, vector)
{
	(void)frame;
	(void)vector;
	ticks++;
}

/* It posts once, until it is read. */
static UINTR_HANDLER(read_and_count, frame, vector)
{
	uint64_t expired;

	(void)frame;
	(void)vector;
	if (read(timer_fd, &expired, sizeof(expired)) == sizeof(expired))
		ticks++;
}

static void count_signal(int signal)
{
	(void)signal;
	ticks++;
}

static struct itimerspec timer(void)
{
	struct timespec period = { .tv_nsec = x->period };

	return (struct itimerspec){ period, period };
}

static void no_start(void)
{
}

static void tick_start(void)
{
	bench_check(!uintr_register_handler(count, 0), "uintr_register_handler");
	_stui();
	bench_check(!uintr_tick(VECTOR, x->period, 0), "uintr_tick");
}

static void timerfd_start(void)
{
	struct itimerspec spec = timer();
	int fd;

	bench_check(!uintr_register_handler(read_and_count, 0),
		    "uintr_register_handler");
	fd = uintr_create_fd(VECTOR, 0);
	bench_check(fd >= 0, "uintr_create_fd");
	timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	bench_check(timer_fd >= 0, "timerfd_create");
	bench_check(!uintr_bind(fd, timer_fd, EPOLLIN, 0), "uintr_bind");
	_stui();
	bench_check(!timerfd_settime(timer_fd, 0, &spec, NULL),
		    "timerfd_settime");
}

static void signal_start(void)
{
	struct sigevent event = {
		.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM,
	};
	struct itimerspec spec = timer();
	timer_t id;

	signal(SIGALRM, count_signal);
	bench_check(!timer_create(CLOCK_MONOTONIC, &event, &id),
		    "timer_create");
	bench_check(!timer_settime(id, 0, &spec, NULL), "timer_settime");
}

static const struct mechanism {
	const char *name;
	void (*start)(void);
} mechanisms[] = {
	{ "none", no_start },
	{ "uintr-tick", tick_start },
	{ "timerfd-bound", timerfd_start },
	{ "signal", signal_start },
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static double compute(void)
{
	double value = 0.3;
	uint64_t i;

	for (i = 0; i < x->steps; i++)
		value = value * (1 - value) * 3.9;
	return value;
}

static void run(void *arg)
{
	uint64_t start, most;

	(void)arg;
	store(side->doing, "the end of its computation");
	start = now_ns();
	x->mechanism->start();
	x->result = compute();
	x->ticks = ticks;
	x->ns = now_ns() - start;
	store(side->doing, NULL);
	most = x->period ? x->ns / x->period : 0;
	if (x->ticks > most)
		bench_die("%s: wanted at most %llu ticks, got %llu",
			  x->mechanism->name, (unsigned long long)most,
			  (unsigned long long)x->ticks);
}

/* What is measured, and its fastest run */
static struct row {
	const struct mechanism *mechanism;
	unsigned int hz;
	uint64_t ns, ticks;
} rows[] = {
	{ &mechanisms[0], 0, UINT64_MAX, 0 },
	{ &mechanisms[1], 1000, UINT64_MAX, 0 },
	{ &mechanisms[2], 1000, UINT64_MAX, 0 },
	{ &mechanisms[3], 1000, UINT64_MAX, 0 },
	{ &mechanisms[1], 10000, UINT64_MAX, 0 },
	{ &mechanisms[2], 10000, UINT64_MAX, 0 },
	{ &mechanisms[3], 10000, UINT64_MAX, 0 },
};

static void measure(struct row *row)
{
	struct bench_process process = {
		.name = "the process that computes", .run = run,
	};
	static double right;

	x->mechanism = row->mechanism;
	x->period = row->hz ? 1000000000 / row->hz : 0;
	bench_run(&process, 1, NULL, 0);
	if (!right)
		right = x->result;
	if (x->result != right)
		bench_die("%s: wanted the result %.17g, got %.17g",
			  row->mechanism->name, right, x->result);
	if (x->ns < row->ns) {
		row->ns = x->ns;
		row->ticks = x->ticks;
	}
}

static void print(const struct row *row)
{
	printf("%-14s %6u %8llu %12.3f ", row->mechanism->name, row->hz,
	       (unsigned long long)row->ticks, row->ns / 1e6);
	if (row->ticks)
		printf("%10.3f\n",
		       ((double)row->ns - rows[0].ns) / row->ticks / 1000);
	else
		printf("%10s\n", "-");
}

/*
 * Other users of the CPU make a run slower, not faster: the best one counts.
 * All take turns, so that they suffer the same.
 */
static void measure_all(unsigned int rounds)
{
	unsigned int i;
	int j;

	for (i = 0; i < rounds; i++) {
		for (j = 0; j < ARRAY_SIZE(rows); j++)
			measure(&rows[j]);
	}
	printf("%-14s %6s %8s %12s %10s\n", "tick by", "Hz", "ticks",
	       "elapsed ms", "us/tick");
	for (j = 0; j < ARRAY_SIZE(rows); j++)
		print(&rows[j]);
}

int main(int argc, char **argv)
{
	uint64_t steps = 2000000, runs = 20;
	bool quick = false;
	const struct bench_option options[] = {
		{ 'c', "count", "runs of each [20]",
		  .number = &runs, 1, 100000 },
		{ 'n', "number", "steps of the computation [2000000]",
		  .number = &steps, 1, 1ull << 40 },
		{ 'q', "quick", "3 runs", .flag = &quick },
		{ 0 }
	};

	bench_init(argc, argv,
		   "How much longer a computation takes for each tick of a user timer interrupt, a\n"
		   "bound timerfd and a signal, at 1 and 10 kHz. Of all runs the fastest counts.",
		   options, NULL);
	bench_need_uintr();

	x = bench_shared(sizeof(*x));
	side = bench_side("the one that computes");
	x->steps = steps;
	measure_all(quick ? 3 : runs);
	return BENCH_OK;
}
