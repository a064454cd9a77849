// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * User interrupts: SENDUIPI, from the register operand to the IPI
 *
 * All faults are raised before the first store (rules 7.1 to 7.5).  The one
 * store is the 16-byte update of the UPID in upid_post().
 */

#include "qemu/osdep.h"
#include "qemu/atomic128.h"
#include "cpu.h"
#include "exec/helper-proto.h"
#include "tcg/helper-tcg.h"
#include "tcg/uintr.h"
#include "tcg/uintr-compat.h"

/* A UPID as it stands in guest memory: two little-endian quadwords */
typedef union UPID {
    uint64_t q[2];          /* control word, PIR */
    Int128 whole;
} UPID;

/*
 * An entry is read at once, so that software which replaces it by one 16-byte
 * store is never seen half-way.
 */
static Int128 uitte_load(CPUX86State *env, uint64_t addr, uintptr_t ra)
{
    int idx = x86_uintr_mmu_index(env);
    void *host;
    int flags = probe_access_flags(env, addr, UITTE_SIZE, MMU_DATA_LOAD, idx,
                                   false, &host, ra);

    if (host && !(flags & TLB_WATCHPOINT) && HAVE_ATOMIC128_RO &&
        !HOST_BIG_ENDIAN) {
        return atomic16_read_ro(host);
    }
    return cpu_ld16_mmu(env, addr,
                        make_memop_idx(MO_128 | MO_LE | MO_ALIGN, idx), ra);
}

/* Rules 7.3 and 7.4 */
static void uitt_read(CPUX86State *env, uint64_t index, uint64_t *upid_addr,
                      uint64_t *vector, uintptr_t ra)
{
    uint64_t addr = UINTR_TT_ADDR(env->uintr.tt) + index * UITTE_SIZE;
    Int128 entry = uitte_load(env, addr, ra);
    uint64_t ctl = int128_getlo(entry);
    uint64_t upid = int128_gethi(entry);

    if (!(ctl & UITTE_V) || (ctl & UITTE_RESERVED) ||
        (upid & UITTE_UPID_RESERVED)) {
        raise_exception_err_ra(env, EXCP0D_GPF, 0, ra);
    }
    *upid_addr = upid;
    *vector = UITTE_UV(ctl);
}

/*
 * Rules 7.5 and 7.6 on a copy: post @vector in @upid.  Returns false if a
 * reserved bit is set; else *@ctl is the control word from before.
 */
static bool upid_set(UPID *upid, uint64_t vector, uint64_t *ctl)
{
    *ctl = le64_to_cpu(upid->q[0]);
    if (*ctl & UPID_RESERVED) {
        return false;
    }
    upid->q[1] |= cpu_to_le64(BIT_ULL(vector));
    if (!(*ctl & (UPID_ON | UPID_SN))) {
        upid->q[0] |= cpu_to_le64(UPID_ON);
    }
    return true;
}

/*
 * The UPID cannot be reached by a host pointer (a device, ROM, or a plugin
 * that wants to see the access), or the host has no 16-byte compare and
 * swap: run alone.  cpu_loop_exit_atomic() comes back here with all other
 * vCPUs stopped.
 */
static uint64_t upid_post_exclusive(CPUX86State *env, uint64_t addr,
                                    uint64_t vector, uintptr_t ra)
{
    CPUState *cs = env_cpu(env);
    int idx = x86_uintr_mmu_index(env);
    uint64_t ctl;
    UPID upid;

    if ((cs->tcg_cflags & CF_PARALLEL) && !cpu_in_exclusive_context(cs)) {
        cpu_loop_exit_atomic(cs, ra);
    }
    upid.q[0] = cpu_to_le64(cpu_ldq_mmuidx_ra(env, addr, idx, ra));
    upid.q[1] = cpu_to_le64(cpu_ldq_mmuidx_ra(env, addr + 8, idx, ra));
    if (!upid_set(&upid, vector, &ctl)) {
        raise_exception_err_ra(env, EXCP0D_GPF, 0, ra);
    }
    cpu_stq_mmuidx_ra(env, addr, le64_to_cpu(upid.q[0]), idx, ra);
    cpu_stq_mmuidx_ra(env, addr + 8, le64_to_cpu(upid.q[1]), idx, ra);
    return ctl;
}

/* Post @vector in the UPID at @addr; returns its control word from before. */
static uint64_t upid_post(CPUX86State *env, uint64_t addr, uint64_t vector,
                          uintptr_t ra)
{
    uint64_t ctl;
    UPID old, new;
    void *host;

    /* A store probe: #PF says W/R=1 even where only the read would fail */
    probe_access_flags(env, addr, UPID_SIZE, MMU_DATA_STORE,
                       x86_uintr_mmu_index(env), false, &host, ra);
    if (!host || !HAVE_CMPXCHG128) {
        return upid_post_exclusive(env, addr, vector, ra);
    }

    /*
     * Race with other senders, with the receiver's notification processing
     * and with LOCKed instructions of the guest on either half:
     *
     *   sender               receiver or its kernel
     *   reads ON=0 PIR=0
     *                        sets SN=1, or posts PIR bit b
     *   writes ON=1 PIR=a    ... SN or b are lost
     *
     * and, if PIR and ON were set in two steps,
     *
     *   sets PIR bit a
     *                        clears ON, takes PIR with a, and goes to sleep
     *                        with NV pointing at a wake-up vector
     *   sets ON, notifies    for nothing; the next sender sees ON=1 and
     *                        does not notify: the receiver sleeps for ever
     *
     * One compare and swap of all 16 bytes forbids both.  If the two plain
     * reads are torn it fails and the loop reads again.  It is a full barrier,
     * so the IPI comes after the post (7.7).
     */
    for (;;) {
        UPID seen;

        old.q[0] = qatomic_read((uint64_t *)host);
        old.q[1] = qatomic_read((uint64_t *)host + 1);
        new = old;
        if (!upid_set(&new, vector, &ctl)) {
            raise_exception_err_ra(env, EXCP0D_GPF, 0, ra);
        }
        seen.whole = atomic16_cmpxchg(host, old.whole, new.whole);
        if (int128_eq(seen.whole, old.whole)) {
            return ctl;
        }
    }
}

void helper_senduipi(CPUX86State *env, target_ulong index)
{
    uintptr_t ra = GETPC();
    uint64_t addr, vector, ctl;

    if (!(env->uintr.tt & UINTR_TT_ENABLE)) {
        raise_exception_ra(env, EXCP06_ILLOP, ra);
    }
    /* All 64 bits, and UITTSZ itself is a legal index (4.5, 7.2) */
    if (index > UINTR_MISC_UITTSZ(env->uintr.misc)) {
        raise_exception_err_ra(env, EXCP0D_GPF, 0, ra);
    }
    uitt_read(env, index, &addr, &vector, ra);
    ctl = upid_post(env, addr, vector, ra);
    env->uintr.posted++;
    if (!(ctl & (UPID_ON | UPID_SN))) {
        env->uintr.notified++;
        x86_uintr_notify(env, UPID_NDST(ctl), UPID_NV(ctl));
    }
}
