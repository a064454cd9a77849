// SPDX-License-Identifier: GPL-2.0
/*
 * Known bug K5: on PREEMPT_RT a spinlock_t sleeps, so whatever runs in an
 * interrupt or while threads are switched needs raw locks. Everything that
 * the kernel does in those places runs here, all at once, and lockdep has to
 * be as content afterwards as before.
 */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/klog.h>
#include <sys/timerfd.h>

#include "waiter.h"

static bool file_has(const char *path, const char *text)
{
	char buffer[8192] = "";
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		return false;
	if (read(fd, buffer, sizeof(buffer) - 1) < 0)
		buffer[0] = 0;
	close(fd);
	return strstr(buffer, text);
}

static bool is_rt(void)
{
	return file_has("/proc/version", "PREEMPT_RT");
}

/* lockdep turns itself off when it has something to say. */
static bool lockdep_is_on(void)
{
	FILE *f = fopen("/proc/lockdep_stats", "r");
	int on = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, " debug_locks: %d", &on);
	if (f)
		fclose(f);
	return on;
}

static const char *const complaints[] = {
	"BUG:", "WARNING:", "Invalid wait context", "possible circular locking",
	"inconsistent lock state", "scheduling while atomic",
	"sleeping function called",
};

/* Lines of the kernel log that complain */
static int nr_complaints(void)
{
	static char log[1 << 20];
	int size = klogctl(3, log, sizeof(log) - 1), i, n = 0;
	char *p;

	WANT(size >= 0, true);
	log[size] = 0;
	for (i = 0; i < (int)ARRAY_SIZE(complaints); i++) {
		for (p = log; (p = strstr(p, complaints[i])); p++)
			n++;
	}
	return n;
}

static volatile bool stop;
static int event, bound, live_fd = -1;

static void *read_events(void *arg)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLET };
	int epoll = epoll_create1(0);
	uint64_t posted;

	WANT(epoll_ctl(epoll, EPOLL_CTL_ADD, event, &e), 0);
	while (!load(stop)) {
		AWAIT("epoll_wait()", WANT(epoll_wait(epoll, &e, 1, -1), 1));
		if (read(event, &posted, sizeof(posted)) < 0)
			WANT(errno, EAGAIN);
	}
	return NULL;
}

static void *receive_live(void *arg)
{
	struct itimerspec period = {
		.it_value.tv_nsec = 300000, .it_interval.tv_nsec = 300000,
	};
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), fd;

	WANT(uintr_register_handler(count_handler, 0), 0);
	fd = WANT_OK(uintr_create_fd(0, 0));
	/* Posts from the timer interrupt, and from a thread. */
	WANT(uintr_bind(fd, timer, EPOLLIN, 0), 0);
	WANT(uintr_bind(fd, bound, EPOLLIN, 0), 0);
	WANT(timerfd_settime(timer, 0, &period, NULL), 0);
	store(live_fd, fd);
	_stui();
	while (!load(stop))
		sched_yield();
	return NULL;
}

static int pipe_fd[2];

static long block_in_read(struct waiter *w)
{
	char c;

	return read(pipe_fd[0], &c, 1);
}

static void nothing(int signal)
{
}

/* Wake-ups of all kinds, posts by the kernel, preemption, creation and exit */
static void storm(void)
{
	struct waiter w[] = {
		{ .uif = true, .call = wait_unlimited, .rounds = 1L << 40 },
		{ .call = wait_briefly, .rounds = 1L << 40 },
		{ .uif = true, .flags = WAITING, .call = block_in_read,
		  .rounds = 1L << 40 },
	};
	long i, rounds = nr_rounds(2000, 50000);
	struct sigaction action = { .sa_handler = nothing };
	uint64_t one = 1;
	pthread_t thread[2];
	int live, to_event, k;

	WANT(sigaction(SIGUSR1, &action, NULL), 0);
	WANT(pipe(pipe_fd), 0);
	bound = eventfd(0, EFD_NONBLOCK);
	event = WANT_OK(uintr_create_fd(5, UINTR_FD_EVENT));
	WANT(fcntl(event, F_SETFL, O_NONBLOCK), 0);
	for (k = 0; k < 3; k++)
		start_waiter(&w[k]);
	thread[0] = start(receive_live, NULL);
	thread[1] = start(read_events, NULL);
	WAIT_UNTIL(load(live_fd) >= 0);
	live = WANT_OK(uintr_register_sender(live_fd, 0));
	to_event = WANT_OK(uintr_register_sender(event, 0));
	for (i = 0; i < rounds; i++) {
		_senduipi(live);
		_senduipi(to_event);
		for (k = 0; k < 3; k++)
			_senduipi(w[k].index);
		WANT(write(bound, &one, sizeof(one)), sizeof(one));
		if (i % 50 == 0)
			WANT(pthread_kill(w[0].thread, SIGUSR1), 0);
		sched_yield();
		alive();
	}
	store(stop, true);
	for (k = 0; k < 3; k++) {
		store(w[k].stop, true);
		WAIT_UNTIL(load(w[k].ended) || (_senduipi(w[k].index), false));
		join_waiter(&w[k]);
	}
	_senduipi(to_event);
	for (k = 0; k < 2; k++)
		pthread_join(thread[k], NULL);
}

/* Storm of everything that runs in interrupts and switches: lockdep is content */
TEST(K5_raw_locks)
{
	bool lockdep = lockdep_is_on();
	int before = nr_complaints();

	ksft_print_msg("PREEMPT_RT is %s, lockdep is %s\n", is_rt() ? "on" : "off",
		       lockdep ? "on" : "off");
	storm();
	WANT(nr_complaints(), before);
	WANT(lockdep_is_on(), lockdep);
	if (!is_rt() || !lockdep)
		SKIP(return, "says most on PREEMPT_RT with lockdep; nothing seen here");
}

TEST_HARNESS_MAIN
