/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * No notification is left behind that is sent without the BQL.
 *
 * This is the protocol of target/i386/tcg/system/uintr-notify.c, whose S1 to H2
 * are here, too. Two vCPUs send, each to the third, which runs translated code,
 * passes through the main loop and executes HLT. All vectors are one bit, so
 * what counts is that none is there when nothing happens any more.
 *
 * Stores are buffered, and become visible in any order, until a barrier. That
 * is weaker than x86 hosts, and at least as weak as any other, for stores; that
 * loads come too early is the same as that the stores before come too late.
 *
 *	spin -a in-flight.pml && cc -O2 -DSAFETY -o pan pan.c && ./pan -E
 *
 * -DSENDS=n	notifications of each sender
 * -DHALTS=n	how often the third executes HLT, before it only computes
 */
#ifndef SENDS
#define SENDS 2
#endif
#ifndef HALTS
#define HALTS 1
#endif

#define IN_FLIGHT		0
#define UNLOCKED	1	/* neg.unlocked_request */
#define EXIT		2	/* neg.icount_decr.u16.high is -1 */
#define HALTED		3
#define NR_VARS		4

#define TARGET		2	/* 0 and 1 send */
#define NR_THREADS	3

bit memory[NR_VARS];
bool buffered[12];		/* NR_THREADS * NR_VARS */
bit value[12];
bool bql = false;
bool asleep = false;		/* waits for its condition variable */

#define AT(who, var)	((who) * NR_VARS + (var))
#define LOAD(who, var)	(buffered[AT(who, var)] -> value[AT(who, var)] : memory[var])
#define BARRIER(who)	(!buffered[AT(who, 0)] && !buffered[AT(who, 1)] && \
			 !buffered[AT(who, 2)] && !buffered[AT(who, 3)])

inline store(who, var, v)
{
	d_step { buffered[AT(who, var)] = true; value[AT(who, var)] = v }
}

proctype store_buffer(byte who)
{
	byte var;

end:	do
	:: atomic {
		if
		:: buffered[AT(who, 0)] -> var = 0
		:: buffered[AT(who, 1)] -> var = 1
		:: buffered[AT(who, 2)] -> var = 2
		:: buffered[AT(who, 3)] -> var = 3
		fi;
		memory[var] = value[AT(who, var)];
		buffered[AT(who, var)] = false
	}
	od
}

/* qemu_cpu_kick() */
inline kick(who)
{
	d_step { asleep = false };
	store(who, EXIT, 1)
}

proctype sender(byte who)
{
	byte sends = 0;

	do
	:: sends == SENDS -> break
	:: sends < SENDS ->
		sends++;
		/* S1, an atomic operation */
		atomic { BARRIER(who) -> memory[IN_FLIGHT] = 1 };
#ifdef BUG_EXIT_FIRST
		store(who, EXIT, 1);
		BARRIER(who);
		store(who, UNLOCKED, 1);
		BARRIER(who);
#else
		/* S2 */
		if
		:: LOAD(who, UNLOCKED)
		:: !LOAD(who, UNLOCKED) ->
			store(who, UNLOCKED, 1);
#ifndef BUG_NO_BARRIER_AFTER_REQUEST
			BARRIER(who)
#endif
		fi;
		/* S3 */
		store(who, EXIT, 1);
#endif
		/* S4 */
		if
		:: !LOAD(who, HALTED)
		:: LOAD(who, HALTED) ->
#ifndef BUG_KICK_WITHOUT_BQL
			atomic { !bql -> bql = true };
#endif
			kick(who);
#ifndef BUG_KICK_WITHOUT_BQL
			BARRIER(who);
			bql = false
#endif
		fi
	od
}

/* x86_uintr_recognize(), with UIRR empty */
inline recognize()
{
	store(TARGET, UNLOCKED, 0);		/* T3 */
#ifndef BUG_NO_BARRIER_AFTER_CLEAR
	BARRIER(TARGET);
#endif
#ifndef BUG_CLEAR_BLINDLY
	if
	:: LOAD(TARGET, IN_FLIGHT) -> store(TARGET, UNLOCKED, 1)
	:: else
	fi
#endif
}

/* cpu_handle_interrupt() */
inline main_loop()
{
	store(TARGET, EXIT, 0);			/* T1 */
#ifndef BUG_NO_BARRIER_IN_MAIN_LOOP
	BARRIER(TARGET);
#endif
	if					/* T2 */
	:: LOAD(TARGET, UNLOCKED) ->
		if
		:: LOAD(TARGET, IN_FLIGHT) ->
			atomic { BARRIER(TARGET) -> memory[IN_FLIGHT] = 0 }
		:: else -> recognize()
		fi
	:: else
	fi
}

/*
 * helper_hlt(), qemu_wait_io_event() and x86_uintr_exec_halt(). HLT ends
 * only because of a vector that is not masked.
 */
inline hlt()
{
	bool unmasked = false;

	store(TARGET, HALTED, 1);		/* H1 */
	atomic { !bql -> bql = true };
	do
	:: true ->
#ifndef BUG_NO_BARRIER_AFTER_HALTED
		BARRIER(TARGET);
#endif
		if				/* H2 */
		:: LOAD(TARGET, IN_FLIGHT) ->
			atomic { BARRIER(TARGET) -> memory[IN_FLIGHT] = 0 };
			if
			:: unmasked = true; break
			:: true;	/* masked: it stays in the IRR */
#ifdef BUG_HALT_ENDS_BY_POST
			   if
			   :: LOAD(TARGET, IN_FLIGHT) -> break
			   :: else
			   fi
#endif
			fi
		:: else ->
			/* qemu_cond_wait() */
			atomic { asleep = true; bql = false };
end:			atomic { !asleep && !bql -> bql = true }
		fi
	od;
	bql = false;
	assert(unmasked);
	store(TARGET, HALTED, 0)
}

active proctype target()
{
	byte halts = 0;

	run store_buffer(0);
	run store_buffer(1);
	run store_buffer(TARGET);
	run sender(0);
	run sender(1);

end_running:
	do
	:: LOAD(TARGET, EXIT) -> main_loop()
	:: halts < HALTS -> halts++; hlt(); main_loop()
	od
}

active proctype monitor()
{
end:	timeout -> assert(!memory[IN_FLIGHT])
}
