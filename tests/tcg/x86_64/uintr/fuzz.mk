# SPDX-License-Identifier: GPL-2.0-or-later
#
# Random operations on a second QEMU, from the same source as the first but
# with sanitizers, and with as little in it as the bare-metal programs need. To
# be included by scripts/build.mk.

fuzz_src := $(SRC)/tests/tcg/x86_64/uintr
fuzz_programs := qemu/tests/tcg/x86_64-softmmu

FUZZ ?= --ops=5000 --senduipi=100000000 --xsave=10000000

fuzz: qemu-asan/qemu-system-x86_64
	+$(MAKE) -C qemu build-tcg-tests-x86_64-softmmu
	@$(fuzz_src)/run-fuzz $(FUZZ) $(BUILD)/$< none \
		$(BUILD)/$(fuzz_programs)

# The bare-metal tests on it; TCG_ASAN="--variant xapic-2" and the like
check-tcg-asan: qemu-asan/qemu-system-x86_64
	+$(MAKE) -C qemu build-tcg-tests-x86_64-softmmu
	@ASAN_OPTIONS=detect_leaks=0 $(fuzz_src)/run-tests $(TCG_ASAN) \
		$(BUILD)/$< none $(BUILD)/$(fuzz_programs)

# As the first is configured; later options win
qemu-asan/build.ninja: qemu/config.status \
		$(SRC)/configs/devices/x86_64-softmmu/uintr-fuzz.mak | stage-qemu
	mkdir -p qemu-asan
	cd qemu-asan && sh ../qemu/config.status --target-list=x86_64-softmmu \
		--without-default-features --without-default-devices \
		--with-devices-x86_64=uintr-fuzz --enable-tcg \
		--enable-asan --enable-ubsan
	$(call finish_configure,qemu-asan)
	touch $@

qemu-asan/qemu-system-x86_64: qemu-asan/build.ninja configured
	+$(MAKE) -C qemu-asan qemu-system-x86_64

.PHONY: fuzz check-tcg-asan
