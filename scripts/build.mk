# SPDX-License-Identifier: GPL-2.0-or-later
#
# The rules of a build folder. Its own Makefile, written by ./configure, sets
# SRC to the repository and includes this.

BUILD := $(CURDIR)
include config.mak

.DEFAULT_GOAL := all

help:
	@echo 'make              build QEMU: ./qemu-system-x86_64'
	@echo 'make kernel       build the guest: bzImage and initramfs.cpio.gz'
	@echo 'make kernel-NAME  another kernel, bzImage-NAME: $(kernel_variants)'
	@echo 'make run          boot the guest and run the sample (./uintr run)'
	@echo 'make check        our tests and the qtests they rely on (./uintr check)'
	@echo 'make check-kernels  build all those kernels and run all guest tests on each'
	@echo 'make check-bisect  build QEMU and the kernel at each patch of ours'
	@echo 'make drift QEMU=TREE LINUX=TREE  which hooks another release rejects'
	@echo 'make check-bases QEMU=TREE  the bare-metal tests on another release'
	@echo 'make check-tcg    bare-metal tests, those of QEMU and ours'
	@echo 'make check-qemu   all suites of QEMU'
	@echo 'make bench        how fast user interrupts are (BENCH=--help: options)'
	@echo 'make fuzz         random operations, on a QEMU with sanitizers'
	@echo '                  (FUZZ=--help: options)'
	@echo 'make check-mutants  plant each known bug and see a test fail'
	@echo 'make clean        remove what was built'
	@echo 'make distclean    remove what was configured too'

stage-qemu stage-linux: stage-%:
	@$(SRC)/scripts/stage $* $(BUILD)

configured: stage-qemu
	@test -f qemu/build.ninja || { \
	echo 'QEMU is not configured in $(BUILD): run ./configure again' >&2; \
	false; }

all: configured
	+$(MAKE) -C qemu

# $(call finish_configure,FOLDER): what ./configure does, too, after it has
# configured QEMU. Another QEMU beside it finds our meson and its firmware.
define finish_configure
for site in $(1)/pyvenv/lib/python3*/site-packages; do \
	[ ! -d tools ] || echo "$$PYTHONPATH" > $$site/uintr-tools.pth; \
done
if [ -d firmware ]; then \
	mkdir -p $(1)/qemu-bundle$(BUILD); \
	ln -sfn $(BUILD)/firmware $(1)/qemu-bundle$(BUILD); \
fi
endef

# Only the emulator, without QEMU's tools and tests
qemu-system-x86_64: configured
	+$(MAKE) -C qemu $@

check-tcg: all
	+$(MAKE) -C qemu check-tcg

check-qemu: all
	+$(MAKE) -C qemu check

# Goals "kernel" and what it is made of
include $(SRC)/guest/guest.mk

# Goal "bench" and what it is made of
include $(SRC)/tests/bench/uintr/bench.mk

# Goal "fuzz" and what it is made of
include $(SRC)/tests/tcg/x86_64/uintr/fuzz.mk

run check check-kernels:
	@UINTR_BUILD=$(BUILD) $(SRC)/uintr $@

check-bisect: configured
	@$(SRC)/scripts/check-bisect $(BUILD)

# For scripts/check-bisect, which puts the source into bisect/src
bisect/qemu/build.ninja:
	mkdir -p $(@D)
	cd $(@D) && sh ../../qemu/config.status
	$(call finish_configure,$(@D))

drift:
	@$(SRC)/scripts/drift $(QEMU:%=--qemu=%) $(LINUX:%=--linux=%)

# In a build folder of its own, which is left for the next time
check-bases:
	@test -n '$(QEMU)' || { echo 'Which? make check-bases QEMU=TREE' >&2; false; }
	mkdir -p bases
	cd bases && $(SRC)/configure --qemu-src='$(QEMU)'
	+$(MAKE) -C bases qemu-system-x86_64
	UINTR_BUILD=$(BUILD)/bases $(SRC)/scripts/check 30-bare-metal

check-mutants:
	@$(SRC)/scripts/check-mutants $(BUILD)

clean:
	-$(MAKE) -C qemu clean
	rm -rf linux linux-* guest bzImage* initramfs.cpio.gz bench stock \
		qemu-asan bases

distclean:
	rm -rf qemu qemu-asan stock bench linux linux-* guest src firmware tools log models bzImage* \
		bases bisect initramfs.cpio.gz qemu-system-x86_64 config.sh config.mak Makefile

.PHONY: help all configured qemu-system-x86_64 stage-qemu stage-linux \
	check-tcg check-qemu run check check-kernels check-bisect check-bases \
	drift check-mutants clean distclean
