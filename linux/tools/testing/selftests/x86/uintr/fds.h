/* SPDX-License-Identifier: GPL-2.0 */
/* Handing fds from process to process. */
#ifndef SELFTEST_UINTR_FDS_H
#define SELFTEST_UINTR_FDS_H

#include <sys/socket.h>

#include "uintr.h"

union fd_message {
	char buffer[CMSG_SPACE(sizeof(int))];
	struct cmsghdr header;
};

static inline void send_fd(int socket, int fd)
{
	struct iovec byte = { .iov_base = "", .iov_len = 1 };
	union fd_message control = { 0 };
	struct msghdr message = {
		.msg_iov = &byte, .msg_iovlen = 1,
		.msg_control = control.buffer,
		.msg_controllen = sizeof(control.buffer),
	};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
	WANT(sendmsg(socket, &message, 0), 1);
}

static inline int receive_fd(int socket)
{
	char c;
	struct iovec byte = { .iov_base = &c, .iov_len = 1 };
	union fd_message control = { 0 };
	struct msghdr message = {
		.msg_iov = &byte, .msg_iovlen = 1,
		.msg_control = control.buffer,
		.msg_controllen = sizeof(control.buffer),
	};
	int fd;

	AWAIT("an fd from a socket", WANT(recvmsg(socket, &message, 0), 1));
	WANT(control.header.cmsg_type, SCM_RIGHTS);
	memcpy(&fd, CMSG_DATA(&control.header), sizeof(int));
	return fd;
}

/*
 * A child that has a socket to its parent; each of the two has it in @peer.
 * A child that ends early becomes a failure of recvmsg() and so of the test.
 */
static int peer;

static inline pid_t start_peer(void (*function)(void))
{
	int pair[2];
	pid_t pid;

	WANT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	fflush(stdout);
	pid = WANT_OK(fork());
	/* The parent keeps the first, the child the second. */
	close(pair[!!pid]);
	peer = pair[!pid];
	if (pid)
		return pid;
	function();
	fflush(stdout);
	_exit(KSFT_PASS);
}

/* Tell the peer to go on, and wait until it tells us. */
static inline void tell_peer(void)
{
	WANT(write(peer, "", 1), 1);
}

static inline void hear_peer(void)
{
	char c;

	AWAIT("a byte from the peer", WANT(read(peer, &c, 1), 1));
}

#endif
