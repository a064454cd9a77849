// SPDX-License-Identifier: GPL-2.0
/* What fork, exec, exit and unregistering do to user interrupts. */
#include "uintr.h"

/* The number of senders or receivers that are ready, shared by processes. */
static volatile int *shared;

static void child_has_no_handler(void)
{
	WANT_ERRNO(uintr_create_fd(1, 0), EINVAL);
	WANT_ERRNO(uintr_unregister_handler(0), EINVAL);
}

/* Fork: child has no handler */
TEST(fork_handler)
{
	WANT(uintr_register_handler(count_handler, 0), 0);
	WANT(run_in_child(child_has_no_handler), 0);
}

static void child_has_no_uif(void)
{
	WANT(_testui(), 0);
}

/* Fork: UIF of the child is 0, that of the parent stays */
TEST(fork_uif)
{
	WANT(uintr_register_handler(count_handler, 0), 0);
	_stui();
	WANT(run_in_child(child_has_no_uif), 0);
	WANT(_testui(), 1);
}

/* Fork: the same if the parent is no receiver */
TEST(fork_uif_only)
{
	_stui();
	WANT(run_in_child(child_has_no_uif), 0);
	WANT(_testui(), 1);
}

static void child_has_no_table(void)
{
	WANT(senduipi_try(0), SIGILL);
}

/* Fork: child has no target table */
TEST(fork_table)
{
	int fd;

	WANT(self_setup(3, &fd), 0);
	WANT(run_in_child(child_has_no_table), 0);
}

static int inherited_fd;

static void child_sends(void)
{
	int index = uintr_register_sender(inherited_fd, 0);

	WANT(index, 0);
	WANT(senduipi_try(index), 0);
}

/* Fork: child can register the inherited fd and send to its parent */
TEST(fork_fd)
{
	WANT(uintr_register_handler(count_handler, 0), 0);
	inherited_fd = uintr_create_fd(3, 0);
	_stui();
	WANT(run_in_child(child_sends), 0);
	WAIT_UNTIL(handled[3]);
	WANT(handled[3], 1);
}

static void *thread_is_fresh(void *arg)
{
	WANT(_testui(), 0);
	WANT_ERRNO(uintr_create_fd(1, 0), EINVAL);
	return NULL;
}

/* Clone: a new thread has UIF 0 and no handler */
TEST(new_thread)
{
	WANT(uintr_register_handler(count_handler, 0), 0);
	_stui();
	pthread_join(start(thread_is_fresh, NULL), NULL);
	WANT(_testui(), 1);
}

static void do_exec(void)
{
	char number[16];
	int fd;

	WANT(self_setup(3, &fd), 0);
	_stui();
	snprintf(number, sizeof(number), "%d", fd);
	setenv("AFTER_EXEC", number, 1);
	execl("/proc/self/exe", "life_cycle", NULL);
	_exit(99);
}

/* This program again, as the one that was executed */
static void __attribute__((constructor)) after_exec(void)
{
	const char *number = getenv("AFTER_EXEC");
	int fd;

	if (!number)
		return;
	fd = atoi(number);
	WANT(_testui(), 0);
	WANT_ERRNO(uintr_create_fd(1, 0), EINVAL);
	WANT(senduipi_try(0), SIGILL);
	WANT_ERRNO(fcntl(fd, F_GETFD), EBADF);
	WANT(uintr_register_handler(count_handler, 0), 0);
	_exit(KSFT_PASS);
}

/* Exec: UIF, handler, target table and fds are gone */
TEST(exec)
{
	WANT(run_in_child(do_exec), 0);
}

static void receiver_exits(void)
{
	int fd;

	/* Through a fork nothing was inherited, so register here ... */
	WANT(self_setup(3, &fd), 0);
	/* ... and end with something pending. */
	_senduipi(0);
}

/* Exit with a pending interrupt */
TEST(exit_pending)
{
	WANT(run_in_child(receiver_exits), 0);
}

static int thread_fd;

static void *receive_then_exit(void *arg)
{
	WANT(uintr_register_handler(count_handler, 0), 0);
	thread_fd = uintr_create_fd(3, 0);
	store(shared[0], 1);
	WAIT_UNTIL(load(shared[1]));
	return NULL;
}

/* Exit: senders of a receiver that has exited do not fault */
TEST(exit_receiver)
{
	pthread_t thread;
	int index, i;

	shared = shared_memory(4096);
	thread = start(receive_then_exit, NULL);
	WAIT_UNTIL(load(shared[0]));
	index = uintr_register_sender(thread_fd, 0);
	WANT(index, 0);
	WANT(senduipi_try(index), 0);
	store(shared[1], 1);
	pthread_join(thread, NULL);
	for (i = 0; i < 1000; i++)
		WANT(senduipi_try(index), 0);
}

static void killed_receiver(void)
{
	WANT(uintr_register_handler(count_handler, 0), 0);
	_stui();
	raise(SIGKILL);
}

/* Exit: a receiver can be killed */
TEST(exit_killed)
{
	WANT(WTERMSIG(run_in_child(killed_receiver)), SIGKILL);
}

/* Unregister_handler: drops what is pending */
TEST(unregister_drops)
{
	int fd;

	WANT(self_setup(3, &fd), 0);
	_senduipi(0);
	WANT(uintr_unregister_handler(0), 0);
	WANT(uintr_register_handler(count_handler, 0), 0);
	_stui();
	sched_yield();
	WANT(handled[3], 0);
}

/* Unregister_handler: senders do not fault, nothing arrives */
TEST(unregister_senders)
{
	int fd, i;

	WANT(self_setup(3, &fd), 0);
	_stui();
	WANT(uintr_unregister_handler(0), 0);
	for (i = 0; i < 100; i++)
		WANT(senduipi_try(0), 0);
	sched_yield();
	WANT(handled[3], 0);
	WANT(_testui(), 1);
}

/* Register_handler again: vectors are free, old senders do not reach it */
TEST(register_again)
{
	int fd, new;

	WANT(self_setup(3, &fd), 0);
	WANT(uintr_unregister_handler(0), 0);
	WANT(uintr_register_handler(count_handler, 0), 0);
	_stui();
	new = uintr_create_fd(3, 0);
	WANT(new >= 0, true);
	WANT(uintr_register_sender(new, 0), 1);
	_senduipi(0);
	sched_yield();
	WANT(handled[3], 0);
	_senduipi(1);
	WAIT_UNTIL(handled[3]);
	WANT(handled[3], 1);
}

TEST_HARNESS_MAIN
