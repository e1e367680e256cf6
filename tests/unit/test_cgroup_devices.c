/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compares the device program with a direct evaluation of its rules, by an interpreter of the few instructions
 * that it uses. If the caller has the right to, it also loads the program, for the kernel's verifier.
 */
#include <errno.h>
#include <stdlib.h>

#include "../../src/cgroup/devices.h"
#include "unit.h"

/* --- the interpreter --- */

#define STEPS_MAX 100000

static uint64_t load(const struct bpf_cgroup_dev_ctx *request, const struct bpf_insn *insn)
{
	uint64_t value = 0;
	size_t size = BPF_SIZE(insn->code) == BPF_W ? 4 : BPF_SIZE(insn->code) == BPF_H ? 2 : 0;

	CHECK(size != 0);
	CHECK_INT(insn->src_reg, BPF_REG_1);
	CHECK(insn->off >= 0 && (size_t)insn->off % size == 0 && (size_t)insn->off + size <= sizeof *request);
	memcpy(&value, (const char *)request + insn->off, size);
	return value;
}

static bool is_jump(const struct bpf_insn *insn, uint64_t value)
{
	switch (insn->code) {
	case BPF_JMP | BPF_JA:
		return true;
	case BPF_JMP | BPF_JSET | BPF_K:
		return (value & (uint64_t)(int64_t)insn->imm) != 0;
	case BPF_JMP | BPF_JNE | BPF_K:
		return value != (uint64_t)(int64_t)insn->imm;
	case BPF_JMP32 | BPF_JNE | BPF_K:
		return (uint32_t)value != (uint32_t)insn->imm;
	case BPF_JMP32 | BPF_JEQ | BPF_K:
		return (uint32_t)value == (uint32_t)insn->imm;
	default:
		CHECK(!"a known jump");
		return false;
	}
}

static uint64_t calculate(const struct bpf_insn *insn, uint64_t value)
{
	uint64_t imm = (uint64_t)(int64_t)insn->imm;

	switch (insn->code) {
	case BPF_ALU64 | BPF_MOV | BPF_K:
		return imm;
	case BPF_ALU64 | BPF_AND | BPF_K:
		return value & imm;
	case BPF_ALU64 | BPF_RSH | BPF_K:
		return value >> (imm & 63);
	default:
		CHECK(!"a known calculation");
		return 0;
	}
}

/* Returns the result of the program, or -1 if it leaves its instructions or does not end. */
static int run(const struct bpf_insn *insns, int count, const struct bpf_cgroup_dev_ctx *request)
{
	uint64_t registers[16] = {0};
	int at = 0;

	for (int steps = 0; steps < STEPS_MAX; steps++) {
		const struct bpf_insn *insn;

		if (at < 0 || at >= count)
			return -1;
		insn = &insns[at++];
		if (insn->code == (BPF_JMP | BPF_EXIT))
			return (int)registers[BPF_REG_0];
		if (BPF_CLASS(insn->code) == BPF_LDX)
			registers[insn->dst_reg] = load(request, insn);
		else if (BPF_CLASS(insn->code) == BPF_ALU64)
			registers[insn->dst_reg] = calculate(insn, registers[insn->dst_reg]);
		else if (is_jump(insn, registers[insn->dst_reg]))
			at += insn->off;
	}
	return -1;
}

/* --- the meaning of the rules --- */

static bool is_named(const struct spec_device_rule *rule, char type, uint32_t major, uint32_t minor)
{
	return (rule->type == 'a' || rule->type == type) && (rule->major < 0 || rule->major == major) &&
	       (rule->minor < 0 || rule->minor == minor);
}

/* The last rule that names the device and this bit decides. */
static bool is_bit_allowed(const struct spec_device_rule *rules, size_t count,
			   const struct bpf_cgroup_dev_ctx *request, uint32_t bit)
{
	char type = (request->access_type & 0xffff) == BPF_DEVCG_DEV_BLOCK ? 'b' : 'c';
	bool is_allowed = false;

	for (size_t i = 0; i < count; i++)
		if (is_named(&rules[i], type, request->major, request->minor) && (rules[i].access & bit) != 0)
			is_allowed = rules[i].allow;
	return is_allowed;
}

