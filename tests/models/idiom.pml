/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Waiting for a flag that a handler sets: three ways to write it, on a kernel
 * that loses nothing. The handler may run between the program's test and its
 * system call, and then uintr_wait() waits for something that has happened.
 *
 *	while (!flag)			BUG_NAIVE: sleeps for ever
 *		uintr_wait(0, 0);
 *
 *	_clui();			the idiom
 *	while (!flag) {
 *		uintr_wait(0, 0);
 *		_stui();		the handler runs here
 *		_clui();
 *	}
 *	_stui();
 *
 *	while (!flag)			VALUE: the kernel compares once more
 *		uintr_wait_value(&flag, 0, 0, 0);
 *
 *	spin -a idiom.pml && cc -O2 -DSAFETY -o pan pan.c && ./pan -E
 */
bit uif = 1;
bit pending = 0;	/* in PIR or UIRR */
bool flag = false;
bool user = true;	/* the thread is in user mode */
bool done = false;

active proctype sender()
{
	pending = 1
}

/* Between any two instructions of the program */
active proctype delivery()
{
end:	do
	:: d_step { user && uif && pending -> pending = 0; flag = true }
	od
}

/* It does not look at UIF and consumes nothing. */
inline uintr_wait()
{
	user = false;
#ifdef VALUE
	/* In the kernel nothing is delivered, so this look is final. */
	if
	:: flag
	:: !flag -> pending
	fi;
#else
	pending;
#endif
	user = true
}

active proctype program()
{
#if defined(BUG_NAIVE) || defined(VALUE)
	do
	:: flag -> break
	:: !flag -> uintr_wait()
	od;
#else
	uif = 0;
	do
	:: flag -> break
	:: !flag ->
		uintr_wait();
		uif = 1;
		uif = 0
	od;
	uif = 1;
#endif
	done = true
}

active proctype monitor()
{
end:	timeout -> assert(done)
}
