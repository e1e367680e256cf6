/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a compiled filter returns for one system call, as the kernel computes it. Process: the recorder, and the
 * parent.
 */
#include <linux/seccomp.h>
#include <string.h>

#include <tare/seccomp.h>

/* The word of the call that an instruction loads; false if its offset is not one of struct seccomp_data. */
static bool load(const struct seccomp_data *call, uint32_t offset, uint32_t *ret)
{
	if (offset % sizeof *ret != 0 || offset > sizeof *call - sizeof *ret)
		return false;
	memcpy(ret, (const char *)call + offset, sizeof *ret);
	return true;
}

bool seccomp_compare(uint16_t op, uint32_t left, uint32_t right)
{
	switch (op) {
	case BPF_JEQ:
		return left == right;
	case BPF_JGT:
		return left > right;
	case BPF_JGE:
		return left >= right;
	default:
		return (left & right) != 0;
	}
}

/* An instruction that libseccomp never generates kills, as an invalid result of a filter does. */
uint32_t seccomp_evaluate(const struct sock_filter *filter, uint32_t count, const struct seccomp_data *call)
{
	uint32_t accumulator = 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct sock_filter *row = &filter[i];

		if (row->code == (BPF_RET | BPF_K))
			return row->k;
		if (row->code == (BPF_JMP | BPF_JA) && row->k < count)
			i += row->k;
		else if (BPF_CLASS(row->code) == BPF_JMP && BPF_SRC(row->code) == BPF_K)
			i += seccomp_compare(BPF_OP(row->code), accumulator, row->k) ? row->jt : row->jf;
		else if (row->code == (BPF_ALU | BPF_AND | BPF_K))
			accumulator &= row->k;
		else if (row->code != (BPF_LD | BPF_W | BPF_ABS) || !load(call, row->k, &accumulator))
			break;
	}
	return SECCOMP_RET_KILL_PROCESS;
}

uint32_t seccomp_action(uint32_t result)
{
	return result & SECCOMP_RET_ACTION_FULL;
}

/* A tracer (SECCOMP_RET_TRACE) could as well, but it has full control of the process in any case. */
bool seccomp_may_fake_success(const struct seccomp_program *program)
{
	for (uint32_t i = 0; i < program->count; i++) {
		const struct sock_filter *row = &program->filter[i];

		if (row->code == (BPF_RET | BPF_A) ||
		    (row->code == (BPF_RET | BPF_K) &&
		     (row->k == SECCOMP_RET_ERRNO || seccomp_action(row->k) == SECCOMP_RET_USER_NOTIF)))
			return true;
	}
	return false;
}
