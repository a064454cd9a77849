/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See bench.h. */
#include "bench.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "uintr-user.h"

static uint64_t watchdog = 60;	/* seconds */
static const struct bench_option watchdog_option = {
	'w', "watchdog", "give up if nothing gets on for N seconds [60]",
	.number = &watchdog, 1, 86400
};

static const char *bench_name;
static struct bench_side *sides;	/* shared by all processes */
static int nr_sides;
static uint64_t start_ticks, start_ns;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/* In one piece, as both sides may have something to say. */
static void complain(const char *format, va_list args)
{
	char text[512];

	fflush(stdout);
	vsnprintf(text, sizeof(text), format, args);
	dprintf(STDERR_FILENO, "%s: error: %s\n", bench_name, text);
}

/* The other processes do not outlive the supervisor, which sees our status. */
void bench_die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain(format, args);
	va_end(args);
	_exit(BENCH_FAILED);
}

void bench_usage(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain(format, args);
	va_end(args);
	fprintf(stderr, "Try %s --help\n", bench_name);
	_exit(BENCH_USAGE);
}

void bench_check(bool ok, const char *what)
{
	if (!ok)
		bench_die("%s: %s", what, strerror(errno));
}

/* With k or m for 1024 or 1024^2 */
static uint64_t to_number(const struct bench_option *option, const char *text)
{
	uint64_t number, unit = 1;
	char *end;

	errno = 0;
	number = strtoull(text, &end, 0);
	if (*end == 'k')
		unit = 1024;
	else if (*end == 'm')
		unit = 1024 * 1024;
	if (unit > 1)
		end++;
	if (end == text || *end || *text == '-' || errno ||
	    number > UINT64_MAX / unit)
		bench_usage("-%c: \"%s\" is not a number", option->letter,
			    text);
	number *= unit;
	if (number < option->min || number > option->max)
		bench_usage("-%c: %s is not within %llu and %llu",
			    option->letter, text,
			    (unsigned long long)option->min,
			    (unsigned long long)option->max);
	return number;
}

struct command_line {
	const struct bench_option *options;
	const char *word, *given;	/* what is wanted beside the options */
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct command_line *line = state->input;
	const struct bench_option *o = &watchdog_option;

	switch (key) {
	case 'h':
		argp_state_help(state, stdout, ARGP_HELP_STD_HELP);
		return 0;
	case ARGP_KEY_ARG:
		if (!line->word || line->given)
			bench_usage("\"%s\" is one word too many", arg);
		line->given = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		if (line->word)
			bench_usage("wanted one %s, got none", line->word);
		return 0;
	}
	if (key != o->letter) {
		for (o = line->options; o->name && o->letter != key; o++)
			;
	}
	if (!o->name)
		return ARGP_ERR_UNKNOWN;
	if (o->number)
		*o->number = to_number(o, arg);
	else if (o->flag)
		*o->flag = true;
	else
		*o->text = arg;
	return 0;
}

/* In --help, those that are only there for it keep their order. */
static struct argp_option for_argp(const struct bench_option *option, int nr)
{
	return (struct argp_option){
		.name = option->name,
		.key = option->letter,
		.arg = option->number ? "N" : option->text ? "NAME" : NULL,
		.flags = option->letter ? 0 : OPTION_DOC,
		.doc = option->help,
		.group = option->letter ? 0 : nr,
	};
}

const char *bench_init(int argc, char **argv, const char *summary,
		       const struct bench_option *options, const char *word)
{
	struct argp_option all[BENCH_MAX_OPTIONS + 3] = {
		for_argp(&watchdog_option, 0),
		{ .key = 'h', .flags = OPTION_HIDDEN },
	};
	struct argp argp = { all, parse, word, summary, NULL, NULL, NULL };
	struct command_line line = { .options = options, .word = word };
	int i;

	bench_name = program_invocation_short_name;
	start_ns = now_ns();
	start_ticks = bench_ticks();
	sides = bench_shared(BENCH_MAX_SIDES * sizeof(*sides));
	for (i = 0; options[i].name; i++) {
		if (i == BENCH_MAX_OPTIONS)
			bench_die("raise BENCH_MAX_OPTIONS");
		all[i + 2] = for_argp(&options[i], i);
	}
	argp_err_exit_status = BENCH_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &line);
	return line.given;
}

/* To register NULL always fails, but not always in the same way. */
bool bench_has_uintr(void)
{
	return !uintr_register_handler(NULL, 0) ||
	       (errno != ENOSYS && errno != EOPNOTSUPP);
}

void bench_need_uintr(void)
{
	if (bench_has_uintr())
		return;
	fprintf(stderr,
		"%s: no user interrupts here: they need -cpu max,+uintr and a kernel with CONFIG_X86_USER_INTERRUPTS\n",
		bench_name);
	_exit(BENCH_UNSUPPORTED);
}

