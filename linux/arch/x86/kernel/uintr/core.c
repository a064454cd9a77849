// SPDX-License-Identifier: GPL-2.0
/*
 * User interrupts: CPU setup and the notification vector.
 */

#define pr_fmt(fmt) "x86/uintr: " fmt

#include <linux/init.h>

#include <asm/apic.h>
#include <asm/cpufeature.h>
#include <asm/fpu/xstate.h>
#include <asm/idtentry.h>
#include <asm/processor.h>
#include <asm/tlbflush.h>
#include <asm/uintr.h>

#include "uintr.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

DEFINE_PER_CPU(struct uintr_counts, uintr_counts);

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

	cpuid_count(XSTATE_CPUID, 1, &size, &ebx, &supervisor, &edx);
	cpuid_count(XSTATE_CPUID, XFEATURE_UINTR, &size, &ebx, &ecx, &edx);
	if (!(supervisor & XFEATURE_MASK_UINTR) ||
	    size != sizeof(struct uintr_state)) {
		pr_warn("not available, the CPU has no XSAVES component for it\n");
		return false;
	}
	/* For uintr_post_vector() */
	if (!system_has_cmpxchg128()) {
		pr_warn("not available, the CPU has no CMPXCHG16B\n");
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
	if (!cpu_feature_enabled(X86_FEATURE_UINTR))
		return 0;

	uintr_init_area();
	uintr_state_init();
	uintr_wait_init();
	pr_info("user interrupts enabled\n");
	return 0;
}
early_initcall(uintr_init);

/*
 * A notification whose receiver has left this CPU, or has been saved and not
 * yet been loaded again. It is not lost: the receiver's next uintr_load()
 * clears ON and collects what was posted, and so does whoever waits for it.
 */
DEFINE_IDTENTRY_SYSVEC_SIMPLE(sysvec_uintr_notification)
{
	apic_eoi();
	this_cpu_inc(uintr_counts.spurious);
	trace_uintr_spurious(smp_processor_id());
}
