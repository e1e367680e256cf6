/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of linux.seccomp (runtime-spec config-linux.md, Seccomp). */
#include "rows.h"

#define ERRNO_MAX 4095    /* MAX_ERRNO of the kernel, which reduces larger values to it */
#define TRACE_MAX 0xffffu /* SECCOMP_RET_DATA */

static const struct field arg_fields[] = {
	FIELD("index", field_u32, struct spec_seccomp_arg, index, RANGE(0, 5), REQUIRED),
	FIELD("value", field_u64, struct spec_seccomp_arg, value, REQUIRED),
	FIELD("valueTwo", field_u64, struct spec_seccomp_arg, value_two),
	FIELD("op", field_enum, struct spec_seccomp_arg, op, .detail = &spec_names_seccomp_op, REQUIRED),
};
static const struct table arg_table = TABLE(arg_fields, .size = sizeof(struct spec_seccomp_arg));

/* Checks the errno at key, which the action at action_key returns. Only ERRNO and TRACE can have one. */
static void check_errno(struct reader *reader, const struct dom_node *node, const char *key,
			const char *action_key, const struct spec_uint *value)
{
	const char *action = dom_member(node, action_key)->text;
	uint64_t max = 0;

	if (!value->is_set)
		return;
	if (str_equal(action, "SCMP_ACT_TRACE"))
		max = TRACE_MAX;
	else if (!str_equal(action, "SCMP_ACT_ERRNO"))
		reader_refuse_key(reader, node, key, "%s cannot carry an errno", action);
	else
		max = ERRNO_MAX;
	if (max > 0 && value->value > max)
		reader_refuse_key(reader, node, key, "must be from 0 to %llu, not %llu",
				  (unsigned long long)max, (unsigned long long)value->value);
}

static void parse_names(struct reader *reader, const struct dom_node *node, const struct field *field,
			void *target)
{
	struct spec_seccomp_rule *rule = target;

	(void)field;
	if (!reader_strings(reader, node, NULL, NULL, &rule->names))
		return;
	if (node->count == 0)
		reader_refuse(reader, node, "must name at least one system call");
	for (const struct dom_node *item = node->first; item != NULL; item = item->next)
		if (item->text[0] == '\0')
			reader_refuse(reader, item, "must not be empty");
}

static void check_rule(struct reader *reader, const struct dom_node *node, void *target)
{
	const struct spec_seccomp_rule *rule = target;

	check_errno(reader, node, "errnoRet", "action", &rule->errno_ret);
}

static const struct field rule_fields[] = {
	FIELD("names", parse_names, struct spec_seccomp_rule, names, REQUIRED),
	FIELD("action", field_enum, struct spec_seccomp_rule, action, .detail = &spec_names_seccomp_action,
	      REQUIRED),
	FIELD("errnoRet", field_opt_uint, struct spec_seccomp_rule, errno_ret, RANGE(0, UINT32_MAX)),
	ARRAY("args", struct spec_seccomp_rule, args, arg_count, arg_table),
};
static const struct table rule_table =
	TABLE(rule_fields, .size = sizeof(struct spec_seccomp_rule), .check = check_rule);

static void check_seccomp(struct reader *reader, const struct dom_node *node, void *target)
{
	const struct spec_seccomp *seccomp = target;

	check_errno(reader, node, "defaultErrnoRet", "defaultAction", &seccomp->default_errno_ret);
}

static const struct field seccomp_fields[] = {
	FIELD("defaultAction", field_enum, struct spec_seccomp, default_action,
	      .detail = &spec_names_seccomp_action, REQUIRED),
	FIELD("defaultErrnoRet", field_opt_uint, struct spec_seccomp, default_errno_ret, RANGE(0, UINT32_MAX)),
	FIELD("architectures", field_name_list, struct spec_seccomp, architectures,
	      .detail = &spec_names_seccomp_arch),
	FIELD("flags", field_name_list, struct spec_seccomp, flags, .detail = &spec_names_seccomp_flag),
	FIELD("listenerPath", field_text, struct spec_seccomp, listener_path),
	FIELD("listenerMetadata", field_text, struct spec_seccomp, listener_metadata),
	ARRAY("syscalls", struct spec_seccomp, rules, rule_count, rule_table),
};
const struct table spec_table_seccomp = TABLE(seccomp_fields, .check = check_seccomp);
