// SPDX-License-Identifier: GPL-2.0
/* Completions of io_uring as user interrupts. */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>

#include "fds.h"
#include "ring.h"

static struct ring ring;
static volatile long completed;
static volatile uint64_t sum;

/* Several completions may share an interrupt, so take all there are. */
static UINTR_HANDLER(drain_handler, frame, vector)
{
	struct io_uring_cqe cqe;

	while (ring_complete(&ring, &cqe)) {
		completed++;
		sum += cqe.user_data;
	}
	handled[vector]++;
}

static const struct io_uring_sqe nop = { .opcode = IORING_OP_NOP, .user_data = 1 };

static int receiver(void)
{
	WANT(uintr_register_handler(drain_handler, 0), 0);
	return WANT_OK(uintr_create_fd(3, 0));
}

/* Whether the kernel has the opcodes; they come with a patch of their own. */
static bool have_native(void)
{
	int fd = -1;

	return ring_register(&ring, IORING_REGISTER_UINTR, &fd, 1) < 0 &&
	       errno == EBADF;
}

/* Register and unregister: errors of every misuse */
TEST(register_errors)
{
	int fd, event, other, bad = -1;

	ring_setup(&ring, 8, 0);
	if (!have_native())
		SKIP(return, "no IORING_REGISTER_UINTR");
	fd = receiver();
	event = WANT_OK(uintr_create_fd(3, UINTR_FD_EVENT));
	other = eventfd(0, 0);
	WANT_ERRNO(ring_register(&ring, IORING_UNREGISTER_UINTR, NULL, 0), ENXIO);
	WANT_ERRNO(ring_register(&ring, IORING_REGISTER_UINTR, &fd, 0), EINVAL);
	WANT_ERRNO(ring_register(&ring, IORING_REGISTER_UINTR, &fd, 2), EINVAL);
	WANT_ERRNO(ring_register(&ring, IORING_REGISTER_UINTR, (void *)8, 1), EFAULT);
	WANT_ERRNO(ring_register(&ring, IORING_REGISTER_UINTR, &bad, 1), EBADF);
	WANT_ERRNO(ring_register(&ring, IORING_REGISTER_UINTR, &other, 1), EINVAL);
	WANT_ERRNO(ring_register(&ring, IORING_REGISTER_UINTR, &event, 1), EINVAL);
	WANT(ring_register(&ring, IORING_REGISTER_UINTR, &fd, 1), 0);
	WANT_ERRNO(ring_register(&ring, IORING_REGISTER_UINTR, &fd, 1), EBUSY);
	WANT_ERRNO(ring_register(&ring, IORING_UNREGISTER_UINTR, &fd, 1), EINVAL);
	WANT(ring_register(&ring, IORING_UNREGISTER_UINTR, NULL, 0), 0);
	WANT_ERRNO(ring_register(&ring, IORING_UNREGISTER_UINTR, NULL, 0), ENXIO);
	WANT(ring_register(&ring, IORING_REGISTER_UINTR, &fd, 1), 0);
}

static void submit_and_drain(bool sqpoll)
{
	struct timespec before, after;
	long i;

	_stui();
	clock_gettime(CLOCK_MONOTONIC, &before);
	for (i = 1; i <= 500; i++) {
		ring_submit(&ring, &nop, sqpoll);
		WAIT_UNTIL(completed == i);
		alive();
	}
	clock_gettime(CLOCK_MONOTONIC, &after);
	WANT(sum, 500);
	WANT(handled[3] <= 500, true);
	ksft_print_msg("%ld ns from submission to completion\n",
		       ((after.tv_sec - before.tv_sec) * 1000000000 +
			after.tv_nsec - before.tv_nsec) / 500);
}

/* Each completion posts, in time to be drained by the handler */
TEST(native)
{
	int fd;

	ring_setup(&ring, 8, 0);
	if (!have_native())
		SKIP(return, "no IORING_REGISTER_UINTR");
	fd = receiver();
	WANT(ring_register(&ring, IORING_REGISTER_UINTR, &fd, 1), 0);
	submit_and_drain(false);
}

