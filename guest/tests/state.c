/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state belongs to the thread: it follows it from CPU to CPU. */
#include "test.h"

static int nr_cpus(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN);
}

TEST(uif_moves, "receiver that is moved needs no second STUI (U1)")
{
	int fd, i;

	pin_to(0);
	EXPECT(self_setup(3, &fd), 0);
	_stui();
	for (i = 1; i <= 400; i++) {
		pin_to(i % nr_cpus());
		EXPECT(_testui(), 1);
		_senduipi(0);
		WAIT_UNTIL(handled[3] == (uint64_t)i);
	}
}

TEST(uif_clear_moves, "UIF 0 is kept, too: nothing is delivered after a move (U1)")
{
	int fd, i;

	pin_to(0);
	EXPECT(self_setup(3, &fd), 0);
	_senduipi(0);
	for (i = 1; i <= 100; i++) {
		pin_to(i % nr_cpus());
		EXPECT(_testui(), 0);
		EXPECT(handled[3], 0);
	}
	_stui();
	WAIT_UNTIL(handled[3]);
	EXPECT(handled[3], 1);
}

TEST(uif_first, "STUI before the registration counts, even if the thread is moved between")
{
	int fd;

	pin_to(0);
	_stui();
	pin_to(1);
	EXPECT(_testui(), 1);
	EXPECT(self_setup(3, &fd), 0);
	EXPECT(_testui(), 1);
	_senduipi(0);
	WAIT_UNTIL(handled[3]);
}

TEST(uif_not_receiver, "UIF of a thread that uses nothing else is its own, too")
{
	int i;

	_stui();
	for (i = 0; i < 100; i++) {
		pin_to(i % nr_cpus());
		EXPECT(_testui(), 1);
	}
	_clui();
	for (i = 0; i < 100; i++) {
		pin_to(i % nr_cpus());
		EXPECT(_testui(), 0);
	}
}

/* The CPU does not store a state in which everything is 0. */
TEST(uif_clear_alone, "UIF 0 is kept when there is nothing else left to keep")
{
	int i;

	EXPECT(uintr_register_handler(count_handler, 0), 0);
	_stui();
	pin_to(1);
	EXPECT(uintr_unregister_handler(0), 0);
	EXPECT(_testui(), 1);
	_clui();
	for (i = 0; i < 20; i++) {
		pin_to(i % nr_cpus());
		EXPECT(_testui(), 0);
	}
}

static volatile int turn;

static void *without_uif(void *arg)
{
	int i;

	(void)arg;
	pin_to(0);
	for (i = 0; i < 200; i++) {
		EXPECT(_testui(), 0);
		sched_yield();
	}
	store(turn, 1);
	return NULL;
}

TEST(uif_no_leak, "UIF does not leak to another thread on the same CPU")
{
	pthread_t thread;

	pin_to(0);
	_stui();
	thread = start(without_uif, NULL);
	WAIT_UNTIL(load(turn));
	pthread_join(thread, NULL);
	EXPECT(_testui(), 1);
}

static volatile int uif_in_signal = -1;

static void signal_handler(int signal)
{
	(void)signal;
	uif_in_signal = _testui();
}

TEST(uif_signal, "signal handler runs with the UIF it finds")
{
	signal(SIGUSR1, signal_handler);
	raise(SIGUSR1);
	EXPECT(uif_in_signal, 0);
	_stui();
	raise(SIGUSR1);
	EXPECT(uif_in_signal, 1);
	EXPECT(_testui(), 1);
}

TEST(table_moves, "sender that is moved keeps its table (U2)")
{
	int fd, i;

	EXPECT(self_setup(3, &fd), 0);
	for (i = 0; i < 400; i++) {
		pin_to(i % nr_cpus());
		EXPECT(senduipi_try(0), 0);
	}
	_stui();
	WAIT_UNTIL(handled[3]);
}

static volatile bool stop;
static int receiver_fd;

static void *receive(void *arg)
{
	EXPECT(uintr_register_handler(count_handler, 0), 0);
	receiver_fd = uintr_create_fd(3, 0);
	_stui();
	store(*(bool *)arg, true);
	while (!load(stop))
		__builtin_ia32_pause();
	return NULL;
}

TEST(sender_moves, "receiver that is not moved gets everything from a sender that is (U7)")
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

static void *receive_pinned(void *arg)
{
	pin_to(0);
	return receive(arg);
}

TEST(same_cpu, "receiver that is off its CPU gets it when it runs again")
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

TEST(on_not_stuck, "notification with UIF 0 does not block later ones (U3)")
{
	int fd, i;

	EXPECT(self_setup(3, &fd), 0);
	for (i = 0; i < 100; i++) {
		_senduipi(0);
		sched_yield();
		_senduipi(0);
		_stui();
		WAIT_UNTIL(handled[3] > (uint64_t)i);
		EXPECT(handled[3], i + 1);
		_clui();
	}
}

