/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _X86_KERNEL_UINTR_H
#define _X86_KERNEL_UINTR_H

/*
 * User interrupts: objects and their owners.
 *
 *	thread --> uintr_task --> uintr_receiver (UPID) <-- uintr_fd (vector)
 *	                                ^                      ^
 *	mm ------> uintr_uitt (UITT) -->+-- uintr_sender ------+
 *
 * A thread that uses user interrupts has a uintr_task with the image of its
 * register state. Once it has a handler it also has a receiver, the owner of
 * the User Posted Interrupt Descriptor. An fd stands for one vector of a
 * receiver, and registering a sender on it connects it with one entry of the
 * User Interrupt Target Table of the process. An event fd has a receiver of
 * its own, which no thread belongs to.
 *
 * Where to find what:
 *
 *	syscalls.c	the system calls: arguments and errors
 *	core.c		CPU setup, interrupts, counters
 *	memory.c	memory that the CPU reaches from user mode
 *	state.c		the register state, and when it is switched
 *	stack.c		handlers with a stack of their own
 *	receiver.c	receivers and their UPIDs
 *	wait.c		blocked receivers: armed UPIDs and the wake interrupt
 *	uitt.c		senders and their table
 *	fd.c, event.c	the fds
 *	post.c		the kernel as a sender
 *	bind.c		pollable fds as senders
 *	tick.c		a timer as a sender
 *	status.c	files in /proc
 *
 * Locks, in the order in which they are taken:
 *
 *	uintr_uitt::lock	the connections in one table. Held while CPUs
 *				are interrupted, and by nobody who exits.
 *	uintr_receiver::lock	the connections with one receiver. Also taken
 *				below mmap_lock, when an mm goes.
 *	task_lock()		who looks at a thread's state in /proc while
 *				that comes or goes; the last one
 *
 * Nothing is allocated with one of them held. The lists of armed UPIDs have
 * one raw lock per CPU, which nests inside the runqueue lock. An event fd that
 * fires is as good as locked until all are woken. Sending, delivery and
 * switching the state take none of these.
 */

#include <linux/hrtimer.h>
#include <linux/irq_work.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/poll.h>
#include <linux/refcount.h>
#include <linux/types.h>
#include <linux/wait.h>

#include <asm/fpu/types.h>
#include <asm/irq_vectors.h>
#include <uapi/asm/uintr.h>

/* IA32_UINTR_RR to IA32_UINTR_TT. UINV is in the upper half of MISC. */
#define MSR_IA32_UINTR_FIRST	0x985
#define MSR_IA32_UINTR_MISC	0x988
#define MSR_IA32_UINTR_LAST	0x98a

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
#define UINTR_STACK_LOAD	BIT_ULL(0)	/* in stack_adjust */

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
 * struct uintr_waiter - a UPID whose notifications go to the kernel
 * @node:	in the list of @cpu
 * @cpu:	where it is armed, UINTR_NOT_ARMED, or UINTR_FIRING
 * @upid:	what is posted to
 * @task:	the thread to wake, NULL for an event fd
 */
struct uintr_waiter {
	struct list_head	node;
	int			cpu;
	struct uintr_upid	*upid;
	struct task_struct	*task;
};

#define UINTR_NOT_ARMED		(-1)
#define UINTR_FIRING		(-2)	/* until all who wait for it are woken */

/**
 * struct uintr_receiver - target of user interrupts
 * @upid:	what the senders' CPUs see
 * @refs:	one for the thread or event fd, one for each uintr fd and for
 *		each connected sender
 * @vectors:	vectors that have an fd
 * @lock:	protects @vectors, what follows, and uintr_fd::senders and
 *		uintr_fd::revoked of its fds
 * @nr_fds:	how many each of the vectors has
 * @dead:	the thread has exited or has unregistered its handler
 * @bindings:	fds that post to it, at most RLIMIT_NOFILE
 * @nr_bindings: how many these are
 */
struct uintr_receiver {
	struct uintr_upid	*upid;
	refcount_t		refs;
	unsigned long		vectors;
	struct mutex		lock;
	unsigned int		nr_fds[UINTR_NR_VECTORS];
	bool			dead;
	struct list_head	bindings;
	unsigned int		nr_bindings;
};

/**
 * struct uintr_tick - periodic user interrupt of a thread
 * @timer:	queued while the state of the thread is in the registers
 * @period:	in nanoseconds, 0: none
 * @vector:	what it posts
 */
struct uintr_tick {
	struct hrtimer		timer;
	u64			period;
	unsigned int		vector;
};

/**
 * struct uintr_task - user interrupt state of one thread
 * @x:		image of the registers; stale while the state is loaded
 * @receiver:	NULL while the thread has no handler
 * @waiter:	of the receiver's UPID
 * @flags:	UINTR_HANDLER_FLAG_*
 * @waiting:	in uintr_wait(), so any user interrupt wakes it
 * @kicked:	one has, and has not been delivered yet
 * @restart_ip:	a system call is to be executed there once more; 0: none
 * @stack_size:	of the handler's own stack, if it has one
 * @uif_live:	UIF is in the register meanwhile, and stale in @x
 * @tick:	belongs to the receiver
 */
