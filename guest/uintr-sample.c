/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two threads, then two processes, exchange user interrupts on all vectors in
 * both directions, while a third thread moves them from CPU to CPU.
 *
 * Before each SENDUIPI the sender increments the sequence number of the
 * vector; the handler notes the number it finds. So it is known of every
 * vector whether its last send was seen. Several sends of one vector may
 * legally end in one run of the handler. On the lower half of the vectors the
 * sender excludes that by waiting until a send was seen before the next one
 * on that vector, so there each send must be handled exactly once.
 *
 * The third thread has a handler as well, but never executes STUI: both
 * others send to it, and it must never receive anything.
 *
 * Needs: a CPU and a kernel with user interrupts. Build it with
 *	gcc -O2 -pthread -muintr -mgeneral-regs-only uintr-sample.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "uintr-user.h"

#define SILENT_VECTOR	5
#define SILENT_EVERY	50	/* sends per send to the silent thread */
#define EXACT(vector)	((vector) < UINTR_NR_VECTORS / 2)
#define SLACK		2	/* moves that senders may be ahead */

enum { THREADS, PROCESSES, PHASES };
enum { A, B, SIDES };

static const char *const phase_name[] = { "threads", "processes" };

/* What arrives at one side. */
struct channel {
	uint64_t sent[UINTR_NR_VECTORS];	/* also the sequence number */
	uint64_t seen[UINTR_NR_VECTORS];	/* sequence number found by the handler */
	uint64_t handled[UINTR_NR_VECTORS];
	uint64_t backwards;		/* times that it found an older one */
};

struct phase {
	struct channel to[SIDES];
	pid_t tid[SIDES];
	bool sent_all[SIDES];
	bool uif_lost[SIDES];
	uint64_t progress[SIDES];	/* sends so far */
	uint64_t moves;
	uint64_t silent_posts;
	pthread_barrier_t barrier;
};

static struct phase *phases;		/* shared with the child processes */
static uint64_t silent_handled;

static uint64_t option_sends = 100000;
static uint64_t option_moves = 4000;
static unsigned option_watchdog = 600;
static int cpus[CPU_SETSIZE];
static int nr_cpus;

static __thread struct channel *inbox;
static int silent_fd;

#define load(x)		__atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define store(x, v)	__atomic_store_n(&(x), v, __ATOMIC_RELEASE)
#define increment(x)	__atomic_add_fetch(&(x), 1, __ATOMIC_RELAXED)

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "uintr-sample: %s: %s\n", what, strerror(errno));
	if (errno == EOPNOTSUPP || errno == ENOSYS)
		fprintf(stderr, "uintr-sample: needs -cpu max,+uintr and a kernel with CONFIG_X86_USER_INTERRUPTS\n");
	exit(1);
}

static UINTR_HANDLER(handler, frame, vector)
{
	uint64_t sequence = load(inbox->sent[vector]);

	(void)frame;
	if (sequence < inbox->seen[vector])
		inbox->backwards++;
	store(inbox->handled[vector], inbox->handled[vector] + 1);
	store(inbox->seen[vector], sequence);
}

static UINTR_HANDLER(silent_handler, frame, vector)
{
	(void)frame;
	(void)vector;
	silent_handled++;
}

/* For loops that wait for another thread, which may need this CPU. */
static void relax(void)
{
	static __thread unsigned spins;

	if (++spins % 256 == 0)
		sched_yield();
	else
		__builtin_ia32_pause();
}

static void send_fds(int sock, const int *fds)
{
	char buf[CMSG_SPACE(UINTR_NR_VECTORS * sizeof(int))] = { 0 };
	struct iovec iov = { .iov_base = "x", .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = buf, .msg_controllen = sizeof(buf),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(UINTR_NR_VECTORS * sizeof(int));
	memcpy(CMSG_DATA(cmsg), fds, UINTR_NR_VECTORS * sizeof(int));
	check(sendmsg(sock, &msg, 0) == 1, "pass fds");
}

static void receive_fds(int sock, int *fds)
{
	char buf[CMSG_SPACE(UINTR_NR_VECTORS * sizeof(int))], x;
	struct iovec iov = { .iov_base = &x, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = buf, .msg_controllen = sizeof(buf),
	};
	struct cmsghdr *cmsg;

	check(recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) == 1, "receive fds");
	cmsg = CMSG_FIRSTHDR(&msg);
	check(cmsg && cmsg->cmsg_len == CMSG_LEN(UINTR_NR_VECTORS * sizeof(int)),
	      "receive all fds");
	memcpy(fds, CMSG_DATA(cmsg), UINTR_NR_VECTORS * sizeof(int));
}

