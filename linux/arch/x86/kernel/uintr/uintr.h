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
 *	wait.c		blocked receivers: armed UPIDs, and who wakes them
 *	send.c		SENDUIPI to an armed UPID
 *	uitt.c		the target table of a process
 *	sender.c	connections, the entries of a target table
 *	fd.c, event.c	the fds
 *	post.c		the kernel as a sender
 *	bind.c		pollable fds as senders
 *	tick.c		a timer as a sender
 *	status.c	files in /proc
 *
 * Locks, in the order in which they are taken:
 *
 *	uintr_uitt::lock	the connections in one table. Held while CPUs
 *				are interrupted, so not taken by exit_mmap().
 *	uintr_receiver::lock	the connections with one receiver. Also taken
 *				below mmap_lock, when an mm goes.
 *	task_lock()		who looks at a thread's state in /proc while
 *				that comes or goes; the last one
 *
 * Nothing is allocated with one of them held. uintr_uitt::post_lock and, inside
 * it, uintr_receiver::wake_lock are raw locks inside which the thread is woken,
 * so nothing takes them inside the runqueue lock. Sending to who is awake and
 * delivery take no lock at all.
 */

#include <linux/hrtimer.h>
#include <linux/irq_work.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/poll.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
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
#define UPID_ARMED_BIT		7	/* reserved: SENDUIPI raises #GP */

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
 * struct uintr_receiver - target of user interrupts
 * @upid:	what the senders' CPUs see
 * @refs:	one for the thread or event fd, one for each uintr fd and for
 *		each connected sender, one for each that wakes an event fd
 * @vectors:	vectors that have an fd
 * @lock:	protects @vectors, what follows, and uintr_fd::senders and
 *		uintr_fd::revoked of its fds
 * @nr_fds:	how many each of the vectors has
 * @dead:	the thread has exited or has unregistered its handler
 * @bindings:	fds that post to it, at most RLIMIT_NOFILE
 * @nr_bindings: how many these are
 * @ucounts:	whom it is counted for
 * @event:	it belongs to an event fd, not to a thread
 * @queue:	who waits for the event fd
 * @wake_lock:	held while the thread is woken; protects @owner
 * @owner:	of the thread; NULL when it has gone
 * @work:	wakes the thread for uintr_arm(), which cannot
 * @rcu:	frees it when no interrupt uses @work any more
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
	struct ucounts		*ucounts;
	bool			event;
	wait_queue_head_t	queue;
	raw_spinlock_t		wake_lock;
	struct uintr_task	*owner;
	struct irq_work		work;
	struct rcu_head		rcu;
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
 * @task:	whose it is
 * @flags:	UINTR_HANDLER_FLAG_*
 * @armed:	the receiver's UPID is, or somebody is about to wake the thread
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
	struct task_struct	*task;
	unsigned int		flags;
	bool			armed;
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
void uintr_upid_set_silent(struct uintr_upid *upid);
void uintr_upid_arm(struct uintr_upid *upid);
void uintr_upid_disarm(struct uintr_upid *upid);
int uintr_receiver_register(u64 handler, unsigned int flags);
void uintr_receiver_unregister(void);
struct uintr_receiver *uintr_current_receiver(void);

/* wait.c */
void uintr_arm(struct uintr_task *u);
void uintr_disarm(struct uintr_task *u);
bool uintr_pending(struct uintr_task *u);
void uintr_wake_init(struct uintr_receiver *receiver);
void uintr_wake_thread(struct uintr_receiver *receiver);
void uintr_wake_event(struct uintr_receiver *receiver);
long uintr_block_until(ktime_t until);

/* uitt.c */
struct uintr_uitt *uintr_uitt_get_current(void);
int uintr_uitt_adopt(struct uintr_uitt *uitt);

/* sender.c */
int uintr_sender_register(struct uintr_fd *ufd);
int uintr_sender_register_self(unsigned int vector);
int uintr_sender_unregister(unsigned int index);
int uintr_sender_unregister_fd(struct uintr_fd *ufd);
bool uintr_sender_post(u64 index);
void uintr_disconnect(struct uintr_fd *ufd);
unsigned int uintr_count_senders(struct mm_struct *mm);
void uintr_uitt_put(struct uintr_uitt *uitt);

/* ipi_fd.c */
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

/* post.c */
bool uintr_upid_post(struct uintr_upid *upid, unsigned int vector);
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
