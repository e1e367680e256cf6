/* SPDX-License-Identifier: Apache-2.0 */
/* cli: the command line as tables; words errors and exits. Private to the room. */
#ifndef TARE_CLI_CLI_H
#define TARE_CLI_CLI_H

#include <tare/command.h>

#include "options.h"

#define CLI_OPERANDS_MAX 3

struct cli_globals {
	const char *root, *log, *log_format, *log_level, *cgroup_manager, *rootless;
	bool is_debug, is_systemd_cgroup, is_version, is_help;
};

struct cli_call {
	struct cli_globals globals;
	const char *operands[CLI_OPERANDS_MAX];
	size_t operand_count;
	const char *id;     /* the first operand, for the error line; NULL if the command has none */
	int status;         /* of the process, when the command succeeded */
	char **rest;        /* what follows the id, of commands with has_rest */
	int failure_status; /* of the process, when the command failed; 0 means 1 */
	struct arena arena; /* for what the options hold */
	struct buf out;     /* for standard output, written by main when the command succeeded */
};

struct cli_command {
	const char *name, *operands, *help;
	const struct option_row *options;
	size_t options_size; /* of the struct that options fill */
	size_t min, max;     /* operands */
	bool is_stopping;    /* options end at the first operand */
	bool has_id;
	int (*run)(struct cli_call *call, const void *options, struct err *err);
	bool has_rest;      /* what follows the id are a program's arguments */
	int failure_status; /* of the process whenever the command fails, also for its flags; 0 means 1 */
};

extern const struct cli_command cli_create, cli_start, cli_run, cli_state, cli_kill, cli_delete, cli_list,
	cli_spec, cli_features, cli_plan, cli_check, cli_exec, cli_pause, cli_resume, cli_ps, cli_events,
	cli_update;

/* Flags of create that run, plan and check have too. */
struct cli_create_options {
	const char *bundle, *config, *console_socket, *pidfd_socket, *pid_file;
	uint32_t preserve_fds;
	bool is_no_pivot, is_no_new_keyring, is_no_subreaper, is_detached, is_keep;
	const char *format; /* of plan and check */
};
/* Fails with ERR_UNSUPPORTED for cgroup managers that are not there yet. */
int cli_run_options(const struct cli_call *call, const struct cli_create_options *options,
		    struct create_options *ret, struct err *err) MUST_CHECK;

/* Adds ": " and errno's text as every error has it: in small letters. */
void cli_add_errno(struct buf *out, int errnum);

/* ERR_USAGE unless text is "text" or "json" (or "table", which means text). NULL is text. */
int cli_is_json(const char *text, bool *ret_is_json, struct err *err) MUST_CHECK;

#endif
