/* SPDX-License-Identifier: Apache-2.0 */
/* Compiles the seccomp section of the configuration by libseccomp. Process: the parent. */
#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <string.h>
#include <unistd.h>

#include <tare/seccomp.h>

#define TREE 2      /* value of SCMP_FLTATR_CTL_OPTIMIZE: a binary tree of the system calls */
#define API_LEVEL 6 /* of libseccomp: has everything that Linux 5.14 has, so the kernel need not be probed */
#define X32_BIT 0x40000000u     /* __X32_SYSCALL_BIT */
#define ARM_PRIVATE 0x000f0000u /* __ARM_NR_BASE: numbers from here are not in order of age */

struct compiler {
	const struct spec_seccomp *spec;
	struct err *err;
	scmp_filter_ctx context;
	uint32_t default_action;
};

static void release(struct compiler *c)
{
	if (c->context != NULL)
		seccomp_release(c->context);
}

/* --- constants of the specification as those of libseccomp --- */

static uint32_t action_of(enum spec_seccomp_action action, const struct spec_uint *errno_ret)
{
	uint32_t value = errno_ret->is_set ? (uint32_t)errno_ret->value : EPERM;

	switch (action) {
	case SPEC_SECCOMP_KILL_THREAD:
		return SCMP_ACT_KILL_THREAD;
	case SPEC_SECCOMP_KILL_PROCESS:
		return SCMP_ACT_KILL_PROCESS;
	case SPEC_SECCOMP_TRAP:
		return SCMP_ACT_TRAP;
	case SPEC_SECCOMP_ERRNO:
		return SCMP_ACT_ERRNO(value);
	case SPEC_SECCOMP_TRACE:
		return SCMP_ACT_TRACE(value);
	case SPEC_SECCOMP_ALLOW:
		return SCMP_ACT_ALLOW;
	case SPEC_SECCOMP_LOG:
		return SCMP_ACT_LOG;
	case SPEC_SECCOMP_NOTIFY:
		return SCMP_ACT_NOTIFY;
	}
	return SCMP_ACT_KILL_PROCESS;
}

static struct scmp_arg_cmp comparison_of(const struct spec_seccomp_arg *arg)
{
	static const enum scmp_compare ops[] = {
		[SPEC_SECCOMP_NE] = SCMP_CMP_NE,
		[SPEC_SECCOMP_LT] = SCMP_CMP_LT,
		[SPEC_SECCOMP_LE] = SCMP_CMP_LE,
		[SPEC_SECCOMP_EQ] = SCMP_CMP_EQ,
		[SPEC_SECCOMP_GE] = SCMP_CMP_GE,
		[SPEC_SECCOMP_GT] = SCMP_CMP_GT,
		[SPEC_SECCOMP_MASKED_EQ] = SCMP_CMP_MASKED_EQ,
	};

	return (struct scmp_arg_cmp){arg->index, ops[arg->op], arg->value, arg->value_two};
}

/* libseccomp's number of an architecture ("SCMP_ARCH_..."), 0 if libseccomp does not know it. */
static uint32_t arch_token(const char *name)
{
	char lower[32];
	size_t len = 0;

	for (name += strlen("SCMP_ARCH_"); name[len] != '\0' && len < sizeof lower - 1; len++)
		lower[len] = name[len] >= 'A' && name[len] <= 'Z' ? (char)(name[len] + 32) : name[len];
	lower[len] = '\0';
	return seccomp_arch_resolve_name(lower);
}

/* --- the filter --- */

static int add_architectures(struct compiler *c)
{
	const struct spec_list *names = &c->spec->architectures;
	char json_pointer[64];

	for (size_t i = 0; i < names->count; i++) {
		uint32_t token = arch_token(names->v[i]);
		int r = token == 0 ? -EINVAL : seccomp_arch_add(c->context, token);

		if (r == 0 || r == -EEXIST)
			continue;
		str_format(json_pointer, sizeof json_pointer, "/linux/seccomp/architectures/%zu", i);
		if (r == -EDOM)
			return err_set(c->err, ERR_UNSUPPORTED, 0, json_pointer,
				       "%s has another byte order than this machine", names->v[i]);
		err_set(c->err, ERR_UNSUPPORTED, 0, json_pointer, "this version of libseccomp does not know %s",
			names->v[i]);
		return -EINVAL;
	}
	return 0;
}

/*
 * A rule of libseccomp can have only one condition on each argument. If there are several on one argument, each
 * condition becomes a rule of its own.
 */