struct uintr_task {
	struct uintr_xstate	x;
	struct uintr_receiver	*receiver;
	struct uintr_waiter	waiter;
	unsigned int		flags;
	bool			waiting;
	bool			kicked;
	unsigned long		restart_ip;
	u64			stack_size;
	bool			uif_live;
	struct uintr_tick	tick;
};

/**
 * struct uintr_fd - private data of a uintr fd
 * @receiver:	whose vector it is
 * @vector:	0..63
 * @owner:	the process that has made it and can revoke it
 * @revoked:	nobody can send through it any more
 * @senders:	connections made through this fd
 *
 * The lock of @receiver protects the last two.
 */
struct uintr_fd {
	struct uintr_receiver	*receiver;
	unsigned int		vector;
	struct pid		*owner;
	bool			revoked;
	struct list_head	senders;
};

/*
 * Can nobody send through it any more? It stays so; false is sure for as long
 * as the receiver's lock is held.
 */
static inline bool uintr_fd_shut(struct uintr_fd *ufd)
{
	return READ_ONCE(ufd->receiver->dead) || READ_ONCE(ufd->revoked);
}

/* What the kernel sees of user interrupts; the CPU does the rest itself. */
struct uintr_counts {
	unsigned int		spurious;	/* notifications nobody took */
	unsigned int		wakes;		/* threads and event fds woken */
	unsigned int		posts;		/* sent by the kernel */
	unsigned int		merges;		/* collected by uintr_load() */
};

DECLARE_PER_CPU(struct uintr_counts, uintr_counts);

/* uitt_addr in the registers of each CPU, 0 if there is no table */
DECLARE_PER_CPU(u64, uintr_loaded_table);

/* memory.c */
void *uintr_page_alloc(void);
void uintr_page_free(void *page);
struct uintr_upid *uintr_upid_alloc(void);
void uintr_upid_free(struct uintr_upid *upid);

/* state.c */
void uintr_init_cpu(void);
bool uintr_is_live(void);
int uintr_task_alloc(void);
void uintr_save_current(void);
struct uintr_state *uintr_edit_state(void);
void uintr_stop_waiting(struct uintr_task *u);
bool uintr_cancel_restart(void);
void __init uintr_state_init(void);

/* stack.c */
int uintr_set_stack(u64 sp, u64 size);

/* receiver.c */
struct uintr_receiver *uintr_receiver_alloc(void);
void uintr_receiver_put(struct uintr_receiver *receiver);
void uintr_receiver_kill(struct uintr_receiver *receiver);
u64 uintr_upid_set_live(struct uintr_upid *upid);
void uintr_upid_set_armed(struct uintr_upid *upid, unsigned int cpu);
void uintr_upid_set_silent(struct uintr_upid *upid);
int uintr_receiver_register(u64 handler, unsigned int flags);
void uintr_receiver_unregister(void);
struct uintr_receiver *uintr_current_receiver(void);

/* wait.c */
void uintr_waiter_init(struct uintr_waiter *w, struct uintr_upid *upid,
		       struct task_struct *task);
void uintr_arm(struct uintr_waiter *w);
void uintr_disarm(struct uintr_waiter *w);
bool uintr_waiter_pending(struct uintr_waiter *w);
long uintr_block_until(ktime_t until);
int __init uintr_wait_init(void);

/* uitt.c */
int uintr_sender_register(struct uintr_fd *ufd);
int uintr_sender_register_self(unsigned int vector);
int uintr_sender_unregister(unsigned int index);
int uintr_sender_unregister_fd(struct uintr_fd *ufd);
void uintr_disconnect(struct uintr_fd *ufd);
unsigned int uintr_count_senders(struct mm_struct *mm);

/* ipi_fd.c */
struct uintr_uitt *uintr_uitt_get_current(void);
int uintr_uitt_adopt(struct uintr_uitt *uitt);
void uintr_uitt_put(struct uintr_uitt *uitt);
int uintr_ipi_fd_create(void);

/* fd.c */
void uintr_fd_init(struct uintr_fd *ufd, struct uintr_receiver *receiver,
		   unsigned int vector);
void uintr_fd_destroy(struct uintr_fd *ufd);
int uintr_fd_create(struct uintr_receiver *receiver, unsigned int vector,
		    bool shared);
long uintr_fd_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
struct uintr_fd *uintr_fd_from_file(struct file *file);

/* event.c */
extern const struct file_operations uintr_event_fops;
int uintr_event_create(unsigned int vector, unsigned int flags);
void uintr_event_fire(struct uintr_waiter *w);
void uintr_event_wake(struct uintr_waiter *w);

/* post.c */
void uintr_post_vector(struct uintr_receiver *receiver, unsigned int vector);

/* tick.c */
void uintr_tick_init(struct uintr_tick *tick);
void uintr_tick_start(struct uintr_task *u);
void uintr_tick_stop(struct uintr_task *u);
void uintr_tick_set(unsigned int vector, u64 period);

/* bind.c */
int uintr_bind_file(struct uintr_fd *ufd, struct file *file, __poll_t events);
int uintr_unbind_file(struct uintr_fd *ufd, struct file *file);
void uintr_unbind_fd(struct uintr_fd *ufd);
void uintr_unbind_receiver(struct uintr_receiver *receiver);

#endif /* _X86_KERNEL_UINTR_H */
