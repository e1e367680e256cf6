/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which results a compiled filter can return for system calls of the native architecture, found without running
 * it. Process: the parent.
 */
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>

#include <tare/seccomp.h>

#define X32_BIT 0x40000000u /* __X32_SYSCALL_BIT of a system call number, asm/unistd.h of x86-64 */

/* What the accumulator can hold, as a set of bits. */
#define HOLDS_ARCH 1u
#define HOLDS_NUMBER 2u
#define HOLDS_OTHER 4u

static unsigned int loaded(uint32_t offset)
{
	if (offset == offsetof(struct seccomp_data, arch))
		return HOLDS_ARCH;
	return offset == offsetof(struct seccomp_data, nr) ? HOLDS_NUMBER : HOLDS_OTHER;
}

static bool is_deadly(uint32_t result)
{
	uint32_t action = result & SECCOMP_RET_ACTION_FULL;

	return action == SECCOMP_RET_KILL_PROCESS || action == SECCOMP_RET_KILL_THREAD ||
	       action == SECCOMP_RET_TRAP;
}

#define ANY_NUMBER (-1)

struct reached {
	unsigned char
		holds[BPF_MAXINSNS + 256]; /* HOLDS_* at each row, 0: unreachable; a jt or jf is at most 255 */
	uint32_t arch;
	int number; /* of the system call, or ANY_NUMBER */
};

/* Whether a comparison can have the result is_true for a system call of the native architecture. */
static bool can_result_in(const struct reached *reached, const struct sock_filter *row, unsigned int holds,
			  bool is_true)
{
	uint16_t op = BPF_OP(row->code);

	if (holds == HOLDS_ARCH && op == BPF_JEQ)
		return (reached->arch == row->k) == is_true;
	if (holds == HOLDS_NUMBER && reached->number != ANY_NUMBER)
		return seccomp_compare(op, (uint32_t)reached->number, row->k) == is_true;
	if (holds == HOLDS_NUMBER && op != BPF_JSET && row->k >= X32_BIT)
		return !is_true;
	return true;
}

static void jump(struct reached *reached, const struct sock_filter *row, uint32_t at)
{
	unsigned char *next = &reached->holds[at + 1];

	for (unsigned int bit = HOLDS_ARCH; bit <= HOLDS_OTHER; bit <<= 1) {
		if ((reached->holds[at] & bit) == 0)
			continue;
		if (can_result_in(reached, row, bit, true))
			next[row->jt] |= (unsigned char)bit;
		if (can_result_in(reached, row, bit, false))
			next[row->jf] |= (unsigned char)bit;
	}
}

/* What is reachable: results that kill, and others. */
#define REACHES_KILL 1u
#define REACHES_OTHER 2u

/*
 * BPF only has forward jumps, so one pass visits each row after all rows that lead to it. An instruction that
 * libseccomp never generates can have both results.
 */
static unsigned int results(const struct sock_filter *filter, uint32_t count, int number)
{
	struct reached reached = {.holds = {HOLDS_OTHER}, .arch = seccomp_arch_native(), .number = number};
	unsigned int found = 0;

	for (uint32_t i = 0; i < count && i < BPF_MAXINSNS; i++) {
		const struct sock_filter *row = &filter[i];

		if (reached.holds[i] == 0)
			continue;
		if (row->code == (BPF_LD | BPF_W | BPF_ABS))
			reached.holds[i + 1] |= (unsigned char)loaded(row->k);
		else if (row->code == (BPF_JMP | BPF_JA) && row->k < BPF_MAXINSNS - i)
			reached.holds[i + 1 + row->k] |= reached.holds[i];
		else if (BPF_CLASS(row->code) == BPF_JMP && BPF_OP(row->code) != BPF_JA)
			jump(&reached, row, i);
		else if (BPF_CLASS(row->code) == BPF_ALU)
			reached.holds[i + 1] |= HOLDS_OTHER;
		else if (row->code != (BPF_RET | BPF_K))
			found |= REACHES_KILL | REACHES_OTHER;
		else
			found |= is_deadly(row->k) ? REACHES_KILL : REACHES_OTHER;
	}
	return found;
}

bool seccomp_can_kill(const struct sock_filter *filter, uint32_t count)
{
	return (results(filter, count, ANY_NUMBER) & REACHES_KILL) != 0;
}

bool seccomp_can_kill_for(const struct sock_filter *filter, uint32_t count, int number)
{
	return (results(filter, count, number) & REACHES_KILL) != 0;
}

bool seccomp_must_kill_for(const struct sock_filter *filter, uint32_t count, int number)
{
	return results(filter, count, number) == REACHES_KILL;
}
