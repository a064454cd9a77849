// SPDX-License-Identifier: GPL-2.0
/* Nothing of a thread's state is left behind on a CPU for the next one. */
#include "uintr.h"

/* Turns of the two processes on one CPU; the child has the odd ones. */
static volatile int *turn;

static void take_turn(int mine)
{
	WAIT_UNTIL(load(*turn) == mine);
}

/* A process that has nothing to do with user interrupts. */
static void stranger(void)
{
	int i;

	pin_to(0);
	for (i = 1; i < 200; i += 2) {
		take_turn(i);
		WANT(_testui(), 0);
		WANT(senduipi_try(0), SIGILL);
		WANT(senduipi_try(255), SIGILL);
		store(*turn, i + 1);
	}
}

/* Process that runs after a sender has no table: SENDUIPI is SIGILL */
TEST(after_a_sender)
{
	pid_t pid;
	int fd, i;

	turn = shared_memory(4096);
	pid = start_child(stranger);
	pin_to(0);
	WANT(self_setup(3, &fd), 0);
	_stui();
	for (i = 0; i < 200; i += 2) {
		take_turn(i);
		WANT(senduipi_try(0), 0);
		WAIT_UNTIL(handled[3] == (uint64_t)i / 2 + 1);
		store(*turn, i + 1);
	}
	WANT(join_child(pid), 0);
}

static void sender_that_ends(void)
{
	int fd;

	pin_to(0);
	WANT(self_setup(3, &fd), 0);
	_stui();
	WANT(senduipi_try(0), 0);
	/* Still pending, most likely, and not for the next one. */
	_clui();
	WANT(senduipi_try(0), 0);
}

/* The same when the sender has just exited */
TEST(after_exit)
{
	int i;

	pin_to(0);
	for (i = 0; i < 100; i++) {
		WANT(run_in_child(sender_that_ends), 0);
		WANT(_testui(), 0);
		WANT(senduipi_try(0), SIGILL);
	}
}

/* Receiver whose vector is not that of the pending interrupt. */
static void other_receiver(void)
{
	int fd, i;

	pin_to(0);
	WANT(self_setup(5, &fd), 0);
	_stui();
	for (i = 1; i < 200; i += 2) {
		take_turn(i);
		WANT(senduipi_try(0), 0);
		WAIT_UNTIL(handled[5] == (uint64_t)i / 2 + 1);
		WANT(handled[3], 0);
		store(*turn, i + 1);
	}
}

/* Pending interrupt and UIF 0 stay with their thread when another runs */
TEST(pending_stays)
{
	pid_t pid;
	int fd, i;

	turn = shared_memory(4096);
	pid = start_child(other_receiver);
	pin_to(0);
	WANT(self_setup(3, &fd), 0);
	for (i = 0; i < 200; i += 2) {
		WANT(senduipi_try(0), 0);
		take_turn(i);
		store(*turn, i + 1);
		take_turn(i + 2);
		WANT(_testui(), 0);
		WANT(handled[3], i / 2);
		_stui();
		WAIT_UNTIL(handled[3] == (uint64_t)i / 2 + 1);
		_clui();
		WANT(handled[5], 0);
	}
	WANT(join_child(pid), 0);
}

TEST_HARNESS_MAIN
