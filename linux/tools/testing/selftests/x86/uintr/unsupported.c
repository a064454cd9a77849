// SPDX-License-Identifier: GPL-2.0
/*
 * A kernel that knows user interrupts but does not use them, because the CPU
 * lacks them or the boot option nouintr says so.
 */
#include <cpuid.h>

#include "uintr.h"

FIXTURE(unsupported)
{
};

FIXTURE_SETUP(unsupported)
{
	if (have_uintr())
		SKIP(_exit(KSFT_SKIP), "user interrupts are supported here");
	WANT_ERRNO(uintr_register_handler(NULL, 0), EOPNOTSUPP);
}

FIXTURE_TEARDOWN(unsupported)
{
}

/* All calls are EOPNOTSUPP, before anything else is looked at */
TEST_F(unsupported, calls)
{
	WANT_ERRNO(uintr_register_handler(count_handler, 0), EOPNOTSUPP);
	WANT_ERRNO(uintr_register_handler(count_handler, 1), EOPNOTSUPP);
	WANT_ERRNO(uintr_unregister_handler(1), EOPNOTSUPP);
	WANT_ERRNO(uintr_create_fd(64, 4), EOPNOTSUPP);
	WANT_ERRNO(uintr_create_fd(0, UINTR_FD_EVENT), EOPNOTSUPP);
	WANT_ERRNO(uintr_register_sender(-1, 1), EOPNOTSUPP);
	WANT_ERRNO(uintr_unregister_sender(-1, 1), EOPNOTSUPP);
	WANT_ERRNO(uintr_wait(0, 0), EOPNOTSUPP);
	WANT_ERRNO(uintr_wait(-1, 1), EOPNOTSUPP);
	WANT_ERRNO(uintr_register_self(64, 1), EOPNOTSUPP);
	WANT_ERRNO(uintr_alt_stack(NULL, 0, 1), EOPNOTSUPP);
	WANT_ERRNO(uintr_ipi_fd(1), EOPNOTSUPP);
	WANT_ERRNO(uintr_wait_value(NULL, 0, 0, 1), EOPNOTSUPP);
	WANT_ERRNO(uintr_bind(-1, -1, -1, 1), EOPNOTSUPP);
	WANT_ERRNO(uintr_tick(64, 1, 1), EOPNOTSUPP);
}

/* /proc/interrupts has none of our lines */
TEST_F(unsupported, interrupt_lines)
{
	static char text[1 << 16];
	FILE *f = fopen("/proc/interrupts", "r");

	WANT(f != NULL, true);
	WANT(fread(text, 1, sizeof(text) - 1, f) > 0, true);
	fclose(f);
	WANT(strstr(text, "UIN:") == NULL, true);
	WANT(strstr(text, "UIW:") == NULL, true);
	WANT(strstr(text, "UIP:") == NULL, true);
	WANT(strstr(text, "UIM:") == NULL, true);
}

/* How often the kernel has said something since it was booted */
static int count_in_log(const char *text)
{
	int fd = WANT_OK(open("/dev/kmsg", O_RDONLY | O_NONBLOCK)), n = 0;
	char record[8192];
	ssize_t length;

	while ((length = read(fd, record, sizeof(record) - 1)) > 0) {
		record[length] = 0;
		n += strstr(record, text) != NULL;
	}
	WANT(errno, EAGAIN);
	close(fd);
	return n;
}

/* The log has one line with the reason if it is not that the CPU lacks them */
TEST_F(unsupported, log)
{
	unsigned int eax, ebx, ecx, edx = 0;

	__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx);
	WANT(count_in_log("user interrupts not used: "), !!(edx & (1 << 5)));
}

static volatile int signal_got;

static void skip_instruction(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	signal_got = signal;
	uc->uc_mcontext.gregs[REG_RIP] += 4;
}

#define WANT_SIGILL(bytes)						\
	({								\
		signal_got = 0;						\
		asm volatile(".byte " bytes : : "a" (0ul) : "memory", "cc");	\
		WANT(signal_got, SIGILL);				\
	})

/* CR4.UINTR is 0: the instructions are SIGILL */
TEST_F(unsupported, instructions)
{
	struct sigaction action = {
		.sa_sigaction = skip_instruction, .sa_flags = SA_SIGINFO,
	};

	WANT(sigaction(SIGILL, &action, NULL), 0);
	WANT_SIGILL("0xf3, 0x0f, 0x01, 0xed");	/* TESTUI */
	WANT_SIGILL("0xf3, 0x0f, 0x01, 0xee");	/* CLUI */
	WANT_SIGILL("0xf3, 0x0f, 0x01, 0xef");	/* STUI */
	WANT_SIGILL("0xf3, 0x0f, 0x01, 0xec");	/* UIRET */
	WANT_SIGILL("0xf3, 0x0f, 0xc7, 0xf0");	/* SENDUIPI %rax */
}

TEST_HARNESS_MAIN
