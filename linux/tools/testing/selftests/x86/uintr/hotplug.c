// SPDX-License-Identifier: GPL-2.0
/* CPUs go and come back. */
#include "waiter.h"

static bool set_online(int cpu, char online)
{
	char path[64];
	int fd, ret;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return false;
	ret = write(fd, &online, 1);
	close(fd);
	return ret == 1;
}

FIXTURE(hotplug)
{
};

FIXTURE_SETUP(hotplug)
{
	if (access("/sys/devices/system/cpu/cpu1/online", W_OK))
		SKIP(_exit(KSFT_SKIP), "CPU 1 cannot go offline");
}

/* Whatever happened to the test, the next one finds all CPUs. */
FIXTURE_TEARDOWN_PARENT(hotplug)
{
	int cpu;

	for (cpu = 1; cpu < sysconf(_SC_NPROCESSORS_CONF); cpu++)
		set_online(cpu, '1');
}

/* CPU that went and came back has user interrupts */
TEST_F(hotplug, comes_back)
{
	int fd, i;

	WANT(self_setup(3, &fd), 0);
	_stui();
	for (i = 1; i <= 3; i++) {
		/* Going off moves the thread away. */
		pin_to(1);
		WANT(set_online(1, '0'), true);
		_senduipi(0);
		WAIT_UNTIL(handled[3] == (uint64_t)i * 2 - 1);
		WANT(set_online(1, '1'), true);
		pin_to(1);
		_senduipi(0);
		WAIT_UNTIL(handled[3] == (uint64_t)i * 2);
	}
}

/* Receiver that fell asleep on a CPU that goes is woken */
TEST_F(hotplug, blocked_receiver)
{
	int i;

	pin_to(0);
	for (i = 0; i < 4; i++) {
		struct waiter w = { .uif = i & 1, .call = wait_unlimited, .cpu = 1 + 1 };

		start_waiter(&w);
		WANT(set_online(1, '0'), true);
		_senduipi(w.index);
		join_waiter(&w);
		WANT(w.error, EINTR);
		WANT(w.handled_at_return, w.uif);
		WANT(set_online(1, '1'), true);
	}
}

static int pipe_fd[2];

static long block_in_read(struct waiter *w)
{
	char c;

	return read(pipe_fd[0], &c, 1);
}

/* The same in another system call */
TEST_F(hotplug, blocked_in_read)
{
	struct waiter w = { .uif = true, .flags = WAITING, .call = block_in_read,
		.cpu = 1 + 1 };

	pin_to(0);
	WANT(pipe(pipe_fd), 0);
	start_waiter(&w);
	WANT(set_online(1, '0'), true);
	_senduipi(w.index);
	join_waiter(&w);
	WANT(w.error, EINTR);
	WANT(w.handled_at_return, 1);
}

/* What was posted before the CPU goes is not forgotten with UIF 0 either */
TEST_F(hotplug, pending)
{
	int fd, i;

	for (i = 1; i <= 3; i++) {
		pin_to(1);
		if (i == 1)
			WANT(self_setup(3, &fd), 0);
		_senduipi(0);
		WANT(set_online(1, '0'), true);
		WANT(_testui(), 0);
		WANT(handled[3], i - 1);
		_stui();
		WAIT_UNTIL(handled[3] == (uint64_t)i);
		_clui();
		WANT(set_online(1, '1'), true);
	}
}

static int event;
static volatile pid_t reader_tid;
static volatile long events_read;
static volatile bool stop;

static void *read_events(void *arg)
{
	uint64_t posted;

	if (arg)
		pin_to(1);
	store(reader_tid, gettid());
	do {
		AWAIT("an event", WANT(read(event, &posted, sizeof(posted)), 8));
		WANT(posted, 1 << 5);
		store(events_read, events_read + 1);
	} while (!load(stop));
	return NULL;
}

