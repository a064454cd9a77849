/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 200 reads of 4 kB, 4 MB and 40 MB in turn, among 1,000 computations of
 * 700,000 to 7,000,000 multiplications in a fixed sequence. A read begins after
 * every fifth computation, but not before the last one is complete. So all
 * modes do the same work, and end with the same sum.
 *
 * The latency of a read is from before its submission until the program knows
 * that it is complete. What was read is checked, each page of it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "uintr-user.h"
#include "uring.h"

#define COMPUTATIONS		1000
#define READS			200
#define MIN_MULTIPLICATIONS	700000
#define MAX_MULTIPLICATIONS	7000000
#define PAGE			4096
#define MAX_MODES		4

enum { SMALL, MEDIUM, LARGE, SIZES };

static const char *const size_names[] = { "4k", "4M", "40M" };
static const size_t full_sizes[] = { 4096, 4 << 20, 40 << 20 };

/* What a mode has measured, in memory shared with the supervisor. */
struct result {
	uint64_t samples[SIZES][READS];
	uint64_t count[SIZES];
	uint64_t total, computing;
	uint64_t sum;
	uint64_t handler_runs;
	double latency_us, total_us, computing_us;
};

static size_t sizes[SIZES];
static uint64_t scale = 1;
static const char *folder = "/tmp";
static int file;
static char *buffer;
static struct bench_side *side;
static const struct uring_mode *mode;
static struct result *result;

static uint64_t page_word(size_t page)
{
	return (page + 1) * 0x9e3779b97f4a7c15;
}

static void make_file(void)
{
	char path[256];
	struct statvfs fs;
	size_t page;

	if (!statvfs(folder, &fs) &&
	    (uint64_t)fs.f_bavail * fs.f_frsize < sizes[LARGE])
		bench_die("%s has too little room for %zu bytes: give the guest more memory (guest/boot --memory=1G), or use -n",
			  folder, sizes[LARGE]);
	snprintf(path, sizeof(path), "%s/uring-bench.XXXXXX", folder);
	file = mkstemp(path);
	bench_check(file >= 0, path);
	bench_check(!unlink(path), path);
	for (page = 0; page < sizes[LARGE] / PAGE; page++)
		*(uint64_t *)(buffer + page * PAGE) = page_word(page);
	bench_check(pwrite(file, buffer, sizes[LARGE], 0) ==
		    (ssize_t)sizes[LARGE], "write");
	/*
	 * Reads of tmpfs never wait, but only this flag says so to io_uring.
	 * Without it, yet another thread of the kernel would be woken to read.
	 */
	bench_check(!fcntl(file, F_SETFL, O_NONBLOCK), "fcntl");
}

/* Before each read the pages lose what it must restore. */
static void clear_pages(size_t size)
{
	size_t page;

	for (page = 0; page < size / PAGE; page++)
		*(uint64_t *)(buffer + page * PAGE) = 0;
}

static void check_pages(size_t size)
{
	size_t page;
	uint64_t got;

	for (page = 0; page < size / PAGE; page++) {
		got = *(uint64_t *)(buffer + page * PAGE);
		if (got != page_word(page))
			bench_die("%s: read of %zu bytes, page %zu: wanted %llx, got %llx",
				  mode->name, size, page,
				  (unsigned long long)page_word(page),
				  (unsigned long long)got);
	}
}

/* Each factor depends on the last product, so no compiler can save any. */
static uint64_t compute(uint64_t value, uint64_t multiplications)
{
	while (multiplications--)
		value = value * 6364136223846793005 + 1442695040888963407;
	return value;
}

static uint64_t length_of(unsigned int computation)
{
	uint64_t fraction = computation * 2654435761u & 0xffffffff;

	return (MIN_MULTIPLICATIONS +
		(fraction * (MAX_MULTIPLICATIONS - MIN_MULTIPLICATIONS) >> 32)) /
	       scale;
}

static uint64_t submitted;	/* number of reads */
static uint64_t submitted_at;

static void submit(void)
{
	size_t size = sizes[submitted % SIZES];

	clear_pages(size);
	submitted++;
	submitted_at = bench_ticks();
	mode->submit(file, buffer, size);
}

/* Is there no read under way? Takes note of one that is complete. */
static bool idle(void)
{
	int kind = (submitted - 1) % SIZES;

	if (side->done == submitted)
		return true;
	if (uring_completion.count > submitted)
		bench_die("%s: wanted %llu completions, got %llu", mode->name,
			  (unsigned long long)submitted,
			  (unsigned long long)uring_completion.count);
	if (uring_completion.count < submitted)
		return false;
	if (uring_completion.result != (int)sizes[kind])
		bench_die("%s: read: wanted %zu, got %d", mode->name,
			  sizes[kind], uring_completion.result);
	result->samples[kind][result->count[kind]++] =
		uring_completion.at - submitted_at;
	check_pages(sizes[kind]);
	store(side->done, submitted);
	return true;
}

