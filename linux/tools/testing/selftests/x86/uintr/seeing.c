// SPDX-License-Identifier: GPL-2.0
/* What the kernel shows about user interrupts. */
#include "uintr.h"

static bool file_has(const char *path, const char *word)
{
	FILE *f = fopen(path, "r");
	char line[4096];
	bool found = false;

	WANT(f != NULL, true);
	while (!found && fgets(line, sizeof(line), f))
		found = strstr(line, word);
	fclose(f);
	return found;
}

/* /proc/cpuinfo has the flag uintr */
TEST(cpuinfo)
{
	WANT(file_has("/proc/cpuinfo", " uintr"), true);
}

/* /proc/interrupts has the line UIN */
TEST(interrupts)
{
	WANT(file_has("/proc/interrupts", "UIN:"), true);
}

TEST_HARNESS_MAIN
