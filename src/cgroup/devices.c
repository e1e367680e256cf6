/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Translates the device rules of a cgroup into an eBPF program and attaches it. Runs in the parent, needs
 * CAP_BPF and CAP_NET_ADMIN (or CAP_SYS_ADMIN) in the initial user namespace.
 *
 * The meaning of the rules: a request names a device and a set of accesses, any of mknod, read, write, each a
 * bit. For each requested bit the last rule that names both the device and this bit decides, a bit that no rule
 * names is denied, and the request is allowed if all its bits are. Only a decision per bit gives rules with a
 * part of the bits the effect that their text suggests:
 *  - "deny c 1:3 w" denies an open for reading and writing, since its write bit is denied; a rule that had
 *    to cover the whole request (as an allow rule must) would let O_RDWR through where O_WRONLY is refused;
 *  - "allow c 1:3 r", "allow c 1:3 w" allow an open for reading and writing, as they do in the lists of the
 *    v1 controller, although no single rule covers it.
 *
 * So the program keeps the set of undecided bits and checks the rules from the last to the first. A deny rule
 * that names an undecided bit ends the program with "denied"; an allow rule removes its bits from the set, and
 * when the set is empty the request is allowed.
 *
 * A request without any bit (from access(2) with F_OK) is allowed if any allow rule names the device, because
 * only an allow rule tests whether the set is empty.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/stat.h>

#include "devices.h"

#define ACCESS_ALL (SPEC_ACCESS_MKNOD | SPEC_ACCESS_READ | SPEC_ACCESS_WRITE)

_Static_assert(SPEC_ACCESS_MKNOD == BPF_DEVCG_ACC_MKNOD && SPEC_ACCESS_READ == BPF_DEVCG_ACC_READ &&
		       SPEC_ACCESS_WRITE == BPF_DEVCG_ACC_WRITE,
	       "the plan's access bits are the kernel's");

/* Identifies tare's program at a cgroup. At most 15 characters of [A-Za-z0-9_.] (bpf(2)). */
static const char program_name[BPF_OBJ_NAME_LEN] = "tare_devices";

/* --- the program --- */

enum { /* registers; the kernel passes the context in R1 */
       REG_RESULT = BPF_REG_0,
       REG_CONTEXT = BPF_REG_1,
       REG_FIELD = BPF_REG_2,     /* the field of the request that is compared */
       REG_UNDECIDED = BPF_REG_3, /* requested bits that no rule has decided yet */
};

#define RULE_INSNS 11 /* the most instructions that one rule needs */
#define FRAME_INSNS 4 /* the instructions before the rules, and the exit at the end */
#define RUN_MAX                                                                                                \
	1000 /* rules that share a decision, 4 instructions each: a jump spans at most 32767 of them           \
	      */

/* Stands for the offset of a jump until its target is emitted. */
enum target {
	TO_NEXT = INT16_MIN, /* the rules of another major number */
	TO_DECISION,
	TO_END,
};

struct program {
	struct bpf_insn *insns;
	size_t len;
};

static void emit(struct program *program, unsigned int code, unsigned int dst, int16_t offset, int32_t value)
{
	program->insns[program->len++] = (struct bpf_insn){
		.code = (uint8_t)code,
		.dst_reg = (uint8_t)(dst & 0xf),
		.off = offset,
		.imm = value,
	};
}

/* Makes the next instruction the target of those jumps since start that have this placeholder. */
static void emit_target(struct program *program, size_t start, enum target target)
{
	for (size_t i = start; i < program->len; i++)
		if (program->insns[i].off == (int16_t)target)
			program->insns[i].off = (int16_t)(program->len - i - 1);
}

/*
 * Both supported architectures are little endian: the low half of access_type, the device's type, comes first.
 * A field is loaded again wherever the rules that follow can be reached on more than one path. If its register
 * were kept, known to be 1 on one path and not to be 1 on the other, the verifier would have to check all
 * following instructions once for each path.
 */
static void emit_load(struct program *program, unsigned int dst, unsigned int size, size_t offset)
{
	emit(program, BPF_LDX | BPF_MEM | size, dst, (int16_t)offset, 0);
	program->insns[program->len - 1].src_reg = REG_CONTEXT;
}

static void emit_jump_if(struct program *program, unsigned int comparison, uint32_t value, enum target target)
{
	emit(program, BPF_JMP32 | comparison | BPF_K, REG_FIELD, (int16_t)target, (int32_t)value);
}

static bool has_number(const struct spec_device_rule *rule)
{
	return rule->major >= 0 || rule->minor >= 0;
}

