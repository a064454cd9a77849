// SPDX-License-Identifier: GPL-2.0
/* The instructions, and the signals they raise. */
#include <cpuid.h>

#include "uintr.h"

/* CPUID has the feature, and state component 14 with its 48 bytes */
TEST(cpuid)
{
	unsigned int a, b, c, d;

	WANT(__get_cpuid_count(7, 0, &a, &b, &c, &d), 1);
	WANT(d >> 5 & 1, 1);
	WANT(__get_cpuid_count(13, 1, &a, &b, &c, &d), 1);
	WANT(c >> 14 & 1, 1);
	WANT(__get_cpuid_count(13, 14, &a, &b, &c, &d), 1);
	WANT(a, 48);
	/* It belongs to the supervisor. */
	WANT(c & 1, 1);
}

/* UIF is 0 at first; STUI sets, CLUI clears and TESTUI shows it */
TEST(stui_clui_testui)
{
	WANT(_testui(), 0);
	_stui();
	WANT(_testui(), 1);
	_stui();
	WANT(_testui(), 1);
	_clui();
	WANT(_testui(), 0);
}

#define SEND_BY(reg)							\
	({								\
		uint64_t __index = 40;					\
									\
		asm volatile("xchg %0, %%" #reg "\n\t"			\
			     "senduipi %%" #reg "\n\t"			\
			     "xchg %0, %%" #reg				\
			     : "+r" (__index) : : "memory");		\
		nr_sent++;						\
		_stui();						\
		WAIT_UNTIL(handled[40] == nr_sent);			\
		_clui();						\
	})

/* SENDUIPI takes its operand from each of the 16 registers */
TEST(P1_any_register)
{
	uint64_t nr_sent = 0;

	setup_all_vectors(count_handler);
	SEND_BY(rax);
	SEND_BY(rbx);
	SEND_BY(rcx);
	SEND_BY(rdx);
	SEND_BY(rsi);
	SEND_BY(rdi);
	SEND_BY(rbp);
	SEND_BY(rsp);
	SEND_BY(r8);
	SEND_BY(r9);
	SEND_BY(r10);
	SEND_BY(r11);
	SEND_BY(r12);
	SEND_BY(r13);
	SEND_BY(r14);
	SEND_BY(r15);
}

/* SENDUIPI without a table is SIGILL, at the instruction */
TEST(no_table)
{
	WANT(senduipi_try(0), SIGILL);
	WANT(senduipi_at_rip, true);
}

/* SENDUIPI of a receiver that never registered a sender is SIGILL */
TEST(receiver_only)
{
	WANT(uintr_register_handler(count_handler, 0), 0);
	WANT(uintr_create_fd(0, 0) >= 0, true);
	WANT(senduipi_try(0), SIGILL);
}

/* SENDUIPI after a failed registration is SIGILL */
TEST(failed_registration)
{
	int fd;

	WANT(uintr_register_handler(count_handler, 0), 0);
	fd = uintr_create_fd(3, 0);
	WANT(uintr_unregister_handler(0), 0);
	WANT_ERRNO(uintr_register_sender(fd, 0), ESHUTDOWN);
	WANT(senduipi_try(0), SIGILL);
}

/* SENDUIPI of an unused entry is SIGSEGV, at the instruction */
TEST(unused_entry)
{
	int fd;

	WANT(self_setup(3, &fd), 0);
	WANT(senduipi_try(1), SIGSEGV);
	WANT(senduipi_at_rip, true);
	WANT(senduipi_try(255), SIGSEGV);
}

/* SENDUIPI beyond the table is SIGSEGV, all 64 bits count */
TEST(P7_beyond_table)
{
	int fd;

	WANT(self_setup(3, &fd), 0);
	WANT(senduipi_try(256), SIGSEGV);
	WANT(senduipi_try(1ull << 32), SIGSEGV);
	WANT(senduipi_try(-1ull), SIGSEGV);
	WANT(senduipi_try(0), 0);
}

/* SENDUIPI is SIGSEGV, not SIGILL, when the last entry has gone */
TEST(table_stays)
{
	int fd;

	WANT(self_setup(3, &fd), 0);
	WANT(uintr_unregister_sender(fd, 0), 0);
	WANT(senduipi_try(0), SIGSEGV);
}

static int shared_index = -1;
static volatile int other_signal = -1;

static void *send_when_told(void *arg)
{
	WAIT_UNTIL(load(shared_index) >= 0);
	other_signal = senduipi_try(shared_index);
	return NULL;
}

/* Index is valid in a thread that is older than the table */
TEST(older_thread)
{
	pthread_t thread = start(send_when_told, NULL);
	int fd, index = self_setup(3, &fd);

	_stui();
	store(shared_index, index);
	pthread_join(thread, NULL);
	WANT(other_signal, 0);
	WAIT_UNTIL(handled[3]);
	WANT(handled[3], 1);
}

/* Index is valid in a thread that is newer than the table */
TEST(newer_thread)
{
	int fd;

	shared_index = self_setup(3, &fd);
	_stui();
	pthread_join(start(send_when_told, NULL), NULL);
	WANT(other_signal, 0);
	WAIT_UNTIL(handled[3]);
}

static void *register_here(void *arg)
{
	shared_index = uintr_register_sender(*(int *)arg, 0);
	WANT(shared_index >= 0, true);
	return NULL;
}

/* Index stays valid when the thread that registered it has exited */
TEST(exited_thread)
{
	int fd;

	WANT(uintr_register_handler(count_handler, 0), 0);
	fd = uintr_create_fd(3, 0);
	pthread_join(start(register_here, &fd), NULL);
	_stui();
	WANT(senduipi_try(shared_index), 0);
	WAIT_UNTIL(handled[3]);
}

static volatile int ud_signal;

static void ud_handler(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	ud_signal = signal;
	uc->uc_mcontext.gregs[REG_RIP] += 2;
}

static void *execute_ud2(void *arg)
{
	struct sigaction action = {
		.sa_sigaction = ud_handler,
		.sa_flags = SA_SIGINFO,
	};

	WANT(sigaction(SIGILL, &action, NULL), 0);
	asm volatile("ud2");
	WANT(ud_signal, SIGILL);
	return NULL;
}

/* Another invalid instruction is still SIGILL */
TEST(other_ud)
{
	int fd;

	WANT(self_setup(3, &fd), 0);
	pthread_join(start(execute_ud2, NULL), NULL);
	ud_signal = 0;
	execute_ud2(NULL);
}

TEST_HARNESS_MAIN
