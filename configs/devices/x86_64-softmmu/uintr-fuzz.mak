# What the bare-metal tests of user interrupts need, for a QEMU that builds
# quickly with sanitizers

CONFIG_I440FX=y
CONFIG_Q35=y
CONFIG_HPET=y
CONFIG_ISA_DEBUG=y
