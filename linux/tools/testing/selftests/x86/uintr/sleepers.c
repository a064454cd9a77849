// SPDX-License-Identifier: GPL-2.0
/*
 * SENDUIPI to receivers that are asleep: who sends does all the work, and that
 * of one wake-up for each that is woken, however many there are.
 */
#include <linux/perf_event.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/user.h>

#include "event.h"

/* A line of /proc/interrupts, on one CPU or on all (-1) */
static uint64_t count_on(const char *name, int cpu)
{
	FILE *f = fopen("/proc/interrupts", "r");
	char line[1024], *p, *end;
	uint64_t sum = 0, n;
	int i;

	WANT(f == NULL, false);
	while (fgets(line, sizeof(line), f)) {
		p = strstr(line, name);
		if (!p)
			continue;
		p += strlen(name);
		for (i = 0; i < nr_cpus(); i++, p = end) {
			n = strtoull(p, &end, 10);
			sum += cpu < 0 || cpu == i ? n : 0;
		}
	}
	fclose(f);
	return sum;
}

#define MANY	1000
#define SENDERS	200

static int many[MANY];

static void *poll_all(void *arg)
{
	int i;

	pin_to(nr_cpus() - 1);
	for (i = 0; i < MANY; i++)
		WANT(readable(many[i]), false);
	return NULL;
}