/*
 * Emits the tests for the first rule and the following ones that have the same major number and a minor number.
 * A request that matches jumps to the decision, others continue after the tests. Returns the number of rules.
 */
static size_t emit_numbers(struct program *program, const struct spec_device_rule *rules, size_t count)
{
	size_t start = program->len, n = 0;

	if (rules->major >= 0)
		emit_load(program, REG_FIELD, BPF_W, offsetof(struct bpf_cgroup_dev_ctx, major));
	if (rules->minor < 0) {
		emit_jump_if(program, BPF_JEQ, (uint32_t)rules->major, TO_DECISION);
		return 1;
	}
	if (rules->major >= 0)
		emit_jump_if(program, BPF_JNE, (uint32_t)rules->major, TO_NEXT);
	emit_load(program, REG_FIELD, BPF_W, offsetof(struct bpf_cgroup_dev_ctx, minor));
	for (; n < count && rules[n].major == rules->major && rules[n].minor >= 0; n++)
		emit_jump_if(program, BPF_JEQ, (uint32_t)rules[n].minor, TO_DECISION);
	emit_target(program, start, TO_NEXT);
	return n;
}

static void emit_decision(struct program *program, const struct spec_device_rule *rule)
{
	if (rule->allow) {
		emit(program, BPF_ALU64 | BPF_AND | BPF_K, REG_UNDECIDED, 0,
		     (int32_t)(~rule->access & ACCESS_ALL));
		emit(program, BPF_JMP | BPF_JNE | BPF_K, REG_UNDECIDED, TO_END, 0);
		emit(program, BPF_ALU64 | BPF_MOV | BPF_K, REG_RESULT, 0, 1);
		emit(program, BPF_JMP | BPF_EXIT, 0, 0, 0);
		return;
	}
	emit(program, BPF_JMP | BPF_JSET | BPF_K, REG_UNDECIDED, 1, rule->access);
	emit(program, BPF_JMP | BPF_JA, 0, TO_END, 0);
	emit(program, BPF_JMP | BPF_EXIT, 0, 0, 0); /* the result register is 0 */
}

/* The number of rules, from the first one on, that can share its test of the type and its decision. */
static size_t run_length(const struct spec_device_rule *rules, size_t count)
{
	size_t n = 1;

	if (!has_number(rules))
		return n;
	while (n < count && n < RUN_MAX && has_number(&rules[n]) && rules[n].allow == rules->allow &&
	       rules[n].type == rules->type && rules[n].access == rules->access)
		n++;
	return n;
}

/* Emits the rules of one run. All make the same decision, so the order of their tests does not matter. */
static void emit_run(struct program *program, const struct spec_device_rule *rules, size_t count)
{
	size_t start = program->len;

	if (rules->type != 'a') {
		emit_load(program, REG_FIELD, BPF_H, offsetof(struct bpf_cgroup_dev_ctx, access_type));
		emit_jump_if(program, BPF_JNE, rules->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR,
			     TO_END);
	}
	if (has_number(rules)) {
		for (size_t i = 0; i < count;)
			i += emit_numbers(program, &rules[i], count - i);
		emit(program, BPF_JMP | BPF_JA, 0, TO_END, 0);
		emit_target(program, start, TO_DECISION);
	}
	emit_decision(program, rules);
	emit_target(program, start, TO_END);
}

/* Device numbers have 32 bits, so a larger one never matches; a rule without access bits decides nothing. */
static bool is_effective(const struct spec_device_rule *rule)
{
	return rule->access != 0 && rule->major <= UINT32_MAX && rule->minor <= UINT32_MAX;
}

/* Whether the rule decides every bit of every request, so that earlier rules have no effect. */
static bool is_total(const struct spec_device_rule *rule)
{
	return rule->type == 'a' && !has_number(rule) && rule->access == ACCESS_ALL;
}

static bool is_known(const struct spec_device_rule *rule)
{
	return (rule->type == 'a' || rule->type == 'b' || rule->type == 'c') &&
	       (rule->access & ~ACCESS_ALL) == 0;
}

/* Selects the rules that have an effect, the last one first. Undecided bits are denied without a rule. */
static size_t select_rules(const struct spec_device_rule *rules, size_t count,
			   struct spec_device_rule *selected)
{
	size_t n = 0;

	while (count-- > 0) {
		if (!is_effective(&rules[count]))
			continue;
		if (is_total(&rules[count]) && !rules[count].allow)
			break;
		selected[n++] = rules[count];
		if (is_total(&rules[count]))
			break;
	}
	return n;
}

