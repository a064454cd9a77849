// SPDX-License-Identifier: GPL-2.0
/*
 * Going to sleep races with being posted to. Each round the receiver blocks
 * and one post comes at a time that varies from before the system call to
 * long after the thread is off its CPU. A wake-up that is lost is a hang,
 * which the watchdog reports.
 */
#include <linux/futex.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include "ring.h"

static volatile long round_of_receiver;
static volatile uint32_t word;
static int fd_of_receiver = -1;
static long rounds;
static int receiver_cpu = -1;

static UINTR_HANDLER(race_handler, frame, vector)
{
	word++;
	handled[vector]++;
}

/* UIF is 0 from the test to the sleep; the interrupt is taken after it. */
static void block_uif_0(uint32_t seen)
{
	while (word == seen) {
		WANT_ERRNO(uintr_wait(0, 0), EINTR);
		_stui();
		/* Here the handler runs. */
		_clui();
	}
}

/* The handler may run at any time; the kernel looks at the word. */
static void block_uif_1(uint32_t seen)
{
	while (word == seen) {
		if (uintr_wait_value(&word, seen, 0, 0) < 0)
			WANT(errno == EINTR || errno == EAGAIN, true);
	}
}

/* With a limit that is never reached, a timer is armed and taken down. */
static void block_with_limit(uint32_t seen)
{
	while (word == seen)
		WANT(uintr_wait_value(&word, seen, UINTR_WAIT_MAX_USEC, 0) < 0, true);
}

/* As an io multiplexer does it: any system call, ended because of WAITING */
static int never_ready[2];

static long call_read(void)
{
	char c;

	return read(never_ready[0], &c, 1);
}

static void block_in_read(uint32_t seen)
{
	/* A post before the call would run the handler, and nobody would know. */
	while (word == seen)
		WANT_ERRNO(call_read(), EINTR);
}

/* UIF is 0 from the test to the sleep, as in the first one, in any call. */
static void block_masked(uint32_t seen, long (*call)(void))
{
	while (word == seen) {
		WANT_ERRNO(call(), EINTR);
		_stui();
		/* Here the handler runs. */
		_clui();
	}
}

static void masked_read(uint32_t seen)
{
	block_masked(seen, call_read);
}

static int epoll;

static long call_epoll(void)
{
	struct epoll_event event;

	return epoll_wait(epoll, &event, 1, -1);
}

static void masked_epoll(uint32_t seen)
{
	block_masked(seen, call_epoll);
}

static struct ring ring;

static long call_io_uring(void)
{
	return ring_enter(&ring, 0, 1, IORING_ENTER_GETEVENTS);
}

static void masked_io_uring(uint32_t seen)
{
	block_masked(seen, call_io_uring);
}

static long call_futex(void)
{
	static uint32_t never_woken;

	return syscall(SYS_futex, &never_woken, FUTEX_WAIT, 0, NULL, NULL, 0);
}

static void masked_futex(uint32_t seen)
{
	block_masked(seen, call_futex);
}

struct race {
	void (*block)(uint32_t seen);
	unsigned int flags;
	bool uif;
	/* Post only once the thread is in the system call */
	bool late;
	bool kernel_posts;
	/* From CPU to CPU between sleeps */
	bool moving;
};

static volatile pid_t receiver_tid;
static long nr_asleep;

static void *receive(void *arg)
{
	const struct race *race = arg;
	struct rusage usage;
	long i;

	if (receiver_cpu >= 0)
		pin_to(receiver_cpu);
	WANT(uintr_register_handler(race_handler, race->flags), 0);
	receiver_tid = gettid();
	if (race->uif)
		_stui();
	store(fd_of_receiver, WANT_OK(uintr_create_fd(3, 0)));
	for (i = 1; i <= rounds; i++) {
		if (race->moving)
			pin_to(i % nr_cpus());
		store(round_of_receiver, i);
		race->block(i - 1);
		WANT(word, i);
		alive();
	}
	WANT(getrusage(RUSAGE_THREAD, &usage), 0);
	nr_asleep = usage.ru_nvcsw;
	return NULL;
}