/* The same when a kernel thread takes what is submitted */
TEST(native_sqpoll)
{
	int fd;

	/* The kernel thread is a child of a receiver then. */
	fd = receiver();
	ring_setup(&ring, 8, IORING_SETUP_SQPOLL);
	if (!have_native())
		SKIP(return, "no IORING_REGISTER_UINTR");
	WANT(ring_register(&ring, IORING_REGISTER_UINTR, &fd, 1), 0);
	submit_and_drain(true);
}

/* The uintr fd may be closed: the ring keeps it */
TEST(native_fd_closed)
{
	int fd;

	ring_setup(&ring, 8, 0);
	if (!have_native())
		SKIP(return, "no IORING_REGISTER_UINTR");
	fd = receiver();
	WANT(ring_register(&ring, IORING_REGISTER_UINTR, &fd, 1), 0);
	close(fd);
	submit_and_drain(false);
	WANT_ERRNO(uintr_create_fd(3, 0), EBUSY);
}

/* Unregistered: completions do not post any more */
TEST(native_unregister)
{
	int fd, i;

	ring_setup(&ring, 8, 0);
	if (!have_native())
		SKIP(return, "no IORING_REGISTER_UINTR");
	fd = receiver();
	_stui();
	WANT(ring_register(&ring, IORING_REGISTER_UINTR, &fd, 1), 0);
	ring_submit(&ring, &nop, false);
	WAIT_UNTIL(completed == 1);
	WANT(ring_register(&ring, IORING_UNREGISTER_UINTR, NULL, 0), 0);
	ring_submit(&ring, &nop, false);
	for (i = 0; i < 100; i++)
		sched_yield();
	WANT(completed, 1);
}

/* Stock io_uring: registered eventfd that is bound */
TEST(bound_eventfd)
{
	int uintr, fd = eventfd(0, 0);

	ring_setup(&ring, 8, 0);
	uintr = receiver();
	WANT(ring_register(&ring, IORING_REGISTER_EVENTFD, &fd, 1), 0);
	WANT(uintr_bind(uintr, fd, EPOLLIN, 0), 0);
	submit_and_drain(false);
}

/* The same with a kernel thread */
TEST(bound_eventfd_sqpoll)
{
	int uintr, fd = eventfd(0, 0);

	ring_setup(&ring, 8, IORING_SETUP_SQPOLL);
	uintr = receiver();
	WANT(ring_register(&ring, IORING_REGISTER_EVENTFD, &fd, 1), 0);
	WANT(uintr_bind(uintr, fd, EPOLLIN, 0), 0);
	submit_and_drain(true);
}

/* Stock io_uring: the ring's own fd is bound */
TEST(bound_ring)
{
	int uintr;

	ring_setup(&ring, 8, IORING_SETUP_SQPOLL);
	uintr = receiver();
	WANT(uintr_bind(uintr, ring.fd, EPOLLIN, 0), 0);
	submit_and_drain(true);
}

