// SPDX-License-Identifier: GPL-2.0
/*
 * Handlers that interrupt a restartable sequence. The kernel aborts one whose
 * thread is preempted, moved or gets a signal, but it cannot see the one below
 * a handler. The handler aborts it, and the kernel leaves it the means to.
 */
#include <sys/rseq.h>

#include "uintr.h"

static volatile struct rseq *this_rseq(void)
{
	char *thread;

	asm("mov %%fs:0, %0" : "=r" (thread));
	return (volatile struct rseq *)(thread + __rseq_offset);
}

/* What a handler has to do first */
static void abort_section(struct __uintr_frame *frame)
{
	const struct rseq_cs *cs = (void *)this_rseq()->rseq_cs;

	if (!cs || frame->rip - cs->start_ip >= cs->post_commit_offset)
		return;
	frame->rip = cs->abort_ip;
	this_rseq()->rseq_cs = 0;
}

/* Another thread moves this one, or sends it a signal, when it is asked to. */
enum request { NOTHING, MOVE, SIGNAL, END };

static enum request request;
static pid_t main_tid;
static volatile int signalled;

static void move_away(pid_t tid)
{
	cpu_set_t set;

	WANT(sched_getaffinity(tid, sizeof(set), &set), 0);
	if (CPU_ISSET(0, &set)) {
		CPU_ZERO(&set);
		CPU_SET(1, &set);
	} else {
		CPU_ZERO(&set);
		CPU_SET(0, &set);
	}
	WANT(sched_setaffinity(tid, sizeof(set), &set), 0);
}

static void *serve(void *arg)
{
	enum request r;

	while ((r = load(request)) != END) {
		if (r == NOTHING) {
			sched_yield();
			continue;
		}
		store(request, NOTHING);
		if (r == MOVE)
			move_away(main_tid);
		else
			WANT(syscall(SYS_tgkill, getpid(), main_tid, SIGUSR1), 0);
	}
	return NULL;
}

static void note_signal(int signal)
{
	signalled = 1;
}

/* Without system calls: also for handlers, and for sections */
static void get_moved(void)
{
	unsigned int cpu = this_rseq()->cpu_id;

	store(request, MOVE);
	while (this_rseq()->cpu_id == cpu)
		;
}

static void get_signal(void)
{
	signalled = 0;
	store(request, SIGNAL);
	while (!signalled)
		;
}

/* What the handler does, before and after it aborts the section */
static void (*volatile before)(void), (*volatile after)(void);
static volatile int handler_runs;

static UINTR_HANDLER(handler, frame, vector)
{
	if (before)
		before();
	abort_section(frame);
	if (after)
		after();
	handler_runs++;
}

struct outcome {
	int aborted;
	unsigned int first_cpu, last_cpu;
};

/*
 * A section that asks for something at its start, if that is not 0, sends to
 * @index, if that is not -1, and ends when *@gate is not @closed.
 */
extern const struct rseq_cs section_cs;

static struct outcome __attribute__((noinline))
run_section(enum request ask, long index, const volatile void *gate, int closed)
{
	struct outcome o;

	asm volatile(".pushsection __rseq_cs, \"aw\"\n\t"
		     ".balign 32\n"
		     ".globl section_cs\n"
		     "section_cs:\t.long 0, 0\n\t"
		     ".quad 2f, 3f - 2f, 4f\n\t"
		     ".popsection\n\t"
		     ".pushsection __rseq_failure, \"ax\"\n\t"
		     ".long 0x53053053\n"	/* glibc's signature */
		     "4:\tmovl $1, %[aborted]\n\t"
		     "jmp 5f\n\t"
		     ".popsection\n\t"
		     "lea section_cs(%%rip), %%rax\n\t"
		     "mov %%rax, %[cs]\n"
		     "2:\tmov %[cpu], %[first]\n\t"
		     "test %[ask], %[ask]\n\t"
		     "je 6f\n\t"
		     "mov %[ask], %[request]\n"
		     "6:\ttest %[index], %[index]\n\t"
		     "js 7f\n\t"
		     "senduipi %[index]\n"
		     "7:\tcmp %[closed], (%[gate])\n\t"
		     "je 7b\n\t"
		     "mov %[cpu], %[last]\n\t"
		     "movl $0, %[aborted]\n"
		     "3:\n"
		     "5:\tmovq $0, %[cs]"
		     : [aborted] "=&r" (o.aborted), [first] "=&r" (o.first_cpu),
		       [last] "=&r" (o.last_cpu), [request] "+m" (request),
		       [cs] "+m" (this_rseq()->rseq_cs)
		     : [cpu] "m" (this_rseq()->cpu_id), [ask] "r" (ask),
		       [index] "r" (index), [gate] "r" (gate),
		       [closed] "r" (closed)
		     : "rax", "memory", "cc");
	return o;
}

