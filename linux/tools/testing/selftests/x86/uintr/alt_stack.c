// SPDX-License-Identifier: GPL-2.0
/* A handler on a stack of its own. */
#include "uintr.h"

#define STACK_SIZE	65536

static char stack[STACK_SIZE] __attribute__((aligned(64)));
static volatile uintptr_t handler_sp;
static volatile uint64_t interrupted_sp;

static UINTR_HANDLER(note_stack, frame, vector)
{
	handler_sp = (uintptr_t)frame;
	interrupted_sp = frame->rsp;
	handled[vector]++;
}

static bool on_stack(uintptr_t sp)
{
	return sp >= (uintptr_t)stack && sp < (uintptr_t)stack + STACK_SIZE;
}

static void send_and_wait(void)
{
	uint64_t before = handled[3];

	_stui();
	_senduipi(0);
	WAIT_UNTIL(handled[3] > before);
	_clui();
}

static void setup(void)
{
	WANT(uintr_register_handler(note_stack, 0), 0);
	WANT(uintr_register_self(3, 0), 0);
}

/* Handler runs with the given address as the top of its stack */
TEST(top)
{
	setup();
	WANT(uintr_alt_stack(stack + STACK_SIZE, STACK_SIZE, 0), 0);
	send_and_wait();
	/* The frame is below RSP, RFLAGS, RIP and the vector. */
	WANT(handler_sp + 24, (uintptr_t)stack + STACK_SIZE);
	WANT(on_stack(interrupted_sp), false);
}

/* A top that is not aligned to 16 is rounded down */
TEST(alignment)
{
	setup();
	WANT(uintr_alt_stack(stack + STACK_SIZE - 8, STACK_SIZE - 8, 0), 0);
	send_and_wait();
	WANT(handler_sp + 24, (uintptr_t)stack + STACK_SIZE - 16);
}

/* NULL goes back to the stack of the interrupted code, below its red zone */
TEST(null)
{
	setup();
	WANT(uintr_alt_stack(stack + STACK_SIZE, STACK_SIZE, 0), 0);
	send_and_wait();
	WANT(on_stack(handler_sp), true);
	WANT(uintr_alt_stack(NULL, 0, 0), 0);
	send_and_wait();
	WANT(on_stack(handler_sp), false);
	WANT(handler_sp + 24 <= interrupted_sp - UINTR_REDZONE, true);
}

/* It follows the thread from CPU to CPU */
TEST(moves)
{
	int i;

	setup();
	WANT(uintr_alt_stack(stack + STACK_SIZE, STACK_SIZE, 0), 0);
	for (i = 0; i < 100; i++) {
		pin_to(i % nr_cpus());
		send_and_wait();
		WANT(handler_sp + 24, (uintptr_t)stack + STACK_SIZE);
	}
}

/* Unregistering the handler clears it */
TEST(unregister)
{
	setup();
	WANT(uintr_alt_stack(stack + STACK_SIZE, STACK_SIZE, 0), 0);
	WANT(uintr_unregister_handler(0), 0);
	WANT(uintr_unregister_sender(0, 0), 0);
	setup();
	send_and_wait();
	WANT(on_stack(handler_sp), false);
}

static void *other_thread(void *arg)
{
	WANT_ERRNO(uintr_alt_stack(stack + STACK_SIZE, STACK_SIZE, 0), EOPNOTSUPP);
	return NULL;
}

/* It is the thread's own: another one has no handler to set it for */
TEST(per_thread)
{
	setup();
	pthread_join(start(other_thread, NULL), NULL);
}

/* Signal handlers and their stack are not affected */
static volatile uintptr_t signal_sp;

static void note_signal_stack(int signal)
{
	signal_sp = (uintptr_t)__builtin_frame_address(0);
}

TEST(signals)
{
	setup();
	signal(SIGUSR1, note_signal_stack);
	WANT(uintr_alt_stack(stack + STACK_SIZE, STACK_SIZE, 0), 0);
	raise(SIGUSR1);
	WANT(on_stack(signal_sp), false);
	send_and_wait();
	WANT(on_stack(handler_sp), true);
}

/* Handler that goes on, on its stack, while it is interrupted itself */
static volatile uintptr_t inner_sp;
static volatile int outer_damage;

static void be_interrupted(void)
{
	volatile char mine[512];
	unsigned int i;

	for (i = 0; i < sizeof(mine); i++)
		mine[i] = 0x11;
	WANT(uintr_alt_stack(NULL, 0, 0), 0);
	_stui();
	_senduipi(1);
	SPIN_UNTIL(handled[4]);
	_clui();
	WANT(uintr_alt_stack(stack + STACK_SIZE, STACK_SIZE, 0), 0);
	for (i = 0; i < sizeof(mine); i++)
		outer_damage += mine[i] != 0x11;
}

