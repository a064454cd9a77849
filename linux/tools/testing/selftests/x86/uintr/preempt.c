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

/* Preempts whatever runs on CPU 0, each time it is woken. */
static void *preempt(void *arg)
{
	struct sched_param param = { .sched_priority = 1 };
	struct timespec delay = { 0, 50000 };

	pin_to(0);
	WANT(sched_setscheduler(0, SCHED_FIFO, &param), 0);
	while (!load(stop))
		nanosleep(&delay, NULL);
	return NULL;
}

/* Competes with the receiver for CPU 0. */
static void *compete(void *arg)
{
	pin_to(0);
	while (!load(stop))
		__builtin_ia32_pause();
	return NULL;
}

/* Preemption storm: what is posted to a receiver off its CPU arrives, once */
TEST(storm)
{
	long i, rounds = nr_rounds(300, 20000);
	pthread_t receiver, other[4];
	bool ready = false;
	int index;

	receiver = start(receive_pinned, &ready);
	WAIT_UNTIL(load(ready));
	index = WANT_OK(uintr_register_sender(receiver_fd, 0));
	for (i = 0; i < (int)ARRAY_SIZE(other); i++)
		other[i] = start(i & 1 ? compete : preempt, NULL);
	pin_to(nr_cpus() - 1);
	for (i = 1; i <= rounds; i++) {
		_senduipi(index);
		WAIT_UNTIL(load(handled[3]) >= (uint64_t)i);
		WANT(handled[3], i);
		alive();
	}
	store(stop, true);
	for (i = 0; i < (int)ARRAY_SIZE(other); i++)
		pthread_join(other[i], NULL);
	pthread_join(receiver, NULL);
}

TEST_HARNESS_MAIN
