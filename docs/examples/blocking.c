/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A thread sleeps until the next user interrupt, and misses none. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "uintr-user.h"

#define MESSAGES	5

static pthread_barrier_t ready;
static int uintr_fd;
static int sent;		/* the last message; a real one would be bigger */
static volatile int seen;	/* the last one that the handler found */

/* Two sends can end in one run of the handler, so it does not count runs. */
static UINTR_HANDLER(handler, frame, vector)
{
	(void)frame;
	(void)vector;
	seen = __atomic_load_n(&sent, __ATOMIC_ACQUIRE);
}

/*
 * With UIF clear the handler cannot run between the look at "seen" and the
 * system call. uintr_wait() does not need UIF: it returns as soon as something
 * is pending, and leaves it pending.
 */
static void wait_for_more_than(int known)
{
	_clui();
	while (seen == known) {
		uintr_wait(0, 0);
		_stui();	/* The handler runs here ... */
		_clui();	/* ... or before the next look. */
	}
	_stui();
}

static void *receiver(void *arg)
{
	int printed = 0;

	(void)arg;
	if (uintr_register_handler(handler, 0)) {
		perror("uintr_register_handler");
		exit(1);
	}
	uintr_fd = uintr_create_fd(0, 0);
	pthread_barrier_wait(&ready);

	while (printed < MESSAGES) {
		wait_for_more_than(printed);
		while (printed < seen)
			printf("message %d\n", ++printed);
	}
	return NULL;
}

int main(void)
{
	pthread_t thread;
	int index, i;

	pthread_barrier_init(&ready, NULL, 2);
	pthread_create(&thread, NULL, receiver, NULL);
	pthread_barrier_wait(&ready);

	index = uintr_register_sender(uintr_fd, 0);
	if (index < 0) {
		perror("uintr_register_sender");
		return 1;
	}
	for (i = 1; i <= MESSAGES; i++) {
		__atomic_store_n(&sent, i, __ATOMIC_RELEASE);
		_senduipi(index);
		usleep(1000);	/* Let it fall asleep. */
	}

	pthread_join(thread, NULL);
	return 0;
}
