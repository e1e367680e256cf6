/* SPDX-License-Identifier: Apache-2.0 */
/* main: parses the command line, calls the command, prints its output or error, and exits. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tare/seccomp.h>
#include <tare/spec.h>

#include "cli.h"
#include "version.h"

static const struct cli_command *const commands[] = {
	&cli_create, &cli_start,    &cli_run,    &cli_sandbox, &cli_exec,       &cli_state,
	&cli_kill,   &cli_delete,   &cli_wait,   &cli_list,    &cli_ps,         &cli_pause,
	&cli_resume, &cli_update,   &cli_mounts, &cli_events,  &cli_checkpoint, &cli_restore,
	&cli_spec,   &cli_features, &cli_plan,   &cli_check,   &cli_doctor,
};

#define GLOBAL(field) offsetof(struct cli_globals, field)
static const struct option_row global_rows[] = {
	{"root", 0, OPTION_TEXT, GLOBAL(root), "DIR",
	 "directory for the state of containers (default: /run/tare)"},
	{"log", 0, OPTION_TEXT, GLOBAL(log), "FILE", "append errors and warnings to FILE"},
	{"log-format", 0, OPTION_TEXT, GLOBAL(log_format), "text|json", "format of the log (default: text)"},
	{"log-level", 0, OPTION_TEXT, GLOBAL(log_level), "error|warning|debug", "debug: the same as --debug"},
	{"debug", 0, OPTION_FLAG, GLOBAL(is_debug), NULL, "also log each action"},
	{"systemd-cgroup", 0, OPTION_FLAG, GLOBAL(is_systemd_cgroup), NULL, "let systemd manage cgroups"},
	{"cgroup-manager", 0, OPTION_TEXT, GLOBAL(cgroup_manager), "cgroupfs|systemd|disabled",
	 "what manages cgroups"},
	{"rootless", 0, OPTION_TEXT, GLOBAL(rootless), "true|false|auto", "accepted, has no effect"},
	{"version", 'v', OPTION_FLAG, GLOBAL(is_version), NULL, "print the version"},
	{"V", 'V', OPTION_FLAG, GLOBAL(is_version), NULL, "the same as --version"},
	{"help", 'h', OPTION_FLAG, GLOBAL(is_help), NULL, "print this help"},
	{.name = NULL},
};

static void help_all(struct buf *out)
{
	buf_add_str(out, "Usage: tare [GLOBAL FLAGS] COMMAND [FLAGS] [ARGUMENTS]\n\nRuns OCI "
			 "containers.\n\nCommands:\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		size_t len = strlen(commands[i]->name);

		buf_format(out, "  %s%.*s%s\n", commands[i]->name, (int)(len < 12 ? 12 - len : 1),
			   "            ", commands[i]->help);
	}
	buf_add_str(out, "\nGlobal flags:\n");
	options_help(global_rows, out);
}

static void help_command(const struct cli_command *command, struct buf *out)
{
	buf_format(out, "Usage: tare %s [FLAGS] %s\n\n%s.\n", command->name, command->operands, command->help);
	if (command->options != NULL)
		buf_add_str(out, "\nFlags:\n");
	options_help(command->options, out);
}

/* --- errors --- */

static void format_error(const char *command, const char *id, const struct err *err, struct buf *out)
{
	struct buf text = {0};

	if (command != NULL)
		buf_format(&text, "%s%s%s: ", command, id == NULL ? "" : " ", id == NULL ? "" : id);
	err_print(err, &text);
	buf_add_line(out, text.data);
	buf_done(&text);
}

static int open_log(const struct cli_globals *g, struct err *err)
{
	bool is_debug = g->is_debug || str_equal(g->log_level, "debug");
	const char *path = g->log;

	if (path != NULL && str_has_prefix(path, "file:"))
		path += strlen("file:");
	return log_open(path, str_equal(g->log_format, "json"), is_debug, err);
}

