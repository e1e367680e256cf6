/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "devices.h"

#define LOAD_RETRIES 30
#define ACCESS_ALL (PLAN_ACCESS_MKNOD | PLAN_ACCESS_READ | PLAN_ACCESS_WRITE)

_Static_assert(PLAN_ACCESS_MKNOD == BPF_DEVCG_ACC_MKNOD && PLAN_ACCESS_READ == BPF_DEVCG_ACC_READ &&
		       PLAN_ACCESS_WRITE == BPF_DEVCG_ACC_WRITE,
	       "the plan's access bits are the kernel's");

static struct bpf_insn insn(uint8_t code, unsigned int dst, unsigned int src, int16_t offset, int32_t imm)
{
	struct bpf_insn i = {.code = code, .off = offset, .imm = imm};

	i.dst_reg = dst & 15;
	i.src_reg = src & 15;
	return i;
}

struct program {
	struct bpf_insn *v;
	size_t count;
};

static void add(struct program *p, struct bpf_insn i)
{
	p->v[p->count++] = i;
}

/* Registers: what is asked for; and what of it no rule has decided yet. */
enum {
	R_RESULT = BPF_REG_0,
	R_CONTEXT = BPF_REG_1,
	R_TYPE = BPF_REG_2,
	R_UNDECIDED = BPF_REG_3,
	R_MAJOR = BPF_REG_4,
	R_MINOR = BPF_REG_5,
	R_SCRATCH = BPF_REG_6
};

#define RULE_INSNS_MAX 12
#define FRAME_INSNS 16

static void add_head(struct program *p)
{
	/* struct bpf_cgroup_dev_ctx: access << 16 | type, major, minor */
	add(p, insn(BPF_LDX | BPF_MEM | BPF_W, R_TYPE, R_CONTEXT, 0, 0));
	add(p, insn(BPF_ALU | BPF_MOV | BPF_X, R_UNDECIDED, R_TYPE, 0, 0));
	add(p, insn(BPF_ALU | BPF_RSH | BPF_K, R_UNDECIDED, 0, 0, 16));
	add(p, insn(BPF_ALU | BPF_AND | BPF_K, R_TYPE, 0, 0, 0xffff));
	add(p, insn(BPF_LDX | BPF_MEM | BPF_W, R_MAJOR, R_CONTEXT, 4, 0));
	add(p, insn(BPF_LDX | BPF_MEM | BPF_W, R_MINOR, R_CONTEXT, 8, 0));
}

