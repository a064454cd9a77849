// SPDX-License-Identifier: GPL-2.0
/*
 * A signal without a handler interrupts a system call, and it is restarted.
 * The handler of a user interrupt that comes in between does not run before
 * that: it would have nothing to end.
 */
#include <poll.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#include "fds.h"

static uint32_t word;

static long call_wait(void)
{
	return uintr_wait(0, 0);
}

static long call_wait_limited(void)
{
	return uintr_wait(UINTR_WAIT_MAX_USEC, 0);
}

static long call_wait_value(void)
{
	return uintr_wait_value(&word, 0, 0, 0);
}

static long call_read(void)
{
	char c;

	return read(peer, &c, 1);
}

/* No user interrupt ends it, but a byte from the parent. */
static long call_poll(void)
{
	struct pollfd fd = { .fd = peer, .events = POLLIN };

	return poll(&fd, 1, 1000000000);
}

/* Must not be what is restarted. */
static UINTR_HANDLER(sleeping_handler, frame, vector)
{
	struct timespec briefly = { .tv_nsec = 1 };

	syscall(SYS_nanosleep, &briefly, NULL);
	handled[vector]++;
}

FIXTURE(restart)
{
	pid_t pid;
};

FIXTURE_VARIANT(restart)
{
	long (*call)(void);
	long nr;
	unsigned int flags;
	/* What it returns; -1 with EINTR */
	long result;
	/* Interrupted when it sleeps already, or before */
	bool asleep;
};

FIXTURE_VARIANT_ADD(restart, wait) {
	.call = call_wait, .nr = __NR_uintr_wait, .result = -1,
};

FIXTURE_VARIANT_ADD(restart, wait_asleep) {
	.call = call_wait, .nr = __NR_uintr_wait, .result = -1, .asleep = true,
};

FIXTURE_VARIANT_ADD(restart, wait_limited) {
	.call = call_wait_limited, .nr = __NR_uintr_wait, .result = -1,
};

FIXTURE_VARIANT_ADD(restart, wait_limited_asleep) {
	.call = call_wait_limited, .nr = __NR_uintr_wait, .result = -1, .asleep = true,
};

FIXTURE_VARIANT_ADD(restart, wait_value) {
	.call = call_wait_value, .nr = __NR_uintr_wait_value, .result = -1,
};

FIXTURE_VARIANT_ADD(restart, wait_value_asleep) {
	.call = call_wait_value, .nr = __NR_uintr_wait_value, .result = -1, .asleep = true,
};

FIXTURE_VARIANT_ADD(restart, read) {
	.call = call_read, .nr = __NR_read, .flags = WAITING, .result = -1,
};

FIXTURE_VARIANT_ADD(restart, read_asleep) {
	.call = call_read, .nr = __NR_read, .flags = WAITING, .result = -1, .asleep = true,
};

FIXTURE_VARIANT_ADD(restart, poll) {
	.call = call_poll, .nr = __NR_poll, .result = 1,
};

FIXTURE_VARIANT_ADD(restart, poll_asleep) {
	.call = call_poll, .nr = __NR_poll, .result = 1, .asleep = true,
};

static const struct _fixture_variant_restart *now;

static void blocked(void)
{
	WANT(uintr_register_handler(sleeping_handler, now->flags), 0);
	send_fd(peer, WANT_OK(uintr_create_fd(3, 0)));
	_stui();
	WANT(ptrace(PTRACE_TRACEME, 0, NULL, NULL), 0);
	WANT(raise(SIGSTOP), 0);
	errno = 0;
	WANT(now->call(), now->result);
	WANT(errno, now->result < 0 ? EINTR : 0);
	WANT(handled[3], 1);
}

/* Let @pid go on by a request of ptrace, until it stops by @signal. */
static void go_on(int request, pid_t pid, int signal)
{
	int status;

	WANT(ptrace(request, pid, NULL, NULL), 0);
	AWAIT("a stop", WANT(waitpid(pid, &status, 0), pid));
	WANT(WIFSTOPPED(status), true);
	WANT(WSTOPSIG(status), signal);
}

static void let_go(pid_t pid)
{
	WANT(ptrace(PTRACE_CONT, pid, NULL, NULL), 0);
}

static struct user_regs_struct registers(pid_t pid)
{
	struct user_regs_struct regs;

	WANT(ptrace(PTRACE_GETREGS, pid, NULL, &regs), 0);
	return regs;
}

/* A child that a signal has interrupted in the call; it is stopped by that. */
FIXTURE_SETUP(restart)
{
	struct user_regs_struct regs;
	int status;

	now = variant;
	self->pid = start_peer(blocked);
	WANT(uintr_register_sender(receive_fd(peer), 0), 0);
	AWAIT("a stop", WANT(waitpid(self->pid, &status, 0), self->pid));
	do {
		go_on(PTRACE_SYSCALL, self->pid, SIGTRAP);
		regs = registers(self->pid);
	} while ((long)regs.orig_rax != variant->nr || (long)regs.rax != -ENOSYS);

	/* Those that trace it see signals that are ignored, too. */
	if (!variant->asleep) {
		WANT(kill(self->pid, SIGWINCH), 0);
		go_on(PTRACE_CONT, self->pid, SIGWINCH);
		return;
	}
	let_go(self->pid);
	WAIT_OFF_CPU(self->pid, self->pid);
	WANT(kill(self->pid, SIGWINCH), 0);
	AWAIT("a stop", WANT(waitpid(self->pid, &status, 0), self->pid));
	WANT(WSTOPSIG(status), SIGWINCH);
}

FIXTURE_TEARDOWN(restart)
{
	/* It may have ended already. */
	if (variant->result > 0)
		send(peer, "", 1, MSG_NOSIGNAL);
	WANT(join_child(self->pid), 0);
}

/* Posted before the restart is prepared */
TEST_F(restart, posted_while_stopped)
{
	_senduipi(0);
	let_go(self->pid);
}

/* Have it stop when only the instruction SYSCALL is left to do, by an INT3. */
static struct user_regs_struct stop_at_syscall(pid_t pid)
{
	struct user_regs_struct regs = registers(pid);
	unsigned long long syscall = regs.rip - 2;
	long text = ptrace(PTRACE_PEEKTEXT, pid, syscall, NULL);

	WANT(ptrace(PTRACE_POKETEXT, pid, syscall, (text & ~0xffl) | 0xcc), 0);
	go_on(PTRACE_CONT, pid, SIGTRAP);
	WANT(ptrace(PTRACE_POKETEXT, pid, syscall, text), 0);
	regs = registers(pid);
	WANT(regs.rip, syscall + 1);
	regs.rip = syscall;
	WANT(ptrace(PTRACE_SETREGS, pid, NULL, &regs), 0);
	return regs;
}

/* Posted when only the instruction SYSCALL is left to do */
TEST_F(restart, posted_at_the_last_moment)
{
	stop_at_syscall(self->pid);
	_senduipi(0);
	let_go(self->pid);
}

/* Posted when it sleeps again */
TEST_F(restart, posted_later)
{
	let_go(self->pid);
	WAIT_OFF_CPU(self->pid, self->pid);
	_senduipi(0);
}

/* A debugger has it go on behind the call: it receives there */
TEST_F(restart, goes_on_elsewhere)
{
	struct user_regs_struct regs = stop_at_syscall(self->pid);

	regs.rip += 2;
	regs.rax = variant->result < 0 ? -EINTR : variant->result;
	WANT(ptrace(PTRACE_SETREGS, self->pid, NULL, &regs), 0);
	_senduipi(0);
	let_go(self->pid);
}

TEST_HARNESS_MAIN
