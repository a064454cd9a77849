/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_UINTR_H
#define _LINUX_UINTR_H

/*
 * User interrupts sent by the kernel. A user passes an fd from
 * uintr_create_fd(); the kernel keeps the file and posts to it. The file does
 * not keep the receiver alive: a post to one that is gone has no effect.
 */

#include <linux/err.h>
#include <linux/types.h>

struct file;

#ifdef CONFIG_X86_USER_INTERRUPTS

struct file *uintr_fget(int fd);
void uintr_post(struct file *file);
bool uintr_interrupted(void);
bool uintr_in_handler(void);

#else

static inline struct file *uintr_fget(int fd)
{
	return ERR_PTR(-EINVAL);
}

static inline void uintr_post(struct file *file) { }

static inline bool uintr_interrupted(void)
{
	return false;
}

static inline bool uintr_in_handler(void)
{
	return false;
}

#endif /* CONFIG_X86_USER_INTERRUPTS */

#endif /* _LINUX_UINTR_H */
