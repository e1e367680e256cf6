/* SPDX-License-Identifier: Apache-2.0 */
/* The command exec: an additional process in a container. */
#include <string.h>

#include <tare/spec.h>

#include "cli.h"
#include "user.h"

/* Exit status of exec when tare itself fails, as in runc: 1 could be the status of the program. */
#define SETUP_FAILED 255

/* --- values; target is the whole struct exec_options --- */

static int parse_cwd(const char *text, void *target, struct arena *arena, struct err *err)
{
	struct exec_options *o = target;

	(void)arena;
	if (text[0] != '/')
		return err_set(err, ERR_USAGE, 0, NULL,
			       "invalid value '%.100s' for flag --cwd: must be an absolute path", text);
	o->plan.cwd = text;
	return 0;
}

static int parse_env(const char *text, void *target, struct arena *arena, struct err *err)
{
	struct exec_options *o = target;
	const char **env = options_grow(arena, o->plan.env, o->plan.env_count, sizeof *env);

	if (text[0] == '=' || strchr(text, '=') == NULL)
		return err_set(err, ERR_USAGE, 0, NULL,
			       "invalid value '%.100s' for flag --env: must be NAME=VALUE", text);
	env[o->plan.env_count++] = text;
	o->plan.env = (char *const *)env;
	return 0;
}

static int parse_user(const char *text, void *target, struct arena *arena, struct err *err)
{
	struct exec_options *o = target;
	struct user_numbers user;
	int r = user_parse(text, &user, err);

	(void)arena;
	if (r < 0)
		return r;
	o->plan.has_uid = true;
	o->plan.has_gid = user.has_gid;
	o->plan.uid = user.uid;
	o->plan.gid = user.gid;
	return 0;
}

static int parse_group(const char *text, void *target, struct arena *arena, struct err *err)
{
	struct exec_options *o = target;
	uint32_t *groups = options_grow(arena, o->plan.groups, o->plan.group_count, sizeof *groups);
	uint64_t number;

	if (!str_to_u64(text, USER_ID_MAX, &number))
		return err_set(err, ERR_USAGE, 0, NULL,
			       "invalid value '%.100s' for flag --additional-gids: must be a number", text);
	groups[o->plan.group_count++] = (uint32_t)number;
	o->plan.groups = groups;
	return 0;
}

static int parse_capability(const char *text, void *target, struct arena *arena, struct err *err)
{
	struct exec_options *o = target;
	int cap = capability_number(text);

	(void)arena;
	if (cap < 0)
		return err_set(err, ERR_USAGE, 0, NULL,
			       "invalid value '%.100s' for flag --cap: unknown capability", text);
	o->plan.capabilities |= 1ull << cap;
	return 0;
}

#define OPTION(field) offsetof(struct exec_options, field)
static const struct option_row exec_rows[] = {
	{"process", 'p', OPTION_TEXT, OPTION(process), "FILE",
	 "a JSON document of the process (as /process) instead of flags"},
	{"tty", 't', OPTION_FLAG, OPTION(plan.is_terminal), NULL, "give the process a terminal"},
	{"", .kind = OPTION_TABLE, .offset = OPTION(common), .rows = cli_announce_rows},
	{"", .kind = OPTION_TABLE, .offset = OPTION(common), .rows = cli_detach_rows},
	{"cwd", 0, OPTION_PARSED, 0, "DIR", "working directory in the container", .parse = parse_cwd},
	{"env", 'e', OPTION_PARSED, 0, "NAME=VALUE", "add to the environment; may be repeated",
	 .parse = parse_env},
	{"user", 'u', OPTION_PARSED, 0, "UID[:GID]", "numeric ids in the container's user namespace",
	 .parse = parse_user},
	{"additional-gids", 'g', OPTION_PARSED, 0, "GID", "additional group; may be repeated",
	 .parse = parse_group},
	{"cap", 'c', OPTION_PARSED, 0, "NAME", "add a capability; may be repeated", .parse = parse_capability},
	{"no-new-privs", 0, OPTION_FLAG, OPTION(plan.is_no_new_privs), NULL, "set no_new_privs"},
	{"process-label", 0, OPTION_TEXT, OPTION(plan.selinux_label), "LABEL", "SELinux label"},
	{"apparmor", 0, OPTION_TEXT, OPTION(plan.apparmor_profile), "PROFILE", "AppArmor profile"},
	{"", .kind = OPTION_TABLE, .offset = OPTION(common), .rows = cli_preserve_rows},
	{"cgroup", 0, OPTION_TEXT, OPTION(cgroup), "PATH", "use this cgroup below the container's"},
	{"ignore-paused", 0, OPTION_FLAG, OPTION(is_ignoring_paused), NULL, "allow exec in a paused container"},
	{.name = NULL},
};

static int check_program(const struct exec_options *o, struct err *err)
{
	if (o->process == NULL && o->plan.arg_count == 0)
		return err_set(err, ERR_USAGE, 0, NULL,
			       "the program is missing: usage: tare exec [FLAGS] ID PROGRAM [ARGUMENTS]");
	if (o->process != NULL && o->plan.arg_count > 0)
		return err_set(err, ERR_USAGE, 0, NULL,
			       "unexpected argument '%.100s': the file of --process already names the program",
			       o->plan.args[0]);
	return 0;
}

static int exec(struct cli_call *call, void *options, struct err *err)
{
	struct exec_options *o = options;
	int r;

	cli_set_common(call, &o->common);
	o->plan.args = call->rest + (call->rest[0] != NULL && str_equal(call->rest[0], "--"));
	while (o->plan.args[o->plan.arg_count] != NULL)
		o->plan.arg_count++;
	r = check_program(o, err);
	return r < 0 ? r : command_exec(o, &call->status, err);
}

const struct cli_command cli_exec = {
	.name = "exec",
	.operands = "ID PROGRAM [ARGUMENTS]",
	.help = "Execute an additional program in a container",
	.options = exec_rows,
	.options_size = sizeof(struct exec_options),
	.min = 1,
	.max = 1,
	.has_id = true,
	.run = exec,
	.has_rest = true,
	.failure_status = SETUP_FAILED,
};
