/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ping-pong: side A sends a message to side B, which sends one back, and so
 * on. Each message is numbered and filled with bytes that depend on its number
 * and direction, and each byte of each message is checked on arrival: one that
 * is lost, repeated, stale or damaged is an error. The time of a message is
 * that of the round trip with writing and checking the contents.
 */
#include "ipc.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "uintr-user.h"

#define KIND(name_, to_a, to_b, threads_, help_)				\
	{ .name = (name_), .help = (help_), .threads = (threads_),	\
	  .to = { [A] = &(to_a), [B] = &(to_b) } }

static const struct ipc_kind kinds[] = {
	KIND("uintr-thread", ipc_uintr, ipc_uintr, true,
	     "user interrupts between threads, both ways"),
	KIND("uintr-thread-uni", ipc_memory, ipc_uintr, true,
	     "the same one way, the answer is seen in memory"),
	KIND("uintr-process", ipc_uintr, ipc_uintr, false,
	     "user interrupts between processes, both ways"),
	KIND("uintr-process-uni", ipc_memory, ipc_uintr, false,
	     "the same one way, the answer is seen in memory"),
	KIND("shm", ipc_memory, ipc_memory, false,
	     "shared memory, looking all the time"),
	KIND("eventfd", ipc_eventfd, ipc_eventfd, false,
	     "blocking reads of two eventfds"),
	KIND("signal", ipc_signal, ipc_signal, false,
	     "queued real-time signals, sigwaitinfo()"),
	KIND("pipe", ipc_pipe, ipc_pipe, false, "two pipes"),
	KIND("fifo", ipc_fifo, ipc_fifo, false, "two named pipes"),
	KIND("socket", ipc_socket, ipc_socket, false,
	     "a pair of UNIX stream sockets"),
	KIND("mq", ipc_mq, ipc_mq, false, "two POSIX message queues"),
};

#define NR_KINDS	ARRAY_SIZE(kinds)

static struct bench_side *sides[SIDES];

static bool needs_uintr(const struct ipc_kind *kind)
{
	return kind->to[A]->uintr || kind->to[B]->uintr;
}

/* The number comes first if there is room, then one byte over and over. */
static uint64_t tag_of(uint64_t seq, int from)
{
	return seq * SIDES + from;
}

static void fill(uint8_t *data, size_t size, uint64_t tag)
{
	memset(data, (uint8_t)tag, size);
	if (size >= sizeof(tag))
		memcpy(data, &tag, sizeof(tag));
}

static void check_content(const uint8_t *data, size_t size, uint64_t tag)
{
	size_t at = 0;
	uint64_t got;

	if (size >= sizeof(tag)) {
		memcpy(&got, data, sizeof(got));
		if (got != tag)
			bench_die("wanted message %llu from side %c, got message %llu from side %c",
				  (unsigned long long)tag / SIDES,
				  (char)('A' + tag % SIDES),
				  (unsigned long long)got / SIDES,
				  (char)('A' + got % SIDES));
		at = sizeof(tag);
	}
	if (at == size || (data[at] == (uint8_t)tag &&
			   !memcmp(data + at, data + at + 1, size - at - 1)))
		return;
	while (data[at] == (uint8_t)tag)
		at++;
	bench_die("message %llu: wanted byte %zu to be 0x%02x, got 0x%02x",
		  (unsigned long long)tag / SIDES, at, (uint8_t)tag, data[at]);
}

static void send_one(struct ipc_end *end, const struct ipc_way *way)
{
	fill(end->out, end->ipc->size, tag_of(end->seq, end->me));
	way->send(end);
}

static void receive_one(struct ipc_end *end, const struct ipc_way *way)
{
	store(end->side->doing, end->me == A ? "the answer to its next message" :
					       "the next message");
	way->receive(end);
	check_content(end->in, end->ipc->size, tag_of(end->seq, !end->me));
	store(end->side->doing, NULL);
	store(end->side->done, end->seq);
}

static void exchange(struct ipc_end *end)
{
	struct ipc *ipc = end->ipc;
	const struct ipc_way *in = ipc->kind->to[end->me];
	const struct ipc_way *out = ipc->kind->to[!end->me];

	for (end->seq = 1; end->seq <= ipc->count; end->seq++) {
		uint64_t start = bench_ticks();

		if (end->me == A) {
			send_one(end, out);
			receive_one(end, in);
			ipc->samples[end->seq - 1] = bench_ticks() - start;
		} else {
			receive_one(end, in);
			send_one(end, out);
		}
	}
}

static uint8_t *buffer(struct ipc *ipc, int to)
{
	if (ipc->kind->to[to]->in_memory)
		return ipc->common->to[to].payload;
	return bench_shared(ipc->size);
}

static void run_side(struct ipc *ipc, int me)
{
	const struct ipc_way *in = ipc->kind->to[me], *out = ipc->kind->to[!me];
	struct ipc_end end = {
		.ipc = ipc,
		.me = me,
		.side = sides[me],
		.in = buffer(ipc, me),
		.out = buffer(ipc, !me),
	};

	end.side->pid = getpid();
	store(end.side->doing, "the other side to start");
	if (in->receiver)
		in->receiver(&end);
	pthread_barrier_wait(&ipc->common->barrier);
	if (out->sender)
		out->sender(&end);
	pthread_barrier_wait(&ipc->common->barrier);
	store(end.side->doing, NULL);
	exchange(&end);
}

