// SPDX-License-Identifier: GPL-2.0
/*
 * No kernel address becomes visible to user space: the state of user
 * interrupts has those of the UPID and of the target table in it.
 */
#include <elf.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include "waiter.h"

/* Byte by byte all ones or zeros, as comparisons of vectors leave it */
static bool is_mask(uint64_t value)
{
	uint64_t low = value & 0x0101010101010101;

	return value == low * 0xff;
}

/* From the direct map to the CPU entry areas, or in the kernel's image */
static bool is_kernel_address(uint64_t value)
{
	return (value >= 0xffff800000000000 && value < 0xfffffe8000000000 &&
		!is_mask(value)) ||
	       (value >= 0xffffffff80000000 && value < 0xffffffffc0000000);
}

/* Whether there is one in memory; notes of core dumps are aligned to 4 bytes */
static void scan(const void *memory, size_t size, const char *what)
{
	const char *p = memory;
	uint64_t value;
	size_t i;

	for (i = 0; i + sizeof(value) <= size; i += 4) {
		memcpy(&value, p + i, sizeof(value));
		if (!is_kernel_address(value))
			continue;
		ksft_print_msg("%s: wanted no kernel address, got %lx at %zu\n",
			       what, value, i);
		_exit(KSFT_FAIL);
	}
}

/* The same for text with numbers in base 16 */
static void scan_text(const char *path)
{
	FILE *f = fopen(path, "r");
	char line[512], *p, *end;

	WANT(f != NULL, true);
	while (fgets(line, sizeof(line), f)) {
		for (p = line; *p; p = end) {
			uint64_t value = strtoull(p, &end, 16);

			if (end == p)
				end++;
			else
				scan(&value, sizeof(value), path);
		}
	}
	fclose(f);
}

/* Everything that a thread can have: handler, table, pending interrupt */
static int setup(void)
{
	int fd;

	WANT(self_setup(3, &fd), 0);
	_senduipi(0);
	return fd;
}

/* fdinfo and arch_status */
TEST(proc)
{
	struct waiter w = { .call = wait_unlimited };
	char path[64];
	int fd = setup(), event = WANT_OK(uintr_create_fd(1, UINTR_FD_EVENT));

	scan_text("/proc/self/arch_status");
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	scan_text(path);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", event);
	scan_text(path);
	start_waiter(&w);
	snprintf(path, sizeof(path), "/proc/self/task/%d/arch_status", w.tid);
	scan_text(path);
	_senduipi(w.index);
	join_waiter(&w);
	scan_text("/proc/self/status");
	scan_text("/proc/interrupts");
}

static volatile bool signalled;

/* The frame of a signal has the extended state of user mode, no more */
static void look_at_frame(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	const uint32_t *fpu = (void *)uc->uc_mcontext.fpregs;
	const uint64_t *header = (void *)((char *)fpu + 512);
	uint32_t size = fpu[464 / 4 + 1];

	/* struct _fpx_sw_bytes: magic, size, features */
	WANT(fpu[464 / 4], 0x46505853);
	WANT(size >= 576, true);
	WANT(*(const uint64_t *)((const char *)fpu + 464 + 8) >> 14 & 1, 0);
	WANT(header[0] >> 14 & 1, 0);
	scan(fpu, size, "signal frame");
	scan(uc->uc_mcontext.gregs, sizeof(uc->uc_mcontext.gregs), "registers");
	signalled = true;
}

TEST(signal_frame)
{
	struct sigaction action = {
		.sa_sigaction = look_at_frame, .sa_flags = SA_SIGINFO,
	};

	setup();
	WANT(sigaction(SIGUSR1, &action, NULL), 0);
	raise(SIGUSR1);
	WANT(signalled, true);
}

static void be_traced(void)
{
	setup();
	tell_peer();
	for (;;)
		pause();
}

