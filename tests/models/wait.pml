/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A thread blocks until a user interrupt comes, and no wake-up is lost.
 *
 * This is the protocol of linux/arch/x86/kernel/uintr/wait.c and state.c. One
 * receiving thread migrates between two CPUs. Senders post to its UPID by
 * SENDUIPI and from the kernel; their IPIs arrive at any later time, in any
 * order, merged or not. The thread is preempted anywhere, is woken for no
 * reason, gets signals, sets and clears UIF; a CPU goes offline (-DHOTPLUG).
 *
 *	spin -a wait.pml && cc -O2 -DSAFETY -o pan pan.c && ./pan -E
 *
 * must find nothing, and with each -DBUG_... it must find the sleep that
 * nobody ends. tests/models/run does all that.
 *
 *	LIVE	UINV = N on this CPU	NC = {SN=0, NV=N, NDST=this CPU}
 *	SAVED	UINV = 0		NC = {SN=1}
 *	ARMED	UINV = 0		NC = {SN=0, NV=W, NDST=c}, on list of c
 *
 * ON, SN, NV and NDST are the UPID's notification control word NC, which the
 * kernel replaces by one exchange. PIR is one bit: that posts of several
 * vectors keep each other's bits is the business of upid.pml. UIRR is in the
 * registers of the CPU while the thread is LIVE, else in its image.
 *
 * An atomic or d_step here is what nobody can see a part of: one locked
 * instruction, or that with what is private to a thread, or with what a lock
 * or disabled interrupts hide. Wherever others can come between two accesses,
 * there are two steps. Spin checks sequential consistency, and that is what
 * x86 gives: all writes to the UPID are locked instructions.
 *
 * -DPOSTS=n	posts by SENDUIPI; the kernel posts once more
 * -DTROUBLE=n	preemptions, needless wake-ups and signals in all
 * -DMASKED	any call ends if UIF is 0, too
 */
#ifndef POSTS
#define POSTS 1
#endif
#ifndef TROUBLE
#define TROUBLE 1
#endif

/* 1 with -DBUG_... */
#ifndef BUG_RFC_V1
#define RFC false
#else
#define RFC true
#endif
#ifndef BUG_REARM
#define BUG_REARM 0
#endif
#ifndef BUG_LOST_KICK
#define BUG_LOST_KICK 0
#endif
#ifndef BUG_HOTPLUG_BLIND
#define BUG_HOTPLUG_BLIND 0
#endif

#define NONE 2		/* no CPU */
#define N 0		/* notification vector */
#define W 1		/* wake vector */

/* The UPID */
bit on = 0, sn = 0, nv = N, pir = 0;
byte ndst = 0;

/* The CPUs */
bool in_irq[2];		/* in an interrupt handler, or in microcode */
bool irqs_off[2];
bool offline[2];
bool locked[2];		/* the raw lock of the list of waiters */
bit uinv[2];		/* 1: UINV = N */
byte flying_n[2];	/* IPIs that have been sent and not been taken */
byte flying_w[2];

/* The thread */
#define RUNNING 0
#define INTERRUPTIBLE 1
byte cpu = 0;
bool on_cpu = true, on_rq = true;
bit state = RUNNING;
bool live = true;
bit uirr = 0, image_uirr = 0, uif = 0;
bool in_wait = false;		/* in uintr_wait() */
bool notify_signal = false;	/* TIF_NOTIFY_SIGNAL */
bool sigpending = false;
byte list = NONE;		/* ARMED: whose list it is on */
bool kicked = false;		/* woken, and not in user mode since */
byte kicks = 0;			/* how often */
bool frozen = false;		/* by the cgroup freezer, on its way out */
bool computes = false;		/* does not call the kernel any more */

byte trouble = TROUBLE;
bool posted[2];			/* both senders are done */

#define signal_pending	(notify_signal || sigpending)
#define pending		(pir | image_uirr)
/* A user interrupt ends this sleep. */
#ifdef MASKED
#define waits		true
#else
#define waits		(in_wait || uif)
#endif

/* One exchange of NC. PIR is the other half of the UPID and stays. */
inline set_nc(the_nv, the_ndst)
{
	on = 0;
	sn = 0;
	nv = the_nv;
	ndst = the_ndst
}

/*
 * SN=1, and NV and NDST do not matter any more: whoever clears SN sets them.
 * To make less states they get the same values always.
 */
