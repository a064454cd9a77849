/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The io_uring experiment: what its parts know of each other. */
#ifndef URING_H
#define URING_H

#include "bench.h"

/*
 * The ways to read a file while computing. A mode notes each completion with
 * uring_complete(), and begins no read before the one before it is complete.
 */
struct uring_mode {
	const char *name, *help;
	bool uintr;
	void (*open)(void);
	void (*submit)(int fd, void *buffer, size_t size);
	/* A look at the queue, after each computation. */
	void (*look)(void);
};

extern const struct uring_mode uring_modes[];
extern const int uring_nr_modes;

/* Written by the main program or by a handler, depending on the mode. */
struct uring_completion {
	uint64_t count;		/* of reads that are complete */
	uint64_t at;		/* ticks */
	int result;
	uint64_t handler_runs;
};

extern volatile struct uring_completion uring_completion;

#endif
