// SPDX-License-Identifier: GPL-2.0
/*
 * A user interrupt ends any system call that blocks interruptibly, if the
 * handler was registered for it and UIF is 1.
 */
#include <linux/futex.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/un.h>
#include <time.h>

#include "ring.h"
#include "waiter.h"

/* What each call waits for; a write to the pipe makes it return 1. */
static int pipe_fd[2];
static uint32_t futex_word;
static struct timespec remaining;
static struct ring ring;

static long block_read(struct waiter *w)
{
	char c;

	return read(pipe_fd[0], &c, 1);
}

static void end_read(void)
{
	WANT(write(pipe_fd[1], "", 1), 1);
}

static long block_poll(struct waiter *w)
{
	struct pollfd p = { .fd = pipe_fd[0], .events = POLLIN };

	return poll(&p, 1, -1);
}

static long block_epoll(struct waiter *w)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fd = epoll_create1(0);
	long ret;

	WANT(epoll_ctl(fd, EPOLL_CTL_ADD, pipe_fd[0], &event), 0);
	ret = epoll_wait(fd, &event, 1, -1);
	/* close() must not change errno. */
	if (ret >= 0)
		close(fd);
	return ret;
}

static long block_futex(struct waiter *w)
{
	return syscall(SYS_futex, &futex_word, FUTEX_WAIT, 0, NULL, NULL, 0) ?: 1;
}

