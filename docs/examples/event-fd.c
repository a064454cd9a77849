/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An event loop that a SENDUIPI in another process wakes. */
#include <stdbool.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "uintr-user.h"

static void child(int event_fd)
{
	int index = uintr_register_sender(event_fd, 0);

	if (index < 0) {
		perror("uintr_register_sender");
		_exit(1);
	}
	/* No system call, also if the receiver sleeps in one. */
	_senduipi(index);
	_exit(0);
}

static void add(int epoll_fd, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

int main(void)
{
	int epoll_fd = epoll_create1(0), event_fd, pipe_fds[2];
	bool posted = false, ended = false;
	struct epoll_event event;
	uint64_t vectors;

	/* No handler: the vector is only a name for what happens. */
	event_fd = uintr_create_fd(4, UINTR_FD_EVENT);
	if (event_fd < 0 || pipe(pipe_fds)) {
		perror("uintr_create_fd");
		return 1;
	}
	if (!fork())
		child(event_fd);
	close(pipe_fds[1]);	/* Now the pipe ends with the child. */

	add(epoll_fd, event_fd);
	add(epoll_fd, pipe_fds[0]);
	while (!posted || !ended) {
		epoll_wait(epoll_fd, &event, 1, -1);
		if (event.data.fd == event_fd) {
			/* One bit for each vector, and they are taken. */
			posted = read(event_fd, &vectors, sizeof(vectors)) == 8;
		} else {
			epoll_ctl(epoll_fd, EPOLL_CTL_DEL, pipe_fds[0], NULL);
			ended = true;
		}
	}
	wait(NULL);
	printf("vectors 0x%lx posted, child ended\n", (unsigned long)vectors);
	return 0;
}
