// SPDX-License-Identifier: GPL-2.0
/* fork, vfork, exec, exit, kill and ptrace of a receiver while a peer posts. */
#include <elf.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "fds.h"

/* The peer: posts to the receiver, which is a child, all the time. */
static int target = -1, target_fd;
static volatile bool stop;
static pthread_t poster;

static void *post_for_ever(void *arg)
{
	while (!load(stop)) {
		WANT(senduipi_try(target), 0);
		sched_yield();
	}
	return NULL;
}

/* Start a receiver that runs @function, and post to it from then on. */
static pid_t start_receiver(void (*function)(void))
{
	pid_t pid = start_peer(function);

	/* It must stay open: its last close would disconnect the poster. */
	target_fd = receive_fd(peer);
	target = WANT_OK(uintr_register_sender(target_fd, 0));
	stop = false;
	poster = start(post_for_ever, NULL);
	return pid;
}

static void stop_posting(void)
{
	store(stop, true);
	pthread_join(poster, NULL);
	WANT(uintr_unregister_sender(target_fd, 0), 0);
	close(target_fd);
	close(peer);
}

static void receive(void)
{
	int fd;

	WANT(uintr_register_handler(count_handler, 0), 0);
	fd = WANT_OK(uintr_create_fd(3, 0));
	_stui();
	send_fd(peer, fd);
	WAIT_UNTIL(handled[3]);
}

/* The interrupts go on. */
static void receive_more(void)
{
	uint64_t before = handled[3];

	WANT(_testui(), 1);
	WAIT_UNTIL(handled[3] > before + 2);
}

static void fresh_child(void)
{
	uint64_t before = handled[3];
	int i;

	WANT(_testui(), 0);
	_stui();
	WANT(uintr_register_handler(count_handler, 0), 0);
	for (i = 0; i < 20; i++)
		sched_yield();
	WANT(handled[3], before);
}

static void fork_often(void)
{
	int i;

	receive();
	for (i = 0; i < 50; i++) {
		WANT(run_in_child(fresh_child), 0);
		receive_more();
	}
}

/* fork: the receiver goes on, its child gets nothing */
TEST(receiver_forks)
{
	pid_t pid = start_receiver(fork_often);

	WANT(join_child(pid), 0);
	stop_posting();
}

static void vfork_often(void)
{
	int i, status;
	pid_t pid;

	receive();
	setenv("AFTER_EXEC", "1", 1);
	for (i = 0; i < 30; i++) {
		pid = vfork();
		if (!pid) {
			/* Runs on the receiver's memory, not as the receiver. */
			if (_testui())
				_exit(3);
			if (i & 1)
				execl("/proc/self/exe", "life_race", NULL);
			_exit(0);
		}
		WANT(pid > 0, true);
		WANT(waitpid(pid, &status, 0), pid);
		WANT(status, 0);
		receive_more();
	}
}

/* vfork: the same, with and without exec */
TEST(receiver_vforks)
{
	pid_t pid = start_receiver(vfork_often);

	WANT(join_child(pid), 0);
	stop_posting();
}

/* This program again, as the one that was executed */
static void __attribute__((constructor)) after_exec(void)
{
	if (!getenv("AFTER_EXEC"))
		return;
	fresh_child();
	_exit(KSFT_PASS);
}

static void exec_now(void)
{
	receive();
	setenv("AFTER_EXEC", "1", 1);
	execl("/proc/self/exe", "life_race", NULL);
	_exit(99);
}

/* exec: the new program gets nothing, the peer does not fault */
TEST(receiver_executes)
{
	int i;

	for (i = 0; i < 20; i++) {
		WANT(join_child(start_receiver(exec_now)), 0);
		stop_posting();
	}
}

/* exit: the peer does not fault */
TEST(receiver_exits)
{
	int i;

	for (i = 0; i < 50; i++) {
		WANT(join_child(start_receiver(receive)), 0);
		stop_posting();
	}
}

static void receive_for_ever(void)
{
	receive();
	tell_peer();
	for (;;)
		receive_more();
}

