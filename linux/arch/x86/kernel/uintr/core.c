// SPDX-License-Identifier: GPL-2.0
/*
 * User interrupts: CPU setup and the notification vector.
 */

#define pr_fmt(fmt) "x86/uintr: " fmt

#include <linux/init.h>
#include <linux/mm.h>
#include <linux/syscore_ops.h>
#include <linux/user_namespace.h>

#include <asm/apic.h>
#include <asm/cpufeature.h>
#include <asm/fpu/xstate.h>
#include <asm/idtentry.h>
#include <asm/processor.h>
#include <asm/uintr.h>

#include "uintr.h"

#define CPUID_7_EDX_UINTR	BIT(5)

#define CREATE_TRACE_POINTS
#include "trace.h"

DEFINE_PER_CPU(struct uintr_counts, uintr_counts);

/* Why the kernel does not use what the CPU has, if it is not XSAVES */
static const char *unused_reason;

static int __init nouintr_setup(char *arg)
{
	/* Leave "nouintrsomething" to whoever it belongs to. */
	if (strlen(arg))
		return 0;

	setup_clear_cpu_cap(X86_FEATURE_UINTR);
	unused_reason = "\"nouintr\" on the command line";
	return 1;
}
__setup("nouintr", nouintr_setup);

static bool uintr_usable(void)
{
	u32 size, ebx, ecx, edx, supervisor;

	cpuid_count(XSTATE_CPUID, 1, &size, &ebx, &supervisor, &edx);
	cpuid_count(XSTATE_CPUID, XFEATURE_UINTR, &size, &ebx, &ecx, &edx);
	if (!(supervisor & XFEATURE_MASK_UINTR) ||
	    size != sizeof(struct uintr_state))
		unused_reason = "the CPU has no XSAVES component for them";
	/* For uintr_upid_post() */
	else if (!system_has_cmpxchg128())
		unused_reason = "the CPU has no CMPXCHG16B";
	else
		return true;

	return false;
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
	uintr_init_cpu();
}

/* An erratum, or an option, may have taken XSAVES away, or just this feature. */
static void __init uintr_say_why_not(void)
{
	if (boot_cpu_data.cpuid_level < 7 || !(cpuid_edx(7) & CPUID_7_EDX_UINTR))
		return;

	if (!unused_reason)
		unused_reason = boot_cpu_has(X86_FEATURE_XSAVES) ?
				"switched off" : "the kernel does not use XSAVES";
	pr_info("user interrupts not used: %s\n", unused_reason);
}

/*
 * When this CPU is suspended, or another kernel is about to run on it, current
 * may be a receiver whose state is in the registers. All other threads are off
 * their CPUs, or never run again.
 */
static int uintr_suspend(void)
{
	uintr_save_current();
	return 0;
}

static struct syscore_ops uintr_syscore_ops = {
	.suspend	= uintr_suspend,
	.shutdown	= uintr_save_current,
};

/* As for inotify, a user can have so many that they take a few % of memory. */
static void __init uintr_init_limits(void)
{
	long max = clamp(totalram_pages() / 8, 8192, 1 << 20);

	init_user_ns.ucount_max[UCOUNT_UINTR_RECEIVERS] = max;
	init_user_ns.ucount_max[UCOUNT_UINTR_BINDINGS] = max;
}

static int __init uintr_init(void)
{
	if (!cpu_feature_enabled(X86_FEATURE_UINTR)) {
		uintr_say_why_not();
		return 0;
	}

	uintr_init_area();
	uintr_init_limits();
	uintr_state_init();
	register_syscore_ops(&uintr_syscore_ops);
	pr_info("user interrupts enabled\n");
	return 0;
}
early_initcall(uintr_init);

/*
 * A notification whose receiver has left this CPU, or has been saved and not
 * yet been loaded again. It is not lost: the receiver's next uintr_load()
 * clears ON and collects what was posted.
 *
 * There is one exception. While a VMX guest runs, its host's state is still
 * loaded, and an external interrupt ends the guest before its vector is looked
 * at. KVM, which has asked for the vector, then comes here. Nobody has cleared
 * ON, so no other notification would come. With the state in memory the thread
 * that is in KVM_RUN collects what was posted when it returns to user mode.
 */
DEFINE_IDTENTRY_SYSVEC_SIMPLE(sysvec_uintr_notification)
{
	apic_eoi();
	this_cpu_inc(uintr_counts.spurious);
	trace_uintr_spurious(smp_processor_id());
	if (uintr_is_live())
		uintr_save_current();
}
