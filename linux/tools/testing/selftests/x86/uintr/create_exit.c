// SPDX-License-Identifier: GPL-2.0
/* Ending gives everything back. */
#include "uintr.h"

/* Memory that kernel objects use, in kB. */
static long kernel_memory(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	char line[128];
	long n = -1;

	WANT(f != NULL, true);
	while (n < 0 && fgets(line, sizeof(line), f))
		sscanf(line, "SUnreclaim: %ld", &n);
	fclose(f);
	return n;
}

static void use_everything(void)
{
	int i, fd;

	for (i = 0; i < 30; i++) {
		WANT(uintr_register_handler(count_handler, 0), 0);
		WANT(uintr_unregister_handler(0), 0);
	}
	WANT(uintr_register_handler(count_handler, 0), 0);
	for (i = 0; i < UINTR_NR_VECTORS; i++) {
		fd = uintr_create_fd(i, 0);
		WANT(uintr_register_sender(fd, 0), i);
	}
}

/*
 * A process uses 1 kB for its thread, 6 kB for its table and 4 kB for its
 * receivers, so leaking any of it costs 1 MB or more.
 */
/* Exit: 1000 processes leave no memory behind */
TEST(K1_exit_memory)
{
	long before;
	int i;

	for (i = 0; i < 200; i++)
		WANT(run_in_child(use_everything), 0);
	before = kernel_memory();
	for (i = 0; i < 1000; i++)
		WANT(run_in_child(use_everything), 0);
	printf("# %ld kB more\n", kernel_memory() - before);
	WANT(kernel_memory() - before < 700, true);
}

TEST_HARNESS_MAIN
