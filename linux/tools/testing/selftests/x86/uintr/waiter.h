/* SPDX-License-Identifier: GPL-2.0 */
/* A receiver that blocks in a system call in a thread of its own. */
#ifndef SELFTEST_UINTR_WAITER_H
#define SELFTEST_UINTR_WAITER_H

#include "fds.h"

/*
 * The first lines say what it does: @call, @rounds times or until @stop, with
 * UIF as in @uif, after registering with @flags, on CPU @cpu - 1 if not 0.
 */
struct waiter {
	bool uif;
	unsigned int flags;
	int cpu;
	long rounds;
	long (*call)(struct waiter *w);
	void *data;

	pthread_t thread;
	pid_t tid;
	int fd;
	int index;
	bool stop;

	/* What its last call returned, and what the handler had done then */
	long result;
	int error;
	uint64_t handled_at_return;
	long returned;
	/* The same after STUI */
	uint64_t handled_at_end;
	bool ended;
};

static inline long wait_v1(struct waiter *w)
{
	/* An old program leaves anything in the second register. */
	return syscall(__NR_uintr_wait, 0, 0xdeadbeef);
}

static inline long wait_unlimited(struct waiter *w)
{
	return uintr_wait(0, 0);
}

static inline long wait_limited(struct waiter *w)
{
	return uintr_wait(UINTR_WAIT_MAX_USEC, 0);
}

static inline long wait_briefly(struct waiter *w)
{
	return uintr_wait(30, 0);
}

/* Each counts for itself. */
static __thread volatile uint64_t my_handled;

static UINTR_HANDLER(waiter_handler, frame, vector)
{
	my_handled++;
	handled[vector]++;
}

static inline void *run_waiter(void *arg)
{
	struct waiter *w = arg;

	if (w->cpu)
		pin_to(w->cpu - 1);
	WANT(uintr_register_handler(waiter_handler, w->flags), 0);
	w->fd = WANT_OK(uintr_create_fd(3, 0));
	if (w->uif)
		_stui();
	store(w->tid, gettid());
	do {
		errno = 0;
		w->result = w->call(w);
		w->error = w->result < 0 ? errno : 0;
		w->handled_at_return = my_handled;
		store(w->returned, w->returned + 1);
	} while (w->returned < w->rounds && !load(w->stop));
	_stui();
	sched_yield();
	w->handled_at_end = my_handled;
	_clui();
	store(w->ended, true);
	return NULL;
}

/* Returns when it is blocked. */
static inline void start_waiter(struct waiter *w)
{
	w->thread = start(run_waiter, w);
	WAIT_UNTIL(load(w->tid));
	w->index = WANT_OK(uintr_register_sender(w->fd, 0));
	WAIT_ASLEEP(w->tid);
}

static inline void join_waiter(struct waiter *w)
{
	WAIT_UNTIL(load(w->ended));
	pthread_join(w->thread, NULL);
	close(w->fd);
}

#endif
