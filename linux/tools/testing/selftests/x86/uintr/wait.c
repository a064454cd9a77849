// SPDX-License-Identifier: GPL-2.0
/* uintr_wait(): blocking until a user interrupt comes. */
#include <time.h>

#include "waiter.h"

/* One interrupt for a thread that is blocked in @call */
static void send_to_blocked(long (*call)(struct waiter *w), bool uif, int flags)
{
	struct waiter w = { .uif = uif, .call = call, .flags = flags };

	start_waiter(&w);
	_senduipi(w.index);
	join_waiter(&w);
	WANT(w.error, EINTR);
	WANT(w.handled_at_return, uif);
	WANT(w.handled_at_end, 1);
}

/* Form of 2021, uintr_wait(0): what is in the second register does not count */
TEST(v1_form)
{
	send_to_blocked(wait_v1, true, 0);
}

/* Blocked with UIF 1: ends with EINTR, and the handler has run by then */
TEST(uif_1)
{
	send_to_blocked(wait_unlimited, true, 0);
}

/* Blocked with UIF 0: ends with EINTR, and the interrupt is still pending */
TEST(uif_0)
{
	send_to_blocked(wait_unlimited, false, 0);
}

/* The same with a time limit that is far away */
TEST(with_limit)
{
	send_to_blocked(wait_limited, true, 0);
}

/* The WAITING flag makes no difference here */
TEST(waiting_flag)
{
	send_to_blocked(wait_unlimited, false, WAITING);
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000ull + t.tv_nsec / 1000;
}

/* Time out: returns 0, not before its time */
TEST(timeout)
{
	uint64_t before;
	int fd;

	WANT(self_setup(3, &fd), 0);
	_stui();
	before = now_us();
	WANT(uintr_wait(20000, 0), 0);
	WANT(now_us() - before >= 20000, true);
	WANT(handled[3], 0);
	WANT(uintr_wait(1, 0), 0);
}

/* What is pending at entry with UIF 0 ends it at once and is not consumed */
TEST(pending)
{
	int fd, i;

	WANT(self_setup(3, &fd), 0);
	_senduipi(0);
	for (i = 0; i < 3; i++) {
		WANT_ERRNO(uintr_wait(0, 0), EINTR);
		WANT_ERRNO(uintr_wait(UINTR_WAIT_MAX_USEC, 0), EINTR);
	}
	WANT(handled[3], 0);
	_stui();
	WAIT_UNTIL(handled[3]);
	WANT(handled[3], 1);
	/* Gone now. */
	WANT(uintr_wait(1, 0), 0);
}

static volatile int nr_signals;

static void count_signals(int signal)
{
	nr_signals++;
}

/* A signal ends it with EINTR, whatever SA_RESTART says */
TEST(ended_by_signal)
{
	struct waiter w = { .uif = true, .call = wait_unlimited };
	struct sigaction action = {
		.sa_handler = count_signals,
		.sa_flags = SA_RESTART,
	};

	WANT(sigaction(SIGUSR1, &action, NULL), 0);
	start_waiter(&w);
	WANT(pthread_kill(w.thread, SIGUSR1), 0);
	join_waiter(&w);
	WANT(w.error, EINTR);
	WANT(nr_signals, 1);
	WANT(w.handled_at_end, 0);
}

/* Stops it and lets it go on. Returns false if it has ended before. */
static bool stop_and_continue(pid_t pid)
{
	int status;

	WANT(kill(pid, SIGSTOP), 0);
	WANT(waitpid(pid, &status, WUNTRACED), pid);
	if (WIFEXITED(status)) {
		WANT(WEXITSTATUS(status), 0);
		return false;
	}
	WANT(WIFSTOPPED(status), true);
	WANT(kill(pid, SIGCONT), 0);
	WAIT_UNTIL(strchr("SZ", thread_state(pid, pid)));
	return true;
}

static uint64_t limit;

static void waiting_process(void)
{
	WANT(uintr_register_handler(count_handler, 0), 0);
	send_fd(peer, WANT_OK(uintr_create_fd(3, 0)));
	_stui();
	WANT_ERRNO(uintr_wait(limit, 0), EINTR);
	WANT(handled[3], 1);
}

static void stop_waiting_process(void)
{
	pid_t pid = start_peer(waiting_process);
	int fd = receive_fd(peer), i;

	WANT(uintr_register_sender(fd, 0), 0);
	for (i = 0; i < 5; i++) {
		WAIT_UNTIL(thread_state(pid, pid) == 'S');
		WANT(kill(pid, SIGWINCH), 0);
		WANT(stop_and_continue(pid), true);
	}
	_senduipi(0);
	WANT(join_child(pid), 0);
}

