// SPDX-License-Identifier: GPL-2.0
/* CPUs go and come back. */
#include "uintr.h"

/* Take CPU 1 off or back. */
static void set_online(char online)
{
	int fd = open("/sys/devices/system/cpu/cpu1/online", O_WRONLY);

	WANT(fd >= 0, true);
	WANT(write(fd, &online, 1), 1);
	close(fd);
}

/* CPU that went and came back has user interrupts */
TEST(hotplug)
{
	int fd, i;

	WANT(self_setup(3, &fd), 0);
	_stui();
	for (i = 1; i <= 3; i++) {
		/* Going off moves the thread away. */
		pin_to(1);
		set_online('0');
		_senduipi(0);
		WAIT_UNTIL(handled[3] == (uint64_t)i * 2 - 1);
		set_online('1');
		pin_to(1);
		_senduipi(0);
		WAIT_UNTIL(handled[3] == (uint64_t)i * 2);
	}
}

TEST_HARNESS_MAIN
