// SPDX-License-Identifier: GPL-2.0
/*
 * User interrupts: an fd that stands for the target table of a process.
 * Another process that has the fd can take the table as its own, and then
 * send to the same targets by the same indexes.
 */

#include <linux/anon_inodes.h>
#include <linux/fs.h>

#include "uintr.h"

static int ipi_fd_release(struct inode *inode, struct file *file)
{
	uintr_uitt_put(file->private_data);
	return 0;
}

static long ipi_fd_ioctl(struct file *file, unsigned int cmd,
			 unsigned long arg)
{
	if (cmd != UIPI_SET_TARGET_TABLE)
		return -EINVAL;

	return uintr_uitt_adopt(file->private_data);
}

static const struct file_operations ipi_fd_fops = {
	.release	= ipi_fd_release,
	.unlocked_ioctl	= ipi_fd_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.llseek		= noop_llseek,
};

/* Return: the fd, -ENOMEM, or what the file system layer has to say */
int uintr_ipi_fd_create(void)
{
	struct uintr_uitt *uitt = uintr_uitt_get_current();
	int fd;

	if (!uitt)
		return -ENOMEM;

	fd = anon_inode_getfd("[uipi_fd]", &ipi_fd_fops, uitt,
			      O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		uintr_uitt_put(uitt);

	return fd;
}