/* Connect with the other side: what I get, and the indexes I send with. */
static void side_connect(int sock, int *mine, int *theirs, int *uipi)
{
	int i;

	check(!uintr_register_handler(handler, 0), "uintr_register_handler");
	for (i = 0; i < UINTR_NR_VECTORS; i++) {
		mine[i] = uintr_create_fd(i, 0);
		check(mine[i] >= 0, "uintr_create_fd");
	}
	send_fds(sock, mine);
	receive_fds(sock, theirs);
	for (i = 0; i < UINTR_NR_VECTORS; i++) {
		uipi[i] = uintr_register_sender(theirs[i], 0);
		check(uipi[i] >= 0, "uintr_register_sender");
	}
}

static void side_send(struct phase *p, int me, const int *uipi, int silent)
{
	struct channel *out = &p->to[!me];
	uint64_t sends = option_sends / SIDES, i;

	for (i = 0; i < sends; i++) {
		int v = i * 37 % UINTR_NR_VECTORS;

		/* Spread the moves evenly over the sends. */
		while (i * option_moves > (load(p->moves) + SLACK) * sends)
			relax();
		while (EXACT(v) && load(out->seen[v]) != out->sent[v])
			relax();

		store(out->sent[v], out->sent[v] + 1);
		_senduipi(uipi[v]);
		if (i % SILENT_EVERY == 0) {
			_senduipi(silent);
			increment(p->silent_posts);
		}
		store(p->progress[me], i + 1);
	}
}

static bool all_seen(struct channel *c)
{
	int v;

	for (v = 0; v < UINTR_NR_VECTORS; v++) {
		if (load(c->seen[v]) != load(c->sent[v]))
			return false;
	}
	return true;
}

static void side_run(struct phase *p, int me, int sock)
{
	int mine[UINTR_NR_VECTORS], theirs[UINTR_NR_VECTORS], uipi[UINTR_NR_VECTORS];
	int silent, i;

	inbox = &p->to[me];
	p->tid[me] = gettid();
	side_connect(sock, mine, theirs, uipi);
	silent = uintr_register_sender(silent_fd, 0);
	check(silent >= 0, "uintr_register_sender to the silent thread");
	_stui();
	pthread_barrier_wait(&p->barrier);

	side_send(p, me, uipi, silent);
	store(p->sent_all[me], true);
	while (!load(p->sent_all[!me]) || !all_seen(inbox))
		relax();
	/* It was set once, and every move took it along. */
	p->uif_lost[me] = !_testui();

	/* The other side may still be sending, or waiting for its last one. */
	pthread_barrier_wait(&p->barrier);
	_clui();
	for (i = 0; i < UINTR_NR_VECTORS; i++) {
		close(theirs[i]);
		close(mine[i]);
	}
	check(!uintr_unregister_handler(0), "uintr_unregister_handler");
}

/* Move the sides in turn, each time to another CPU, in step with the sends. */
static void mover_run(struct phase *p)
{
	uint64_t sends = option_sends / SIDES;
	unsigned random = 1;

	pthread_barrier_wait(&p->barrier);
	while (p->moves < option_moves) {
		int side = p->moves % SIDES;
		cpu_set_t set;

		while (p->moves * sends > load(p->progress[side]) * option_moves)
			relax();
		random = random * 1103515245 + 12345;
		CPU_ZERO(&set);
		CPU_SET(cpus[(random >> 16) % nr_cpus], &set);
		check(!sched_setaffinity(p->tid[side], sizeof(set), &set),
		      "sched_setaffinity");
		increment(p->moves);
	}
	pthread_barrier_wait(&p->barrier);
}