/* kill: the same, at any instruction */
TEST(receiver_killed)
{
	int i, status;
	pid_t pid;

	for (i = 0; i < 50; i++) {
		pid = start_receiver(receive_for_ever);
		hear_peer();
		WANT(kill(pid, SIGKILL), 0);
		status = join_child(pid);
		WANT(WIFSIGNALED(status), true);
		WANT(WTERMSIG(status), SIGKILL);
		stop_posting();
	}
}

static void wait_stopped(pid_t pid)
{
	int status;

	AWAIT("a stop of the traced receiver",
	      WANT(waitpid(pid, &status, 0), pid));
	WANT(WIFSTOPPED(status), true);
}

static volatile uint64_t *beats;

static void receive_and_count(void)
{
	receive();
	tell_peer();
	for (;;) {
		receive_more();
		store(*beats, *beats + 1);
	}
}

/* ptrace: stops, registers and single steps do not disturb the receiver */
TEST(receiver_traced)
{
	static uint8_t xstate[8192];
	uint64_t before;
	int i, k;
	pid_t pid;

	beats = shared_memory(4096);
	pid = start_receiver(receive_and_count);
	hear_peer();
	WANT(ptrace(PTRACE_SEIZE, pid, NULL, NULL), 0);
	for (i = 0; i < 50; i++) {
		struct iovec area = { xstate, sizeof(xstate) };

		WANT(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL), 0);
		wait_stopped(pid);
		WANT(ptrace(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &area), 0);
		WANT(ptrace(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &area), 0);
		for (k = 0; k < 20; k++) {
			WANT(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
			wait_stopped(pid);
		}
		before = load(*beats);
		WANT(ptrace(PTRACE_CONT, pid, NULL, NULL), 0);
		WAIT_UNTIL(load(*beats) > before);
	}
	WANT(kill(pid, SIGKILL), 0);
	WANT(WIFSIGNALED(join_child(pid)), true);
	stop_posting();
}


/* SIGSTOP: what comes meanwhile arrives after SIGCONT */
TEST(receiver_stopped)
{
	uint64_t before;
	pid_t pid;
	int i, status;

	beats = shared_memory(4096);
	pid = start_receiver(receive_and_count);
	hear_peer();
	for (i = 0; i < 50; i++) {
		WANT(kill(pid, SIGSTOP), 0);
		WANT(waitpid(pid, &status, WUNTRACED), pid);
		WANT(WIFSTOPPED(status), true);
		before = load(*beats);
		WANT(kill(pid, SIGCONT), 0);
		WAIT_UNTIL(load(*beats) > before);
	}
	WANT(kill(pid, SIGKILL), 0);
	WANT(WIFSIGNALED(join_child(pid)), true);
	stop_posting();
}

static void *exit_at_once(void *arg)
{
	WANT(uintr_register_handler(count_handler, 0), 0);
	_stui();
	return NULL;
}

static void threads_come_and_go(void)
{
	int i;

	receive();
	for (i = 0; i < 100; i++) {
		pthread_join(start(exit_at_once, NULL), NULL);
		receive_more();
	}
}

/* Threads that exit beside the receiver do not disturb it */
TEST(other_threads_exit)
{
	WANT(join_child(start_receiver(threads_come_and_go)), 0);
	stop_posting();
}

static void sender_forks(void)
{
	int fd = receive_fd(peer), i;

	target = WANT_OK(uintr_register_sender(fd, 0));
	poster = start(post_for_ever, NULL);
	for (i = 0; i < 50; i++)
		WANT(run_in_child(fresh_child), 0);
	hear_peer();
	raise(SIGKILL);
}

/* A sender that forks and is killed does not disturb the receiver */
TEST(sender_killed)
{
	uint64_t before;
	int fd, i, status;
	pid_t pid;

	WANT(uintr_register_handler(count_handler, 0), 0);
	fd = WANT_OK(uintr_create_fd(3, 0));
	_stui();
	for (i = 0; i < 5; i++) {
		before = handled[3];
		pid = start_peer(sender_forks);
		send_fd(peer, fd);
		WAIT_UNTIL(handled[3] > before + 3);
		tell_peer();
		status = join_child(pid);
		WANT(WIFSIGNALED(status), true);
		WANT(WTERMSIG(status), SIGKILL);
		close(peer);
	}
}

TEST_HARNESS_MAIN
