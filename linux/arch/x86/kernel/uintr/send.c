// SPDX-License-Identifier: GPL-2.0
/*
 * User interrupts: SENDUIPI to a receiver that is asleep.
 *
 * The instruction raises #GP because the UPID is armed (wait.c). The kernel
 * does what it would have done, wakes the receiver and goes on behind it.
 */

#include <linux/kdebug.h>
#include <linux/ptrace.h>

#include <asm/debugreg.h>
#include <asm/insn.h>
#include <asm/insn-eval.h>
#include <asm/ptrace.h>
#include <asm/uintr.h>

#include "uintr.h"

/* Is it SENDUIPI? Then get its operand. */
static bool senduipi_decode(struct pt_regs *regs, struct insn *insn, u64 *index)
{
	unsigned char buf[MAX_INSN_SIZE];
	int len, offset;

	/* F3 0F C7 /6 of a register; RDRAND is the same without F3. */
	len = insn_fetch_from_user(regs, buf);
	if (len <= 0 || !insn_decode_from_regs(insn, regs, buf, len) ||
	    !insn_has_rep_prefix(insn) ||
	    insn->opcode.bytes[0] != 0x0f || insn->opcode.bytes[1] != 0xc7 ||
	    X86_MODRM_REG(insn->modrm.value) != 6 ||
	    X86_MODRM_MOD(insn->modrm.value) != 3)
		return false;

	offset = insn_get_modrm_rm_off(insn, regs);
	if (offset < 0)
		return false;
	*index = *(unsigned long *)((char *)regs + offset);
	return true;
}

/* Behind the instruction, for a debugger or a uprobe that steps over it */
static void senduipi_stepped(struct pt_regs *regs)
{
	unsigned long dr6 = DR_STEP;

	current->thread.virtual_dr6 = DR_STEP;
	if (notify_die(DIE_DEBUG, "debug", regs, (long)&dr6, 0, SIGTRAP) !=
	    NOTIFY_STOP)
		send_sigtrap(regs, 0, TRAP_TRACE);
}

/**
 * uintr_fixup_gp - #GP in user mode may be SENDUIPI to who is asleep
 * @regs:	where it happened
 *
 * It does not matter if the receiver has been woken meanwhile. If it is for
 * another reason that SENDUIPI faults there is no connection at the index, as
 * all there are have valid entries.
 *
 * Return: true to go on in user mode
 */
bool uintr_fixup_gp(struct pt_regs *regs)
{
	struct insn insn;
	u64 index;

	if (!cpu_feature_enabled(X86_FEATURE_UINTR) ||
	    !READ_ONCE(current->mm->context.uitt) || !user_64bit_mode(regs))
		return false;
	if (!senduipi_decode(regs, &insn, &index) || !uintr_sender_post(index))
		return false;

	regs->ip += insn.length;
	/* The fault has set it, to be resumed here without a breakpoint. */
	regs->flags &= ~X86_EFLAGS_RF;
	if (regs->flags & X86_EFLAGS_TF)
		senduipi_stepped(regs);
	return true;
}
