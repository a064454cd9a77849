/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Usage: qemu-exit STATUS
 *
 * Ends QEMU with a status that guest/boot turns into STATUS, 0 to 100. The
 * device isa-debug-exit makes 2V+1 of a written byte V; 16 is added so that
 * 1, which QEMU uses for its own errors, is no status of the guest.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/io.h>
#include <termios.h>
#include <unistd.h>

#define PORT	0xf4

int main(int argc, char **argv)
{
	int status = argc == 2 ? atoi(argv[1]) : 100;

	if (status < 0 || status > 100)
		status = 100;
	/* The serial port must have sent everything first. */
	tcdrain(STDOUT_FILENO);
	if (ioperm(PORT, 1, 1)) {
		perror("qemu-exit: ioperm");
		return 1;
	}
	/* A port that is not there reads as all ones, the device's as 0. */
	if (inb(PORT) == 0xff) {
		fprintf(stderr, "qemu-exit: start QEMU with -device isa-debug-exit,iobase=0xf4\n");
		return 1;
	}
	/* QEMU takes a moment to end, in which nothing else must be asked of it. */
	outb(status + 16, PORT);
	for (;;)
		pause();
}
