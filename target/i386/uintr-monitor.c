// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * User interrupts: what the monitor shows
 */

#include "qemu/osdep.h"
#include "cpu.h"
#include "hw/core/cpu.h"
#include "monitor/hmp-target.h"
#include "monitor/monitor.h"

/*
 * A posted vector need not be notified (ON or SN was set), a notification may
 * collect several vectors, and one vector that is posted twice before it is
 * delivered is delivered once.  So the numbers differ, and nothing is lost.
 *
 * The vCPUs run meanwhile: a line is not a moment in time.
 */
void hmp_info_uintr(Monitor *mon, const QDict *qdict)
{
    CPUState *cs;

    CPU_FOREACH(cs) {
        CPUX86State *env = cpu_env(cs);

        if (!(env->features[FEAT_7_0_EDX] & CPUID_7_0_EDX_UINTR)) {
            monitor_printf(mon, "No user interrupts: use -cpu max,+uintr\n");
            return;
        }
        monitor_printf(mon, "CPU#%d: CR4.UINTR=%d UIF=%d UIRR=%016" PRIx64
                       " UINV=%02x UITTSZ=%u\n"
                       "  HANDLER=%016" PRIx64 " STACKADJUST=%016" PRIx64
                       " PD=%016" PRIx64 " TT=%016" PRIx64 "\n"
                       "  posted=%" PRIu64 " notified=%" PRIu64
                       " taken=%" PRIu64 " delivered=%" PRIu64 "\n",
                       cs->cpu_index, !!(env->cr[4] & CR4_UINTR_MASK),
                       env->uintr.uif, env->uintr.rr,
                       (unsigned)extract64(env->uintr.misc, 32, 8),
                       (unsigned)extract64(env->uintr.misc, 0, 32),
                       env->uintr.handler, env->uintr.stack_adjust,
                       env->uintr.pd, env->uintr.tt,
                       env->uintr.posted, env->uintr.notified,
                       env->uintr.taken, env->uintr.delivered);
    }
}
