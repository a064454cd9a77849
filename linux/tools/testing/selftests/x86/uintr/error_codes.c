// SPDX-License-Identifier: GPL-2.0
/* What the five system calls return, and in which order they check. */
#include "uintr.h"

#include <sys/resource.h>

#define KERNEL_ADDRESS		((void *)0xffff888000000000)
#define NON_CANONICAL		((void *)0x0000900000000000)

/* Register_handler returns 0 */
TEST(handler_ok)
{
	WANT(uintr_register_handler(count_handler, 0), 0);
}

/* Register_handler: flags are EINVAL, even without address */
TEST(handler_flags)
{
	WANT_ERRNO(uintr_register_handler(count_handler, 1), EINVAL);
	WANT_ERRNO(uintr_register_handler(NULL, 0x80000000), EINVAL);
}

/* Register_handler: WAITING flags are fine, RESTART and MASKED need one of them */
TEST(handler_waiting)
{
	static const unsigned int good[] = { 0x1000, 0x2000, 0x3000, 0x5000, 0x7000,
		0x80001000, 0x80002000, 0x80007000 };
	int i;

	for (i = 0; i < (int)ARRAY_SIZE(good); i++) {
		WANT(uintr_register_handler(count_handler, good[i]), 0);
		WANT(uintr_unregister_handler(0), 0);
	}
	WANT_ERRNO(uintr_register_handler(count_handler, 0x4000), EINVAL);
	WANT_ERRNO(uintr_register_handler(count_handler, 0x80000000), EINVAL);
	WANT_ERRNO(uintr_register_handler(count_handler, 0x80004000), EINVAL);
	WANT_ERRNO(uintr_register_handler(count_handler, 0x9000), EINVAL);
	WANT_ERRNO(uintr_register_handler(NULL, 0x4000), EINVAL);
	WANT_ERRNO(uintr_register_handler(NULL, 0x1000), EFAULT);
}

/* Register_handler: no address is EFAULT */
TEST(handler_null)
{
	WANT_ERRNO(uintr_register_handler(NULL, 0), EFAULT);
}

/* Register_handler: kernel address is EFAULT */
TEST(handler_kernel)
{
	WANT_ERRNO(uintr_register_handler(KERNEL_ADDRESS, 0), EFAULT);
}

/* Register_handler: non-canonical address is EFAULT */
TEST(handler_non_canonical)
{
	WANT_ERRNO(uintr_register_handler(NON_CANONICAL, 0), EFAULT);
}

/* Register_handler: second one is EBUSY, a bad one still EFAULT */
TEST(handler_busy)
{
	WANT(uintr_register_handler(count_handler, 0), 0);
	WANT_ERRNO(uintr_register_handler(count_handler, 0), EBUSY);
	WANT_ERRNO(uintr_register_handler(NULL, 0), EFAULT);
}

/* Unregister_handler returns 0, and a handler can be registered again */
TEST(unregister_ok)
{
	WANT(uintr_register_handler(count_handler, 0), 0);
	WANT(uintr_unregister_handler(0), 0);
	WANT(uintr_register_handler(count_handler, 0), 0);
}

/* Unregister_handler: flags are EINVAL */
TEST(unregister_flags)
{
	WANT(uintr_register_handler(count_handler, 0), 0);
	WANT_ERRNO(uintr_unregister_handler(2), EINVAL);
}

/* Unregister_handler: no handler is EINVAL, so is a second time */
TEST(unregister_none)
{
	WANT_ERRNO(uintr_unregister_handler(0), EINVAL);
	WANT(uintr_register_handler(count_handler, 0), 0);
	WANT(uintr_unregister_handler(0), 0);
	WANT_ERRNO(uintr_unregister_handler(0), EINVAL);
}

/* Create_fd returns an fd for vector 0 and for 63 */
TEST(fd_ok)
{
	WANT(uintr_register_handler(count_handler, 0), 0);
	WANT(uintr_create_fd(0, 0) >= 0, true);
	WANT(uintr_create_fd(63, 0) >= 0, true);
}

/* Create_fd: flags are EINVAL, whatever the vector */
TEST(fd_flags)
{
	WANT(uintr_register_handler(count_handler, 0), 0);
	WANT_ERRNO(uintr_create_fd(0, 1), EINVAL);
	WANT_ERRNO(uintr_create_fd(64, 1), EINVAL);
	WANT_ERRNO(uintr_create_fd(0, 2), EINVAL);
	WANT_ERRNO(uintr_create_fd(0, UINTR_FD_NONBLOCK), EINVAL);
	WANT_ERRNO(uintr_create_fd(0, UINTR_FD_CLOEXEC), EINVAL);
}

