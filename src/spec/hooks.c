/* SPDX-License-Identifier: Apache-2.0 */
/* The table of hooks in a configuration (runtime-spec config.md, POSIX-platform Hooks). */
#include "rows.h"

static void check_hook(struct reader *reader, const struct dom_node *node, void *target)
{
	struct spec_hook *hook = target;

	(void)reader;
	(void)node;
	/* An empty args means absent: argv[0] is then the path. */
	if (hook->args.count == 0)
		hook->args.v = NULL;
}

static const struct field hook_fields[] = {
	FIELD("path", field_absolute, struct spec_hook, path, REQUIRED),
	FIELD("args", field_list, struct spec_hook, args),
	FIELD("env", field_list, struct spec_hook, env),
	FIELD("timeout", field_u32, struct spec_hook, timeout, RANGE(1, INT32_MAX)),
};
static const struct table hook_table =
	TABLE(hook_fields, .size = sizeof(struct spec_hook), .check = check_hook);

#define HOOKS(key, kind) ARRAY(key, struct spec, hooks[kind].v, hooks[kind].count, hook_table)
static const struct field hooks_fields[] = {
	HOOKS("prestart", SPEC_HOOK_PRESTART),
	HOOKS("createRuntime", SPEC_HOOK_CREATE_RUNTIME),
	HOOKS("createContainer", SPEC_HOOK_CREATE_CONTAINER),
	HOOKS("startContainer", SPEC_HOOK_START_CONTAINER),
	HOOKS("poststart", SPEC_HOOK_POSTSTART),
	HOOKS("poststop", SPEC_HOOK_POSTSTOP),
};
const struct table spec_table_hooks = TABLE(hooks_fields);
