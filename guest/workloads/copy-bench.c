/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Four processes copy files block by block: once each its own, once all the
 * same by paths that each opens, once all through descriptors that they have
 * inherited. The latter two share locks in the kernel, an inode's or that of a
 * file position, which costs more where locks sleep (PREEMPT_RT).
 *
 * Time in state D, which is how /proc shows those who wait for such a lock, is
 * sampled: from outside and at a real-time priority, or samples would be
 * taken when a process has just blocked and made room. Accounting by the
 * kernel (schedstats) would not see the sleeping spinlocks of PREEMPT_RT.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define PROCESSES	4
#define MAX_BUFFER	4096
#define SAMPLE_US	5003	/* in no step with the kernel's ticks */

static const struct buffer {
	size_t size;
	uint64_t blocks;
} buffers[] = { { 1024, 2000 }, { 256, 500 }, { 4096, 8000 } };

enum share { OWN, PATH, DESCRIPTOR, SHARES };

static const char *const share_names[] = { "own", "path", "descriptor" };

/* One of the processes; in shared memory. */
struct copier {
	struct bench_side *side;
	char source[64], target[64];
	int from, to;			/* inherited, or -1 */
	bool running;
	uint64_t start, end;
	/* Used by the supervisor only. */
	int stat_fd;
	uint64_t samples, blocked;
};

static struct shared {
	pthread_barrier_t barrier;
	struct copier copiers[PROCESSES];
} *shared;

static enum share share;
static const struct buffer *buffer;
static uint64_t copies = 40000;
static char folder[32] = "/tmp/copy-bench.XXXXXX";

/* A block consists of its number, over and over. */
static void fill(uint64_t *block, uint64_t number)
{
	size_t i;

	for (i = 0; i < buffer->size / sizeof(*block); i++)
		block[i] = number;
}

/* Blocks that are read while others write them must not be torn, either. */
static void check_block(const uint64_t *block, const char *what)
{
	size_t last = buffer->size / sizeof(*block) - 1;

	if (block[0] != block[last] || block[0] >= buffer->blocks)
		bench_die("%s: wanted a whole block, got one of %llx to %llx",
			  what, (unsigned long long)block[0],
			  (unsigned long long)block[last]);
}

static void make_source(const char *path)
{
	uint64_t block[MAX_BUFFER / sizeof(uint64_t)], i;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	bench_check(fd >= 0, path);
	for (i = 0; i < buffer->blocks; i++) {
		fill(block, i);
		bench_check(write(fd, block, buffer->size) ==
			    (ssize_t)buffer->size, path);
	}
	close(fd);
}

static void check_target(const char *path)
{
	uint64_t block[MAX_BUFFER / sizeof(uint64_t)], blocks = 0;
	int fd = open(path, O_RDONLY);
	ssize_t n;

	bench_check(fd >= 0, path);
	while ((n = read(fd, block, buffer->size))) {
		bench_check(n == (ssize_t)buffer->size, path);
		check_block(block, path);
		/* Those who share a descriptor overtake each other. */
		if (share != DESCRIPTOR && block[0] != blocks)
			bench_die("%s: wanted block %llu, got block %llu", path,
				  (unsigned long long)blocks,
				  (unsigned long long)block[0]);
		blocks++;
	}
	if (share != DESCRIPTOR && blocks != buffer->blocks)
		bench_die("%s: wanted %llu blocks, got %llu", path,
			  (unsigned long long)buffer->blocks,
			  (unsigned long long)blocks);
	close(fd);
}

static void copy(struct copier *c)
{
	uint64_t block[MAX_BUFFER / sizeof(uint64_t)], copied = 0;
	ssize_t n;

	while (copied < copies) {
		n = read(c->from, block, buffer->size);
		if (!n) {
			bench_check(!lseek(c->from, 0, SEEK_SET), "lseek");
			bench_check(!lseek(c->to, 0, SEEK_SET), "lseek");
			continue;
		}
		bench_check(n == (ssize_t)buffer->size, c->source);
		check_block(block, c->source);
		bench_check(write(c->to, block, buffer->size) == n, c->target);
		store(c->side->done, ++copied);
	}
}

static void open_files(struct copier *c)
{
	c->from = open(c->source, O_RDONLY);
	bench_check(c->from >= 0, c->source);
	c->to = open(c->target, O_WRONLY | O_CREAT, 0600);
	bench_check(c->to >= 0, c->target);
}

static void run(void *arg)
{
	struct copier *c = arg;

	if (share != DESCRIPTOR)
		open_files(c);
	store(c->side->pid, getpid());
	store(c->side->doing, "the others to start");
	pthread_barrier_wait(&shared->barrier);
	store(c->side->doing, "a read or a write");
	store(c->running, true);
	c->start = bench_ticks();
	copy(c);
	c->end = bench_ticks();
	store(c->running, false);
}

