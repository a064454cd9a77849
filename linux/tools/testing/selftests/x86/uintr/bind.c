// SPDX-License-Identifier: GPL-2.0
/* uintr_bind(): what can be polled posts to a vector. */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include "waiter.h"

/* Make this thread a receiver; returns the fd of vector 3. */
static int receiver(void)
{
	WANT(uintr_register_handler(count_handler, 0), 0);
	_stui();
	return WANT_OK(uintr_create_fd(3, 0));
}

static void signal_eventfd(int fd)
{
	uint64_t one = 1;

	WANT(write(fd, &one, sizeof(one)), sizeof(one));
}

static void drain(int fd)
{
	char buffer[64];

	WANT(read(fd, buffer, sizeof(buffer)) > 0, true);
}

static void wait_handled(uint64_t count)
{
	WAIT_UNTIL(handled[3] >= count);
	WANT(handled[3], count);
}

/* Nothing comes, as far as can be seen. */
static void want_no_more(uint64_t count)
{
	int i;

	for (i = 0; i < 100; i++) {
		sched_yield();
		WANT(handled[3], count);
	}
}

/* eventfd: each write posts, drained or not */
TEST(event_fd)
{
	int uintr = receiver(), fd = eventfd(0, EFD_NONBLOCK), i;

	WANT(uintr_bind(uintr, fd, EPOLLIN, 0), 0);
	want_no_more(0);
	for (i = 1; i <= 200; i++) {
		signal_eventfd(fd);
		wait_handled(i);
		if (i & 1)
			drain(fd);
	}
}

/* timerfd: each expiry posts */
TEST(timer_fd)
{
	struct itimerspec period = {
		.it_value.tv_nsec = 1000000, .it_interval.tv_nsec = 1000000,
	};
	int uintr = receiver(), fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), i;
	uint64_t expired;

	WANT(uintr_bind(uintr, fd, EPOLLIN, 0), 0);
	WANT(timerfd_settime(fd, 0, &period, NULL), 0);
	for (i = 1; i <= 20; i++) {
		WAIT_UNTIL(handled[3] >= (uint64_t)i);
		/* Nobody may have come here for several periods. */
		if (read(fd, &expired, sizeof(expired)) < 0)
			WANT(errno, EAGAIN);
	}
}

/* pipe: data posts, and so does the end of the writer */
TEST(pipe_end)
{
	int uintr = receiver(), fd[2], i;

	WANT(pipe(fd), 0);
	WANT(uintr_bind(uintr, fd[0], EPOLLIN, 0), 0);
	for (i = 1; i <= 50; i++) {
		WANT(write(fd[1], "x", 1), 1);
		wait_handled(i);
		drain(fd[0]);
	}
	/* EPOLLHUP is always on. */
	close(fd[1]);
	WAIT_UNTIL(handled[3] > 50);
}

static void test_socket(int type)
{
	int uintr = receiver(), fd[2], i;

	WANT(socketpair(AF_UNIX, type, 0, fd), 0);
	WANT(uintr_bind(uintr, fd[0], EPOLLIN, 0), 0);
	for (i = 1; i <= 50; i++) {
		uint64_t before = handled[3];

		WANT(write(fd[1], "x", 1), 1);
		WAIT_UNTIL(handled[3] > before);
		drain(fd[0]);
	}
}

/* socket: data posts */
TEST(stream_socket)
{
	test_socket(SOCK_STREAM);
}

TEST(datagram_socket)
{
	test_socket(SOCK_DGRAM);
}

/* What is ready already posts at once */
TEST(at_once)
{
	int uintr = receiver(), fd = eventfd(1, EFD_NONBLOCK);

	WANT(uintr_bind(uintr, fd, EPOLLIN, 0), 0);
	wait_handled(1);
	/* An edge: it is still readable, but nothing has happened. */
	want_no_more(1);
}

/* Only the events that were asked for, and EPOLLERR and EPOLLHUP */
TEST(events)
{
	int uintr = receiver(), fd[2];

	WANT(pipe(fd), 0);
	WANT(uintr_bind(uintr, fd[0], EPOLLPRI, 0), 0);
	WANT(write(fd[1], "x", 1), 1);
	want_no_more(0);
	close(fd[1]);
	WAIT_UNTIL(handled[3]);
}

