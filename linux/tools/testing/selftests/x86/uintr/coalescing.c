// SPDX-License-Identifier: GPL-2.0
/* What is pending together: order and number of the interrupts. */
#include "uintr.h"

static int order[UINTR_NR_VECTORS];
static volatile int nr_order;

static UINTR_HANDLER(note_order, frame, vector)
{
	order[nr_order++] = vector;
}

/* Pending vectors are delivered from 63 down to 0 */
TEST(P12_priority)
{
	int i;

	setup_all_vectors(note_order);
	for (i = 0; i < UINTR_NR_VECTORS; i++)
		_senduipi(indexes[(i * 29) % UINTR_NR_VECTORS]);
	WANT(nr_order, 0);
	_stui();
	WAIT_UNTIL(nr_order == UINTR_NR_VECTORS);
	for (i = 0; i < UINTR_NR_VECTORS; i++)
		WANT(order[i], UINTR_NR_VECTORS - 1 - i);
}

/* Sends of one vector before its delivery are one interrupt */
TEST(coalesce)
{
	int fd, i;

	WANT(self_setup(40, &fd), 0);
	for (i = 0; i < 10; i++)
		_senduipi(0);
	_stui();
	WAIT_UNTIL(handled[40]);
	sched_yield();
	WANT(handled[40], 1);
}

/* Notification with UIF 0 does not block later ones */
TEST(U3_on_not_stuck)
{
	int fd, i;

	WANT(self_setup(3, &fd), 0);
	for (i = 0; i < 100; i++) {
		_senduipi(0);
		sched_yield();
		_senduipi(0);
		_stui();
		WAIT_UNTIL(handled[3] > (uint64_t)i);
		WANT(handled[3], i + 1);
		_clui();
	}
}

static uint64_t spurious(void)
{
	FILE *f = fopen("/proc/interrupts", "r");
	uint64_t sum = 0;
	char line[512];

	WANT(f != NULL, true);
	while (fgets(line, sizeof(line), f)) {
		char *p = strstr(line, "UIN:"), *end;

		if (!p)
			continue;
		for (p += 4;; p = end) {
			uint64_t n = strtoull(p, &end, 10);

			if (end == p)
				break;
			sum += n;
		}
	}
	fclose(f);
	return sum;
}

/* One send with UIF 0 does not repeat its notification */
TEST(U5_no_storm)
{
	uint64_t before = spurious();
	int fd, i;

	pin_to(0);
	WANT(self_setup(3, &fd), 0);
	_senduipi(0);
	for (i = 0; i < 1000; i++)
		getppid();
	WANT(handled[3], 0);
	WANT(spurious() - before <= 1, true);
	_stui();
	WAIT_UNTIL(handled[3]);
	WANT(handled[3], 1);
}

TEST_HARNESS_MAIN
