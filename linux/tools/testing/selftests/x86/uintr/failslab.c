// SPDX-License-Identifier: GPL-2.0
/*
 * Every allocation that a system call makes fails once: the call returns an
 * error, leaves nothing behind, and works the next time.
 */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mount.h>

#include "fds.h"
#include "memory.h"
#include "ring.h"

#define DEBUGFS	"/sys/kernel/debug"

static long injected;

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool ok;

	if (fd < 0)
		return false;
	ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return ok;
}

/* Also of allocations that may sleep, quietly, and only when asked to */
static bool setup_kind(const char *kind)
{
	static const char *const setting[][2] = {
		{ "ignore-gfp-wait", "0" }, { "verbose", "0" },
		{ "probability", "0" }, { "times", "-1" },
	};
	char path[128];
	int i;

	for (i = 0; i < (int)ARRAY_SIZE(setting); i++) {
		snprintf(path, sizeof(path), DEBUGFS "/%s/%s", kind, setting[i][0]);
		if (!write_file(path, setting[i][1]))
			return false;
	}
	return true;
}

static bool setup_injection(void)
{
	mount("debugfs", DEBUGFS, "debugfs", 0, NULL);
	/* Not every kernel has this one, too. */
	if (setup_kind("fail_page_alloc"))
		write_file(DEBUGFS "/fail_page_alloc/min-order", "0");
	return setup_kind("failslab") && write_file("/proc/thread-self/fail-nth", "0");
}

static int fail_nth_fd = -1;

static void set_fail_nth(int n)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", n);
	WANT(pwrite(fail_nth_fd, text, strlen(text), 0), strlen(text));
}

/* How many allocations it is to the failure, 0 if it has happened */
static int get_fail_nth(void)
{
	char text[16] = "";

	WANT(pread(fail_nth_fd, text, sizeof(text) - 1, 0) > 0, true);
	return atoi(text);
}

/*
 * Let @call fail at its first, second, ... allocation, until it gets through.
 * It may succeed although an allocation failed that it can do without.
 */
static long __fail_each(long (*call)(void), const char *name)
{
	long ret;
	int n;

	fail_nth_fd = WANT_OK(open("/proc/thread-self/fail-nth", O_RDWR));
	for (n = 1;; n++) {
		int left;

		set_fail_nth(n);
		errno = 0;
		ret = call();
		left = get_fail_nth();
		set_fail_nth(0);
		if (left)
			break;
		injected++;
		if (ret >= 0)
			break;
		if (errno != ENOMEM && errno != ENFILE && errno != EAGAIN)
			ksft_print_msg("%s at allocation %d: wanted ENOMEM, got %s\n",
				       name, n, strerror(errno));
		WANT(errno == ENOMEM || errno == ENFILE || errno == EAGAIN, true);
	}
	close(fail_nth_fd);
	WANT(ret >= 0, true);
	return ret;
}

#define fail_each(call)	__fail_each(call, #call)

static int fd, event, bound;
static struct ring ring;

static long do_register_handler(void)
{
	return uintr_register_handler(count_handler, 0);
}

static long do_create_fd(void)
{
	return uintr_create_fd(3, 0);
}

static long do_create_event(void)
{
	return uintr_create_fd(5, UINTR_FD_EVENT);
}

static long do_register_sender(void)
{
	return uintr_register_sender(fd, 0);
}

static long do_register_event_sender(void)
{
	return uintr_register_sender(event, 0);
}

static long do_register_self(void)
{
	return uintr_register_self(7, 0);
}

static long do_bind(void)
{
	return uintr_bind(fd, bound, EPOLLIN, 0);
}

/* When it fails the two are bound as before. */
static long do_bind_again(void)
{
	long ret = do_bind();
	int error = errno;
	uint64_t one = 1;

	handled[3] = 0;
	WANT(write(bound, &one, sizeof(one)), sizeof(one));
	WAIT_UNTIL(handled[3]);
	errno = error;
	return ret;
}

