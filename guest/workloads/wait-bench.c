/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A receiver that blocks in uintr_wait() while the sender waits between sends.
 * After each send the sender waits, in memory, for the receiver's answer: so a
 * wake-up that is lost is not made up for by the next one, but stops it all.
 *
 * The time of a message is from before SENDUIPI until the receiver, its handler
 * having run, is back from uintr_wait().
 */
#include "bench.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "uintr-user.h"

#define VECTOR	1

/* All of it takes about a minute. */
static const struct pause {
	uint64_t us, count, quick_count;
} pauses[] = {
	{ 0, 100000, 5000 },
	{ 1000, 2000, 100 },
	{ 10000, 500, 20 },
	{ 100000, 100, 5 },
	{ 1000000, 20, 2 },
};

static struct exchange {
	struct bench_side *sender, *receiver;
	pthread_barrier_t barrier;
	uint64_t pause_us, count;
	uint64_t *samples;
	uint64_t asleep;	/* sends that found the receiver blocked */
	uint64_t sent_at;
	uint64_t answered;
	int uintr_fd;
	pid_t tid;
} *x;

static volatile uint64_t arrived;

static UINTR_HANDLER(wait_handler, frame, vector)
{
	(void)frame;
	(void)vector;
	arrived++;
}

/*
 * An interrupt that is handled between the test and the system call would not
 * end the call. So UIF is clear there: the call ends for an interrupt that is
 * pending, whatever UIF is, and STUI lets the handler run.
 */
static void wait_for(uint64_t seq)
{
	_clui();
	while (arrived < seq) {
		if (uintr_wait(0, 0) != -1)
			bench_die("uintr_wait: wanted EINTR, got a time-out");
		bench_check(errno == EINTR, "uintr_wait");
		_stui();
		_clui();
	}
	_stui();
}

static void *receiver(void *arg)
{
	uint64_t seq;

	arrived = 0;
	x->tid = syscall(SYS_gettid);
	bench_check(!uintr_register_handler(wait_handler, 0),
		    "uintr_register_handler");
	x->uintr_fd = uintr_create_fd(VECTOR, 0);
	bench_check(x->uintr_fd >= 0, "uintr_create_fd");
	pthread_barrier_wait(&x->barrier);
	_stui();
	for (seq = 1; seq <= x->count; seq++) {
		store(x->receiver->doing, "a user interrupt, in uintr_wait()");
		wait_for(seq);
		x->samples[seq - 1] = bench_ticks() - x->sent_at;
		if (arrived != seq)
			bench_die("message %llu: wanted as many user interrupts, got %llu",
				  (unsigned long long)seq,
				  (unsigned long long)arrived);
		store(x->receiver->done, seq);
		store(x->answered, seq);
	}
	store(x->receiver->doing, NULL);
	return arg;
}

static void sender(void)
{
	uint64_t seq;
	int index, fd;

	pthread_barrier_wait(&x->barrier);
	index = uintr_register_sender(x->uintr_fd, 0);
	bench_check(index >= 0, "uintr_register_sender");
	fd = bench_open_syscall(getpid(), x->tid);
	for (seq = 1; seq <= x->count; seq++) {
		if (x->pause_us) {
			bench_sleep_us(x->pause_us);
			x->asleep += bench_blocked_in(fd) == __NR_uintr_wait;
		}
		store(x->sent_at, bench_ticks());
		_senduipi(index);
		store(x->sender->doing, "the receiver's answer");
		bench_spin_until(load(x->answered) >= seq);
		store(x->sender->doing, NULL);
		store(x->sender->done, seq);
	}
}

static void run(void *arg)
{
	pthread_t thread;

	(void)arg;
	pthread_barrier_init(&x->barrier, NULL, 2);
	if (pthread_create(&thread, NULL, receiver, NULL))
		bench_die("pthread_create failed: is there too little memory?");
	sender();
	pthread_join(thread, NULL);
}

static void measure(uint64_t pause_us, uint64_t count)
{
	struct bench_process process = {
		.name = "the process of both sides",
		.run = run,
	};
	struct bench_stats s;
	char asleep[24] = "-";

	x->pause_us = pause_us;
	x->count = count;
	x->samples = bench_shared(count * sizeof(*x->samples));
	x->asleep = x->answered = 0;
	x->sender->done = x->receiver->done = 0;
	bench_run(&process, 1, NULL, 0);

	s = bench_stats(x->samples, count);
	/* To look would have been a pause. */
	if (pause_us)
		snprintf(asleep, sizeof(asleep), "%llu",
			 (unsigned long long)x->asleep);
	printf("%8llu %8llu %8s %10.3f %10.3f %10.3f %10.3f %10.3f\n",
	       (unsigned long long)pause_us, (unsigned long long)count, asleep,
	       s.mean, s.min, s.p50, s.p99, s.max);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	uint64_t pause_us = UINT64_MAX, count = 1000;
	bool quick = false;
	const struct bench_option options[] = {
		{ 'p', "pause",
		  "microseconds before each send [0, 1000, 10000, 100000 and 1000000]",
		  .number = &pause_us, 0, 10000000 },
		{ 'c', "count", "sends with the pause of -p [1000]",
		  .number = &count, 1, 100000000 },
		{ 'q', "quick", "few sends with each pause", .flag = &quick },
		{ 0 }
	};
	int i;

	bench_init(argc, argv,
		   "User interrupts to a thread that blocks in uintr_wait(), and how long they\n"
		   "take. \"asleep\" is how many found it blocked; the others came too early.",
		   options, NULL);
	bench_need_uintr();

	x = bench_shared(sizeof(*x));
	x->sender = bench_side("the sender");
	x->receiver = bench_side("the receiver");
	printf("%8s %8s %8s %10s %10s %10s %10s %10s\n", "pause us", "messages",
	       "asleep", "avg us", "min us", "p50 us", "p99 us", "max us");
	if (pause_us != UINT64_MAX) {
		measure(pause_us, count);
		return BENCH_OK;
	}
	for (i = 0; i < ARRAY_SIZE(pauses); i++)
		measure(pauses[i].us, quick ? pauses[i].quick_count :
					      pauses[i].count);
	return BENCH_OK;
}
