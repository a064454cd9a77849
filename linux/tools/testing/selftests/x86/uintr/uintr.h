/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of user interrupts share, on top of the kselftest harness.
 *
 * Most tests have threads or processes that help, so the harness's ASSERT_*(),
 * which belong to the test's own function, are not enough: a WANT() that fails
 * ends the process it is in, wherever it is.
 */
#ifndef SELFTEST_UINTR_H
#define SELFTEST_UINTR_H

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>

#include "../../kselftest_harness.h"
#include "abi.h"
#include "watchdog.h"

#define WANT(got, wanted)						\
	want((long)(got), (long)(wanted), #got, __FILE__, __LINE__)

static inline void want(long got, long wanted, const char *what,
			const char *file, int line)
{
	if (got == wanted)
		return;
	ksft_print_msg("%s:%d: %s: wanted %ld (0x%lx), got %ld (0x%lx)\n",
		       file, line, what, wanted, wanted, got, got);
	fflush(stdout);
	_exit(KSFT_FAIL);
}

/* A system call must fail with this errno. */
#define WANT_ERRNO(call, wanted)					\
	do {								\
		errno = 0;						\
		WANT((call) < 0 ? errno : 0, wanted);			\
	} while (0)

/* One that returns something useful, or else says why not. */
#define WANT_OK(call)							\
	({								\
		long __ret;						\
									\
		errno = 0;						\
		__ret = (call);						\
		want(__ret < 0 ? errno : 0, 0, "errno of " #call,	\
		     __FILE__, __LINE__);				\
		__ret;							\
	})

#define load(x)		__atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define store(x, v)	__atomic_store_n(&(x), v, __ATOMIC_RELEASE)

/*
 * How much a test that hunts for races does. UINTR_ROUNDS is a number, or
 * "full" for what the project promises.
 */
static inline long nr_rounds(long quick, long full)
{
	const char *value = getenv("UINTR_ROUNDS");

	if (!value)
		return quick;
	return strcmp(value, "full") ? strtol(value, NULL, 0) : full;
}

/*
 * Spend some time, so that two threads meet in all ways: any time up to that
 * of a system call that blocks, short times as often as long ones.
 */
static inline void random_delay(void)
{
	static __thread uint32_t state = 1;
	volatile uint32_t n;

	state = state * 1664525 + 1013904223;
	for (n = (state >> 8) % 8192 >> (state >> 29); n; n--)
		;
}

static inline int nr_cpus(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN);
}

static inline void pin_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	WANT(sched_setaffinity(0, sizeof(set), &set), 0);
	WANT(sched_getcpu(), cpu);
}

static inline pthread_t start(void *(*function)(void *), void *arg)
{
	pthread_t thread;

	WANT(pthread_create(&thread, NULL, function, arg), 0);
	return thread;
}

/* Memory that parent and children share. */
static inline void *shared_memory(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	WANT(p == MAP_FAILED, false);
	return p;
}

static inline pid_t start_child(void (*function)(void))
{
	pid_t pid;

	fflush(stdout);
	pid = WANT_OK(fork());
	if (pid)
		return pid;
	function();
	fflush(stdout);
	_exit(KSFT_PASS);
}

/* The status of a child of ours when it has ended */
static inline int join_child(pid_t pid)
{
	int status;

	AWAIT("the end of a child", WANT(waitpid(pid, &status, 0), pid));
	return status;
}

static inline int run_in_child(void (*function)(void))
{
	return join_child(start_child(function));
}

/* A file of a thread in /proc; one that has just gone leaves it empty. */
static inline void thread_file(pid_t pid, pid_t tid, const char *name,
			       char *text, size_t size)
{
	ssize_t length = 0;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", pid, tid, name);
	fd = open(path, O_RDONLY);
	if (fd >= 0) {
		length = read(fd, text, size - 1);
		close(fd);
	}
	text[length > 0 ? length : 0] = 0;
}

/* The state letter of a thread: S is asleep, or about to be. */
static inline char thread_state(pid_t pid, pid_t tid)
{
	char text[512], *p;

	thread_file(pid, tid, "stat", text, sizeof(text));
	p = strrchr(text, ')');
	return p ? p[2] : 0;
}

#define WAIT_ASLEEP(tid)	WAIT_UNTIL(thread_state(getpid(), tid) == 'S')

/* Has it left its CPU, and stays away? The kernel waits for that to tell. */
static inline bool thread_off_cpu(pid_t pid, pid_t tid)
{
	char text[256];

	thread_file(pid, tid, "syscall", text, sizeof(text));
	return text[0] && text[0] != 'r';
}

/* Where being about to sleep is not enough */
#define WAIT_OFF_CPU(pid, tid)						\
	WAIT_UNTIL(thread_state(pid, tid) == 'S' && thread_off_cpu(pid, tid))

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

	WANT(sigaction(SIGILL, &action, NULL), 0);
	WANT(sigaction(SIGSEGV, &action, NULL), 0);
	senduipi_signal = 0;
	asm volatile(".globl senduipi_insn\nsenduipi_insn:\n\t"
		     ".byte 0xf3, 0x0f, 0xc7, 0xf0" : : "a" (index) : "memory");
	return senduipi_signal;
}

/* What most tests need: a handler that counts. */
static volatile uint64_t handled[UINTR_NR_VECTORS];

static UINTR_HANDLER(count_handler, frame, vector)
{
	handled[vector]++;
}

/* Make this thread a receiver that sends to itself; returns the index. */
static inline int self_setup(int vector, int *fd)
{
	WANT(uintr_register_handler(count_handler, 0), 0);
	*fd = WANT_OK(uintr_create_fd(vector, 0));
	return WANT_OK(uintr_register_sender(*fd, 0));
}

/* The same with all vectors; send with _senduipi(indexes[vector]). */
static int indexes[UINTR_NR_VECTORS];

static inline void setup_all_vectors(const void *handler)
{
	int i, fd;

	WANT(uintr_register_handler(handler, 0), 0);
	for (i = 0; i < UINTR_NR_VECTORS; i++) {
		fd = WANT_OK(uintr_create_fd(i, 0));
		indexes[i] = uintr_register_sender(fd, 0);
		WANT(indexes[i], i);
	}
}

static inline bool have_uintr(void)
{
	return uintr_register_handler(NULL, 0) == 0 || errno == EFAULT;
}

/* Before main(): no other test makes sense without user interrupts. */
static void __attribute__((constructor)) require_uintr(void)
{
	if (have_uintr() || !strcmp(program_invocation_short_name, "unsupported"))
		return;
	ksft_print_header();
	ksft_exit_skip("no user interrupts: wanted EFAULT from the kernel, got %s\n",
		       strerror(errno));
}

#endif
