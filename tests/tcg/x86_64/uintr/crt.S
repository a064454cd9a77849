/*
 * Start-up code: PVH entry of the first CPU, SIPI entry of the others,
 * entry stubs of all interrupt vectors, entering a test context.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "layout.h"

        .pushsection .note.Xen, "a", @note
        .balign 4
        .long 2f - 1f
        .long 4f - 3f
        .long 18                        /* XEN_ELFNOTE_PHYS32_ENTRY */
1:      .asciz "Xen"
2:      .balign 4
3:      .quad _start
4:      .balign 4
        .popsection

        .section .head, "ax"
        .code32
        .global _start
_start:
        cli
        cld
        mov %ebx, pvh_info
        mov %cr4, %eax
        mov %eax, start_cr4

        /* All CPUs: from flat 32-bit mode without paging to 64-bit mode */
enter_long_mode:
        lgdt boot_gdtr
        ljmp $SEL_CODE32, $1f
1:
        mov $SEL_DATA, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        mov $0x20, %eax                 /* PAE */
        mov %eax, %cr4
        mov $pml4, %eax
        mov %eax, %cr3
        mov $0xc0000080, %ecx           /* EFER */
        rdmsr
        or $0x901, %eax                 /* NXE | LME | SCE */
        wrmsr
        mov $0x80010033, %eax           /* PG WP NE ET MP PE */
        mov %eax, %cr0
        ljmp $SEL_CODE64, $1f

        .code64
1:
        mov $1, %eax
        cpuid
        shr $24, %ebx                   /* initial APIC ID = CPU index */
        mov %ebx, %edi
        inc %ebx
        imul $STACK_SIZE, %rbx, %rbx
        lea boot_stacks(%rip), %rsp
        add %rbx, %rsp
        call cpu_main
1:
        cli
        hlt
        jmp 1b

        /* Real-mode entry of the other CPUs, copied to AP_START */
        .code16
        .global ap_start, ap_start_end
ap_start:
        cli
        xor %ax, %ax
        mov %ax, %ds
        /*
         * No vectors at all until cpu_main() has some: what is at 0 may be
         * anything, and an NMI must not go there. It resets the machine.
         */
        lidtl AP_START + ap_idtr - ap_start
        lgdtl AP_START + ap_gdtr - ap_start
        mov $0x11, %eax
        mov %eax, %cr0
        ljmpl $SEL_CODE32, $enter_long_mode
ap_gdtr:
        .short boot_gdt_end - boot_gdt - 1
        .long boot_gdt
ap_idtr:
        .short 0
        .long 0
ap_start_end:

        .code64
        .text

/*
 * void ctx_enter(struct ctx *c, uint64_t *saved_rsp)
 *
 * Loads every register from @c and goes there with IRETQ. The trap that
 * ends the context comes back through ctx_leave().
 */
        .global ctx_enter
ctx_enter:
        push %rbx
        push %rbp
        push %r12
        push %r13
        push %r14
        push %r15
        mov %rsp, (%rsi)
        mov %rdi, %rsp
        pop %r15
        pop %r14
        pop %r13
        pop %r12
        pop %r11
        pop %r10
        pop %r9
        pop %r8
        pop %rdi
        pop %rsi
        pop %rbp
        pop %rbx
        pop %rdx
        pop %rcx
        pop %rax
        add $16, %rsp                   /* vector, error code */
        iretq

/* void ctx_leave(uint64_t saved_rsp): ctx_enter() returns */
        .global ctx_leave
ctx_leave:
        mov %rdi, %rsp
        push $2
        popf
        pop %r15
        pop %r14
        pop %r13
        pop %r12
        pop %rbp
        pop %rbx
        ret

/* Entry stubs, 16 bytes each, vector v at trap_stubs + 16 * v */
        .balign 16
        .global trap_stubs
trap_stubs:
vec = 0
        .rept 256
        .balign 16
        .if !(vec == 8 || (vec >= 10 && vec <= 14) || vec == 17 || vec == 21)
        push $0
        .endif
        .byte 0x68                      /* push imm32, always 5 bytes */
        .long vec
        jmp trap_common
