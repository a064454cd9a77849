// SPDX-License-Identifier: GPL-2.0
/* Several fds for one vector, and how a receiver gets rid of one sender. */
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "event.h"
#include "ring.h"

static int shared_fd(int vector)
{
	return WANT_OK(uintr_create_fd(vector, UINTR_FD_SHARED));
}

/* A receiver of vector 3 with two fds, each with a connection: indexes 0, 1 */
static void setup(int fd[2])
{
	int i;

	WANT(uintr_register_handler(count_handler, 0), 0);
	for (i = 0; i < 2; i++) {
		fd[i] = shared_fd(3);
		WANT(uintr_register_sender(fd[i], 0), i);
	}
	_stui();
}

static void want_delivery(int index)
{
	uint64_t before = handled[3];

	_senduipi(index);
	WAIT_UNTIL(handled[3] == before + 1);
}

/* SHARED: all fds of a vector send to it, until each is closed */
TEST(shared)
{
	int fd[2];

	setup(fd);
	want_delivery(0);
	want_delivery(1);
	close(fd[0]);
	WANT(senduipi_try(0), SIGSEGV);
	want_delivery(1);
}

/* SHARED: the vector is free when the last fd is closed, not before */
TEST(shared_busy)
{
	int fd[2];

	setup(fd);
	WANT_ERRNO(uintr_create_fd(3, 0), EBUSY);
	close(fd[1]);
	WANT_ERRNO(uintr_create_fd(3, 0), EBUSY);
	close(fd[0]);
	fd[0] = WANT_OK(uintr_create_fd(3, 0));
	fd[1] = shared_fd(3);
	WANT_ERRNO(uintr_create_fd(3, 0), EBUSY);
}

/* SHARED: it is for vectors of a handler, and its errors are theirs */
TEST(shared_errors)
{
	WANT_ERRNO(uintr_create_fd(3, UINTR_FD_SHARED | UINTR_FD_EVENT), EINVAL);
	WANT_ERRNO(uintr_create_fd(64, UINTR_FD_SHARED), EINVAL);
	WANT(uintr_register_handler(count_handler, 0), 0);
	WANT_ERRNO(uintr_create_fd(64, UINTR_FD_SHARED), ENOSPC);
	WANT_ERRNO(uintr_create_fd(3, UINTR_FD_SHARED | UINTR_FD_CLOEXEC), EINVAL);
}

static int sleeper_fd[2], sleeper_pipe[2];

static void *sleep_as_receiver(void *arg)
{
	char c;

	WANT(uintr_register_handler(count_handler, 0), 0);
	sleeper_fd[0] = shared_fd(3);
	sleeper_fd[1] = shared_fd(3);
	_stui();
	store(*(pid_t *)arg, gettid());
	WANT(read(sleeper_pipe[0], &c, 1), 1);
	return NULL;
}

/* SHARED: closing one of several drops nothing that was posted */
TEST(KA4_shared_close_posted)
{
	pthread_t thread;
	pid_t tid = 0;

	WANT(pipe(sleeper_pipe), 0);
	thread = start(sleep_as_receiver, &tid);
	WAIT_UNTIL(load(tid));
	WANT(uintr_register_sender(sleeper_fd[0], 0), 0);
	WAIT_OFF_CPU(getpid(), tid);
	WANT(senduipi_try(0), 0);
	close(sleeper_fd[1]);
	WANT(write(sleeper_pipe[1], "x", 1), 1);
	pthread_join(thread, NULL);
	WANT(handled[3], 1);
}

/* Revoke: connections through this fd end, those through another go on */
TEST(revoke_one)
{
	int fd[2];

	setup(fd);
	WANT(ioctl(fd[0], UINTR_FD_REVOKE), 0);
	WANT(senduipi_try(0), SIGSEGV);
	want_delivery(1);
	WANT(ioctl(fd[0], UINTR_FD_REVOKE), 0);
}

static int given_fd;

/* The sender keeps its duplicate, and connects as often as it can. */
static void be_revoked(void)
{
	int index = WANT_OK(uintr_register_sender(given_fd, 0));

	WANT(senduipi_try(index), 0);
	tell_peer();
	hear_peer();
	WANT(senduipi_try(index), SIGSEGV);
	WANT_ERRNO(uintr_register_sender(given_fd, 0), ESHUTDOWN);
	WANT_ERRNO(uintr_register_sender(dup(given_fd), 0), ESHUTDOWN);
}

