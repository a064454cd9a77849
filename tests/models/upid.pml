/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SENDUIPI against notification processing: the last send of every vector is
 * seen by a run of the handler after it, and none comes out of nothing.
 *
 * This is what target/i386/tcg/system/uintr-send.c and uintr-take.c do. Two
 * CPUs send, one vector each, to a thread that stays on its CPU and sets and
 * clears UIF. The steps are those of spec rules 7.6 and 10.1.
 *
 *	spin -a upid.pml && cc -O2 -DSAFETY -o pan pan.c && ./pan -E
 */
#ifndef SENDS
#define SENDS 3
#endif
#define VECTORS 2

/* The UPID. SN is 0 and NV, NDST do not change: see wait.pml for that. */
bit on = 0;
byte pir = 0;

/* The receiver's CPU */
byte uirr = 0;
bit uif = 0;
byte flying = 0;		/* IPIs that have been sent and not been taken */
bool microcode = false;		/* between two steps of an instruction */

/* The program: numbers of sends, and which of them the handler found */
byte sent[VECTORS], seen[VECTORS], handled[VECTORS];
byte senders = VECTORS;

#define bit_of(v) (1 << (v))

/*
 * Read, change and write are one: whatever two senders, or a sender and the
 * receiver, do at the same time, no bit is lost and one of them notifies.
 */
proctype sender(byte v)
{
	byte old_pir;
	bit old_on;

	do
	:: sent[v] < SENDS ->
		sent[v]++;
#ifdef BUG_SPLIT_SENDUIPI
		d_step { old_pir = pir; old_on = on };
#else
		d_step {
		old_pir = pir;
		old_on = on;
#endif
#ifdef BUG_SPLIT_SENDUIPI
		d_step {
#endif
			pir = old_pir | bit_of(v);
			on = 1;
			old_pir = 0;
			if
			:: !old_on -> flying++
			:: else
			fi;
			old_on = 0
		}
	:: else -> break
	od;
	senders--
}

/*
 * The CPU gets vector UINV, whatever UIF is. ON goes first: a send between
 * the two steps is taken by the second and notifies once more, for nothing.
 * The other way round it would be neither taken nor notified.
 *
 * PIR is added to what waits in UIRR already, for instance while UIF is 0.
 */
active proctype notification()
{
end:	do
	:: atomic {
		flying && !microcode ->
		if
		:: flying--
		:: flying > 1 -> flying = 0
		fi;
#ifdef BUG_DROPPED_IF_UIF_IS_0
		if
		:: uif
		:: else -> goto end
		fi;
#endif
		microcode = true
	   }
#ifdef BUG_PIR_BEFORE_ON
	   d_step { uirr = uirr | pir; pir = 0 };
	   on = 0;
#else
	   on = 0;
#ifdef BUG_UIRR_OVERWRITTEN
	   d_step { uirr = pir; pir = 0 };
#else
	   d_step { uirr = uirr | pir; pir = 0 };
#endif
#endif
	   microcode = false
	od
}

inline handler(v)
{
	d_step { uirr = uirr & ~bit_of(v); uif = 0 };
	d_step {
		handled[v]++;
		assert(handled[v] <= sent[v]);
		seen[v] = sent[v]
	};
	uif = 1		/* UIRET */
}

/* It masks user interrupts now and then, but not for ever. */
active proctype receiver() provided (!microcode)
{
	byte cluis = 2;

end:	do
	:: uif && (uirr & bit_of(1)) -> handler(1)
	:: uif && uirr == bit_of(0) -> handler(0)
	:: !uif -> uif = 1
	:: uif && cluis -> cluis--; uif = 0
	od
}

active proctype monitor()
{
	byte v;

end:	timeout ->
	assert(!senders && !on && !pir && !uirr);
	for (v : 0 .. VECTORS - 1) {
		assert(seen[v] == sent[v])
	}
}

init
{
	atomic { run sender(0); run sender(1) }
}
