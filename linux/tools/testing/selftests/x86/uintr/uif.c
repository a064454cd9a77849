// SPDX-License-Identifier: GPL-2.0
/* UIF belongs to the thread. */
#include "uintr.h"

/* Receiver that is moved needs no second STUI */
TEST(U1_uif_moves)
{
	int fd, i;

	pin_to(0);
	WANT(self_setup(3, &fd), 0);
	_stui();
	for (i = 1; i <= 400; i++) {
		pin_to(i % nr_cpus());
		WANT(_testui(), 1);
		_senduipi(0);
		WAIT_UNTIL(handled[3] == (uint64_t)i);
	}
}

/* UIF 0 is kept, too: nothing is delivered after a move */
TEST(U1_uif_clear_moves)
{
	int fd, i;

	pin_to(0);
	WANT(self_setup(3, &fd), 0);
	_senduipi(0);
	for (i = 1; i <= 100; i++) {
		pin_to(i % nr_cpus());
		WANT(_testui(), 0);
		WANT(handled[3], 0);
	}
	_stui();
	WAIT_UNTIL(handled[3]);
	WANT(handled[3], 1);
}

/* STUI before the registration counts, even if the thread is moved between */
TEST(uif_first)
{
	int fd;

	pin_to(0);
	_stui();
	pin_to(1);
	WANT(_testui(), 1);
	WANT(self_setup(3, &fd), 0);
	WANT(_testui(), 1);
	_senduipi(0);
	WAIT_UNTIL(handled[3]);
}

/* UIF of a thread that uses nothing else is its own, too */
TEST(uif_not_receiver)
{
	int i;

	_stui();
	for (i = 0; i < 100; i++) {
		pin_to(i % nr_cpus());
		WANT(_testui(), 1);
	}
	_clui();
	for (i = 0; i < 100; i++) {
		pin_to(i % nr_cpus());
		WANT(_testui(), 0);
	}
}

/* The CPU does not store a state in which everything is 0. */
/* UIF 0 is kept when there is nothing else left to keep */
TEST(uif_clear_alone)
{
	int i;

	WANT(uintr_register_handler(count_handler, 0), 0);
	_stui();
	pin_to(1);
	WANT(uintr_unregister_handler(0), 0);
	WANT(_testui(), 1);
	_clui();
	for (i = 0; i < 20; i++) {
		pin_to(i % nr_cpus());
		WANT(_testui(), 0);
	}
}

static volatile int turn;

static void *without_uif(void *arg)
{
	int i;

	pin_to(0);
	for (i = 0; i < 200; i++) {
		WANT(_testui(), 0);
		sched_yield();
	}
	store(turn, 1);
	return NULL;
}

/* UIF does not leak to another thread on the same CPU */
TEST(uif_no_leak)
{
	pthread_t thread;

	pin_to(0);
	_stui();
	thread = start(without_uif, NULL);
	WAIT_UNTIL(load(turn));
	pthread_join(thread, NULL);
	WANT(_testui(), 1);
}

static volatile int uif_in_signal = -1;

static void signal_handler(int signal)
{
	uif_in_signal = _testui();
}

/* Signal handler runs with the UIF it finds */
TEST(uif_signal)
{
	signal(SIGUSR1, signal_handler);
	raise(SIGUSR1);
	WANT(uif_in_signal, 0);
	_stui();
	raise(SIGUSR1);
	WANT(uif_in_signal, 1);
	WANT(_testui(), 1);
}

TEST_HARNESS_MAIN