/* EPOLLOUT: room posts, at once and when it is made */
TEST(event_out)
{
	int uintr = receiver(), fd = eventfd(0, EFD_NONBLOCK);
	uint64_t most = 0xfffffffffffffffeull;

	WANT(uintr_bind(uintr, fd, EPOLLOUT, 0), 0);
	wait_handled(1);
	WANT(write(fd, &most, sizeof(most)), sizeof(most));
	want_no_more(1);
	drain(fd);
	wait_handled(2);
}

/* The same pair again changes the events, and there is still one binding */
TEST(change)
{
	int uintr = receiver(), fd = eventfd(0, EFD_NONBLOCK);

	WANT(uintr_bind(uintr, fd, EPOLLPRI, 0), 0);
	signal_eventfd(fd);
	want_no_more(0);
	WANT(uintr_bind(uintr, fd, EPOLLIN, 0), 0);
	wait_handled(1);
	signal_eventfd(fd);
	wait_handled(2);
	WANT(uintr_bind(uintr, fd, 0, 0), 0);
	WANT_ERRNO(uintr_bind(uintr, fd, 0, 0), ENOENT);
}

/* Events 0 undo it: nothing comes any more, and a second time is ENOENT */
TEST(removal)
{
	int uintr = receiver(), fd = eventfd(0, EFD_NONBLOCK);

	WANT_ERRNO(uintr_bind(uintr, fd, 0, 0), ENOENT);
	WANT(uintr_bind(uintr, fd, EPOLLIN, 0), 0);
	signal_eventfd(fd);
	wait_handled(1);
	WANT(uintr_bind(uintr, fd, 0, 0), 0);
	signal_eventfd(fd);
	want_no_more(1);
	WANT_ERRNO(uintr_bind(uintr, fd, 0, 0), ENOENT);
}

/* Every misuse has its errno */
TEST(errors)
{
	int uintr = receiver(), fd = eventfd(0, 0), file;
	int event = WANT_OK(uintr_create_fd(3, UINTR_FD_EVENT));

	WANT_ERRNO(uintr_bind(uintr, fd, EPOLLIN, 1), EINVAL);
	WANT_ERRNO(uintr_bind(-1, -1, EPOLLIN, 1), EINVAL);
	WANT_ERRNO(uintr_bind(uintr, fd, EPOLLIN | EPOLLET, 0), EINVAL);
	WANT_ERRNO(uintr_bind(uintr, fd, EPOLLIN | 0x8000, 0), EINVAL);
	WANT_ERRNO(uintr_bind(-1, fd, EPOLLIN, 0), EBADF);
	WANT_ERRNO(uintr_bind(uintr, -1, EPOLLIN, 0), EBADF);
	WANT_ERRNO(uintr_bind(uintr, -1, 0, 0), EBADF);
	WANT_ERRNO(uintr_bind(fd, fd, EPOLLIN, 0), EOPNOTSUPP);
	WANT_ERRNO(uintr_bind(event, fd, EPOLLIN, 0), EINVAL);
	file = WANT_OK(open("/tmp/bind", O_RDWR | O_CREAT, 0600));
	WANT_ERRNO(uintr_bind(uintr, file, EPOLLIN, 0), EPERM);
	WANT_ERRNO(uintr_bind(uintr, uintr, EPOLLIN, 0), EPERM);
	WANT(uintr_unregister_handler(0), 0);
	WANT_ERRNO(uintr_bind(uintr, fd, EPOLLIN, 0), ESHUTDOWN);
}

/* A binding is the fd object's: a dup of either is the same */
TEST(dup_is_same)
{
	int uintr = receiver(), fd = eventfd(0, EFD_NONBLOCK);

	WANT(uintr_bind(uintr, fd, EPOLLIN, 0), 0);
	WANT(uintr_bind(dup(uintr), dup(fd), 0, 0), 0);
	WANT_ERRNO(uintr_bind(uintr, fd, 0, 0), ENOENT);
}

/* The bound file stays open although its fd is closed, until it is unbound */
TEST(holds_file)
{
	int uintr = receiver(), fd[2];

	signal(SIGPIPE, SIG_IGN);
	WANT(pipe(fd), 0);
	WANT(uintr_bind(uintr, fd[0], EPOLLIN, 0), 0);
	close(fd[0]);
	WANT(write(fd[1], "x", 1), 1);
	wait_handled(1);
	/* The last close of the uintr fd ends it. */
	close(uintr);
	WANT_ERRNO(write(fd[1], "x", 1), EPIPE);
}

