/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Waiting for a flag that a handler sets: four ways to write it, on a kernel
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
 *	_clui();			MASKED: the idiom with any other call. The
 *	while (!flag) {			handler has UINTR_HANDLER_FLAG_WAITING_MASKED
 *		epoll_wait(...);	returns for other reasons as well
 *		...			calls it again, maybe
 *		_stui();
 *		_clui();
 *	}
 *	_stui();
 *
 *	spin -a idiom.pml && cc -O2 -DSAFETY -o pan pan.c && ./pan -E
 */
bit uif = 1;
bit pending = 0;	/* in PIR or UIRR */
bit news = 0;		/* posted since a call has ended because of it */
bool flag = false;
bool user = true;	/* the thread is in user mode */
bool done = false;

active proctype sender()
{
	atomic { pending = 1; news = 1 }
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

/*
 * What ends any other call. A kernel that ended calls only when UIF is 1, or
 * only once for each post, would leave the program asleep.
 */
#if defined(BUG_UIF_1)
#define ends	(pending && uif)
#elif defined(BUG_ONCE)
#define ends	(pending && news)
#else
#define ends	pending
#endif

inline epoll_wait()
{
	user = false;
	if
	:: atomic { ends -> news = 0 }
	:: atomic { others > 0 -> others-- }
	fi;
	user = true
}

#ifdef MASKED
#define wait	epoll_wait
#else
#define wait	uintr_wait
#endif

active proctype program()
{
	byte others = 2;	/* other reasons to return */

#if defined(BUG_NAIVE) || defined(VALUE)
	do
	:: flag -> break
	:: !flag -> wait()
	od;
#else
	uif = 0;
	do
	:: flag -> break
	:: !flag -> wait()
	:: !flag ->
		wait();
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