/* Stopping, and signals that are ignored, do not end it */
TEST(ignored_signals)
{
	limit = 0;
	stop_waiting_process();
}

/* Nor with a time limit */
TEST(ignored_signals_with_limit)
{
	limit = UINTR_WAIT_MAX_USEC;
	stop_waiting_process();
}

static void waiting_briefly(void)
{
	WANT(uintr_register_handler(count_handler, 0), 0);
	send_fd(peer, 0);
	WANT(uintr_wait(300000, 0), 0);
}

/* The limit is not put off by stopping */
TEST(limit_while_stopped)
{
	pid_t pid = start_peer(waiting_briefly);

	close(receive_fd(peer));
	while (stop_and_continue(pid))
		;
}

/* After a signal has ended it the next interrupt wakes as ever */
TEST(signal_then_interrupt)
{
	struct waiter w = { .uif = true, .call = wait_unlimited, .rounds = 200 };
	long i;

	signal(SIGUSR1, count_signals);
	start_waiter(&w);
	for (i = 1; i <= w.rounds; i++) {
		WAIT_ASLEEP(w.tid);
		if (i & 1)
			WANT(pthread_kill(w.thread, SIGUSR1), 0);
		else
			_senduipi(w.index);
		WAIT_UNTIL(load(w.returned) == i);
	}
	join_waiter(&w);
	WANT(nr_signals, 100);
	WANT(w.handled_at_end, 100);
}

/* Signals and interrupts at once: each interrupt arrives */
TEST(signal_and_interrupt)
{
	struct waiter w = { .uif = true, .call = wait_unlimited, .rounds = 1000 };
	long i;

	signal(SIGUSR1, count_signals);
	start_waiter(&w);
	for (i = 1; i <= w.rounds; i++) {
		uint64_t before = load(handled[3]);

		_senduipi(w.index);
		WANT(pthread_kill(w.thread, SIGUSR1), 0);
		/* One of both may find it between two calls. */
		WAIT_UNTIL(load(handled[3]) > before || load(w.returned) >= w.rounds);
		alive();
	}
	store(w.stop, true);
	/* Let it out of the call that it may be in. */
	WAIT_UNTIL(load(w.ended) || (_senduipi(w.index), false));
	join_waiter(&w);
}

#define CROWD	40

/*
 * Many are blocked, on all CPUs: a post wakes its thread and no other. The
 * order is not that in which they went to sleep.
 */
TEST(K4_many_waiters)
{
	static struct waiter crowd[CROWD];
	int i, k, n;

	for (i = 0; i < CROWD; i++) {
		crowd[i].uif = i & 1;
		crowd[i].call = wait_unlimited;
		crowd[i].cpu = 1 + i % nr_cpus();
		start_waiter(&crowd[i]);
	}
	for (n = 0; n < CROWD; n++) {
		i = n * 7 % CROWD;
		_senduipi(crowd[i].index);
		join_waiter(&crowd[i]);
		WANT(crowd[i].error, EINTR);
		for (k = 0; k < CROWD; k++)
			WANT(load(crowd[k].ended), k * 23 % CROWD <= n);
	}
}

/* Short limits while posts come: none is lost, whichever comes first */
TEST(limit_against_post)
{
	struct waiter w = { .uif = true, .call = wait_briefly, .rounds = 1L << 40 };
	long i, rounds = nr_rounds(2000, 100000);

	start_waiter(&w);
	for (i = 1; i <= rounds; i++) {
		_senduipi(w.index);
		WAIT_UNTIL(load(handled[3]) >= (uint64_t)i);
		WANT(handled[3], i);
		alive();
	}
	store(w.stop, true);
	join_waiter(&w);
}

static void wait_to_be_killed(void)
{
	WANT(uintr_register_handler(count_handler, 0), 0);
	send_fd(peer, WANT_OK(uintr_create_fd(3, 0)));
	uintr_wait(0, 0);
	WANT(true, false);
}

/* A blocked receiver can be killed, and posts to it do no harm then */
TEST(killed)
{
	int i, k;

	for (i = 0; i < 20; i++) {
		pid_t pid = start_peer(wait_to_be_killed);
		int fd = receive_fd(peer);

		WANT(uintr_register_sender(fd, 0), 0);
		WAIT_UNTIL(thread_state(pid, pid) == 'S');
		WANT(kill(pid, SIGKILL), 0);
		for (k = 0; k < i; k++)
			WANT(senduipi_try(0), 0);
		WANT(WTERMSIG(join_child(pid)), SIGKILL);
		WANT(senduipi_try(0), 0);
		WANT(uintr_unregister_sender(fd, 0), 0);
		close(fd);
		close(peer);
	}
}

TEST_HARNESS_MAIN
