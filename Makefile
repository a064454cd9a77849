# SPDX-License-Identifier: GPL-2.0-or-later
#
# Forwards every goal to the build folder that ./configure made.

BUILD ?= build

ifeq ($(wildcard $(BUILD)/Makefile),)
$(or $(MAKECMDGOALS),all):
	@echo "Not configured yet: run ./configure --target-list=x86_64-softmmu" >&2
	@echo "(or ./uintr run, which does everything)" >&2
	@false
else
.DEFAULT_GOAL := all
Makefile: ;
%: forward ;
forward:
	@+$(MAKE) --no-print-directory -C $(BUILD) $(MAKECMDGOALS) \
		$(foreach v,QEMU LINUX,$(if $($v),$v='$(abspath $($v))'))
.PHONY: forward
endif
