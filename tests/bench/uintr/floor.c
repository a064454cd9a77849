/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What no emulator on this host can go below: how long it takes until another
 * CPU sees a store, and until a thread that sleeps has been woken.
 *
 * Usage: floor. Prints "# figure NAME PICOSECONDS ROUNDS", as the bare-metal
 * program does. A round trip is there and back.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LINE_ROUNDS     1000000
#define WAKE_ROUNDS     50000

/* Each side waits for its turn, 0 or 1, and gives it to the other. */
static struct {
    _Alignas(128) atomic_int turn;
} shared;
static int cpu[2];

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void spin(int turn)
{
    while (atomic_load_explicit(&shared.turn, memory_order_acquire) != turn) {
        continue;
    }
}

static void spin_pass(int turn)
{
    atomic_store_explicit(&shared.turn, turn, memory_order_release);
}

static void sleep_for(int turn)
{
    while (atomic_load(&shared.turn) != turn) {
        syscall(SYS_futex, &shared.turn, FUTEX_WAIT_PRIVATE, !turn, NULL,
                NULL, 0);
    }
}

static void wake_pass(int turn)
{
    atomic_store(&shared.turn, turn);
    syscall(SYS_futex, &shared.turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

struct kind {
    const char *name;
    int rounds;
    void (*wait)(int turn);
    void (*pass)(int turn);
};

static const struct kind kinds[] = {
    { "floor_cache_line", LINE_ROUNDS, spin, spin_pass },
    { "floor_thread_wake", WAKE_ROUNDS, sleep_for, wake_pass },
};

static void pin(int to)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(to, &set);
    if (sched_setaffinity(0, sizeof(set), &set)) {
        perror("floor: error: cannot stay on a CPU");
        exit(1);
    }
}

static void *answer(void *arg)
{
    const struct kind *kind = arg;

    pin(cpu[1]);
    for (int i = 0; i < kind->rounds; i++) {
        kind->wait(1);
        kind->pass(0);
    }
    return NULL;
}

static void measure(const struct kind *kind)
{
    pthread_t thread;
    uint64_t start;

    if (pthread_create(&thread, NULL, answer, (void *)kind)) {
        fprintf(stderr, "floor: error: cannot start a thread\n");
        exit(1);
    }
    start = now_ns();
    for (int i = 0; i < kind->rounds; i++) {
        kind->pass(1);
        kind->wait(0);
    }
    start = now_ns() - start;
    pthread_join(thread, NULL);
    printf("# figure %s %llu %d\n", kind->name,
           (unsigned long long)(start * 1000 / kind->rounds), kind->rounds);
}

/* The first two CPUs that we may use */
static void find_cpus(void)
{
    cpu_set_t set;
    int found = 0;

    sched_getaffinity(0, sizeof(set), &set);
    for (int i = 0; i < CPU_SETSIZE && found < 2; i++) {
        if (CPU_ISSET(i, &set)) {
            cpu[found++] = i;
        }
    }
    if (found < 2) {
        fprintf(stderr, "floor: error: this needs two CPUs\n");
        exit(1);
    }
    pin(cpu[0]);
}

int main(void)
{
    find_cpus();
    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        measure(&kinds[i]);
    }
    printf("# end\n");
    return 0;
}
