/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An eventfd against an event fd of user interrupts (UINTR_FD_EVENT): one
 * thread posts, by write() or by SENDUIPI, another reads.
 *
 * Posts of one vector coalesce. So that none may, the sender waits for the
 * reader's answer before the next one, and each message has a number: the
 * reader fails if it misses one, if it is woken without one, or if what it
 * reads is not that of exactly one post.
 *
 * A running reader tries again and again. A blocked one is in the kernel, off
 * its CPU, in the system call it waits in: the sender asks the kernel for that
 * before each post, as a delay would only make it likely.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "uintr-user.h"

#define VECTOR	5

static struct exchange {
	struct bench_side *sender, *reader;
	pthread_barrier_t barrier;
	const struct mechanism *mechanism;
	const struct wait *wait;
	int fd, epoll_fd, uipi_index;
	pid_t tid;
	uint64_t count;
	uint64_t *samples, *costs;
	uint64_t sent_at;
	uint64_t sent, answered;	/* numbers of messages */
} *x;

/* How messages are posted. */
static void eventfd_prepare(void)
{
	x->fd = eventfd(0, 0);
	bench_check(x->fd >= 0, "eventfd");
}

static void eventfd_post(void)
{
	uint64_t one = 1;

	bench_check(write(x->fd, &one, sizeof(one)) == sizeof(one), "write");
}

static void uintr_prepare(void)
{
	x->fd = uintr_create_fd(VECTOR, UINTR_FD_EVENT);
	bench_check(x->fd >= 0, "uintr_create_fd with UINTR_FD_EVENT");
	x->uipi_index = uintr_register_sender(x->fd, 0);
	bench_check(x->uipi_index >= 0, "uintr_register_sender");
}

static void uintr_post(void)
{
	_senduipi(x->uipi_index);
}

static const struct mechanism {
	const char *name;
	void (*prepare)(void);
	void (*post)(void);
	uint64_t one_post;	/* what is read after one */
	bool uintr;
} mechanisms[] = {
	{ "eventfd", eventfd_prepare, eventfd_post, 1, false },
	{ "uintr-event", uintr_prepare, uintr_post, 1ull << VECTOR, true },
};

/* How the reader waits; each returns what it has read. */
static uint64_t read_now(void)
{
	uint64_t value = 0;
	ssize_t n = read(x->fd, &value, sizeof(value));

	if (n < 0 && errno == EAGAIN)
		return 0;
	bench_check(n == sizeof(value), "read");
	return value;
}

static uint64_t running_wait(void)
{
	uint64_t value;

	bench_spin_until((value = read_now()));
	return value;
}

static uint64_t poll_wait(void)
{
	struct pollfd pollfd = { .fd = x->fd, .events = POLLIN };

	bench_check(poll(&pollfd, 1, -1) == 1, "poll");
	return read_now();
}

static uint64_t epoll_wait_once(void)
{
	struct epoll_event event;

	bench_check(epoll_wait(x->epoll_fd, &event, 1, -1) == 1, "epoll_wait");
	return read_now();
}

static const struct wait {
	const char *name;
	uint64_t (*wait)(void);
	long syscall;		/* that it blocks in, -1 if it does not */
	uint32_t epoll_events;
	uint64_t count, quick_count;
} waits[] = {
	{ "running", running_wait, -1, 0, 100000, 2000 },
	{ "blocked-read", read_now, SYS_read, 0, 10000, 500 },
	{ "blocked-poll", poll_wait, SYS_poll, 0, 10000, 500 },
	{ "blocked-epoll", epoll_wait_once, SYS_epoll_wait, EPOLLIN, 10000, 500 },
	{ "blocked-epoll-et", epoll_wait_once, SYS_epoll_wait,
	  EPOLLIN | EPOLLET, 10000, 500 },
};

static void reader_prepare(void)
{
	struct epoll_event event = { .events = x->wait->epoll_events };

	x->tid = syscall(SYS_gettid);
	if (x->wait->syscall != SYS_read)
		bench_check(!fcntl(x->fd, F_SETFL, O_NONBLOCK), "fcntl");
	x->epoll_fd = epoll_create1(0);
	bench_check(x->epoll_fd >= 0, "epoll_create1");
	if (event.events)
		bench_check(!epoll_ctl(x->epoll_fd, EPOLL_CTL_ADD, x->fd,
				       &event), "epoll_ctl");
}