static void end_futex(void)
{
	store(futex_word, 1);
	WANT(syscall(SYS_futex, &futex_word, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
}

/* Nothing but a signal ends it. */
static long block_nanosleep(struct waiter *w)
{
	struct timespec hour = { .tv_sec = 3600 };

	return nanosleep(&hour, &remaining);
}

/* With a signal mask for the time of the call, which must be undone. */
static long with_mask(long (*call)(const sigset_t *mask))
{
	sigset_t mask, after;
	int error;
	long ret;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	ret = call(&mask);
	error = errno;
	WANT(pthread_sigmask(SIG_BLOCK, NULL, &after), 0);
	WANT(sigismember(&after, SIGUSR2), 0);
	errno = error;
	return ret;
}

static long ppoll_masked(const sigset_t *mask)
{
	struct pollfd p = { .fd = pipe_fd[0], .events = POLLIN };

	return ppoll(&p, 1, NULL, mask);
}

static long block_ppoll(struct waiter *w)
{
	return with_mask(ppoll_masked);
}

static long io_uring_masked(const sigset_t *mask)
{
	long ret = syscall(__NR_io_uring_enter, ring.fd, 0, 1, IORING_ENTER_GETEVENTS,
			   mask, 8);

	return ret ?: 1;
}

static long block_io_uring_mask(struct waiter *w)
{
	return with_mask(io_uring_masked);
}

static long block_pause(struct waiter *w)
{
	return pause();
}

static long block_io_uring(struct waiter *w)
{
	long ret = ring_enter(&ring, 0, 1, IORING_ENTER_GETEVENTS);

	return ret ?: 1;
}

static void end_io_uring(void)
{
	struct io_uring_sqe sqe = { .opcode = IORING_OP_NOP };

	ring_submit(&ring, &sqe, false);
}

/* Files cannot go while a request uses them. */
static long block_unregister_files(struct waiter *w)
{
	struct io_uring_sqe poll = { .opcode = IORING_OP_POLL_ADD,
		.flags = IOSQE_FIXED_FILE, .poll32_events = POLLIN };
	long ret;

	if (!w->returned) {
		WANT(ring_register(&ring, IORING_REGISTER_FILES, pipe_fd, 1), 0);
		ring_submit(&ring, &poll, false);
	}
	ret = ring_register(&ring, IORING_UNREGISTER_FILES, NULL, 0);
	return ret ?: 1;
}

static int listener;

static long block_accept(struct waiter *w)
{
	long ret = accept(listener, NULL, NULL);

	return ret < 0 ? ret : 1;
}

static void end_accept(void)
{
	struct sockaddr_un name;
	socklen_t size = sizeof(name);

	WANT(getsockname(listener, (struct sockaddr *)&name, &size), 0);
	WANT(connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&name, size), 0);
}

static pid_t pausing_child;

static long block_waitpid(struct waiter *w)
{
	long ret = waitpid(pausing_child, NULL, 0);

	return ret < 0 ? ret : 1;
}

static void end_waitpid(void)
{
	WANT(kill(pausing_child, SIGKILL), 0);
}

static void pause_for_ever(void)
{
	for (;;)
		pause();
}

FIXTURE(block)
{
};

FIXTURE_VARIANT(block)
{
	long (*call)(struct waiter *w);
	/* How it ends by itself, or NULL */
	void (*end)(void);
	/* Of those that SA_RESTART restarts */
	bool restarts;
};

FIXTURE_VARIANT_ADD(block, read) {
	.call = block_read, .end = end_read, .restarts = true,
};

FIXTURE_VARIANT_ADD(block, poll) {
	.call = block_poll, .end = end_read,
};

FIXTURE_VARIANT_ADD(block, ppoll) {
	.call = block_ppoll, .end = end_read,
};

FIXTURE_VARIANT_ADD(block, epoll_wait) {
	.call = block_epoll, .end = end_read,
};

FIXTURE_VARIANT_ADD(block, futex) {
	.call = block_futex, .end = end_futex, .restarts = true,
};

FIXTURE_VARIANT_ADD(block, accept) {
	.call = block_accept, .end = end_accept, .restarts = true,
};

FIXTURE_VARIANT_ADD(block, waitpid) {
	.call = block_waitpid, .end = end_waitpid, .restarts = true,
};

FIXTURE_VARIANT_ADD(block, nanosleep) {
	.call = block_nanosleep,
};

FIXTURE_VARIANT_ADD(block, pause) {
	.call = block_pause,
};

FIXTURE_VARIANT_ADD(block, io_uring_enter) {
	.call = block_io_uring, .end = end_io_uring,
};

FIXTURE_VARIANT_ADD(block, io_uring_enter_mask) {
	.call = block_io_uring_mask, .end = end_io_uring,
};

FIXTURE_VARIANT_ADD(block, io_uring_unregister) {
	.call = block_unregister_files, .end = end_read,
};

static void nothing(int signal)
{
}

FIXTURE_SETUP(block)
{
	struct sigaction action = { .sa_handler = nothing };

	WANT(pipe(pipe_fd), 0);
	ring_setup(&ring, 8, 0);
	if (variant->call == block_accept) {
		struct sockaddr_un any = { .sun_family = AF_UNIX };

		listener = WANT_OK(socket(AF_UNIX, SOCK_STREAM, 0));
		/* The kernel finds an abstract name. */
		WANT(bind(listener, (struct sockaddr *)&any, sizeof(any.sun_family)), 0);
		WANT(listen(listener, 1), 0);
	}
	if (variant->call == block_waitpid)
		pausing_child = start_child(pause_for_ever);
	/* Without SA_RESTART */
	WANT(sigaction(SIGUSR1, &action, NULL), 0);
}

FIXTURE_TEARDOWN(block)
{
	if (pausing_child)
		kill(pausing_child, SIGKILL);
}

/* It stays blocked, as far as can be seen. */
static void stays_blocked(struct waiter *w)
{
	int i;

	for (i = 0; i < 200; i++) {
		WANT(load(w->returned), 0);
		sched_yield();
	}
	WAIT_ASLEEP(w->tid);
	WANT(load(w->returned), 0);
}

/* Let it end in the normal way, or by a signal if there is none. */
static void end_normally(const struct _fixture_variant_block *variant, struct waiter *w)
{
	if (variant->end)
		variant->end();
	else
		pthread_kill(w->thread, SIGUSR1);
	join_waiter(w);
	WANT(w->result, variant->end ? 1 : -1);
}

/* UIF 1: ends with EINTR, and the handler has run before it returns */
TEST_F(block, K3_uif_1)
{
	struct waiter w = { .uif = true, .flags = WAITING, .call = variant->call };

	start_waiter(&w);
	_senduipi(w.index);
	join_waiter(&w);
	WANT(w.result, -1);
	WANT(w.error, EINTR);
	WANT(w.handled_at_return, 1);
	/* What is left of an hour. */
	if (variant->call == block_nanosleep)
		WANT(remaining.tv_sec > 0, true);
}

/* WAITING_SENDER is the same */
TEST_F(block, waiting_sender)
{
	struct waiter w = { .uif = true, .call = variant->call,
		.flags = UINTR_HANDLER_FLAG_WAITING_SENDER };

	start_waiter(&w);
	_senduipi(w.index);
	join_waiter(&w);
	WANT(w.error, EINTR);
	WANT(w.handled_at_return, 1);
}

/* UIF 0: goes on, and the interrupt is taken after STUI */
TEST_F(block, uif_0)
{
	struct waiter w = { .flags = WAITING, .call = variant->call };

	start_waiter(&w);
	_senduipi(w.index);
	stays_blocked(&w);
	end_normally(variant, &w);
	WANT(w.handled_at_return, 0);
	WANT(w.handled_at_end, 1);
}

/* MASKED: every call ends as long as it is pending, which is until STUI */
static void ends_masked(struct waiter *w)
{
	w->rounds = 20;
	start_waiter(w);
	_senduipi(w->index);
	join_waiter(w);
	WANT(w->error, EINTR);
	WANT(w->handled_at_return, 0);
	WANT(w->handled_at_end, 1);
}

TEST_F(block, masked)
{
	ends_masked(&(struct waiter){ .flags = MASKED, .call = variant->call });
}

/* No handler runs after which a call could be restarted */
TEST_F(block, masked_restart)
{
	ends_masked(&(struct waiter){ .flags = MASKED | RESTART,
				      .call = variant->call });
}

/* MASKED with UIF 1 changes nothing */
TEST_F(block, masked_uif_1)
{
	struct waiter w = { .uif = true, .flags = MASKED, .call = variant->call };

	start_waiter(&w);
	_senduipi(w.index);
	join_waiter(&w);
	WANT(w.error, EINTR);
	WANT(w.handled_at_return, 1);
}

/* No flag: goes on, and the handler runs after it */
TEST_F(block, no_flag)
{
	struct waiter w = { .uif = true, .call = variant->call };

	start_waiter(&w);
	_senduipi(w.index);
	stays_blocked(&w);
	end_normally(variant, &w);
	WANT(w.handled_at_return, 1);
}

/* RESTART: what SA_RESTART restarts blocks again when the handler has run */
TEST_F(block, restart)
{
	struct waiter w = { .uif = true, .flags = RESTART, .call = variant->call };
	int i;

	start_waiter(&w);
	if (!variant->restarts) {
		_senduipi(w.index);
		join_waiter(&w);
		WANT(w.error, EINTR);
		WANT(w.handled_at_return, 1);
		return;
	}
	for (i = 1; i <= 20; i++) {
		WAIT_ASLEEP(w.tid);
		_senduipi(w.index);
		WAIT_UNTIL(load(handled[3]) == (uint64_t)i);
		stays_blocked(&w);
	}
	end_normally(variant, &w);
	WANT(w.handled_at_return, 20);
}

/* Many times in a row, with signals between: every one is ended once */
TEST_F(block, again_and_again)
{
	struct waiter w = { .uif = true, .flags = WAITING, .call = variant->call,
		.rounds = 300 };
	long i;

	start_waiter(&w);
	for (i = 1; i <= w.rounds; i++) {
		WAIT_ASLEEP(w.tid);
		if (i % 3 == 0)
			WANT(pthread_kill(w.thread, SIGUSR1), 0);
		else
			_senduipi(w.index);
		WAIT_UNTIL(load(w.returned) == i);
		WANT(w.error, EINTR);
		WANT(w.handled_at_return, i - i / 3);
	}
	join_waiter(&w);
}

/* A signal handler's SA_RESTART works as ever when no user interrupt comes */
TEST_F(block, signal_restart)
{
	struct waiter w = { .uif = true, .flags = WAITING, .call = variant->call };
	struct sigaction action = { .sa_handler = nothing, .sa_flags = SA_RESTART };

	WANT(sigaction(SIGIO, &action, NULL), 0);
	start_waiter(&w);
	WANT(pthread_kill(w.thread, SIGIO), 0);
	if (variant->restarts) {
		stays_blocked(&w);
		end_normally(variant, &w);
	} else {
		join_waiter(&w);
		WANT(w.error, EINTR);
	}
	WANT(w.handled_at_end, 0);
}

/*
 * A signal and a user interrupt, both there when the thread goes on. It was
 * woken by the first, and cannot run before the second has come, because this
 * thread has its CPU.
 */
static void both_at_once(const struct _fixture_variant_block *variant, bool signal_first)
{
	struct waiter w = { .uif = true, .flags = WAITING, .call = variant->call,
		.cpu = 1 };
	struct sigaction action = { .sa_handler = nothing, .sa_flags = SA_RESTART };
	struct sched_param first = { .sched_priority = 1 };

	WANT(sigaction(SIGIO, &action, NULL), 0);
	pin_to(0);
	start_waiter(&w);
	WANT(sched_setscheduler(0, SCHED_FIFO, &first), 0);
	if (signal_first)
		WANT(pthread_kill(w.thread, SIGIO), 0);
	_senduipi(w.index);
	if (!signal_first)
		WANT(pthread_kill(w.thread, SIGIO), 0);
	WANT(sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){ 0 }), 0);
	join_waiter(&w);
	WANT(w.error, EINTR);
	WANT(w.handled_at_return, 1);
}

