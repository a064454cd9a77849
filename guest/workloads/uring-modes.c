/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading by read(), by io_uring with a look at the completion queue from time
 * to time, and by io_uring with a user interrupt for completions. The latter
 * needs no help from liburing: the ring signals an eventfd, and the eventfd
 * is bound to a vector. "uintr-native" does without the eventfd.
 *
 * In all modes but the first, a thread of the kernel does the reads (SQPOLL).
 */
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "uintr-user.h"
#include "uring.h"

#ifndef IORING_REGISTER_UINTR
#define IORING_REGISTER_UINTR	31
#endif

#define VECTOR		7
#define ENTRIES		8
#define SQPOLL_IDLE_MS	5000

volatile struct uring_completion uring_completion;

static struct io_uring ring;

static void sync_open(void)
{
}

static void sync_submit(int fd, void *buffer, size_t size)
{
	uring_completion.result = pread(fd, buffer, size, 0);
	uring_completion.at = bench_ticks();
	uring_completion.count++;
}

static void no_look(void)
{
}

/*
 * Take all there is: several completions may share one interrupt. A handler
 * may use general registers only, and so may what it inlines; liburing's own
 * functions were not compiled like this.
 */
static __always_inline __attribute__((target("general-regs-only")))
void drain(void)
{
	unsigned int head = *ring.cq.khead;

	while (head != load(*ring.cq.ktail)) {
		uring_completion.result =
			ring.cq.cqes[head & *ring.cq.kring_mask].res;
		uring_completion.at = bench_ticks();
		uring_completion.count++;
		head++;
		store(*ring.cq.khead, head);
	}
}

/* If there are two CPUs, the kernel's thread gets the second for itself. */
static void poll_open(void)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SQPOLL,
		.sq_thread_idle = SQPOLL_IDLE_MS,
	};
	int error;

	if (sysconf(_SC_NPROCESSORS_ONLN) > 1) {
		params.flags |= IORING_SETUP_SQ_AFF;
		params.sq_thread_cpu = 1;
		bench_pin(0);
	}
	error = io_uring_queue_init_params(ENTRIES, &ring, &params);
	errno = -error;
	bench_check(!error, "io_uring_queue_init_params");
}

static void ring_submit(int fd, void *buffer, size_t size)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
	int submitted;

	if (!sqe)
		bench_die("no room in the submission queue, with one read at a time");
	io_uring_prep_read(sqe, fd, buffer, size, 0);
	/* It does not count what the kernel has taken off the queue already. */
	submitted = io_uring_submit(&ring);
	errno = -submitted;
	bench_check(submitted >= 0, "io_uring_submit");
}

static void poll_look(void)
{
	drain();
}

static UINTR_HANDLER(uring_handler, frame, vector)
{
	(void)frame;
	(void)vector;
	uring_completion.handler_runs++;
	drain();
}

static int open_receiver(void)
{
	int fd;

	bench_check(!uintr_register_handler(uring_handler, 0),
		    "uintr_register_handler");
	fd = uintr_create_fd(VECTOR, 0);
	bench_check(fd >= 0, "uintr_create_fd");
	_stui();
	return fd;
}

static void bind_open(void)
{
	int fd = eventfd(0, EFD_CLOEXEC), error;

	bench_check(fd >= 0, "eventfd");
	poll_open();
	error = io_uring_register_eventfd(&ring, fd);
	errno = -error;
	bench_check(!error, "io_uring_register_eventfd");
	bench_check(!uintr_bind(open_receiver(), fd, POLLIN, 0), "uintr_bind");
}

static void native_open(void)
{
	int fd;

	poll_open();
	fd = open_receiver();
	bench_check(!syscall(SYS_io_uring_register, ring.ring_fd,
			     IORING_REGISTER_UINTR, &fd, 1),
		    "io_uring_register with IORING_REGISTER_UINTR");
}

const struct uring_mode uring_modes[] = {
	{ "sync", "read()", false, sync_open, sync_submit, no_look },
	{ "polling", "io_uring, a look at the queue after each computation",
	  false, poll_open, ring_submit, poll_look },
	{ "uintr", "io_uring, user interrupts by an eventfd and uintr_bind()",
	  true, bind_open, ring_submit, no_look },
	{ "uintr-native", "the same by IORING_REGISTER_UINTR",
	  true, native_open, ring_submit, no_look },
};

const int uring_nr_modes = ARRAY_SIZE(uring_modes);
