/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nobody sleeps on an event fd that there is something to read from.
 *
 * This is the protocol of linux/arch/x86/kernel/uintr/event.c with wait.c. One
 * thread reads, and on another CPU another one reads, polls (-DPOLL) or has the
 * fd in an epoll instance with EPOLLET (-DEPOLL), or there is only this other
 * one (-DALONE), while senders post.
 *
 * The UPID is ARMED on the list of a CPU, with SN=0, or it is silent, with
 * SN=1. PIR is one bit, as all senders have the same vector; a read takes it.
 *
 *	spin -a event.pml && cc -O2 -DSAFETY -o pan pan.c && ./pan -E
 *
 * -DPOSTS=n	posts by SENDUIPI
 * -DRT		PREEMPT_RT, where a thread wakes those in the queue
 */
#ifndef POSTS
#define POSTS 3
#endif
#ifndef BUG_ARM_LOOKS_UNLOCKED
#define BUG_ARM_LOOKS_UNLOCKED 0
#endif
#ifndef BUG_ARM_SENDS_NOTHING
#define BUG_ARM_SENDS_NOTHING 0
#endif
#ifndef BUG_ARM_DOES_NOT_WAIT
#define BUG_ARM_DOES_NOT_WAIT 0
#endif

#define NONE 2		/* no CPU */
#define FIRING 3	/* nobody arms it before all are woken */

/* The UPID; NV is always the wake vector. */
bit on = 0, sn = 1, pir = 0;
byte ndst = 0;

byte list = NONE;
bool locked[2];
bool irq_work = false;
byte flying[2];		/* wake IPIs that have been sent and not been taken */
byte posts = 0;

/* The two that wait, each on the CPU of its number */
bool queued[2];		/* in the fd's wait queue */
bool woken[2];
bool asleep[2];

/* As in wait.pml */
active proctype senduipi()
{
end:	do
	:: posts < POSTS ->
		d_step {
			posts++;
			pir = 1;
			if
			:: !on && !sn -> on = 1; flying[ndst]++
			:: else
			fi
		}
	od
}

/*
 * Unlike that of a thread, the PIR of an event fd can be empty here although
 * ON is set: somebody has read. So ON must be cleared even if nobody is to be
 * woken, and before the look: after it a post has found ON set and not sent.
 *
 * When it has fired it is silent, and senders keep no CPU busy. Others may arm
 * it at last, when all are woken: not for fear of a lost wake-up, but because
 * it must not be freed before. With -DRT the irq_work, which may run on another
 * CPU before this is through, does that.
 */
inline wake_all()
{
	d_step { woken[0] = queued[0]; woken[1] = queued[1] }
}

proctype wake_irq(byte c)
{
	bit fire = 0;

end:	do
	:: atomic {
		flying[c] && !locked[c] ->
		if
		:: flying[c]--
		:: flying[c] > 1 -> flying[c] = 0
		fi;
		if
		:: list == c ->
			locked[c] = true;
#if !defined(BUG_NO_ON_CLEAR) && !defined(BUG_LATE_ON_CLEAR)
			on = 0
#endif
		:: else -> goto end
		fi
	   }
	   fire = pir;
#ifdef BUG_LATE_ON_CLEAR
	   on = 0;
#endif
	   if
	   :: fire ->
		sn = 1;
#ifdef RT
		irq_work = true;
		d_step { list = NONE; locked[c] = false; fire = 0 }
#else
		d_step { list = FIRING; locked[c] = false };
		wake_all();
		d_step { list = NONE; fire = 0 }
#endif
	   :: else -> locked[c] = false
	   fi
	od
}

/* The wait queue has a sleeping lock on PREEMPT_RT: not in the wake IRQ. */
active proctype work()
{
end:	do
	:: atomic { irq_work -> irq_work = false; wake_all() }
	od
}

/*
 * One of several who want to arm it does, and sends W if there is something:
 * it has been posted while SN was 1, and others may be asleep already.
 *
 * When the others are through here it is armed as well, and not just about to
 * fire or about to be armed: they have seen that under the lock of its list.
 */
inline arm(c)
{
	if
	:: atomic { !locked[c] && list == NONE -> locked[c] = true; list = c };
		d_step { on = 0; sn = 0; ndst = c };
		d_step {
			if
			:: pir && !BUG_ARM_SENDS_NOTHING -> flying[c]++
			:: else
			fi;
			locked[c] = false
		}
	:: list < NONE && (!locked[list % 2] || BUG_ARM_LOOKS_UNLOCKED)
	:: list == FIRING && BUG_ARM_DOES_NOT_WAIT
	fi
}

/*
 * For poll(). It makes no difference that the fd is not armed if there is
 * something to read: nobody sleeps then, and whoever reads arms.
 */
inline readable(c)
{
	if
	:: atomic { pir -> mask = 1 }
	:: !pir ->
#ifndef BUG_POLL_DOES_NOT_ARM
		arm(c);
#endif
		mask = pir
	fi
}

/*
 * Others may be asleep, whom the next post has to wake. So nothing is taken
 * without arming after it, and PIR = 0 means: it is armed, or will be at once.
 */
inline take(c)
{
	atomic { got = pir; pir = 0 };
#ifdef BUG_READ_DOES_NOT_ARM
	if
	:: got
	:: !got -> arm(c)
	fi
#else
	arm(c)
#endif
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

again:	take(who);
	if
	:: atomic { got -> got = 0; goto again }
	:: atomic { !got -> queued[who] = true }
	fi;
look:	mask = pir;
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
look:	readable(who);
	if
	:: leave_queue(who)
	:: sleep(who); goto look
	fi;
	if
	:: take(who); atomic { got = 0; goto again }
	:: true
	fi;
	asleep[who] = true
}

/* It stays in the queue. An edge makes it look, and then it reads. */
proctype epoll_edge(byte who)
{
	bit got, mask;

	queued[who] = true;
look:	readable(who);
	if
	:: atomic { mask -> mask = 0 }; take(who); got = 0
	:: !mask
	fi;
	sleep(who);
	goto look
}

/* Nothing can happen any more. */
active proctype monitor()
{
end:	timeout ->
	assert(posts == POSTS && asleep[0] && asleep[1] && !pir)
}

init
{
	atomic {
		run wake_irq(0);
		run wake_irq(1);
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
