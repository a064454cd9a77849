/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A thread blocks until a user interrupt comes, and no wake-up is lost.
 *
 * This is the protocol of linux/arch/x86/kernel/uintr/wait.c and state.c. One
 * receiving thread migrates between two CPUs. Senders post to its UPID by
 * SENDUIPI and from the kernel; their IPIs arrive at any later time, in any
 * order, merged or not. The thread is preempted anywhere, is woken for no
 * reason, gets signals, sets and clears UIF; the fd that SENDUIPI is for may be
 * closed (-DCLOSE), which takes away what was posted by it.
 *
 *	spin -a wait.pml && cc -O2 -DSAFETY -o pan pan.c && ./pan -E
 *
 * must find nothing, and with each -DBUG_... it must find the sleep that
 * nobody ends. tests/models/run does all that.
 *
 *	LIVE	UINV = N on this CPU	NC = {SN=0, NDST=this CPU}
 *	SAVED	UINV = 0		NC = {SN=1}
 *	ARMED	UINV = 0		NC = {SN=1, ARMED=1}: SENDUIPI faults
 *
 * ON, SN, ARMED and NDST are the UPID's notification control word NC. That posts
 * of several vectors keep each other's bits in PIR is the business of upid.pml.
 * UIRR is in the registers of the CPU while the thread is LIVE, else in its
 * image.
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
#ifndef BUG_REARM
#define BUG_REARM 0
#endif
#ifndef BUG_LOST_KICK
#define BUG_LOST_KICK 0
#endif
#ifndef BUG_DISARM_UNLOCKED
#define BUG_DISARM_UNLOCKED 0
#endif
#ifndef BUG_WAKE_FORGETS
#define REARMED 1
#else
#define REARMED armed
#endif

/* The UPID. PIR has one bit, or one for SENDUIPI and one for the kernel. */
bit on = 0, sn = 0, armed = 0, pir0 = 0;
#ifdef CLOSE
bit pir1 = 0;
#else
#define pir1 pir0
#endif
byte ndst = 0;

/* The CPUs */
bool in_irq[2];		/* in microcode */
bool irqs_off[2];
bit uinv[2];		/* 1: UINV is the notification vector */
byte flying[2];		/* IPIs that have been sent and not been taken */

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
bool u_armed = false;		/* uintr_task::armed */
bool locked = false;		/* uintr_receiver::lock */
bool irq_work = false;
bool kicked = false;		/* woken, and not in user mode since */
byte kicks = 0;			/* how often */
bool frozen = false;		/* by the cgroup freezer, on its way out */
bool computes = false;		/* does not call the kernel any more */

byte trouble = TROUBLE;
byte sent = 0;			/* posts by SENDUIPI */
bool posted[2];			/* both senders are done */

#define signal_pending	(notify_signal || sigpending)
#define pending		(pir0 | pir1 | image_uirr)
/* A user interrupt ends this sleep. */
#ifdef MASKED
#define waits		true
#else
#define waits		(in_wait || uif)
#endif

