// SPDX-License-Identifier: GPL-2.0
/*
 * User interrupts: switching the register state.
 *
 * TIF_UINTR set means: the state of this thread is in memory, and has to be
 * loaded before the thread returns to user mode, unless the first instruction
 * there is a system call that is restarted. Three invariants hold:
 *
 *  I1 UINV is not 0 only while the registers hold the state of current and
 *     TIF_UINTR is clear; the image in memory is stale then.
 *  I2 Else the registers hold the init state: no table, nothing pending.
 *  I3 In user mode UIF is always that of the thread, and is taken from it when
 *     it leaves the CPU, even if that is all there is in the registers:
 *     - STUI may come before the registration, and then no image exists.
 *       TIF_UINTR without a uintr_task stands for a state in which only UIF is
 *       set.
 *     - Where a system call is to be restarted may be any instructions by now;
 *       the memory they are in belongs to others, too.
 *
 * The image is changed only by its own thread, so it needs no lock.
 */

#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/task_work.h>
#include <linux/thread_info.h>
#include <linux/uintr.h>
#include <trace/events/ipi.h>

#include <asm/asm.h>
#include <asm/fpu/xstate.h>
#include <asm/msr.h>
#include <asm/ptrace.h>
#include <asm/syscall.h>
#include <asm/tlbflush.h>
#include <asm/uintr.h>

#include "trace.h"
#include "uintr.h"

DEFINE_PER_CPU(u64, uintr_loaded_table);

static struct kmem_cache *uintr_task_cache __ro_after_init;

/* Compacted format, and no component in it: XRSTORS loads the init state. */
static struct uintr_xstate uintr_init_xstate __ro_after_init = {
	.header.xcomp_bv = XCOMP_BV_COMPACTED_FORMAT | XFEATURE_MASK_UINTR,
};

void __init uintr_state_init(void)
{
	uintr_task_cache = KMEM_CACHE(uintr_task, SLAB_PANIC | SLAB_ACCOUNT);
}

/* Spelled in bytes for binutils before 2.36. */
static __always_inline bool uintr_testui(void)
{
	bool uif;

	asm volatile(".byte 0xf3, 0x0f, 0x01, 0xed" CC_SET(c)
		     : CC_OUT(c) (uif) : : "memory");
	return uif;
}

static __always_inline void uintr_clui(void)
{
	asm volatile(".byte 0xf3, 0x0f, 0x01, 0xee" : : : "memory");
}

static __always_inline void uintr_stui(void)
{
	asm volatile(".byte 0xf3, 0x0f, 0x01, 0xef" : : : "memory");
}

/**
 * uintr_init_cpu - turn user interrupts on, on a CPU that comes online
 *
 * A kernel that ran before this one, and ended by kexec or a crash, may have
 * left anything in the registers: INIT does not clear them. With CR4.UINTR set
 * a stale UINV and UPIDADDR would let notifications write to memory.
 */
void uintr_init_cpu(void)
{
	int msr;

	for (msr = MSR_IA32_UINTR_FIRST; msr <= MSR_IA32_UINTR_LAST; msr++)
		wrmsrl(msr, 0);
	cr4_set_bits(X86_CR4_UINTR);
	uintr_clui();
}

/**
 * uintr_is_live - can this CPU process notifications?
 *
 * Return: true if the registers hold the state of current, and UINV is set
 */
bool uintr_is_live(void)
{
	u32 size, uinv;

	rdmsr(MSR_IA32_UINTR_MISC, size, uinv);
	return uinv & 0xff;
}

/* Take UIF out of the registers that hold nothing else. */
static void uintr_save_uif(struct uintr_task *u)
{
	bool uif = uintr_testui();

	if (uif)
		uintr_clui();

	if (!u) {
		if (uif)
			set_thread_flag(TIF_UINTR);
	} else if (u->uif_live) {
		u->uif_live = false;
		u->x.state.flags = uif ? UINTR_STATE_UIF : 0;
	}
}

