/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the process section (runtime-spec config.md). */
#include <linux/ioprio.h>
#include <linux/sched.h>
#include <string.h>

#include "rows.h"

/* --- env, args ------------------------------------------------------------------------------------------- */

static bool check_env(struct reader *reader, const struct dom_node *node, const void *detail)
{
	const char *equals = strchr(node->text, '=');

	(void)detail;
	if (equals == NULL)
		reader_refuse(reader, node, "must be NAME=VALUE, not %s", reader_quote(reader, node->text));
	else if (equals == node->text)
		reader_refuse(reader, node, "%s has no name before the '='", reader_quote(reader, node->text));
	return equals != NULL && equals != node->text;
}

/* Of several entries with the same name, the last one is kept. */
static void remove_duplicates(struct reader *reader, struct spec_list *env)
{
	struct named *v = arena_alloc(reader->scratch, env->count * sizeof *v);
	size_t kept = 0;

	for (size_t i = 0; i < env->count; i++)
		v[i] = (struct named){.name = env->v[i], .len = strcspn(env->v[i], "="), .index = i};
	reader_named_sort(v, env->count);
	for (size_t i = 1; i < env->count; i++)
		if (reader_named_equal(&v[i - 1], &v[i]))
			env->v[v[i - 1].index] = NULL;
	for (size_t i = 0; i < env->count; i++)
		if (env->v[i] != NULL)
			env->v[kept++] = env->v[i];
	env->v[kept] = NULL;
	env->count = kept;
}

static void parse_env(struct reader *reader, const struct dom_node *node, const struct field *field,
		      void *target)
{
	struct spec_process *process = target;

	(void)field;
	if (reader_strings(reader, node, check_env, NULL, &process->env))
		remove_duplicates(reader, &process->env);
}

static void parse_args(struct reader *reader, const struct dom_node *node, const struct field *field,
		       void *target)
{
	struct spec_process *process = target;

	(void)field;
	if (reader_strings(reader, node, NULL, NULL, &process->args) && node->count == 0)
		reader_refuse(reader, node, "must not be empty");
}

/* --- capabilities ---------------------------------------------------------------------------------------- */

/* runtime-spec requires a warning for unknown capabilities, so that old runtimes run new configurations. */
static void parse_capability_set(struct reader *reader, const struct dom_node *node, const struct field *field,
				 void *target)
{
	uint64_t *set = (uint64_t *)((char *)target + field->offset);

	if (!reader_expect(reader, node, DOM_ARRAY))
		return;
	for (const struct dom_node *item = node->first; item != NULL; item = item->next) {
		int number;

		if (!reader_expect(reader, item, DOM_STRING))
			continue;
		number = capability_number(item->text);
		if (number >= 0)
			*set |= UINT64_C(1) << number;
		else
			reader_warn(reader, item, "unknown capability %s is ignored",
				    reader_quote(reader, item->text));
	}
}

#define CAPABILITY_SET(set) FIELD(#set, parse_capability_set, struct spec_capabilities, set)
static const struct field capability_fields[] = {
	CAPABILITY_SET(bounding),  CAPABILITY_SET(effective), CAPABILITY_SET(inheritable),
	CAPABILITY_SET(permitted), CAPABILITY_SET(ambient),
};
static const struct table capability_table = TABLE(capability_fields);

/* --- rlimits --------------------------------------------------------------------------------------------- */

static void check_rlimit(struct reader *reader, const struct dom_node *node, void *target)
{
	const struct spec_rlimit *rlimit = target;

	if (rlimit->soft > rlimit->hard)
		reader_refuse_key(reader, node, "soft", "must not be above the hard limit of %llu, not %llu",
				  (unsigned long long)rlimit->hard, (unsigned long long)rlimit->soft);
}

static const struct field rlimit_fields[] = {
	FIELD("type", field_enum, struct spec_rlimit, resource, .detail = &spec_names_rlimit, REQUIRED),
	FIELD("soft", field_u64, struct spec_rlimit, soft, REQUIRED),
	FIELD("hard", field_u64, struct spec_rlimit, hard, REQUIRED),
};
static const struct table rlimit_table =
	TABLE(rlimit_fields, .size = sizeof(struct spec_rlimit), .check = check_rlimit);

