// SPDX-License-Identifier: GPL-2.0
/*
 * User interrupts: the target table of a process. What its entries stand for
 * is in sender.c.
 *
 * SENDUIPI reads an entry of the table and then writes to the UPID that it
 * found there, all in one instruction in user mode. An entry can be cleared
 * by any CPU while others execute that instruction, so between clearing an
 * entry and reusing it, or freeing the UPID, every CPU that can be in the
 * instruction must have left it, see uintr_uitt_synchronize().
 *
 * The table itself belongs to the processes that use it, normally one, and to
 * the fds that stand for it. A thread may still have its address in the
 * registers or in its image when they have all gone, but it never returns to
 * user mode before uintr_exit() has dropped it.
 */

#include <linux/mm_types.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/smp.h>

#include <asm/ptrace.h>
#include <asm/uintr.h>

#include "uintr.h"
#include "uitt.h"

static struct uintr_uitt *uitt_alloc(void)
{
	struct uintr_uitt *uitt;

	BUILD_BUG_ON(sizeof(*uitt->table) * UINTR_NR_SENDERS > PAGE_SIZE);

	uitt = kzalloc(sizeof(*uitt), GFP_KERNEL_ACCOUNT);
	if (!uitt)
		return NULL;
	uitt->table = uintr_page_alloc();
	if (!uitt->table) {
		kfree(uitt);
		return NULL;
	}
	refcount_set(&uitt->refs, 1);
	uitt->owner = current->mm;
	mutex_init(&uitt->lock);
	raw_spin_lock_init(&uitt->post_lock);
	return uitt;
}

/* Nobody has it any more. */
void uintr_uitt_free(struct uintr_uitt *uitt)
{
	uintr_page_free(uitt->table);
	kfree(uitt);
}

/* The table of an mm, which another thread may just have made; or NULL */
struct uintr_uitt *uintr_uitt_of(struct mm_struct *mm)
{
	/* Pairs with uintr_uitt_create(): what is behind it is complete. */
	return smp_load_acquire(&mm->context.uitt);
}

/* Get the table of the current process, allocate it if there is none. */
struct uintr_uitt *uintr_uitt_create(void)
{
	struct mm_struct *mm = current->mm;
	struct uintr_uitt *uitt, *other;

	uitt = uintr_uitt_of(mm);
	if (uitt)
		return uitt;
	uitt = uitt_alloc();
	if (!uitt)
		return NULL;

	/* Another thread may be faster. Pairs with uintr_uitt_of(). */
	other = cmpxchg(&mm->context.uitt, NULL, uitt);
	if (!other)
		return uitt;
	uintr_uitt_free(uitt);
	return other;
}

/* Has the current process made the table, and not adopted it? */
bool uintr_uitt_is_own(struct uintr_uitt *uitt)
{
	return READ_ONCE(uitt->owner) == current->mm;
}

/* What the registers have to hold for the table to be used. */
static u64 uitt_addr(struct uintr_uitt *uitt)
{
	return (unsigned long)uitt->table | UINTR_STATE_TT_ENABLE;
}

/* Let current execute SENDUIPI with this table. */
int uintr_uitt_use(struct uintr_uitt *uitt)
{
	struct uintr_state *state;

	if (uintr_task_alloc())
		return -ENOMEM;

	state = uintr_edit_state();
	state->uitt_addr = uitt_addr(uitt);
	state->uitt_size = UINTR_NR_SENDERS - 1;

	return 0;
}

static bool uitt_is_loaded(int cpu, void *uitt)
{
	return READ_ONCE(per_cpu(uintr_loaded_table, cpu)) == uitt_addr(uitt);
}

static void uitt_interrupt(void *unused)
{
}

/*
 * Wait until no CPU uses an entry of the table that has been invalidated.
 *
 * A CPU takes an interrupt only between instructions, so one that has taken
 * ours has left the SENDUIPI that may have read the entry; and on this CPU we
 * are in the kernel. All others do not have the table in their registers, and
 * are left alone:
 *
 *	here				uintr_load() there
 *	1 entry = invalid		1 uintr_loaded_table = table
 *	  smp_mb()			  smp_mb()
 *	2 read uintr_loaded_table	2 SENDUIPI reads the entry
 *
 * It is not possible that both 2 come before the 1 of the other side: either
 * we find the table loaded, or SENDUIPI finds the entry invalid. uintr_save()
 * clears uintr_loaded_table when the table has left the registers, so whoever
 * finds it cleared finds all done that was sent there. tests/models of the
 * emulator's tree has that as a model.
 *
 * An RCU grace period would not do: a nohz_full CPU counts as quiescent in
 * user mode without leaving it.
 */
void uintr_uitt_synchronize(struct uintr_uitt *uitt)
{
	/* The entry is invalid before we look for those who have the table. */
	smp_mb();
	on_each_cpu_cond(uitt_is_loaded, uitt_interrupt, uitt, true);
}

/**
 * uintr_fixup_invalid_op - #UD in user mode may be a missing target table
 * @regs:	where it happened
 *
 * The process may have got its table from another thread, or after this
 * thread was last in user mode; or its state is in memory, and what was a
 * system call to be restarted has become SENDUIPI. There is no need to look at
 * the instruction: with the table loaded it either works now or faults again.
 *
 * Return: true to execute the instruction again
 */
bool uintr_fixup_invalid_op(struct pt_regs *regs)
{
	struct uintr_uitt *uitt;
	struct uintr_task *u;
	bool loaded;

	if (!cpu_feature_enabled(X86_FEATURE_UINTR) || !user_mode(regs))
		return false;
	if (uintr_cancel_restart())
		return true;

	uitt = uintr_uitt_of(current->mm);
	u = current->thread.uintr;
	if (!uitt || (u && u->x.state.uitt_addr))
		return false;

	local_irq_enable();
	loaded = !uintr_uitt_use(uitt);
	local_irq_disable();

	return loaded;
}

/**
 * uintr_uitt_get_current - share the table of the current process
 *
 * Return: the table, allocated if there was none, with one more reference, or
 * NULL if there is no memory
 */
struct uintr_uitt *uintr_uitt_get_current(void)
{
	struct uintr_uitt *uitt = uintr_uitt_create();

	if (uitt)
		refcount_inc(&uitt->refs);
	return uitt;
}

/**
 * uintr_uitt_adopt - let the current process use the table of another
 * @uitt:	the table
 *
 * It can send by it, but not change it: an index stays what its owner has made
 * it.
 *
 * Return: 0, -EBUSY if the process has a table, or -ENOMEM
 */
int uintr_uitt_adopt(struct uintr_uitt *uitt)
{
	if (uintr_task_alloc())
		return -ENOMEM;

	/* For the process; the caller has another one. */
	refcount_inc(&uitt->refs);
	/* As in uintr_uitt_create(). */
	if (cmpxchg(&current->mm->context.uitt, NULL, uitt)) {
		refcount_dec(&uitt->refs);
		return -EBUSY;
	}
	return uintr_uitt_use(uitt);
}

void uintr_init_mm(struct mm_struct *mm)
{
	mm->context.uitt = NULL;
}
