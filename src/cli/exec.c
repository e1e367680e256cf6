/* SPDX-License-Identifier: Apache-2.0 */
/* The command exec: an additional process in a container. */
#include <string.h>

#include <tare/spec.h>

#include "cli.h"
#include "user.h"

/* Exit status of exec when tare itself fails, as in runc: 1 could be the status of the program. */
#define SETUP_FAILED 255

struct exec_flags {
	const char *process, *pid_file, *console_socket, *pidfd_socket, *cgroup, *cwd, *apparmor,
		*process_label;
	const char *user;
	struct option_list env, groups, capabilities;
	uint32_t preserve_fds;
	bool is_terminal, is_no_new_privs, is_detached, is_ignoring_paused;
};

#define OPTION(field) offsetof(struct exec_flags, field)
static const struct option_row exec_rows[] = {
	{"process", 'p', OPTION_TEXT, OPTION(process), "FILE",
	 "a JSON document of the process (as /process) instead of flags"},
	{"tty", 't', OPTION_FLAG, OPTION(is_terminal), NULL, "give the process a terminal"},
	{"console-socket", 0, OPTION_TEXT, OPTION(console_socket), "SOCKET",
	 "send the terminal's master to SOCKET"},
	{"pidfd-socket", 0, OPTION_TEXT, OPTION(pidfd_socket), "SOCKET", "send a pidfd to SOCKET"},
	{"pid-file", 0, OPTION_TEXT, OPTION(pid_file), "FILE", "write the pid to FILE"},
	{"detach", 'd', OPTION_FLAG, OPTION(is_detached), NULL, "return as soon as the program runs"},
	{"cwd", 0, OPTION_TEXT, OPTION(cwd), "DIR", "working directory in the container"},
	{"env", 'e', OPTION_LIST, OPTION(env), "NAME=VALUE", "add to the environment; may be repeated"},
	{"user", 'u', OPTION_TEXT, OPTION(user), "UID[:GID]", "numeric ids in the container's user namespace"},
	{"additional-gids", 'g', OPTION_LIST, OPTION(groups), "GID", "additional group; may be repeated"},
	{"cap", 'c', OPTION_LIST, OPTION(capabilities), "NAME", "add a capability; may be repeated"},
	{"no-new-privs", 0, OPTION_FLAG, OPTION(is_no_new_privs), NULL, "set no_new_privs"},
	{"process-label", 0, OPTION_TEXT, OPTION(process_label), "LABEL", "SELinux label"},
	{"apparmor", 0, OPTION_TEXT, OPTION(apparmor), "PROFILE", "AppArmor profile"},
	{"preserve-fds", 0, OPTION_NUMBER, OPTION(preserve_fds), "N",
	 "pass file descriptors 3 to 2+N to the program"},
	{"cgroup", 0, OPTION_TEXT, OPTION(cgroup), "PATH", "use this cgroup below the container's"},
	{"ignore-paused", 0, OPTION_FLAG, OPTION(is_ignoring_paused), NULL, "allow exec in a paused container"},
	{NULL, 0, OPTION_FLAG, 0, NULL, NULL},
};

static int load_user(const char *text, struct exec_options *o, struct err *err)
{
	struct user_numbers user;
	int r;

	if (text == NULL)
		return 0;
	r = user_parse(text, &user, err);
	if (r < 0)
		return r;
	o->has_uid = true;
	o->has_gid = user.has_gid;
	o->uid = user.uid;
	o->gid = user.gid;
	return 0;
}

static int parse_groups(const struct option_list *list, struct arena *arena, struct exec_options *o,
			struct err *err)
{
	uint32_t *groups = arena_alloc(arena, (list->count + 1) * sizeof *groups);
	uint64_t number;

	for (size_t i = 0; i < list->count; i++) {
		if (!str_to_u64(list->v[i], USER_ID_MAX, &number))
			return err_set(err, ERR_USAGE, 0, NULL,
				       "invalid value '%.100s' for flag --additional-gids: must be a number",
				       list->v[i]);
		groups[i] = (uint32_t)number;
	}
	o->groups = groups;
	o->group_count = list->count;
	return 0;
}

static int parse_capabilities(const struct option_list *list, struct exec_options *o, struct err *err)
{
	for (size_t i = 0; i < list->count; i++) {
		int cap = 0;

		while (spec_capability_name(cap) != NULL && !str_equal(spec_capability_name(cap), list->v[i]))
			cap++;
		if (spec_capability_name(cap) == NULL)
			return err_set(err, ERR_USAGE, 0, NULL,
				       "invalid value '%.100s' for flag --cap: unknown capability", list->v[i]);
		o->capabilities |= 1ull << cap;
	}
	return 0;
}

static int check_env(const struct option_list *list, struct err *err)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->v[i][0] == '=' || strchr(list->v[i], '=') == NULL)
			return err_set(err, ERR_USAGE, 0, NULL,
				       "invalid value '%.100s' for flag --env: must be NAME=VALUE", list->v[i]);
	return 0;
}

static int check_program(const struct exec_flags *flags, const struct exec_options *o, struct err *err)
{
	if (flags->process == NULL && o->arg_count == 0)
		return err_set(err, ERR_USAGE, 0, NULL,
			       "the program is missing: usage: tare exec [FLAGS] ID PROGRAM [ARGUMENTS]");
	if (flags->process != NULL && o->arg_count > 0)
		return err_set(err, ERR_USAGE, 0, NULL,
			       "unexpected argument '%.100s': the file of --process already names the program",
			       o->args[0]);
	if (flags->cwd != NULL && flags->cwd[0] != '/')
		return err_set(err, ERR_USAGE, 0, NULL,
			       "invalid value '%.100s' for flag --cwd: must be an absolute path", flags->cwd);
	return 0;
}

static int exec(struct cli_call *call, const void *options, struct err *err)
{
	const struct exec_flags *flags = options;
	struct exec_options o = {
		.id = call->id,
		.state_root = call->globals.root,
		.process = flags->process,
		.pid_file = flags->pid_file,
		.console_socket = flags->console_socket,
		.pidfd_socket = flags->pidfd_socket,
		.cgroup = flags->cgroup,
		.cwd = flags->cwd,
		.apparmor = flags->apparmor,
		.process_label = flags->process_label,
		.env = flags->env.v,
		.env_count = flags->env.count,
		.preserve_fds = flags->preserve_fds,
		.is_terminal = flags->is_terminal,
		.is_no_new_privs = flags->is_no_new_privs,
		.is_detached = flags->is_detached,
		.is_ignoring_paused = flags->is_ignoring_paused,
	};
	int r;

	o.args = call->rest + (call->rest[0] != NULL && str_equal(call->rest[0], "--"));
	while (o.args[o.arg_count] != NULL)
		o.arg_count++;
	r = check_program(flags, &o, err);
	if (r >= 0)
		r = check_env(&flags->env, err);
	if (r >= 0)
		r = load_user(flags->user, &o, err);
	if (r >= 0)
		r = parse_groups(&flags->groups, &call->arena, &o, err);
	if (r >= 0)
		r = parse_capabilities(&flags->capabilities, &o, err);
	return r < 0 ? r : command_exec(&o, &call->status, err);
}

const struct cli_command cli_exec = {"exec",
				     "ID PROGRAM [ARGUMENTS]",
				     "Execute an additional program in a container",
				     exec_rows,
				     sizeof(struct exec_flags),
				     1,
				     1,
				     true,
				     true,
				     exec,
				     true,
				     SETUP_FAILED};
