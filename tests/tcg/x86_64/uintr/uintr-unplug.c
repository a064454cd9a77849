/*
 * A CPU that is unplugged while others send to it (spec 7.7)
 *
 * It is gone for all tests that follow, so there are none.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

/* QEMU's docs/specs/acpi_cpu_hotplug.rst, on the machine "pc" */
#define HOTPLUG_SELECTOR        0xaf00
#define HOTPLUG_FLAGS           0xaf04
#define FLAG_ENABLED            1
#define FLAG_EJECT              8

static unsigned victim;
static volatile unsigned senders;
static volatile bool ready, stop;

static void receive(void *unused)
{
    uintr_receiver(victim, uh_log);
    ready = true;
    run(user(s_spin));
}

static void send(void)
{
    __sync_fetch_and_and(&upids[victim].control, ~UPID_ON);
    senduipi(0);
}

static void send_on(void *unused)
{
    wrmsr(MSR_UINTR_MISC, 0);
    wrmsr(MSR_UINTR_TT, (uint64_t)uitt | TT_ENABLE);
    send();
    __sync_fetch_and_add(&senders, 1);
    while (!stop) {
        send();
    }
}

static bool enabled(void)
{
    return inb(HOTPLUG_FLAGS) & FLAG_ENABLED;
}

TEST_SMP(unplug, 4, "a CPU may go while others send to it", "7.7")
{
    if (has_option("serial")) {
        test_skip("a CPU cannot go while its thread is that of all others");
        return;
    }
    victim = nr_cpus - 1;
    uitt[0].lo = UITTE(9);
    uitt[0].upid = (uint64_t)&upids[victim];
    start_on(victim, receive, NULL);
    while (!ready) {
        pause();
    }
    start_on(1, send_on, NULL);
    start_on(2, send_on, NULL);
    while (senders < 2 || !*(volatile uint64_t *)&uareas[victim].count) {
        pause();
    }
    outb(HOTPLUG_SELECTOR, 0);          /* until then it is another block */
    outw(HOTPLUG_SELECTOR, victim);
    EQ(enabled(), true);
    outb(HOTPLUG_FLAGS, FLAG_EJECT);
    EQ(enabled(), false);
    stop = true;
    wait_cpu(1);
    wait_cpu(2);
    upids[victim].pir = 0;
    send_on(NULL);
    EQ(upids[victim].pir, 1 << 9);
    EQ(upids[victim].control & UPID_ON, UPID_ON);
}