static int fail(const struct cli_call *call, const char *command, const struct err *err)
{
	bool is_coloured = isatty(2) && getenv("NO_COLOR") == NULL;
	_cleanup_buf_ struct buf text = {0}, line = {0};
	struct err ignored;

	format_error(command, call->id, err, &text);
	/* If flags were wrong, the log has not been opened yet. */
	if (log_fd() < 0 && call->globals.log != NULL)
		(void)!open_log(&call->globals, &ignored);
	log_line(LOG_ERROR, "%s", text.data);
	log_close(false);
	buf_format(&line, "%s%s%s: %s\n", is_coloured ? "\033[31m" : "", "tare", is_coloured ? "\033[0m" : "",
		   text.data);
	(void)!io_write_all(2, line.data, line.len);
	return call->failure_status == 0 ? 1 : call->failure_status;
}

/* --- calls --- */

static int check_globals(const struct cli_globals *g, struct err *err)
{
	if (g->log_format != NULL && !str_equal(g->log_format, "json") && !str_equal(g->log_format, "text"))
		return err_set(err, ERR_USAGE, 0, NULL, "invalid log-format: %s", g->log_format);
	if (g->log_level != NULL && !str_equal(g->log_level, "debug") && !str_equal(g->log_level, "error") &&
	    !str_equal(g->log_level, "warning"))
		return err_set(err, ERR_USAGE, 0, NULL, "invalid log-level: %s", g->log_level);
	if (g->rootless != NULL && !str_equal(g->rootless, "true") && !str_equal(g->rootless, "false") &&
	    !str_equal(g->rootless, "auto"))
		return err_set(err, ERR_USAGE, 0, NULL,
			       "invalid value '%s' for --rootless: must be true, false or auto", g->rootless);
	if (g->cgroup_manager != NULL && !str_equal(g->cgroup_manager, "cgroupfs") &&
	    !str_equal(g->cgroup_manager, "systemd") && !str_equal(g->cgroup_manager, "disabled"))
		return err_set(err, ERR_USAGE, 0, NULL,
			       "invalid value '%s' for --cgroup-manager: must be cgroupfs, systemd or disabled",
			       g->cgroup_manager);
	return open_log(g, err);
}

static const struct cli_command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (str_equal(commands[i]->name, name))
			return commands[i];
	return NULL;
}

static int unknown_command(const char *name, struct err *err)
{
	return err_set(err, ERR_USAGE, 0, NULL, "unknown command '%.100s' (see tare help)", name);
}

/* is_regex: whether the command gets its containers by --regex, which replaces the id. */
static int check_operands(const struct cli_command *command, const struct cli_call *call, bool is_regex,
			  struct err *err)
{
	if (call->operand_count > command->max - is_regex)
		return err_set(err, ERR_USAGE, 0, NULL, "--regex replaces the container id: '%.100s'",
			       call->operands[0]);
	if (call->operand_count < command->min - is_regex)
		return err_set(err, ERR_USAGE, 0, NULL, "%s: usage: tare %s [FLAGS] %s",
			       command->has_id ? "container id is missing" : "an argument is missing",
			       command->name, command->operands);
	return 0;
}

static int call_with_options(const struct cli_command *command, char **argv, struct cli_call *call,
			     void *options, struct err *err)
{
	struct option_tables tables = {.own = command->options,
				       .own_values = options,
				       .global = global_rows,
				       .global_values = &call->globals,
				       .ret_rest = command->has_rest ? &call->rest : NULL,
				       .arena = &call->arena};
	bool is_regex;
	int r;

	call->failure_status = command->failure_status;
	r = options_parse(&tables, argv, call->operands, command->max, &call->operand_count, err);
	is_regex = command->has_regex && *(const char **)options != NULL;
	if (command->has_id && !is_regex && call->operand_count > 0)
		call->id = call->operands[0];
	if (r >= 0 && call->globals.is_help) {
		help_command(command, &call->out);
		return 0;
	}
	if (r >= 0)
		r = check_globals(&call->globals, err);
	if (r >= 0)
		r = check_operands(command, call, is_regex, err);
	return r < 0 ? r : command->run(call, options, err);
}

/* Also wrong flags are reported, to what the right ones among them name. */
static int call_command(const struct cli_command *command, char **argv, struct cli_call *call, struct err *err)
{
	_cleanup_free_ void *options = mem_alloc(command->options_size + 1);
	int r = call_with_options(command, argv, call, options, err);

	if (r < 0 && command->report_of != NULL && !call->is_reported)
		command_report_failure(command->report_of(options), call->id, err);
	return r;
}

