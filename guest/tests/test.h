/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small test harness. Every TEST() is one behaviour. It runs in a process
 * of its own, fails with "wanted X, got Y", and becomes one line of TAP.
 */
#ifndef TEST_H
#define TEST_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>

#include "uintr-user.h"

#define MAX_TESTS	64
#define HUNG_AFTER	120	/* seconds; a test waits for what never comes */

static struct test {
	const char *name;
	void (*run)(void);
} tests[MAX_TESTS];
static int nr_tests;

#define TEST(id, text)							\
	static void id(void);						\
	static void __attribute__((constructor)) add_##id(void)	\
	{								\
		tests[nr_tests++] = (struct test){ text, id };		\
	}								\
	static void id(void)

#define EXPECT(got, wanted)						\
	expect((long)(got), (long)(wanted), #got, __FILE__, __LINE__)

static inline void expect(long got, long wanted, const char *what,
			  const char *file, int line)
{
	if (got == wanted)
		return;
	printf("# %s:%d: %s: wanted %ld (0x%lx), got %ld (0x%lx)\n",
	       strrchr(file, '/') ? strrchr(file, '/') + 1 : file, line, what,
	       wanted, wanted, got, got);
	fflush(stdout);
	_exit(1);
}

/* A system call must fail with this errno. */
#define EXPECT_ERRNO(call, wanted)					\
	do {								\
		errno = 0;						\
		EXPECT((call) < 0 ? errno : 0, wanted);			\
	} while (0)

#define load(x)		__atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define store(x, v)	__atomic_store_n(&(x), v, __ATOMIC_RELEASE)

/* Wait for another thread or for an interrupt; a hang ends the test. */
#define WAIT_UNTIL(condition)						\
	do {								\
		while (!(condition))					\
			sched_yield();					\
	} while (0)

static inline void pin_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	EXPECT(sched_setaffinity(0, sizeof(set), &set), 0);
	EXPECT(sched_getcpu(), cpu);
}

static inline pthread_t start(void *(*function)(void *), void *arg)
{
	pthread_t thread;

	EXPECT(pthread_create(&thread, NULL, function, arg), 0);
	return thread;
}

/* Runs in the child; its exit status is the result. */
static inline int run_in_child(void (*function)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		alarm(HUNG_AFTER);
		function();
		fflush(stdout);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	if (WIFSIGNALED(status))
		printf("# ended by signal %d%s\n", WTERMSIG(status),
		       WTERMSIG(status) == SIGALRM ? ", it hung" : "");
	return status;
}

/*
 * Execute SENDUIPI in its four-byte form, so that a signal handler can skip
 * it. Returns the signal that it raised, or 0.
 */
static volatile int senduipi_signal;
static volatile bool senduipi_at_rip;
extern char senduipi_insn[];

static inline void senduipi_fault(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)info;
	senduipi_signal = signal;
	senduipi_at_rip = uc->uc_mcontext.gregs[REG_RIP] ==
			  (long)senduipi_insn;
	uc->uc_mcontext.gregs[REG_RIP] = (long)senduipi_insn + 4;
}

static int __attribute__((noinline, unused)) senduipi_try(uint64_t index)
{
	struct sigaction action = {
		.sa_sigaction = senduipi_fault,
		.sa_flags = SA_SIGINFO,
	};

	EXPECT(sigaction(SIGILL, &action, NULL), 0);
	EXPECT(sigaction(SIGSEGV, &action, NULL), 0);
	senduipi_signal = 0;
	asm volatile(".globl senduipi_insn\nsenduipi_insn:\n\t"
		     ".byte 0xf3, 0x0f, 0xc7, 0xf0" : : "a" (index) : "memory");
	return senduipi_signal;
}

/* What most tests need: a handler that counts. */
static volatile uint64_t handled[UINTR_VECTORS];

static UINTR_HANDLER(count_handler, frame, vector)
{
	(void)frame;
	handled[vector]++;
}

/* Make this thread a receiver that sends to itself; returns the index. */
static inline int self_setup(int vector, int *fd)
{
	int index;

	EXPECT(uintr_register_handler(count_handler, 0), 0);
	*fd = uintr_create_fd(vector, 0);
	EXPECT(*fd >= 0, true);
	index = uintr_register_sender(*fd, 0);
	EXPECT(index >= 0, true);
	return index;
}

int main(int argc, char **argv)
{
	const char *program = strrchr(argv[0], '/');
	int failed = 0, i, status;

	program = program ? program + 1 : argv[0];
#ifdef TEST_ARGUMENT
	if (argc > 1)
		return TEST_ARGUMENT(argv[1]);
#else
	(void)argc;
#endif
	if (uintr_register_handler(NULL, 0) < 0 &&
	    (errno == ENOSYS || errno == EOPNOTSUPP)) {
		printf("ok 1 - %s # SKIP CPU or kernel without user interrupts\n",
		       program);
		return 0;
	}
	printf("TAP version 13\n1..%d\n", nr_tests);
	for (i = 0; i < nr_tests; i++) {
		status = run_in_child(tests[i].run);
		printf("%sok %d - %s: %s\n", status ? "not " : "", i + 1,
		       program, tests[i].name);
		failed |= status;
	}
	return !!failed;
}

#endif
