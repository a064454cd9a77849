// SPDX-License-Identifier: GPL-2.0
/* Receivers and senders go from CPU to CPU. */
#include "uintr.h"

/* Sender that is moved keeps its table */
TEST(U2_table_moves)
{
	int fd, i;

	WANT(self_setup(3, &fd), 0);
	for (i = 0; i < 400; i++) {
		pin_to(i % nr_cpus());
		WANT(senduipi_try(0), 0);
	}
	_stui();
	WAIT_UNTIL(handled[3]);
}

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

/* Receiver that is not moved gets everything from a sender that is */
TEST(U7_sender_moves)
{
	bool ready = false;
	pthread_t thread = start(receive, &ready);
	int index, i;

	WAIT_UNTIL(load(ready));
	index = uintr_register_sender(receiver_fd, 0);
	for (i = 1; i <= 400; i++) {
		pin_to(i % nr_cpus());
		_senduipi(index);
		WAIT_UNTIL(load(handled[3]) == (uint64_t)i);
	}
	store(stop, true);
	pthread_join(thread, NULL);
}

/* All vectors that are pending move along */
TEST(U4_pending_moves)
{
	int index[UINTR_NR_VECTORS], fd, i, round;

	WANT(uintr_register_handler(count_handler, 0), 0);
	for (i = 0; i < UINTR_NR_VECTORS; i++) {
		fd = uintr_create_fd(i, 0);
		index[i] = uintr_register_sender(fd, 0);
	}
	for (round = 1; round <= 20; round++) {
		for (i = 0; i < UINTR_NR_VECTORS; i++) {
			_senduipi(index[i]);
			if (i % 8 == 0)
				pin_to((round + i / 8) % nr_cpus());
		}
		_stui();
		for (i = 0; i < UINTR_NR_VECTORS; i++)
			WAIT_UNTIL(handled[i] == (uint64_t)round);
		_clui();
	}
}

TEST_HARNESS_MAIN
