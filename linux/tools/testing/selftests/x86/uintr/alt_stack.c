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
	WANT(uintr_alt_stack(stack + STACK_SIZE - 8, 0, 0), 0);
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

TEST_HARNESS_MAIN
