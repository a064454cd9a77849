// SPDX-License-Identifier: GPL-2.0
/* What the last close of a uintr fd does to its senders. */
#include "uintr.h"

/* The number of senders or receivers that are ready, shared by processes. */
static volatile int *shared;

static int inherited_fd;

/* Close: last close disconnects the senders */
TEST(K2_close_disconnects)
{
	int fd;

	WANT(self_setup(3, &fd), 0);
	WANT(senduipi_try(0), 0);
	close(fd);
	WANT(senduipi_try(0), SIGSEGV);
}

static void connected_child(void)
{
	int index = uintr_register_sender(inherited_fd, 0);

	WANT(senduipi_try(index), 0);
	close(inherited_fd);
	WANT(senduipi_try(index), 0);
	store(shared[0], 1);
	WAIT_UNTIL(load(shared[1]));
	WANT(senduipi_try(index), SIGSEGV);
}

static void *run_connected_child(void *arg)
{
	return (void *)(long)run_in_child(connected_child);
}

/* Close: disconnects a sender in another process */
TEST(K2_close_disconnects_other_process)
{
	pthread_t thread;
	void *status;

	shared = shared_memory(4096);
	WANT(uintr_register_handler(count_handler, 0), 0);
	inherited_fd = uintr_create_fd(3, 0);
	thread = start(run_connected_child, NULL);
	WAIT_UNTIL(load(shared[0]));
	close(inherited_fd);
	store(shared[1], 1);
	pthread_join(thread, &status);
	WANT(status, 0);
}

/* Close: only the last reference counts */
TEST(close_dup)
{
	int fd, copy;

	WANT(self_setup(3, &fd), 0);
	copy = dup(fd);
	close(fd);
	WANT(senduipi_try(0), 0);
	WANT_ERRNO(uintr_create_fd(3, 0), EBUSY);
	close(copy);
	WANT(senduipi_try(0), SIGSEGV);
}

/* Close: vector and index can be used again */
TEST(close_reuse)
{
	int fd, i;

	WANT(uintr_register_handler(count_handler, 0), 0);
	_stui();
	for (i = 1; i <= 100; i++) {
		fd = uintr_create_fd(3, 0);
		WANT(fd >= 0, true);
		WANT(uintr_register_sender(fd, 0), 0);
		_senduipi(0);
		WAIT_UNTIL(handled[3] == (uint64_t)i);
		close(fd);
	}
}

static int sleeper_fd, sleeper_pipe[2];

static void *sleep_as_receiver(void *arg)
{
	char c;

	WANT(uintr_register_handler(count_handler, 0), 0);
	sleeper_fd = uintr_create_fd(3, 0);
	WANT(uintr_create_fd(4, 0) >= 0, true);
	_stui();
	store(*(pid_t *)arg, gettid());
	WANT(read(sleeper_pipe[0], &c, 1), 1);
	WANT(handled[3], 0);
	return NULL;
}

/* Close: drops what a sleeping receiver has not got yet */
TEST(close_posted)
{
	pid_t tid = 0;
	pthread_t thread;
	int index;

	WANT(pipe(sleeper_pipe), 0);
	thread = start(sleep_as_receiver, &tid);
	WAIT_UNTIL(load(tid));
	index = uintr_register_sender(sleeper_fd, 0);
	WANT(index >= 0, true);
	WAIT_OFF_CPU(getpid(), tid);
	WANT(senduipi_try(index), 0);
	close(sleeper_fd);
	WANT(write(sleeper_pipe[1], "x", 1), 1);
	pthread_join(thread, NULL);
	WANT(handled[3], 0);
}

static int victim_fd;
static volatile bool stop;

static void *send_for_ever(void *arg)
{
	while (!load(stop)) {
		int index;

		for (index = 0; index < 4; index++)
			senduipi_try(index);
	}
	return NULL;
}

/* Close and unregister while other CPUs send to it */
TEST(close_race)
{
	pthread_t thread[2];
	int i;

	WANT(uintr_register_handler(count_handler, 0), 0);
	victim_fd = uintr_create_fd(0, 0);
	WANT(uintr_register_sender(victim_fd, 0), 0);
	for (i = 0; i < 2; i++)
		thread[i] = start(send_for_ever, NULL);
	for (i = 0; i < 500; i++) {
		int fd[3];

		fd[0] = uintr_create_fd(1, 0);
		fd[1] = uintr_create_fd(2, 0);
		WANT(uintr_register_sender(fd[0], 0) > 0, true);
		WANT(uintr_register_sender(fd[1], 0) > 0, true);
		if (i & 1)
			WANT(uintr_unregister_sender(fd[0], 0), 0);
		close(fd[0]);
		close(fd[1]);
		if (i % 8 == 0) {
			WANT(uintr_unregister_handler(0), 0);
			close(victim_fd);
			WANT(uintr_register_handler(count_handler, 0), 0);
			victim_fd = uintr_create_fd(0, 0);
			WANT(uintr_register_sender(victim_fd, 0), 0);
		}
	}
	store(stop, true);
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
}

TEST_HARNESS_MAIN