/* A ring whose completions wait until its owner asks for them */
static void setup_deferred(void)
{
	ring_setup(&ring, 8, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
}

static int pipe_fds[2];

static void *write_byte(void *arg)
{
	WANT(write(pipe_fds[1], "", 1), 1);
	return NULL;
}

/* The owner, busy in user mode, is told that it has to ask. */
static void read_deferred(void)
{
	struct io_uring_cqe cqe;
	pthread_t thread;
	char byte;

	WANT(pipe(pipe_fds), 0);
	_stui();
	ring_submit(&ring, &(struct io_uring_sqe){
		.opcode = IORING_OP_READ, .fd = pipe_fds[0], .len = 1,
		.addr = (uintptr_t)&byte }, false);
	WANT(handled[3], 0);
	thread = start(write_byte, NULL);
	SPIN_UNTIL(handled[3]);
	_clui();
	WANT(ring_enter(&ring, 0, 0, IORING_ENTER_GETEVENTS), 0);
	WANT(ring_complete(&ring, &cqe), true);
	pthread_join(thread, NULL);
}

/* Deferred completions: the ring itself cannot be bound, it would be silent */
TEST(KA3_deferred_bound)
{
	setup_deferred();
	WANT_ERRNO(uintr_bind(receiver(), ring.fd, EPOLLIN, 0), EPERM);
}

/* Deferred completions: a bound eventfd works */
TEST(deferred_bound_eventfd)
{
	int fd = eventfd(0, 0);

	setup_deferred();
	WANT(ring_register(&ring, IORING_REGISTER_EVENTFD, &fd, 1), 0);
	WANT(uintr_bind(receiver(), fd, EPOLLIN, 0), 0);
	read_deferred();
}

/* Deferred completions: a registered uintr fd works */
TEST(deferred_native)
{
	int fd;

	setup_deferred();
	if (!have_native())
		SKIP(return, "no IORING_REGISTER_UINTR");
	fd = receiver();
	WANT(ring_register(&ring, IORING_REGISTER_UINTR, &fd, 1), 0);
	read_deferred();
}

#define BLOCK	4096
#define BLOCKS	64

/* Reads of a file that worker threads do, while the submitter computes */
TEST(reads)
{
	static char data[BLOCKS][BLOCK];
	int fd, file, i;

	ring_setup(&ring, BLOCKS, 0);
	if (!have_native())
		SKIP(return, "no IORING_REGISTER_UINTR");
	fd = receiver();
	WANT(ring_register(&ring, IORING_REGISTER_UINTR, &fd, 1), 0);
	file = WANT_OK(open("/tmp/reads", O_RDWR | O_CREAT | O_TRUNC, 0600));
	for (i = 0; i < BLOCKS; i++) {
		memset(data[i], i + 1, BLOCK);
		WANT(write(file, data[i], BLOCK), BLOCK);
		memset(data[i], 0, BLOCK);
	}
	_stui();
	for (i = 0; i < BLOCKS; i++)
		ring_submit(&ring, &(struct io_uring_sqe){
			.opcode = IORING_OP_READ, .flags = IOSQE_ASYNC,
			.fd = file, .off = (uint64_t)i * BLOCK, .len = BLOCK,
			.addr = (uintptr_t)data[i], .user_data = i }, false);
	WAIT_UNTIL(completed == BLOCKS);
	WANT(sum, BLOCKS * (BLOCKS - 1) / 2);
	for (i = 0; i < BLOCKS; i++) {
		WANT(data[i][0], i + 1);
		WANT(data[i][BLOCK - 1], i + 1);
	}
}

static void receive_in_child(void)
{
	send_fd(peer, receiver());
	hear_peer();
}

/* The receiver has exited: completions do not harm anybody */
TEST(receiver_exits)
{
	pid_t pid = start_peer(receive_in_child);
	int fd = receive_fd(peer), i;
	struct io_uring_cqe cqe;

	ring_setup(&ring, 64, 0);
	if (!have_native())
		SKIP(return, "no IORING_REGISTER_UINTR");
	WANT(ring_register(&ring, IORING_REGISTER_UINTR, &fd, 1), 0);
	close(fd);
	ring_submit(&ring, &nop, false);
	tell_peer();
	WANT(join_child(pid), 0);
	for (i = 0; i < 50; i++)
		ring_submit(&ring, &nop, false);
	for (i = 0; i < 51; i++)
		WANT(ring_complete(&ring, &cqe), true);
}

static void exit_with_ring(void)
{
	int fd;

	ring_setup(&ring, 8, IORING_SETUP_SQPOLL);
	fd = receiver();
	WANT(ring_register(&ring, IORING_REGISTER_UINTR, &fd, 1), 0);
	_stui();
	ring_submit(&ring, &nop, true);
}

/* Exit with requests under way */
TEST(exit_with_requests)
{
	int i;

	ring_setup(&ring, 8, 0);
	if (!have_native())
		SKIP(return, "no IORING_REGISTER_UINTR");
	for (i = 0; i < 20; i++)
		WANT(run_in_child(exit_with_ring), 0);
}

TEST_HARNESS_MAIN