/* Event fd that was armed on a CPU that goes wakes its reader */
TEST_F(hotplug, event_fd)
{
	pthread_t thread;
	int index;

	pin_to(0);
	stop = true;
	event = WANT_OK(uintr_create_fd(5, UINTR_FD_EVENT));
	index = WANT_OK(uintr_register_sender(event, 0));
	thread = start(read_events, &thread);
	WAIT_UNTIL(load(reader_tid));
	WAIT_ASLEEP(reader_tid);
	WANT(set_online(1, '0'), true);
	_senduipi(index);
	WAIT_UNTIL(load(events_read) == 1);
	pthread_join(thread, NULL);
}

static volatile int live_fd = -1;

static void *receive_live(void *arg)
{
	WANT(uintr_register_handler(count_handler, 0), 0);
	store(live_fd, WANT_OK(uintr_create_fd(0, 0)));
	_stui();
	while (!load(stop))
		__builtin_ia32_pause();
	return NULL;
}

static volatile bool switched_enough;

static void *switch_cpus(void *arg)
{
	long i, cycles = nr_rounds(10, 200);
	int cpu;

	for (i = 0; i < cycles; i++) {
		for (cpu = 1; cpu < sysconf(_SC_NPROCESSORS_CONF); cpu++)
			WANT(set_online(cpu, '0'), true);
		for (cpu = 1; cpu < sysconf(_SC_NPROCESSORS_CONF); cpu++)
			WANT(set_online(cpu, '1'), true);
	}
	store(switched_enough, true);
	return NULL;
}

/* Live and blocked receivers and an event fd get all while CPUs go and come */
TEST_F(hotplug, traffic)
{
	struct waiter w = { .uif = true, .flags = WAITING, .call = wait_unlimited,
		.rounds = 1L << 40 };
	int live, to_event, blocked;
	pthread_t thread[3];
	long i;

	start_waiter(&w);
	event = WANT_OK(uintr_create_fd(5, UINTR_FD_EVENT));
	thread[0] = start(receive_live, NULL);
	thread[1] = start(read_events, NULL);
	WAIT_UNTIL(load(live_fd) >= 0);
	live = WANT_OK(uintr_register_sender(live_fd, 0));
	to_event = WANT_OK(uintr_register_sender(event, 0));
	blocked = w.index;
	thread[2] = start(switch_cpus, NULL);
	for (i = 1; !load(switched_enough); i++) {
		_senduipi(live);
		_senduipi(blocked);
		_senduipi(to_event);
		WAIT_UNTIL(load(handled[0]) == (uint64_t)i);
		WAIT_UNTIL(load(handled[3]) == (uint64_t)i);
		WAIT_UNTIL(load(events_read) == i);
		alive();
	}
	ksft_print_msg("%ld rounds of traffic\n", i);
	/* Let the two that block see that it is over. */
	store(stop, true);
	store(w.stop, true);
	WAIT_UNTIL(load(w.ended) || (_senduipi(blocked), false));
	_senduipi(to_event);
	join_waiter(&w);
	for (i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
}

#define FIRST_MSR	0x985		/* IA32_UINTR_RR */
#define NR_MSRS		6

/* What another kernel has left in the registers of a CPU is cleared */
TEST_F(hotplug, stale_registers)
{
	static const uint64_t stale[NR_MSRS] = {
		0, 0x10000, 128, 0xeaULL << 32 | 255, 0x20000, 0x30001,
	};
	uint64_t value;
	int fd, i;

	pin_to(0);
	fd = open("/dev/cpu/1/msr", O_RDWR);
	if (fd < 0)
		SKIP(return, "no MSRs, see CONFIG_X86_MSR");
	for (i = 0; i < NR_MSRS; i++)
		WANT(pwrite(fd, &stale[i], 8, FIRST_MSR + i), 8);
	close(fd);
	WANT(set_online(1, '0'), true);
	WANT(set_online(1, '1'), true);
	fd = WANT_OK(open("/dev/cpu/1/msr", O_RDWR));
	for (i = 0; i < NR_MSRS; i++) {
		WANT(pread(fd, &value, 8, FIRST_MSR + i), 8);
		WANT(value, 0);
	}
}

TEST_HARNESS_MAIN
