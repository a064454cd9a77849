/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What fork, exec, exit, close and unregistering do to user interrupts. */
#define TEST_ARGUMENT after_exec
static int after_exec(const char *fd);

#include "test.h"

#include <sys/prctl.h>

/* The number of senders or receivers that are ready, shared by processes. */
static volatile int *shared;

static void share(void)
{
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	EXPECT(shared != MAP_FAILED, true);
}

static void child_has_no_handler(void)
{
	EXPECT_ERRNO(uintr_create_fd(1, 0), EINVAL);
	EXPECT_ERRNO(uintr_unregister_handler(0), EINVAL);
}

TEST(fork_handler, "fork: child has no handler")
{
	EXPECT(uintr_register_handler(count_handler, 0), 0);
	EXPECT(run_in_child(child_has_no_handler), 0);
}

static void child_has_no_uif(void)
{
	EXPECT(_testui(), 0);
}

TEST(fork_uif, "fork: UIF of the child is 0, that of the parent stays")
{
	EXPECT(uintr_register_handler(count_handler, 0), 0);
	_stui();
	EXPECT(run_in_child(child_has_no_uif), 0);
	EXPECT(_testui(), 1);
}

TEST(fork_uif_only, "fork: the same if the parent is no receiver")
{
	_stui();
	EXPECT(run_in_child(child_has_no_uif), 0);
	EXPECT(_testui(), 1);
}

static void child_has_no_table(void)
{
	EXPECT(senduipi_try(0), SIGILL);
}

TEST(fork_table, "fork: child has no target table")
{
	int fd;

	EXPECT(self_setup(3, &fd), 0);
	EXPECT(run_in_child(child_has_no_table), 0);
}

static int inherited_fd;

static void child_sends(void)
{
	int index = uintr_register_sender(inherited_fd, 0);

	EXPECT(index, 0);
	EXPECT(senduipi_try(index), 0);
}

TEST(fork_fd, "fork: child can register the inherited fd and send to its parent")
{
	EXPECT(uintr_register_handler(count_handler, 0), 0);
	inherited_fd = uintr_create_fd(3, 0);
	_stui();
	EXPECT(run_in_child(child_sends), 0);
	WAIT_UNTIL(handled[3]);
	EXPECT(handled[3], 1);
}

static void *thread_is_fresh(void *arg)
{
	(void)arg;
	EXPECT(_testui(), 0);
	EXPECT_ERRNO(uintr_create_fd(1, 0), EINVAL);
	return NULL;
}

TEST(new_thread, "clone: a new thread has UIF 0 and no handler")
{
	EXPECT(uintr_register_handler(count_handler, 0), 0);
	_stui();
	pthread_join(start(thread_is_fresh, NULL), NULL);
	EXPECT(_testui(), 1);
}

static void do_exec(void)
{
	char number[16];
	int fd;

	EXPECT(self_setup(3, &fd), 0);
	_stui();
	snprintf(number, sizeof(number), "%d", fd);
	execl("/proc/self/exe", "lifecycle", number, NULL);
	_exit(99);
}

static int after_exec(const char *number)
{
	int fd = atoi(number);

	EXPECT(_testui(), 0);
	EXPECT_ERRNO(uintr_create_fd(1, 0), EINVAL);
	EXPECT(senduipi_try(0), SIGILL);
	EXPECT_ERRNO(fcntl(fd, F_GETFD), EBADF);
	EXPECT(uintr_register_handler(count_handler, 0), 0);
	return 0;
}

TEST(exec, "exec: UIF, handler, target table and fds are gone")
{
	EXPECT(run_in_child(do_exec), 0);
}

static void receiver_exits(void)
{
	int fd;

	/* Through a fork nothing was inherited, so register here ... */
	EXPECT(self_setup(3, &fd), 0);
	/* ... and end with something pending. */
	_senduipi(0);
}

TEST(exit_pending, "exit with a pending interrupt")
{
	EXPECT(run_in_child(receiver_exits), 0);
}

static int thread_fd;

static void *receive_then_exit(void *arg)
{
	(void)arg;
	EXPECT(uintr_register_handler(count_handler, 0), 0);
	thread_fd = uintr_create_fd(3, 0);
	store(shared[0], 1);
	WAIT_UNTIL(load(shared[1]));
	return NULL;
}