vec = vec + 1
        .endr

trap_common:
        push %rax
        push %rcx
        push %rdx
        push %rbx
        push %rbp
        push %rsi
        push %rdi
        push %r8
        push %r9
        push %r10
        push %r11
        push %r12
        push %r13
        push %r14
        push %r15
        cld
        mov %rsp, %rdi
        mov %rsp, %rbx
        and $-16, %rsp
        call trap
        mov %rbx, %rsp
        pop %r15
        pop %r14
        pop %r13
        pop %r12
        pop %r11
        pop %r10
        pop %r9
        pop %r8
        pop %rdi
        pop %rsi
        pop %rbp
        pop %rbx
        pop %rdx
        pop %rcx
        pop %rax
        add $16, %rsp
        iretq

/* void enter_la57(void): CR4.LA57 can change only while paging is off */
        .global enter_la57
enter_la57:
        push $SEL_CODE32
        lea 1f(%rip), %rax
        push %rax
        lretq
        .code32
1:      mov %cr0, %eax
        btr $31, %eax
        mov %eax, %cr0
        mov %cr4, %ecx
        bts $12, %ecx
        mov %ecx, %cr4
        mov $pml5, %ecx
        mov %ecx, %cr3
        bts $31, %eax
        mov %eax, %cr0
        ljmp $SEL_CODE64, $1f
        .code64
1:      ret

        .data
        .global pvh_info, start_cr4
pvh_info:
        .long 0
start_cr4:
        .long 0

        .balign 8
        .global boot_gdt
boot_gdt:
        .quad 0
        .quad 0x00cf9b000000ffff        /* 08 code, 32-bit, ring 0 */
        .quad 0x00af9b000000ffff        /* 10 code, 64-bit, ring 0 */
        .quad 0x00cf93000000ffff        /* 18 data, ring 0 */
        .quad 0x00cffb000000ffff        /* 23 code, 32-bit, ring 3 */
        .quad 0x00cff3000000ffff        /* 2b data, ring 3 */
        .quad 0x00affb000000ffff        /* 33 code, 64-bit, ring 3 */
        .quad 0x00cff3000000ffff        /* 3b data, ring 3 */
        .quad 0x00afbb000000ffff        /* 41 code, 64-bit, ring 1 */
        .quad 0x00cfb3000000ffff        /* 49 data, ring 1 */
        .quad 0x00afdb000000ffff        /* 52 code, 64-bit, ring 2 */
        .quad 0x00cfd3000000ffff        /* 5a data, ring 2 */
        .quad 0, 0                      /* 60 TSS, see cpu_main() */
boot_gdt_end:
boot_gdtr:
        .short boot_gdt_end - boot_gdt - 1
        .quad boot_gdt

/*
 * Page tables of layout.h. Accessed and dirty bits are set from the start
 * where no test looks at them.
 */
        .balign 4096
        .global pml4, pml5, window_pt
pml4:
        .quad pdpt + 7
        .fill 511, 8, 0
pml5:
        .quad pml4 + 7
        .fill 511, 8, 0
pdpt:
        .quad pd_identity + 7
        .quad pd_user + 7
        .quad pd_window + 7
        .quad pd_device + 7
        .fill 508, 8, 0
pd_identity:
i = 0
        .rept 512
        .quad 0xe3 + i * 0x200000
i = i + 1
        .endr
pd_user:
i = 0
        .rept 512
        .quad 0xe7 + i * 0x200000
i = i + 1
        .endr
pd_window:
i = 0
        .rept WINDOW_PAGES / 512
        .quad window_pt + 7 + i * 4096
i = i + 1
        .endr
        .fill 512 - WINDOW_PAGES / 512, 8, 0
pd_device:
i = 0
        .rept 512
        .quad 0xc00000fb + i * 0x200000
i = i + 1
        .endr

        .bss
        .balign 4096
window_pt:
        .space WINDOW_PAGES * 8
boot_stacks:
        .space MAX_CPUS * STACK_SIZE
