/* SPDX-License-Identifier: GPL-2.0 */
/* What the tests of event fds share. */
#ifndef SELFTESTS_UINTR_EVENT_H
#define SELFTESTS_UINTR_EVENT_H

#include <poll.h>

#include "fds.h"

static inline int event_fd(int vector, int flags)
{
	return WANT_OK(uintr_create_fd(vector, UINTR_FD_EVENT | flags));
}

static inline uint64_t read_event(int fd)
{
	uint64_t posted = 0;

	AWAIT("an event to read",
	      WANT(read(fd, &posted, sizeof(posted)), sizeof(posted)));
	return posted;
}

static inline bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	WANT(poll(&p, 1, 0) >= 0, true);
	return p.revents & POLLIN;
}

static inline long wait_read(int fd)
{
	return read_event(fd);
}

static inline long wait_poll(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	AWAIT("poll()", WANT(poll(&p, 1, -1), 1));
	return p.revents & POLLIN;
}

#endif
