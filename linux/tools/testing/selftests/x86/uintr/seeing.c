// SPDX-License-Identifier: GPL-2.0
/* What the kernel shows about user interrupts. */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mount.h>

#include "waiter.h"

static bool file_has(const char *path, const char *word)
{
	FILE *f = fopen(path, "r");
	char line[4096];
	bool found = false;

	if (!f)
		ksft_print_msg("wanted the file %s, got %s\n", path, strerror(errno));
	WANT(f != NULL, true);
	while (!found && fgets(line, sizeof(line), f))
		found = strstr(line, word);
	fclose(f);
	return found;
}

/* /proc/cpuinfo has the flag uintr */
TEST(cpuinfo)
{
	WANT(file_has("/proc/cpuinfo", " uintr"), true);
}

/* The sum over all CPUs of a line of /proc/interrupts */
static uint64_t count_interrupts(const char *name)
{
	FILE *f = fopen("/proc/interrupts", "r");
	char line[1024], *p, *end;
	bool found = false;
	uint64_t sum = 0;

	WANT(f != NULL, true);
	while (!found && fgets(line, sizeof(line), f)) {
		p = strstr(line, name);
		if (!p)
			continue;
		found = true;
		for (p += strlen(name);; p = end) {
			uint64_t n = strtoull(p, &end, 10);

			if (end == p)
				break;
			sum += n;
		}
	}
	fclose(f);
	if (!found)
		ksft_print_msg("wanted the line %s in /proc/interrupts\n", name);
	WANT(found, true);
	return sum;
}

/* /proc/interrupts has the lines UIN and UIW */
TEST(interrupt_lines)
{
	count_interrupts("UIN:");
	count_interrupts("UIW:");
}

/* UIW counts each wake-up of a blocked thread, nothing else */
TEST(interrupts_wakes)
{
	struct waiter w = { .uif = true, .call = wait_unlimited, .rounds = 50 };
	uint64_t before;
	long i;

	start_waiter(&w);
	before = count_interrupts("UIW:");
	for (i = 1; i <= w.rounds; i++) {
		WAIT_OFF_CPU(getpid(), w.tid);
		_senduipi(w.index);
		WAIT_UNTIL(load(w.returned) == i);
	}
	join_waiter(&w);
	WANT(count_interrupts("UIW:") - before, 50);
}

/* UIW counts the wake-ups of event fds, too */
TEST(interrupts_event_fd)
{
	int fd = WANT_OK(uintr_create_fd(3, UINTR_FD_EVENT)), epoll = epoll_create1(0), i;
	struct epoll_event event = { .events = EPOLLIN };
	uint64_t before, posted;

	WANT(uintr_register_sender(fd, 0), 0);
	WANT(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
	before = count_interrupts("UIW:");
	for (i = 0; i < 20; i++) {
		_senduipi(0);
		WANT(epoll_wait(epoll, &event, 1, -1), 1);
		WANT(read(fd, &posted, sizeof(posted)), sizeof(posted));
	}
	WANT(count_interrupts("UIW:") - before <= 20, true);
	WANT(count_interrupts("UIW:") - before > 0, true);
}

/* fdinfo of a uintr fd has its vector */
TEST(fdinfo)
{
	char path[64];
	int fd;

	WANT(uintr_register_handler(count_handler, 0), 0);
	fd = WANT_OK(uintr_create_fd(41, 0));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	WANT(file_has(path, "user_vector:41\n"), true);
	WANT(file_has(path, "uintr_pending:"), false);
}

/* fdinfo of an event fd has its vector and what is pending */
TEST(fdinfo_event)
{
	int fd = WANT_OK(uintr_create_fd(41, UINTR_FD_EVENT));
	uint64_t posted;
	char path[64];

	WANT(uintr_register_sender(fd, 0), 0);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	WANT(file_has(path, "user_vector:41\n"), true);
	WANT(file_has(path, "uintr_pending:0\n"), true);
	_senduipi(0);
	WANT(file_has(path, "uintr_pending:20000000000\n"), true);
	WANT(read(fd, &posted, sizeof(posted)), sizeof(posted));
	WANT(file_has(path, "uintr_pending:0\n"), true);
}

static bool status_has(pid_t tid, const char *line)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d/arch_status", tid);
	return file_has(path, line);
}

/* arch_status of who does not use the feature says nothing of it */
TEST(status_none)
{
	WANT(status_has(getpid(), "uintr_"), false);
}

/* arch_status of a sender: no handler, and how many connections */
TEST(status_sender)
{
	int i;

	for (i = 0; i < 3; i++)
		WANT(uintr_register_sender(uintr_create_fd(i, UINTR_FD_EVENT), 0), i);
	WANT(status_has(getpid(), "uintr_handler:\tno\n"), true);
	WANT(status_has(getpid(), "uintr_senders:\t3\n"), true);
}