TEST(exit_receiver, "exit: senders of a receiver that has exited do not fault")
{
	pthread_t thread;
	int index, i;

	share();
	thread = start(receive_then_exit, NULL);
	WAIT_UNTIL(load(shared[0]));
	index = uintr_register_sender(thread_fd, 0);
	EXPECT(index, 0);
	EXPECT(senduipi_try(index), 0);
	store(shared[1], 1);
	pthread_join(thread, NULL);
	for (i = 0; i < 1000; i++)
		EXPECT(senduipi_try(index), 0);
}

static void killed_receiver(void)
{
	EXPECT(uintr_register_handler(count_handler, 0), 0);
	_stui();
	raise(SIGKILL);
}

TEST(exit_killed, "exit: a receiver can be killed")
{
	EXPECT(WTERMSIG(run_in_child(killed_receiver)), SIGKILL);
}

TEST(close_disconnects, "close: last close disconnects the senders (K2)")
{
	int fd;

	EXPECT(self_setup(3, &fd), 0);
	EXPECT(senduipi_try(0), 0);
	close(fd);
	EXPECT(senduipi_try(0), SIGSEGV);
}

static void connected_child(void)
{
	int index = uintr_register_sender(inherited_fd, 0);

	EXPECT(senduipi_try(index), 0);
	close(inherited_fd);
	EXPECT(senduipi_try(index), 0);
	store(shared[0], 1);
	WAIT_UNTIL(load(shared[1]));
	EXPECT(senduipi_try(index), SIGSEGV);
}

static void *run_connected_child(void *arg)
{
	(void)arg;
	return (void *)(long)run_in_child(connected_child);
}

TEST(close_other_process, "close: disconnects a sender in another process (K2)")
{
	pthread_t thread;
	void *status;

	share();
	EXPECT(uintr_register_handler(count_handler, 0), 0);
	inherited_fd = uintr_create_fd(3, 0);
	thread = start(run_connected_child, NULL);
	WAIT_UNTIL(load(shared[0]));
	close(inherited_fd);
	store(shared[1], 1);
	pthread_join(thread, &status);
	EXPECT(status, 0);
}

TEST(close_dup, "close: only the last reference counts")
{
	int fd, copy;

	EXPECT(self_setup(3, &fd), 0);
	copy = dup(fd);
	close(fd);
	EXPECT(senduipi_try(0), 0);
	EXPECT_ERRNO(uintr_create_fd(3, 0), EBUSY);
	close(copy);
	EXPECT(senduipi_try(0), SIGSEGV);
}

TEST(close_reuse, "close: vector and index can be used again")
{
	int fd, i;

	EXPECT(uintr_register_handler(count_handler, 0), 0);
	_stui();
	for (i = 1; i <= 100; i++) {
		fd = uintr_create_fd(3, 0);
		EXPECT(fd >= 0, true);
		EXPECT(uintr_register_sender(fd, 0), 0);
		_senduipi(0);
		WAIT_UNTIL(handled[3] == (uint64_t)i);
		close(fd);
	}
}

static int sleeper_fd, sleeper_pipe[2];

/*
 * Whether the receiver of close_posted is asleep. The state says when it has
 * left its CPU for good.
 */
static bool asleep(pid_t tid)
{
	char path[64], text[256] = "", *p;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	f = fopen(path, "r");
	EXPECT(f != NULL, true);
	EXPECT(fread(text, 1, sizeof(text) - 1, f) > 0, true);
	fclose(f);
	p = strrchr(text, ')');
	return p && p[2] == 'S';
}

static void *sleep_as_receiver(void *arg)
{
	char c;

	EXPECT(uintr_register_handler(count_handler, 0), 0);
	sleeper_fd = uintr_create_fd(3, 0);
	EXPECT(uintr_create_fd(4, 0) >= 0, true);
	_stui();
	store(*(pid_t *)arg, gettid());
	EXPECT(read(sleeper_pipe[0], &c, 1), 1);
	EXPECT(handled[3], 0);
	return NULL;
}

TEST(close_posted, "close: drops what a sleeping receiver has not got yet")
{
	pid_t tid = 0;
	pthread_t thread;
	int index;

	EXPECT(pipe(sleeper_pipe), 0);
	thread = start(sleep_as_receiver, &tid);
	WAIT_UNTIL(load(tid));
	index = uintr_register_sender(sleeper_fd, 0);
	EXPECT(index >= 0, true);
	WAIT_UNTIL(asleep(tid));
	EXPECT(senduipi_try(index), 0);
	close(sleeper_fd);
	EXPECT(write(sleeper_pipe[1], "x", 1), 1);
	pthread_join(thread, NULL);
	EXPECT(handled[3], 0);
}