/* Create_fd: no handler is EINVAL, whatever the vector */
TEST(fd_no_handler)
{
	WANT_ERRNO(uintr_create_fd(0, 0), EINVAL);
	WANT_ERRNO(uintr_create_fd(64, 0), EINVAL);
}

/* Create_fd: vector 64, 2^32 and -1 are ENOSPC */
TEST(fd_vector)
{
	WANT(uintr_register_handler(count_handler, 0), 0);
	WANT_ERRNO(uintr_create_fd(64, 0), ENOSPC);
	WANT_ERRNO(uintr_create_fd(1ull << 32, 0), ENOSPC);
	WANT_ERRNO(uintr_create_fd(-1, 0), ENOSPC);
}

/* Create_fd: vector that has an fd is EBUSY */
TEST(fd_busy)
{
	WANT(uintr_register_handler(count_handler, 0), 0);
	WANT(uintr_create_fd(7, 0) >= 0, true);
	WANT_ERRNO(uintr_create_fd(7, 0), EBUSY);
}

/* Create_fd: no free fd is EMFILE, and the vector stays free */
TEST(fd_emfile)
{
	struct rlimit none = { 0, 1024 }, all = { 1024, 1024 };

	WANT(uintr_register_handler(count_handler, 0), 0);
	WANT(setrlimit(RLIMIT_NOFILE, &none), 0);
	WANT_ERRNO(uintr_create_fd(7, 0), EMFILE);
	WANT(setrlimit(RLIMIT_NOFILE, &all), 0);
	WANT(uintr_create_fd(7, 0) >= 0, true);
}

