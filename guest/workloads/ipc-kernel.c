/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages through the kernel; the receiver blocks until there is one. */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc.h"

static void write_all(int fd, const void *data, size_t size)
{
	while (size) {
		ssize_t n = write(fd, data, size);

		bench_check(n > 0, "write");
		data = (const char *)data + n;
		size -= n;
	}
}

static void read_all(int fd, void *data, size_t size)
{
	while (size) {
		ssize_t n = read(fd, data, size);

		bench_check(n >= 0, "read");
		if (!n)
			bench_die("read: wanted %zu bytes more, got end of file",
				  size);
		data = (char *)data + n;
		size -= n;
	}
}

static void stream_send(struct ipc_end *end)
{
	write_all(end->ipc->write_fd[!end->me], end->out, end->ipc->size);
}

static void stream_receive(struct ipc_end *end)
{
	read_all(end->ipc->read_fd[end->me], end->in, end->ipc->size);
}

static void pipe_open(struct ipc *ipc, int to)
{
	int ends[2];

	bench_check(!pipe(ends), "pipe");
	ipc->read_fd[to] = ends[0];
	ipc->write_fd[to] = ends[1];
}

const struct ipc_way ipc_pipe = {
	.open = pipe_open,
	.send = stream_send,
	.receive = stream_receive,
};

static void fifo_open(struct ipc *ipc, int to)
{
	char folder[] = "/tmp/ipc-bench.XXXXXX", path[64];

	bench_check(mkdtemp(folder), "mkdtemp in /tmp");
	snprintf(path, sizeof(path), "%s/fifo", folder);
	bench_check(!mkfifo(path, 0600), path);
	/* This way, neither open() waits for the other. */
	ipc->read_fd[to] = open(path, O_RDONLY | O_NONBLOCK);
	bench_check(ipc->read_fd[to] >= 0, path);
	ipc->write_fd[to] = open(path, O_WRONLY);
	bench_check(ipc->write_fd[to] >= 0, path);
	bench_check(!fcntl(ipc->read_fd[to], F_SETFL, 0), "fcntl");
	bench_check(!unlink(path) && !rmdir(folder), path);
}

const struct ipc_way ipc_fifo = {
	.open = fifo_open,
	.send = stream_send,
	.receive = stream_receive,
};

/* One pair serves both directions. */
static void socket_open(struct ipc *ipc, int to)
{
	int pair[2];

	if (to == B)
		return;
	bench_check(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
	ipc->read_fd[A] = ipc->write_fd[B] = pair[0];
	ipc->read_fd[B] = ipc->write_fd[A] = pair[1];
}

const struct ipc_way ipc_socket = {
	.open = socket_open,
	.send = stream_send,
	.receive = stream_receive,
};

static void mq_way_open(struct ipc *ipc, int to)
{
	struct mq_attr attr = { .mq_maxmsg = 1, .mq_msgsize = ipc->size };
	char name[64];

	snprintf(name, sizeof(name), "/ipc-bench.%d.%d", getpid(), to);
	ipc->read_fd[to] = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
	if (ipc->read_fd[to] < 0 && errno == EINVAL)
		bench_die("mq_open: a message may have only as many bytes as /proc/sys/fs/mqueue/msgsize_max says: write more there, or use a smaller -s");
	bench_check(ipc->read_fd[to] >= 0, "mq_open");
	ipc->write_fd[to] = ipc->read_fd[to];
	bench_check(!mq_unlink(name), "mq_unlink");
}

static void mq_way_send(struct ipc_end *end)
{
	bench_check(!mq_send(end->ipc->write_fd[!end->me], (char *)end->out,
			     end->ipc->size, 0), "mq_send");
}

static void mq_way_receive(struct ipc_end *end)
{
	ssize_t n = mq_receive(end->ipc->read_fd[end->me], (char *)end->in,
			       end->ipc->size, NULL);

	bench_check(n >= 0, "mq_receive");
	if ((size_t)n != end->ipc->size)
		bench_die("mq_receive: wanted %zu bytes, got %zd",
			  end->ipc->size, n);
}

const struct ipc_way ipc_mq = {
	.open = mq_way_open,
	.send = mq_way_send,
	.receive = mq_way_receive,
};

static void eventfd_way_open(struct ipc *ipc, int to)
{
	ipc->read_fd[to] = eventfd(0, 0);
	bench_check(ipc->read_fd[to] >= 0, "eventfd");
	ipc->write_fd[to] = ipc->read_fd[to];
}

static void eventfd_way_send(struct ipc_end *end)
{
	uint64_t one = 1;

	write_all(end->ipc->write_fd[!end->me], &one, sizeof(one));
}

static void eventfd_way_receive(struct ipc_end *end)
{
	uint64_t events;

	read_all(end->ipc->read_fd[end->me], &events, sizeof(events));
	if (events != 1)
		bench_die("message %llu: wanted 1 event, got %llu",
			  (unsigned long long)end->seq,
			  (unsigned long long)events);
}

const struct ipc_way ipc_eventfd = {
	.in_memory = true,
	.open = eventfd_way_open,
	.send = eventfd_way_send,
	.receive = eventfd_way_receive,
};

/* Signals are queued, and carry the message's number. */
static void signal_open(struct ipc *ipc, int to)
{
	sigset_t set;

	(void)ipc;
	(void)to;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	bench_check(!sigprocmask(SIG_BLOCK, &set, NULL), "sigprocmask");
}

static void signal_send(struct ipc_end *end)
{
	/* The sides were allocated one after the other. */
	pid_t peer = end->side[end->me == A ? 1 : -1].pid;
	union sigval value = { .sival_int = (int)end->seq };

	bench_check(!sigqueue(peer, SIGRTMIN, value), "sigqueue");
}

static void signal_receive(struct ipc_end *end)
{
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	bench_check(sigwaitinfo(&set, &info) == SIGRTMIN, "sigwaitinfo");
	if (info.si_value.sival_int != (int)end->seq)
		bench_die("wanted the signal of message %d, got that of %d",
			  (int)end->seq, info.si_value.sival_int);
}

const struct ipc_way ipc_signal = {
	.in_memory = true,
	.open = signal_open,
	.send = signal_send,
	.receive = signal_receive,
};
