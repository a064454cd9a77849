// SPDX-License-Identifier: GPL-2.0
/* A uintr fd is handed to other processes. */
#include "fds.h"

static void send_once(void)
{
	int fd = receive_fd(peer);

	WANT(WANT_OK(uintr_register_sender(fd, 0)), 0);
	WANT(senduipi_try(0), 0);
}

/* SCM_RIGHTS: the process that gets the fd can send */
TEST(scm_rights)
{
	pid_t pid = start_peer(send_once);
	int fd;

	WANT(uintr_register_handler(count_handler, 0), 0);
	fd = WANT_OK(uintr_create_fd(3, 0));
	_stui();
	send_fd(peer, fd);
	WANT(join_child(pid), 0);
	WAIT_UNTIL(handled[3]);
	WANT(handled[3], 1);
}

static void send_until_closed(void)
{
	int fd = receive_fd(peer);

	WANT(WANT_OK(uintr_register_sender(fd, 0)), 0);
	tell_peer();
	hear_peer();
	/* The receiver has closed its own; ours counts. */
	WANT(senduipi_try(0), 0);
	tell_peer();
	hear_peer();
	close(fd);
	WANT(senduipi_try(0), SIGSEGV);
}

/* SCM_RIGHTS: the fd that was handed over keeps the connection, its close ends it */
TEST(K2_scm_rights_last_close)
{
	pid_t pid = start_peer(send_until_closed);
	int fd;

	WANT(uintr_register_handler(count_handler, 0), 0);
	fd = WANT_OK(uintr_create_fd(3, 0));
	_stui();
	send_fd(peer, fd);
	hear_peer();
	close(fd);
	WANT_ERRNO(uintr_create_fd(3, 0), EBUSY);
	tell_peer();
	hear_peer();
	WAIT_UNTIL(handled[3]);
	tell_peer();
	WANT(join_child(pid), 0);
	WANT_OK(uintr_create_fd(3, 0));
}

/* SCM_RIGHTS: an fd that nobody takes out of the socket is closed with it */
TEST(scm_rights_in_flight)
{
	int pair[2], fd;

	WANT(self_setup(3, &fd), 0);
	WANT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	send_fd(pair[0], fd);
	close(fd);
	WANT_ERRNO(uintr_create_fd(3, 0), EBUSY);
	WANT(senduipi_try(0), 0);
	close(pair[0]);
	close(pair[1]);
	WANT(senduipi_try(0), SIGSEGV);
	WANT_OK(uintr_create_fd(3, 0));
}

/* Has vector 3 become free? The kernel collects garbage when a socket closes. */
static bool vector_is_free(void)
{
	int fd;

	close(socket(AF_UNIX, SOCK_STREAM, 0));
	fd = uintr_create_fd(3, 0);
	close(fd);
	return fd >= 0;
}

/* SCM_RIGHTS: closed, too, when the socket is in its own queue */
TEST(scm_rights_cycle)
{
	int pair[2], fd, i;

	WANT(uintr_register_handler(count_handler, 0), 0);
	for (i = 0; i < 20; i++) {
		WANT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		fd = WANT_OK(uintr_create_fd(3, 0));
		send_fd(pair[0], fd);
		send_fd(pair[0], pair[1]);
		close(fd);
		close(pair[0]);
		close(pair[1]);
		WAIT_UNTIL(vector_is_free());
	}
}

static void take_fd_from_parent(void)
{
	int number, pidfd, fd;

	AWAIT("the number of an fd",
	      WANT(read(peer, &number, sizeof(number)), sizeof(number)));
	pidfd = WANT_OK(syscall(SYS_pidfd_open, getppid(), 0));
	fd = WANT_OK(syscall(SYS_pidfd_getfd, pidfd, number, 0));
	WANT(WANT_OK(uintr_register_sender(fd, 0)), 0);
	WANT(senduipi_try(0), 0);
}

/* pidfd_getfd: the process that takes the fd can send */
TEST(pidfd_getfd)
{
	pid_t pid = start_peer(take_fd_from_parent);
	int fd;

	WANT(uintr_register_handler(count_handler, 0), 0);
	fd = WANT_OK(uintr_create_fd(3, 0));
	_stui();
	WANT(write(peer, &fd, sizeof(fd)), sizeof(fd));
	WANT(join_child(pid), 0);
	WAIT_UNTIL(handled[3]);
	WANT(handled[3], 1);
}

static void receiver_that_exits(void)
{
	WANT(uintr_register_handler(count_handler, 0), 0);
	send_fd(peer, WANT_OK(uintr_create_fd(3, 0)));
	hear_peer();
}

/* SCM_RIGHTS: the fd of a receiver that has exited is of no use, nor of harm */
TEST(scm_rights_outlives_receiver)
{
	pid_t pid = start_peer(receiver_that_exits);
	int fd = receive_fd(peer), i;

	WANT(WANT_OK(uintr_register_sender(fd, 0)), 0);
	tell_peer();
	WANT(join_child(pid), 0);
	for (i = 0; i < 100; i++)
		WANT(senduipi_try(0), 0);
	WANT(uintr_unregister_sender(fd, 0), 0);
	WANT_ERRNO(uintr_register_sender(fd, 0), ESHUTDOWN);
}

TEST_HARNESS_MAIN