/* NDST does not matter while SN=1: who clears SN sets it. Makes less states. */
inline set_sn()
{
	sn = 1;
	ndst = 0
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
 * The thread of a receiver is woken. What had been posted may be gone, and then
 * it goes on sleeping, so it must be ARMED again, and before the look at PIR:
 * as in switch_out(). It may have been in user mode meanwhile, too, or sleep
 * for the next time; then there is nothing to do, or it is right to wake it.
 *
 * The lock keeps that apart from the way to user mode. Otherwise a thread could
 * be kicked when it is through there, and then it would not be ARMED in its
 * next sleep.
 */
inline wake_thread()
{
	if
	:: atomic { !locked && u_armed -> locked = true; armed = REARMED };
		if
		:: pending ->
			d_step {
				armed = 0;
				kicked = true;
				kicks++;
				assert(kicks <= 2)
			};
			notify_signal = true;
			d_step { wake_up_thread() };
			d_step { u_armed = false; locked = false }
		:: !pending -> locked = false
		fi
	:: atomic { !locked && !u_armed -> skip }
	fi
}

/*
 * SENDUIPI, with all CPUs as one sender. One atomic update of 16 bytes: were
 * PIR set first, the receiver could exchange NC before the look at ON and SN.
 * The IPI leaves with NDST as it was in the update.
 *
 * If it is ARMED there is no update, but the kernel does it, later, when the
 * thread may have been woken. Who finds it ARMED in that update wakes it.
 */
active proctype senduipi()
{
	bit wake = 0;

	do
	:: sent < POSTS ->
		if
		:: d_step { !armed ->
				sent++;
				pir0 = 1;
				if
				:: !on && !sn -> on = 1; flying[ndst]++
				:: else
				fi
			}
		:: armed ->
#ifdef BUG_SPLIT_POST
			wake = armed;
#endif
			d_step {
				sent++;
				pir0 = 1;
#ifndef BUG_SPLIT_POST
				wake = armed;
#endif
				armed = armed & !wake;
				if
				:: !on && !sn -> on = 1; flying[ndst]++
				:: else
				fi
			}
			if
			:: wake -> wake_thread(); wake = 0
			:: else
			fi
		fi
	:: else -> break
	od;
	posted[0] = true
}

/*
 * uintr_post(), the same update. But the kernel writes the ICR later, when the
 * receiver may have moved. It wakes at any later time, as work() does.
 *
 * TWO_STEP_POST is how others did it: PIR first, ON next. A receiver that
 * keeps to the protocol survives that as well.
 */
active proctype kernel_post()
{
	bool notify, wake;
	byte to_ndst;

	d_step {
		pir1 = 1;
#ifdef TWO_STEP_POST
	};
	d_step {
#endif
		wake = armed;
		armed = 0;
		notify = !on && !sn;
		on = on | notify;
		to_ndst = ndst
	}
	d_step {
		if
		:: notify -> flying[to_ndst]++
		:: else
		fi;
		irq_work = irq_work | wake;
		wake = false;
		to_ndst = 0;
		posted[1] = true
	}
}

active proctype work()
{
end:	do
	:: atomic { irq_work -> irq_work = false };
		wake_thread()
	od
}

#ifdef CLOSE
/* The fd is closed: no post comes any more, but a wake-up may be on its way. */
active proctype close_fd()
{
end:	atomic { sent == POSTS -> pir0 = 0 }
}
#endif

/*
 * A CPU gets vector N. With UINV = N that is notification processing, two
 * atomic updates by microcode with other CPUs in between. With UINV = 0 it is
 * an ordinary interrupt, which only counts: the thread is not live here. An
 * interrupt is taken for one or for all IPIs: the IRR has one bit.
 */
proctype notification(byte c)
{
end:	do
	:: atomic {
		flying[c] && !irqs_off[c] && !in_irq[c] ->
		if
		:: flying[c]--
		:: flying[c] > 1 -> flying[c] = 0
		fi;
		if
		:: uinv[c] -> in_irq[c] = true; on = 0
		:: else -> goto end
		fi
	   }
	   d_step {
		uirr = uirr | pir0 | pir1;
		pir0 = 0;
		pir1 = 0;
		in_irq[c] = false
	   }
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
		set_sn()
	:: else
	fi
}

/* What is looked at before a sleep */
#if defined(BUG_NO_PIR_CHECK)
#define look	image_uirr
#elif defined(BUG_NO_UIRR_CHECK)
#define look	(pir0 | pir1)
#else
#define look	pending
#endif

/*
 * The thread leaves its CPU, and is ARMED if it is about to sleep. A post
 * before that is seen by the look, which comes after it; a later one wakes.
 * Nobody can be woken in here, so an interrupt does it if something is pending.
 *
 * A thread that is ARMED already stays so. If it is just not ARMED any more,
 * somebody is about to wake it.
 *
 * A thread that was kicked is on its way to user mode. Something may clear its
 * TIF_NOTIFY_SIGNAL and sleep, as the cgroup freezer does. If it was ARMED
 * then, it would be woken at once, and so on for ever.
 */
inline switch_out()
{
	d_step { irqs_off[cpu] = true; save() };
	if
	:: state == INTERRUPTIBLE && waits && (!kicked || BUG_REARM) ->
		if
		:: atomic { !u_armed -> u_armed = true };
#ifdef BUG_LOOKS_FIRST
			d_step { irq_work = irq_work | look };
#endif
			armed = 1;
#ifndef BUG_LOOKS_FIRST
			d_step { irq_work = irq_work | look };
#endif
			d_step { irqs_off[cpu] = false; on_cpu = false }
		:: d_step { u_armed -> irqs_off[cpu] = false; on_cpu = false }
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
		if
		:: u_armed ->
			if
			:: atomic { !locked -> u_armed = false; armed = 0 }
			:: BUG_DISARM_UNLOCKED -> d_step { u_armed = false; armed = 0 }
			fi
		:: !u_armed
		fi;
#ifndef BUG_RETURN_KEEPS_ON
		d_step { on = 0; sn = 0; armed = 0; ndst = cpu };
#else
		d_step { sn = 0; armed = 0; ndst = cpu };
#endif
		d_step {
			uirr = image_uirr | pir0 | pir1;
			pir0 = 0;
			pir1 = 0;
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
	d_step { save(); in_wait = true };
	do
	:: state = INTERRUPTIBLE;
		if
		:: pending || signal_pending -> break
		:: !(pending || signal_pending) -> schedule()
		:: preempted()
		fi
	od;
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
	do
	:: atomic {
		if
		:: uif = 0
		:: uif = 1; uirr = 0
		fi;
		if
		:: goto uintr_wait
		:: goto read
		:: computes = true; break
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
	:: d_step { !on_cpu && on_rq -> cpu = 0; on_cpu = true }
	:: d_step { !on_cpu && on_rq -> cpu = 1; on_cpu = true }
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

/*
 * Nothing can happen any more: the thread sleeps, and nothing is pending that
 * has to end its sleep. Or it is in user mode, and what was posted is in UIRR.
 */
active proctype monitor()
{
end:	timeout ->
	assert(posted[0] && posted[1]);
	if
	:: computes -> assert(on_cpu && live && !pir0 && !pir1)
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
		run notification(1)
	}
}