/* Revoke: another process cannot send any more, nor connect again */
TEST(KA5_revoke_other_process)
{
	int fd[2];
	pid_t pid;

	setup(fd);
	given_fd = fd[0];
	/* Its own index 0, not ours */
	pid = start_peer(be_revoked);
	hear_peer();
	WANT(ioctl(fd[0], UINTR_FD_REVOKE), 0);
	tell_peer();
	WANT(join_child(pid), 0);
	want_delivery(1);
}

static void revoke_others(void)
{
	WANT_ERRNO(ioctl(given_fd, UINTR_FD_REVOKE), EPERM);
}

/* Revoke: only the process that made the fd can, and any thread of it */
static void *revoke_in_thread(void *arg)
{
	WANT(ioctl(given_fd, UINTR_FD_REVOKE), 0);
	return NULL;
}

TEST(revoke_owner)
{
	int fd[2];

	setup(fd);
	given_fd = fd[0];
	WANT(run_in_child(revoke_others), 0);
	want_delivery(0);
	pthread_join(start(revoke_in_thread, NULL), NULL);
	WANT(senduipi_try(0), SIGSEGV);
}

static volatile int faults;
static volatile bool stop;

static void *send_for_ever(void *arg)
{
	while (!load(stop)) {
		if (senduipi_try(0) == SIGSEGV)
			faults++;
	}
	return NULL;
}

/* Revoke while another CPU sends: when it returns nothing comes any more */
TEST(revoke_race)
{
	int fd[2], i;

	setup(fd);
	for (i = 0; i < nr_rounds(20, 2000); i++) {
		pthread_t thread = start(send_for_ever, NULL);
		uint64_t before = handled[3];
		int given = shared_fd(3);

		WAIT_UNTIL(handled[3] > before);
		WANT(ioctl(fd[0], UINTR_FD_REVOKE), 0);
		before = handled[3];
		faults = 0;
		WAIT_UNTIL(faults > 10);
		WANT(handled[3], before);
		store(stop, true);
		pthread_join(thread, NULL);
		stop = false;
		close(fd[0]);
		fd[0] = given;
		WANT(uintr_register_sender(given, 0), 0);
		alive();
	}
}

/* Revoke: what was bound through it is not, and cannot be again */
TEST(KA5_revoke_bound)
{
	int fd[2], event = eventfd(0, 0);

	setup(fd);
	WANT(uintr_bind(fd[0], event, EPOLLIN, 0), 0);
	WANT(ioctl(fd[0], UINTR_FD_REVOKE), 0);
	WANT(write(event, &(uint64_t){ 1 }, 8), 8);
	WANT(handled[3], 0);
	WANT_ERRNO(uintr_bind(fd[0], event, EPOLLIN, 0), ESHUTDOWN);
	WANT(handled[3], 0);
}

/* Revoke: a ring that it is registered with posts no more */
TEST(KA6_revoke_ring)
{
	static const struct io_uring_sqe nop = { .opcode = IORING_OP_NOP };
	static struct ring ring;
	int fd[2];

	setup(fd);
	ring_setup(&ring, 8, 0);
	if (ring_register(&ring, IORING_REGISTER_UINTR, &fd[0], 1))
		SKIP(return, "no IORING_REGISTER_UINTR");
	ring_submit(&ring, &nop, false);
	WAIT_UNTIL(handled[3] == 1);
	WANT(ioctl(fd[0], UINTR_FD_REVOKE), 0);
	ring_submit(&ring, &nop, false);
	WANT(ring_enter(&ring, 0, 2, IORING_ENTER_GETEVENTS), 0);
	WANT(handled[3], 1);
}

/* Revoke an event fd: its senders go, what they have posted is to be read */
TEST(KA5_revoke_event)
{
	int fd = event_fd(3, UINTR_FD_NONBLOCK);
	uint64_t posted;

	WANT(uintr_register_sender(fd, 0), 0);
	_senduipi(0);
	WANT(ioctl(fd, UINTR_FD_REVOKE), 0);
	WANT(senduipi_try(0), SIGSEGV);
	WANT_ERRNO(uintr_register_sender(fd, 0), ESHUTDOWN);
	WANT(read_event(fd), 1 << 3);
	WANT_ERRNO(read(fd, &posted, sizeof(posted)), EAGAIN);
}

/* Other ioctls are EINVAL, for both kinds */
TEST(ioctl_unknown)
{
	int fd[2];

	setup(fd);
	WANT_ERRNO(ioctl(fd[0], UIPI_SET_TARGET_TABLE), EINVAL);
	WANT_ERRNO(ioctl(event_fd(3, 0), UIPI_SET_TARGET_TABLE), EINVAL);
}

TEST_HARNESS_MAIN
