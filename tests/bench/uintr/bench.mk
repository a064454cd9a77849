# SPDX-License-Identifier: GPL-2.0-or-later
#
# The benchmark and its programs, among them an unpatched QEMU beside ours from
# the same source and with the same options. To be included by build.mk.

bench_src := $(SRC)/tests/bench/uintr

bench: configured
	@$(bench_src)/bench $(BENCH) $(BUILD)

bench-programs: configured stock/qemu/qemu-system-x86_64 bench/floor
	+$(MAKE) -C qemu qemu-system-x86_64 build-tcg-tests-x86_64-softmmu
	cp qemu/tests/tcg/x86_64-softmmu/bench bench/bare-metal

stage-qemu-stock:
	@$(SRC)/scripts/stage qemu-stock $(BUILD)

# Configured as ours was, by the same names: its source is ../src/qemu, too.
stock/qemu/build.ninja: qemu/config.status | stage-qemu-stock
	mkdir -p stock/qemu
	cd stock/qemu && sh ../../qemu/config.status
	$(call finish_configure,stock/qemu)
	touch $@

stock/qemu/qemu-system-x86_64: stock/qemu/build.ninja stage-qemu-stock
	+$(MAKE) -C stock/qemu qemu-system-x86_64

bench/floor: $(bench_src)/floor.c
	mkdir -p bench
	$(CC) -O2 -Wall -Wextra -pthread $< -o $@

# The guest's image and a compiler, gcc's, with what it needs to run and some C
bench/jobs.cpio: $(BUILD)/initramfs.cpio.gz $(bench_src)/floor.c
	rm -rf bench/jobs
	mkdir -p bench/jobs/bin
	cc1=$$(gcc -print-prog-name=cc1) && install -s "$$cc1" bench/jobs/bin && \
	for lib in $$(ldd "$$cc1" | grep -o '/[^ ]*'); do \
		install -D "$$lib" "bench/jobs$$lib" || exit 1; \
	done
	gcc -E $(bench_src)/floor.c -o bench/jobs/floor.i
	cd bench/jobs && find . | cpio --quiet -o -H newc -R 0:0 > ../jobs.new
	cat $< >> bench/jobs.new
	mv bench/jobs.new $@

.PHONY: bench bench-programs stage-qemu-stock
