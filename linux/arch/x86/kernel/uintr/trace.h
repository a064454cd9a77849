/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM uintr

#if !defined(_X86_UINTR_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _X86_UINTR_TRACE_H

#include <linux/sched.h>
#include <linux/tracepoint.h>

TRACE_EVENT(uintr_register,
	TP_PROTO(u64 handler, unsigned int flags),
	TP_ARGS(handler, flags),
	TP_STRUCT__entry(
		__field(u64, handler)
		__field(unsigned int, flags)
	),
	TP_fast_assign(
		__entry->handler = handler;
		__entry->flags = flags;
	),
	TP_printk("handler=0x%llx flags=0x%x", __entry->handler,
		  __entry->flags)
);

TRACE_EVENT(uintr_unregister,
	TP_PROTO(u64 dropped),
	TP_ARGS(dropped),
	TP_STRUCT__entry(
		__field(u64, dropped)
	),
	TP_fast_assign(
		__entry->dropped = dropped;
	),
	TP_printk("dropped=0x%llx", __entry->dropped)
);

TRACE_EVENT(uintr_connect,
	TP_PROTO(unsigned int index, unsigned int vector),
	TP_ARGS(index, vector),
	TP_STRUCT__entry(
		__field(unsigned int, index)
		__field(unsigned int, vector)
	),
	TP_fast_assign(
		__entry->index = index;
		__entry->vector = vector;
	),
	TP_printk("index=%u vector=%u", __entry->index, __entry->vector)
);

/* The kernel posts, or SENDUIPI has trapped; else it does not see it. */
TRACE_EVENT(uintr_post,
	TP_PROTO(unsigned int vector, bool notify),
	TP_ARGS(vector, notify),
	TP_STRUCT__entry(
		__field(unsigned int, vector)
		__field(bool, notify)
	),
	TP_fast_assign(
		__entry->vector = vector;
		__entry->notify = notify;
	),
	TP_printk("vector=%u notify=%d", __entry->vector, __entry->notify)
);

/* pid 0 stands for an event fd here and below. */
TRACE_EVENT(uintr_arm,
	TP_PROTO(struct task_struct *task),
	TP_ARGS(task),
	TP_STRUCT__entry(
		__field(pid_t, pid)
	),
	TP_fast_assign(
		__entry->pid = task ? task->pid : 0;
	),
	TP_printk("pid=%d", __entry->pid)
);

TRACE_EVENT(uintr_wake,
	TP_PROTO(struct task_struct *task, u64 posted),
	TP_ARGS(task, posted),
	TP_STRUCT__entry(
		__field(pid_t, pid)
		__field(u64, posted)
	),
	TP_fast_assign(
		__entry->pid = task ? task->pid : 0;
		__entry->posted = posted;
	),
	TP_printk("pid=%d posted=0x%llx", __entry->pid, __entry->posted)
);

TRACE_EVENT(uintr_merge,
	TP_PROTO(u64 uirr, u64 posted),
	TP_ARGS(uirr, posted),
	TP_STRUCT__entry(
		__field(u64, uirr)
		__field(u64, posted)
	),
	TP_fast_assign(
		__entry->uirr = uirr;
		__entry->posted = posted;
	),
	TP_printk("uirr=0x%llx posted=0x%llx", __entry->uirr, __entry->posted)
);

TRACE_EVENT(uintr_spurious,
	TP_PROTO(int cpu),
	TP_ARGS(cpu),
	TP_STRUCT__entry(
		__field(int, cpu)
	),
	TP_fast_assign(
		__entry->cpu = cpu;
	),
	TP_printk("cpu=%d", __entry->cpu)
);

#endif /* _X86_UINTR_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
