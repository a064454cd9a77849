// SPDX-License-Identifier: GPL-2.0
/* Event fds: SENDUIPI makes them readable. */
#include <sys/epoll.h>
#include <sys/resource.h>

#include "event.h"

/* The fd is [uintrevent], blocking, read-only; no handler needed */
TEST(kind)
{
	char path[64], name[64] = "";
	int fd = event_fd(3, 0);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	WANT(readlink(path, name, sizeof(name) - 1) > 0, true);
	WANT(strcmp(name, "anon_inode:[uintrevent]"), 0);
	WANT(fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDONLY);
	WANT(fcntl(fd, F_GETFD), 0);
	WANT_ERRNO(write(fd, "12345678", 8), EBADF);
}

/* read: the bit of the vector, once however often it was posted */
TEST(read_clears)
{
	int fd = event_fd(41, UINTR_FD_NONBLOCK), i;
	uint64_t posted;

	WANT_ERRNO(read(fd, &posted, sizeof(posted)), EAGAIN);
	WANT(uintr_register_sender(fd, 0), 0);
	for (i = 0; i < 5; i++)
		_senduipi(0);
	WANT(read_event(fd), 1ull << 41);
	WANT_ERRNO(read(fd, &posted, sizeof(posted)), EAGAIN);
	_senduipi(0);
	WANT(read_event(fd), 1ull << 41);
}

/* read: less than 8 bytes is EINVAL and takes nothing, more is fine */
TEST(read_size)
{
	int fd = event_fd(3, UINTR_FD_NONBLOCK);
	uint64_t posted[4] = { 0 };

	WANT_ERRNO(read(fd, posted, 7), EINVAL);
	WANT(uintr_register_sender(fd, 0), 0);
	_senduipi(0);
	WANT_ERRNO(read(fd, posted, 7), EINVAL);
	WANT(read(fd, posted, sizeof(posted)), sizeof(posted[0]));
	WANT(posted[0], 1 << 3);
}

