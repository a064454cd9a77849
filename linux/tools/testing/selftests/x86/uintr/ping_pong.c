// SPDX-License-Identifier: GPL-2.0
/* Two receivers send to each other: each interrupt arrives, once. */
#include "fds.h"

static long rounds;

/* Answer each ping on @mine by a pong on @index. */
static void answer(int mine, int index)
{
	long i;

	_stui();
	for (i = 1; i <= rounds; i++) {
		WAIT_UNTIL(load(handled[mine]) >= (uint64_t)i);
		WANT(handled[mine], i);
		alive();
		_senduipi(index);
	}
}

/* Ping by @index, and wait for each answer. */
static void ask(int mine, int index)
{
	long i;

	_stui();
	for (i = 1; i <= rounds; i++) {
		_senduipi(index);
		WAIT_UNTIL(load(handled[mine]) >= (uint64_t)i);
		WANT(handled[mine], i);
		alive();
	}
}

static int fd_of[2] = { -1, -1 };

static void *answering_thread(void *arg)
{
	int fd;

	WANT(uintr_register_handler(count_handler, 0), 0);
	fd = WANT_OK(uintr_create_fd(1, 0));
	store(fd_of[1], fd);
	answer(1, WANT_OK(uintr_register_sender(fd_of[0], 0)));
	return NULL;
}

/* Two threads of one process */
TEST(threads)
{
	pthread_t thread;

	rounds = nr_rounds(5000, 200000);
	WANT(uintr_register_handler(count_handler, 0), 0);
	fd_of[0] = WANT_OK(uintr_create_fd(0, 0));
	thread = start(answering_thread, NULL);
	WAIT_UNTIL(load(fd_of[1]) >= 0);
	ask(0, WANT_OK(uintr_register_sender(fd_of[1], 0)));
	pthread_join(thread, NULL);
	WANT(handled[0], rounds);
	WANT(handled[1], rounds);
}

static void answering_process(void)
{
	int fd;

	WANT(uintr_register_handler(count_handler, 0), 0);
	fd = WANT_OK(uintr_create_fd(1, 0));
	send_fd(peer, fd);
	fd = receive_fd(peer);
	answer(1, WANT_OK(uintr_register_sender(fd, 0)));
	WANT(handled[0], 0);
}

/* Two processes, with the same program and other vectors */
TEST(processes)
{
	pid_t pid;
	int fd;

	rounds = nr_rounds(5000, 200000);
	pid = start_peer(answering_process);
	WANT(uintr_register_handler(count_handler, 0), 0);
	fd = WANT_OK(uintr_create_fd(0, 0));
	send_fd(peer, fd);
	fd = receive_fd(peer);
	ask(0, WANT_OK(uintr_register_sender(fd, 0)));
	WANT(join_child(pid), 0);
	WANT(handled[1], 0);
}

#define STREAMS	4

static int stream_fd[STREAMS];
static long posted[STREAMS];
static bool stream_ended[STREAMS];

static void *stream(void *arg)
{
	long id = (long)arg, i;
	int index = WANT_OK(uintr_register_sender(stream_fd[id], 0));

	for (i = 0; i < rounds; i++) {
		/* One that may coalesce, one that was waited for. */
		_senduipi(index);
		if (i & 1) {
			uint64_t before = load(handled[id]);

			_senduipi(index);
			WAIT_UNTIL(load(handled[id]) > before);
			posted[id]++;
		}
		posted[id]++;
		alive();
	}
	store(stream_ended[id], true);
	return NULL;
}

/* Several senders of one receiver: never more interrupts than posts */
TEST(many_senders)
{
	pthread_t thread[STREAMS];
	long i;

	rounds = nr_rounds(2000, 50000);
	WANT(uintr_register_handler(count_handler, 0), 0);
	for (i = 0; i < STREAMS; i++)
		stream_fd[i] = WANT_OK(uintr_create_fd(i, 0));
	_stui();
	for (i = 0; i < STREAMS; i++)
		thread[i] = start(stream, (void *)i);
	for (i = 0; i < STREAMS; i++) {
		WAIT_UNTIL(load(stream_ended[i]));
		pthread_join(thread[i], NULL);
		WANT(handled[i] <= (uint64_t)posted[i], true);
		WANT(handled[i] >= (uint64_t)rounds / 2, true);
	}
}

TEST_HARNESS_MAIN