void *bench_shared(size_t size)
{
	void *memory = mmap(NULL, size ? size : 1, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		bench_die("no %zu bytes of memory: ask for less, or give the guest more (guest/boot --memory)",
			  size);
	/* No page fault shall disturb the measurement. */
	memset(memory, 0, size);
	return memory;
}

struct bench_side *bench_side(const char *name)
{
	struct bench_side *side = &sides[nr_sides++];

	if (nr_sides > BENCH_MAX_SIDES)
		bench_die("more than %d sides: raise BENCH_MAX_SIDES",
			  BENCH_MAX_SIDES);
	side->name = name;
	side->doing = "its turn";
	return side;
}

static void print_sides(void)
{
	int i;

	for (i = 0; i < nr_sides; i++) {
		const char *doing = load(sides[i].doing);

		fprintf(stderr, "%s:   %s has done %llu, %s%s\n", bench_name,
			sides[i].name,
			(unsigned long long)load(sides[i].done),
			doing ? "and was waiting for " : "and was not waiting",
			doing ? doing : "");
	}
}

static uint64_t progress(void)
{
	uint64_t sum = 0;
	int i;

	for (i = 0; i < nr_sides; i++)
		sum += load(sides[i].done);
	return sum;
}

static void start(struct bench_process *process)
{
	fflush(NULL);
	process->pid = fork();
	bench_check(process->pid >= 0, "fork");
	if (process->pid)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	process->run(process->arg);
	fflush(NULL);
	_exit(BENCH_OK);
}

static void end_all(struct bench_process *processes, int count)
{
	int i;

	for (i = 0; i < count; i++) {
		if (processes[i].pid)
			kill(processes[i].pid, SIGKILL);
	}
	for (i = 0; i < count; i++) {
		if (processes[i].pid)
			waitpid(processes[i].pid, NULL, 0);
	}
}

/* Returns how many have ended by now. */
static int reap(struct bench_process *processes, int count)
{
	int i, status, ended = 0;

	for (i = 0; i < count; i++) {
		struct bench_process *p = &processes[i];

		if (!p->pid || waitpid(p->pid, &status, WNOHANG) != p->pid)
			continue;
		p->pid = 0;
		ended++;
		if (!status)
			continue;
		if (WIFSIGNALED(status))
			fprintf(stderr, "%s: error: %s was ended by signal %d (%s)\n",
				bench_name, p->name, WTERMSIG(status),
				strsignal(WTERMSIG(status)));
		else
			fprintf(stderr, "%s: error: %s failed, see above\n",
				bench_name, p->name);
		end_all(processes, count);
		print_sides();
		_exit(BENCH_FAILED);
	}
	return ended;
}

void bench_run(struct bench_process *processes, int count, void (*tick)(void),
	       unsigned int tick_us)
{
	uint64_t last = 0, since, now;
	struct timespec period = { .tv_sec = 1 };
	sigset_t chld;
	int i, left = count;

	if (tick)
		period = (struct timespec){ .tv_nsec = tick_us * 1000l };
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	for (i = 0; i < count; i++)
		start(&processes[i]);
	since = now_ns();
	for (;;) {
		left -= reap(processes, count);
		if (!left)
			break;
		sigtimedwait(&chld, NULL, &period);
		if (tick)
			tick();
		now = now_ns();
		if (progress() != last) {
			last = progress();
			since = now;
		} else if (now - since > watchdog * 1000000000ull) {
			fprintf(stderr, "%s: error: nothing got on for %u s (-w):\n",
				bench_name, (unsigned int)watchdog);
			end_all(processes, count);
			print_sides();
			_exit(BENCH_FAILED);
		}
	}
}

double bench_us(uint64_t ticks)
{
	double ns = now_ns() - start_ns;

	return ticks * (ns / 1000) / (bench_ticks() - start_ticks);
}

void bench_sleep_us(uint64_t us)
{
	struct timespec ts = {
		.tv_sec = us / 1000000,
		.tv_nsec = us % 1000000 * 1000,
	};

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &ts) == EINTR)
		;
}

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The smallest sample that is not exceeded by so many percent of them. */
static uint64_t percentile(const uint64_t *sorted, uint64_t count,
			   unsigned int percent)
{
	return sorted[(count * percent + 99) / 100 - 1];
}

struct bench_stats bench_stats(uint64_t *samples, uint64_t count)
{
	struct bench_stats stats = { .count = count };
	double sum = 0, squares = 0, unit = bench_us(1000000) / 1000000;
	uint64_t i;

	if (!count)
		return stats;
	qsort(samples, count, sizeof(*samples), compare);
	for (i = 0; i < count; i++)
		sum += samples[i];
	stats.mean = sum / count;
	for (i = 0; i < count; i++)
		squares += (samples[i] - stats.mean) * (samples[i] - stats.mean);
	stats.sum = sum * unit;
	stats.mean *= unit;
	stats.deviation = sqrt(squares / count) * unit;
	stats.min = samples[0] * unit;
	stats.max = samples[count - 1] * unit;
	stats.p50 = percentile(samples, count, 50) * unit;
	stats.p99 = percentile(samples, count, 99) * unit;
	return stats;
}

void bench_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	bench_check(!sched_setaffinity(0, sizeof(set), &set),
		    "sched_setaffinity");
}

int bench_open_syscall(pid_t pid, pid_t tid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", pid, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	bench_check(fd >= 0, path);
	return fd;
}

long bench_blocked_in(int fd)
{
	char text[128];
	ssize_t length = pread(fd, text, sizeof(text) - 1, 0);

	bench_check(length > 0, "/proc/PID/task/TID/syscall");
	text[length] = '\0';
	/* Otherwise it says "running", or -1 for a page fault. */
	return text[0] >= '0' && text[0] <= '9' ? atol(text) : -1;
}

void bench_send_fd(int socket, int fd)
{
	char byte = 0;
	char space[CMSG_SPACE(sizeof(fd))] = {0};
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = space,
		.msg_controllen = sizeof(space),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	bench_check(sendmsg(socket, &message, 0) == 1, "sendmsg");
}

int bench_receive_fd(int socket)
{
	int fd = -1;
	char byte;
	char space[CMSG_SPACE(sizeof(fd))] = {0};
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = space,
		.msg_controllen = sizeof(space),
	};
	struct cmsghdr *header;

	bench_check(recvmsg(socket, &message, 0) == 1, "recvmsg");
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_type != SCM_RIGHTS)
		bench_die("recvmsg: wanted an fd, got none");
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}