static bool is_one_rule(const struct spec_seccomp_rule *rule)
{
	uint32_t seen = 0;

	for (size_t i = 0; i < rule->arg_count; i++) {
		if ((seen >> rule->args[i].index & 1) != 0)
			return false;
		seen |= 1u << rule->args[i].index;
	}
	return true;
}

static int add_name(struct compiler *c, const struct spec_seccomp_rule *rule, const char *name)
{
	uint32_t action = action_of(rule->action, &rule->errno_ret);
	int number = seccomp_syscall_resolve_name(name), r = 0;
	_cleanup_free_ struct scmp_arg_cmp *args = NULL;

	/* libseccomp refuses a rule that has the default action. */
	if (number == __NR_SCMP_ERROR || action == c->default_action)
		return 0;
	args = mem_alloc((rule->arg_count + 1) * sizeof *args);
	for (size_t i = 0; i < rule->arg_count; i++)
		args[i] = comparison_of(&rule->args[i]);
	if (is_one_rule(rule))
		return seccomp_rule_add_array(c->context, action, number, (unsigned int)rule->arg_count, args);
	for (size_t i = 0; r == 0 && i < rule->arg_count; i++)
		r = seccomp_rule_add_array(c->context, action, number, 1, &args[i]);
	return r;
}

static int add_rules(struct compiler *c)
{
	for (size_t i = 0; i < c->spec->rule_count; i++) {
		const struct spec_seccomp_rule *rule = &c->spec->rules[i];

		for (size_t k = 0; k < rule->names.count; k++) {
			int r = add_name(c, rule, rule->names.v[k]);
			char json_pointer[64];

			if (r == 0)
				continue;
			str_format(json_pointer, sizeof json_pointer, "/linux/seccomp/syscalls/%zu/names/%zu",
				   i, k);
			if (r == -EEXIST)
				return err_set(c->err, ERR_CONFIG, 0, json_pointer,
					       "an earlier rule gives '%s' another action", rule->names.v[k]);
			return err_set(c->err, ERR_UNSUPPORTED, r, json_pointer, "cannot add a rule for '%s'",
				       rule->names.v[k]);
		}
	}
	return 0;
}

/* --- system calls that are newer than the filter --- */

/* The highest system call number that the filter names; -1 if it names none of this architecture. */
static int64_t highest_number(const struct spec_seccomp *spec, uint32_t token)
{
	int64_t newest = -1;

	for (size_t i = 0; i < spec->rule_count; i++) {
		for (size_t k = 0; k < spec->rules[i].names.count; k++) {
			int number = seccomp_syscall_resolve_name_arch(token, spec->rules[i].names.v[k]);

			if (token == SCMP_ARCH_ARM && number >= (int)ARM_PRIVATE)
				continue;
			newest = number > newest ? number : newest;
		}
	}
	return newest;
}

static void add_newer_block(struct buf *out, const struct spec_seccomp *spec, uint32_t token)
{
	int64_t newest = highest_number(spec, token);
	/* seccomp_data.arch is the same for x86-64 and x32: a bit of the number distinguishes them. */
	uint32_t audit = token == SCMP_ARCH_X32 ? SCMP_ARCH_X86_64 : token;
	uint32_t ceiling = token == SCMP_ARCH_X32   ? X32_BIT * 2
			   : token == SCMP_ARCH_ARM ? ARM_PRIVATE
						    : X32_BIT;
	const struct sock_filter block[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, audit, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, ceiling, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (uint32_t)newest, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	};

	if (newest >= 0)
		buf_add(out, block, sizeof block);
}

static void add_newer_blocks(struct compiler *c, struct buf *out)
{
	uint32_t native = seccomp_arch_native();

	if (c->default_action != SCMP_ACT_ERRNO(EPERM))
		return;
	add_newer_block(out, c->spec, native);
	for (size_t i = 0; i < c->spec->architectures.count; i++) {
		uint32_t token = arch_token(c->spec->architectures.v[i]);

		if (token != native)
			add_newer_block(out, c->spec, token);
	}
}

/* --- the whole --- */

/* libseccomp can only write to a descriptor. */
static int export(struct compiler *c, struct buf *out)
{
	_cleanup_fd_ int fd = k_memfd_create("seccomp", MFD_CLOEXEC);
	int r = fd < 0 ? fd : seccomp_export_bpf(c->context, fd);

	if (r == 0)
		r = (int)k_lseek(fd, 0, SEEK_SET);
	/* One instruction more than the kernel accepts, so that compile() detects a filter that is too long. */
	return r < 0 ? r : io_read_fd(fd, (BPF_MAXINSNS + 1) * sizeof(struct sock_filter), out);
}