static UINTR_HANDLER(nesting_handler, frame, vector)
{
	if (vector == 3) {
		be_interrupted();
		handler_sp = (uintptr_t)frame;
	} else {
		inner_sp = (uintptr_t)frame;
	}
	handled[vector]++;
}

/* STUI on it: fine if deliveries go below the stack pointer meanwhile */
TEST(nesting)
{
	int i;

	WANT(uintr_register_handler(nesting_handler, 0), 0);
	WANT(uintr_register_self(3, 0), 0);
	WANT(uintr_register_self(4, 0), 1);
	WANT(uintr_alt_stack(stack + STACK_SIZE, STACK_SIZE, 0), 0);
	for (i = 0; i < 20; i++) {
		handled[4] = 0;
		send_and_wait();
		WANT(outer_damage, 0);
		WANT(handler_sp + 24, (uintptr_t)stack + STACK_SIZE);
		WANT(on_stack(inner_sp) && inner_sp < handler_sp, true);
	}
}

/*
 * Signal handler that is interrupted by a user interrupt, whose handler gets
 * another signal
 */
static char signal_stack[STACK_SIZE] __attribute__((aligned(64)));
static volatile uintptr_t outer_sp;
static volatile int inner_signals;

static bool on_signal_stack(uintptr_t sp)
{
	return sp >= (uintptr_t)signal_stack &&
	       sp < (uintptr_t)signal_stack + STACK_SIZE;
}

static void inner_signal(int signal)
{
	signal_sp = (uintptr_t)__builtin_frame_address(0);
	inner_signals++;
}

static UINTR_HANDLER(raise_handler, frame, vector)
{
	handler_sp = (uintptr_t)frame;
	WANT(syscall(SYS_tgkill, getpid(), gettid(), SIGUSR2), 0);
	handled[vector]++;
}

static void outer_signal(int signal)
{
	volatile char mine[3000];
	unsigned int i;

	outer_sp = (uintptr_t)__builtin_frame_address(0);
	for (i = 0; i < sizeof(mine); i++)
		mine[i] = 0x11;
	send_and_wait();
	for (i = 0; i < sizeof(mine); i++)
		outer_damage += mine[i] != 0x11;
}

static void setup_signals(size_t size, int outer_flags, int inner_flags)
{
	stack_t s = { .ss_sp = signal_stack, .ss_size = STACK_SIZE };
	struct sigaction outer = {
		.sa_handler = outer_signal, .sa_flags = outer_flags,
	};
	struct sigaction inner = {
		.sa_handler = inner_signal, .sa_flags = inner_flags,
	};

	WANT(sigaltstack(&s, NULL), 0);
	WANT(sigaction(SIGUSR1, &outer, NULL), 0);
	WANT(sigaction(SIGUSR2, &inner, NULL), 0);
	WANT(uintr_register_handler(raise_handler, 0), 0);
	WANT(uintr_register_self(3, 0), 0);
	WANT(uintr_alt_stack(stack + STACK_SIZE, size, 0), 0);
}

static void want_both_intact(void)
{
	int i;

	for (i = 1; i <= 20; i++) {
		raise(SIGUSR1);
		WANT(inner_signals, i);
		WANT(outer_damage, 0);
		WANT(on_stack(handler_sp), true);
	}
}

/* Signal stack in use below it: the next signal goes on there */
TEST(KA2_signal_stack_in_use)
{
	setup_signals(STACK_SIZE, SA_ONSTACK, SA_ONSTACK);
	want_both_intact();
	WANT(on_signal_stack(outer_sp), true);
	WANT(on_signal_stack(signal_sp) && signal_sp < outer_sp, true);
}

/* The same when nobody has told the size */
TEST(KA2_signal_stack_in_use_no_size)
{
	setup_signals(0, SA_ONSTACK, SA_ONSTACK);
	want_both_intact();
	WANT(on_signal_stack(signal_sp) && signal_sp < outer_sp, true);
}

/* Signal stack not in use below it: a signal starts at its top, as ever */
TEST(signal_stack_free)
{
	setup_signals(STACK_SIZE, 0, SA_ONSTACK);
	want_both_intact();
	WANT(on_signal_stack(outer_sp), false);
	WANT(on_signal_stack(signal_sp), true);
	WANT(signal_sp + 16384 > (uintptr_t)signal_stack + STACK_SIZE, true);
}

/* Signal that does not ask for its stack gets the one in use */
TEST(signal_stack_not_wanted)
{
	setup_signals(STACK_SIZE, SA_ONSTACK, 0);
	want_both_intact();
	WANT(on_stack(signal_sp), true);
}

TEST_HARNESS_MAIN
