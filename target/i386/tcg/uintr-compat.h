/*
 * User interrupts: where the releases of QEMU have what TCG's helpers need
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef I386_TCG_UINTR_COMPAT_H
#define I386_TCG_UINTR_COMPAT_H

#if QEMU_VERSION_MAJOR == 10 && QEMU_VERSION_MINOR == 0
#include "exec/cpu_ldst.h"
#include "exec/exec-all.h"
#include "system/cpu-timers.h"
#else
#include "accel/tcg/cpu-ldst.h"
#include "accel/tcg/probe.h"
#include "exec/icount.h"
#include "exec/target_page.h"
#include "exec/tlb-flags.h"
#include "exec/translation-block.h"
#endif
#if QEMU_VERSION_MAJOR >= 11
#include "accel/tcg/cpu-loop.h"
#endif

#endif