struct thread_arg {
	struct phase *p;
	int me;
	int sock;
};

static void *thread_main(void *arg)
{
	struct thread_arg *a = arg;

	side_run(a->p, a->me, a->sock);
	return NULL;
}

static void run_threads(struct phase *p)
{
	struct thread_arg arg[SIDES];
	pthread_t thread[SIDES];
	int socks[SIDES], i;

	check(!socketpair(AF_UNIX, SOCK_STREAM, 0, socks), "socketpair");
	for (i = 0; i < SIDES; i++) {
		arg[i] = (struct thread_arg){ p, i, socks[i] };
		errno = pthread_create(&thread[i], NULL, thread_main, &arg[i]);
		check(!errno, "pthread_create");
	}
	mover_run(p);
	for (i = 0; i < SIDES; i++) {
		pthread_join(thread[i], NULL);
		close(socks[i]);
	}
}

/* The other process and the mover would wait for one that failed. */
static void child_ended(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	if (info->si_code == CLD_EXITED && !info->si_status)
		return;
	printf("FAILED: a process ended with %s %d\n",
	       info->si_code == CLD_EXITED ? "status" : "signal",
	       info->si_status);
	fflush(stdout);
	_exit(1);
}

static void run_processes(struct phase *p)
{
	struct sigaction action = {
		.sa_sigaction = child_ended,
		.sa_flags = SA_SIGINFO | SA_RESTART,
	};
	pid_t pid[SIDES];
	int socks[SIDES], i;

	check(!sigaction(SIGCHLD, &action, NULL), "sigaction");
	check(!socketpair(AF_UNIX, SOCK_STREAM, 0, socks), "socketpair");
	fflush(NULL);
	for (i = 0; i < SIDES; i++) {
		pid[i] = fork();
		check(pid[i] >= 0, "fork");
		if (!pid[i]) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			side_run(p, i, socks[i]);
			exit(0);
		}
	}
	mover_run(p);
	for (i = 0; i < SIDES; i++) {
		check(waitpid(pid[i], NULL, 0) == pid[i], "waitpid");
		close(socks[i]);
	}
}

static int print_row(int v)
{
	int errors = 0, ph, side;

	printf("%6d", v);
	for (ph = 0; ph < PHASES; ph++) {
		for (side = 0; side < SIDES; side++) {
			struct channel *c = &phases[ph].to[!side];
			bool ok = c->seen[v] == c->sent[v] &&
				  c->handled[v] <= c->sent[v] &&
				  c->handled[v] > 0 &&
				  (!EXACT(v) || c->handled[v] == c->sent[v]);

			printf(" %7lu/%-6lu%c", (unsigned long)c->sent[v],
			       (unsigned long)c->handled[v], ok ? ' ' : '!');
			errors += !ok;
		}
	}
	printf("\n");
	return errors;
}

static void print_totals(void)
{
	int ph, side, v;

	printf("%6s", "all");
	for (ph = 0; ph < PHASES; ph++) {
		for (side = 0; side < SIDES; side++) {
			struct channel *c = &phases[ph].to[!side];
			unsigned long sent = 0, handled = 0;

			for (v = 0; v < UINTR_NR_VECTORS; v++) {
				sent += c->sent[v];
				handled += c->handled[v];
			}
			printf(" %7lu/%-6lu ", sent, handled);
		}
	}
	printf("\n\n");
}

static int print_phase(int ph)
{
	struct phase *p = &phases[ph];
	int errors = 0, side;

	printf("%-9s  %lu moves between %d CPUs, %lu sends to a thread without STUI\n",
	       phase_name[ph], (unsigned long)p->moves, nr_cpus,
	       (unsigned long)p->silent_posts);
	for (side = 0; side < SIDES; side++) {
		if (p->to[side].backwards || p->uif_lost[side]) {
			printf("%s, %c: FAILED, %lu sequence numbers went back%s\n",
			       phase_name[ph], 'A' + side,
			       (unsigned long)p->to[side].backwards,
			       p->uif_lost[side] ? ", UIF was lost" : "");
			errors++;
		}
	}
	return errors;
}