/* Unregistering the handler ends all bindings, the uintr fd may stay open */
TEST(unregister_ends)
{
	int uintr = receiver(), fd[2];

	signal(SIGPIPE, SIG_IGN);
	WANT(pipe(fd), 0);
	WANT(uintr_bind(uintr, fd[0], EPOLLIN, 0), 0);
	close(fd[0]);
	WANT(uintr_unregister_handler(0), 0);
	WANT_ERRNO(write(fd[1], "x", 1), EPIPE);
}

static int thread_pipe[2], thread_uintr = -1;

static void *bind_and_exit(void *arg)
{
	thread_uintr = receiver();
	WANT(uintr_bind(thread_uintr, thread_pipe[0], EPOLLIN, 0), 0);
	close(thread_pipe[0]);
	WANT(write(thread_pipe[1], "x", 1), 1);
	return NULL;
}

/* So does the exit of the receiving thread */
TEST(exit_ends)
{
	signal(SIGPIPE, SIG_IGN);
	WANT(pipe(thread_pipe), 0);
	pthread_join(start(bind_and_exit, NULL), NULL);
	/* The thread may still be in exit when pthread_join() returns. */
	WAIT_UNTIL(write(thread_pipe[1], "x", 1) < 0);
	WANT(errno, EPIPE);
	close(thread_uintr);
}

static void *make_cycle(void *arg)
{
	int *writer = arg, pair[2], uintr = receiver();

	WANT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	WANT(uintr_bind(uintr, pair[1], EPOLLIN, 0), 0);
	/* Each keeps the other: the binding the socket, the message the fd. */
	send_fd(pair[0], uintr);
	send_fd(pair[0], *writer);
	close(*writer);
	close(uintr);
	close(pair[0]);
	close(pair[1]);
	return NULL;
}

/* A socket that is bound and carries the uintr fd goes with the receiver */
TEST(scm_rights_cycle)
{
	struct pollfd p = { .events = POLLIN };
	int fd[2];

	WANT(pipe(fd), 0);
	pthread_join(start(make_cycle, &fd[1]), NULL);
	/* The pipe has no writer any more once the message is gone. */
	p.fd = fd[0];
	AWAIT("the end of a socket that is in a cycle", WANT(poll(&p, 1, -1), 1));
	WANT(p.revents & POLLHUP, POLLHUP);
}

/* One vector for many fds, one fd for many vectors */
TEST(many)
{
	int uintr[8], fd[40], i;

	WANT(uintr_register_handler(count_handler, 0), 0);
	_stui();
	for (i = 0; i < 8; i++)
		uintr[i] = WANT_OK(uintr_create_fd(i, 0));
	for (i = 0; i < 40; i++) {
		fd[i] = eventfd(0, EFD_NONBLOCK);
		WANT(uintr_bind(uintr[3], fd[i], EPOLLIN, 0), 0);
	}
	for (i = 0; i < 40; i++) {
		signal_eventfd(fd[i]);
		wait_handled(i + 1);
	}
	for (i = 0; i < 8; i++)
		WANT(uintr_bind(uintr[i], fd[0], i == 3 ? 0 : EPOLLOUT, 0), 0);
	WANT(handled[3], 40);
	for (i = 0; i < 8; i++)
		WAIT_UNTIL(i == 3 || handled[i] == 1);
}