/* Called by the supervisor all the time. */
static void sample(void)
{
	char text[256], path[32], *state;
	ssize_t n;
	int i;

	for (i = 0; i < PROCESSES; i++) {
		struct copier *c = &shared->copiers[i];

		if (!load(c->running))
			continue;
		if (c->stat_fd < 0) {
			snprintf(path, sizeof(path), "/proc/%d/stat",
				 load(c->side->pid));
			c->stat_fd = open(path, O_RDONLY | O_CLOEXEC);
		}
		n = pread(c->stat_fd, text, sizeof(text) - 1, 0);
		/* It may have ended in between. */
		if (n <= 0 || !load(c->running))
			continue;
		text[n] = '\0';
		state = strrchr(text, ')');
		c->samples++;
		c->blocked += state[2] == 'D';
	}
}

static void prepare(void)
{
	pthread_barrierattr_t attr;
	int i, owner;

	pthread_barrierattr_init(&attr);
	pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&shared->barrier, &attr, PROCESSES);
	for (i = 0; i < PROCESSES; i++) {
		struct copier *c = &shared->copiers[i];
		struct bench_side *side = c->side;

		memset(c, 0, sizeof(*c));
		c->side = side;
		c->side->done = 0;
		c->stat_fd = -1;
		owner = share == OWN ? i : 0;
		snprintf(c->source, sizeof(c->source), "%s/source%d", folder,
			 owner);
		snprintf(c->target, sizeof(c->target), "%s/target%d", folder,
			 owner);
		if (owner == i)
			make_source(c->source);
		if (share == DESCRIPTOR && !i)
			open_files(c);
		c->from = shared->copiers[0].from;
		c->to = shared->copiers[0].to;
	}
}

static void finish(void)
{
	int i;

	for (i = 0; i < PROCESSES; i++) {
		struct copier *c = &shared->copiers[i];

		if (c->stat_fd >= 0)
			close(c->stat_fd);
		if (share == DESCRIPTOR && !i) {
			close(c->from);
			close(c->to);
		}
		if (!i || share == OWN) {
			check_target(c->target);
			unlink(c->source);
			unlink(c->target);
		}
	}
}

static void print_row(void)
{
	uint64_t start = UINT64_MAX, end = 0, samples = 0;
	double blocked_ms = 0, all_ms = 0, wall_ms;
	int i;

	for (i = 0; i < PROCESSES; i++) {
		struct copier *c = &shared->copiers[i];
		double ms = bench_us(c->end - c->start) / 1000;

		start = c->start < start ? c->start : start;
		end = c->end > end ? c->end : end;
		samples += c->samples;
		all_ms += ms;
		if (c->samples)
			blocked_ms += ms * c->blocked / c->samples;
	}
	wall_ms = bench_us(end - start) / 1000;
	printf("%-10s %6zu %6llu %8llu %10.0f %10.1f %10.1f %6.1f %8llu\n",
	       share_names[share], buffer->size,
	       (unsigned long long)buffer->blocks,
	       (unsigned long long)copies * PROCESSES,
	       copies * PROCESSES * buffer->size / 1.024 / wall_ms,
	       wall_ms, blocked_ms, 100 * blocked_ms / all_ms,
	       (unsigned long long)samples);
	fflush(stdout);
}

static void measure(void)
{
	static const char *const names[] = {
		"process 1", "process 2", "process 3", "process 4"
	};
	struct bench_process processes[PROCESSES];
	int i;

	prepare();
	for (i = 0; i < PROCESSES; i++)
		processes[i] = (struct bench_process){
			.name = names[i],
			.run = run,
			.arg = &shared->copiers[i],
		};
	bench_run(processes, PROCESSES, sample, SAMPLE_US);
	finish();
	print_row();
}

static void setup(void)
{
	struct sched_param param = { .sched_priority = 1 };
	uint64_t need = 2 * PROCESSES * 8000ull * MAX_BUFFER;
	struct statvfs fs;
	int i;

	bench_check(mkdtemp(folder), "mkdtemp in /tmp");
	bench_check(!statvfs(folder, &fs), folder);
	if ((uint64_t)fs.f_bavail * fs.f_frsize < need)
		bench_die("/tmp has too little room for %llu MB: give the guest more memory (guest/boot --memory=1G)",
			  (unsigned long long)need >> 20);
	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param))
		printf("# No real-time priority (%s): the times in state D are estimates.\n",
		       strerror(errno));
	shared = bench_shared(sizeof(*shared));
	for (i = 0; i < PROCESSES; i++)
		shared->copiers[i].side = bench_side("a process");
}

int main(int argc, char **argv)
{
	const struct bench_option options[] = {
		{ 'c', "count", "blocks that each process copies [40000]",
		  .number = &copies, 8000, 100000000 },
		{ 0 }
	};
	int i;

	bench_init(argc, argv,
		   "Four processes copy blocks: each from and to a file of its \"own\", all the same\n"
		   "files by \"path\", or all through the same \"descriptor\". \"D ms\" is how long they\n"
		   "were in state D, summed up, and D% the share of their time.",
		   options, NULL);
	setup();
	printf("%-10s %6s %6s %8s %10s %10s %10s %6s %8s\n", "files", "buffer",
	       "blocks", "copies", "kB/s", "ms", "D ms", "D%", "samples");
	for (share = OWN; share < SHARES; share++) {
		for (i = 0; i < ARRAY_SIZE(buffers); i++) {
			buffer = &buffers[i];
			measure();
		}
	}
	rmdir(folder);
	return BENCH_OK;
}
