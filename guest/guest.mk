# SPDX-License-Identifier: GPL-2.0-or-later
#
# The guest: kernel, programs, initramfs. To be included by the Makefile of a
# build folder, which sets SRC (the repository) and BUILD and provides
# stage-linux (puts the patched kernel tree to BUILD/src/linux). Provides:
#
#   kernel		BUILD/bzImage and BUILD/initramfs.cpio.gz
#   guest-programs	BUILD/guest/: the static programs that go into it
#
# GUEST_CC and LINUX_CC name other compilers.

GUEST_CC ?= $(CC)
LINUX_CC ?= $(if $(shell command -v ccache),ccache gcc,gcc)
GUEST_CFLAGS := -O2 -g -static -pthread -Wall -Wextra
UINTR_CFLAGS := -muintr -mgeneral-regs-only -minline-all-stringops

guest_src := $(SRC)/guest
guest_out := $(BUILD)/guest
guest_config := $(guest_src)/uintr-guest.config
guest_uintr := uintr-sample $(patsubst $(guest_src)/%.c,%,\
	$(wildcard $(guest_src)/tests/*.c))
guest_plain := avx-migrate qemu-exit
guest_programs := $(addprefix $(guest_out)/,$(guest_uintr) $(guest_plain))
guest_scripts := $(addprefix $(guest_src)/,init mkinitramfs check-dmesg run-tests)
linux_make = $(MAKE) -C $(BUILD)/src/linux O=$(BUILD)/linux CC="$(LINUX_CC)"

# Reconfigured only when the fragment changes, so that a later make is quick.
$(BUILD)/linux/.config: $(guest_config) | stage-linux
	@mkdir -p $(@D)
	+$(linux_make) -s KCONFIG_ALLCONFIG=$(guest_config) allnoconfig
	@for option in $$(sed -n 's/^\(CONFIG_[A-Z0-9_]*=y\)$$/\1/p' $<); do \
		grep -q "^$$option" $@ || { rm -f $@; \
		echo "$<: $$option does not stick, see what it depends on" >&2; \
		exit 1; }; done

$(BUILD)/bzImage: $(BUILD)/linux/.config stage-linux
	+$(linux_make) bzImage
	@cmp -s $(BUILD)/linux/arch/x86/boot/bzImage $@ || \
		cp $(BUILD)/linux/arch/x86/boot/bzImage $@

$(addprefix $(guest_out)/,$(guest_uintr)): $(guest_out)/%: $(guest_src)/%.c \
		$(wildcard $(guest_src)/*.h $(guest_src)/tests/*.h)
	@mkdir -p $(@D)
	$(GUEST_CC) $(GUEST_CFLAGS) $(UINTR_CFLAGS) -I$(guest_src) -o $@ $<

$(addprefix $(guest_out)/,$(guest_plain)): $(guest_out)/%: $(guest_src)/%.c
	@mkdir -p $(@D)
	$(GUEST_CC) $(GUEST_CFLAGS) -o $@ $<

$(BUILD)/initramfs.cpio.gz: $(guest_programs) $(guest_scripts)
	$(guest_src)/mkinitramfs $@ $(guest_programs)

guest-programs: $(guest_programs)

kernel: $(BUILD)/bzImage $(BUILD)/initramfs.cpio.gz
	@echo 'Boot it (add a command at the end, or use the shell):'
	@$(guest_src)/boot --print $(BUILD)

.PHONY: kernel guest-programs
