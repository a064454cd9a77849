// SPDX-License-Identifier: GPL-2.0
/*
 * User interrupts under page-table isolation: the CPU reads UPIDs and target
 * tables through the page tables of user mode. UINTR_WANT_PTI says that the
 * kernel has to have it on; without it this only says whether it has.
 */
#include "fds.h"

static bool pti_is_on(void)
{
	char text[128] = "";
	int fd = WANT_OK(open("/sys/devices/system/cpu/vulnerabilities/meltdown",
			      O_RDONLY));

	WANT(read(fd, text, sizeof(text) - 1) > 0, true);
	close(fd);
	ksft_print_msg("meltdown: %s", text);
	return strstr(text, "PTI");
}

/* The kernel isolates page tables, if that is what is to be tested */
TEST(is_on)
{
	bool on = pti_is_on();

	if (!getenv("UINTR_WANT_PTI"))
		SKIP(return, "not asked for, it is %s", on ? "on" : "off");
	WANT(on, true);
}

/* A new process finds the tables and UPIDs of older ones, and they its own */
static void exchange(void)
{
	int index = WANT_OK(uintr_register_sender(receive_fd(peer), 0));

	/* What the parent has counted is not ours. */
	handled[3] = 0;
	WANT(uintr_register_handler(count_handler, 0), 0);
	send_fd(peer, WANT_OK(uintr_create_fd(3, 0)));
	_stui();
	WAIT_UNTIL(handled[3]);
	WANT(senduipi_try(index), 0);
}

/* Processes reach each other's UPIDs, which are made after they were forked */
TEST(other_process)
{
	int fd, i;

	WANT(uintr_register_handler(count_handler, 0), 0);
	fd = WANT_OK(uintr_create_fd(3, 0));
	_stui();
	for (i = 1; i <= 200; i++) {
		pid_t pid = start_peer(exchange);
		int theirs, index;

		send_fd(peer, fd);
		theirs = receive_fd(peer);
		index = WANT_OK(uintr_register_sender(theirs, 0));
		WANT(senduipi_try(index), 0);
		WANT(join_child(pid), 0);
		WAIT_UNTIL(handled[3] == (uint64_t)i);
		close(theirs);
		close(peer);
	}
}

#define THREADS	300

static int thread_fd[THREADS];
static volatile int started;

static void *receive_one(void *arg)
{
	long i = (long)arg;

	WANT(uintr_register_handler(count_handler, 0), 0);
	thread_fd[i] = WANT_OK(uintr_create_fd(3, 0));
	__sync_fetch_and_add(&started, 1);
	/* UIF is 0, so it comes here. */
	AWAIT("a user interrupt", WANT(uintr_wait(0, 0) < 0, true));
	return NULL;
}

/* More UPIDs than a page has, sent to from all CPUs */
TEST(many_upids)
{
	static pthread_t thread[THREADS];
	long i;

	for (i = 0; i < THREADS; i++)
		thread[i] = start(receive_one, (void *)i);
	WAIT_UNTIL(load(started) == THREADS);
	for (i = 0; i < THREADS; i++) {
		int index = WANT_OK(uintr_register_sender(thread_fd[i], 0));

		pin_to(i % nr_cpus());
		WANT(senduipi_try(index), 0);
		WANT(uintr_unregister_sender(index, 0), 0);
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
}

TEST_HARNESS_MAIN