/* ptrace: the register sets have no component 14 */
TEST(ptrace_regset)
{
	static uint64_t xstate[1024];
	struct iovec area = { xstate, sizeof(xstate) };
	pid_t pid = start_peer(be_traced);
	int status;

	hear_peer();
	WANT(ptrace(PTRACE_SEIZE, pid, NULL, NULL), 0);
	WANT(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL), 0);
	AWAIT("a stop", WANT(waitpid(pid, &status, 0), pid));
	WANT(ptrace(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &area), 0);
	WANT(area.iov_len >= 576, true);
	WANT(xstate[512 / 8] >> 14 & 1, 0);
	WANT(xstate[464 / 8] >> 14 & 1, 0);
	scan(xstate, area.iov_len, "NT_X86_XSTATE");
	/* Nor does writing it back change them. */
	xstate[512 / 8] |= 1 << 14;
	WANT(ptrace(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &area) < 0, true);
	WANT(kill(pid, SIGKILL), 0);
	join_child(pid);
}

static void dump_core(void)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

	WANT(chdir("/tmp"), 0);
	unlink("core");
	WANT(setrlimit(RLIMIT_CORE, &limit), 0);
	setup();
	raise(SIGQUIT);
}

/* Core dump: neither do its notes */
TEST(core_dump)
{
	int status = run_in_child(dump_core), fd, i, notes = 0;
	Elf64_Ehdr header;
	char pattern[16] = "";

	fd = WANT_OK(open("/proc/sys/kernel/core_pattern", O_RDONLY));
	WANT(read(fd, pattern, sizeof(pattern) - 1) > 0, true);
	if (strcmp(pattern, "core\n"))
		SKIP(return, "core dumps do not go to the file core");
	WANT(WIFSIGNALED(status) && WCOREDUMP(status), true);
	fd = WANT_OK(open("/tmp/core", O_RDONLY));
	WANT(read(fd, &header, sizeof(header)), sizeof(header));
	for (i = 0; i < header.e_phnum; i++) {
		Elf64_Phdr segment;
		char *text;

		WANT(pread(fd, &segment, sizeof(segment),
			   header.e_phoff + i * sizeof(segment)), sizeof(segment));
		if (segment.p_type != PT_NOTE)
			continue;
		notes++;
		text = malloc(segment.p_filesz);
		WANT(pread(fd, text, segment.p_filesz, segment.p_offset),
		     segment.p_filesz);
		scan(text, segment.p_filesz, "notes of a core dump");
		free(text);
	}
	WANT(notes, 1);
	unlink("/tmp/core");
}

static volatile uint64_t frame_of_handler[8];

static UINTR_HANDLER(note_frame, frame, vector)
{
	const uint64_t *p = (void *)frame;
	int i;

	for (i = 0; i < 4; i++)
		frame_of_handler[i] = p[i - 1];
	handled[vector]++;
}

/* What a delivery pushes: vector, RIP, RFLAGS, RSP */
TEST(handler_frame)
{
	WANT(uintr_register_handler(note_frame, 0), 0);
	WANT(uintr_register_self(3, 0), 0);
	_stui();
	_senduipi(0);
	WAIT_UNTIL(handled[3]);
	WANT(frame_of_handler[0], 3);
	scan((void *)frame_of_handler, sizeof(frame_of_handler), "frame of a handler");
}

/* XGETBV and XSAVE in user mode do not reach it */
TEST(xsave)
{
	static uint8_t area[8192] __attribute__((aligned(64)));
	uint32_t low, high;

	setup();
	asm volatile("xgetbv" : "=a" (low), "=d" (high) : "c" (0));
	WANT(low >> 14 & 1, 0);
	asm volatile("xsavec64 %0" : "=m" (area) : "a" (-1), "d" (-1) : "memory");
	WANT(*(uint64_t *)(area + 512) >> 14 & 1, 0);
	scan(area, sizeof(area), "XSAVEC in user mode");
}

TEST_HARNESS_MAIN