static uint64_t spurious(void)
{
	FILE *f = fopen("/proc/interrupts", "r");
	uint64_t sum = 0;
	char line[512];

	EXPECT(f != NULL, true);
	while (fgets(line, sizeof(line), f)) {
		char *p = strstr(line, "UIN:"), *end;

		if (!p)
			continue;
		for (p += 4;; p = end) {
			uint64_t n = strtoull(p, &end, 10);

			if (end == p)
				break;
			sum += n;
		}
	}
	fclose(f);
	return sum;
}

TEST(no_storm, "one send with UIF 0 does not repeat its notification (U5)")
{
	uint64_t before = spurious();
	int fd, i;

	pin_to(0);
	EXPECT(self_setup(3, &fd), 0);
	_senduipi(0);
	for (i = 0; i < 1000; i++)
		getppid();
	EXPECT(handled[3], 0);
	EXPECT(spurious() - before <= 1, true);
	_stui();
	WAIT_UNTIL(handled[3]);
	EXPECT(handled[3], 1);
}

TEST(pending_moves, "all vectors that are pending move along (U4)")
{
	int index[UINTR_VECTORS], fd, i, round;

	EXPECT(uintr_register_handler(count_handler, 0), 0);
	for (i = 0; i < UINTR_VECTORS; i++) {
		fd = uintr_create_fd(i, 0);
		index[i] = uintr_register_sender(fd, 0);
	}
	for (round = 1; round <= 20; round++) {
		for (i = 0; i < UINTR_VECTORS; i++) {
			_senduipi(index[i]);
			if (i % 8 == 0)
				pin_to((round + i / 8) % nr_cpus());
		}
		_stui();
		for (i = 0; i < UINTR_VECTORS; i++)
			WAIT_UNTIL(handled[i] == (uint64_t)round);
		_clui();
	}
}

/*
 * Load all AVX registers, move, send to oneself, wait for the handler to have
 * run @count times, store the registers.
 */
static void move_and_send(const void *in, void *out, const cpu_set_t *set,
			  uint64_t count)
{
	long ret = __NR_sched_setaffinity;

	asm volatile(".irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\t"
		     "vmovdqu 32*\\r(%[in]), %%ymm\\r\n\t"
		     ".endr\n\t"
		     "syscall\n\t"
		     "xor %%eax, %%eax\n\t"
		     ".byte 0xf3, 0x0f, 0xc7, 0xf0\n"
		     "1:\n\t"
		     "pause\n\t"
		     "cmpq %[count], %[flag]\n\t"
		     "jne 1b\n\t"
		     ".irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\t"
		     "vmovdqu %%ymm\\r, 32*\\r(%[out])\n\t"
		     ".endr\n\t"
		     "vzeroupper"
		     : "+a" (ret)
		     : [in] "r" (in), [out] "r" (out), [count] "r" (count),
		       [flag] "m" (handled[3]),
		       "D" (0L), "S" (sizeof(*set)), "d" (set)
		     : "rcx", "r11", "memory", "cc");
}

TEST(avx_moves, "AVX registers of a receiver survive its moves")
{
	static uint64_t in[64], out[64];
	cpu_set_t set;
	int fd, i, k;

	EXPECT(self_setup(3, &fd), 0);
	_stui();
	for (i = 1; i <= 400; i++) {
		for (k = 0; k < 64; k++)
			in[k] = (uint64_t)i << 32 | k;
		CPU_ZERO(&set);
		CPU_SET(i % nr_cpus(), &set);
		move_and_send(in, out, &set, i);
		EXPECT(memcmp(in, out, sizeof(in)), 0);
	}
}

/* Take CPU 1 off or back. */
static void set_online(char online)
{
	int fd = open("/sys/devices/system/cpu/cpu1/online", O_WRONLY);

	EXPECT(fd >= 0, true);
	EXPECT(write(fd, &online, 1), 1);
	close(fd);
}

TEST(hotplug, "CPU that went and came back has user interrupts")
{
	int fd, i;

	EXPECT(self_setup(3, &fd), 0);
	_stui();
	for (i = 1; i <= 3; i++) {
		/* Going off moves the thread away. */
		pin_to(1);
		set_online('0');
		_senduipi(0);
		WAIT_UNTIL(handled[3] == (uint64_t)i * 2 - 1);
		set_online('1');
		pin_to(1);
		_senduipi(0);
		WAIT_UNTIL(handled[3] == (uint64_t)i * 2);
	}
}

static bool file_has(const char *path, const char *word)
{
	FILE *f = fopen(path, "r");
	char line[4096];
	bool found = false;

	EXPECT(f != NULL, true);
	while (!found && fgets(line, sizeof(line), f))
		found = strstr(line, word);
	fclose(f);
	return found;
}

TEST(cpuinfo, "/proc/cpuinfo has the flag uintr")
{
	EXPECT(file_has("/proc/cpuinfo", " uintr"), true);
}

TEST(interrupts, "/proc/interrupts has the line UIN")
{
	EXPECT(file_has("/proc/interrupts", "UIN:"), true);
}
