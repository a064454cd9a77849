/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _X86_KERNEL_UINTR_UITT_H
#define _X86_KERNEL_UINTR_UITT_H

/* User interrupts: what uitt.c and sender.c share. */

#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>

#include "uintr.h"

struct uintr_sender;

/**
 * struct uintr_uitt - target table
 * @refs:	of processes and ipi fds, and of uintr_disconnect()
 * @owner:	the process that made it and that alone can change it, NULL
 *		when that is gone
 * @lock:	protects all that follows
 * @table:	what the CPUs read
 * @senders:	the connections behind its entries; changed with @post_lock,
 *		too, which alone is enough to post by one
 * @post_lock:	a raw lock: inside it the receiver is woken
 */
struct uintr_uitt {
	refcount_t		refs;
	struct mm_struct	*owner;
	struct mutex		lock;
	struct uintr_uitt_entry	*table;
	struct uintr_sender	*senders[UINTR_NR_SENDERS];
	raw_spinlock_t		post_lock;
};

struct uintr_uitt *uintr_uitt_of(struct mm_struct *mm);
struct uintr_uitt *uintr_uitt_create(void);
void uintr_uitt_free(struct uintr_uitt *uitt);
bool uintr_uitt_is_own(struct uintr_uitt *uitt);
int uintr_uitt_use(struct uintr_uitt *uitt);
void uintr_uitt_synchronize(struct uintr_uitt *uitt);

#endif /* _X86_KERNEL_UINTR_UITT_H */
