/* SPDX-License-Identifier: GPL-2.0 */
#ifndef IOU_UINTR_H
#define IOU_UINTR_H

struct io_ring_ctx;

/*
 * Both are called with uring_lock held, or when nobody else uses the ring.
 * -EBUSY: the ring has one. -ENXIO: it has none.
 */
int io_uintr_register(struct io_ring_ctx *ctx, void __user *arg);
int io_uintr_unregister(struct io_ring_ctx *ctx);

void io_uintr_signal(struct io_ring_ctx *ctx);
void io_uintr_flush_signal(struct io_ring_ctx *ctx);

#endif
