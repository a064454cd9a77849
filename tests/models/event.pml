/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nobody sleeps on an event fd that there is something to read from.
 *
 * This is the protocol of linux/arch/x86/kernel/uintr/event.c with wait.c. One
 * thread reads, and another one reads, polls (-DPOLL) or has the fd in an epoll
 * instance with EPOLLET (-DEPOLL), or there is only this other one (-DALONE),
 * while two threads post.
 *
 * The UPID is ARMED, so that SENDUIPI faults and the kernel posts and wakes, or
 * it is silent. PIR is one bit, as all senders have the same vector; a read
 * takes it.
 *
 *	spin -a event.pml && cc -O2 -DSAFETY -o pan pan.c && ./pan -E
 *
 * -DPOSTS=n	posts by SENDUIPI
 */
#ifndef POSTS
#define POSTS 3
#endif
#ifndef BUG_ARM_WAKES_NOBODY
#define BUG_ARM_WAKES_NOBODY 0
#endif

/* The UPID */
bit armed = 0, pir = 0;

byte posts = 0;
byte posted = 0;

/* The two that wait */
bool queued[2];		/* in the fd's wait queue */
bool woken[2];
bool asleep[2];

inline wake_all()
{
	d_step { woken[0] = queued[0]; woken[1] = queued[1] }
}

/*
 * As in wait.pml: one update, in which the one who finds it ARMED makes it
 * silent, and then wakes all in the queue, at any later time.
 */
active [2] proctype senduipi()
{
	bit wake = 0;

end:	do
	:: d_step { posts < POSTS -> posts++ };
#ifdef BUG_SPLIT_POST
		wake = armed;
#endif
		d_step {
			pir = 1;
#ifndef BUG_SPLIT_POST
			wake = armed;
#endif
			armed = armed & !wake
		}
		if
		:: wake -> wake_all(); wake = 0
		:: else
		fi;
		posted++
	od
}

/*
 * The next post wakes. What was posted before, while it was silent, has woken
 * nobody; others may be asleep already, so who arms wakes them. There is no
 * need to look whether it is ARMED already, nor to make it silent again.
 */
inline arm()
{
#ifdef BUG_ARM_LOOKS_FIRST
	if
	:: pir -> wake_all()
	:: !pir
	fi;
	armed = 1
#else
	armed = 1;
	if
	:: pir && !BUG_ARM_WAKES_NOBODY -> wake_all()
	:: !pir || BUG_ARM_WAKES_NOBODY
	fi
#endif
}

/*
 * For those in the queue. It makes no difference that the fd is not armed if there is
 * something to read: nobody sleeps then, and whoever reads arms.
 */
inline readable()
{
	if
	:: atomic { pir -> mask = 1 }
	:: !pir ->
#ifndef BUG_POLL_DOES_NOT_ARM
		arm();
#endif
		mask = pir
	fi
}

/*
 * Others may be asleep, whom the next post has to wake. So who takes something
 * arms after it if anybody is in the queue, and whoever joins the queue later
 * looks at PIR, and arms, for itself.
 */
inline take()
{
	atomic { got = pir; pir = 0 };
	if
#ifdef BUG_READ_DOES_NOT_ARM
	:: true
#else
	:: queued[0] || queued[1] -> arm()
	:: !queued[0] && !queued[1]
#endif
	fi
}

/* After a look that showed nothing. The scheduler does its part right. */
inline sleep(who)
{
	atomic { !mask -> asleep[who] = true };
	atomic { woken[who] -> woken[who] = false; asleep[who] = false }
}

inline leave_queue(who)
{
	atomic { mask -> mask = 0; queued[who] = false; woken[who] = false }
}

/* A blocking read, or several */
proctype reader(byte who)
{
	bit got, mask;

again:	take();
	if
	:: atomic { got -> got = 0; goto again }
	:: !got
	fi;
#ifdef BUG_ARMS_BEFORE_QUEUE
	arm();
	queued[who] = true;
look:	mask = pir;
#else
	queued[who] = true;
look:	readable();
#endif
	if
	:: leave_queue(who); goto again
	:: sleep(who); goto look
	fi
}

/* poll(), then a read or not, and perhaps never again */
proctype poller(byte who)
{
	bit got, mask;

again:	queued[who] = true;
look:	readable();
	if
	:: leave_queue(who)
	:: sleep(who); goto look
	fi;
	if
	:: take(); atomic { got = 0; goto again }
	:: true
	fi;
	asleep[who] = true
}

/* It stays in the queue. An edge makes it look, and then it reads. */
proctype epoll_edge(byte who)
{
	bit got, mask;

	queued[who] = true;
look:	readable();
	if
	:: atomic { mask -> mask = 0 }; take(); got = 0
	:: !mask
	fi;
	sleep(who);
	goto look
}

/* Nothing can happen any more. */
active proctype monitor()
{
end:	timeout ->
	assert(posted == POSTS && asleep[0] && asleep[1] && !pir)
}

init
{
	atomic {
#ifdef ALONE
		asleep[0] = true;
#else
		run reader(0);
#endif
#if defined(POLL)
		run poller(1)
#elif defined(EPOLL)
		run epoll_edge(1)
#else
		run reader(1)
#endif
	}
}
