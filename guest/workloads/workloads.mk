# SPDX-License-Identifier: GPL-2.0-or-later
#
# The workloads, see docs/uintr-workloads.rst. To be included by guest.mk,
# after it has set its variables and before its rules.

workloads_src := $(guest_src)/workloads
workloads_out := $(guest_out)/workloads
workloads := $(addprefix $(workloads_out)/,ipc-bench wait-bench event-bench \
	armed-bench uring-bench copy-bench tick-bench)
workloads_headers := $(guest_src)/uintr-user.h \
	$(wildcard $(workloads_src)/*.h)

# Handlers say for themselves that they use general registers only; the rest
# calculates with floating-point numbers.
WORKLOADS_CFLAGS = $(GUEST_CFLAGS) -muintr -I$(guest_src)

# A program consists of the files whose names begin like its own.
$(workloads): $(workloads_out)/%-bench: $(workloads_src)/bench.c \
		$(workloads_headers) $(wildcard $(workloads_src)/*-*.c)
	@mkdir -p $(@D)
	$(GUEST_CC) $(WORKLOADS_CFLAGS) -o $@ $(workloads_src)/bench.c \
		$(wildcard $(workloads_src)/$*-*.c) \
		$(if $(filter uring,$*),-luring) -lm

guest_programs += $(workloads)
guest_scripts += $(workloads_src)/run-workloads