/* SA_RESTART of a signal handler that runs, too, must not hide the end */
TEST_F(block, signal_then_interrupt)
{
	both_at_once(variant, true);
}

TEST_F(block, interrupt_then_signal)
{
	both_at_once(variant, false);
}

/* MASKED and pending: who would not block gets what there is */
TEST(masked_ready)
{
	int i, index;

	WANT(pipe(pipe_fd), 0);
	ring_setup(&ring, 8, 0);
	WANT(uintr_register_handler(count_handler, MASKED), 0);
	index = WANT_OK(uintr_register_sender(WANT_OK(uintr_create_fd(3, 0)), 0));
	_senduipi(index);
	for (i = 0; i < 200; i++) {
		end_read();
		WANT(block_poll(NULL), 1);
		WANT(block_ppoll(NULL), 1);
		WANT(block_epoll(NULL), 1);
		WANT(block_read(NULL), 1);
		WANT_ERRNO(block_read(NULL), EINTR);
		end_io_uring();
		WANT(block_io_uring(NULL), 1);
		WANT_ERRNO(syscall(SYS_futex, &futex_word, FUTEX_WAIT, 1, NULL, NULL, 0),
			   EAGAIN);
		WANT(ring_complete(&ring, &(struct io_uring_cqe){}), true);
	}
	WANT(handled[3], 0);
	_stui();
	WAIT_UNTIL(handled[3] == 1);
}

static int stream[2];

/* The binding posts at once because there is room, and so when there is more. */
static long block_receive_two(struct waiter *w)
{
	char c[2];

	if (!w->returned) {
		WANT(uintr_bind(w->fd, stream[1], EPOLLOUT, 0), 0);
		WAIT_UNTIL(my_handled == 1);
	}
	WANT(write(stream[1], "x", 1), 1);
	return recv(stream[0], c, 2, MSG_WAITALL);
}

/*
 * Posted while the thread is in the system call, but not asleep yet: taking
 * the first byte makes room on the other side, which is bound. The CPU has
 * collected the interrupt before the thread waits for the second byte.
 */
TEST(U6_posted_inside)
{
	struct waiter w = { .uif = true, .flags = WAITING, .call = block_receive_two,
		.rounds = 200 };

	WANT(socketpair(AF_UNIX, SOCK_STREAM, 0, stream), 0);
	w.thread = start(run_waiter, &w);
	join_waiter(&w);
	/* It has taken one byte, and that is what it returns. */
	WANT(w.result, 1);
	WANT(w.handled_at_return, 201);
}

TEST_HARNESS_MAIN
