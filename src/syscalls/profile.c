/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The profile of --learn: linux.seccomp of runtime-spec, with what an existing file has and the recorded calls.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "recorder.h"

#define PROFILE_MAX ((size_t)16 << 20)
#define CLONE_NAMESPACES 0x7e020000ull /* CLONE_NEW* of clone(2) */

/*
 * Calls that depend on moments, and need not happen while the program is recorded: signal handlers, a stop
 * (restart_syscall(2)), a wait for another thread, the end of a thread.
 */
static const char *const always[] = {"exit", "exit_group", "futex", "restart_syscall", "rt_sigreturn"};

/* --- reading --- */

static int parse(const char *path, const struct buf *text, struct profile *ret, struct err *err)
{
	static const char head[] =
		"{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"/\"},\"linux\":{\"seccomp\":";
	static const char section[] = "/linux/seccomp";
	_cleanup_buf_ struct buf document = {0};
	int r;

	buf_add_str(&document, head);
	buf_add(&document, text->data, text->len);
	buf_add_str(&document, "}}");
	r = spec_parse(document.data, document.len, &ret->spec, err);
	if (r >= 0)
		r = seccomp_compile(&ret->spec->seccomp, &ret->program, err);
	if (r >= 0)
		return 0;
	if (str_has_prefix(err->json_pointer, section))
		memmove(err->json_pointer, err->json_pointer + strlen(section),
			strlen(err->json_pointer) - strlen(section) + 1);
	err_prefix(err, "%s", path);
	return r;
}

int profile_read(const char *path, struct profile *ret, struct err *err)
{
	_cleanup_buf_ struct buf text = {0};
	int r;

	*ret = (struct profile){.spec = NULL};
	if (path == NULL || str_equal(path, "-"))
		return 0;
	r = io_read_file(AT_FDCWD, path, PROFILE_MAX, &text);
	if (r == -ENOENT || (r >= 0 && text.len == 0))
		return 0;
	return r < 0 ? err_system(err, r, "cannot read '%s'", path) : parse(path, &text, ret, err);
}

void profile_done(struct profile *profile)
{
	seccomp_program_done(&profile->program);
	spec_free(profile->spec);
	profile->spec = NULL;
}

/* --- recording --- */

static bool is_call(const struct seccomp_data *call, const char *name)
{
	_cleanup_free_ char *found = seccomp_call_name(call->arch, call->nr);

	return found != NULL && str_equal(found, name);
}

bool profile_value(const struct seccomp_data *call, uint64_t *ret)
{
	bool is_clone = is_call(call, "clone");
	bool has_value = is_clone || is_call(call, "personality") || is_call(call, "socket");

	*ret = has_value ? call->args[0] & (is_clone ? CLONE_NAMESPACES : UINT64_MAX) : 0;
	return has_value;
}

/*
 * A filter cannot read the flags of clone3(2), which are in memory. A profile has it fail as on an older
 * kernel, so that programs call clone(2), and so it does while they are recorded.
 */
uint32_t profile_answer(const struct seccomp_data *call)
{
	return is_call(call, "clone3") ? SECCOMP_RET_ERRNO | ENOSYS : SECCOMP_RET_ALLOW;
}

/* --- what the existing profile lacks --- */

static bool is_refused(const struct call *call)
{
	return call->answer != SECCOMP_RET_ALLOW;
}

/* Whether a rule of the existing profile looks at arguments of the call. Those that were recorded are not
 * known. */
static bool has_conditional_rule(const struct spec_seccomp *old, const struct call *call)
{
	_cleanup_free_ char *name = seccomp_call_name(call->arch, call->number);

	for (size_t i = 0; name != NULL && i < old->rule_count; i++)
		for (size_t k = 0; old->rules[i].arg_count > 0 && k < old->rules[i].names.count; k++)
			if (str_equal(old->rules[i].names.v[k], name))
				return true;
	return false;
}

/*
 * Whether the existing profile does not allow the call, or may not. A name that is allowed whatever the
 * arguments are is not added a second time.
 */
static bool is_missing(const struct profile *profile, const struct call *call)
{
	const struct seccomp_data data = {.nr = call->number, .arch = call->arch, .args = {call->value}};
	uint32_t action;

	if (profile->spec == NULL ||
	    (!call->has_value && !is_refused(call) && has_conditional_rule(&profile->spec->seccomp, call)))
		return true;
	action = seccomp_action(seccomp_evaluate(profile->program.filter, profile->program.count, &data));
	return action != SECCOMP_RET_ALLOW && action != SECCOMP_RET_LOG;
}

/* Texts that the profile owns. */
struct names {
	char **v;
	size_t count;
};

