// SPDX-License-Identifier: GPL-2.0
/* A thread sends to itself. */
#include "uintr.h"

/* Through an fd, with the interrupt delivered before the thread goes on */
TEST(by_fd)
{
	int fd, i, index = self_setup(3, &fd);

	_stui();
	for (i = 1; i <= 1000; i++) {
		_senduipi(index);
		WAIT_UNTIL(handled[3] == (uint64_t)i);
	}
}

/* register_self: no fd is needed */
TEST(register_self)
{
	int index, i;

	WANT(uintr_register_handler(count_handler, 0), 0);
	index = WANT_OK(uintr_register_self(9, 0));
	WANT(index, 0);
	_stui();
	for (i = 1; i <= 1000; i++) {
		_senduipi(index);
		WAIT_UNTIL(handled[9] == (uint64_t)i);
	}
}

/* register_self: all vectors, as often as one likes, until the table is full */
TEST(register_self_all)
{
	int i;

	WANT(uintr_register_handler(count_handler, 0), 0);
	for (i = 0; i < UINTR_NR_SENDERS; i++)
		WANT(uintr_register_self(i % UINTR_NR_VECTORS, 0), i);
	WANT_ERRNO(uintr_register_self(0, 0), ENOSPC);
	_stui();
	for (i = 0; i < UINTR_NR_SENDERS; i++) {
		uint64_t before = handled[i % UINTR_NR_VECTORS];

		_senduipi(i);
		WAIT_UNTIL(handled[i % UINTR_NR_VECTORS] == before + 1);
	}
}

/* register_self: works beside an fd of the same vector, whose close spares it */
TEST(register_self_and_fd)
{
	int fd, index;

	WANT(self_setup(3, &fd), 0);
	index = WANT_OK(uintr_register_self(3, 0));
	WANT(index, 1);
	close(fd);
	WANT(senduipi_try(0), SIGSEGV);
	_stui();
	WANT(senduipi_try(index), 0);
	WAIT_UNTIL(handled[3]);
}

/* register_self: unregister_sender takes the index back */
TEST(register_self_unregister)
{
	int index;

	WANT(uintr_register_handler(count_handler, 0), 0);
	index = WANT_OK(uintr_register_self(3, 0));
	WANT(uintr_unregister_sender(index, 0), 0);
	WANT(senduipi_try(index), SIGSEGV);
	WANT(uintr_register_self(4, 0), index);
}

static volatile int sent_by_other = -1;

static void *send_by_index(void *arg)
{
	sent_by_other = senduipi_try((long)arg);
	return NULL;
}

/* register_self: the index is the process's, its target is the one thread */
TEST(register_self_other_thread)
{
	long index;

	WANT(uintr_register_handler(count_handler, 0), 0);
	index = WANT_OK(uintr_register_self(3, 0));
	_stui();
	pthread_join(start(send_by_index, (void *)index), NULL);
	WANT(sent_by_other, 0);
	WAIT_UNTIL(handled[3]);
	WANT(handled[3], 1);
}

static void *register_and_exit(void *arg)
{
	WANT(uintr_register_handler(count_handler, 0), 0);
	WANT(uintr_register_self(3, 0), 0);
	_stui();
	return NULL;
}

/* register_self: the entry outlives its thread, sends through it vanish */
TEST(register_self_exited)
{
	int i;

	pthread_join(start(register_and_exit, NULL), NULL);
	for (i = 0; i < 100; i++)
		WANT(senduipi_try(0), 0);
	WANT(handled[3], 0);
	WANT(uintr_unregister_sender(0, 0), 0);
	WANT(senduipi_try(0), SIGSEGV);
}

static void *fill_table_and_exit(void *arg)
{
	int i;

	WANT(uintr_register_handler(count_handler, 0), 0);
	for (i = 0; i < UINTR_NR_SENDERS; i++)
		WANT(uintr_register_self(3, 0), i);
	return NULL;
}

static int index_or_error;

/* The thread may still be in exit when pthread_join() returns. */
static bool registered(void)
{
	index_or_error = uintr_register_self(3, 0);
	if (index_or_error < 0)
		WANT(errno, ENOSPC);
	return index_or_error >= 0;
}

/* register_self: entries of threads that have exited make room in a full table */
TEST(register_self_reclaimed)
{
	pthread_join(start(fill_table_and_exit, NULL), NULL);
	WANT(uintr_register_handler(count_handler, 0), 0);
	WAIT_UNTIL(registered());
	_stui();
	WANT(senduipi_try(index_or_error), 0);
	WAIT_UNTIL(handled[3]);
}

TEST_HARNESS_MAIN
