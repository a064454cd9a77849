/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is left of a CPU to a bystander while another CPU posts to event fds
 * that were polled there. It should make no difference how many they are.
 *
 * The bystander counts. Slices of time with and without posts take turns. What
 * it counts in one with posts, compared with the one before it, is a share; the
 * median of these is printed.
 */
#include "bench.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "uintr-user.h"

#define PAUSE_US	5000
#define SLICE		20	/* posts in a slice of time */
#define SLICES		50
#define SENDERS		200
#define LIMIT		"/proc/sys/user/max_uintr_receivers"

static const uint64_t counts[] = { 1, 1000, 60000 };

static struct shared {
	struct bench_side *sender, *bystander;
	uint64_t counted;
	double share[SLICES];
	bool stop;
	uint64_t armed, slices;
	uint64_t wakes;		/* counted by the kernel */
} *x;

static void bystander(void *arg)
{
	(void)arg;
	bench_pin(1);
	while (!load(x->stop)) {
		x->counted++;
		x->bystander->done++;
	}
}

/* All CPUs together */
static uint64_t kernel_wakes(void)
{
	FILE *f = fopen("/proc/interrupts", "r");
	char line[1024], *p, *end;
	uint64_t sum = 0, n;

	bench_check(f != NULL, "/proc/interrupts");
	while (fgets(line, sizeof(line), f)) {
		p = strstr(line, "UIW:");
		if (!p)
			continue;
		for (p += 4;; p = end) {
			n = strtoull(p, &end, 10);
			if (p == end)
				break;
			sum += n;
		}
	}
	fclose(f);
	return sum;
}

static void arm(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	bench_check(poll(&p, 1, 0) == 0, "poll");
}

/* Arm them on the bystander's CPU. */
static int *create(void)
{
	int *fds = calloc(x->armed, sizeof(*fds));
	uint64_t i;

	for (i = 0; i < x->armed; i++) {
		fds[i] = uintr_create_fd(1, UINTR_FD_EVENT);
		bench_check(fds[i] >= 0, "uintr_create_fd");
		x->sender->done++;
	}
	for (i = 0; i < x->armed && i < SENDERS; i++)
		bench_check(uintr_register_sender(fds[i], 0) == (int)i,
			    "uintr_register_sender");
	bench_pin(1);
	for (i = 0; i < x->armed; i++)
		arm(fds[i]);
	bench_pin(0);
	return fds;
}

/* Returns what the bystander counts meanwhile. */
static uint64_t slice(int *fds, uint64_t number, bool posting)
{
	uint64_t senders = x->armed < SENDERS ? x->armed : SENDERS;
	uint64_t i, index, posted, before = load(x->counted);

	for (i = 0; i < SLICE; i++) {
		index = (number * SLICE + i) % senders;
		if (posting)
			_senduipi(index);
		bench_sleep_us(PAUSE_US);
		if (posting) {
			bench_check(read(fds[index], &posted, sizeof(posted)) ==
				    sizeof(posted), "read");
			if (posted != 1 << 1)
				bench_die("a post: wanted bit 1, got 0x%llx",
					  (unsigned long long)posted);
			arm(fds[index]);
		}
		x->sender->done++;
	}
	return load(x->counted) - before;
}

static void sender(void *arg)
{
	uint64_t i, wakes, idle;
	int *fds;

	(void)arg;
	fds = create();
	wakes = kernel_wakes();
	for (i = 0; i < x->slices; i++) {
		idle = slice(fds, i, false);
		x->share[i] = 100.0 * slice(fds, i, true) / idle;
	}
	x->wakes = kernel_wakes() - wakes;
	store(x->stop, true);
}

static int compare(const void *a, const void *b)
{
	double p = *(const double *)a, q = *(const double *)b;

	return (p > q) - (p < q);
}

static void measure(uint64_t armed)
{
	struct bench_process processes[] = {
		{ .name = "the sender", .run = sender },
		{ .name = "the bystander", .run = bystander },
	};

	x->armed = armed;
	x->stop = false;
	bench_run(processes, ARRAY_SIZE(processes), NULL, 0);
	qsort(x->share, x->slices, sizeof(*x->share), compare);
	printf("%8llu %8llu %8llu %12.1f\n", (unsigned long long)armed,
	       (unsigned long long)x->slices * SLICE,
	       (unsigned long long)x->wakes,
	       x->share[x->slices / 2]);
	fflush(stdout);
	if (x->wakes != x->slices * SLICE)
		bench_die("wanted a wake-up for each post, got %llu",
			  (unsigned long long)x->wakes);
}

/* Files and receivers: as root, whatever the limits are */
static void raise_limits(uint64_t count)
{
	struct rlimit files = { count + 100, count + 100 };
	FILE *f;

	bench_check(!setrlimit(RLIMIT_NOFILE, &files), "RLIMIT_NOFILE");
	f = fopen(LIMIT, "w");
	if (!f)
		return;
	fprintf(f, "%llu\n", (unsigned long long)count + 100);
	bench_check(!fclose(f), LIMIT);
}

int main(int argc, char **argv)
{
	uint64_t count = 0;
	bool quick = false;
	const struct bench_option options[] = {
		{ 'n', "number", "N event fds [1, 1000 and 60000]",
		  .number = &count, 1, 1000000 },
		{ 'q', "quick", "a fifth of a second for each number",
		  .flag = &quick },
		{ 0 }
	};
	int i;

	bench_init(argc, argv,
		   "What is left of a CPU to a bystander while others post to event fds, each of\n"
		   "which somebody waits for, once in 5 ms. For root, on two CPUs.",
		   options, NULL);
	bench_need_uintr();
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		bench_die("wanted two CPUs, got one");

	x = bench_shared(sizeof(*x));
	x->slices = quick ? 1 : SLICES;
	x->sender = bench_side("the sender");
	x->bystander = bench_side("the bystander");
	raise_limits(count ? count : counts[ARRAY_SIZE(counts) - 1]);
	printf("%8s %8s %8s %12s\n", "armed", "posts", "wake-ups", "left %");
	if (count) {
		measure(count);
		return BENCH_OK;
	}
	for (i = 0; i < ARRAY_SIZE(counts); i++)
		measure(counts[i]);
	return BENCH_OK;
}
