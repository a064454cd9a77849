// SPDX-License-Identifier: GPL-2.0
/* The whole target table of a process as an fd. */
#include "fds.h"

/* The fd is [uipi_fd], close-on-exec; flags are EINVAL */
TEST(kind)
{
	char path[64], name[64] = "";
	int fd = WANT_OK(uintr_ipi_fd(0));

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	WANT(readlink(path, name, sizeof(name) - 1) > 0, true);
	WANT(strcmp(name, "anon_inode:[uipi_fd]"), 0);
	WANT(fcntl(fd, F_GETFD), FD_CLOEXEC);
	WANT_ERRNO(uintr_ipi_fd(1), EINVAL);
}

/* It is no uintr fd: nothing can be registered through it */
TEST(no_uintr_fd)
{
	int fd = WANT_OK(uintr_ipi_fd(0));

	WANT_ERRNO(uintr_register_sender(fd, 0), EOPNOTSUPP);
	WANT_ERRNO(ioctl(fd, _IO('u', 99), 0), EINVAL);
	WANT_ERRNO(ioctl(fd, _IO('U', 0), 0), EINVAL);
}

/* A process that has a table cannot adopt one, not even its own */
TEST(busy)
{
	int fd = WANT_OK(uintr_ipi_fd(0));

	WANT_ERRNO(ioctl(fd, UIPI_SET_TARGET_TABLE), EBUSY);
}

static void adopt_and_send(void)
{
	int fd = receive_fd(peer);

	WANT(senduipi_try(0), SIGILL);
	WANT(ioctl(fd, UIPI_SET_TARGET_TABLE), 0);
	WANT(senduipi_try(0), 0);
	WANT(senduipi_try(1), 0);
	WANT(senduipi_try(2), SIGSEGV);
	WANT_ERRNO(ioctl(fd, UIPI_SET_TARGET_TABLE), EBUSY);
	/* What is registered later works, too, with the fd closed. */
	close(fd);
	tell_peer();
	hear_peer();
	WANT(senduipi_try(2), 0);
	tell_peer();
	hear_peer();
	/* And what is gone is gone. */
	WANT(senduipi_try(1), SIGSEGV);
}

/* Process that adopts the table can use the same indexes, and follows changes */
TEST(adopt)
{
	pid_t pid = start_peer(adopt_and_send);
	int fd[3], i;

	WANT(uintr_register_handler(count_handler, 0), 0);
	for (i = 0; i < 3; i++)
		fd[i] = WANT_OK(uintr_create_fd(i, 0));
	WANT(uintr_register_sender(fd[0], 0), 0);
	WANT(uintr_register_sender(fd[1], 0), 1);
	_stui();
	send_fd(peer, WANT_OK(uintr_ipi_fd(0)));
	hear_peer();
	WAIT_UNTIL(handled[0] && handled[1]);
	WANT(uintr_register_sender(fd[2], 0), 2);
	tell_peer();
	hear_peer();
	WAIT_UNTIL(handled[2]);
	WANT(uintr_unregister_sender(fd[1], 0), 0);
	tell_peer();
	WANT(join_child(pid), 0);
	WANT(handled[0] + handled[1] + handled[2], 3);
}

/* Leaves the donor's index 0 as it is. */
static void adopt_and_meddle(void)
{
	int fd = receive_fd(peer), event = WANT_OK(uintr_create_fd(2, UINTR_FD_EVENT));
	int donors = receive_fd(peer);

	WANT(ioctl(fd, UIPI_SET_TARGET_TABLE), 0);
	WANT_ERRNO(uintr_unregister_sender(0, 0), EPERM);
	WANT_ERRNO(uintr_unregister_sender(0, UINTR_UNREGISTER_INDEX), EPERM);
	WANT_ERRNO(uintr_unregister_sender(donors, UINTR_UNREGISTER_FD), EPERM);
	WANT_ERRNO(uintr_register_sender(event, 0), EPERM);
	WANT(uintr_register_handler(count_handler, 0), 0);
	WANT_ERRNO(uintr_register_self(3, 0), EPERM);
	WANT(senduipi_try(0), 0);
	WANT(senduipi_try(1), SIGSEGV);
	tell_peer();
}

/* Who adopts a table cannot change it */
TEST(adopted_is_not_changed)
{
	pid_t pid = start_peer(adopt_and_meddle);
	int event = WANT_OK(uintr_create_fd(1, UINTR_FD_EVENT));
	uint64_t posted;

	WANT(uintr_register_sender(event, 0), 0);
	send_fd(peer, WANT_OK(uintr_ipi_fd(0)));
	send_fd(peer, event);
	hear_peer();
	WANT(read(event, &posted, sizeof(posted)), sizeof(posted));
	WANT(senduipi_try(0), 0);
	WANT(read(event, &posted, sizeof(posted)), sizeof(posted));
	WANT(join_child(pid), 0);
}

static volatile int *outlived;

static void adopt_and_outlive(void)
{
	int fd = receive_fd(peer), i;
	pid_t parent = getppid();

	WANT(ioctl(fd, UIPI_SET_TARGET_TABLE), 0);
	tell_peer();
	/* Until the one that made the table has ended. */
	WAIT_UNTIL(getppid() != parent);
	WANT_ERRNO(uintr_unregister_sender(0, 0), EPERM);
	for (i = 0; i < 100; i++)
		WANT(senduipi_try(0), 0);
	store(*outlived, 1);
}

static void maker(void)
{
	start_peer(adopt_and_outlive);
	WANT(uintr_register_handler(count_handler, 0), 0);
	WANT(uintr_register_self(3, 0), 0);
	send_fd(peer, WANT_OK(uintr_ipi_fd(0)));
	hear_peer();
}

/* Table outlives the process that made it; sends to that process vanish */
TEST(outlives_maker)
{
	outlived = shared_memory(4096);
	WANT(run_in_child(maker), 0);
	WAIT_UNTIL(load(*outlived));
}

static void after_fork(void)
{
	WANT(senduipi_try(0), SIGILL);
}

/* fork after an adoption: the child has no table */
static void adopt_and_fork(void)
{
	int fd = receive_fd(peer);

	WANT(ioctl(fd, UIPI_SET_TARGET_TABLE), 0);
	WANT(senduipi_try(0), 0);
	WANT(run_in_child(after_fork), 0);
	WANT(senduipi_try(0), 0);
}

/* Table that was adopted is not inherited */
TEST(fork_after_adoption)
{
	pid_t pid = start_peer(adopt_and_fork);
	int fd;

	WANT(self_setup(3, &fd), 0);
	send_fd(peer, WANT_OK(uintr_ipi_fd(0)));
	WANT(join_child(pid), 0);
}

TEST_HARNESS_MAIN
