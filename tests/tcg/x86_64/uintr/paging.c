/*
 * The window of 4 KiB pages that tests map as they like
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

extern volatile uint64_t window_pt[WINDOW_PAGES];
uint8_t spare_pages[8][4096] __attribute__((aligned(4096)));

static void *window_page(unsigned n)
{
    return (void *)(WINDOW + (uint64_t)n * 4096);
}

/* Only this CPU's TLB is flushed: other CPUs must not have used the page */
void set_pte(unsigned n, uint64_t value)
{
    window_pt[n] = value;
    asm volatile("invlpg (%0)" : : "r"(window_page(n)) : "memory");
}

uint64_t pte(unsigned n)
{
    return window_pt[n];
}

void *map(unsigned n, uint64_t pa, uint64_t flags)
{
    set_pte(n, pa | flags | PTE_P);
    return window_page(n);
}

void unmap(unsigned n)
{
    set_pte(n, 0);
}
