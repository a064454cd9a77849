/*
 * Random operations: what fuzz.c and fuzz-ops.c share
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef UINTR_FUZZ_H
#define UINTR_FUZZ_H

#include "lib.h"

/* The random numbers of one operation */
struct dice {
    uint64_t state;
};
uint64_t roll(struct dice *d);
unsigned below(struct dice *d, unsigned n);
static inline bool one_in(struct dice *d, unsigned n)
{
    return below(d, n) == 0;
}
#define ANY(d, array) ((array)[below(d, sizeof(array) / sizeof((array)[0]))])

struct op {
    const char *name;
    void (*fn)(struct dice *d);
    unsigned weight;
    bool hostile;               /* may break devices, or reset the machine */
};
extern const struct op ops[];
extern const unsigned nr_ops;

#define NR_POOL         8       /* pages of RAM for everything */
extern uint8_t pool[NR_POOL][4096];
uint64_t offset(struct dice *d);        /* where in a page */
uint64_t address(struct dice *d);       /* that may be written to at CPL 0 */

void op_send(struct dice *d);
void op_xsave(struct dice *d);
void op_header(struct dice *d);

enum { SENDUIPI, SENT, XSAVE, XSAVED, NR_COUNTS };
void count(unsigned what, uint64_t n);

/* Of this CPU: its tables and registers, as after a reset of the machine */
void fuzz_reset_cpu(void);

#endif
