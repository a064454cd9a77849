// SPDX-License-Identifier: GPL-2.0
/*
 * User interrupts: what /proc tells. There are no kernel addresses in it.
 */

#include <linux/proc_fs.h>
#include <linux/ptrace.h>
#include <linux/sched/task.h>
#include <linux/seq_file.h>

#include <asm/cpufeature.h>
#include <asm/uintr.h>

#include "uintr.h"

/* The lines of one kind, for all CPUs: offset is that of the counter. */
static const struct {
	const char	*name;
	const char	*text;
	size_t		offset;
} uintr_lines[] = {
	{ "UIN", "User interrupt notifications without a live receiver",
	  offsetof(struct uintr_counts, spurious) },
	{ "UIW", "User interrupt wake-ups",
	  offsetof(struct uintr_counts, wakes) },
	{ "UIP", "User interrupts posted by the kernel",
	  offsetof(struct uintr_counts, posts) },
	{ "UIM", "User interrupts merged on return to user mode",
	  offsetof(struct uintr_counts, merges) },
};

/* Lines of /proc/interrupts */
void uintr_show_interrupts(struct seq_file *m, int prec)
{
	int i, cpu;

	if (!cpu_feature_enabled(X86_FEATURE_UINTR))
		return;

	for (i = 0; i < ARRAY_SIZE(uintr_lines); i++) {
		seq_printf(m, "%*s: ", prec, uintr_lines[i].name);
		for_each_online_cpu(cpu)
			seq_printf(m, "%10u ",
				   *(unsigned int *)((char *)per_cpu_ptr(&uintr_counts, cpu) +
						     uintr_lines[i].offset));
		seq_printf(m, "  %s\n", uintr_lines[i].text);
	}
}

static void show_receiver(struct seq_file *m, struct task_struct *tsk,
			  struct uintr_task *u)
{
	bool saved = test_tsk_thread_flag(tsk, TIF_UINTR);
	/* Pairs with uintr_receiver_register(). */
	struct uintr_receiver *receiver = smp_load_acquire(&u->receiver);

	seq_printf(m, "uintr_handler:\t%s\n", receiver ? "yes" : "no");
	if (!receiver)
		return;

	seq_printf(m, "uintr_flags:\t%#x\n", u->flags);
	seq_printf(m, "uintr_vectors:\t%016lx\n",
		   READ_ONCE(receiver->vectors));
	if (u->tick.period)
		seq_printf(m, "uintr_tick:\tvector %u period %llu next %lld\n",
			   u->tick.vector, u->tick.period,
			   ktime_to_ns(hrtimer_get_expires(&u->tick.timer)));
	seq_printf(m, "uintr_posted:\t%016llx\n",
		   READ_ONCE(receiver->upid->pir));
	/* The rest is in the registers of a CPU unless it is saved. */
	if (!saved) {
		seq_puts(m, "uintr_state:\tlive\n");
		return;
	}
	seq_printf(m, "uintr_state:\t%s\n",
		   READ_ONCE(u->armed) ? "armed" : "saved");
	seq_printf(m, "uintr_pending:\t%016llx\n", u->x.state.uirr);
	seq_printf(m, "uintr_uif:\t%d\n",
		   !!(u->x.state.flags & UINTR_STATE_UIF));
}

/**
 * uintr_show_status - lines of /proc/PID/arch_status
 * @m:		the file
 * @tsk:	whose it is
 *
 * Nothing for who does not use the feature. Others must not see when and for
 * what somebody is interrupted, so it takes what /proc/PID/syscall takes. An
 * error is better than no lines, which would say that there is no handler.
 *
 * Return: 0, or -EACCES
 */
int uintr_show_status(struct seq_file *m, struct task_struct *tsk)
{
	struct uintr_task *u;
	bool allowed;

	if (!cpu_feature_enabled(X86_FEATURE_UINTR))
		return 0;
	allowed = ptrace_may_access(tsk, PTRACE_MODE_ATTACH_FSCREDS);

	/* Who exits or unregisters its handler has to wait; and tsk->mm stays. */
	task_lock(tsk);
	/* Pairs with uintr_task_alloc(). */
	u = smp_load_acquire(&tsk->thread.uintr);
	if (u && allowed) {
		show_receiver(m, tsk, u);
		seq_printf(m, "uintr_senders:\t%u\n",
			   tsk->mm ? uintr_count_senders(tsk->mm) : 0);
	}
	task_unlock(tsk);

	return u && !allowed ? -EACCES : 0;
}