static void parse_rlimits(struct reader *reader, const struct dom_node *node, const struct field *field,
			  void *target)
{
	const struct spec_process *process = target;
	uint64_t seen = 0;
	size_t i = 0;

	field_array(reader, node, field, target);
	if (node->type != DOM_ARRAY)
		return;
	for (const struct dom_node *item = node->first; item != NULL; item = item->next, i++) {
		const struct dom_node *type = dom_member(item, "type");
		uint64_t bit = UINT64_C(1) << process->rlimits[i].resource;

		/* A wrong type has been reported already, and has left resource at 0. */
		if (type == NULL || type->type != DOM_STRING ||
		    !str_equal(type->text, spec_rlimit_name(process->rlimits[i].resource)))
			continue;
		if ((seen & bit) != 0)
			reader_refuse(reader, type, "rlimit %s given twice", reader_quote(reader, type->text));
		seen |= bit;
	}
}

/* --- scheduling ------------------------------------------------------------------------------------------ */

/* <linux/sched.h> reserves the number without a macro. */
#define SCHED_ISO 4

static const struct name sched_policies[] = {
	{"SCHED_OTHER", SCHED_NORMAL},      {"SCHED_FIFO", SCHED_FIFO}, {"SCHED_RR", SCHED_RR},
	{"SCHED_BATCH", SCHED_BATCH},       {"SCHED_ISO", SCHED_ISO},   {"SCHED_IDLE", SCHED_IDLE},
	{"SCHED_DEADLINE", SCHED_DEADLINE},
};
static const struct name_table sched_policy_names = NAMES("scheduler policy", sched_policies);

#define SCHED_FLAG(name)                                                                                       \
	{                                                                                                      \
		"SCHED_FLAG_" #name, SCHED_FLAG_##name                                                         \
	}
static const struct name sched_flags[] = {
	SCHED_FLAG(RESET_ON_FORK),  SCHED_FLAG(RECLAIM),     SCHED_FLAG(DL_OVERRUN),
	SCHED_FLAG(KEEP_POLICY),    SCHED_FLAG(KEEP_PARAMS), SCHED_FLAG(UTIL_CLAMP_MIN),
	SCHED_FLAG(UTIL_CLAMP_MAX),
};
static const struct name_table sched_flag_names = NAMES("scheduler flag", sched_flags);

/* sched(7): runtime <= deadline <= period; a period of 0 means that of the deadline. */
static void check_deadline(struct reader *reader, const struct dom_node *node,
			   const struct spec_scheduler *scheduler)
{
	if (scheduler->runtime == 0)
		reader_refuse_key(reader, node, "runtime", "SCHED_DEADLINE needs a runtime above 0");
	else if (scheduler->deadline < scheduler->runtime)
		reader_refuse_key(reader, node, "deadline", "must be at least the runtime of %llu, not %llu",
				  (unsigned long long)scheduler->runtime,
				  (unsigned long long)scheduler->deadline);
	else if (scheduler->period != 0 && scheduler->period < scheduler->deadline)
		reader_refuse_key(
			reader, node, "period", "must be 0 or at least the deadline of %llu, not %llu",
			(unsigned long long)scheduler->deadline, (unsigned long long)scheduler->period);
}

static void check_scheduler(struct reader *reader, const struct dom_node *node, void *target)
{
	const struct spec_scheduler *scheduler = target;
	bool is_realtime = scheduler->policy == SCHED_FIFO || scheduler->policy == SCHED_RR;
	const char *policy = dom_member(node, "policy")->text;

	if (is_realtime && scheduler->priority == 0)
		reader_refuse_key(reader, node, "priority", "%s needs a priority from 1 to 99", policy);
	if (!is_realtime && scheduler->priority != 0)
		reader_refuse_key(reader, node, "priority",
				  "only SCHED_FIFO and SCHED_RR have a priority, not %s", policy);
	if (scheduler->policy == SCHED_DEADLINE) {
		check_deadline(reader, node, scheduler);
		return;
	}
	if (scheduler->runtime != 0)
		reader_refuse_key(reader, node, "runtime", "only SCHED_DEADLINE has a runtime, not %s", policy);
	if (scheduler->deadline != 0)
		reader_refuse_key(reader, node, "deadline", "only SCHED_DEADLINE has a deadline, not %s",
				  policy);
	if (scheduler->period != 0)
		reader_refuse_key(reader, node, "period", "only SCHED_DEADLINE has a period, not %s", policy);
}

