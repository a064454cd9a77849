/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * No SENDUIPI writes to a UPID that is free.
 *
 * This is the protocol of linux/arch/x86/kernel/uintr/uitt.c, see there
 * uintr_uitt_synchronize(). One CPU closes a connection. Others load the table,
 * send by the connection, and save the table again, a few times; each is
 * interrupted only if it has the table loaded, and only between instructions.
 *
 * Each CPU has one variable of its own that the others read. Stores to it are
 * buffered until a barrier, a locked instruction or an interrupt, or become
 * visible earlier.
 *
 *	spin -a table.pml && cc -O2 -DSAFETY -o pan pan.c && ./pan -E
 *
 * -DSENDERS=n	CPUs that send
 * -DROUNDS=n	how often each of them loads the table
 */
#ifndef SENDERS
#define SENDERS 2
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif

#define CLOSER	SENDERS

/* Of a sender: has the table loaded. Of the closer: the entry is invalid. */
bool memory[4];
bool buffered[4];
bool value[4];

bool interrupt[SENDERS];
bool upid_free = false;

inline store(who, v)
{
	d_step { buffered[who] = true; value[who] = v }
}

inline flush(who)
{
	d_step {
		if
		:: buffered[who] -> memory[who] = value[who];
				    buffered[who] = false
		:: else
		fi
	}
}

/* Between instructions. The closer waits until it is done. */
inline take_interrupt(who)
{
	if
	:: interrupt[who] -> flush(who); interrupt[who] = false
	:: else
	fi
}

proctype sender(byte who)
{
	byte rounds = 0;

	do
	:: rounds < ROUNDS ->
		rounds++;
		/* uintr_load(); XRSTORS comes after the store */
		store(who, true);
#ifndef BUG_NO_BARRIER_IN_LOAD
		flush(who);
#endif
		/* In user mode */
		do
		:: memory[CLOSER] -> break	/* #GP */
		:: !memory[CLOSER] ->	/* SENDUIPI has found it valid */
#ifdef BUG_CLEARED_FIRST
			store(who, false);
#endif
			/* The rest of the instruction: a locked write */
			flush(who);
			assert(!upid_free);
			take_interrupt(who)
		:: break
		od;
		/* uintr_save(): XRSTORS, then the store */
		store(who, false);
		take_interrupt(who)
	:: else -> break
	od;
	/* In the kernel it takes interrupts all the time. */
end:	do
	:: interrupt[who] -> take_interrupt(who)
	od
}

proctype closer()
{
	byte i = 0;
	bool found[SENDERS];

	store(CLOSER, true);
#ifndef BUG_NO_BARRIER_IN_CLOSE
	flush(CLOSER);
#endif
	do
	:: i < SENDERS ->
		if
		:: memory[i] -> found[i] = true; interrupt[i] = true
		:: else
		fi;
		i++
	:: else -> break
	od;
	/* Sending the interrupts is a barrier, if there are any. */
#ifndef BUG_DOES_NOT_WAIT
	i = 0;
	do
	:: i < SENDERS ->
		if
		:: found[i] -> flush(CLOSER); !interrupt[i]
		:: else
		fi;
		i++
	:: else -> break
	od;
#endif
	upid_free = true
}

/* Stores become visible at any time. */
proctype store_buffer(byte who)
{
end:	do
	:: buffered[who] -> flush(who)
	od
}

init
{
	byte i = 0;

	atomic {
		do
		:: i < SENDERS ->
			run sender(i);
			run store_buffer(i);
			i++
		:: else -> break
		od;
		run closer();
		run store_buffer(CLOSER)
	}
}