TEST(unregister_drops, "unregister_handler: drops what is pending")
{
	int fd;

	EXPECT(self_setup(3, &fd), 0);
	_senduipi(0);
	EXPECT(uintr_unregister_handler(0), 0);
	EXPECT(uintr_register_handler(count_handler, 0), 0);
	_stui();
	sched_yield();
	EXPECT(handled[3], 0);
}

TEST(unregister_senders, "unregister_handler: senders do not fault, nothing arrives")
{
	int fd, i;

	EXPECT(self_setup(3, &fd), 0);
	_stui();
	EXPECT(uintr_unregister_handler(0), 0);
	for (i = 0; i < 100; i++)
		EXPECT(senduipi_try(0), 0);
	sched_yield();
	EXPECT(handled[3], 0);
	EXPECT(_testui(), 1);
}

TEST(register_again, "register_handler again: vectors are free, old senders do not reach it")
{
	int fd, new;

	EXPECT(self_setup(3, &fd), 0);
	EXPECT(uintr_unregister_handler(0), 0);
	EXPECT(uintr_register_handler(count_handler, 0), 0);
	_stui();
	new = uintr_create_fd(3, 0);
	EXPECT(new >= 0, true);
	EXPECT(uintr_register_sender(new, 0), 1);
	_senduipi(0);
	sched_yield();
	EXPECT(handled[3], 0);
	_senduipi(1);
	WAIT_UNTIL(handled[3]);
	EXPECT(handled[3], 1);
}

/* Memory that kernel objects use, in kB. */
static long kernel_memory(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	char line[128];
	long n = -1;

	EXPECT(f != NULL, true);
	while (n < 0 && fgets(line, sizeof(line), f))
		sscanf(line, "SUnreclaim: %ld", &n);
	fclose(f);
	return n;
}

static void use_everything(void)
{
	int i, fd;

	for (i = 0; i < 30; i++) {
		EXPECT(uintr_register_handler(count_handler, 0), 0);
		EXPECT(uintr_unregister_handler(0), 0);
	}
	EXPECT(uintr_register_handler(count_handler, 0), 0);
	for (i = 0; i < UINTR_VECTORS; i++) {
		fd = uintr_create_fd(i, 0);
		EXPECT(uintr_register_sender(fd, 0), i);
	}
}

/*
 * A process uses 1 kB for its thread, 6 kB for its table and 4 kB for its
 * receivers, so leaking any of it costs 1 MB or more.
 */
TEST(exit_memory, "exit: 1000 processes leave no memory behind (K1)")
{
	long before;
	int i;

	for (i = 0; i < 200; i++)
		EXPECT(run_in_child(use_everything), 0);
	before = kernel_memory();
	for (i = 0; i < 1000; i++)
		EXPECT(run_in_child(use_everything), 0);
	printf("# %ld kB more\n", kernel_memory() - before);
	EXPECT(kernel_memory() - before < 700, true);
}

static int victim_fd;
static volatile bool stop;

static void *send_for_ever(void *arg)
{
	(void)arg;
	while (!load(stop)) {
		int index;

		for (index = 0; index < 4; index++)
			senduipi_try(index);
	}
	return NULL;
}

TEST(close_race, "close and unregister while other CPUs send to it")
{
	pthread_t thread[2];
	int i;

	EXPECT(uintr_register_handler(count_handler, 0), 0);
	victim_fd = uintr_create_fd(0, 0);
	EXPECT(uintr_register_sender(victim_fd, 0), 0);
	for (i = 0; i < 2; i++)
		thread[i] = start(send_for_ever, NULL);
	for (i = 0; i < 500; i++) {
		int fd[3];

		fd[0] = uintr_create_fd(1, 0);
		fd[1] = uintr_create_fd(2, 0);
		EXPECT(uintr_register_sender(fd[0], 0) > 0, true);
		EXPECT(uintr_register_sender(fd[1], 0) > 0, true);
		if (i & 1)
			EXPECT(uintr_unregister_sender(fd[0], 0), 0);
		close(fd[0]);
		close(fd[1]);
		if (i % 8 == 0) {
			EXPECT(uintr_unregister_handler(0), 0);
			close(victim_fd);
			EXPECT(uintr_register_handler(count_handler, 0), 0);
			victim_fd = uintr_create_fd(0, 0);
			EXPECT(uintr_register_sender(victim_fd, 0), 0);
		}
	}
	store(stop, true);
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
}
