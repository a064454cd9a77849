// SPDX-License-Identifier: GPL-2.0
/* uintr_wait_value(): blocking unless a word has changed. */
#include "waiter.h"

static volatile uint32_t word;

static UINTR_HANDLER(word_handler, frame, vector)
{
	word++;
	handled[vector]++;
}

/* Word that has another value: EAGAIN, although nothing is pending */
TEST(other_value)
{
	WANT(uintr_register_handler(word_handler, 0), 0);
	word = 5;
	WANT_ERRNO(uintr_wait_value(&word, 4, 0, 0), EAGAIN);
	WANT_ERRNO(uintr_wait_value(&word, ~5u, 1000, 0), EAGAIN);
}

/* Word that has the value: waits, and 0 at the time limit */
TEST(timeout)
{
	WANT(uintr_register_handler(word_handler, 0), 0);
	word = 0xffffffff;
	WANT(uintr_wait_value(&word, 0xffffffff, 1000, 0), 0);
}

/* The word goes first: EAGAIN, not EINTR, if something is pending, too */
TEST(value_before_pending)
{
	WANT(uintr_register_handler(word_handler, 0), 0);
	WANT(uintr_register_self(3, 0), 0);
	_senduipi(0);
	WANT_ERRNO(uintr_wait_value(&word, 1, 0, 0), EAGAIN);
	WANT_ERRNO(uintr_wait_value(&word, 0, 0, 0), EINTR);
	WANT(handled[3], 0);
}

/* Address that cannot be read: EFAULT */
TEST(bad_address)
{
	void *page = shared_memory(4096);

	WANT(uintr_register_handler(word_handler, 0), 0);
	WANT_ERRNO(uintr_wait_value(NULL, 0, 0, 0), EFAULT);
	WANT_ERRNO(uintr_wait_value((void *)0xffff888000000000, 0, 0, 0), EFAULT);
	WANT(mprotect(page, 4096, PROT_NONE), 0);
	WANT_ERRNO(uintr_wait_value(page, 0, 0, 0), EFAULT);
}

/* Flags, too long a time, no handler: as uintr_wait, before the word is read */
TEST(errors)
{
	WANT_ERRNO(uintr_wait_value(NULL, 0, 0, 1), EINVAL);
	WANT_ERRNO(uintr_wait_value(NULL, 0, UINTR_WAIT_MAX_USEC + 1ull, 0), EINVAL);
	WANT_ERRNO(uintr_wait_value(NULL, 0, -1, 0), EINVAL);
	WANT_ERRNO(uintr_wait_value(NULL, 0, 0, 0), EOPNOTSUPP);
	WANT(uintr_register_handler(word_handler, 0), 0);
	WANT_ERRNO(uintr_wait_value(NULL, 0, 0, 1), EINVAL);
	WANT_ERRNO(uintr_wait_value(NULL, 0, UINTR_WAIT_MAX_USEC + 1ull, 0), EINVAL);
}

static long wait_for_word(struct waiter *w)
{
	return uintr_wait_value(&word, 0, 0, 0);
}

/* Blocked: a user interrupt ends it with EINTR, as does a signal */
TEST(blocked)
{
	struct waiter w = { .uif = true, .call = wait_for_word };

	start_waiter(&w);
	_senduipi(w.index);
	join_waiter(&w);
	WANT(w.error, EINTR);
	WANT(w.handled_at_return, 1);
}

/* Blocked: a change of the word alone does not end it, it is not a futex */
TEST(change_does_not_wake)
{
	struct waiter w = { .uif = true, .call = wait_for_word };
	int i;

	start_waiter(&w);
	store(word, 1);
	for (i = 0; i < 100; i++) {
		sched_yield();
		WANT(load(w.ended), false);
	}
	_senduipi(w.index);
	join_waiter(&w);
}

TEST_HARNESS_MAIN