inline set_sn()
{
	sn = 1;
	nv = N;
	ndst = 0
}

inline send_ipi(the_nv, the_ndst)
{
	if
	:: offline[the_ndst]	/* lost */
	:: !offline[the_ndst] && the_nv == N -> flying_n[the_ndst]++
	:: !offline[the_ndst] && the_nv == W -> flying_w[the_ndst]++
	fi
}

/* Under the locks that schedule() has, too, when it looks at the state. */
inline wake_up_thread()
{
	if
	:: state == INTERRUPTIBLE -> state = RUNNING; on_rq = true
	:: else
	fi
}

/*
 * SENDUIPI, with all CPUs as one sender. One atomic update of 16 bytes: were
 * PIR set first, the receiver could exchange NC before the look at ON and SN.
 * The IPI leaves with NV and NDST as they were in the update.
 */
active proctype senduipi()
{
	byte i = 0;

	do
	:: i < POSTS ->
		d_step {
			i++;
			pir = 1;
			if
			:: !on && !sn -> on = 1; send_ipi(nv, ndst)
			:: else
			fi
		}
	:: else -> break
	od;
	posted[0] = true
}

/*
 * uintr_post(), the same update. But the kernel writes the ICR later, when the
 * receiver may have moved or NDST may have gone offline.
 *
 * TWO_STEP_POST is how others did it: PIR first, ON next. A receiver that
 * keeps to the protocol survives that as well.
 */
active proctype kernel_post()
{
	bool notify;
	bit to_nv;
	byte to_ndst;

	d_step {
		pir = 1;
#ifdef TWO_STEP_POST
	};
	d_step {
#endif
		notify = !on && !sn;
		on = on | notify;
		to_nv = nv;
		to_ndst = ndst
	}
	d_step {
		if
		:: notify -> send_ipi(to_nv, to_ndst)
		:: else
		fi;
		to_nv = 0;
		to_ndst = 0;
		posted[1] = true
	}
}

/* An interrupt is taken for one or for all IPIs: the IRR has one bit. */
inline take(flying)
{
	if
	:: flying--
	:: flying > 1 -> flying = 0
	fi
}

/*
 * A CPU accepts vector N. With UINV = N that is notification processing, two
 * atomic updates by microcode with other CPUs in between. With UINV = 0 it is
 * an ordinary interrupt, which only counts: the thread is not live here.
 */
proctype notification(byte c)
{
end:	do
	:: atomic {
		flying_n[c] && !irqs_off[c] && !in_irq[c] ->
		take(flying_n[c]);
		if
		:: uinv[c] -> in_irq[c] = true; on = 0
		:: else -> goto end
		fi
	   }
	   d_step {
		uirr = uirr | pir;
		pir = 0;
		in_irq[c] = false
	   }
	od
}

/*
 * The wake IRQ on CPU c looks at the threads on its list. The list's lock
 * keeps it apart from a thread that returns to user mode on another CPU, which
 * otherwise could be LIVE when this writes NV = W.
 *
 * ON is cleared before the look at PIR. Afterwards it would be too late for a
 * post in between, which found ON set and so sent nothing.
 */
proctype wake_irq(byte c)
{
	bool kick = false;

end:	do
	:: atomic {
		flying_w[c] && !irqs_off[c] && !in_irq[c] && !locked[c] ->
		take(flying_w[c]);
		if
		:: list == c ->
			in_irq[c] = true;
			locked[c] = true;
#ifdef BUG_RFC_V1
			kick = on
#elif defined(BUG_LATE_ON_CLEAR)
			kick = pending
#else
			set_nc(W, c)
#endif
		:: else -> goto end
		fi
	   }
	   d_step {
#ifdef BUG_RFC_V1
#elif defined(BUG_LATE_ON_CLEAR)
		set_nc(W, c);
#else
		kick = pending;
#endif
		if
		:: kick -> kicked = !RFC; kicks++; assert(kicks <= 2)
		:: else -> locked[c] = false; in_irq[c] = false
		fi
	   }
	   if
	   :: kick ->
		/*
		 * Off the list at last: the thread looks at that without the
		 * lock on its way to user mode. If SN=1 or the flag came later
		 * it could be LIVE by then.
		 */
#ifdef BUG_LATE_SN
		list = NONE;
#endif
		d_step { set_sn() };
		notify_signal = true;
#ifndef BUG_LATE_SN
		list = NONE;
#endif
		locked[c] = false;
		/* Not under the lock, which is inside of those of a wake-up. */
		d_step { wake_up_thread(); in_irq[c] = false; kick = false }
	   :: else
	   fi
	od
}