static void run_race(const struct race *race)
{
	int index, event = eventfd(0, EFD_NONBLOCK);
	uint64_t one = 1;
	pthread_t thread;
	long i;

	rounds = nr_rounds(12000, 1000000);
	WANT(pipe(never_ready), 0);
	epoll = WANT_OK(epoll_create1(0));
	WANT(epoll_ctl(epoll, EPOLL_CTL_ADD, never_ready[0],
		       &(struct epoll_event){ .events = EPOLLIN }), 0);
	thread = start(receive, (void *)race);
	WAIT_UNTIL(load(fd_of_receiver) >= 0);
	index = WANT_OK(uintr_register_sender(fd_of_receiver, 0));
	if (race->kernel_posts)
		WANT(uintr_bind(fd_of_receiver, event, EPOLLIN, 0), 0);
	for (i = 1; i <= rounds; i++) {
		SPIN_UNTIL(load(round_of_receiver) == i);
		if (race->late)
			WAIT_UNTIL(thread_state(getpid(), receiver_tid) == 'S');
		else
			random_delay();
		if (race->kernel_posts)
			WANT(write(event, &one, sizeof(one)), sizeof(one));
		else
			_senduipi(index);
	}
	pthread_join(thread, NULL);
	WANT(handled[3], rounds);
	ksft_print_msg("%ld rounds, asleep in %ld of them\n", rounds, nr_asleep);
}

/* UIF 0: CLUI, test, uintr_wait, STUI */
TEST(U6_uif_0)
{
	run_race(&(struct race){ .block = block_uif_0 });
}

/* UIF 1: uintr_wait_value */
TEST(U6_uif_1)
{
	run_race(&(struct race){ .block = block_uif_1, .uif = true });
}

/* UIF 0, in a receiver that may be woken from any system call */
TEST(U6_uif_0_waiting)
{
	run_race(&(struct race){ .block = block_uif_0, .flags = WAITING });
}

/* UIF 1, the same */
TEST(U6_uif_1_waiting)
{
	run_race(&(struct race){ .block = block_uif_1, .uif = true, .flags = WAITING });
}

/* UIF 1 and a time limit */
TEST(U6_with_limit)
{
	run_race(&(struct race){ .block = block_with_limit, .uif = true });
}

/* UIF 1, receiver and sender on one CPU: each post finds it switched out */
TEST(U6_one_cpu)
{
	receiver_cpu = 0;
	pin_to(0);
	run_race(&(struct race){ .block = block_uif_1, .uif = true });
}

/* UIF 1, and the receiver moves from CPU to CPU between sleeps */
TEST(U6_moving)
{
	run_race(&(struct race){ .block = block_uif_1, .uif = true, .moving = true });
}

/* The kernel posts, for an eventfd that is bound */
TEST(U6_kernel_posts_uif_0)
{
	run_race(&(struct race){ .block = block_uif_0, .kernel_posts = true });
}

/* The same with UIF 1 */
TEST(U6_kernel_posts_uif_1)
{
	run_race(&(struct race){
		.block = block_uif_1, .uif = true, .kernel_posts = true });
}

/* Any system call: read() of a pipe that stays empty */
TEST(K3_read)
{
	run_race(&(struct race){
		.block = block_in_read, .uif = true, .late = true, .flags = WAITING });
}

/* Any system call, without the race of the last one: UIF 0 and MASKED */
TEST(K3_masked_read)
{
	run_race(&(struct race){ .block = masked_read, .flags = MASKED });
}

TEST(K3_masked_epoll_wait)
{
	run_race(&(struct race){ .block = masked_epoll, .flags = MASKED });
}

TEST(K3_masked_io_uring_enter)
{
	ring_setup(&ring, 8, 0);
	run_race(&(struct race){ .block = masked_io_uring, .flags = MASKED });
}

TEST(K3_masked_futex)
{
	run_race(&(struct race){ .block = masked_futex, .flags = MASKED });
}

/* The same from CPU to CPU, and the kernel posts */
TEST(K3_masked_moving)
{
	run_race(&(struct race){ .block = masked_epoll, .flags = MASKED,
		.moving = true, .kernel_posts = true });
}

TEST_HARNESS_MAIN
