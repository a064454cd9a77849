/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _X86_KERNEL_UINTR_H
#define _X86_KERNEL_UINTR_H

/*
 * User interrupts: objects and their owners.
 *
 *	thread --> uintr_task --> uintr_receiver (UPID) <-- uintr_fd (vector)
 *	                                                       ^
 *	mm ------> uintr_uitt (UITT) --> uintr_sender (entry) -+
 *
 * A thread that uses user interrupts has a uintr_task with the image of its
 * register state. Once it has a handler it also has a receiver, the owner of
 * the User Posted Interrupt Descriptor. An fd stands for one vector of a
 * receiver, and registering a sender on it connects it with one entry of the
 * User Interrupt Target Table of the process.
 */

#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/types.h>

#include <asm/fpu/types.h>
#include <asm/irq_vectors.h>
#include <uapi/asm/uintr.h>

/* User Posted Interrupt Descriptor, read and written by the CPUs. */
struct uintr_upid {
	union {
		struct {
			u8	status;
			u8	reserved1;
			u8	nv;		/* notification vector */
			u8	reserved2;
			u32	ndst;		/* notification destination */
		};
		u64		nc;		/* notification control */
	};
	u64			pir;		/* posted vectors */
} __aligned(64);

#define UPID_ON_BIT		0	/* a notification is on its way */
#define UPID_SN_BIT		1	/* senders do not notify */

/* Entry of the User Interrupt Target Table, read by the CPUs. */
struct uintr_uitt_entry {
	u64			ctrl;
	u64			upid_addr;
};

#define UITTE_VALID		BIT_ULL(0)
#define UITTE_VECTOR_SHIFT	8

/* XSAVES state component 14. */
struct uintr_state {
	u64			handler;
	u64			stack_adjust;
	u32			uitt_size;	/* highest index */
	u8			uinv;
	u8			reserved[2];
	u8			flags;
	u64			upid_addr;
	u64			uirr;
	u64			uitt_addr;
} __packed;

#define UINTR_STATE_UIF		BIT(7)		/* in flags */
#define UINTR_STATE_TT_ENABLE	BIT_ULL(0)	/* in uitt_addr */

struct uintr_xstate {
	union {
		struct xregs_state		xregs;
		struct {
			struct fxregs_state	i387;
			struct xstate_header	header;
			struct uintr_state	state;
		};
	};
};

/**
 * struct uintr_receiver - target of user interrupts
 * @upid:	what the senders' CPUs see
 * @refs:	one for the thread, one for each open uintr fd
 * @vectors:	vectors that have an fd
 * @dead:	the thread has exited or has unregistered its handler
 */
struct uintr_receiver {
	struct uintr_upid	upid;
	refcount_t		refs;
	unsigned long		vectors;
	bool			dead;
};

/**
 * struct uintr_task - user interrupt state of one thread
 * @x:		image of the registers; stale while the state is loaded
 * @receiver:	NULL while the thread has no handler
 */
struct uintr_task {
	struct uintr_xstate	x;
	struct uintr_receiver	*receiver;
};

/**
 * struct uintr_fd - private data of a uintr fd
 * @receiver:	whose vector it is
 * @vector:	0..63
 * @senders:	connections made through this fd, protected by uintr_mutex
 */
struct uintr_fd {
	struct uintr_receiver	*receiver;
	unsigned int		vector;
	struct list_head	senders;
};

/* state.c */
int uintr_task_alloc(void);
struct uintr_state *uintr_edit_state(void);
void __init uintr_state_init(void);

/* upid.c */
struct uintr_receiver *uintr_receiver_alloc(void);
void uintr_receiver_put(struct uintr_receiver *receiver);
u64 uintr_receiver_arm(struct uintr_receiver *receiver);
int uintr_receiver_register(u64 handler);
void uintr_receiver_unregister(void);
struct uintr_receiver *uintr_current_receiver(void);

/* uitt.c */
int uintr_sender_register(struct uintr_fd *ufd);
int uintr_sender_unregister(struct uintr_fd *ufd, unsigned int index);
void uintr_disconnect(struct uintr_fd *ufd);

/* fd.c */
int uintr_fd_create(struct uintr_receiver *receiver, unsigned int vector);
struct uintr_fd *uintr_fd_from_file(struct file *file);

#endif /* _X86_KERNEL_UINTR_H */
