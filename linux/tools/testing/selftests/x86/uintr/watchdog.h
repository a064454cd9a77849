/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A watchdog in every process of a test. The harness can only say that a test
 * hung; this says what it was waiting for. It counts from the last progress,
 * so that a test may take as long as it has something to do.
 */
#ifndef SELFTEST_UINTR_WATCHDOG_H
#define SELFTEST_UINTR_WATCHDOG_H

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/* The harness's own limit is only for what kills the watchdog. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	(6 * 3600)

static const char *volatile awaited = "nothing in particular";
static volatile unsigned long progress;
static unsigned int hung_after = 120;

/* Wait in @statement; a hang is reported as @what. */
#define AWAIT(what, statement)						\
	do {								\
		const char *__before = awaited;				\
									\
		awaited = what;						\
		statement;						\
		awaited = __before;					\
	} while (0)

/* Wait for another thread, or for an interrupt. */
#define WAIT_UNTIL(condition)						\
	AWAIT(#condition, ({						\
		while (!(condition))					\
			sched_yield();					\
	}))

/* The same without system calls, for who must not be late. */
#define SPIN_UNTIL(condition)						\
	AWAIT(#condition, ({						\
		unsigned int __n = 0;					\
									\
		while (!(condition)) {					\
			if (!(++__n & 0xfff))				\
				sched_yield();				\
		}							\
	}))

/* A round has been done. */
static inline void alive(void)
{
	if (!(++progress & 63))
		alarm(hung_after);
}

/* Print one file of /proc, each line as a comment. */
static inline void watchdog_print(const char *path)
{
	FILE *f = fopen(path, "r");
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		dprintf(STDOUT_FILENO, "#   %s: %s", path, line);
	if (f)
		fclose(f);
}

static inline void watchdog_barks(int signal)
{
	DIR *threads = opendir("/proc/self/task");
	struct dirent *entry;
	char path[300];

	dprintf(STDOUT_FILENO,
		"# %s: hung for %u s after %lu rounds: wanted %s, got nothing\n",
		program_invocation_short_name, hung_after, progress, awaited);
	while (threads && (entry = readdir(threads))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%s/stat", entry->d_name);
		watchdog_print(path);
		snprintf(path, sizeof(path), "/proc/self/task/%s/arch_status",
			 entry->d_name);
		watchdog_print(path);
	}
	_exit(1);
}

/* The harness forks for each test, and tests do, too. */
static inline void watchdog_start(void)
{
	signal(SIGALRM, watchdog_barks);
	alarm(hung_after);
}

static void __attribute__((constructor)) watchdog_setup(void)
{
	const char *limit = getenv("UINTR_TIMEOUT");

	if (limit)
		hung_after = atoi(limit);
	pthread_atfork(NULL, NULL, watchdog_start);
}

#endif