FIXTURE(rseq)
{
	pthread_t server;
	long index;
};

FIXTURE_SETUP(rseq)
{
	if (!__rseq_size)
		SKIP(_exit(KSFT_SKIP), "libc has not registered restartable sequences");
	if (nr_cpus() < 2)
		SKIP(_exit(KSFT_SKIP), "needs two CPUs");
	signal(SIGUSR1, note_signal);
	main_tid = gettid();
	WANT(uintr_register_handler(handler, 0), 0);
	self->index = WANT_OK(uintr_register_self(3, 0));
	self->server = start(serve, NULL);
	pin_to(0);
	_stui();
}

FIXTURE_TEARDOWN(rseq)
{
	store(request, END);
	pthread_join(self->server, NULL);
}

/*
 * The section in which the handler comes is aborted. One that is aborted
 * before, because the thread was preempted, is not what is looked for.
 */
static void want_aborted(long index)
{
	struct outcome o;
	int i;

	for (i = 0; i < 20; i++) {
		int runs = handler_runs;

		do {
			o = run_section(NOTHING, index, &handler_runs, runs);
		} while (handler_runs == runs);
		WANT(handler_runs, runs + 1);
		WANT(o.aborted, 1);
		WANT(this_rseq()->rseq_cs, 0);
	}
}

/* Handler that comes and goes on the same CPU */
TEST_F(rseq, same_cpu)
{
	want_aborted(self->index);
}

/* Handler whose thread is moved while it runs */
TEST_F(rseq, migrated)
{
	after = get_moved;
	want_aborted(self->index);
}

/* Handler whose thread gets a signal while it runs */
TEST_F(rseq, signalled)
{
	after = get_signal;
	want_aborted(self->index);
}

/* Handler whose thread is moved before it has looked what it interrupts */
TEST_F(rseq, KA1_migrated_first)
{
	before = get_moved;
	want_aborted(self->index);
}

/* Handler whose thread gets a signal before it has looked */
TEST_F(rseq, KA1_signalled_first)
{
	before = get_signal;
	want_aborted(self->index);
}

/* Control, without handler: the kernel aborts a section when a signal comes */
TEST_F(rseq, signal_alone)
{
	int i;

	for (i = 0; i < 20; i++) {
		signalled = 0;
		WANT(run_section(SIGNAL, -1, &signalled, 0).aborted, 1);
	}
}

/* Control, without handler: a section that is not aborted was not moved */
TEST_F(rseq, move_alone)
{
	struct outcome o;
	int i;

	for (i = 0; i < 20; i++) {
		o = run_section(MOVE, -1, &this_rseq()->cpu_id,
				this_rseq()->cpu_id);
		if (!o.aborted)
			WANT(o.last_cpu, o.first_cpu);
	}
}

/* Control: a section in which nothing comes gets to its end */
TEST_F(rseq, nothing)
{
	WAIT_UNTIL(!run_section(NOTHING, -1, &handler_runs, -1).aborted);
}

/* As programs do: the one that has ended stays until the next begins */
static void end_section(const struct rseq_cs *cs)
{
	this_rseq()->rseq_cs = (uintptr_t)cs;
}

/* Handler that comes after a section does not abort it */
TEST_F(rseq, outside)
{
	int i;

	for (i = 1; i <= 20; i++) {
		end_section(&section_cs);
		_senduipi(self->index);
		WAIT_UNTIL(handler_runs == i);
	}
}

/* While UIF is 0 the kernel leaves the section alone: a handler may need it */
TEST_F(rseq, KA1_kept)
{
	_clui();
	end_section(&section_cs);
	get_moved();
	WANT(this_rseq()->rseq_cs, (uintptr_t)&section_cs);
}

/* While UIF is 1 it forgets a section that has ended, as ever */
TEST_F(rseq, forgotten)
{
	end_section(&section_cs);
	get_moved();
	WANT(this_rseq()->rseq_cs, 0);
}

TEST_HARNESS_MAIN