/* XSAVES, then SN=1. UINV is 0 now, so nothing moves from PIR to UIRR. */
inline save()
{
	if
	:: live ->
		image_uirr = uirr;
		uirr = 0;
		uinv[cpu] = 0;
		live = false;
		if
		:: RFC && in_wait
		:: else -> set_sn()
		fi
	:: else
	fi
}

/* What arm() looks at, and what it does with ON. */
#if defined(BUG_NO_PIR_CHECK)
#define look	image_uirr
#elif defined(BUG_NO_UIRR_CHECK)
#define look	pir
#else
#define look	pending
#endif
#ifdef BUG_NO_ON_CLEAR
#define clear_on(x)	x
#else
#define clear_on(x)	0
#endif

/*
 * The thread leaves its CPU, and is armed if it is about to sleep. The order
 * is: link, NC, look. A post before the exchange of NC is seen by the look. A
 * post after it sends W to this CPU, which takes it when it is through here,
 * and finds the thread on its list. Nobody can be woken in here, so if there
 * is something pending this CPU sends W to itself.
 *
 * A thread that is on a list already stays there, whatever CPU it is on now:
 * the handler of that CPU does all that has to be done. If the handler has it
 * just now, it is armed once more.
 *
 * A thread that was kicked is on its way to user mode. Something may clear its
 * TIF_NOTIFY_SIGNAL and sleep, as the cgroup freezer does. If it was armed
 * then, it would be woken at once, and so on for ever.
 */
inline switch_out()
{
	d_step { irqs_off[cpu] = true; save() };
	if
	:: state == INTERRUPTIBLE && waits && (!kicked || BUG_REARM) && !RFC ->
		if
		:: atomic { list == NONE && !locked[cpu] -> list = cpu };
			d_step { on = clear_on(on); sn = 0; nv = W; ndst = cpu };
			d_step {
				if
				:: look -> flying_w[cpu]++
				:: else
				fi;
				irqs_off[cpu] = false;
				on_cpu = false
			}
		:: atomic { list != NONE && !locked[list % 2] ->
				irqs_off[cpu] = false;
				on_cpu = false
			}
		fi
	:: else -> d_step { irqs_off[cpu] = false; on_cpu = false }
	fi
	/* What follows happens when the scheduler has set on_cpu. */
}

inline preempted()
{
	atomic { trouble > 0 -> trouble-- };
	switch_out()
}

/* The look at the state and leaving the run queue are one for a waker. */
inline schedule()
{
	d_step {
		if
		:: state == INTERRUPTIBLE && signal_pending -> state = RUNNING
		:: state == INTERRUPTIBLE && !signal_pending -> on_rq = false
		:: else
		fi
	};
	switch_out()
}

/*
 * Interrupts are off from the last look at the TIF flags until the thread is
 * in user mode. NC gets ON=0: the notification that set ON may have gone to
 * where the thread was before. What it stands for is in PIR, and taken after
 * that. A later post sends N to this CPU, and UINV will be loaded when it is
 * taken.
 */
inline return_to_user()
{
	do
	:: atomic { signal_pending -> notify_signal = false; sigpending = false }
	:: atomic { !signal_pending -> irqs_off[cpu] = true; break }
	:: preempted()
	od;
	if
	:: !live ->
#ifndef BUG_RFC_V1
		/* Without a lock, so it may be gone when we have the lock. */
		if
		:: atomic { list != NONE -> to = list };
			atomic {
				!locked[to] ->
				if
				:: list == to -> list = NONE
				:: else
				fi;
				to = 0
			}
		:: list == NONE
		fi;
#endif
#ifdef BUG_RETURN_KEEPS_ON
		d_step { sn = 0; nv = N; ndst = cpu };
#else
		d_step { set_nc(N, cpu) };
#endif
		d_step {
			uirr = image_uirr | pir;
			pir = 0;
			image_uirr = 0;
			uinv[cpu] = 1;
			live = true;
			kicked = false;
			kicks = 0;
			irqs_off[cpu] = false
		}
	:: else -> irqs_off[cpu] = false
	fi
}

/*
 * Any blocking call: the usual loop, which ends when what it waits for has
 * come. Two clear the flag: io_uring, which therefore has to look at kicked,
 * and the freezer, which sleeps again until it is woken for another reason.
 */
