/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the five system calls return, and in which order they check. */
#include "test.h"

#include <sys/resource.h>

#define KERNEL_ADDRESS		((void *)0xffff888000000000)
#define NON_CANONICAL		((void *)0x0000900000000000)

TEST(handler_ok, "register_handler returns 0")
{
	EXPECT(uintr_register_handler(count_handler, 0), 0);
}

TEST(handler_flags, "register_handler: flags are EINVAL, even without address")
{
	EXPECT_ERRNO(uintr_register_handler(count_handler, 1), EINVAL);
	EXPECT_ERRNO(uintr_register_handler(NULL, 0x80000000), EINVAL);
}

TEST(handler_null, "register_handler: no address is EFAULT")
{
	EXPECT_ERRNO(uintr_register_handler(NULL, 0), EFAULT);
}

TEST(handler_kernel, "register_handler: kernel address is EFAULT")
{
	EXPECT_ERRNO(uintr_register_handler(KERNEL_ADDRESS, 0), EFAULT);
}

TEST(handler_non_canonical, "register_handler: non-canonical address is EFAULT")
{
	EXPECT_ERRNO(uintr_register_handler(NON_CANONICAL, 0), EFAULT);
}

TEST(handler_busy, "register_handler: second one is EBUSY, a bad one still EFAULT")
{
	EXPECT(uintr_register_handler(count_handler, 0), 0);
	EXPECT_ERRNO(uintr_register_handler(count_handler, 0), EBUSY);
	EXPECT_ERRNO(uintr_register_handler(NULL, 0), EFAULT);
}

TEST(unregister_ok, "unregister_handler returns 0, and a handler can be registered again")
{
	EXPECT(uintr_register_handler(count_handler, 0), 0);
	EXPECT(uintr_unregister_handler(0), 0);
	EXPECT(uintr_register_handler(count_handler, 0), 0);
}

TEST(unregister_flags, "unregister_handler: flags are EINVAL")
{
	EXPECT(uintr_register_handler(count_handler, 0), 0);
	EXPECT_ERRNO(uintr_unregister_handler(2), EINVAL);
}

TEST(unregister_none, "unregister_handler: no handler is EINVAL, so is a second time")
{
	EXPECT_ERRNO(uintr_unregister_handler(0), EINVAL);
	EXPECT(uintr_register_handler(count_handler, 0), 0);
	EXPECT(uintr_unregister_handler(0), 0);
	EXPECT_ERRNO(uintr_unregister_handler(0), EINVAL);
}

TEST(fd_ok, "create_fd returns an fd for vector 0 and for 63")
{
	EXPECT(uintr_register_handler(count_handler, 0), 0);
	EXPECT(uintr_create_fd(0, 0) >= 0, true);
	EXPECT(uintr_create_fd(63, 0) >= 0, true);
}

TEST(fd_flags, "create_fd: flags are EINVAL, whatever the vector")
{
	EXPECT(uintr_register_handler(count_handler, 0), 0);
	EXPECT_ERRNO(uintr_create_fd(0, 1), EINVAL);
	EXPECT_ERRNO(uintr_create_fd(64, 1), EINVAL);
}

TEST(fd_no_handler, "create_fd: no handler is EINVAL, whatever the vector")
{
	EXPECT_ERRNO(uintr_create_fd(0, 0), EINVAL);
	EXPECT_ERRNO(uintr_create_fd(64, 0), EINVAL);
}

TEST(fd_vector, "create_fd: vector 64, 2^32 and -1 are ENOSPC")
{
	EXPECT(uintr_register_handler(count_handler, 0), 0);
	EXPECT_ERRNO(uintr_create_fd(64, 0), ENOSPC);
	EXPECT_ERRNO(uintr_create_fd(1ull << 32, 0), ENOSPC);
	EXPECT_ERRNO(uintr_create_fd(-1, 0), ENOSPC);
}

TEST(fd_busy, "create_fd: vector that has an fd is EBUSY")
{
	EXPECT(uintr_register_handler(count_handler, 0), 0);
	EXPECT(uintr_create_fd(7, 0) >= 0, true);
	EXPECT_ERRNO(uintr_create_fd(7, 0), EBUSY);
}