static void run(void *arg)
{
	uint64_t start, before, sum = 1;
	unsigned int i;

	(void)arg;
	mode->open();
	start = bench_ticks();
	for (i = 0; i < COMPUTATIONS; i++) {
		if (idle() && i * READS >= submitted * COMPUTATIONS)
			submit();
		before = bench_ticks();
		sum = compute(sum, length_of(i));
		result->computing += bench_ticks() - before;
		mode->look();
	}
	store(side->doing, "a completion");
	while (!idle() || submitted < READS) {
		if (side->done == submitted)
			submit();
		mode->look();
	}
	result->total = bench_ticks() - start;
	result->sum = sum;
	result->handler_runs = uring_completion.handler_runs;
}

static void print_stats(const char *size, const struct bench_stats *s)
{
	printf("%-13s %-5s %6llu %11.3f %11.3f %11.3f %11.3f %11.3f\n",
	       mode->name, size, (unsigned long long)s->count, s->sum / 1000,
	       s->min, s->p50, s->p99, s->max);
}

static void print_result(void)
{
	uint64_t all[SIZES * READS];
	struct bench_stats s;
	uint64_t n = 0;
	int i;

	for (i = 0; i < SIZES; i++) {
		memcpy(all + n, result->samples[i],
		       result->count[i] * sizeof(all[0]));
		n += result->count[i];
		s = bench_stats(result->samples[i], result->count[i]);
		print_stats(size_names[i], &s);
	}
	s = bench_stats(all, n);
	print_stats("all", &s);
	result->latency_us = s.sum;
	result->total_us = bench_us(result->total);
	result->computing_us = bench_us(result->computing);
	printf("%-13s total %18.3f, computations %.3f\n", mode->name,
	       result->total_us / 1000, result->computing_us / 1000);
	fflush(stdout);
}

static void measure(const struct uring_mode *m, struct result *r)
{
	struct bench_process process = { .name = m->name, .run = run };

	mode = m;
	result = r;
	side->name = m->name;
	side->doing = "the computations to end";
	side->done = 0;
	bench_run(&process, 1, NULL, 0);
	print_result();
}

static void print_ratio(const char *name, const char *what, double ratio,
			double bound)
{
	printf("%-13s %-44s %6.3f (at most %.2f: %s)\n", name, what, ratio,
	       bound, ratio <= bound ? "yes" : "no");
}

/*
 * Nothing but the host slows down a computation on a CPU of its own, so the
 * last ratio tells what the others are worth.
 */
static void print_ratios(const char *name, const struct result *uintr,
			 const struct result *sync, const struct result *polling)
{
	printf("%-13s %llu handler runs for %d reads\n", name,
	       (unsigned long long)uintr->handler_runs, READS);
	print_ratio(name, "sum of latencies, to that of sync",
		    uintr->latency_us / sync->latency_us, 2);
	print_ratio(name, "total, to that of polling",
		    uintr->total_us / polling->total_us, 1.05);
	printf("%-13s %-44s %6.3f (if far above 1, the CPUs had to share a host's)\n",
	       name, "computations, to those of sync",
	       uintr->computing_us / sync->computing_us);
}

static void measure_all(const char *only)
{
	struct result *results = bench_shared(MAX_MODES * sizeof(*results));
	int i;

	printf("%-13s %-5s %6s %11s %11s %11s %11s %11s\n", "mode", "size",
	       "reads", "sum ms", "min us", "p50 us", "p99 us", "max us");
	for (i = 0; i < uring_nr_modes; i++) {
		if (only && strcmp(only, uring_modes[i].name))
			continue;
		measure(&uring_modes[i], &results[i]);
		if (!only && results[i].sum != results[0].sum)
			bench_die("%s: wanted the sum %llx, got %llx: a handler changed a register",
				  uring_modes[i].name,
				  (unsigned long long)results[0].sum,
				  (unsigned long long)results[i].sum);
	}
	for (i = 2; !only && i < uring_nr_modes; i++)
		print_ratios(uring_modes[i].name, &results[i], &results[0],
			     &results[1]);
}

static void check_mode(const char *name)
{
	int i;

	for (i = 0; i < uring_nr_modes; i++) {
		if (!strcmp(uring_modes[i].name, name))
			return;
	}
	bench_usage("there is no mode \"%s\"", name);
}

int main(int argc, char **argv)
{
	const char *only = NULL;
	struct bench_option options[4 + MAX_MODES] = {
		{ 'n', "number", "divide multiplications and bytes by N [1]",
		  .number = &scale, 1, 100 },
		{ 'd', "directory", "where to make the file that is read [/tmp]",
		  .text = &folder },
		{ 'm', "mode", "only NAME, which is one of these:",
		  .text = &only },
	};
	int i;

	for (i = 0; i < uring_nr_modes; i++) {
		options[3 + i].name = uring_modes[i].name;
		options[3 + i].help = uring_modes[i].help;
	}
	bench_init(argc, argv,
		   "Reads among computations, in several modes. \"sum\" and the others are\n"
		   "latencies. \"total\" is what all of it took, and \"computations\" what they\n"
		   "took, in ms.",
		   options, NULL);
	if (only)
		check_mode(only);
	if (!only || strncmp(only, "uintr", 5) == 0)
		bench_need_uintr();

	for (i = 0; i < SIZES; i++) {
		sizes[i] = full_sizes[i] / scale / PAGE * PAGE;
		if (!sizes[i])
			sizes[i] = PAGE;
	}
	side = bench_side("reader");
	buffer = bench_shared(sizes[LARGE]);
	make_file();
	measure_all(only);
	return BENCH_OK;
}
