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
	const char *id;        /* the first operand, for the error line; NULL if the command has none */
	int status;            /* exit status of this process when the command succeeds */
	char **rest;           /* the arguments after the id, for commands with has_rest */
	int failure_status;    /* exit status of this process when the command fails; 0 means 1 */
	struct arena arena;    /* for the values of options */
	struct buf out;        /* for standard output; main writes it when the command succeeds */
	bool is_output_closed; /* the caller has closed standard output; descriptor 1 is /dev/null */
	bool is_reported;      /* command_run was called, which writes the report of a failure itself */
};

typedef int (*cli_function)(struct cli_call *call, void *options, struct err *err);

struct cli_command {
	const char *name, *operands, *help;
	const struct option_row *options;
	size_t options_size; /* of the struct that the values of options are stored in */
	size_t min, max;     /* number of operands */
	bool has_id;
	bool has_regex; /* options begins with const char *regex, which replaces the id */
	/* options: a struct of options_size, with the values; the rest of it is zero. */
	cli_function run;
	bool has_rest;      /* the arguments after the id belong to another program */
	int failure_status; /* exit status whenever the command fails, also because of its flags; 0 means 1 */
	/* What a failure is reported to, from its options; NULL: nothing. */
	const struct supervise_options *(*report_of)(const void *options);
};

extern const struct cli_command cli_create, cli_start, cli_run, cli_state, cli_kill, cli_delete, cli_list,
	cli_spec, cli_features, cli_plan, cli_check, cli_exec, cli_pause, cli_resume, cli_ps, cli_events,
	cli_update, cli_mounts, cli_doctor, cli_checkpoint, cli_restore, cli_sandbox, cli_wait;

/*
 * Calls run for each container with an id that matches an extended regular expression (regex(7)), anywhere in
 * the id, with call->id set to it. Continues after a failure; the error is that of the first one. ERR_USAGE if
 * regex is invalid.
 */
int cli_run_matching(struct cli_call *call, const char *regex, cli_function run, void *options,
		     struct err *err) MUST_CHECK;

/* Options of struct common_options, for rows of kind OPTION_TABLE. */
extern const struct option_row cli_announce_rows[], cli_preserve_rows[], cli_detach_rows[];
/* Options of struct supervise_options. */
extern const struct option_row cli_supervise_rows[];
extern const struct option_row cli_syscalls_rows[]; /* of its members denied and learn */
/* Sets what is not the value of a command's own option. */
void cli_set_common(const struct cli_call *call, struct common_options *common);

/* Adds what the global flags and the operands state. ERR_USAGE if the global flags contradict each other. */
int cli_add_globals(const struct cli_call *call, struct create_options *o, struct err *err) MUST_CHECK;

/* Writes to standard output at once. Fails if the caller has closed it. */
int cli_write(const struct cli_call *call, const char *data, size_t len, struct err *err) MUST_CHECK;

/* The value of --format: "json", or "text", "table" or NULL, which mean text. ERR_USAGE for other values. */
int cli_is_json(const char *text, bool *ret_is_json, struct err *err) MUST_CHECK;

#endif