/* Returns the number of errors. */
static int report(void)
{
	int errors = 0, v, ph;

	printf("\nsent/handled of each vector:\n%6s %-31s %-30s\n%6s", "",
	       phase_name[0], phase_name[1], "vector");
	for (ph = 0; ph < PHASES; ph++)
		printf(" %7s%-8s %7s%-7s", "A to ", "B", "B to ", "A");
	printf("\n");
	for (v = 0; v < UINTR_NR_VECTORS; v++)
		errors += print_row(v);
	print_totals();
	for (ph = 0; ph < PHASES; ph++)
		errors += print_phase(ph);
	printf("thread without STUI received %lu\n",
	       (unsigned long)silent_handled);
	errors += silent_handled != 0;

	if (errors)
		printf("FAILED: %d errors, marked by ! above\n", errors);
	else
		printf("OK: the last send of every vector was seen, and on vectors 0-%d each send\n"
		       "was handled exactly once. (On the others, sends may legally coalesce.)\n",
		       UINTR_NR_VECTORS / 2 - 1);
	return errors;
}

/* Lost interrupts end here: somebody waits for them for ever. */
static void watchdog(int signal)
{
	(void)signal;
	printf("\nuintr-sample: no end after %u s, so far:\n", option_watchdog);
	report();
	printf("FAILED: interrupts were lost, or -w is too small\n");
	fflush(stdout);
	_exit(1);
}

static void setup(void)
{
	pthread_barrierattr_t attr;
	cpu_set_t set;
	int i;

	check(!sched_getaffinity(0, sizeof(set), &set), "sched_getaffinity");
	for (i = 0; i < CPU_SETSIZE; i++) {
		if (CPU_ISSET(i, &set))
			cpus[nr_cpus++] = i;
	}

	phases = mmap(NULL, PHASES * sizeof(*phases), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(phases != MAP_FAILED, "mmap");
	pthread_barrierattr_init(&attr);
	pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	for (i = 0; i < PHASES; i++)
		pthread_barrier_init(&phases[i].barrier, &attr, SIDES + 1);

	check(!uintr_register_handler(silent_handler, 0),
	      "uintr_register_handler");
	silent_fd = uintr_create_fd(SILENT_VECTOR, 0);
	check(silent_fd >= 0, "uintr_create_fd");

	signal(SIGALRM, watchdog);
	alarm(option_watchdog);
}

static uint64_t parse(const char *s)
{
	char *end;
	uint64_t n = strtoull(s, &end, 0);

	if (!*s || *end || !n) {
		fprintf(stderr, "uintr-sample: \"%s\" is not a positive number\n", s);
		exit(2);
	}
	return n;
}

int main(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "n:m:w:")) != -1) {
		switch (opt) {
		case 'n':
			option_sends = parse(optarg);
			break;
		case 'm':
			option_moves = parse(optarg);
			break;
		case 'w':
			option_watchdog = parse(optarg);
			break;
		default:
			fprintf(stderr, "usage: uintr-sample [-n SENDS] [-m MOVES] [-w SECONDS]\n"
				"  -n  user interrupts sent in each of the two parts [%lu]\n"
				"  -m  moves to another CPU in each part [%lu]\n"
				"  -w  give up after so many seconds [%u]\n",
				(unsigned long)option_sends,
				(unsigned long)option_moves, option_watchdog);
			return 2;
		}
	}
	if (option_sends < SIDES * UINTR_NR_VECTORS) {
		fprintf(stderr, "uintr-sample: -n must be at least %d, one for each vector and side\n",
			SIDES * UINTR_NR_VECTORS);
		return 2;
	}

	setup();
	printf("%lu user interrupts and %lu moves between two threads ...\n",
	       (unsigned long)option_sends, (unsigned long)option_moves);
	fflush(stdout);
	run_threads(&phases[THREADS]);
	printf("the same between two processes ...\n");
	fflush(stdout);
	run_processes(&phases[PROCESSES]);

	return report() ? 1 : 0;
}