/* Uintr fd is [uintrfd], read-only, non-blocking, close-on-exec */
TEST(fd_kind)
{
	char path[64], name[64] = "";
	int fd;

	WANT(uintr_register_handler(count_handler, 0), 0);
	fd = uintr_create_fd(3, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	WANT(readlink(path, name, sizeof(name) - 1) > 0, true);
	WANT(strcmp(name, "anon_inode:[uintrfd]"), 0);
	WANT(fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK),
	       O_RDONLY | O_NONBLOCK);
	WANT(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

/* Uintr fd: nothing to read or write, lseek does nothing */
TEST(fd_no_io)
{
	char c = 0;
	int fd;

	WANT(uintr_register_handler(count_handler, 0), 0);
	fd = uintr_create_fd(3, 0);
	WANT_ERRNO(read(fd, &c, 1), EINVAL);
	WANT_ERRNO(write(fd, &c, 1), EBADF);
	WANT(lseek(fd, 10, SEEK_SET), 0);
}

/* Uintr fd: fdinfo has the line user_vector:N */
TEST(fd_info)
{
	char path[64], text[512] = "";
	FILE *f;
	int fd;

	WANT(uintr_register_handler(count_handler, 0), 0);
	fd = uintr_create_fd(41, 0);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	WANT(f != NULL, true);
	WANT(fread(text, 1, sizeof(text) - 1, f) > 0, true);
	WANT(strstr(text, "\nuser_vector:41\n") != NULL, true);
}

/* Register_sender returns the lowest free index, from 0 */
TEST(sender_ok)
{
	int fd[3], i;

	WANT(uintr_register_handler(count_handler, 0), 0);
	for (i = 0; i < 3; i++) {
		fd[i] = uintr_create_fd(i, 0);
		WANT(uintr_register_sender(fd[i], 0), i);
	}
	WANT(uintr_unregister_sender(fd[1], 0), 0);
	WANT(uintr_register_sender(fd[1], 0), 1);
}

/* Register_sender: flags are EINVAL, even with a bad fd */
TEST(sender_flags)
{
	WANT_ERRNO(uintr_register_sender(-1, 1), EINVAL);
}

/* Register_sender: bad fd is EBADF */
TEST(sender_bad_fd)
{
	WANT_ERRNO(uintr_register_sender(-1, 0), EBADF);
	WANT_ERRNO(uintr_register_sender(1000, 0), EBADF);
}

/* Register_sender: fd of another kind is EOPNOTSUPP */
TEST(sender_other_fd)
{
	WANT_ERRNO(uintr_register_sender(1, 0), EOPNOTSUPP);
}

/* Register_sender: a thread's second time is EISCONN, through a dup too */
TEST(sender_twice)
{
	int fd;

	WANT(self_setup(3, &fd), 0);
	WANT_ERRNO(uintr_register_sender(fd, 0), EISCONN);
	WANT_ERRNO(uintr_register_sender(dup(fd), 0), EISCONN);
}

static void *register_again(void *arg)
{
	return (void *)(long)uintr_register_sender(*(int *)arg, 0);
}

/* Register_sender: another thread gets an index of its own */
TEST(sender_other_thread)
{
	void *index;
	int fd;

	WANT(self_setup(3, &fd), 0);
	pthread_join(start(register_again, &fd), &index);
	WANT(index, 1);
}

/* Register_sender: receiver that has unregistered is ESHUTDOWN */
TEST(sender_shutdown)
{
	int fd;

	WANT(uintr_register_handler(count_handler, 0), 0);
	fd = uintr_create_fd(3, 0);
	WANT(uintr_unregister_handler(0), 0);
	WANT_ERRNO(uintr_register_sender(fd, 0), ESHUTDOWN);
}

static void *receive_and_exit(void *arg)
{
	WANT(uintr_register_handler(count_handler, 0), 0);
	*(int *)arg = uintr_create_fd(3, 0);
	return NULL;
}

/* The thread may still be in exit when pthread_join() returns. */
/* Register_sender: receiver that has exited is ESHUTDOWN */
TEST(sender_exited)
{
	int fd, index;

	pthread_join(start(receive_and_exit, &fd), NULL);
	do {
		index = uintr_register_sender(fd, 0);
		if (index >= 0)
			uintr_unregister_sender(fd, 0);
	} while (index >= 0);
	WANT(errno, ESHUTDOWN);
}

static void *register_all(void *arg)
{
	int *fd = arg, i;

	for (i = 0; i < UINTR_NR_VECTORS; i++)
		WANT(uintr_register_sender(fd[i], 0) >= 0, true);
	return NULL;
}

/* Register_sender: the 257th entry is ENOSPC, the 256th works */
TEST(sender_full)
{
	int fd[UINTR_NR_VECTORS], i;

	WANT(uintr_register_handler(count_handler, 0), 0);
	for (i = 0; i < UINTR_NR_VECTORS; i++)
		fd[i] = uintr_create_fd(i, 0);
	for (i = 0; i < UINTR_NR_SENDERS / UINTR_NR_VECTORS; i++)
		pthread_join(start(register_all, fd), NULL);
	WANT_ERRNO(uintr_register_sender(fd[0], 0), ENOSPC);
	_stui();
	_senduipi(UINTR_NR_SENDERS - 1);
	WAIT_UNTIL(handled[UINTR_NR_VECTORS - 1]);
	WANT(uintr_unregister_sender(9, 0), 0);
	WANT(uintr_register_sender(fd[0], 0), 9);
}

/* Unregister_sender: flags are EINVAL, even with a bad fd */
TEST(unsender_flags)
{
	WANT_ERRNO(uintr_unregister_sender(-1, 1), EINVAL);
	WANT_ERRNO(uintr_unregister_sender(-1, 0x40000), EINVAL);
	WANT_ERRNO(uintr_unregister_sender(-1, UINTR_UNREGISTER_INDEX |
					       UINTR_UNREGISTER_FD), EINVAL);
}

/* Unregister_sender: neither fd nor index is EBADF */
TEST(unsender_bad_fd)
{
	WANT_ERRNO(uintr_unregister_sender(-1, 0), EBADF);
	WANT_ERRNO(uintr_unregister_sender(1000, 0), EBADF);
}

/* Unregister_sender: fd of another kind and no index is EOPNOTSUPP */
TEST(unsender_other_fd)
{
	WANT_ERRNO(uintr_unregister_sender(1, 0), EOPNOTSUPP);
}

/* Unregister_sender: uintr fd without connection is EINVAL */
TEST(unsender_not_connected)
{
	int fd;

	WANT(uintr_register_handler(count_handler, 0), 0);
	fd = uintr_create_fd(3, 0);
	WANT_ERRNO(uintr_unregister_sender(fd, 0), EINVAL);
}

/* Unregister_sender takes the fd, once */
TEST(unsender_by_fd)
{
	int fd;

	WANT(self_setup(3, &fd), 0);
	WANT(uintr_unregister_sender(fd, 0), 0);
	WANT_ERRNO(uintr_unregister_sender(fd, 0), EINVAL);
	WANT(senduipi_try(0), SIGSEGV);
}

/* Unregister_sender takes the index, once */
TEST(unsender_by_index)
{
	int fd;

	WANT(self_setup(3, &fd), 0);
	WANT(uintr_unregister_sender(0, 0), 0);
	WANT_ERRNO(uintr_unregister_sender(0, 0), EOPNOTSUPP);
	WANT(senduipi_try(0), SIGSEGV);
}

/* A connection with index 0 through an fd whose number is another one's index */
static int fd_that_is_an_index(void)
{
	int fd, i;

	WANT(self_setup(0, &fd), 0);
	for (i = 1; i <= fd; i++)
		WANT(uintr_register_sender(WANT_OK(uintr_create_fd(i, 0)), 0), i);
	return fd;
}

/* Unregister_sender without a flag: what is both is the index */
TEST(unsender_index_first)
{
	int fd = fd_that_is_an_index();

	WANT(uintr_unregister_sender(fd, 0), 0);
	WANT(senduipi_try(fd), SIGSEGV);
	WANT(senduipi_try(0), 0);
	/* Now it can only be the fd. */
	WANT(uintr_unregister_sender(fd, 0), 0);
	WANT(senduipi_try(0), SIGSEGV);
}

/* Unregister_sender: the flag for an fd makes it the fd, and only that */
TEST(unsender_flag_fd)
{
	int fd = fd_that_is_an_index();

	WANT(uintr_unregister_sender(fd, UINTR_UNREGISTER_FD), 0);
	WANT(senduipi_try(0), SIGSEGV);
	WANT(senduipi_try(fd), 0);
	WANT_ERRNO(uintr_unregister_sender(fd, UINTR_UNREGISTER_FD), EINVAL);
	WANT_ERRNO(uintr_unregister_sender(1, UINTR_UNREGISTER_FD), EOPNOTSUPP);
	WANT_ERRNO(uintr_unregister_sender(1000, UINTR_UNREGISTER_FD), EBADF);
	WANT(senduipi_try(1), 0);
}

/* Unregister_sender: the flag for an index makes it the index, and only that */
TEST(unsender_flag_index)
{
	int fd = fd_that_is_an_index();

	WANT(uintr_unregister_sender(fd, UINTR_UNREGISTER_INDEX), 0);
	WANT(senduipi_try(fd), SIGSEGV);
	WANT_ERRNO(uintr_unregister_sender(fd, UINTR_UNREGISTER_INDEX), EINVAL);
	WANT_ERRNO(uintr_unregister_sender(-1, UINTR_UNREGISTER_INDEX), EINVAL);
	WANT_ERRNO(uintr_unregister_sender(256, UINTR_UNREGISTER_INDEX), EINVAL);
	WANT(senduipi_try(0), 0);
}

/* uintr_wait: no handler is EOPNOTSUPP, in both forms */
TEST(wait_no_handler)
{
	WANT_ERRNO(uintr_wait(0, 0), EOPNOTSUPP);
	WANT_ERRNO(uintr_wait(1000, 0), EOPNOTSUPP);
	WANT(uintr_register_handler(count_handler, 0), 0);
	WANT(uintr_unregister_handler(0), 0);
	WANT_ERRNO(uintr_wait(0, 0), EOPNOTSUPP);
}

/* uintr_wait: flags and too long a time are EINVAL, handler or not */
TEST(wait_invalid)
{
	int i;

	for (i = 0; i < 2; i++) {
		WANT_ERRNO(uintr_wait(1000, 1), EINVAL);
		WANT_ERRNO(uintr_wait(UINTR_WAIT_MAX_USEC + 1ull, 0), EINVAL);
		WANT_ERRNO(uintr_wait(1ull << 40, 0), EINVAL);
		WANT_ERRNO(uintr_wait(-1, 0), EINVAL);
		if (i == 0)
			WANT(uintr_register_handler(count_handler, 0), 0);
	}
	WANT(uintr_wait(1, 0), 0);
}

/* register_self: flags, no handler, and vectors beyond 63, in this order */
TEST(self_errors)
{
	WANT_ERRNO(uintr_register_self(64, 0), EINVAL);
	WANT(uintr_register_handler(count_handler, 0), 0);
	WANT_ERRNO(uintr_register_self(64, 1), EINVAL);
	WANT_ERRNO(uintr_register_self(0, 1), EINVAL);
	WANT_ERRNO(uintr_register_self(64, 0), ENOSPC);
	WANT_ERRNO(uintr_register_self(1ull << 32, 0), ENOSPC);
	WANT_ERRNO(uintr_register_self(-1, 0), ENOSPC);
}

/* alt_stack: flags, no handler, addresses of the kernel, size, in this order */
TEST(alt_stack_errors)
{
	char *sp = (char *)0x100000;

	WANT_ERRNO(uintr_alt_stack(KERNEL_ADDRESS, 0, 1), EINVAL);
	WANT_ERRNO(uintr_alt_stack(KERNEL_ADDRESS, 0, 0), EOPNOTSUPP);
	WANT(uintr_register_handler(count_handler, 0), 0);
	WANT_ERRNO(uintr_alt_stack(NULL, 0, 1), EINVAL);
	WANT_ERRNO(uintr_alt_stack(KERNEL_ADDRESS, 0, 0), EFAULT);
	WANT_ERRNO(uintr_alt_stack(NON_CANONICAL, 0, 0), EFAULT);
	WANT(uintr_alt_stack(NULL, 0, 0), 0);
	WANT(uintr_alt_stack(NULL, 1, 0), 0);
	/* Others do not know the size, or do not say it. */
	WANT(uintr_alt_stack(sp, 0, 0), 0);
	WANT_ERRNO(uintr_alt_stack(sp, UINTR_MINSTKSZ - 1, 0), ENOMEM);
	WANT(uintr_alt_stack(sp, UINTR_MINSTKSZ, 0), 0);
	WANT(uintr_alt_stack(sp, 0x100000, 0), 0);
	WANT_ERRNO(uintr_alt_stack(sp, 0x100001, 0), EFAULT);
	WANT_ERRNO(uintr_alt_stack(sp, -1, 0), EFAULT);
}

/* tick: flags, no handler, periods out of range, vectors beyond 63, in this order */
TEST(tick_errors)
{
	WANT_ERRNO(uintr_tick(0, UINTR_TICK_MIN_NSEC, 0), EINVAL);
	WANT_ERRNO(uintr_tick(64, 0, 0), EINVAL);
	WANT(uintr_register_handler(count_handler, 0), 0);
	WANT_ERRNO(uintr_tick(64, UINTR_TICK_MIN_NSEC, 1), EINVAL);
	WANT_ERRNO(uintr_tick(64, 1, 0), EINVAL);
	WANT_ERRNO(uintr_tick(64, UINTR_TICK_MIN_NSEC - 1, 0), EINVAL);
	WANT_ERRNO(uintr_tick(64, UINTR_TICK_MAX_NSEC + 1, 0), EINVAL);
	WANT_ERRNO(uintr_tick(64, -1, 0), EINVAL);
	WANT_ERRNO(uintr_tick(64, UINTR_TICK_MIN_NSEC, 0), ENOSPC);
	WANT_ERRNO(uintr_tick(1ull << 32, UINTR_TICK_MIN_NSEC, 0), ENOSPC);
	WANT_ERRNO(uintr_tick(64, 0, 0), ENOSPC);
	WANT(uintr_tick(63, UINTR_TICK_MIN_NSEC, 0), 0);
	WANT(uintr_tick(0, UINTR_TICK_MAX_NSEC, 0), 0);
	WANT(uintr_tick(0, 0, 0), 0);
}

/* ipi_fd: flags are EINVAL; it needs neither a handler nor a table */
TEST(ipi_fd_errors)
{
	WANT_ERRNO(uintr_ipi_fd(1), EINVAL);
	WANT_OK(uintr_ipi_fd(0));
}

/* No free fd: EMFILE from everything that makes one, nothing is left behind */
TEST(emfile)
{
	struct rlimit none = { 0, 1024 }, all = { 1024, 1024 };
	int i;

	for (i = 0; i < 100; i++) {
		WANT(setrlimit(RLIMIT_NOFILE, &none), 0);
		WANT_ERRNO(uintr_create_fd(3, UINTR_FD_EVENT), EMFILE);
		WANT_ERRNO(uintr_ipi_fd(0), EMFILE);
		WANT(setrlimit(RLIMIT_NOFILE, &all), 0);
	}
	WANT_OK(uintr_create_fd(3, UINTR_FD_EVENT));
	WANT_OK(uintr_ipi_fd(0));
}

TEST_HARNESS_MAIN
