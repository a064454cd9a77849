// SPDX-License-Identifier: GPL-2.0
/* A receiver that dumps its core is left in peace. */
#include <sys/stat.h>

#include "fds.h"

#define PATTERN	"/proc/sys/kernel/core_pattern"

/* Gets the core, but reads it only when it is told to. */
static const char dumper[] =
	"#!/bin/busybox sh\n"
	"> /tmp/dumper.started\n"
	"read go < /tmp/dumper.go\n"
	"cat > /tmp/dumper.core\n"
	"> /tmp/dumper.done\n";

static void write_file(const char *path, const char *text)
{
	int fd = WANT_OK(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0700));

	WANT(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static void receive_and_dump(void)
{
	/* Does not fit into the pipe. */
	char *large = shared_memory(1 << 20);

	memset(large, 1, 1 << 20);
	WANT(uintr_register_handler(count_handler, WAITING), 0);
	send_fd(peer, WANT_OK(uintr_create_fd(3, 0)));
	_stui();
	raise(SIGQUIT);
}

/* Returns the size of a core that is dumped while @sends interrupts come. */
static long dump(int sends)
{
	struct stat core;
	int fd, i, index;
	pid_t pid;

	unlink("/tmp/dumper.started");
	unlink("/tmp/dumper.done");
	pid = start_peer(receive_and_dump);
	index = WANT_OK(uintr_register_sender(receive_fd(peer), 0));
	WAIT_UNTIL(exists("/tmp/dumper.started"));
	WAIT_UNTIL(strchr("SZ", thread_state(pid, pid)));
	for (i = 0; i < sends; i++) {
		_senduipi(index);
		sched_yield();
	}
	AWAIT("the dumper", fd = WANT_OK(open("/tmp/dumper.go", O_WRONLY)));
	WANT(write(fd, "\n", 1), 1);
	close(fd);
	WANT(WTERMSIG(join_child(pid)), SIGQUIT);
	WAIT_UNTIL(exists("/tmp/dumper.done"));
	WANT(stat("/tmp/dumper.core", &core), 0);
	return core.st_size;
}

/* A user interrupt does not end the dump, although it ends other writes */
TEST(goes_on)
{
	char pattern[128] = "";
	long without, with;
	int fd;

	fd = WANT_OK(open(PATTERN, O_RDONLY));
	WANT(read(fd, pattern, sizeof(pattern) - 1) > 0, true);
	write_file("/tmp/dumper", dumper);
	WANT(mkfifo("/tmp/dumper.go", 0600), 0);
	write_file(PATTERN, "|/tmp/dumper");
	without = dump(0);
	with = dump(100);
	write_file(PATTERN, pattern);
	WANT(without > 1 << 20, true);
	WANT(with, without);
}

TEST_HARNESS_MAIN
