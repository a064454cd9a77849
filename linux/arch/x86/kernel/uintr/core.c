// SPDX-License-Identifier: GPL-2.0
/*
 * User interrupts: CPU setup, the notification vector, the system calls.
 */

#define pr_fmt(fmt) "x86/uintr: " fmt

#include <linux/file.h>
#include <linux/init.h>
#include <linux/syscalls.h>

#include <asm/apic.h>
#include <asm/cpufeature.h>
#include <asm/fpu/xstate.h>
#include <asm/hardirq.h>
#include <asm/idtentry.h>
#include <asm/processor.h>
#include <asm/tlbflush.h>
#include <asm/uintr.h>

#include "uintr.h"

static int __init nouintr_setup(char *arg)
{
	/* Leave "nouintrsomething" to whoever it belongs to. */
	if (strlen(arg))
		return 0;

	if (boot_cpu_has(X86_FEATURE_UINTR)) {
		setup_clear_cpu_cap(X86_FEATURE_UINTR);
		pr_info("disabled by \"nouintr\"\n");
	}
	return 1;
}
__setup("nouintr", nouintr_setup);

/* Say why if the kernel cannot use what the CPU has. */
static bool uintr_usable(void)
{
	u32 size, ebx, ecx, edx, supervisor;

	if (cpu_feature_enabled(X86_FEATURE_PTI)) {
		pr_warn("not available with page-table isolation, boot with \"nopti\" to use it\n");
		return false;
	}

	cpuid_count(XSTATE_CPUID, 1, &size, &ebx, &supervisor, &edx);
	cpuid_count(XSTATE_CPUID, XFEATURE_UINTR, &size, &ebx, &ecx, &edx);
	if (!(supervisor & XFEATURE_MASK_UINTR) ||
	    size != sizeof(struct uintr_state)) {
		pr_warn("not available, the CPU has no XSAVES component for it\n");
		return false;
	}

	return true;
}

/* Called on every CPU that comes online, on the boot CPU first. */
void setup_uintr(struct cpuinfo_x86 *c)
{
	if (!cpu_has(c, X86_FEATURE_UINTR))
		return;

	if (c == &boot_cpu_data && !uintr_usable()) {
		setup_clear_cpu_cap(X86_FEATURE_UINTR);
		return;
	}
	cr4_set_bits(X86_CR4_UINTR);
}

static int __init uintr_init(void)
{
	if (cpu_feature_enabled(X86_FEATURE_UINTR)) {
		uintr_state_init();
		pr_info("user interrupts enabled\n");
	}
	return 0;
}
early_initcall(uintr_init);

/*
 * A notification whose receiver has left this CPU, or has been saved and not
 * yet been loaded again. It is not lost: the receiver's next uintr_load()
 * clears ON and collects what was posted.
 */
DEFINE_IDTENTRY_SYSVEC_SIMPLE(sysvec_uintr_notification)
{
	apic_eoi();
	inc_irq_stat(uintr_notification_count);
}

/**
 * sys_uintr_register_handler - receive user interrupts in this thread
 * @handler:	where they are delivered
 * @flags:	must be 0
 */
SYSCALL_DEFINE2(uintr_register_handler, u64, handler, unsigned int, flags)
{
	if (!cpu_feature_enabled(X86_FEATURE_UINTR))
		return -EOPNOTSUPP;
	if (flags)
		return -EINVAL;
	if (!handler || handler >= TASK_SIZE_MAX)
		return -EFAULT;

	return uintr_receiver_register(handler);
}

/**
 * sys_uintr_unregister_handler - receive no more user interrupts
 * @flags:	must be 0
 */
SYSCALL_DEFINE1(uintr_unregister_handler, unsigned int, flags)
{
	if (!cpu_feature_enabled(X86_FEATURE_UINTR))
		return -EOPNOTSUPP;
	if (flags || !uintr_current_receiver())
		return -EINVAL;

	uintr_receiver_unregister();
	return 0;
}

/**
 * sys_uintr_create_fd - make an fd for a vector of this thread
 * @vector:	0..63
 * @flags:	must be 0
 */
SYSCALL_DEFINE2(uintr_create_fd, u64, vector, unsigned int, flags)
{
	struct uintr_receiver *receiver = uintr_current_receiver();

	if (!cpu_feature_enabled(X86_FEATURE_UINTR))
		return -EOPNOTSUPP;
	if (flags || !receiver)
		return -EINVAL;
	if (vector >= UINTR_NR_VECTORS)
		return -ENOSPC;

	return uintr_fd_create(receiver, vector);
}

/**
 * sys_uintr_register_sender - allow this process to send to a vector
 * @fd:		what uintr_create_fd() returned to the receiver
 * @flags:	must be 0
 */
SYSCALL_DEFINE2(uintr_register_sender, int, fd, unsigned int, flags)
{
	struct uintr_fd *ufd;

	if (!cpu_feature_enabled(X86_FEATURE_UINTR))
		return -EOPNOTSUPP;
	if (flags)
		return -EINVAL;

	CLASS(fd, f)(fd);
	if (!fd_file(f))
		return -EBADF;
	ufd = uintr_fd_from_file(fd_file(f));
	if (!ufd)
		return -EOPNOTSUPP;

	return uintr_sender_register(ufd);
}

/**
 * sys_uintr_unregister_sender - give a connection up
 * @fd:		the fd it was made through, or its index
 * @flags:	must be 0
 *
 * Older programs pass the fd, newer ones the index. A uintr fd through which
 * this process is connected goes first, anything else is an index. Only if
 * it is not a valid one either the errors of the fd are reported.
 */
SYSCALL_DEFINE2(uintr_unregister_sender, int, fd, unsigned int, flags)
{
	struct uintr_fd *ufd = NULL;

	if (!cpu_feature_enabled(X86_FEATURE_UINTR))
		return -EOPNOTSUPP;
	if (flags)
		return -EINVAL;

	CLASS(fd, f)(fd);
	if (fd_file(f))
		ufd = uintr_fd_from_file(fd_file(f));
	if (!uintr_sender_unregister(ufd, fd))
		return 0;

	if (!fd_file(f))
		return -EBADF;
	return ufd ? -EINVAL : -EOPNOTSUPP;
}
