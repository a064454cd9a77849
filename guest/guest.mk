# SPDX-License-Identifier: GPL-2.0-or-later
#
# The guest: kernels, programs, initramfs. To be included by the Makefile of a
# build folder, which sets SRC (the repository) and BUILD and provides
# stage-linux (puts the patched kernel tree to BUILD/src/linux). Provides:
#
#   kernel		BUILD/bzImage and BUILD/initramfs.cpio.gz
#   kernel-VARIANT	BUILD/bzImage-VARIANT and the same initramfs
#   guest-programs	BUILD/guest/: the static programs that go into it
#
# GUEST_CC and LINUX_CC name other compilers.

GUEST_CC ?= $(CC)
LINUX_CC ?= $(if $(shell command -v ccache),ccache gcc,gcc)
GUEST_CFLAGS := -O2 -g -static -pthread -Wall -Wextra
UINTR_CFLAGS := -muintr -mgeneral-regs-only -minline-all-stringops

guest_src := $(SRC)/guest
guest_out := $(BUILD)/guest
guest_uintr := uintr-sample tests/old-numbers tests/user-header
guest_plain := avx-migrate qemu-exit uintr-renumber tests/examples
guest_scripts := $(addprefix $(guest_src)/,init mkinitramfs check-dmesg man run-tests)

# The selftests come from the staged tree, whose makefiles they use.
selftests_dir := tools/testing/selftests/x86/uintr
selftests := $(patsubst $(SRC)/linux/$(selftests_dir)/%.c,$(guest_out)/tests/%,\
	$(wildcard $(SRC)/linux/$(selftests_dir)/*.c))

# The programs of docs/uintr-api.rst
examples := $(patsubst $(SRC)/docs/%.c,$(guest_out)/%,\
	$(wildcard $(SRC)/docs/examples/*.c))

# What else the image has: the API's header, and its manual as text
uapi_header := $(SRC)/linux/arch/x86/include/uapi/asm/uintr.h
man_pages := $(patsubst $(SRC)/docs/man/%,$(guest_out)/man/%,\
	$(wildcard $(SRC)/docs/man/*.[1-9]))
guest_files := /usr/include/asm/uintr.h=$(uapi_header) \
	$(foreach p,$(man_pages),\
		/usr/share/man/cat$(subst .,,$(suffix $(p)))/$(notdir $(p))=$(p))

guest_programs := $(addprefix $(guest_out)/,$(guest_uintr) $(guest_plain)) \
	$(examples) $(selftests)
include $(guest_src)/workloads/workloads.mk

# Which fragments of guest/kernels, a later one overruling, make a variant
fragments_plain := plain
fragments_lockdep := plain lockdep
fragments_rt := plain rt lockdep
fragments_rt-plain := plain rt
fragments_kasan := plain kasan
kernel_variants := lockdep rt rt-plain kasan

# make_linux SUFFIX-OF-FOLDER
make_linux = $(MAKE) -C $(BUILD)/src/linux O=$(BUILD)/linux$(1) CC="$(LINUX_CC)"

# kernel_rules VARIANT,SUFFIX
# Configured only when a fragment or an option changes, so that a later make is
# quick.
define kernel_rules
$(BUILD)/linux$(2)/.config: $(fragments_$(1):%=$(guest_src)/kernels/%.config) \
		$(BUILD)/src/linux/arch/x86/Kconfig
	+$(SRC)/scripts/kernel-config $$(@D) $$(filter %.config,$$^) -- \
		$(call make_linux,$(2))

$(BUILD)/bzImage$(2): $(BUILD)/linux$(2)/.config stage-linux
	+$(call make_linux,$(2)) bzImage
	@cmp -s $(BUILD)/linux$(2)/arch/x86/boot/bzImage $$@ || \
		cp $(BUILD)/linux$(2)/arch/x86/boot/bzImage $$@
endef
$(eval $(call kernel_rules,plain,))
$(foreach v,$(kernel_variants),$(eval $(call kernel_rules,$(v),-$(v))))

# stage-linux changes it only if the hooks changed.
$(BUILD)/src/linux/arch/x86/Kconfig: stage-linux
	@:

$(addprefix $(guest_out)/,$(guest_uintr)): $(guest_out)/%: $(guest_src)/%.c \
		$(wildcard $(guest_src)/*.h)
	@mkdir -p $(@D)
	$(GUEST_CC) $(GUEST_CFLAGS) $(UINTR_CFLAGS) -I$(guest_src) -o $@ $<

$(examples): $(guest_out)/%: $(SRC)/docs/%.c $(guest_src)/uintr-user.h
	@mkdir -p $(@D)
	$(GUEST_CC) $(GUEST_CFLAGS) -muintr -I$(guest_src) -o $@ $<

$(addprefix $(guest_out)/,$(guest_plain)): $(guest_out)/%: $(guest_src)/%.c
	@mkdir -p $(@D)
	$(GUEST_CC) $(GUEST_CFLAGS) -o $@ $<

# Their own makefile knows what has changed.
selftests: stage-linux
	@mkdir -p $(guest_out)/tests
	+$(MAKE) -C $(BUILD)/src/linux/$(selftests_dir) CC="$(GUEST_CC)" \
		OUTPUT=$(guest_out)/tests

$(selftests): selftests
	@:

# The guest has nothing that could format a page.
$(man_pages): $(guest_out)/man/%: $(SRC)/docs/man/%
	@mkdir -p $(@D)
	groff -man -Tascii -P-cbou $< > $@

$(BUILD)/initramfs.cpio.gz: $(guest_programs) $(guest_scripts) $(uapi_header) \
		$(man_pages)
	$(guest_src)/mkinitramfs $@ $(guest_programs) $(guest_files)

guest-programs: $(guest_programs)

kernel: $(BUILD)/bzImage $(BUILD)/initramfs.cpio.gz
	@echo 'Boot it (add a command at the end, or use the shell):'
	@$(guest_src)/boot --print $(BUILD)

$(kernel_variants:%=kernel-%): kernel-%: $(BUILD)/bzImage-% \
		$(BUILD)/initramfs.cpio.gz

.PHONY: kernel $(kernel_variants:%=kernel-%) guest-programs selftests
