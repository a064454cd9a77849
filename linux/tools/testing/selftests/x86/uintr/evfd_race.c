// SPDX-License-Identifier: GPL-2.0
/* Event fds: no post is lost whatever comes at the same time. */
#include <sys/epoll.h>

#include "event.h"

static int shared_fd;
static volatile long round_of_reader;
static long rounds;
static long (*race_wait)(int fd);
static bool race_moving;
static int race_others;

static void *race_reader(void *arg)
{
	long i;

	for (i = 1; i <= rounds; i++) {
		/* On another CPU than where it was armed by the last read */
		if (race_moving)
			pin_to(i % nr_cpus());
		store(round_of_reader, i);
		race_wait(shared_fd);
		alive();
	}
	return NULL;
}

static long poll_then_read(int fd)
{
	wait_poll(fd);
	return read_event(fd);
}

static int race_epoll;

static int edge_epoll(void)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int epoll = epoll_create1(0);

	WANT(epoll_ctl(epoll, EPOLL_CTL_ADD, shared_fd, &event), 0);
	return epoll;
}

static long epoll_then_read(int fd)
{
	struct epoll_event event;

	AWAIT("epoll_wait()", WANT(epoll_wait(race_epoll, &event, 1, -1), 1));
	return read_event(fd);
}

/* Going to sleep races with posts, as in wait_kernel_race. */
static void run_race(long (*wait)(int fd))
{
	pthread_t thread;
	long i;

	rounds = nr_rounds(10000, 1000000);
	race_wait = wait;
	shared_fd = event_fd(3, 0);
	WANT(uintr_register_sender(shared_fd, 0), 0);
	if (wait == epoll_then_read) {
		/* Who comes last into a queue is woken first. */
		for (i = 0; i < race_others; i++)
			edge_epoll();
		race_epoll = edge_epoll();
	}
	thread = start(race_reader, NULL);
	for (i = 1; i <= rounds; i++) {
		SPIN_UNTIL(load(round_of_reader) == i);
		random_delay();
		_senduipi(0);
	}
	pthread_join(thread, NULL);
}

/* read() against SENDUIPI: no post is lost */
TEST(U6_race_read)
{
	run_race(wait_read);
}

/* The same from CPU to CPU, sometimes there before the wake-up */
TEST(U6_race_read_moving)
{
	race_moving = true;
	run_race(wait_read);
}

/* poll() against SENDUIPI */
TEST(U6_race_poll)
{
	run_race(poll_then_read);
}

/* Edge-triggered epoll against SENDUIPI */
TEST(U6_race_epoll_edge)
{
	run_race(epoll_then_read);
}

/* The same from CPU to CPU, and others are still being woken at the read */
TEST(U6_race_epoll_edge_moving)
{
	race_moving = true;
	race_others = 100;
	run_race(epoll_then_read);
}

static volatile long polled[2];

static void *race_poller(void *arg)
{
	volatile long *mine = arg;
	long i;

	for (i = 1; i <= rounds; i++) {
		/* The others have read the last one. */
		SPIN_UNTIL(load(round_of_reader) == i);
		random_delay();
		wait_poll(shared_fd);
		store(*mine, i);
		alive();
	}
	return NULL;
}

/* Two poll at once, neither reads: both see every post */
TEST(race_two_pollers)
{
	pthread_t thread[2];
	long i;

	rounds = nr_rounds(5000, 200000);
	shared_fd = event_fd(3, 0);
	WANT(uintr_register_sender(shared_fd, 0), 0);
	for (i = 0; i < 2; i++)
		thread[i] = start(race_poller, (void *)&polled[i]);
	for (i = 1; i <= rounds; i++) {
		store(round_of_reader, i);
		random_delay();
		_senduipi(0);
		WAIT_UNTIL(load(polled[0]) == i && load(polled[1]) == i);
		WANT(read_event(shared_fd), 1 << 3);
	}
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
}

static volatile bool stop;

static void *post_until_stopped(void *arg)
{
	while (!load(stop)) {
		senduipi_try(0);
		senduipi_try(1);
	}
	return NULL;
}

static void *poll_what_goes(void *arg)
{
	uint64_t posted;

	while (!load(stop)) {
		int fd = load(shared_fd);

		/* It may be gone, or another one by now. */
		readable(fd);
		if (read(fd, &posted, sizeof(posted)) < 0)
			sched_yield();
	}
	return NULL;
}

/* Event fds come and go while others post, poll and read */
TEST(create_close_race)
{
	pthread_t thread[3];
	long i;

	shared_fd = event_fd(0, UINTR_FD_NONBLOCK);
	WANT(uintr_register_sender(shared_fd, 0), 0);
	for (i = 0; i < 3; i++)
		thread[i] = start(i ? post_until_stopped : poll_what_goes, NULL);
	for (i = 0; i < nr_rounds(500, 20000); i++) {
		int old = shared_fd, fd = event_fd(i % 64, O_NONBLOCK);

		WANT_OK(uintr_register_sender(fd, 0));
		store(shared_fd, fd);
		close(old);
		alive();
	}
	store(stop, true);
	for (i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
}

TEST_HARNESS_MAIN