/*
 * Take the state of current out of the registers. Preemption must be off.
 * From here on the image is valid, notifications of the thread come through
 * the IDT and are only counted, and senders stop to notify when they see SN.
 */
static void uintr_save(void)
{
	struct uintr_task *u = current->thread.uintr;

	if (!u || test_thread_flag(TIF_UINTR)) {
		uintr_save_uif(u);
		return;
	}

	uintr_tick_stop(u);
	/* This also clears UINV, without which XRSTORS would fault. */
	xsaves(&u->x.xregs, XFEATURE_MASK_UINTR);
	/* A component in its init state is not stored. */
	if (!(u->x.header.xfeatures & XFEATURE_MASK_UINTR))
		memset(&u->x.state, 0, sizeof(u->x.state));
	xrstors(&uintr_init_xstate.xregs, XFEATURE_MASK_UINTR);
	/* What was sent from here is done, see uintr_uitt_synchronize(). */
	smp_store_release(this_cpu_ptr(&uintr_loaded_table), 0);

	set_thread_flag(TIF_UINTR);
	if (u->receiver)
		uintr_upid_set_silent(u->receiver->upid);
}

/*
 * Can a user interrupt end the system call that current is in? Only if there
 * is one, not if a page fault sleeps: the handler's stack may be what it is
 * about. And only if the handler can run in the end, or the program wants to
 * know that it would have to.
 */
static bool uintr_may_end_syscall(struct uintr_task *u)
{
	struct pt_regs *regs = task_pt_regs(current);

	return (u->flags & UINTR_HANDLER_FLAG_WAITING_ANY) &&
	       ((u->x.state.flags & UINTR_STATE_UIF) ||
		(u->flags & UINTR_HANDLER_FLAG_WAITING_MASKED)) &&
	       syscall_get_nr(current, regs) != -1 && user_64bit_mode(regs);
}

/*
 * Does a user interrupt have to wake current, which is about to leave the
 * CPU? A thread that is preempted on its way to sleep counts as asleep: at
 * worst it is woken before it sleeps. One that waits for a lock on PREEMPT_RT
 * does not, but leaves the CPU once more when it really goes to sleep.
 *
 * One that has been woken is not woken again before it has been in user mode.
 * If it sleeps again, as in the freezer, it does so for a reason.
 */
static bool uintr_may_wake(struct uintr_task *u)
{
	if (!u->receiver || READ_ONCE(u->kicked) ||
	    !(READ_ONCE(current->__state) & TASK_INTERRUPTIBLE))
		return false;

	return u->waiting || uintr_may_end_syscall(u);
}

/* See uintr_switch_out(). */
void uintr_sched_out(void)
{
	struct uintr_task *u = current->thread.uintr;

	uintr_save();
	if (u && uintr_may_wake(u))
		uintr_arm(u);
}

/*
 * The thread was woken, and may have come here without a look at the flag
 * that ended its sleep. The next system call must not end because of it. But
 * whoever wants task work to be done relies on the flag, and finding it set
 * did not interrupt this CPU.
 */
static void uintr_forget_kick(struct uintr_task *u)
{
	u->kicked = false;
	clear_thread_flag(TIF_NOTIFY_SIGNAL);
	/* Pairs with task_work_add(), which sets the flag after adding. */
	smp_mb__after_atomic();
	if (task_work_pending(current)) {
		set_thread_flag(TIF_NOTIFY_SIGNAL);
		/* Is taken when interrupts are on, in user mode. */
		preempt_disable();
		smp_send_reschedule(smp_processor_id());
		preempt_enable();
	}
}

/* Nothing wakes current any more. For its own uintr_task only. */
void uintr_stop_waiting(struct uintr_task *u)
{
	uintr_disarm(u);
	if (u->kicked)
		uintr_forget_kick(u);
}