/* Is there an allow rule for the device after the last rule that denies everything? */
static bool is_mentioned(const struct spec_device_rule *rules, size_t count,
			 const struct bpf_cgroup_dev_ctx *request)
{
	char type = (request->access_type & 0xffff) == BPF_DEVCG_DEV_BLOCK ? 'b' : 'c';
	bool found = false;

	for (size_t i = 0; i < count; i++) {
		bool is_all = rules[i].type == 'a' && rules[i].major < 0 && rules[i].minor < 0;

		if (!rules[i].allow && is_all && rules[i].access == 7)
			found = false;
		else if (rules[i].allow && rules[i].access != 0 &&
			 is_named(&rules[i], type, request->major, request->minor))
			found = true;
	}
	return found;
}

static bool is_allowed(const struct spec_device_rule *rules, size_t count,
		       const struct bpf_cgroup_dev_ctx *request)
{
	if (request->access_type >> 16 == 0)
		return is_mentioned(rules, count, request);
	for (uint32_t bit = 1; bit <= 4; bit <<= 1)
		if ((request->access_type >> 16 & bit) != 0 && !is_bit_allowed(rules, count, request, bit))
			return false;
	return true;
}

/* --- comparison --- */

static int program_run(const struct spec_device_rule *rules, size_t count, uint32_t access_type, uint32_t major,
		       uint32_t minor)
{
	struct bpf_cgroup_dev_ctx request = {access_type, major, minor};
	_cleanup_free_ struct bpf_insn *insns = NULL;
	int len = cgroup_devices_compile(rules, count, &insns);

	if (len == 0)
		return 1;
	return len < 0 ? len : run(insns, len, &request);
}

static bool compare_one(const struct bpf_insn *insns, int len, const struct spec_device_rule *rules,
			size_t count, struct bpf_cgroup_dev_ctx request)
{
	int found = len == 0 ? 1 : run(insns, len, &request);

	if (found == (is_allowed(rules, count, &request) ? 1 : 0))
		return true;
	fprintf(stderr, "access_type %#x device %u:%u\n", request.access_type, request.major, request.minor);
	CHECK_INT(found, is_allowed(rules, count, &request));
	for (size_t i = 0; i < count; i++)
		fprintf(stderr, "  %s %c %lld:%lld %x\n", rules[i].allow ? "allow" : "deny", rules[i].type,
			(long long)rules[i].major, (long long)rules[i].minor, rules[i].access);
	return false;
}

/* All requests for a few devices. */
static void compare(const struct spec_device_rule *rules, size_t count)
{
	static const uint32_t numbers[] = {0, 1, 3, 0x7fffffff, 0x80000000, 0xffffffff};
	_cleanup_free_ struct bpf_insn *insns = NULL;
	int len = cgroup_devices_compile(rules, count, &insns);
	bool is_good = len >= 0;

	for (uint32_t bits = 0; bits < 2 * 8 * ARRAY_SIZE(numbers) * ARRAY_SIZE(numbers) && is_good; bits++) {
		uint32_t type = bits % 2 == 0 ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR;
		uint32_t access = bits / 2 % 8;
		struct bpf_cgroup_dev_ctx request = {
			access << 16 | type,
			numbers[bits / 16 % ARRAY_SIZE(numbers)],
			numbers[bits / 16 / ARRAY_SIZE(numbers)],
		};

		is_good = compare_one(insns, len, rules, count, request);
	}
	CHECK(is_good);
}

static struct spec_device_rule random_rule(unsigned int *seed)
{
	static const int64_t numbers[] = {-1, -1, -1, 0, 1, 3, 0x80000000, 0xffffffff, 0x100000001};
	struct spec_device_rule rule = {
		.type = "abccb"[rand_r(seed) % 5],
		.major = numbers[(size_t)rand_r(seed) % ARRAY_SIZE(numbers)],
		.minor = numbers[(size_t)rand_r(seed) % ARRAY_SIZE(numbers)],
		.access = (uint8_t)(rand_r(seed) % 8),
		.allow = rand_r(seed) % 2 == 0,
	};

	return rule;
}

