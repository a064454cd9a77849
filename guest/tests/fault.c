/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signals that SENDUIPI and its relatives raise. */
#include "test.h"

TEST(no_table, "SENDUIPI without a table is SIGILL, at the instruction")
{
	EXPECT(senduipi_try(0), SIGILL);
	EXPECT(senduipi_at_rip, true);
}

TEST(receiver_only, "SENDUIPI of a receiver that never registered a sender is SIGILL")
{
	EXPECT(uintr_register_handler(count_handler, 0), 0);
	EXPECT(uintr_create_fd(0, 0) >= 0, true);
	EXPECT(senduipi_try(0), SIGILL);
}

TEST(failed_registration, "SENDUIPI after a failed registration is SIGILL")
{
	int fd;

	EXPECT(uintr_register_handler(count_handler, 0), 0);
	fd = uintr_create_fd(3, 0);
	EXPECT(uintr_unregister_handler(0), 0);
	EXPECT_ERRNO(uintr_register_sender(fd, 0), ESHUTDOWN);
	EXPECT(senduipi_try(0), SIGILL);
}

TEST(unused_entry, "SENDUIPI of an unused entry is SIGSEGV, at the instruction")
{
	int fd;

	EXPECT(self_setup(3, &fd), 0);
	EXPECT(senduipi_try(1), SIGSEGV);
	EXPECT(senduipi_at_rip, true);
	EXPECT(senduipi_try(255), SIGSEGV);
}

TEST(beyond_table, "SENDUIPI beyond the table is SIGSEGV, all 64 bits count (P7)")
{
	int fd;

	EXPECT(self_setup(3, &fd), 0);
	EXPECT(senduipi_try(256), SIGSEGV);
	EXPECT(senduipi_try(1ull << 32), SIGSEGV);
	EXPECT(senduipi_try(-1ull), SIGSEGV);
	EXPECT(senduipi_try(0), 0);
}

TEST(table_stays, "SENDUIPI is SIGSEGV, not SIGILL, when the last entry has gone")
{
	int fd;

	EXPECT(self_setup(3, &fd), 0);
	EXPECT(uintr_unregister_sender(fd, 0), 0);
	EXPECT(senduipi_try(0), SIGSEGV);
}

static int shared_index = -1;
static volatile int other_signal = -1;

static void *send_when_told(void *arg)
{
	(void)arg;
	WAIT_UNTIL(load(shared_index) >= 0);
	other_signal = senduipi_try(shared_index);
	return NULL;
}

TEST(older_thread, "index is valid in a thread that is older than the table")
{
	pthread_t thread = start(send_when_told, NULL);
	int fd, index = self_setup(3, &fd);

	_stui();
	store(shared_index, index);
	pthread_join(thread, NULL);
	EXPECT(other_signal, 0);
	WAIT_UNTIL(handled[3]);
	EXPECT(handled[3], 1);
}

TEST(newer_thread, "index is valid in a thread that is newer than the table")
{
	int fd;

	shared_index = self_setup(3, &fd);
	_stui();
	pthread_join(start(send_when_told, NULL), NULL);
	EXPECT(other_signal, 0);
	WAIT_UNTIL(handled[3]);
}

static void *register_here(void *arg)
{
	shared_index = uintr_register_sender(*(int *)arg, 0);
	EXPECT(shared_index >= 0, true);
	return NULL;
}

TEST(exited_thread, "index stays valid when the thread that registered it has exited")
{
	int fd;

	EXPECT(uintr_register_handler(count_handler, 0), 0);
	fd = uintr_create_fd(3, 0);
	pthread_join(start(register_here, &fd), NULL);
	_stui();
	EXPECT(senduipi_try(shared_index), 0);
	WAIT_UNTIL(handled[3]);
}

static volatile int ud_signal;

static void ud_handler(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)info;
	ud_signal = signal;
	uc->uc_mcontext.gregs[REG_RIP] += 2;
}

static void *execute_ud2(void *arg)
{
	struct sigaction action = {
		.sa_sigaction = ud_handler,
		.sa_flags = SA_SIGINFO,
	};

	(void)arg;
	EXPECT(sigaction(SIGILL, &action, NULL), 0);
	asm volatile("ud2");
	EXPECT(ud_signal, SIGILL);
	return NULL;
}

TEST(other_ud, "another invalid instruction is still SIGILL")
{
	int fd;

	EXPECT(self_setup(3, &fd), 0);
	pthread_join(start(execute_ud2, NULL), NULL);
	ud_signal = 0;
	execute_ud2(NULL);
}

static void wrong_handler(void)
{
}

static void return_from_handler(void)
{
	int fd, index;

	EXPECT(uintr_register_handler(wrong_handler, 0), 0);
	fd = uintr_create_fd(3, 0);
	index = uintr_register_sender(fd, 0);
	_stui();
	_senduipi(index);
	/* RET jumps to the vector number. */
	for (;;)
		;
}

TEST(no_uiret, "handler that returns by RET ends with SIGSEGV")
{
	int status = run_in_child(return_from_handler);

	EXPECT(WIFSIGNALED(status), true);
	EXPECT(WTERMSIG(status), SIGSEGV);
}