static void add_exit(struct program *p, int32_t result)
{
	add(p, insn(BPF_ALU64 | BPF_MOV | BPF_K, R_RESULT, 0, 0, result));
	add(p, insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
}

/*
 * For every bit of the access (read, write, mknod) the last rule that matches the device and names the bit
 * decides. Rules are walked from the last to the first: a bit that an allowing rule names is decided and done
 * with, a bit that a denying one names ends the matter. So a device that may be read by one rule and written by
 * another can be opened for both, and a denial of writing alone stops an opening for both.
 */
static void add_rule(struct program *p, const struct plan_device_rule *rule)
{
	size_t skips[3], skip_count = 0;
	int32_t type = rule->type == 'c' ? BPF_DEVCG_DEV_CHAR : BPF_DEVCG_DEV_BLOCK;

	if (rule->type != 'a') {
		skips[skip_count++] = p->count;
		add(p, insn(BPF_JMP | BPF_JNE | BPF_K, R_TYPE, 0, 0, type));
	}
	if (rule->type != 'a' && rule->major >= 0) {
		skips[skip_count++] = p->count;
		add(p, insn(BPF_JMP | BPF_JNE | BPF_K, R_MAJOR, 0, 0, (int32_t)rule->major));
	}
	if (rule->type != 'a' && rule->minor >= 0) {
		skips[skip_count++] = p->count;
		add(p, insn(BPF_JMP | BPF_JNE | BPF_K, R_MINOR, 0, 0, (int32_t)rule->minor));
	}
	if (rule->allow) {
		add(p,
		    insn(BPF_ALU | BPF_AND | BPF_K, R_UNDECIDED, 0, 0, (int32_t)(ACCESS_ALL & ~rule->access)));
		add(p, insn(BPF_JMP | BPF_JNE | BPF_K, R_UNDECIDED, 0, 2, 0));
		add_exit(p, 1);
	} else {
		add(p, insn(BPF_ALU | BPF_MOV | BPF_X, R_SCRATCH, R_UNDECIDED, 0, 0));
		add(p, insn(BPF_ALU | BPF_AND | BPF_K, R_SCRATCH, 0, 0, rule->access));
		add(p, insn(BPF_JMP | BPF_JEQ | BPF_K, R_SCRATCH, 0, 2, 0));
		add_exit(p, 0);
	}
	for (size_t i = 0; i < skip_count; i++)
		p->v[skips[i]].off = (int16_t)(p->count - skips[i] - 1);
}

size_t cgroup_devices_compile(const struct plan_device_rule *rules, size_t count, struct bpf_insn **ret)
{
	struct program p = {.v = mem_alloc((count * RULE_INSNS_MAX + FRAME_INSNS) * sizeof *p.v)};

	add_head(&p);
	for (size_t i = count; i > 0; i--)
		add_rule(&p, &rules[i - 1]);
	add_exit(&p, 0);
	*ret = p.v;
	return p.count;
}

static int bpf(int command, union bpf_attr *attr)
{
	return (int)k_call3(__NR_bpf, command, attr, sizeof *attr);
}

static int load(const struct bpf_insn *insns, size_t count)
{
	union bpf_attr attr;
	int fd = -EAGAIN;

	memset(&attr, 0, sizeof attr);
	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insns = (uint64_t)(uintptr_t)insns;
	attr.insn_cnt = (uint32_t)count;
	attr.license = (uint64_t)(uintptr_t) "Apache-2.0";
	/* bpf(2): the verifier gives up with EAGAIN when a signal is pending. */
	for (int i = 0; fd == -EAGAIN && i < LOAD_RETRIES; i++)
		fd = bpf(BPF_PROG_LOAD, &attr);
	return fd;
}

/* The one program that is attached to this cgroup itself, or -ENOENT. */
static int attached_program(int cgroup_fd)
{
	uint32_t ids[8] = {0};
	union bpf_attr attr;
	int r;

	memset(&attr, 0, sizeof attr);
	attr.query.target_fd = (uint32_t)cgroup_fd;
	attr.query.attach_type = BPF_CGROUP_DEVICE;
	attr.query.prog_ids = (uint64_t)(uintptr_t)ids;
	attr.query.prog_cnt = ARRAY_SIZE(ids);
	r = bpf(BPF_PROG_QUERY, &attr);
	if (r < 0)
		return r;
	if (attr.query.prog_cnt != 1)
		return -ENOENT;
	memset(&attr, 0, sizeof attr);
	attr.prog_id = ids[0];
	return bpf(BPF_PROG_GET_FD_BY_ID, &attr);
}

static int attach(int cgroup_fd, int program_fd)
{
	_cleanup_fd_ int old_fd = attached_program(cgroup_fd);
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.target_fd = (uint32_t)cgroup_fd;
	attr.attach_bpf_fd = (uint32_t)program_fd;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	if (old_fd >= 0) {
		attr.attach_flags |= BPF_F_REPLACE;
		attr.replace_bpf_fd = (uint32_t)old_fd;
	}
	return bpf(BPF_PROG_ATTACH, &attr);
}

static bool is_allow_all(const struct plan_device_rule *rule)
{
	return rule->allow && rule->type == 'a' && rule->access == ACCESS_ALL;
}

int cgroup_devices_set(int cgroup_fd, const struct plan_device_rule *rules, size_t count, struct err *err)
{
	_cleanup_free_ struct bpf_insn *insns = NULL;
	_cleanup_fd_ int program_fd = -1;
	size_t insn_count, last = count;
	int r;

	/* If nothing behind a rule that allows everything denies anything, there is nothing to enforce. */
	while (last > 0 && rules[last - 1].allow && !is_allow_all(&rules[last - 1]))
		last--;
	if (last > 0 && is_allow_all(&rules[last - 1]) && attached_program(cgroup_fd) == -ENOENT)
		return 0;
	insn_count = cgroup_devices_compile(rules, count, &insns);
	program_fd = load(insns, insn_count);
	r = program_fd < 0 ? program_fd : attach(cgroup_fd, program_fd);
	return r < 0 ? err_system(err, r, "cannot put the device rules in force") : 0;
}