static void *reader(void *arg)
{
	uint64_t seq, value, sent;

	reader_prepare();
	pthread_barrier_wait(&x->barrier);
	for (seq = 1; seq <= x->count; seq++) {
		store(x->reader->doing, "a message");
		value = x->wait->wait();
		x->samples[seq - 1] = bench_ticks() - load(x->sent_at);
		sent = load(x->sent);
		if (sent != seq)
			bench_die("%s, %s: wanted message %llu, got message %llu",
				  x->mechanism->name, x->wait->name,
				  (unsigned long long)seq,
				  (unsigned long long)sent);
		if (value != x->mechanism->one_post)
			bench_die("%s, %s: message %llu: wanted to read %llx, got %llx",
				  x->mechanism->name, x->wait->name,
				  (unsigned long long)seq,
				  (unsigned long long)x->mechanism->one_post,
				  (unsigned long long)value);
		store(x->reader->done, seq);
		store(x->answered, seq);
	}
	store(x->reader->doing, NULL);
	return arg;
}

static void sender(void)
{
	uint64_t seq, start;
	int fd;

	pthread_barrier_wait(&x->barrier);
	fd = bench_open_syscall(getpid(), x->tid);
	for (seq = 1; seq <= x->count; seq++) {
		store(x->sender->doing, "the reader to block");
		while (x->wait->syscall >= 0 &&
		       bench_blocked_in(fd) != x->wait->syscall)
			;
		store(x->sent, seq);
		start = bench_ticks();
		store(x->sent_at, start);
		x->mechanism->post();
		x->costs[seq - 1] = bench_ticks() - start;
		store(x->sender->doing, "the reader's answer");
		bench_spin_until(load(x->answered) >= seq);
		store(x->sender->doing, NULL);
		store(x->sender->done, seq);
	}
}

static void run(void *arg)
{
	pthread_t thread;

	(void)arg;
	x->mechanism->prepare();
	pthread_barrier_init(&x->barrier, NULL, 2);
	if (pthread_create(&thread, NULL, reader, NULL))
		bench_die("pthread_create failed: is there too little memory?");
	sender();
	pthread_join(thread, NULL);
}

static void measure(const struct mechanism *mechanism, const struct wait *wait,
		    uint64_t count)
{
	struct bench_process process = {
		.name = "the process of both threads",
		.run = run,
	};
	struct bench_stats s, costs;

	x->mechanism = mechanism;
	x->wait = wait;
	x->count = count;
	x->samples = bench_shared(count * sizeof(*x->samples));
	x->costs = bench_shared(count * sizeof(*x->costs));
	x->sent = x->answered = 0;
	x->sender->done = x->reader->done = 0;
	bench_run(&process, 1, NULL, 0);

	s = bench_stats(x->samples, count);
	costs = bench_stats(x->costs, count);
	printf("%-12s %-17s %8llu %10.3f %10.3f %10.3f %10.3f %10.3f %10.3f\n",
	       mechanism->name, wait->name, (unsigned long long)count,
	       s.mean, s.min, s.p50, s.p99, s.max, costs.mean);
	fflush(stdout);
}

static void measure_all(bool quick, uint64_t count)
{
	int i, j;

	printf("%-12s %-17s %8s %10s %10s %10s %10s %10s %10s\n", "by", "reader",
	       "messages", "avg us", "min us", "p50 us", "p99 us", "max us",
	       "post us");
	for (i = 0; i < ARRAY_SIZE(waits); i++) {
		for (j = 0; j < ARRAY_SIZE(mechanisms); j++)
			measure(&mechanisms[j], &waits[i],
				count ? count : quick ? waits[i].quick_count :
							waits[i].count);
	}
}

int main(int argc, char **argv)
{
	uint64_t count = 0;
	bool quick = false;
	const struct bench_option options[] = {
		{ 'c', "count",
		  "messages [100000 to a running reader, 10000 to a blocked one]",
		  .number = &count, 1, 100000000 },
		{ 'q', "quick", "2000 and 500 messages", .flag = &quick },
		{ 0 }
	};

	bench_init(argc, argv,
		   "Times from a post until it has been read, for an eventfd and for an event fd\n"
		   "of user interrupts, each with a running and with a blocked reader. \"post us\"\n"
		   "is the average time that the sender needs to post.",
		   options, NULL);
	bench_need_uintr();

	x = bench_shared(sizeof(*x));
	x->sender = bench_side("the sender");
	x->reader = bench_side("the reader");
	measure_all(quick, count);
	return BENCH_OK;
}
