// SPDX-License-Identifier: GPL-2.0
/* Ending gives everything back. */
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "memory.h"

static void use_everything(void)
{
	int i, fd;

	for (i = 0; i < 30; i++) {
		WANT(uintr_register_handler(count_handler, 0), 0);
		WANT(uintr_unregister_handler(0), 0);
	}
	WANT(uintr_register_handler(count_handler, 0), 0);
	for (i = 0; i < UINTR_NR_VECTORS; i++) {
		fd = uintr_create_fd(i, 0);
		WANT(uintr_register_sender(fd, 0), i);
	}
}

static void one_process(void)
{
	WANT(run_in_child(use_everything), 0);
}

/*
 * Exit: 1000 processes leave no memory behind. One uses 1 kB for its thread,
 * 6 kB for its table and 4 kB for its receivers, so leaking any of it costs
 * 1 MB or more.
 */
TEST(K1_exit_memory)
{
	want_no_leak(one_process, 1000, 700);
}

static int bound;

static void use_in_thread(bool give_back)
{
	int fd[4], i;

	WANT(uintr_register_handler(count_handler, 0), 0);
	for (i = 0; i < 4; i++) {
		fd[i] = WANT_OK(uintr_create_fd(i, i & 1 ? UINTR_FD_EVENT : 0));
		WANT_OK(uintr_register_sender(fd[i], 0));
	}
	WANT(uintr_bind(fd[0], bound, EPOLLIN, 0), 0);
	WANT(uintr_bind(fd[2], bound, EPOLLIN, 0), 0);
	_stui();
	WANT(uintr_wait(1, 0) >= 0 || errno == EINTR, true);
	if (give_back) {
		WANT(uintr_bind(fd[0], bound, 0, 0), 0);
		WANT(uintr_unregister_handler(0), 0);
	}
	/* They are the process's, and nobody else would close them. */
	for (i = 0; i < 4; i++)
		close(fd[i]);
}

static void *exit_with_all(void *arg)
{
	use_in_thread(false);
	return NULL;
}

static void *exit_with_nothing(void *arg)
{
	use_in_thread(true);
	return NULL;
}

static void two_threads(void)
{
	pthread_join(start(exit_with_all, NULL), NULL);
	pthread_join(start(exit_with_nothing, NULL), NULL);
}

/*
 * Exit: threads with handlers, fds of both kinds, senders and bindings leave
 * no memory behind. Of the smallest object, leaking one for each thread costs
 * 64 bytes or more.
 */
TEST(K1_threads)
{
	long rounds = nr_rounds(5000, 100000);

	bound = eventfd(0, 0);
	want_no_leak(two_threads, rounds / 2, rounds * 64 / 1024 + 200);
}

static void end_by_kill(void)
{
	use_in_thread(false);
	raise(SIGKILL);
}

static void killed_process(void)
{
	run_in_child(end_by_kill);
}

static void executed_process(void)
{
	use_in_thread(false);
	setenv("AFTER_EXEC", "1", 1);
	execl("/proc/self/exe", "create_exit", NULL);
	_exit(99);
}

/* This program again, as the one that was executed */
static void __attribute__((constructor)) after_exec(void)
{
	if (getenv("AFTER_EXEC"))
		_exit(KSFT_PASS);
}

static void exec_in_process(void)
{
	WANT(run_in_child(executed_process), 0);
}

/* The same for processes that are killed */
TEST(K1_killed)
{
	bound = eventfd(0, 0);
	want_no_leak(killed_process, nr_rounds(1000, 10000), 600);
}

/* And for those that execute another program */
TEST(K1_exec)
{
	bound = eventfd(0, 0);
	want_no_leak(exec_in_process, nr_rounds(400, 10000), 600);
}

TEST_HARNESS_MAIN