/*
 * Every second rule differs from the one before it only in its numbers, as in the rules of real configurations.
 */
static void random_rules(unsigned int *seed, struct spec_device_rule *rules, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		rules[i] = random_rule(seed);
		if (i > 0 && rand_r(seed) % 2 == 0) {
			rules[i].type = rules[i - 1].type;
			rules[i].access = rules[i - 1].access;
			rules[i].allow = rules[i - 1].allow;
			if (rand_r(seed) % 2 == 0)
				rules[i].major = rules[i - 1].major;
		}
	}
}

static void test_random(void)
{
	unsigned int seed = 1;

	for (int round = 0; round < 3000; round++) {
		struct spec_device_rule rules[12];
		size_t count = (size_t)rand_r(&seed) % (ARRAY_SIZE(rules) + 1);

		random_rules(&seed, rules, count);
		compare(rules, count);
	}
}

#define R SPEC_ACCESS_READ
#define W SPEC_ACCESS_WRITE
#define M SPEC_ACCESS_MKNOD
#define CHAR(access) ((uint32_t)(access) << 16 | BPF_DEVCG_DEV_CHAR)
#define BLOCK(access) ((uint32_t)(access) << 16 | BPF_DEVCG_DEV_BLOCK)

static void test_cases(void)
{
	const struct spec_device_rule part[] = {
		{.type = 'c', .major = 1, .minor = 3, .access = R | W | M, .allow = true},
		{.type = 'c', .major = 1, .minor = 3, .access = W, .allow = false},
	};
	const struct spec_device_rule two[] = {
		{.type = 'c', .major = 1, .minor = 3, .access = R, .allow = true},
		{.type = 'c', .major = 1, .minor = 3, .access = W, .allow = true},
	};
	const struct spec_device_rule reset[] = {
		{.type = 'c', .major = 1, .minor = 3, .access = R | W | M, .allow = true},
		{.type = 'a', .major = -1, .minor = -1, .access = R | W | M, .allow = false},
		{.type = 'b', .major = 8, .minor = -1, .access = R, .allow = true},
	};

	CHECK_INT(program_run(part, 2, CHAR(R), 1, 3), 1);
	CHECK_INT(program_run(part, 2, CHAR(R | M), 1, 3), 1);
	CHECK_INT(program_run(part, 2, CHAR(W), 1, 3), 0);
	CHECK_INT(program_run(part, 2, CHAR(R | W), 1, 3), 0);
	CHECK_INT(program_run(part, 2, CHAR(R), 1, 5), 0);
	CHECK_INT(program_run(part, 2, BLOCK(R), 1, 3), 0);
	CHECK_INT(program_run(two, 2, CHAR(R | W), 1, 3), 1);
	CHECK_INT(program_run(two, 2, CHAR(R | W | M), 1, 3), 0);
	CHECK_INT(program_run(reset, 3, CHAR(R), 1, 3), 0);
	CHECK_INT(program_run(reset, 3, BLOCK(R), 8, 1), 1);
	CHECK_INT(program_run(reset, 3, BLOCK(R | W), 8, 1), 0);
	/* A request for no access: an allow rule for the device suffices. */
	CHECK_INT(program_run(part, 2, CHAR(0), 1, 3), 1);
	CHECK_INT(program_run(part, 2, CHAR(0), 1, 4), 0);
	CHECK_INT(program_run(NULL, 0, CHAR(R), 1, 3), 0);
}

static void test_allow_all(void)
{
	struct spec_device_rule rules[] = {
		{.type = 'c', .major = 1, .minor = 3, .access = W, .allow = false},
		{.type = 'a', .major = -1, .minor = -1, .access = R | W | M, .allow = true},
		{.type = 'c', .major = 1, .minor = 3, .access = 0, .allow = false},         /* no effect */
		{.type = 'c', .major = 1ll << 32, .minor = 3, .access = W, .allow = false}, /* no such device */
		{.type = 'c', .major = 1, .minor = 3, .access = W, .allow = false},
	};
	_cleanup_free_ struct bpf_insn *insns = NULL;

	CHECK_INT(cgroup_devices_compile(rules, 4, &insns), 0);
	CHECK(insns == NULL);
	CHECK(cgroup_devices_compile(rules, 5, &insns) > 0);
	compare(rules, 5);
}

