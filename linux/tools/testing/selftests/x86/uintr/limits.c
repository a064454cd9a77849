// SPDX-License-Identifier: GPL-2.0
/* How many receivers and bindings a user can have; others have their own. */
#include <grp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "event.h"

#define LIMIT	20

static long limit_get(const char *path)
{
	FILE *f = fopen(path, "r");
	long value = -1;

	WANT(f == NULL, false);
	WANT(fscanf(f, "%ld", &value), 1);
	fclose(f);
	return value;
}

static void limit_set(const char *path, long value)
{
	FILE *f = fopen(path, "w");

	WANT(f == NULL, false);
	WANT(fprintf(f, "%ld\n", value) > 0, true);
	WANT(fclose(f), 0);
}

/*
 * While a process holds all that its user may have, others of the same and of
 * another user try. A test that fails leaves the limit as it is: then there is
 * more that is wrong.
 */
static void limit(const char *path, void (*take)(void), void (*same)(void),
		  void (*other)(void))
{
	long before = limit_get(path);
	pid_t pid;

	limit_set(path, LIMIT);
	pid = start_peer(take);
	hear_peer();
	WANT(run_in_child(same), 0);
	WANT(run_in_child(other), 0);
	tell_peer();
	WANT(join_child(pid), 0);
	/* All that have gone are not counted any more. */
	WANT(run_in_child(other), 0);
	limit_set(path, before);
}

static void become(uid_t uid)
{
	WANT(setgroups(0, NULL), 0);
	WANT(setgid(uid), 0);
	WANT(setuid(uid), 0);
}

/* As many as there may be, and then hold them until the parent has looked */
static void take_receivers(void)
{
	int fd[LIMIT], i;

	become(1000);
	for (i = 0; i < LIMIT; i++)
		fd[i] = event_fd(3, 0);
	WANT_ERRNO(uintr_create_fd(3, UINTR_FD_EVENT), EAGAIN);
	WANT_ERRNO(uintr_register_handler(count_handler, 0), EAGAIN);
	/* One that goes makes place for another one. */
	close(fd[0]);
	WANT(uintr_register_handler(count_handler, 0), 0);
	WANT_ERRNO(uintr_create_fd(3, UINTR_FD_EVENT), EAGAIN);
	tell_peer();
	hear_peer();
}

static void same_user_has_none(void)
{
	become(1000);
	WANT_ERRNO(uintr_create_fd(3, UINTR_FD_EVENT), EAGAIN);
}

static void other_user_has_all(void)
{
	int i;

	become(1001);
	for (i = 0; i < LIMIT; i++)
		event_fd(3, 0);
	WANT_ERRNO(uintr_create_fd(3, UINTR_FD_EVENT), EAGAIN);
}

/* Receivers: EAGAIN for the user who has too many, in all processes */
TEST(receivers)
{
	limit("/proc/sys/user/max_uintr_receivers", take_receivers,
	      same_user_has_none, other_user_has_all);
}

static int receiver_fd(void)
{
	WANT(uintr_register_handler(count_handler, 0), 0);
	return WANT_OK(uintr_create_fd(3, 0));
}

static void take_bindings(void)
{
	int uintr, fd[LIMIT + 1], i;

	become(1000);
	uintr = receiver_fd();
	for (i = 0; i <= LIMIT; i++)
		fd[i] = WANT_OK(eventfd(0, 0));
	for (i = 0; i < LIMIT; i++)
		WANT(uintr_bind(uintr, fd[i], EPOLLIN, 0), 0);
	WANT_ERRNO(uintr_bind(uintr, fd[LIMIT], EPOLLIN, 0), ENOSPC);
	/* The same again takes no place, and one that goes makes place. */
	WANT(uintr_bind(uintr, fd[0], EPOLLIN, 0), 0);
	WANT(uintr_bind(uintr, fd[0], 0, 0), 0);
	WANT(uintr_bind(uintr, fd[LIMIT], EPOLLIN, 0), 0);
	tell_peer();
	hear_peer();
}

static void same_user_binds_none(void)
{
	int fd = WANT_OK(eventfd(0, 0));

	become(1000);
	WANT_ERRNO(uintr_bind(receiver_fd(), fd, EPOLLIN, 0), ENOSPC);
}

static void other_user_binds(void)
{
	become(1001);
	WANT(uintr_bind(receiver_fd(), WANT_OK(eventfd(0, 0)), EPOLLIN, 0), 0);
}

/* Bindings: ENOSPC for the user who has too many, in all processes */
TEST(bindings)
{
	limit("/proc/sys/user/max_uintr_bindings", take_bindings,
	      same_user_binds_none, other_user_binds);
}

TEST_HARNESS_MAIN
