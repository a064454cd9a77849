/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A thread sleeps in epoll_wait() until something comes, and misses nothing. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "uintr-user.h"

#define MESSAGES	5

static int uintr_fd, pipe_fds[2];
static int sent;		/* the last message */
static volatile int seen;	/* the last one that the handler found */

static UINTR_HANDLER(handler, frame, vector)
{
	(void)frame;
	(void)vector;
	seen = __atomic_load_n(&sent, __ATOMIC_ACQUIRE);
}

static void *sender(void *arg)
{
	int index = uintr_register_sender(uintr_fd, 0), i;

	(void)arg;
	if (index < 0) {
		perror("uintr_register_sender");
		exit(1);
	}
	for (i = 1; i <= MESSAGES; i++) {
		__atomic_store_n(&sent, i, __ATOMIC_RELEASE);
		_senduipi(index);
		usleep(1000);	/* Let it fall asleep. */
	}
	close(pipe_fds[1]);
	return NULL;
}

/*
 * With UIF clear the handler cannot run between the look at "seen" and the
 * system call. Because of the flag WAITING_MASKED the call ends, with EINTR,
 * or does not even begin to wait, as long as something is pending. Returns
 * whether there is something to read; else "seen" may be a new one.
 */
static int wait_for_more_than(int known, int epoll_fd)
{
	struct epoll_event event;
	int n = 0;

	_clui();
	if (seen == known)
		n = epoll_wait(epoll_fd, &event, 1, -1);
	_stui();		/* The handler runs here. */
	return n > 0;
}

int main(void)
{
	struct epoll_event readable = { .events = EPOLLIN };
	int epoll_fd = epoll_create1(0), printed = 0, closed = 0;
	pthread_t thread;

	if (uintr_register_handler(handler,
				   UINTR_HANDLER_FLAG_WAITING_RECEIVER |
				   UINTR_HANDLER_FLAG_WAITING_MASKED)) {
		perror("uintr_register_handler");
		return 1;
	}
	uintr_fd = uintr_create_fd(0, 0);
	if (pipe(pipe_fds) ||
	    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, pipe_fds[0], &readable)) {
		perror("pipe");
		return 1;
	}
	pthread_create(&thread, NULL, sender, NULL);

	while (printed < MESSAGES || !closed) {
		closed |= wait_for_more_than(printed, epoll_fd);
		while (printed < seen)
			printf("message %d\n", ++printed);
	}
	printf("and the pipe was closed\n");

	pthread_join(thread, NULL);
	return 0;
}