TEST(fd_emfile, "create_fd: no free fd is EMFILE, and the vector stays free")
{
	struct rlimit none = { 0, 1024 }, all = { 1024, 1024 };

	EXPECT(uintr_register_handler(count_handler, 0), 0);
	EXPECT(setrlimit(RLIMIT_NOFILE, &none), 0);
	EXPECT_ERRNO(uintr_create_fd(7, 0), EMFILE);
	EXPECT(setrlimit(RLIMIT_NOFILE, &all), 0);
	EXPECT(uintr_create_fd(7, 0) >= 0, true);
}

TEST(fd_kind, "uintr fd is [uintrfd], read-only, non-blocking, close-on-exec")
{
	char path[64], name[64] = "";
	int fd;

	EXPECT(uintr_register_handler(count_handler, 0), 0);
	fd = uintr_create_fd(3, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	EXPECT(readlink(path, name, sizeof(name) - 1) > 0, true);
	EXPECT(strcmp(name, "anon_inode:[uintrfd]"), 0);
	EXPECT(fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK),
	       O_RDONLY | O_NONBLOCK);
	EXPECT(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

TEST(fd_no_io, "uintr fd: nothing to read or write, lseek does nothing")
{
	char c = 0;
	int fd;

	EXPECT(uintr_register_handler(count_handler, 0), 0);
	fd = uintr_create_fd(3, 0);
	EXPECT_ERRNO(read(fd, &c, 1), EINVAL);
	EXPECT_ERRNO(write(fd, &c, 1), EBADF);
	EXPECT(lseek(fd, 10, SEEK_SET), 0);
}

TEST(fd_info, "uintr fd: fdinfo has the line user_vector:N")
{
	char path[64], text[512] = "";
	FILE *f;
	int fd;

	EXPECT(uintr_register_handler(count_handler, 0), 0);
	fd = uintr_create_fd(41, 0);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	EXPECT(f != NULL, true);
	EXPECT(fread(text, 1, sizeof(text) - 1, f) > 0, true);
	EXPECT(strstr(text, "\nuser_vector:41\n") != NULL, true);
}

TEST(sender_ok, "register_sender returns the lowest free index, from 0")
{
	int fd[3], i;

	EXPECT(uintr_register_handler(count_handler, 0), 0);
	for (i = 0; i < 3; i++) {
		fd[i] = uintr_create_fd(i, 0);
		EXPECT(uintr_register_sender(fd[i], 0), i);
	}
	EXPECT(uintr_unregister_sender(fd[1], 0), 0);
	EXPECT(uintr_register_sender(fd[1], 0), 1);
}

TEST(sender_flags, "register_sender: flags are EINVAL, even with a bad fd")
{
	EXPECT_ERRNO(uintr_register_sender(-1, 1), EINVAL);
}

TEST(sender_bad_fd, "register_sender: bad fd is EBADF")
{
	EXPECT_ERRNO(uintr_register_sender(-1, 0), EBADF);
	EXPECT_ERRNO(uintr_register_sender(1000, 0), EBADF);
}

TEST(sender_other_fd, "register_sender: fd of another kind is EOPNOTSUPP")
{
	EXPECT_ERRNO(uintr_register_sender(1, 0), EOPNOTSUPP);
}

TEST(sender_twice, "register_sender: a thread's second time is EISCONN, through a dup too")
{
	int fd;

	EXPECT(self_setup(3, &fd), 0);
	EXPECT_ERRNO(uintr_register_sender(fd, 0), EISCONN);
	EXPECT_ERRNO(uintr_register_sender(dup(fd), 0), EISCONN);
}

static void *register_again(void *arg)
{
	return (void *)(long)uintr_register_sender(*(int *)arg, 0);
}

TEST(sender_other_thread, "register_sender: another thread gets an index of its own")
{
	void *index;
	int fd;

	EXPECT(self_setup(3, &fd), 0);
	pthread_join(start(register_again, &fd), &index);
	EXPECT(index, 1);
}

TEST(sender_shutdown, "register_sender: receiver that has unregistered is ESHUTDOWN")
{
	int fd;

	EXPECT(uintr_register_handler(count_handler, 0), 0);
	fd = uintr_create_fd(3, 0);
	EXPECT(uintr_unregister_handler(0), 0);
	EXPECT_ERRNO(uintr_register_sender(fd, 0), ESHUTDOWN);
}

static void *receive_and_exit(void *arg)
{
	EXPECT(uintr_register_handler(count_handler, 0), 0);
	*(int *)arg = uintr_create_fd(3, 0);
	return NULL;
}

/* The thread may still be in exit when pthread_join() returns. */
TEST(sender_exited, "register_sender: receiver that has exited is ESHUTDOWN")
{
	int fd, index;

	pthread_join(start(receive_and_exit, &fd), NULL);
	do {
		index = uintr_register_sender(fd, 0);
		if (index >= 0)
			uintr_unregister_sender(fd, 0);
	} while (index >= 0);
	EXPECT(errno, ESHUTDOWN);
}

static void *register_all(void *arg)
{
	int *fd = arg, i;

	for (i = 0; i < UINTR_VECTORS; i++)
		EXPECT(uintr_register_sender(fd[i], 0) >= 0, true);
	return NULL;
}

TEST(sender_full, "register_sender: the 257th entry is ENOSPC, the 256th works")
{
	int fd[UINTR_VECTORS], i;

	EXPECT(uintr_register_handler(count_handler, 0), 0);
	for (i = 0; i < UINTR_VECTORS; i++)
		fd[i] = uintr_create_fd(i, 0);
	for (i = 0; i < UINTR_MAX_SENDERS / UINTR_VECTORS; i++)
		pthread_join(start(register_all, fd), NULL);
	EXPECT_ERRNO(uintr_register_sender(fd[0], 0), ENOSPC);
	_stui();
	_senduipi(UINTR_MAX_SENDERS - 1);
	WAIT_UNTIL(handled[UINTR_VECTORS - 1]);
	EXPECT(uintr_unregister_sender(fd[9], 0), 0);
	EXPECT(uintr_register_sender(fd[0], 0), 9);
}

TEST(unsender_flags, "unregister_sender: flags are EINVAL, even with a bad fd")
{
	EXPECT_ERRNO(uintr_unregister_sender(-1, 1), EINVAL);
}

TEST(unsender_bad_fd, "unregister_sender: neither fd nor index is EBADF")
{
	EXPECT_ERRNO(uintr_unregister_sender(-1, 0), EBADF);
	EXPECT_ERRNO(uintr_unregister_sender(1000, 0), EBADF);
}

TEST(unsender_other_fd, "unregister_sender: fd of another kind and no index is EOPNOTSUPP")
{
	EXPECT_ERRNO(uintr_unregister_sender(1, 0), EOPNOTSUPP);
}

TEST(unsender_not_connected, "unregister_sender: uintr fd without connection is EINVAL")
{
	int fd;

	EXPECT(uintr_register_handler(count_handler, 0), 0);
	fd = uintr_create_fd(3, 0);
	EXPECT_ERRNO(uintr_unregister_sender(fd, 0), EINVAL);
}

TEST(unsender_by_fd, "unregister_sender takes the fd, once")
{
	int fd;

	EXPECT(self_setup(3, &fd), 0);
	EXPECT(uintr_unregister_sender(fd, 0), 0);
	EXPECT_ERRNO(uintr_unregister_sender(fd, 0), EINVAL);
	EXPECT(senduipi_try(0), SIGSEGV);
}

TEST(unsender_by_index, "unregister_sender takes the index, once")
{
	int fd;

	EXPECT(self_setup(3, &fd), 0);
	EXPECT(uintr_unregister_sender(0, 0), 0);
	EXPECT_ERRNO(uintr_unregister_sender(0, 0), EOPNOTSUPP);
	EXPECT(senduipi_try(0), SIGSEGV);
}

TEST(unsender_fd_first, "unregister_sender: what is both is the fd")
{
	int fd, i, other[8];

	EXPECT(self_setup(0, &fd), 0);
	/* fd is 3 or so: make its number an index of another connection. */
	for (i = 1; i <= fd; i++) {
		other[i] = uintr_create_fd(i, 0);
		EXPECT(uintr_register_sender(other[i], 0), i);
	}
	EXPECT(uintr_unregister_sender(fd, 0), 0);
	EXPECT(senduipi_try(0), SIGSEGV);
	EXPECT(senduipi_try(fd), 0);
}
