// SPDX-License-Identifier: GPL-2.0
/* A receiver that is preempted loses nothing. */
#include "uintr.h"

static volatile bool stop;
static int receiver_fd;

static void *receive(void *arg)
{
	WANT(uintr_register_handler(count_handler, 0), 0);
	receiver_fd = uintr_create_fd(3, 0);
	_stui();
	store(*(bool *)arg, true);
	while (!load(stop))
		__builtin_ia32_pause();
	return NULL;
}

static void *receive_pinned(void *arg)
{
	pin_to(0);
	return receive(arg);
}

/* Receiver that is off its CPU gets it when it runs again */
TEST(same_cpu)
{
	bool ready = false;
	pthread_t thread;
	int index, i;

	pin_to(0);
	thread = start(receive_pinned, &ready);
	WAIT_UNTIL(load(ready));
	index = uintr_register_sender(receiver_fd, 0);
	for (i = 1; i <= 50; i++) {
		_senduipi(index);
		WAIT_UNTIL(load(handled[3]) == (uint64_t)i);
	}
	store(stop, true);
	pthread_join(thread, NULL);
}

TEST_HARNESS_MAIN
