/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One thread interrupts another, and the kernel has nothing to do with it. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "uintr-user.h"

#define VECTOR	7

static pthread_barrier_t ready;
static int uintr_fd;
static volatile int received = -1;

/* Runs in the receiving thread, between two of its instructions. */
static UINTR_HANDLER(handler, frame, vector)
{
	(void)frame;
	received = vector;
}

static void *receiver(void *arg)
{
	(void)arg;
	/* The handler is that of this thread. The fd stands for a vector. */
	if (uintr_register_handler(handler, 0)) {
		perror("uintr_register_handler");
		exit(1);
	}
	uintr_fd = uintr_create_fd(VECTOR, 0);
	_stui();	/* From here on it can run. */

	pthread_barrier_wait(&ready);
	while (received < 0)
		__builtin_ia32_pause();
	printf("received vector %d\n", received);

	close(uintr_fd);
	uintr_unregister_handler(0);
	return NULL;
}

int main(void)
{
	pthread_t thread;
	int index;

	pthread_barrier_init(&ready, NULL, 2);
	pthread_create(&thread, NULL, receiver, NULL);
	pthread_barrier_wait(&ready);

	/* The fd is needed once, to get a number for SENDUIPI. */
	index = uintr_register_sender(uintr_fd, 0);
	if (index < 0) {
		perror("uintr_register_sender");
		return 1;
	}
	_senduipi(index);

	pthread_join(thread, NULL);
	return 0;
}