static const struct field scheduler_fields[] = {
	FIELD("policy", field_enum, struct spec_scheduler, policy, .detail = &sched_policy_names, REQUIRED),
	FIELD("nice", field_i32, struct spec_scheduler, nice, RANGE(-20, 19)),
	FIELD("priority", field_u32, struct spec_scheduler, priority, RANGE(0, 99)),
	FIELD("flags", field_flags64, struct spec_scheduler, flags, .detail = &sched_flag_names),
	FIELD("runtime", field_u64, struct spec_scheduler, runtime),
	FIELD("deadline", field_u64, struct spec_scheduler, deadline),
	FIELD("period", field_u64, struct spec_scheduler, period),
};
static const struct table scheduler_table = TABLE(scheduler_fields, .check = check_scheduler);

static const struct name io_classes[] = {
	{"IOPRIO_CLASS_RT", IOPRIO_CLASS_RT},
	{"IOPRIO_CLASS_BE", IOPRIO_CLASS_BE},
	{"IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE},
};
static const struct name_table io_class_names = NAMES("I/O priority class", io_classes);

static const struct field io_priority_fields[] = {
	FIELD("class", field_enum, struct spec_process, attributes.io_priority.class_,
	      .detail = &io_class_names, REQUIRED),
	FIELD("priority", field_i32, struct spec_process, attributes.io_priority.priority, RANGE(0, 7)),
};
static const struct table io_priority_table = TABLE(io_priority_fields);

static const struct field affinity_fields[] = {
	FIELD("initial", field_cpu_list, struct spec_process, exec_cpu_affinity.initial),
	FIELD("final", field_cpu_list, struct spec_process, exec_cpu_affinity.final),
};
static const struct table affinity_table = TABLE(affinity_fields);

/* --- the rest -------------------------------------------------------------------------------------------- */

static const struct field console_fields[] = {
	FIELD("height", field_u16, struct spec_process, console_size.height, REQUIRED),
	FIELD("width", field_u16, struct spec_process, console_size.width, REQUIRED),
};
static const struct table console_table = TABLE(console_fields);

/* runtime-spec: consoleSize must be ignored without a terminal; that includes wrong values. */
static void parse_console_size(struct reader *reader, const struct dom_node *node, const struct field *field,
			       void *target)
{
	const struct dom_node *terminal = dom_member(node->parent, "terminal");
	struct spec_process *process = target;

	if (terminal == NULL || terminal->type != DOM_BOOL || !terminal->is_true)
		return;
	process->console_size.is_set = reader_object(reader, node, field->detail, target);
}

static const struct field user_fields[] = {
	FIELD("uid", field_u32, struct spec_process, user.uid, RANGE(0, ID_MAX)),
	FIELD("gid", field_u32, struct spec_process, user.gid, RANGE(0, ID_MAX)),
	FIELD("umask", field_opt_uint, struct spec_process, attributes.umask, RANGE(0, 0777)),
	FIELD("additionalGids", field_u32_array, struct spec_process, user.additional_gids,
	      .count_offset = offsetof(struct spec_process, user.additional_gid_count), RANGE(0, ID_MAX)),
};
static const struct table user_table = TABLE(user_fields);

static const struct field process_fields[] = {
	FIELD("terminal", field_bool, struct spec_process, terminal),
	{.key = "consoleSize", .parse = parse_console_size, .detail = &console_table},
	FIELD("cwd", field_absolute, struct spec_process, cwd, REQUIRED),
	FIELD("env", parse_env, struct spec_process, env),
	FIELD("args", parse_args, struct spec_process, args),
	FIELD("rlimits", parse_rlimits, struct spec_process, rlimits,
	      .count_offset = offsetof(struct spec_process, rlimit_count), .detail = &rlimit_table),
	OBJECT("capabilities", struct spec_process, capabilities, capability_table,
	       SET(struct spec_process, has_capabilities)),
	FIELD("noNewPrivileges", field_bool, struct spec_process, attributes.no_new_privileges),
	FIELD("oomScoreAdj", field_opt_int, struct spec_process, attributes.oom_score_adj, RANGE(-1000, 1000)),
	FIELD("apparmorProfile", field_text, struct spec_process, apparmor_profile),
	FIELD("selinuxLabel", field_text, struct spec_process, selinux_label),
	OBJECT("scheduler", struct spec_process, attributes.scheduler, scheduler_table,
	       SET(struct spec_process, attributes.scheduler.is_set)),
	INLINE_OBJECT("ioPriority", io_priority_table, SET(struct spec_process, attributes.io_priority.is_set)),
	INLINE_OBJECT("execCPUAffinity", affinity_table, SET(struct spec_process, exec_cpu_affinity.is_set)),
	INLINE_OBJECT("user", user_table, SET(struct spec_process, has_user)),
};
const struct table spec_table_process = TABLE(process_fields);