/* More rules of one kind than a jump can skip. */
static void test_many(void)
{
	struct spec_device_rule rules[9000];
	const size_t count = ARRAY_SIZE(rules);

	for (size_t i = 0; i < count; i++)
		rules[i] = (struct spec_device_rule){
			.type = 'c', .major = (int64_t)i, .minor = (int64_t)i, .access = R, .allow = true};
	for (uint32_t i = 0; i < count; i += 100) {
		CHECK_INT(program_run(rules, count, CHAR(R), i, i), 1);
		CHECK_INT(program_run(rules, count, CHAR(R), i, i + 1), 0);
		CHECK_INT(program_run(rules, count, CHAR(W), i, i), 0);
		CHECK_INT(program_run(rules, count, BLOCK(R), i, i), 0);
	}
	CHECK_INT(program_run(rules, count, CHAR(R), (uint32_t)count, (uint32_t)count), 0);
}

static void test_refused(void)
{
	struct spec_device_rule rule = {.type = 'u', .major = 1, .minor = 3, .access = R, .allow = true};
	struct bpf_insn *insns = NULL;

	CHECK_INT(cgroup_devices_compile(&rule, 1, &insns), -EINVAL);
	rule.type = 'c';
	rule.access = 8;
	CHECK_INT(cgroup_devices_compile(&rule, 1, &insns), -EINVAL);
	CHECK(insns == NULL);
}

/* --- the kernel's verifier --- */

static int kernel_load(const struct spec_device_rule *rules, size_t count)
{
	static char log[65536];
	_cleanup_free_ struct bpf_insn *insns = NULL;
	_cleanup_fd_ int fd = -1;
	union bpf_attr attr = {0};
	int len = cgroup_devices_compile(rules, count, &insns);

	if (len <= 0)
		return len;
	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insns = (uintptr_t)insns;
	attr.insn_cnt = (uint32_t)len;
	attr.license = (uintptr_t) "Apache-2.0";
	attr.log_buf = (uintptr_t)log;
	attr.log_size = sizeof log;
	attr.log_level = 4; /* the log states the cost */
	fd = (int)k_call3(__NR_bpf, BPF_PROG_LOAD, &attr, sizeof attr);
	if (fd < 0 && fd != -EPERM && fd != -ENOSYS)
		fprintf(stderr, "%zu rules, %d instructions: %d\n%s\n", count, len, fd, log);
	else if (count > 500 && fd >= 0)
		fprintf(stderr, "%zu rules, %d instructions: %s", count, len, log);
	return fd < 0 ? fd : 0;
}

static void test_kernel(void)
{
	struct spec_device_rule rules[2000];
	unsigned int seed = 7;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		rules[i] = (struct spec_device_rule){.type = i % 2 == 0 ? 'c' : 'b',
						     .major = (int64_t)i / 3 + 1,
						     .minor = (int64_t)i,
						     .access = (uint8_t)(i % 7 + 1),
						     .allow = i % 3 != 0};
	r = kernel_load(rules, 1);
	if (r == -EPERM || r == -ENOSYS) {
		fprintf(stderr, "the kernel does not let us load programs: that part is skipped\n");
		return;
	}
	CHECK_INT(r, 0);
	CHECK_INT(kernel_load(rules, 100), 0);
	CHECK_INT(kernel_load(rules, ARRAY_SIZE(rules)), 0);
	for (int round = 0; round < 100; round++) {
		size_t count = (size_t)rand_r(&seed) % 30;

		random_rules(&seed, rules, count);
		CHECK_INT(kernel_load(rules, count), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		rules[i] = (struct spec_device_rule){
			.type = 'b', .major = (int64_t)i / 4, .minor = (int64_t)i, .access = R, .allow = true};
	CHECK_INT(kernel_load(rules, ARRAY_SIZE(rules)), 0);
}

int main(void)
{
	test_cases();
	test_allow_all();
	test_many();
	test_refused();
	test_random();
	test_kernel();
	UNIT_MAIN_END;
}