int cgroup_devices_compile(const struct spec_device_rule *rules, size_t count, struct bpf_insn **ret_program)
{
	_cleanup_free_ struct spec_device_rule *selected = NULL;
	_cleanup_free_ struct bpf_insn *insns = NULL;
	struct program program = {0};

	/* A million instructions, the verifier's limit (BPF_COMPLEXITY_LIMIT_INSNS of the kernel). */
	if (count > (BPF_MAXINSNS * 256 - FRAME_INSNS) / RULE_INSNS)
		return -E2BIG;
	for (size_t i = 0; i < count; i++)
		if (!is_known(&rules[i]))
			return -EINVAL;
	selected = mem_alloc((count + 1) * sizeof *selected);
	count = select_rules(rules, count, selected);
	if (count > 0 && is_total(selected))
		return 0;
	program.insns = insns = mem_alloc((count * RULE_INSNS + FRAME_INSNS) * sizeof *insns);

	emit(&program, BPF_ALU64 | BPF_MOV | BPF_K, REG_RESULT, 0, 0);
	emit_load(&program, REG_UNDECIDED, BPF_W, offsetof(struct bpf_cgroup_dev_ctx, access_type));
	emit(&program, BPF_ALU64 | BPF_RSH | BPF_K, REG_UNDECIDED, 0, 16);
	for (size_t i = 0, n; i < count; i += n) {
		n = run_length(&selected[i], count - i);
		emit_run(&program, &selected[i], n);
	}
	emit(&program, BPF_JMP | BPF_EXIT, 0, 0, 0);
	*ret_program = take_ptr(insns);
	return (int)program.len;
}

/* --- loading and attaching --- */

static int bpf_call(unsigned int command, union bpf_attr *attr)
{
	return (int)k_call3(__NR_bpf, command, attr, sizeof *attr);
}

/* BPF_PROG_LOAD fails with EAGAIN when a signal interrupts the verifier. */
#define LOAD_TRIES 30

static int program_load(const struct bpf_insn *insns, int count)
{
	union bpf_attr attr = {0};
	int fd = -EAGAIN;

	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insns = (uintptr_t)insns;
	attr.insn_cnt = (uint32_t)count;
	attr.license = (uintptr_t) "Apache-2.0";
	memcpy(attr.prog_name, program_name, sizeof program_name);
	for (int i = 0; fd == -EAGAIN && i < LOAD_TRIES; i++)
		fd = bpf_call(BPF_PROG_LOAD, &attr);
	return fd;
}

/* Opens the program with this id if cgroup_devices_set loaded it; otherwise -ENOENT. */
static int program_open_own(uint32_t id)
{
	_cleanup_fd_ int fd = -1;
	struct bpf_prog_info info = {0};
	union bpf_attr attr = {0};
	int r;

	attr.prog_id = id;
	fd = bpf_call(BPF_PROG_GET_FD_BY_ID, &attr);
	if (fd < 0)
		return fd;
	attr = (union bpf_attr){0};
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof info;
	attr.info.info = (uintptr_t)&info;
	r = bpf_call(BPF_OBJ_GET_INFO_BY_FD, &attr);
	if (r < 0)
		return r;
	return memcmp(info.name, program_name, sizeof program_name) == 0 ? take_fd(&fd) : -ENOENT;
}

#define PROGRAMS_MAX 64 /* BPF_CGROUP_MAX_PROGS of the kernel */

/*
 * Opens tare's program that is attached to the cgroup itself (not to its parents); -ENOENT if there is none.
 * Other programs stay attached: with BPF_F_ALLOW_MULTI every program must allow an access, so they cannot allow
 * more than tare's does.
 */
static int attached_open(int cgroup_fd)
{
	uint32_t ids[PROGRAMS_MAX] = {0};
	union bpf_attr attr = {0};
	int r;

	attr.query.target_fd = (uint32_t)cgroup_fd;
	attr.query.attach_type = BPF_CGROUP_DEVICE;
	attr.query.prog_ids = (uintptr_t)ids;
	attr.query.prog_cnt = PROGRAMS_MAX;
	r = bpf_call(BPF_PROG_QUERY, &attr);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < attr.query.prog_cnt && i < PROGRAMS_MAX; i++) {
		r = program_open_own(ids[i]);
		if (r != -ENOENT)
			return r;
	}
	return -ENOENT;
}

static int program_attach(int cgroup_fd, int program_fd, int replaced_fd)
{
	union bpf_attr attr = {0};

	attr.target_fd = (uint32_t)cgroup_fd;
	attr.attach_bpf_fd = (uint32_t)program_fd;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	if (replaced_fd >= 0) {
		attr.attach_flags |= BPF_F_REPLACE;
		attr.replace_bpf_fd = (uint32_t)replaced_fd;
	}
	return bpf_call(BPF_PROG_ATTACH, &attr);
}

