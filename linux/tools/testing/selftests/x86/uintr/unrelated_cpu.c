// SPDX-License-Identifier: GPL-2.0
/* Whom a connection that ends interrupts: CPUs that can be using it, no other. */
#include "uintr.h"

/* How often the last CPU was interrupted by another one that called a function */
static long nr_calls(void)
{
	FILE *f = fopen("/proc/interrupts", "r");
	long n = -1, cpu;
	char line[4096], *p;

	WANT(f != NULL, true);
	while (n < 0 && fgets(line, sizeof(line), f)) {
		p = strstr(line, "CAL:");
		if (!p)
			continue;
		p += strlen("CAL:");
		for (cpu = 0; cpu < nr_cpus(); cpu++)
			n = strtol(p, &p, 10);
	}
	fclose(f);
	WANT(n >= 0, true);
	return n;
}

#define ROUNDS		1000
/*
 * Nobody else has a reason to interrupt it, but the kernel is never quite still:
 * KASAN calls all CPUs now and then. A broadcast would be one in each round.
 */
#define NOISE		(ROUNDS / 10)

FIXTURE(unrelated)
{
	pid_t pid;
	int fd;
};

static volatile int *busy;

static void bystander(void)
{
	pin_to(nr_cpus() - 1);
	store(*busy, 1);
	for (;;)
		__builtin_ia32_pause();
}

/* We have been on its CPU, too, and have sent from there. */
FIXTURE_SETUP(unrelated)
{
	if (nr_cpus() < 2)
		SKIP(_exit(KSFT_SKIP), "needs two CPUs");
	self->fd = WANT_OK(uintr_create_fd(3, UINTR_FD_EVENT));
	WANT(uintr_register_sender(self->fd, 0), 0);
	pin_to(nr_cpus() - 1);
	WANT(senduipi_try(0), 0);
	pin_to(0);
	WANT(senduipi_try(0), 0);
	busy = shared_memory(4096);
	self->pid = start_child(bystander);
	WAIT_UNTIL(load(*busy));
}

FIXTURE_TEARDOWN(unrelated)
{
	WANT(kill(self->pid, SIGKILL), 0);
	WANT(join_child(self->pid), SIGKILL);
}

static void want_quiet(long before)
{
	long n = nr_calls() - before;

	ksft_print_msg("%d connections ended, %ld calls\n", ROUNDS, n);
	if (n > NOISE)
		WANT(n, 0);
}

/* Unregister_sender: a CPU that runs another process is left alone */
TEST_F(unrelated, unregister)
{
	long before = nr_calls(), i;

	for (i = 0; i < ROUNDS; i++) {
		WANT(uintr_unregister_sender(0, 0), 0);
		WANT(uintr_register_sender(self->fd, 0), 0);
	}
	want_quiet(before);
}

/* Close of a uintr fd: the same */
TEST_F(unrelated, close)
{
	long before = nr_calls(), i;
	int fd;

	for (i = 0; i < ROUNDS; i++) {
		fd = WANT_OK(uintr_create_fd(4, UINTR_FD_EVENT));
		WANT(uintr_register_sender(fd, 0), 1);
		close(fd);
	}
	want_quiet(before);
}

static volatile bool stop, sending;

static void *send_for_ever(void *arg)
{
	pin_to(nr_cpus() - 1);
	_senduipi(0);
	store(sending, true);
	while (!load(stop))
		_senduipi(0);
	return NULL;
}

/* A CPU that sends by the same table has to leave the instruction each time */
TEST(sender_is_interrupted)
{
	int fd, other, i;
	pthread_t thread;
	long before;

	if (nr_cpus() < 2)
		SKIP(return, "needs two CPUs");
	fd = WANT_OK(uintr_create_fd(3, UINTR_FD_EVENT));
	other = WANT_OK(uintr_create_fd(4, UINTR_FD_EVENT));
	WANT(uintr_register_sender(fd, 0), 0);
	pin_to(0);
	thread = start(send_for_ever, NULL);
	WAIT_UNTIL(load(sending));
	before = nr_calls();
	for (i = 0; i < ROUNDS; i++) {
		WANT(uintr_register_sender(other, 0), 1);
		WANT(uintr_unregister_sender(1, 0), 0);
	}
	/* It may be off its CPU now and then. */
	WANT(nr_calls() - before >= ROUNDS / 2, true);
	store(stop, true);
	pthread_join(thread, NULL);
}

TEST_HARNESS_MAIN