/* arch_status of a receiver: flags and vectors */
TEST(status_receiver)
{
	WANT(uintr_register_handler(count_handler, RESTART), 0);
	WANT_OK(uintr_create_fd(0, 0));
	WANT_OK(uintr_create_fd(41, 0));
	WANT(status_has(getpid(), "uintr_handler:\tyes\n"), true);
	WANT(status_has(getpid(), "uintr_flags:\t0x5000\n"), true);
	WANT(status_has(getpid(), "uintr_vectors:\t0000020000000001\n"), true);
	WANT(status_has(getpid(), "uintr_senders:\t0\n"), true);
	WANT(uintr_unregister_handler(0), 0);
	WANT(status_has(getpid(), "uintr_handler:\tno\n"), true);
}

static int status_fd;

static void read_status_as_other(void)
{
	char text[512];

	WANT(setgid(1000), 0);
	WANT(setuid(1000), 0);
	WANT_ERRNO(read(status_fd, text, sizeof(text)), EACCES);
}

/* arch_status of who uses the feature is not for other users */
TEST(status_other_user)
{
	char path[64];

	if (getuid())
		SKIP(return, "only root can become another user");
	snprintf(path, sizeof(path), "/proc/%d/arch_status", getpid());
	status_fd = WANT_OK(open(path, O_RDONLY));
	WANT(uintr_register_handler(count_handler, 0), 0);
	WANT(run_in_child(read_status_as_other), 0);
}

static volatile bool stop;
static volatile pid_t live_tid;

static void *stay_live(void *arg)
{
	WANT(uintr_register_handler(count_handler, 0), 0);
	pin_to(nr_cpus() - 1);
	store(live_tid, gettid());
	while (!load(stop))
		__builtin_ia32_pause();
	return NULL;
}

/* arch_status: a receiver that runs is live, at least whenever it is on its CPU */
TEST(status_live)
{
	pthread_t thread = start(stay_live, NULL);

	WAIT_UNTIL(load(live_tid));
	pin_to(0);
	WAIT_UNTIL(status_has(live_tid, "uintr_state:\tlive\n"));
	store(stop, true);
	pthread_join(thread, NULL);
}

static int pipe_fd[2];

static long block_in_read(struct waiter *w)
{
	char c;

	return read(pipe_fd[0], &c, 1);
}

/* arch_status: a receiver that waits is armed */
TEST(status_armed)
{
	struct waiter w = { .uif = true, .call = wait_unlimited };

	start_waiter(&w);
	WAIT_UNTIL(status_has(w.tid, "uintr_state:\tarmed\n"));
	WANT(status_has(w.tid, "uintr_uif:\t1\n"), true);
	_senduipi(w.index);
	join_waiter(&w);
}

/* arch_status: one that blocks in another call is saved, with what is posted */
TEST(status_saved)
{
	struct waiter w = { .call = block_in_read };

	WANT(pipe(pipe_fd), 0);
	start_waiter(&w);
	WAIT_UNTIL(status_has(w.tid, "uintr_state:\tsaved\n"));
	WANT(status_has(w.tid, "uintr_uif:\t0\n"), true);
	WANT(status_has(w.tid, "uintr_posted:\t0000000000000000\n"), true);
	_senduipi(w.index);
	WANT(status_has(w.tid, "uintr_posted:\t0000000000000008\n"), true);
	WANT(write(pipe_fd[1], "x", 1), 1);
	join_waiter(&w);
	WANT(w.handled_at_end, 1);
}

#define TRACE	"/sys/kernel/tracing"

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

/* Run all that has a tracepoint. */
static void traced(void)
{
	struct waiter w = { .uif = true, .call = wait_unlimited };
	int fd, event = eventfd(0, EFD_NONBLOCK);
	uint64_t one = 1;

	WANT(uintr_register_handler(count_handler, 0), 0);
	fd = WANT_OK(uintr_create_fd(41, 0));
	WANT_OK(uintr_register_sender(fd, 0));
	WANT(uintr_bind(fd, event, EPOLLIN, 0), 0);
	WANT(write(event, &one, sizeof(one)), sizeof(one));
	start_waiter(&w);
	WAIT_OFF_CPU(getpid(), w.tid);
	_senduipi(w.index);
	join_waiter(&w);
	WANT(uintr_unregister_handler(0), 0);
}

/* Tracepoints uintr:* are there, and record what happens */
TEST(tracepoints)
{
	static const char *const wanted[] = {
		"uintr_register: handler=", "uintr_connect: index=0 vector=41",
		"uintr_post: vector=41", "uintr_arm: pid=", "uintr_wake: pid=",
		"uintr_merge: ", "uintr_unregister: dropped=",
	};
	int i;

	mount("tracefs", TRACE, "tracefs", 0, NULL);
	if (access(TRACE "/events", R_OK))
		SKIP(return, "no tracefs, see CONFIG_FTRACE");
	WANT(access(TRACE "/events/uintr/uintr_spurious", R_OK), 0);
	WANT(write_file(TRACE "/trace", ""), true);
	WANT(write_file(TRACE "/events/uintr/enable", "1"), true);
	traced();
	WANT(write_file(TRACE "/events/uintr/enable", "0"), true);
	for (i = 0; i < (int)ARRAY_SIZE(wanted); i++) {
		if (!file_has(TRACE "/trace", wanted[i])) {
			ksft_print_msg("wanted '%s' in the trace, got none\n", wanted[i]);
			WANT(true, false);
		}
	}
}

TEST_HARNESS_MAIN
