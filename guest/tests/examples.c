/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The programs of docs/uintr-api.rst print what they are there for. */
#include <stdio.h>
#include <string.h>

static const struct {
	const char *program, *output;
} examples[] = {
	{ "two-threads", "received vector 7\n" },
	{ "blocking", "message 1\nmessage 2\nmessage 3\nmessage 4\nmessage 5\n" },
	{ "any-call", "message 1\nmessage 2\nmessage 3\nmessage 4\nmessage 5\n"
	  "and the pipe was closed\n" },
	{ "event-fd", "vectors 0x10 posted, child ended\n" },
	{ "timer", "the timer has expired\n" },
	{ "scheduler", "thread 0: right\nthread 1: right\nthread 2: right\n" },
};

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define EXAMPLES	ARRAY_SIZE(examples)

/* Returns 0 if the program prints what it shall, and ends with status 0. */
static int run(const char *program, const char *wanted)
{
	char got[4096] = "";
	FILE *f = popen(program, "r");
	int status;

	if (!f) {
		perror(program);
		return 1;
	}
	got[fread(got, 1, sizeof(got) - 1, f)] = 0;
	status = pclose(f);
	if (!status && !strcmp(got, wanted))
		return 0;
	printf("# %s: wanted \"%s\" and status 0, got \"%s\" and %#x\n",
	       program, wanted, got, status);
	return 1;
}

int main(void)
{
	int failures = 0;
	unsigned int i;

	printf("1..%zu\n", EXAMPLES);
	for (i = 0; i < EXAMPLES; i++) {
		int failed = run(examples[i].program, examples[i].output);

		printf("%sok %u - %s\n", failed ? "not " : "", i + 1,
		       examples[i].program);
		failures += failed;
	}
	return failures ? 1 : 0;
}
