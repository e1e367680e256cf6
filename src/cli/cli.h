/* SPDX-License-Identifier: Apache-2.0 */
/* cli: the command line as tables of commands and flags. Private to the room; runs in the parent. */
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
	int status;         /* exit status of this process when the command succeeds */
	char **rest;        /* the arguments after the id, for commands with has_rest */
	int failure_status; /* exit status of this process when the command fails; 0 means 1 */
	struct arena arena; /* for the values of options */
	struct buf out;     /* for standard output; main writes it when the command succeeds */
};

struct cli_command {
	const char *name, *operands, *help;
	const struct option_row *options;
	size_t options_size; /* of the struct that the values of options are stored in */
	size_t min, max;     /* number of operands */
	bool is_stopping;    /* the first operand ends the options */
	bool has_id;
	int (*run)(struct cli_call *call, const void *options, struct err *err);
	bool has_rest;      /* the arguments after the id belong to another program */
	int failure_status; /* exit status whenever the command fails, also because of its flags; 0 means 1 */
};

extern const struct cli_command cli_create, cli_start, cli_run, cli_state, cli_kill, cli_delete, cli_list,
	cli_spec, cli_features, cli_plan, cli_check, cli_exec, cli_pause, cli_resume, cli_ps, cli_events,
	cli_update;

/* Values of the flags of create, run, plan and check. */
struct cli_create_options {
	const char *bundle, *config, *console_socket, *pidfd_socket, *pid_file;
	uint32_t preserve_fds;
	bool is_no_pivot, is_no_new_keyring, is_no_subreaper, is_detached, is_keep;
	const char *format; /* of plan and check */
};
/* Combines the flags of the command and the global ones. ERR_USAGE if they contradict each other. */
int cli_run_options(const struct cli_call *call, const struct cli_create_options *options,
		    struct create_options *ret, struct err *err) MUST_CHECK;

/* Appends ": " and the text of errnum, which begins with a lower-case letter in all errors of tare. */
void cli_add_errno(struct buf *out, int errnum);

/* The value of --format: "json", or "text", "table" or NULL, which mean text. ERR_USAGE for other values. */
int cli_is_json(const char *text, bool *ret_is_json, struct err *err) MUST_CHECK;

#endif
