// SPDX-License-Identifier: GPL-2.0
/* Nothing of a thread's state is left behind on a CPU for the next one. */
#include "uintr.h"

/* Turns of the two processes on one CPU; the child has the odd ones. */
static volatile int *turn;

static void take_turn(int mine)
{
	WAIT_UNTIL(load(*turn) == mine);
}

/* A process that has nothing to do with user interrupts. */
static void stranger(void)
{
	int i;

	pin_to(0);
	for (i = 1; i < 200; i += 2) {
		take_turn(i);
		WANT(_testui(), 0);
		WANT(senduipi_try(0), SIGILL);
		WANT(senduipi_try(255), SIGILL);
		store(*turn, i + 1);
	}
}

/* Process that runs after a sender has no table: SENDUIPI is SIGILL */
TEST(after_a_sender)
{
	pid_t pid;
	int fd, i;

	turn = shared_memory(4096);
	pid = start_child(stranger);
	pin_to(0);
	WANT(self_setup(3, &fd), 0);
	_stui();
	for (i = 0; i < 200; i += 2) {
		take_turn(i);
		WANT(senduipi_try(0), 0);
		WAIT_UNTIL(handled[3] == (uint64_t)i / 2 + 1);
		store(*turn, i + 1);
	}
	WANT(join_child(pid), 0);
}

static void sender_that_ends(void)
{
	int fd;

	pin_to(0);
	WANT(self_setup(3, &fd), 0);
	_stui();
	WANT(senduipi_try(0), 0);
	/* Still pending, most likely, and not for the next one. */
	_clui();
	WANT(senduipi_try(0), 0);
}

/* The same when the sender has just exited */
TEST(after_exit)
{
	int i;

	pin_to(0);
	for (i = 0; i < 100; i++) {
		WANT(run_in_child(sender_that_ends), 0);
		WANT(_testui(), 0);
		WANT(senduipi_try(0), SIGILL);
	}
}

/* Receiver whose vector is not that of the pending interrupt. */
static void other_receiver(void)
{
	int fd, i;

	pin_to(0);
	WANT(self_setup(5, &fd), 0);
	_stui();
	for (i = 1; i < 200; i += 2) {
		take_turn(i);
		WANT(senduipi_try(0), 0);
		WAIT_UNTIL(handled[5] == (uint64_t)i / 2 + 1);
		WANT(handled[3], 0);
		store(*turn, i + 1);
	}
}

/* Pending interrupt and UIF 0 stay with their thread when another runs */
TEST(pending_stays)
{
	pid_t pid;
	int fd, i;

	turn = shared_memory(4096);
	pid = start_child(other_receiver);
	pin_to(0);
	WANT(self_setup(3, &fd), 0);
	for (i = 0; i < 200; i += 2) {
		WANT(senduipi_try(0), 0);
		take_turn(i);
		store(*turn, i + 1);
		take_turn(i + 2);
		WANT(_testui(), 0);
		WANT(handled[3], i / 2);
		_stui();
		WAIT_UNTIL(handled[3] == (uint64_t)i / 2 + 1);
		_clui();
		WANT(handled[5], 0);
	}
	WANT(join_child(pid), 0);
}

/*
 * A thread that is stopped in pause() restarts it when it goes on, but finds
 * other instructions there. Its state is in memory until then.
 */
#define PAUSE		"\xb8\x22\0\0\0\x0f\x05"	/* mov $SYS_pause, %eax; syscall */
#define YIELD		"\xb8\x18\0\0\0\x0f\x05"	/* the same with sched_yield */
#define STUI		"\xf3\x0f\x01\xef"
#define CLUI		"\xf3\x0f\x01\xee"
#define SENDUIPI_RDI	"\xf3\x0f\xc7\xf7"
#define UD2		"\x0f\x0b"
#define RET		"\xc3"

static const char pauses[] = PAUSE RET;
#define SYSCALL_OFFSET	5	/* in PAUSE */

FIXTURE(restart)
{
	pid_t pid;
};

FIXTURE_VARIANT(restart)
{
	/* In the place of SYSCALL */
	char code[16];
	/* Before, and how it ends */
	bool uif;
	bool uif_wanted;
	int handled;
	int signal;
	/* Blocks for ever */
	bool asleep;
};

FIXTURE_VARIANT_ADD(restart, stui) {
	.code = STUI YIELD RET, .uif_wanted = true,
};

FIXTURE_VARIANT_ADD(restart, stui_sleep) {
	.code = STUI PAUSE RET, .asleep = true,
};

FIXTURE_VARIANT_ADD(restart, stui_no_sleep) {
	.code = STUI RET, .uif_wanted = true,
};

FIXTURE_VARIANT_ADD(restart, clui) {
	.code = CLUI YIELD RET, .uif = true,
};

FIXTURE_VARIANT_ADD(restart, ret) {
	.code = RET, .uif = true, .uif_wanted = true,
};

FIXTURE_VARIANT_ADD(restart, senduipi) {
	.code = SENDUIPI_RDI RET, .uif = true, .uif_wanted = true, .handled = 1,
};

FIXTURE_VARIANT_ADD(restart, no_instruction) {
	.code = UD2, .uif = true, .signal = SIGILL,
};

static char *code;
static const struct _fixture_variant_restart *now;

/* The argument is the index that SENDUIPI_RDI uses. */
static void restarts(void)
{
	int fd, index;

	pin_to(0);
	index = self_setup(3, &fd);
	if (now->uif)
		_stui();
	((void (*)(int))code)(index);
	WANT(_testui(), now->uif_wanted);
	_stui();
	WANT(handled[3], now->handled);
}

FIXTURE_SETUP(restart)
{
	int status;

	now = variant;
	code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	WANT(code == MAP_FAILED, false);
	memcpy(code, pauses, sizeof(pauses));
	pin_to(0);
	self->pid = start_child(restarts);
	WAIT_OFF_CPU(self->pid, self->pid);
	WANT(kill(self->pid, SIGSTOP), 0);
	AWAIT("a stop", WANT(waitpid(self->pid, &status, WUNTRACED), self->pid));
	WANT(WIFSTOPPED(status), true);
}

#define DUMPED_CORE	0x80	/* in the status */

FIXTURE_TEARDOWN(restart)
{
	if (variant->asleep)
		WANT(kill(self->pid, SIGKILL), 0);
	WANT(join_child(self->pid) & ~DUMPED_CORE,
	     variant->asleep ? SIGKILL : variant->signal);
}

/* UIF is the thread's, and not that of the next one on its CPU */
TEST_F(restart, became_other_code)
{
	memcpy(code + SYSCALL_OFFSET, variant->code, sizeof(variant->code));
	WANT(kill(self->pid, SIGCONT), 0);
	if (variant->asleep)
		WAIT_OFF_CPU(self->pid, self->pid);
	else
		WAIT_UNTIL(thread_state(self->pid, self->pid) == 'Z');
	WANT(_testui(), 0);
}

TEST_HARNESS_MAIN