/*
 * Does current return to user mode only to execute a system call once more? A
 * handler that ran before it would leave nothing that ends the call, or might
 * overwrite the restart block. So the state stays in memory, where the call
 * will find what is posted. If there is no system call any more the next
 * interrupt or fault at another instruction has the state loaded. All that an
 * instruction can change until then is UIF.
 */
static bool uintr_restarts_syscall(struct uintr_task *u)
{
	/* It may have been there already, without leaving the CPU since. */
	uintr_save_uif(u);
	if (task_pt_regs(current)->ip != u->restart_ip) {
		u->restart_ip = 0;
		return false;
	}
	u->uif_live = true;
	if (u->x.state.flags & UINTR_STATE_UIF)
		uintr_stui();
	return true;
}

/**
 * uintr_cancel_restart - what current is about to execute is no system call
 *
 * Return: true if it was taken for one that is to be restarted
 */
bool uintr_cancel_restart(void)
{
	struct uintr_task *u = current->thread.uintr;

	if (!u || !u->restart_ip)
		return false;

	uintr_edit_state();
	u->restart_ip = 0;
	return true;
}

/**
 * uintr_load - load the state of current before it returns to user mode
 *
 * Interrupts are off and stay off until the CPU is in user mode, so the CPU
 * cannot process a notification here. What was posted before
 * uintr_upid_set_live() is merged into UIRR by software; what is posted after
 * it raises a notification that this CPU accepts in user mode.
 */
void uintr_load(void)
{
	struct uintr_task *u = current->thread.uintr;
	u64 posted;

	if (!u) {
		clear_thread_flag(TIF_UINTR);
		uintr_stui();
		return;
	}

	if (u->receiver) {
		uintr_stop_waiting(u);
		if (u->restart_ip && uintr_restarts_syscall(u))
			return;
		posted = uintr_upid_set_live(u->receiver->upid);
		if (posted) {
			this_cpu_inc(uintr_counts.merges);
			trace_uintr_merge(u->x.state.uirr, posted);
		}
		u->x.state.uirr |= posted;
		uintr_tick_start(u);
	}
	clear_thread_flag(TIF_UINTR);
	if (u->x.state.uitt_addr) {
		this_cpu_write(uintr_loaded_table, u->x.state.uitt_addr);
		/* Before SENDUIPI reads the table, see uintr_uitt_synchronize(). */
		smp_mb();
	}
	u->x.header.xfeatures = XFEATURE_MASK_UINTR;
	xrstors(&u->x.xregs, XFEATURE_MASK_UINTR);
}

/**
 * uintr_end_syscall - end a system call that may be restarted
 * @regs:	of what a signal has interrupted
 *
 * If the handler of a user interrupt is about to run, the rules for the
 * handler of a signal hold, with UINTR_HANDLER_FLAG_RESTART in the place of
 * SA_RESTART. It may have come before the call went to sleep, or while the
 * thread was stopped, so that nobody had to be woken. And the handler of a
 * signal, with SA_RESTART, may be about to run as well.
 *
 * With UIF = 0 no handler runs, and the interrupt stays pending: a call that
 * is restarted would only be ended again, and so on for ever.
 *
 * Otherwise the call goes on as if nothing had been, see uintr_load().
 */
void uintr_end_syscall(struct pt_regs *regs)
{
	struct uintr_task *u = current->thread.uintr;

	if (!u || !u->receiver || syscall_get_nr(current, regs) == -1)
		return;

	switch (syscall_get_error(current, regs)) {
	case -ERESTARTSYS:
		if ((u->flags & UINTR_HANDLER_FLAG_RESTART) &&
		    (uintr_edit_state()->flags & UINTR_STATE_UIF))
			return;
		break;
	case -ERESTARTNOHAND:
	case -ERESTART_RESTARTBLOCK:
		break;
	default:
		return;
	}

	/* What is in the registers until now counts, too. */
	uintr_edit_state();
	if (READ_ONCE(u->kicked) ||
	    (uintr_may_end_syscall(u) && uintr_pending(u)))
		regs->ax = -EINTR;
	else
		u->restart_ip = regs->ip - 2;	/* SYSCALL, INT 80H, SYSENTER */
}

