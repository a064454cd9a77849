/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a program that was built for the numbers of the first Linux patches
 * for user interrupts, 449 to 454. Today these are other system calls, and the
 * same six are 471 to 476.
 *
 * Usage: uintr-renumber PROGRAM [ARGUMENT...]
 *
 * A seccomp filter stops the program at the six numbers only, and this process
 * as its tracer then changes the number. Threads and children inherit filter
 * and tracer. SENDUIPI, handlers and all other system calls run at full speed,
 * so only the program's start-up costs something, and uintr_wait().
 *
 * Syscall User Dispatch, made for such jobs, does not fit: a new thread, a
 * child and an executed program start without it (copy_process() and
 * begin_new_exec() clear it). A static program takes no library that could
 * arm it again, so each of them would have to be stopped by a tracer
 * nevertheless. And it knows no numbers: every system call would become a
 * SIGSYS, in a program that may use signals itself.
 *
 * It ends when the program and all it has started have ended, with the
 * program's status, or 128 + the signal that killed it. If it is killed they
 * are killed. A debugger cannot attach to the program, as it has a tracer.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define FIRST_OLD	449
#define LAST_OLD	454
#define FIRST_NEW	471

/* uintr_unregister_sender(), and its flag for an fd instead of an index */
#define UNREGISTER	475
#define UNREGISTER_FD	0x20000

/* As env(1): 126 and 127 if the program cannot be run. */
#define CANNOT_TRACE	125
#define CANNOT_RUN	126
#define NOT_FOUND	127

static void die(int status, const char *what, const char *hint)
{
	fprintf(stderr, "uintr-renumber: %s: %s%s%s\n", what, strerror(errno),
		*hint ? "; " : "", hint);
	exit(status);
}

static void set_filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FIRST_OLD, 0, 2),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, LAST_OLD, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {
		.len = ARRAY_SIZE(code),
		.filter = code,
	};

	/* Else only root may filter. A set-user-ID program loses its power. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter))
		die(CANNOT_TRACE, "seccomp",
		    "the kernel needs CONFIG_SECCOMP_FILTER");
}

/* In the child. Until it is traced the filter would fail the calls. */
static void run(int go, char **argv)
{
	char c;

	/* The end of file, that the tracer has died. */
	if (read(go, &c, 1) != 1)
		exit(CANNOT_TRACE);
	set_filter();
	execvp(argv[0], argv);
	die(errno == ENOENT ? NOT_FOUND : CANNOT_RUN, argv[0], "");
}

/* The result is ignored: a stopped thread can be killed at any time. */
static void resume(pid_t tid, int request, int signal)
{
	ptrace(request, tid, 0, (long)signal);
}

static long peek(pid_t tid, size_t offset)
{
	return ptrace(PTRACE_PEEKUSER, tid, offset, 0);
}

static void poke(pid_t tid, size_t offset, long value)
{
	ptrace(PTRACE_POKEUSER, tid, offset, value);
}

#define NUMBER	offsetof(struct user_regs_struct, orig_rax)
#define FLAGS	offsetof(struct user_regs_struct, rsi)

/*
 * These programs unregister a sender by its fd, whose number may be an index,
 * too. The flag that says so must not be left in their register.
 */
static void renumber(pid_t tid)
{
	long nr = peek(tid, NUMBER), flags = peek(tid, FLAGS);

	if (nr >= FIRST_OLD && nr <= LAST_OLD) {
		nr += FIRST_NEW - FIRST_OLD;
		poke(tid, NUMBER, nr);
	}
	if (nr == UNREGISTER && !(unsigned)flags) {
		poke(tid, FLAGS, flags | UNREGISTER_FD);
		resume(tid, PTRACE_SYSCALL, 0);
	} else {
		resume(tid, PTRACE_CONT, 0);
	}
}

static void unregistered(pid_t tid)
{
	poke(tid, FLAGS, peek(tid, FLAGS) & ~(long)UNREGISTER_FD);
	resume(tid, PTRACE_CONT, 0);
}

static void stopped(pid_t tid, int status)
{
	int signal = WSTOPSIG(status);

	switch (status >> 16) {
	case PTRACE_EVENT_SECCOMP:
		renumber(tid);
		break;
	case PTRACE_EVENT_STOP:
		/* A stop of the whole process has to last until SIGCONT. */
		resume(tid, signal == SIGTRAP ? PTRACE_CONT : PTRACE_LISTEN, 0);
		break;
	case 0:
		/* See PTRACE_O_TRACESYSGOOD. */
		if (signal == (SIGTRAP | 0x80))
			unregistered(tid);
		else
			resume(tid, PTRACE_CONT, signal);
		break;
	default:
		resume(tid, PTRACE_CONT, 0);
	}
}

/* Returns the exit status of the program. */
static int trace(pid_t program)
{
	int result = CANNOT_TRACE, status;
	pid_t tid;

	while ((tid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
		if (tid < 0)
			continue;
		if (WIFSTOPPED(status))
			stopped(tid, status);
		else if (tid == program)
			result = WIFEXITED(status) ? WEXITSTATUS(status) :
						     128 + WTERMSIG(status);
	}
	return result;
}

int main(int argc, char **argv)
{
	long options = PTRACE_O_EXITKILL | PTRACE_O_TRACESECCOMP |
		       PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
		       PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC |
		       PTRACE_O_TRACESYSGOOD;
	int go[2];
	pid_t program;

	if (argc < 2) {
		fprintf(stderr, "usage: uintr-renumber PROGRAM [ARGUMENT...]\n");
		return CANNOT_TRACE;
	}

	if (pipe2(go, O_CLOEXEC))
		die(CANNOT_TRACE, "pipe", "");
	program = fork();
	if (program < 0)
		die(CANNOT_TRACE, "fork", "");
	if (!program) {
		close(go[1]);
		run(go[0], argv + 1);
	}

	close(go[0]);
	if (ptrace(PTRACE_SEIZE, program, 0, options))
		die(CANNOT_TRACE, "ptrace",
		    "is it forbidden here (Yama, a container)?");
	/* From the terminal the program gets these as well. */
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	if (write(go[1], "", 1) != 1)
		die(CANNOT_TRACE, "write", "");
	return trace(program);
}