/* No more bindings than fds may be open: who closes them keeps no more files */
TEST(limit)
{
	int uintr = receiver(), i, fd;
	struct rlimit limit = { 32, 32 };

	WANT(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (i = 0; i < 33; i++) {
		fd = WANT_OK(eventfd(0, 0));
		if (i < 32) {
			WANT(uintr_bind(uintr, fd, EPOLLIN, 0), 0);
			/* The same again takes no place. */
			WANT(uintr_bind(uintr, fd, EPOLLIN, 0), 0);
			close(fd);
		}
	}
	WANT_ERRNO(uintr_bind(uintr, fd, EPOLLIN, 0), EMFILE);
	/* A new receiver has none yet. */
	WANT(uintr_unregister_handler(0), 0);
	WANT(uintr_bind(receiver(), fd, EPOLLIN, 0), 0);
}

static int shared_eventfd;

static void other_receiver(void)
{
	int uintr = receiver();

	WANT(uintr_bind(uintr, shared_eventfd, EPOLLIN, 0), 0);
	tell_peer();
	WAIT_UNTIL(handled[3]);
}

/* Receivers in two processes are bound to one eventfd: both get it */
TEST(two_receivers)
{
	int uintr = receiver();
	pid_t pid;

	shared_eventfd = eventfd(0, EFD_NONBLOCK);
	WANT(uintr_bind(uintr, shared_eventfd, EPOLLIN, 0), 0);
	pid = start_peer(other_receiver);
	hear_peer();
	signal_eventfd(shared_eventfd);
	WANT(join_child(pid), 0);
	wait_handled(1);
}

static void child_writes(void)
{
	signal_eventfd(shared_eventfd);
	WANT(handled[3], 0);
}

/* fork: what the child does posts to the parent */
TEST(fork_child)
{
	int uintr = receiver();

	shared_eventfd = eventfd(0, EFD_NONBLOCK);
	WANT(uintr_bind(uintr, shared_eventfd, EPOLLIN, 0), 0);
	WANT(run_in_child(child_writes), 0);
	wait_handled(1);
}

/* uintr_wait() is ended by it */
TEST(wakes_wait)
{
	int fd = eventfd(0, EFD_NONBLOCK), i;

	for (i = 0; i < 2; i++) {
		struct waiter w = { .uif = i, .call = wait_unlimited };

		start_waiter(&w);
		WANT(uintr_bind(w.fd, fd, EPOLLIN, 0), 0);
		signal_eventfd(fd);
		join_waiter(&w);
		WANT(w.error, EINTR);
		WANT(w.handled_at_return, i);
		drain(fd);
	}
}

/* epoll fd: what is ready in the set posts */
TEST(epoll_fd)
{
	int uintr = receiver(), epoll = epoll_create1(0), fd = eventfd(0, EFD_NONBLOCK);
	struct epoll_event event = { .events = EPOLLIN };

	WANT(uintr_bind(uintr, epoll, EPOLLIN, 0), 0);
	WANT(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
	signal_eventfd(fd);
	WAIT_UNTIL(handled[3]);
}

/* An event fd of ours posts to a handler */
TEST(uintr_event_fd)
{
	int uintr = receiver(), event = WANT_OK(uintr_create_fd(5, UINTR_FD_EVENT));
	uint64_t posted, before;
	int index = WANT_OK(uintr_register_sender(event, 0)), i;

	WANT(uintr_bind(uintr, event, EPOLLIN, 0), 0);
	for (i = 0; i < 20; i++) {
		before = handled[3];
		_senduipi(index);
		WAIT_UNTIL(handled[3] > before);
		WANT(read(event, &posted, sizeof(posted)), sizeof(posted));
		WANT(posted, 1 << 5);
	}
}

static void bind_signalfd(void)
{
	int uintr = receiver(), fd;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	WANT(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	fd = WANT_OK(signalfd(-1, &set, SFD_NONBLOCK));
	WANT(uintr_bind(uintr, fd, EPOLLIN, 0), 0);
	WANT(kill(getpid(), SIGUSR1), 0);
	WAIT_UNTIL(handled[3]);
	/* Its queue goes with the process's signal handlers, before the file. */
}

/* signalfd: posts, and the wait queue may go before the file */
TEST(signal_fd)
{
	int i;

	for (i = 0; i < 50; i++)
		WANT(run_in_child(bind_signalfd), 0);
}

static volatile bool stop;

static void *write_for_ever(void *arg)
{
	while (!load(stop)) {
		uint64_t one = 1;

		if (write(shared_eventfd, &one, sizeof(one)) < 0)
			WANT(errno, EAGAIN);
		if (read(shared_eventfd, &one, sizeof(one)) < 0)
			WANT(errno, EAGAIN);
	}
	return NULL;
}

/* Binding, unbinding and closing while others wake the file's pollers */
TEST(race)
{
	pthread_t thread[2];
	long i;

	shared_eventfd = eventfd(0, EFD_NONBLOCK);
	for (i = 0; i < 2; i++)
		thread[i] = start(write_for_ever, NULL);
	for (i = 0; i < nr_rounds(500, 20000) || !handled[3]; i++) {
		int uintr = receiver();

		WANT(uintr_bind(uintr, shared_eventfd, EPOLLIN, 0), 0);
		if (i % 3 == 0)
			WANT(uintr_bind(uintr, shared_eventfd, 0, 0), 0);
		if (i & 1)
			close(uintr);
		WANT(uintr_unregister_handler(0), 0);
		if (!(i & 1))
			close(uintr);
		alive();
	}
	store(stop, true);
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
}

TEST_HARNESS_MAIN
