// SPDX-License-Identifier: GPL-2.0
/* The cgroup freezer stops and thaws receivers. */
#include <sys/mount.h>
#include <sys/stat.h>

#include "fds.h"

#define MOUNT	"/tmp/uintr-cgroup"
#define GROUP	MOUNT "/frozen"

static void write_file(const char *path, const char *text)
{
	int fd = WANT_OK(open(path, O_WRONLY));

	WANT(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static bool is_frozen(void)
{
	char text[256] = "";
	int fd = WANT_OK(open(GROUP "/cgroup.events", O_RDONLY));

	WANT(read(fd, text, sizeof(text) - 1) > 0, true);
	close(fd);
	return strstr(text, "frozen 1");
}

static void set_frozen(bool on)
{
	write_file(GROUP "/cgroup.freeze", on ? "1" : "0");
	WAIT_UNTIL(is_frozen() == on);
}

static void put_into_group(pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	write_file(GROUP "/cgroup.procs", text);
}

FIXTURE(freezer)
{
};

FIXTURE_SETUP(freezer)
{
	mkdir(MOUNT, 0755);
	if (mount("cgroup2", MOUNT, "cgroup2", 0, NULL) && errno != EBUSY)
		SKIP(_exit(KSFT_SKIP), "no cgroup2, see CONFIG_CGROUPS");
	WANT(mkdir(GROUP, 0755) == 0 || errno == EEXIST, true);
}

FIXTURE_TEARDOWN(freezer)
{
}

/* What the receiver does, and what it has done; shared with it. */
static struct shared {
	volatile uint64_t handled;
	volatile long returned;
} *shared;

static unsigned int flags;
static bool uif;
static long (*block)(void);

static UINTR_HANDLER(shared_handler, frame, vector)
{
	shared->handled++;
}

static long block_wait(void)
{
	return uintr_wait(0, 0);
}

static long block_read(void)
{
	char c;

	return read(peer, &c, 1);
}

static void receive(void)
{
	WANT(uintr_register_handler(shared_handler, flags), 0);
	send_fd(peer, WANT_OK(uintr_create_fd(3, 0)));
	if (uif)
		_stui();
	for (;;) {
		WANT_ERRNO(block(), EINTR);
		shared->returned++;
		/* With UIF 0 it stays pending until here. */
		_stui();
		if (!uif)
			_clui();
	}
}

static uint64_t wakes(void)
{
	FILE *f = fopen("/proc/interrupts", "r");
	uint64_t sum = 0;
	char line[1024];

	while (fgets(line, sizeof(line), f)) {
		char *p = strstr(line, "UIW:"), *end;
		uint64_t n;

		for (p = p ? p + 4 : NULL; p; p = end) {
			n = strtoull(p, &end, 10);
			if (end == p)
				break;
			sum += n;
		}
	}
	fclose(f);
	return sum;
}

/*
 * Post to a receiver that is blocked, then frozen: nothing until it thaws.
 * A frozen thread sleeps in a way that could be taken for a blocking call.
 */
static void frozen_receiver(void)
{
	uint64_t before, rounds = 20, i;
	pid_t pid;
	int fd, k;

	shared = shared_memory(4096);
	pid = start_peer(receive);
	fd = receive_fd(peer);
	WANT(uintr_register_sender(fd, 0), 0);
	put_into_group(pid);
	for (i = 1; i <= rounds; i++) {
		WAIT_UNTIL(thread_state(pid, pid) == 'S');
		if (i & 1) {
			set_frozen(true);
			before = wakes();
			_senduipi(0);
		} else {
			/* The post and the freezer race. */
			_senduipi(0);
			set_frozen(true);
			before = wakes();
		}
		for (k = 0; k < 200; k++) {
			sched_yield();
			WANT(is_frozen(), true);
		}
		/* Woken again and again it would burn its CPU. */
		WANT(wakes() - before <= 2, true);
		if (i & 1)
			WANT(shared->handled, i - 1);
		set_frozen(false);
		WAIT_UNTIL(shared->handled == i);
		WAIT_UNTIL(shared->returned >= (long)i);
	}
	WANT(kill(pid, SIGKILL), 0);
	WANT(WTERMSIG(join_child(pid)), SIGKILL);
}

/* Blocked in uintr_wait(), UIF 0 */
TEST_F(freezer, wait_uif_0)
{
	block = block_wait;
	frozen_receiver();
}

/* Blocked in uintr_wait(), UIF 1 */
TEST_F(freezer, wait_uif_1)
{
	uif = true;
	block = block_wait;
	frozen_receiver();
}

/* Blocked in uintr_wait(), and woken from anything */
TEST_F(freezer, wait_waiting)
{
	uif = true;
	flags = WAITING;
	block = block_wait;
	frozen_receiver();
}

/* Blocked in another system call */
TEST_F(freezer, read_waiting)
{
	uif = true;
	flags = WAITING;
	block = block_read;
	frozen_receiver();
}

static void receive_running(void)
{
	WANT(uintr_register_handler(shared_handler, flags), 0);
	send_fd(peer, WANT_OK(uintr_create_fd(3, 0)));
	_stui();
	for (;;)
		__builtin_ia32_pause();
}

/* Running when it is frozen: what is posted meanwhile arrives after the thaw */
TEST_F(freezer, running)
{
	uint64_t i;
	pid_t pid;
	int fd, k;

	shared = shared_memory(4096);
	flags = WAITING;
	pid = start_peer(receive_running);
	fd = receive_fd(peer);
	WANT(uintr_register_sender(fd, 0), 0);
	put_into_group(pid);
	for (i = 1; i <= 20; i++) {
		set_frozen(true);
		_senduipi(0);
		for (k = 0; k < 200; k++) {
			sched_yield();
			WANT(is_frozen(), true);
			WANT(shared->handled, i - 1);
		}
		set_frozen(false);
		WAIT_UNTIL(shared->handled == i);
	}
	/* Killed while it is frozen, with something pending. */
	set_frozen(true);
	_senduipi(0);
	WANT(kill(pid, SIGKILL), 0);
	WANT(WTERMSIG(join_child(pid)), SIGKILL);
	set_frozen(false);
}

TEST_HARNESS_MAIN
