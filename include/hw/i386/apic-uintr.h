/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The local APIC's part in user interrupts
 *
 * Each function runs in the thread of @cpu, and under the BQL where nothing
 * else is said.  A CPU without an APIC neither sends nor takes anything.
 */
#ifndef HW_I386_APIC_UINTR_H
#define HW_I386_APIC_UINTR_H

#include "target/i386/cpu-qom.h"

/**
 * apic_uintr_notify: send the IPI as if software had written ICR (7.7)
 */
void apic_uintr_notify(X86CPU *cpu, uint32_t ndst, uint8_t vector);

/**
 * apic_uintr_target: the vCPU to which apic_uintr_notify() would send
 *
 * Without the BQL, in an RCU read section.  Changes ICR as that does.  Returns
 * NULL, with nothing changed, if it is not simply one vCPU.
 */
X86CPU *apic_uintr_target(X86CPU *cpu, uint32_t ndst, uint8_t vector);

/**
 * apic_uintr_accept: set the bit of @vector in IRR
 */
void apic_uintr_accept(X86CPU *cpu, uint8_t vector);

/**
 * apic_uintr_acknowledge: acknowledge the next interrupt and write EOI (9.3)
 *
 * Returns false, with nothing changed, if it does not have this @vector.
 */
bool apic_uintr_acknowledge(X86CPU *cpu, uint8_t vector);

/**
 * apic_uintr_dispatchable: would the TPR and what is in service let @vector in?
 *
 * Without the BQL.
 */
bool apic_uintr_dispatchable(X86CPU *cpu, uint8_t vector);

#endif /* HW_I386_APIC_UINTR_H */