static int program_detach(int cgroup_fd, int program_fd)
{
	union bpf_attr attr = {0};

	attr.target_fd = (uint32_t)cgroup_fd;
	attr.attach_bpf_fd = (uint32_t)program_fd;
	attr.attach_type = BPF_CGROUP_DEVICE;
	return bpf_call(BPF_PROG_DETACH, &attr);
}

static bool has_capability(const struct __user_cap_data_struct *data, unsigned int number)
{
	return data[number / 32].effective >> number % 32 & 1;
}

/* bpf(2), capabilities(7): CAP_SYS_ADMIN includes the other two. Only the initial user namespace's count. */
static void hint_denied(struct err *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};
	bool has_bpf, has_net;
	struct stat st;

	if (k_capget(&header, data) < 0)
		return;
	has_bpf = has_capability(data, CAP_SYS_ADMIN) || has_capability(data, CAP_BPF);
	has_net = has_capability(data, CAP_SYS_ADMIN) || has_capability(data, CAP_NET_ADMIN);
	if (!has_bpf || !has_net)
		err_hint(err, "device rules need %s%s%s", has_bpf ? "" : "CAP_BPF",
			 has_bpf || has_net ? "" : " and ", has_net ? "" : "CAP_NET_ADMIN");
	else if (k_fstatat(AT_FDCWD, "/proc/self/ns/user", &st, 0) == 0 && st.st_ino != USER_NS_INITIAL)
		err_hint(err, "device rules cannot be set in a user namespace");
}

static int devices_fail(struct err *err, int r, const char *verb)
{
	r = err_system(err, r, "cannot %s the device rules of the cgroup", verb);
	if (r == -EPERM)
		hint_denied(err);
	else if (r == -ENOSYS || r == -EINVAL)
		err_hint(err, "the kernel needs CONFIG_BPF_SYSCALL and CONFIG_CGROUP_BPF");
	return r;
}

static int load_fail(struct err *err, int r)
{
	r = devices_fail(err, r, "load");
	if (r == -EFAULT || r == -E2BIG) /* the verifier's limits: branches, instructions */
		err_hint(err, "the kernel does not accept that many rules: use fewer or broader ones");
	return r;
}

/*
 * Rules that allow everything need no program: it would only cost a call at every open of a device. An attached
 * program is detached. A caller that has no permission to query the programs cannot have attached one.
 */
int cgroup_devices_clear(int cgroup_fd, struct err *err)
{
	_cleanup_fd_ int attached_fd = attached_open(cgroup_fd);
	int r;

	if (attached_fd == -ENOENT || attached_fd == -EPERM || attached_fd == -ENOSYS || attached_fd == -EINVAL)
		return 0;
	if (attached_fd < 0)
		return devices_fail(err, attached_fd, "query");
	r = program_detach(cgroup_fd, attached_fd);
	return r < 0 ? devices_fail(err, r, "remove") : 0;
}

/* Loads the rules' program. Its descriptor, -ENOENT for rules that need none, or -errno with *err. */
static int load(const struct spec_device_rule *rules, size_t count, struct err *err)
{
	_cleanup_free_ struct bpf_insn *insns = NULL;
	int r = cgroup_devices_compile(rules, count, &insns);

	if (r == -E2BIG)
		return load_fail(err, r);
	if (r < 0)
		return err_set(err, ERR_CONFIG, r, NULL, "cannot translate the device rules of the cgroup");
	if (r == 0)
		return -ENOENT;
	r = program_load(insns, r);
	return r < 0 ? load_fail(err, r) : r;
}

int cgroup_devices_check(const struct spec_device_rule *rules, size_t count, struct err *err)
{
	_cleanup_fd_ int fd = load(rules, count, err);

	return fd < 0 && fd != -ENOENT ? fd : 0;
}

int cgroup_devices_set(int cgroup_fd, const struct spec_device_rule *rules, size_t count, struct err *err)
{
	_cleanup_fd_ int program_fd = load(rules, count, err), attached_fd = -1;
	int r;

	if (program_fd == -ENOENT)
		return cgroup_devices_clear(cgroup_fd, err);
	if (program_fd < 0)
		return program_fd;
	attached_fd = attached_open(cgroup_fd);
	if (attached_fd < 0 && attached_fd != -ENOENT)
		return devices_fail(err, attached_fd, "query");
	r = program_attach(cgroup_fd, program_fd, attached_fd);
	return r < 0 ? devices_fail(err, r, "attach") : 0;
}