static int begin(struct compiler *c)
{
	int r;

	(void)seccomp_api_set(API_LEVEL);
	c->default_action = action_of(c->spec->default_action, &c->spec->default_errno_ret);
	c->context = seccomp_init(c->default_action);
	if (c->context == NULL)
		return err_set(c->err, ERR_UNSUPPORTED, 0, "/linux/seccomp/defaultAction",
			       "libseccomp cannot make a filter with this default action");
	r = seccomp_attr_set(c->context, SCMP_FLTATR_CTL_OPTIMIZE, TREE);
	/*
	 * A system call of an architecture that the filter does not list kills the process, not only the
	 * thread: a program cannot continue without one of its threads.
	 */
	if (r == 0)
		r = seccomp_attr_set(c->context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	return r < 0 ? err_set(c->err, ERR_UNSUPPORTED, r, "/linux/seccomp", "cannot make a filter") : 0;
}

static int compile(struct compiler *c, struct seccomp_program *ret)
{
	_cleanup_buf_ struct buf out = {0};
	int r = begin(c);

	if (r >= 0)
		r = add_architectures(c);
	if (r >= 0)
		r = add_rules(c);
	if (r < 0)
		return r;
	add_newer_blocks(c, &out);
	r = export(c, &out);
	if (r < 0 && r != -EFBIG)
		return err_set(c->err, ERR_UNSUPPORTED, r, "/linux/seccomp", "cannot generate the filter");
	if (out.len > BPF_MAXINSNS * sizeof(struct sock_filter))
		return err_set(c->err, ERR_CONFIG, E2BIG, "/linux/seccomp",
			       "the filter has more than %d instructions, the kernel's limit", BPF_MAXINSNS);
	ret->count = (uint32_t)(out.len / sizeof(struct sock_filter));
	ret->filter = (struct sock_filter *)(void *)take_ptr(out.data);
	return 0;
}

int seccomp_compile(const struct spec_seccomp *spec, struct seccomp_program *ret, struct err *err)
{
	struct compiler c = {.spec = spec, .err = err};
	int r;

	*ret = (struct seccomp_program){0};
	r = compile(&c, ret);
	release(&c);
	return r;
}

void seccomp_program_done(struct seccomp_program *program)
{
	mem_free(&program->filter);
	program->count = 0;
}

int seccomp_unknown_names(const struct spec_seccomp *spec,
			  void (*on_name)(void *context, const char *json_pointer, const char *name),
			  void *context)
{
	int count = 0;

	for (size_t i = 0; i < spec->rule_count; i++) {
		for (size_t k = 0; k < spec->rules[i].names.count; k++) {
			const char *name = spec->rules[i].names.v[k];
			char json_pointer[64];

			if (seccomp_syscall_resolve_name(name) != __NR_SCMP_ERROR)
				continue;
			str_format(json_pointer, sizeof json_pointer, "/linux/seccomp/syscalls/%zu/names/%zu",
				   i, k);
			on_name(context, json_pointer, name);
			count++;
		}
	}
	return count;
}

/* A filter has one byte order, that of this machine: libseccomp refuses architectures of the other one. */
static bool is_usable(uint32_t token)
{
	scmp_filter_ctx context = token == 0 ? NULL : seccomp_init(SCMP_ACT_ALLOW);
	int r = context == NULL ? -EINVAL : seccomp_arch_add(context, token);

	if (context != NULL)
		seccomp_release(context);
	return r == 0 || r == -EEXIST;
}

/* libseccomp's numbers of architectures are those of the kernel, except that of x32. */
#define X32_NUMBER(arch, number) ((arch) == SCMP_ARCH_X86_64 && ((uint32_t)(number)&X32_BIT) != 0)

char *seccomp_call_name(uint32_t arch, int number)
{
	return seccomp_syscall_resolve_num_arch(X32_NUMBER(arch, number) ? SCMP_ARCH_X32 : arch, number);
}

const char *seccomp_architecture_of(uint32_t arch)
{
	const char *name;

	for (int i = 0; (name = spec_seccomp_architecture_name(i)) != NULL; i++)
		if (arch_token(name) == arch)
			return name;
	return NULL;
}

const char *seccomp_architecture_name(int index)
{
	const char *name;

	for (int i = 0; (name = spec_seccomp_architecture_name(i)) != NULL; i++)
		if (is_usable(arch_token(name)) && index-- == 0)
			return name;
	return NULL;
}

char *seccomp_library_version(void)
{
	const struct scmp_version *version = seccomp_version();

	return mem_format("%u.%u.%u", version->major, version->minor, version->micro);
}
