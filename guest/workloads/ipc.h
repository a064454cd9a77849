/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two sides that exchange messages, and the ways that a message can go. */
#ifndef IPC_H
#define IPC_H

#include <pthread.h>

#include "bench.h"

enum { A, B, SIDES };

/* Shared by the sides, whether they are threads or processes. */
struct ipc_common {
	pthread_barrier_t barrier;
	struct {
		uint8_t *payload;	/* of ways through memory */
		uint64_t word;		/* sequence number, likewise */
		int uintr_fd;		/* if the sides are threads */
	} to[SIDES];
};

struct ipc {
	const struct ipc_kind *kind;
	uint64_t count;
	size_t size;
	struct ipc_common *common;
	uint64_t *samples;
	/* What is opened before the sides start, each by receiving side. */
	int read_fd[SIDES], write_fd[SIDES];
};

struct ipc_end {
	struct ipc *ipc;
	int me;			/* A or B */
	struct bench_side *side;
	uint64_t seq;		/* of the message at hand, the first is 1 */
	uint8_t *out, *in;	/* contents of a message */
	int uipi_index;
};

/* How messages get to one side. */
struct ipc_way {
	/* The content is in shared memory, only its arrival is told. */
	bool in_memory;
	bool uintr;
	/* Before the sides start: what both need for messages to this side. */
	void (*open)(struct ipc *ipc, int to);
	/* In the receiving, then in the sending side, before any message. */
	void (*receiver)(struct ipc_end *end);
	void (*sender)(struct ipc_end *end);
	void (*send)(struct ipc_end *end);
	void (*receive)(struct ipc_end *end);
};

struct ipc_kind {
	const char *name, *help;
	const struct ipc_way *to[SIDES];
	bool threads;
};

extern const struct ipc_way ipc_memory, ipc_uintr;
extern const struct ipc_way ipc_eventfd, ipc_signal, ipc_pipe, ipc_fifo,
	ipc_socket, ipc_mq;

#endif
