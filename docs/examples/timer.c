/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A timer, or anything else that can be polled, as a user interrupt. */
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "uintr-user.h"

static volatile int ticks;

static UINTR_HANDLER(handler, frame, vector)
{
	(void)frame;
	(void)vector;
	ticks++;
}

int main(void)
{
	struct itimerspec every_10_ms = {
		.it_interval.tv_nsec = 10000000,
		.it_value.tv_nsec = 10000000,
	};
	int timer = timerfd_create(CLOCK_MONOTONIC, 0), uintr_fd;
	uint64_t expired;

	if (uintr_register_handler(handler, 0)) {
		perror("uintr_register_handler");
		return 1;
	}
	uintr_fd = uintr_create_fd(1, 0);
	if (uintr_bind(uintr_fd, timer, EPOLLIN, 0)) {
		perror("uintr_bind");
		return 1;
	}
	timerfd_settime(timer, 0, &every_10_ms, NULL);

	_stui();
	while (!ticks)		/* Work to do until the timer expires */
		__builtin_ia32_pause();
	/* A bound fd works as ever, and is to be read when it has something. */
	if (read(timer, &expired, sizeof(expired)) == 8 && expired)
		printf("the timer has expired\n");
	return 0;
}
