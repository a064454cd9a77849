/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program that has the numbers of the first Linux patches compiled in, as
 * uintr-renumber runs it: in the first thread, in a second one, in a child,
 * after exec, and next to other uses of what the launcher uses. Started
 * without it the program starts it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define __NR_uintr_register_handler	449
#define __NR_uintr_unregister_handler	450
#define __NR_uintr_create_fd		451
#define __NR_uintr_register_sender	452
#define __NR_uintr_unregister_sender	453
#define __NR_uintr_wait			454

#include "uintr-user.h"

#define RUN	"run"		/* argv[1]: the launcher is there */
#define EXEC	"exec"		/* argv[1]: and this is after an exec */

static unsigned failures, tests;
static __thread volatile unsigned long handled;

static void result(long got, long wanted, const char *name)
{
	tests++;
	if (got == wanted) {
		printf("ok %u - %s\n", tests, name);
	} else {
		printf("not ok %u - %s: wanted %ld, got %ld\n", tests, name,
		       wanted, got);
		failures++;
	}
	fflush(stdout);
}

static UINTR_HANDLER(handler, frame, vector)
{
	(void)frame;
	handled |= 1ul << vector;
}

/* All six calls. Returns the number of the line that went wrong, or 0. */
static long all_calls(void)
{
	int fd, index;

	handled = 0;
	if (uintr_register_handler(handler, 0))
		return __LINE__;
	fd = uintr_create_fd(5, 0);
	if (fd < 0)
		return __LINE__;
	index = uintr_register_sender(fd, 0);
	if (index < 0)
		return __LINE__;

	/* What is pending ends the wait at once. */
	_clui();
	_senduipi(index);
	/* The first patches had no time: one argument, which was 0. */
	if (syscall(__NR_uintr_wait, 0) != -1 || errno != EINTR)
		return __LINE__;
	if (handled)
		return __LINE__;
	_stui();
	while (!handled)
		sched_yield();
	if (handled != 1ul << 5)
		return __LINE__;

	/* They unregistered senders by the fd. */
	if (uintr_unregister_sender(fd, 0))
		return __LINE__;
	close(fd);
	return uintr_unregister_handler(0) ? __LINE__ : 0;
}

static void *thread_main(void *arg)
{
	*(long *)arg = all_calls();
	return NULL;
}

static long in_thread(void)
{
	pthread_t thread;
	long line;

	if (pthread_create(&thread, NULL, thread_main, &line))
		return __LINE__;
	pthread_join(thread, NULL);
	return line;
}

/* A child that does @f, whose lines are told by its exit status. */
static long in_child(long (*f)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(f() & 0xff);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return __LINE__;
	return WIFEXITED(status) ? WEXITSTATUS(status) : __LINE__;
}

static long after_exec(void)
{
	execl("/proc/self/exe", "old-numbers", EXEC, NULL);
	return __LINE__;
}

/* The number of the first fd is also the index of another one. */
static long by_fd(void)
{
	int fd[16], i = 0, first;
	long flags = 0, ret;

	if (uintr_register_handler(handler, 0))
		return __LINE__;
	do {
		fd[i] = uintr_create_fd(i, 0);
		if (fd[i] < 0 || uintr_register_sender(fd[i], 0) != i)
			return __LINE__;
	} while (i++ < fd[0]);

	/* Registers other than those of the result stay as they are. */
	first = fd[0];
	asm volatile("syscall" : "=a" (ret), "+S" (flags)
		     : "0" (__NR_uintr_unregister_sender), "D" (first)
		     : "rcx", "r11", "memory");
	if (ret || flags)
		return __LINE__;
	/* So index 0 is free, and only that. */
	if (uintr_register_sender(first, 0) != 0)
		return __LINE__;
	while (i--)
		close(fd[i]);
	return uintr_unregister_handler(0) ? __LINE__ : 0;
}

static int uipi;
static volatile bool blocks;

static void *wake_main(void *arg)
{
	(void)arg;
	while (!blocks)
		sched_yield();
	_senduipi(uipi);
	return NULL;
}

/* Another thread sends, before or while this one is in uintr_wait(). */
static long woken(void)
{
	pthread_t thread;
	int fd;

	handled = 0;
	if (uintr_register_handler(handler, 0))
		return __LINE__;
	fd = uintr_create_fd(63, 0);
	uipi = uintr_register_sender(fd, 0);
	if (pthread_create(&thread, NULL, wake_main, NULL))
		return __LINE__;
	_clui();
	blocks = true;
	while (!handled) {
		syscall(__NR_uintr_wait, 0);
		_stui();
		_clui();
	}
	_stui();
	pthread_join(thread, NULL);
	close(fd);
	return uintr_unregister_handler(0) ? __LINE__ : 0;
}

static volatile sig_atomic_t signals;

static void on_signal(int signal)
{
	(void)signal;
	signals++;
}

int main(int argc, char **argv)
{
	int fds[2];

	if (argc < 2) {
		execlp("uintr-renumber", "uintr-renumber", argv[0], RUN, NULL);
		perror("uintr-renumber");
		return 1;
	}
	if (!strcmp(argv[1], EXEC))
		return all_calls() & 0xff;

	result(all_calls(), 0, "the six calls");
	result(in_thread(), 0, "the six calls in a second thread");
	result(in_child(all_calls), 0, "the six calls in a child");
	result(in_child(in_thread), 0, "the six calls in a child's thread");
	result(in_child(after_exec), 0, "the six calls after exec");
	result(by_fd(), 0, "senders are unregistered by the fd");
	result(woken(), 0, "uintr_wait: another thread wakes it");

	/* Errors are those of the calls, too. */
	result(uintr_create_fd(1, 0) < 0 ? errno : 0, EINVAL,
	       "uintr_create_fd without a handler: EINVAL");
	result(uintr_register_handler(NULL, 0) < 0 ? errno : 0, EFAULT,
	       "uintr_register_handler without an address: EFAULT");
	result(syscall(448, -1, 0) < 0 ? errno : 0, EBADF,
	       "the number below is another call as before");
	result(syscall(__NR_uintr_register_handler + 22, NULL, 0) < 0 ? errno : 0,
	       EFAULT, "new numbers work as well");

	signal(SIGUSR1, on_signal);
	kill(getpid(), SIGUSR1);
	result(signals, 1, "signals reach the program");
	result(pipe(fds), 0, "other calls are not touched");

	printf("1..%u\n", tests);
	return failures ? 1 : 0;
}