/* NONBLOCK and CLOEXEC: how the fd is opened, each by itself */
TEST(open_flags)
{
	int fd = WANT_OK(uintr_create_fd(3, UINTR_FD_EVENT | UINTR_FD_NONBLOCK));
	uint64_t posted;

	WANT_ERRNO(read(fd, &posted, sizeof(posted)), EAGAIN);
	WANT(fcntl(fd, F_GETFD), 0);
	fd = WANT_OK(uintr_create_fd(3, UINTR_FD_EVENT | UINTR_FD_CLOEXEC));
	WANT(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	WANT(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

/* Vector beyond 63 is ENOSPC, unknown flags are EINVAL */
TEST(errors)
{
	WANT_ERRNO(uintr_create_fd(64, UINTR_FD_EVENT), ENOSPC);
	WANT_ERRNO(uintr_create_fd(-1, UINTR_FD_EVENT), ENOSPC);
	WANT_ERRNO(uintr_create_fd(0, UINTR_FD_EVENT | 1), EINVAL);
	WANT_ERRNO(uintr_create_fd(0, UINTR_FD_EVENT | 0x80000000), EINVAL);
}

/* Several with the same vector are independent, and of the handler's vector too */
TEST(same_vector)
{
	int fd[3], handler_fd, index, i;

	index = self_setup(3, &handler_fd);
	_stui();
	for (i = 0; i < 3; i++) {
		fd[i] = event_fd(3, UINTR_FD_NONBLOCK);
		WANT(uintr_register_sender(fd[i], 0), i + 1);
	}
	_senduipi(2);
	WANT(readable(fd[0]), false);
	WANT(readable(fd[1]), true);
	WANT(readable(fd[2]), false);
	WANT(handled[3], 0);
	_senduipi(index);
	WAIT_UNTIL(handled[3]);
	WANT(readable(fd[0]), false);
}

/* register_sender: the same thread's second time is EISCONN, unregister works */
TEST(sender)
{
	int fd = event_fd(3, UINTR_FD_NONBLOCK);

	WANT(uintr_register_sender(fd, 0), 0);
	WANT_ERRNO(uintr_register_sender(fd, 0), EISCONN);
	WANT(uintr_unregister_sender(fd, 0), 0);
	WANT(senduipi_try(0), SIGSEGV);
	WANT(uintr_register_sender(fd, 0), 0);
	WANT(senduipi_try(0), 0);
	WANT(readable(fd), true);
}

/* Last close disconnects the senders */
TEST(K2_close)
{
	int fd = event_fd(3, 0), copy = dup(fd);

	WANT(uintr_register_sender(fd, 0), 0);
	close(fd);
	WANT(senduipi_try(0), 0);
	WANT(readable(copy), true);
	close(copy);
	WANT(senduipi_try(0), SIGSEGV);
}

/* poll: readable when something was posted, until it is read */
TEST(poll_state)
{
	int fd = event_fd(3, 0);

	WANT(uintr_register_sender(fd, 0), 0);
	WANT(readable(fd), false);
	_senduipi(0);
	WANT(readable(fd), true);
	WANT(readable(fd), true);
	read_event(fd);
	WANT(readable(fd), false);
}

struct reader {
	int fd;
	long (*wait)(int fd);
	pid_t tid;
	long result;
	bool ended;
};

static void *run_reader(void *arg)
{
	struct reader *r = arg;

	store(r->tid, gettid());
	r->result = r->wait(r->fd);
	store(r->ended, true);
	return NULL;
}

static pthread_t start_reader(struct reader *r)
{
	pthread_t thread = start(run_reader, r);

	WAIT_UNTIL(load(r->tid));
	WAIT_ASLEEP(r->tid);
	return thread;
}

static long wait_epoll(int fd)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int epoll = epoll_create1(0);

	WANT(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
	AWAIT("epoll_wait()", WANT(epoll_wait(epoll, &event, 1, -1), 1));
	close(epoll);
	return event.events & EPOLLIN;
}

/* SENDUIPI wakes a blocked read, poll and epoll_wait */
TEST(wakes)
{
	static long (*const wait[])(int) = { wait_read, wait_poll, wait_epoll };
	int fd = event_fd(3, 0), i;

	WANT(uintr_register_sender(fd, 0), 0);
	for (i = 0; i < (int)ARRAY_SIZE(wait); i++) {
		struct reader r = { .fd = fd, .wait = wait[i] };
		pthread_t thread = start_reader(&r);

		_senduipi(0);
		WAIT_UNTIL(load(r.ended));
		pthread_join(thread, NULL);
		WANT(r.result, i ? POLLIN : 1 << 3);
		if (i)
			read_event(fd);
	}
}

/* Closed while a read is blocked: the post still wakes it, then all is gone */
TEST(closed_while_blocked)
{
	int fd = event_fd(3, 0);
	struct reader r = { .fd = fd, .wait = wait_read };
	pthread_t thread;

	WANT(uintr_register_sender(fd, 0), 0);
	thread = start_reader(&r);
	close(fd);
	WANT(senduipi_try(0), 0);
	WAIT_UNTIL(load(r.ended));
	pthread_join(thread, NULL);
	WANT(r.result, 1 << 3);
	/* The read held the last reference. */
	WANT(senduipi_try(0), SIGSEGV);
}

#define POLLERS	12

/* One post wakes all who poll */
TEST(many_pollers)
{
	static struct reader r[POLLERS];
	int fd = event_fd(3, 0), i;
	pthread_t thread[POLLERS];

	WANT(uintr_register_sender(fd, 0), 0);
	for (i = 0; i < POLLERS; i++) {
		r[i].fd = fd;
		r[i].wait = i & 1 ? wait_poll : wait_epoll;
		thread[i] = start_reader(&r[i]);
	}
	_senduipi(0);
	for (i = 0; i < POLLERS; i++) {
		WAIT_UNTIL(load(r[i].ended));
		pthread_join(thread[i], NULL);
	}
}

/* One post lets one of several readers go on, the next post the next one */
TEST(many_readers)
{
	static struct reader r[POLLERS];
	pthread_t thread[POLLERS];
	int fd = event_fd(3, 0), i, n, ended;

	WANT(uintr_register_sender(fd, 0), 0);
	for (i = 0; i < POLLERS; i++) {
		r[i].fd = fd;
		r[i].wait = wait_read;
		thread[i] = start_reader(&r[i]);
	}
	for (n = 1; n <= POLLERS; n++) {
		_senduipi(0);
		do {
			for (i = 0, ended = 0; i < POLLERS; i++)
				ended += load(r[i].ended);
			sched_yield();
		} while (ended < n);
		WANT(ended, n);
	}
	for (i = 0; i < POLLERS; i++)
		pthread_join(thread[i], NULL);
}

/* epoll, level-triggered: reported until it is read */
TEST(epoll_level)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fd = event_fd(3, UINTR_FD_NONBLOCK), epoll = epoll_create1(0);

	WANT(uintr_register_sender(fd, 0), 0);
	WANT(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
	WANT(epoll_wait(epoll, &event, 1, 0), 0);
	_senduipi(0);
	WANT(epoll_wait(epoll, &event, 1, -1), 1);
	WANT(epoll_wait(epoll, &event, 1, 0), 1);
	read_event(fd);
	WANT(epoll_wait(epoll, &event, 1, 0), 0);
}

/* epoll, edge-triggered: reported once, and again after a read and a post */
TEST(epoll_edge)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int fd = event_fd(3, UINTR_FD_NONBLOCK), epoll = epoll_create1(0), i;

	WANT(uintr_register_sender(fd, 0), 0);
	WANT(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
	for (i = 0; i < 100; i++) {
		_senduipi(0);
		AWAIT("an edge", WANT(epoll_wait(epoll, &event, 1, -1), 1));
		WANT(epoll_wait(epoll, &event, 1, 0), 0);
		WANT(read_event(fd), 1 << 3);
	}
	WANT(epoll_wait(epoll, &event, 1, 0), 0);
}

/* epoll, edge-triggered: what was posted before it was added is reported */
TEST(epoll_edge_before)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int fd = event_fd(3, UINTR_FD_NONBLOCK), epoll = epoll_create1(0);

	WANT(uintr_register_sender(fd, 0), 0);
	_senduipi(0);
	WANT(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
	AWAIT("an edge", WANT(epoll_wait(epoll, &event, 1, -1), 1));
}

static int shared_fd;

static void child_reads_and_posts(void)
{
	WANT(read_event(shared_fd), 1 << 3);
	WANT(uintr_register_sender(shared_fd, 0), 0);
	WANT(senduipi_try(0), 0);
	/* Ends without unregistering. */
}

/* fork: the child can read and post, its end does not matter */
TEST(fork_child)
{
	pid_t pid;

	shared_fd = event_fd(3, 0);
	WANT(uintr_register_sender(shared_fd, 0), 0);
	pid = start_child(child_reads_and_posts);
	WAIT_UNTIL(thread_state(pid, pid) == 'S');
	_senduipi(0);
	WANT(join_child(pid), 0);
	WANT(read_event(shared_fd), 1 << 3);
	_senduipi(0);
	WANT(read_event(shared_fd), 1 << 3);
}

static void child_blocks(void)
{
	read_event(shared_fd);
	WANT(true, false);
}

/* A reader that is killed while it is blocked takes nothing away */
TEST(reader_killed)
{
	int i;

	shared_fd = event_fd(3, 0);
	WANT(uintr_register_sender(shared_fd, 0), 0);
	for (i = 0; i < 10; i++) {
		pid_t pid = start_child(child_blocks);

		WAIT_UNTIL(thread_state(pid, pid) == 'S');
		WANT(kill(pid, SIGKILL), 0);
		WANT(WTERMSIG(join_child(pid)), SIGKILL);
		_senduipi(0);
		WANT(read_event(shared_fd), 1 << 3);
	}
}

#define MANY		1000
#define PER_PROCESS	250

static int many[MANY];

/* A table has 256 entries, so several processes have to send. */
static void send_to_some(void)
{
	int i, first, index;

	AWAIT("the first fd", WANT(read(peer, &first, sizeof(first)), sizeof(first)));
	for (i = first; i < first + PER_PROCESS; i++) {
		index = WANT_OK(uintr_register_sender(many[i], 0));
		WANT(senduipi_try(index), 0);
	}
}

/* 1000 event fds in one epoll: each is reported, once */
TEST(thousand)
{
	struct rlimit limit = { MANY + 100, MANY + 100 };
	int epoll = epoll_create1(0), i, first;
	static bool reported[MANY];

	WANT(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (i = 0; i < MANY; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };

		many[i] = event_fd(i % UINTR_NR_VECTORS, O_NONBLOCK);
		WANT(epoll_ctl(epoll, EPOLL_CTL_ADD, many[i], &event), 0);
	}
	for (first = 0; first < MANY; first += PER_PROCESS) {
		pid_t pid = start_peer(send_to_some);

		WANT(write(peer, &first, sizeof(first)), sizeof(first));
		WANT(join_child(pid), 0);
		close(peer);
	}
	for (i = 0; i < MANY; i++) {
		struct epoll_event event;

		AWAIT("one of 1000 events", WANT(epoll_wait(epoll, &event, 1, -1), 1));
		WANT(reported[event.data.u32], false);
		reported[event.data.u32] = true;
		WANT(read_event(many[event.data.u32]),
		     1ull << event.data.u32 % UINTR_NR_VECTORS);
	}
	WANT(epoll_wait(epoll, &(struct epoll_event){ 0 }, 1, 0), 0);
}

TEST_HARNESS_MAIN