inline sys_read()
{
	do
	:: state = INTERRUPTIBLE;
		if
		:: signal_pending -> break
		:: !signal_pending -> schedule()
		:: preempted()
		fi;
		if
		:: !signal_pending
		:: notify_signal ->
			notify_signal = false;
			if
			:: kicked && !BUG_LOST_KICK -> break
			:: kicked && !BUG_LOST_KICK -> frozen = true
			:: !kicked || BUG_LOST_KICK
			fi
		:: break
		fi
	od;
	atomic { state = RUNNING; frozen = false }
}

/* uintr_wait() does not look at UIF, and it consumes nothing. */
inline sys_uintr_wait()
{
#ifdef BUG_RFC_V1
	/* On the list before it is INTERRUPTIBLE, and no look at anything. */
	in_wait = true;
	nv = W;
	atomic { !locked[cpu] -> list = cpu };
	if
	:: true
	:: preempted()
	fi;
	state = INTERRUPTIBLE;
	schedule();
#else
	d_step { save(); in_wait = true };
	do
	:: state = INTERRUPTIBLE;
		if
		:: pending || signal_pending -> break
		:: !(pending || signal_pending) -> schedule()
		:: preempted()
		fi
	od;
#endif
	atomic { state = RUNNING; in_wait = false }
}

/* Another interrupt, the end of a time slice, or a signal */
inline in_user_mode()
{
	preempted();
	return_to_user()
}

/*
 * User mode: what is in UIRR is delivered as soon as UIF is 1. The program
 * sets or clears UIF and blocks, or decides to go on computing for ever.
 */
active proctype thread() provided (on_cpu && !in_irq[cpu])
{
	byte to = 0;

	do
	:: atomic {
		if
		:: uif = 0
		:: uif = 1; uirr = 0
		fi;
		if
		:: goto uintr_wait
		:: !RFC -> goto read
		:: !RFC -> computes = true; break
		fi
	   }
uintr_wait:
	   sys_uintr_wait();
	   return_to_user()
	:: false ->
read:
	   sys_read();
	   return_to_user()
	:: in_user_mode()
	od;
	do
	:: in_user_mode()
	od
}

/* There may be others before it on its CPU, and it may be moved. */
active proctype scheduler()
{
end:	do
	:: d_step { !on_cpu && on_rq && !offline[0] -> cpu = 0; on_cpu = true }
	:: d_step { !on_cpu && on_rq && !offline[1] -> cpu = 1; on_cpu = true }
	od
}

/* Signals, and wake-ups that have nothing to do with user interrupts. */
active proctype others()
{
end:	do
	:: d_step {
		trouble > 0 && state == INTERRUPTIBLE ->
		trouble--;
		wake_up_thread()
	   }
	:: d_step {
		trouble > 0 && state == INTERRUPTIBLE ->
		trouble--;
		sigpending = true;
		wake_up_thread()
	   }
	od
}

#ifdef HOTPLUG
/*
 * CPU 1 goes offline. The scheduler has emptied it, and stop_machine() holds
 * all CPUs with interrupts off, so there is one step. Only the IPIs know no
 * stop: those to CPU 1 are lost. Hence ON is cleared and PIR looked at, again.
 */
active proctype hotplug()
{
	atomic {
		!irqs_off[0] && !irqs_off[1] && !in_irq[0] && !in_irq[1] &&
		!(on_cpu && cpu == 1) ->
		if
		:: list == 1 ->
			list = 0;
			set_nc(W, 0);
			if
			:: pending && !BUG_HOTPLUG_BLIND -> flying_w[0]++
			:: else
			fi
		:: else
		fi;
		offline[1] = true;
		flying_n[1] = 0;
		flying_w[1] = 0
	}
}
#endif

/*
 * Nothing can happen any more: the thread sleeps, and nothing is pending that
 * has to end its sleep. Or it is in user mode, and what was posted is in UIRR.
 */
active proctype monitor()
{
end:	timeout ->
	assert(posted[0] && posted[1]);
	if
	:: computes -> assert(on_cpu && live && !pir)
	:: else ->
		assert(!on_cpu && !on_rq && state == INTERRUPTIBLE);
		assert(!pending || !waits || frozen)
	fi
}

init
{
	atomic {
		uinv[0] = 1;
		run notification(0);
		run notification(1);
		run wake_irq(0);
		run wake_irq(1)
	}
}