static long do_ipi_fd(void)
{
	return uintr_ipi_fd(0);
}

static long do_register_ring(void)
{
	long ret = ring_register(&ring, IORING_REGISTER_UINTR, &fd, 1);

	/* The kernel may lack it. */
	return ret < 0 && errno == EINVAL ? 0 : ret;
}

static int table_fd;

static long do_adopt(void)
{
	return ioctl(table_fd, UIPI_SET_TARGET_TABLE);
}

/* Its error is a signal: there is no memory for the table's state. */
static long do_first_send(void)
{
	if (!senduipi_try(0))
		return 0;
	errno = ENOMEM;
	return -1;
}

static void *send_first(void *arg)
{
	fail_each(do_first_send);
	return NULL;
}

static void adopt(void)
{
	fail_each(do_adopt);
	WANT(senduipi_try(0), 0);
}

/* All calls that allocate, and everything works in the end. */
static void everything(void)
{
	uint64_t one = 1, posted;
	int self, sender;

	bound = WANT_OK(eventfd(0, EFD_NONBLOCK));
	ring_setup(&ring, 4, 0);
	fail_each(do_register_handler);
	_stui();
	fd = fail_each(do_create_fd);
	sender = fail_each(do_register_sender);
	event = fail_each(do_create_event);
	fail_each(do_register_event_sender);
	self = fail_each(do_register_self);
	fail_each(do_bind);
	fail_each(do_bind_again);
	table_fd = fail_each(do_ipi_fd);
	fail_each(do_register_ring);
	pthread_join(start(send_first, NULL), NULL);

	WAIT_UNTIL(handled[3]);
	WANT(sender, 0);
	WANT(senduipi_try(1), 0);
	WANT(read(event, &posted, sizeof(posted)), sizeof(posted));
	WANT(senduipi_try(self), 0);
	WAIT_UNTIL(handled[7]);
	handled[3] = 0;
	WANT(write(bound, &one, sizeof(one)), sizeof(one));
	WAIT_UNTIL(handled[3]);
	WANT(run_in_child(adopt), 0);
	WANT(uintr_unregister_handler(0), 0);
}

static volatile long *total;

static void in_process(void)
{
	injected = 0;
	everything();
	*total += injected;
}

static void one_process(void)
{
	WANT(run_in_child(in_process), 0);
}

/* 10,000 failures, one after the other, leave no memory behind */
TEST(each_allocation)
{
	long wanted = nr_rounds(500, 10000), rounds;

	if (!setup_injection())
		SKIP(return, "no CONFIG_FAILSLAB with debugfs");
	total = shared_memory(4096);
	one_process();
	ksft_print_msg("%ld allocations fail in one round\n", *total);
	WANT(*total > 10, true);
	rounds = wanted / *total + 1;
	*total = 0;
	want_no_leak(one_process, rounds, 600 + rounds / 10);
	WANT(*total >= wanted, true);
}

static void exit_while_failing(void)
{
	int f;

	WANT(uintr_register_handler(count_handler, 0), 0);
	fd = WANT_OK(uintr_create_fd(3, 0));
	WANT_OK(uintr_register_sender(fd, 0));
	bound = WANT_OK(eventfd(0, 0));
	WANT(uintr_bind(fd, bound, EPOLLIN, 0), 0);
	f = WANT_OK(open("/proc/thread-self/fail-nth", O_RDWR));
	fail_nth_fd = f;
	set_fail_nth(1 + rand() % 4);
	/* Teardown must not depend on memory. */
}

static void one_exit(void)
{
	WANT(run_in_child(exit_while_failing), 0);
}

/* Exit with the next allocations failing: nothing is left behind */
TEST(exit_path)
{
	if (!setup_injection())
		SKIP(return, "no CONFIG_FAILSLAB with debugfs");
	want_no_leak(one_exit, nr_rounds(100, 2000), 600);
}

TEST_HARNESS_MAIN
