/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages in shared memory: their arrival is seen by looking all the time, or
 * told by a user interrupt. The receiver runs all the time in both cases.
 */
#include <sys/socket.h>

#include "ipc.h"
#include "uintr-user.h"

static void memory_send(struct ipc_end *end)
{
	store(end->ipc->common->to[!end->me].word, end->seq);
}

static void memory_receive(struct ipc_end *end)
{
	uint64_t *word = &end->ipc->common->to[end->me].word;

	bench_spin_until(load(*word) >= end->seq);
	if (*word != end->seq)
		bench_die("wanted message %llu, got message %llu",
			  (unsigned long long)end->seq,
			  (unsigned long long)*word);
}

const struct ipc_way ipc_memory = {
	.in_memory = true,
	.send = memory_send,
	.receive = memory_receive,
};

/* Each side has a vector of its own, so that they may share this. */
static volatile uint64_t arrived[SIDES];

static UINTR_HANDLER(uintr_handler, frame, vector)
{
	(void)frame;
	arrived[vector]++;
}

static void uintr_open(struct ipc *ipc, int to)
{
	int pair[2];

	if (ipc->kind->threads)
		return;
	bench_check(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
	ipc->read_fd[to] = pair[0];
	ipc->write_fd[to] = pair[1];
}

static void uintr_receiver(struct ipc_end *end)
{
	struct ipc *ipc = end->ipc;
	int fd;

	arrived[end->me] = 0;
	bench_check(!uintr_register_handler(uintr_handler, 0),
		    "uintr_register_handler");
	fd = uintr_create_fd(end->me, 0);
	bench_check(fd >= 0, "uintr_create_fd");
	if (ipc->kind->threads)
		ipc->common->to[end->me].uintr_fd = fd;
	else
		bench_send_fd(ipc->read_fd[end->me], fd);
	_stui();
}

static void uintr_sender(struct ipc_end *end)
{
	struct ipc *ipc = end->ipc;
	int fd;

	if (ipc->kind->threads)
		fd = ipc->common->to[!end->me].uintr_fd;
	else
		fd = bench_receive_fd(ipc->write_fd[!end->me]);
	end->uipi_index = uintr_register_sender(fd, 0);
	bench_check(end->uipi_index >= 0, "uintr_register_sender");
}

static void uintr_send(struct ipc_end *end)
{
	_senduipi(end->uipi_index);
}

static void uintr_receive(struct ipc_end *end)
{
	bench_spin_until(arrived[end->me] >= end->seq);
	if (arrived[end->me] != end->seq)
		bench_die("message %llu: wanted as many user interrupts, got %llu",
			  (unsigned long long)end->seq,
			  (unsigned long long)arrived[end->me]);
}

const struct ipc_way ipc_uintr = {
	.in_memory = true,
	.uintr = true,
	.open = uintr_open,
	.receiver = uintr_receiver,
	.sender = uintr_sender,
	.send = uintr_send,
	.receive = uintr_receive,
};
