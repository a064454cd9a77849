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

static volatile pid_t receiver_tid, sender_tid;
static volatile bool moved_enough;

static void move_thread(pid_t tid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	WANT(sched_setaffinity(tid, sizeof(set), &set), 0);
}

/* Others move the receiver and the sender, whatever they do at the time. */
static void *move_both(void *arg)
{
	unsigned int i;

	for (i = 0; !load(moved_enough); i++) {
		move_thread(receiver_tid, i % nr_cpus());
		move_thread(sender_tid, i / 2 % nr_cpus());
	}
	return NULL;
}

static int storm_fd[UINTR_NR_VECTORS];

static void *receive_in_storm(void *arg)
{
	int i;

	WANT(uintr_register_handler(count_handler, 0), 0);
	for (i = 0; i < UINTR_NR_VECTORS; i++)
		storm_fd[i] = WANT_OK(uintr_create_fd(i, 0));
	_stui();
	store(receiver_tid, gettid());
	while (!load(stop)) {
		WANT(_testui(), 1);
		/* Be moved in system calls as well as in user mode. */
		if (handled[0] & 1)
			getppid();
	}
	return NULL;
}

/* Affinity storm on both sides: each post of each vector arrives */
TEST(affinity_storm)
{
	long i, rounds = nr_rounds(500, 20000);
	int index[UINTR_NR_VECTORS], v;
	pthread_t receiver = start(receive_in_storm, NULL), mover;

	WAIT_UNTIL(load(receiver_tid));
	for (v = 0; v < UINTR_NR_VECTORS; v++)
		index[v] = WANT_OK(uintr_register_sender(storm_fd[v], 0));
	sender_tid = gettid();
	mover = start(move_both, NULL);
	for (i = 1; i <= rounds; i++) {
		for (v = 0; v < UINTR_NR_VECTORS; v += 9)
			WANT(senduipi_try(index[v]), 0);
		for (v = 0; v < UINTR_NR_VECTORS; v += 9) {
			WAIT_UNTIL(load(handled[v]) >= (uint64_t)i);
			WANT(handled[v], i);
		}
		alive();
	}
	/* The receiver outlives the moves: no thread's ID is then unknown. */
	store(moved_enough, true);
	pthread_join(mover, NULL);
	store(stop, true);
	pthread_join(receiver, NULL);
}

TEST_HARNESS_MAIN
