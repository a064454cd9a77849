/* SPDX-License-Identifier: GPL-2.0 */
/* io_uring without a library. */
#ifndef SELFTEST_UINTR_RING_H
#define SELFTEST_UINTR_RING_H

#include <linux/io_uring.h>

#include "uintr.h"

struct ring {
	int fd;
	unsigned int *sq_head, *sq_tail, *sq_array, *sq_flags;
	unsigned int *cq_head, *cq_tail;
	unsigned int sq_mask, cq_mask;
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
};

static inline void *ring_map(struct ring *r, size_t size, off_t offset)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_POPULATE, r->fd, offset);

	WANT(p == MAP_FAILED, false);
	return p;
}

/* Needs IORING_FEAT_SINGLE_MMAP, which every kernel with user interrupts has. */
static inline void ring_setup(struct ring *r, unsigned int entries,
			      unsigned int flags)
{
	struct io_uring_params p = { .flags = flags, .sq_thread_idle = 1000 };
	size_t sq_size, cq_size;
	char *map;

	r->fd = WANT_OK(syscall(__NR_io_uring_setup, entries, &p));
	sq_size = p.sq_off.array + p.sq_entries * sizeof(unsigned int);
	cq_size = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
	map = ring_map(r, sq_size > cq_size ? sq_size : cq_size, IORING_OFF_SQ_RING);
	r->sqe = ring_map(r, p.sq_entries * sizeof(*r->sqe), IORING_OFF_SQES);
	r->sq_head = (void *)(map + p.sq_off.head);
	r->sq_tail = (void *)(map + p.sq_off.tail);
	r->sq_flags = (void *)(map + p.sq_off.flags);
	r->sq_array = (void *)(map + p.sq_off.array);
	r->sq_mask = p.sq_entries - 1;
	r->cq_head = (void *)(map + p.cq_off.head);
	r->cq_tail = (void *)(map + p.cq_off.tail);
	r->cqe = (void *)(map + p.cq_off.cqes);
	r->cq_mask = p.cq_entries - 1;
}

static inline long ring_enter(struct ring *r, unsigned int submit,
			      unsigned int complete, unsigned int flags)
{
	return syscall(__NR_io_uring_enter, r->fd, submit, complete, flags, NULL, 0);
}

static inline long ring_register(struct ring *r, unsigned int opcode, void *arg,
				 unsigned int n)
{
	return syscall(__NR_io_uring_register, r->fd, opcode, arg, n);
}

/* Put a request in the queue; there is room for it. */
static inline void ring_queue(struct ring *r, const struct io_uring_sqe *sqe)
{
	unsigned int tail = *r->sq_tail, i = tail & r->sq_mask;

	r->sqe[i] = *sqe;
	r->sq_array[i] = i;
	store(*r->sq_tail, tail + 1);
}

/* Queue and submit one; a kernel thread may have to be woken for it. */
static inline void ring_submit(struct ring *r, const struct io_uring_sqe *sqe,
			       bool sqpoll)
{
	ring_queue(r, sqe);
	if (!sqpoll) {
		WANT(ring_enter(r, 1, 0, 0), 1);
		return;
	}
	__sync_synchronize();
	if (load(*r->sq_flags) & IORING_SQ_NEED_WAKEUP)
		WANT(ring_enter(r, 1, 0, IORING_ENTER_SQ_WAKEUP), 1);
}

/* Take one completion, if there is one. For handlers, too. */
static inline bool ring_complete(struct ring *r, struct io_uring_cqe *cqe)
{
	unsigned int head = *r->cq_head;

	if (head == load(*r->cq_tail))
		return false;
	*cqe = r->cqe[head & r->cq_mask];
	store(*r->cq_head, head + 1);
	return true;
}

#endif