static void run_a(void *ipc)
{
	run_side(ipc, A);
}

static void run_b(void *ipc)
{
	run_side(ipc, B);
}

static void *thread_b(void *ipc)
{
	run_b(ipc);
	return NULL;
}

static void run_threads(void *ipc)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, thread_b, ipc))
		bench_die("pthread_create failed: is there too little memory?");
	run_a(ipc);
	pthread_join(thread, NULL);
}

static void open_kind(struct ipc *ipc)
{
	pthread_barrierattr_t attr;
	int to;

	ipc->common = bench_shared(sizeof(*ipc->common));
	pthread_barrierattr_init(&attr);
	pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&ipc->common->barrier, &attr, SIDES);
	for (to = A; to <= B; to++) {
		ipc->common->to[to].payload = bench_shared(ipc->size);
		if (ipc->kind->to[to]->open)
			ipc->kind->to[to]->open(ipc, to);
		sides[to]->done = 0;
	}
}

static struct bench_stats run_kind(const struct ipc_kind *kind, uint64_t count,
				   size_t size)
{
	struct ipc ipc = {
		.kind = kind,
		.count = count,
		.size = size,
		.read_fd = { -1, -1 },
		.write_fd = { -1, -1 },
	};
	struct bench_process processes[] = {
		{ .name = "side A", .run = run_a, .arg = &ipc },
		{ .name = "side B", .run = run_b, .arg = &ipc },
	};
	struct bench_process both = {
		.name = "the process of both sides",
		.run = run_threads,
		.arg = &ipc,
	};
	int to;

	ipc.samples = bench_shared(count * sizeof(*ipc.samples));
	open_kind(&ipc);
	if (kind->threads)
		bench_run(&both, 1, NULL, 0);
	else
		bench_run(processes, SIDES, NULL, 0);
	for (to = A; to <= B; to++) {
		close(ipc.read_fd[to]);
		close(ipc.write_fd[to]);
	}
	return bench_stats(ipc.samples, count);
}

static double rate(const struct bench_stats *s)
{
	return s->sum > 0 ? s->count / s->sum * 1e6 : 0;
}

static void print_results(const struct bench_stats *s, size_t size)
{
	printf("============ RESULTS ================\n"
	       "Message size:       %zu\n"
	       "Message count:      %llu\n"
	       "Total duration:     %.3f\tms\n"
	       "Average duration:   %.3f\tus\n"
	       "Minimum duration:   %.3f\tus\n"
	       "Maximum duration:   %.3f\tus\n"
	       "Standard deviation: %.3f\tus\n"
	       "Message rate:       %.0f\tmsg/s\n"
	       "=====================================\n",
	       size, (unsigned long long)s->count, s->sum / 1000, s->mean,
	       s->min, s->max, s->deviation, rate(s));
}

static void print_table(uint64_t count, size_t size)
{
	int i;

	printf("%-18s %6s %8s %9s %9s %9s %9s %9s %8s\n", "kind", "bytes",
	       "messages", "avg us", "min us", "p50 us", "p99 us", "max us",
	       "msg/s");
	for (i = 0; i < NR_KINDS; i++) {
		struct bench_stats s;

		if (needs_uintr(&kinds[i]) && !bench_has_uintr())
			continue;
		s = run_kind(&kinds[i], count, size);
		printf("%-18s %6zu %8llu %9.3f %9.3f %9.3f %9.3f %9.3f %8.0f\n",
		       kinds[i].name, size, (unsigned long long)count, s.mean,
		       s.min, s.p50, s.p99, s.max, rate(&s));
		fflush(stdout);
	}
}

static const struct ipc_kind *find_kind(const char *name)
{
	int i;

	for (i = 0; i < NR_KINDS; i++) {
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	}
	bench_usage("there is no kind \"%s\"", name);
}

int main(int argc, char **argv)
{
	uint64_t count = 1000, size = 4096;
	struct bench_option options[5 + NR_KINDS] = {
		{ 'c', "count", "messages, that is round trips [1000]",
		  .number = &count, 1, 100000000 },
		{ 's', "size", "bytes of a message [4096]",
		  .number = &size, 1, 64 << 20 },
		{ .name = "all", .help = "a table of all kinds" },
		{ .name = "list", .help = "the names of the kinds" },
	};
	const char *word;
	int i;

	for (i = 0; i < NR_KINDS; i++) {
		options[4 + i].name = kinds[i].name;
		options[4 + i].help = kinds[i].help;
	}
	word = bench_init(argc, argv,
			  "Two sides exchange messages and check each byte of them.",
			  options, "KIND");

	sides[A] = bench_side("side A");
	sides[B] = bench_side("side B");
	if (!strcmp(word, "list")) {
		for (i = 0; i < NR_KINDS; i++)
			printf("%s\n", kinds[i].name);
	} else if (!strcmp(word, "all")) {
		print_table(count, size);
	} else {
		const struct ipc_kind *kind = find_kind(word);
		struct bench_stats stats;

		if (needs_uintr(kind))
			bench_need_uintr();
		stats = run_kind(kind, count, size);
		print_results(&stats, size);
	}
	return BENCH_OK;
}