/**
 * uintr_interrupted - has a user interrupt woken current?
 *
 * For those who wait in a loop that clears TIF_NOTIFY_SIGNAL. They return
 * -EINTR then, and that needs the flag.
 */
bool uintr_interrupted(void)
{
	struct uintr_task *u = current->thread.uintr;

	if (!u || !READ_ONCE(u->kicked))
		return false;

	set_thread_flag(TIF_NOTIFY_SIGNAL);
	return true;
}

/**
 * uintr_in_handler - can current be in its handler?
 *
 * UIF is 0 there, but it may be 0 elsewhere.
 *
 * Return: true if it can
 */
bool uintr_in_handler(void)
{
	struct uintr_task *u = current->thread.uintr;

	if (!u || !u->receiver)
		return false;

	/* The state is either in the image or in the registers. */
	guard(preempt)();
	if (test_thread_flag(TIF_UINTR) && !u->uif_live)
		return !(u->x.state.flags & UINTR_STATE_UIF);
	return !uintr_testui();
}

/**
 * uintr_task_alloc - make sure that current has a uintr_task
 *
 * Return: 0 or -ENOMEM
 */
int uintr_task_alloc(void)
{
	struct uintr_task *u;

	if (current->thread.uintr)
		return 0;

	u = kmem_cache_zalloc(uintr_task_cache, GFP_KERNEL);
	if (!u)
		return -ENOMEM;
	u->x.header.xcomp_bv = uintr_init_xstate.header.xcomp_bv;
	u->task = current;
	uintr_tick_init(&u->tick);

	preempt_disable();
	/* Whoever had no image had no state, except for UIF (I3). */
	uintr_save();
	if (test_thread_flag(TIF_UINTR))
		u->x.state.flags = UINTR_STATE_UIF;
	set_thread_flag(TIF_UINTR);
	/* Pairs with uintr_show_status(). */
	smp_store_release(&current->thread.uintr, u);
	preempt_enable();

	return 0;
}

/**
 * uintr_save_current - take the state of current out of the registers
 *
 * It is loaded when current returns to user mode. For any context but NMI.
 */
void uintr_save_current(void)
{
	preempt_disable();
	uintr_save();
	preempt_enable();
}

/**
 * uintr_edit_state - get the state of current for changes
 *
 * The changes take effect when current, which must have a uintr_task,
 * returns to user mode.
 *
 * Return: the state in the image
 */
struct uintr_state *uintr_edit_state(void)
{
	uintr_save_current();
	return &current->thread.uintr->x.state;
}

/* A child inherits nothing, and its UIF is 0. */
void uintr_fork(struct task_struct *p)
{
	p->thread.uintr = NULL;
	clear_tsk_thread_flag(p, TIF_UINTR);
}

/* The thread exits or executes a new program. */
void uintr_exit(struct task_struct *tsk)
{
	struct uintr_task *u;

	/* A fork that fails also ends here. Its child has nothing yet. */
	if (!cpu_feature_enabled(X86_FEATURE_UINTR) || tsk != current)
		return;

	preempt_disable();
	uintr_save();
	u = current->thread.uintr;
	if (!u)
		clear_thread_flag(TIF_UINTR);
	preempt_enable();
	if (!u)
		return;

	/* For uintr_show_status() */
	task_lock(current);
	preempt_disable();
	current->thread.uintr = NULL;
	clear_thread_flag(TIF_UINTR);
	preempt_enable();
	task_unlock(current);

	if (u->receiver) {
		uintr_stop_waiting(u);
		uintr_receiver_kill(u->receiver);
	}
	kmem_cache_free(uintr_task_cache, u);
}