static int finish(struct cli_call *call, const char *name, int r, struct err *err)
{
	if (r >= 0 && call->out.len > 0)
		r = cli_write(call, call->out.data, call->out.len, err);
	buf_done(&call->out);
	if (r < 0)
		call->status = fail(call, name, err);
	else
		log_close(true);
	/* The error line may have an id that is in the arena. */
	arena_done(&call->arena);
	return call->status;
}

/*
 * Parses the global flags before the command; *ret_rest is the command and its arguments. Continues after a
 * wrong flag, because --log may follow it; the error is that of the first wrong flag.
 */
static int parse_globals(char **argv, struct cli_call *call, char ***ret_rest, struct err *err)
{
	struct option_tables tables = {.global = global_rows, .global_values = &call->globals};
	char **at = argv + 1;
	int result = 0;

	while (*at != NULL && (*at)[0] == '-') {
		char *pair[3] = {at[0], NULL, NULL};
		struct err each = {.kind = ERR_NONE};
		size_t none;
		int r = options_parse(&tables, pair, NULL, 0, &none, &each);

		if (r < 0 && at[1] != NULL && str_has_prefix(each.msg, "flag needs an argument")) {
			pair[1] = at[1];
			r = options_parse(&tables, pair, NULL, 0, &none, &each);
			at++;
		}
		if (r < 0 && result >= 0) {
			result = r;
			*err = each;
		}
		at++;
	}
	*ret_rest = at;
	return result;
}

/*
 * Opens /dev/null at standard descriptors that the caller has closed. Otherwise the next file that tare opens
 * would get the number, and the container's program would receive that file as its standard input or output.
 */
static int fill_standard_descriptors(bool *ret_is_output_closed, struct err *err)
{
	for (int fd = 0; fd < 3; fd++) {
		int r = k_fcntl(fd, F_GETFD, 0);

		if (fd == 1)
			*ret_is_output_closed = r == -EBADF;
		if (r == -EBADF)
			r = k_openat(AT_FDCWD, "/dev/null", O_RDWR, 0);
		if (r < 0)
			return err_system(err, r, "cannot open /dev/null");
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct cli_call call = {.status = 0};
	const struct cli_command *command;
	struct err err = {.kind = ERR_NONE};
	char **rest = argv;
	int r = fill_standard_descriptors(&call.is_output_closed, &err);

	/* The caller may have SIGCHLD ignored, which is inherited: wait(2) then has no status of any child. */
	signal(SIGCHLD, SIG_DFL);
	if (r >= 0)
		r = argc > 0 ? parse_globals(argv, &call, &rest, &err)
			     : err_set(&err, ERR_USAGE, 0, NULL, "argv is empty");
	if (r < 0)
		return finish(&call, NULL, r, &err);
	if (call.globals.is_version) {
		_cleanup_free_ char *libseccomp = seccomp_library_version();

		buf_format(&call.out, "tare version %s\ncommit: %s\nspec: %s\nlibseccomp: %s\n", TARE_VERSION,
			   TARE_COMMIT, SPEC_VERSION_MAX, libseccomp);
		return finish(&call, NULL, 0, &err);
	}
	if (*rest == NULL || str_equal(*rest, "help") || call.globals.is_help) {
		bool is_asked = *rest != NULL || call.globals.is_help;

		command = *rest != NULL && rest[1] != NULL ? find_command(rest[1]) : NULL;
		if (str_equal(*rest, "help") && rest[1] != NULL && rest[1][0] != '-' && command == NULL &&
		    !str_equal(rest[1], "help"))
			return finish(&call, NULL, unknown_command(rest[1], &err), &err);
		if (command != NULL)
			help_command(command, &call.out);
		else
			help_all(&call.out);
		call.status = is_asked ? 0 : 1;
		return finish(&call, NULL, 0, &err);
	}
	command = find_command(*rest);
	if (command == NULL)
		return finish(&call, NULL, unknown_command(*rest, &err), &err);
	r = call_command(command, rest + 1, &call, &err);
	return finish(&call, command->name, r, &err);
}