static void names_done(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->v[i]);
	free(names->v);
}

static bool names_have(const struct names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (str_equal(names->v[i], name))
			return true;
	return false;
}

static void names_add(struct names *names, const char *name)
{
	if (name == NULL || names_have(names, name))
		return;
	names->v = mem_resize(names->v, (names->count + 1) * sizeof *names->v);
	names->v[names->count++] = mem_dup(name);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_plain_allow(const struct spec_seccomp_rule *rule)
{
	return rule->action == SPEC_SECCOMP_ALLOW && rule->arg_count == 0;
}

/* The names that are allowed whatever their arguments are: those of the existing profile, and new ones. */
static void collect_names(const struct profile *profile, const struct calls *calls, struct names *ret)
{
	const struct spec_seccomp *old = profile->spec == NULL ? NULL : &profile->spec->seccomp;

	for (size_t i = 0; old != NULL && i < old->rule_count; i++)
		for (size_t k = 0; is_plain_allow(&old->rules[i]) && k < old->rules[i].names.count; k++)
			names_add(ret, old->rules[i].names.v[k]);
	for (size_t i = 0; i < ARRAY_SIZE(always) && (old == NULL || old->default_action != SPEC_SECCOMP_ALLOW);
	     i++)
		names_add(ret, always[i]);
	for (size_t i = 0; i < calls->count; i++) {
		const struct call *call = &calls->rows[i];
		_cleanup_free_ char *name = seccomp_call_name(call->arch, call->number);

		if (!call->has_value && !is_refused(call) && is_missing(profile, call))
			names_add(ret, name);
	}
	qsort(ret->v, ret->count, sizeof *ret->v, compare_names);
}

static void collect_architectures(const struct profile *profile, const struct calls *calls, struct names *ret)
{
	for (size_t i = 0; profile->spec != NULL && i < profile->spec->seccomp.architectures.count; i++)
		names_add(ret, profile->spec->seccomp.architectures.v[i]);
	for (size_t i = 0; i < calls->count; i++)
		names_add(ret, seccomp_architecture_of(calls->rows[i].arch));
}

/* --- writing --- */

static const char *const actions[] = {
	[SPEC_SECCOMP_KILL_THREAD] = "SCMP_ACT_KILL_THREAD",
	[SPEC_SECCOMP_KILL_PROCESS] = "SCMP_ACT_KILL_PROCESS",
	[SPEC_SECCOMP_TRAP] = "SCMP_ACT_TRAP",
	[SPEC_SECCOMP_ERRNO] = "SCMP_ACT_ERRNO",
	[SPEC_SECCOMP_TRACE] = "SCMP_ACT_TRACE",
	[SPEC_SECCOMP_ALLOW] = "SCMP_ACT_ALLOW",
	[SPEC_SECCOMP_LOG] = "SCMP_ACT_LOG",
	[SPEC_SECCOMP_NOTIFY] = "SCMP_ACT_NOTIFY",
};

static void print_names(struct json *json, const char *key, char *const *v, size_t count)
{
	json_key(json, key);
	json_array(json);
	for (size_t i = 0; i < count; i++)
		json_string(json, v[i]);
	json_array_end(json);
}

static void print_args(struct json *json, const struct spec_seccomp_rule *rule)
{
	if (rule->arg_count == 0)
		return;
	json_key(json, "args");
	json_array(json);
	for (size_t i = 0; i < rule->arg_count; i++) {
		const struct spec_seccomp_arg *arg = &rule->args[i];

		json_object(json);
		json_pair_uint(json, "index", arg->index);
		json_pair_uint(json, "value", arg->value);
		if (arg->op == SPEC_SECCOMP_MASKED_EQ)
			json_pair_uint(json, "valueTwo", arg->value_two);
		json_pair(json, "op", spec_seccomp_operator_name((int)arg->op));
		json_object_end(json);
	}
	json_array_end(json);
}

static void print_rule(struct json *json, const struct spec_seccomp_rule *rule)
{
	json_object(json);
	print_names(json, "names", rule->names.v, rule->names.count);
	json_pair(json, "action", actions[rule->action]);
	if (rule->errno_ret.is_set)
		json_pair_uint(json, "errnoRet", rule->errno_ret.value);
	print_args(json, rule);
	json_object_end(json);
}

/* A rule of the existing profile, without the names that are allowed now. Returns whether it names name. */
static bool print_old_rule(struct json *json, const struct spec_seccomp_rule *rule, const struct names *allowed,
			   const char *name)
{
	struct spec_seccomp_rule kept = *rule;
	_cleanup_free_ char **v = mem_alloc((rule->names.count + 1) * sizeof *v);
	bool has_name = false;

	kept.names = (struct spec_list){.v = v};
	for (size_t i = 0; i < rule->names.count; i++) {
		has_name |= str_equal(rule->names.v[i], name);
		if (rule->arg_count > 0 || !names_have(allowed, rule->names.v[i]))
			v[kept.names.count++] = rule->names.v[i];
	}
	if (kept.names.count > 0)
		print_rule(json, &kept);
	return has_name;
}

static void print_value_rule(struct json *json, const struct call *call, char *name)
{
	bool is_clone = str_equal(name, "clone");
	struct spec_seccomp_arg arg = {.op = is_clone ? SPEC_SECCOMP_MASKED_EQ : SPEC_SECCOMP_EQ,
				       .value = is_clone ? CLONE_NAMESPACES : call->value,
				       .value_two = call->value};
	const struct spec_seccomp_rule rule = {
		.names = {.v = &name, .count = 1},
		.action = SPEC_SECCOMP_ALLOW,
		.args = &arg,
		.arg_count = 1,
	};

	print_rule(json, &rule);
}

/* Whether an earlier row allows the same: of another architecture. */
static bool is_repeated(const struct calls *calls, size_t at, const char *name)
{
	for (size_t i = 0; i < at; i++) {
		const struct call *call = &calls->rows[i];
		_cleanup_free_ char *other = seccomp_call_name(call->arch, call->number);

		if (call->has_value && call->value == calls->rows[at].value && str_equal(other, name))
			return true;
	}
	return false;
}

static void print_new_rules(struct json *json, const struct profile *profile, const struct calls *calls,
			    bool has_clone3)
{
	char clone3[] = "clone3", *clone3_names[] = {clone3, NULL};
	const struct spec_seccomp_rule no_clone3 = {
		.names = {.v = clone3_names, .count = 1},
		.action = SPEC_SECCOMP_ERRNO,
		.errno_ret = {.is_set = true, .value = ENOSYS},
	};

	for (size_t i = 0; i < calls->count; i++) {
		const struct call *call = &calls->rows[i];
		_cleanup_free_ char *name = seccomp_call_name(call->arch, call->number);

		if (call->has_value && is_missing(profile, call) && !is_repeated(calls, i, name))
			print_value_rule(json, call, name);
		if (!has_clone3 && is_refused(call) && is_missing(profile, call)) {
			print_rule(json, &no_clone3);
			has_clone3 = true;
		}
	}
}

static void print_rules(struct json *json, const struct profile *profile, const struct calls *calls)
{
	const struct spec_seccomp *old = profile->spec == NULL ? NULL : &profile->spec->seccomp;
	__attribute__((cleanup(names_done))) struct names allowed = {0};
	struct spec_seccomp_rule plain = {.action = SPEC_SECCOMP_ALLOW};
	bool has_clone3 = false;

	collect_names(profile, calls, &allowed);
	plain.names = (struct spec_list){.v = allowed.v, .count = allowed.count};
	json_key(json, "syscalls");
	json_array(json);
	if (allowed.count > 0)
		print_rule(json, &plain);
	for (size_t i = 0; old != NULL && i < old->rule_count; i++)
		if (!is_plain_allow(&old->rules[i]))
			has_clone3 |= print_old_rule(json, &old->rules[i], &allowed, "clone3");
	print_new_rules(json, profile, calls, has_clone3);
	json_array_end(json);
}

void profile_print(const struct profile *profile, const struct calls *calls, struct buf *out)
{
	static const struct spec_seccomp fresh = {.default_action = SPEC_SECCOMP_ERRNO,
						  .default_errno_ret = {.is_set = true, .value = EPERM}};
	const struct spec_seccomp *old = profile->spec == NULL ? &fresh : &profile->spec->seccomp;
	__attribute__((cleanup(names_done))) struct names architectures = {0};
	struct json json;

	collect_architectures(profile, calls, &architectures);
	json_begin(&json, out, 2);
	json_object(&json);
	json_pair(&json, "defaultAction", actions[old->default_action]);
	if (old->default_errno_ret.is_set)
		json_pair_uint(&json, "defaultErrnoRet", old->default_errno_ret.value);
	print_names(&json, "architectures", architectures.v, architectures.count);
	if (old->flags.v != NULL)
		print_names(&json, "flags", old->flags.v, old->flags.count);
	if (old->listener_path != NULL)
		json_pair(&json, "listenerPath", old->listener_path);
	if (old->listener_metadata != NULL)
		json_pair(&json, "listenerMetadata", old->listener_metadata);
	print_rules(&json, profile, calls);
	json_object_end(&json);
	buf_add(out, "\n", 1);
}
