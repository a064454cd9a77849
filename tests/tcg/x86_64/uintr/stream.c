/*
 * What scripts/check.d/47-stream migrates: every register of user interrupts
 * is in use on both CPUs, CPU 1 is halted
 *
 * Not a test: no register needs to have the value that it had. Whatever a
 * changed stream makes of the state, this ends by itself on the other side.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

SNIPPET(s_halt, "sti; 1: hlt; jmp 1b");
SNIPPET(s_use, "senduipi %rax; testui; clui; stui; nop; pause");

static volatile bool ready;

static void load_all(unsigned cpu)
{
    uintr_receiver(cpu, uh_log);
    wrmsr(MSR_UINTR_TT, (uint64_t)uitt | TT_ENABLE);
    wrmsr(MSR_XSS, XMASK_UINTR);
}

/* Any interrupt or exception, even that of a notification, ends the context */
static void halted(void *unused)
{
    load_all(1);
    ready = true;
    for (;;) {
        run(kernel(s_halt));
        apic_eoi();
    }
}

/* isa-debugcon,readback= is a property of the machine, and not migrated */
static void wait_for_other_machine(void)
{
    uint8_t here = inb(0xe9);

    printf("# migrate\n");
    while (inb(0xe9) == here) {
        pause();
    }
}

TEST_SMP(use, 2, "use all of the state, whatever it has become", "")
{
    for (int i = 0; i < 64; i++) {
        uitt[i].lo = UITTE(i);
        uitt[i].upid = (uint64_t)&upids[i & 1];
    }
    start_on(1, halted, NULL);
    while (!ready) {
        pause();
    }
    load_all(0);
    set_rr(1 << 9);
    wait_for_other_machine();
    for (int i = 0; i < 256; i++) {
        struct ctx *c = user(s_use);

        c->rax = i % 64;
        run(c);
        apic_eoi();
        apic_send(apic_id_of(i & 1), 0x4000 | NV);
        upids[0].control &= ~UPID_ON;
        upids[1].control &= ~UPID_ON;
    }
    xsaves(&xareas[0], XMASK_UINTR);
    xrstors(&xareas[0], XMASK_UINTR);
}