static void arm_all(void)
{
	struct rlimit limit = { MANY + 100, MANY + 100 };
	int i;

	WANT(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (i = 0; i < MANY; i++)
		many[i] = event_fd(3, O_NONBLOCK);
	for (i = 0; i < SENDERS; i++)
		WANT(uintr_register_sender(many[i * MANY / SENDERS], 0), i);
	pthread_join(start(poll_all, NULL), NULL);
}

static void send_all(void)
{
	int i;

	for (i = 0; i < SENDERS; i++)
		_senduipi(i);
}

/* 1000 are armed on another CPU: a send looks at one, on the sender's CPU */
TEST(one_for_each_send)
{
	int other = nr_cpus() - 1;
	uint64_t all, there;

	pin_to(0);
	arm_all();
	all = count_on("UIW:", -1);
	there = count_on("UIW:", other) + count_on("UIN:", other);
	send_all();
	WANT(count_on("UIW:", -1) - all, SENDERS);
	if (other)
		WANT(count_on("UIW:", other) + count_on("UIN:", other) - there, 0);
}

/* Nobody has looked since: a second send wakes nobody */
TEST(second_send)
{
	uint64_t all;

	arm_all();
	send_all();
	all = count_on("UIW:", -1);
	send_all();
	send_all();
	WANT(count_on("UIW:", -1) - all, 0);
}

/* Who only tries again and again need not be woken */
TEST(nobody_waits)
{
	int fd = event_fd(3, O_NONBLOCK);
	uint64_t all = count_on("UIW:", -1), none;
	int i;

	WANT(uintr_register_sender(fd, 0), 0);
	for (i = 0; i < 100; i++) {
		_senduipi(0);
		WANT(read_event(fd), 1 << 3);
		WANT_ERRNO(read(fd, &none, sizeof(none)), EAGAIN);
	}
	WANT(count_on("UIW:", -1) - all, 0);
}

#define SEND(reg)							\
	do {								\
		WANT(readable(fd), false);				\
		asm volatile("mov %0, %%" #reg "\n\t"			\
			     "senduipi %%" #reg "\n\t"			\
			     "cmp %0, %%" #reg "\n\t"			\
			     "sete %1"					\
			     : : "m" (index), "m" (same) : #reg, "cc", "memory"); \
		WANT(same, true);					\
		WANT(read_event(fd), 1 << 3);				\
	} while (0)

/* The operand can be in any register, and stays there */
TEST(registers)
{
	static uint64_t index;
	static bool same;
	int fd = event_fd(3, O_NONBLOCK);

	/* So that the index is not 0 */
	WANT(uintr_register_sender(event_fd(4, 0), 0), 0);
	index = WANT_OK(uintr_register_sender(fd, 0));
	SEND(rax);
	SEND(rbx);
	SEND(rcx);
	SEND(rdx);
	SEND(rsi);
	SEND(rdi);
	SEND(r8);
	SEND(r9);
	SEND(r10);
	SEND(r11);
	SEND(r12);
	SEND(r13);
	SEND(r14);
	SEND(r15);
}

/* Prefixes that mean nothing belong to the instruction */
TEST(prefixes)
{
	int fd = event_fd(3, O_NONBLOCK);

	WANT(uintr_register_sender(fd, 0), 0);
	WANT(readable(fd), false);
	/* 64: FS, 66: operand size, REX.W */
	asm volatile(".byte 0x64, 0x66, 0xf3, 0x48, 0x0f, 0xc7, 0xf0"
		     : : "a" (0) : "memory");
	WANT(read_event(fd), 1 << 3);
}

static int step_fd;

static void stepped(void)
{
	WANT(uintr_register_sender(step_fd, 0), 0);
	WANT(readable(step_fd), false);
	WANT(ptrace(PTRACE_TRACEME, 0, NULL, NULL), 0);
	asm volatile("int3\n\t"
		     "senduipi %%rax\n\t"
		     "nop\n\t"
		     "nop" : : "a" (0ul) : "memory");
}

static unsigned long advance(pid_t pid)
{
	struct user_regs_struct regs;
	int status;

	WANT(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
	AWAIT("a step", WANT(waitpid(pid, &status, 0), pid));
	WANT(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP, true);
	WANT(ptrace(PTRACE_GETREGS, pid, NULL, &regs), 0);
	return regs.rip;
}

/* A debugger steps over it as over any instruction */
TEST(single_step)
{
	struct user_regs_struct regs;
	pid_t pid;
	int status;

	step_fd = event_fd(3, O_NONBLOCK);
	pid = start_child(stepped);
	AWAIT("a breakpoint", WANT(waitpid(pid, &status, 0), pid));
	WANT(WIFSTOPPED(status), true);
	WANT(ptrace(PTRACE_GETREGS, pid, NULL, &regs), 0);
	WANT(advance(pid) - regs.rip, 4);
	WANT(advance(pid) - regs.rip, 5);
	WANT(ptrace(PTRACE_CONT, pid, NULL, NULL), 0);
	WANT(join_child(pid), 0);
	WANT(read_event(step_fd), 1 << 3);
}

/* Where in its file the code of this program is */
static uint64_t file_offset(const char *code)
{
	unsigned long start, end, offset;
	uint64_t found = 0;
	char line[512];
	FILE *f = fopen("/proc/self/maps", "r");

	WANT(f == NULL, false);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx %*s %lx", &start, &end, &offset) == 3 &&
		    start <= (unsigned long)code && (unsigned long)code < end)
			found = (unsigned long)code - start + offset;
	}
	fclose(f);
	WANT(found > 0, true);
	return found;
}

/* A uprobe at code of this program; read() tells how often it was hit. */
static int uprobe_at(const char *code)
{
	struct perf_event_attr attr = { .size = sizeof(attr) };
	char path[256] = "";
	FILE *f = fopen("/sys/bus/event_source/devices/uprobe/type", "r");

	if (!f)
		return -1;
	WANT(fscanf(f, "%u", &attr.type), 1);
	fclose(f);
	WANT(readlink("/proc/self/exe", path, sizeof(path) - 1) > 0, true);
	attr.uprobe_path = (unsigned long)path;
	attr.probe_offset = file_offset(code);
	return WANT_OK(syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0));
}

/* The kernel steps over a copy of the instruction: no signal comes of that */
TEST(uprobe)
{
	int fd = event_fd(3, O_NONBLOCK), probe = uprobe_at(senduipi_insn);
	uint64_t hits;

	if (probe < 0)
		SKIP(return, "no CONFIG_UPROBE_EVENTS");
	WANT(uintr_register_sender(fd, 0), 0);
	WANT(readable(fd), false);
	WANT(senduipi_try(0), 0);
	WANT(read_event(fd), 1 << 3);
	WANT(read(probe, &hits, sizeof(hits)), sizeof(hits));
	WANT(hits, 1);
}

TEST_HARNESS_MAIN
