/* SPDX-License-Identifier: Apache-2.0 */
/* The commands start, kill, delete, wait and state, which use an existing container. */
#include <errno.h>
#include <string.h>

#include <tare/state.h>

#include "cli.h"

struct delete_options {
	const char *regex;
	bool is_force;
};

struct wait_options {
	bool has_report;
};

struct kill_options {
	const char *regex;
	bool is_all;
	const char *signal, *dashed;
	int number; /* of the signal, or KILL_STOP_SIGNAL */
};

static const struct option_row delete_rows[] = {
	{"force", 'f', OPTION_FLAG, offsetof(struct delete_options, is_force), NULL,
	 "kill it first; no error if it does not exist"},
	{"regex", 'r', OPTION_TEXT, offsetof(struct delete_options, regex), "REGEX",
	 "delete the containers with a matching id"},
	{.name = NULL},
};
static const struct option_row wait_rows[] = {
	{"report", 0, OPTION_FLAG, offsetof(struct wait_options, has_report), NULL,
	 "print how the container ended, as its supervisor has reported it"},
	{.name = NULL},
};
static const struct option_row kill_rows[] = {
	{"all", 'a', OPTION_FLAG, offsetof(struct kill_options, is_all), NULL,
	 "send the signal to all processes of the container"},
	{"signal", 's', OPTION_TEXT, offsetof(struct kill_options, signal), "SIGNAL",
	 "the same as the argument SIGNAL"},
	{"regex", 'r', OPTION_TEXT, offsetof(struct kill_options, regex), "REGEX",
	 "send it to the containers with a matching id"},
	{"SIGNAL", 0, OPTION_DASHED, offsetof(struct kill_options, dashed), NULL,
	 "the same, such as -9 or -TERM"},
	{.name = NULL},
};

static int start(struct cli_call *call, void *options, struct err *err)
{
	(void)options;
	return command_start(call->globals.root, call->id, err);
}

static int wait_container(struct cli_call *call, void *options, struct err *err)
{
	const struct wait_options *o = options;

	return command_wait(call->globals.root, call->id, o->has_report ? &call->out : NULL, &call->status,
			    err);
}

static int delete_one(struct cli_call *call, void *options, struct err *err)
{
	const struct delete_options *o = options;

	return command_delete(call->globals.root, call->id, o->is_force, err);
}

static int delete_containers(struct cli_call *call, void *options, struct err *err)
{
	const struct delete_options *o = options;

	return o->regex == NULL ? delete_one(call, options, err)
				: cli_run_matching(call, o->regex, delete_one, options, err);
}

static int find_signal(const struct cli_call *call, struct kill_options *o, struct err *err)
{
	size_t operand = o->regex == NULL ? 1 : 0;
	const char *given[] = {o->signal, o->dashed,
			       call->operand_count > operand ? call->operands[operand] : NULL};
	const char *text = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(given); i++) {
		if (given[i] != NULL && text != NULL)
			return err_set(err, ERR_USAGE, 0, NULL, "too many signals: '%.100s' and '%.100s'", text,
				       given[i]);
		text = given[i] != NULL ? given[i] : text;
	}
	o->number = text == NULL ? KILL_STOP_SIGNAL : signal_number(text);
	if (text == NULL || o->number >= 0)
		return 0;
	err_set(err, ERR_USAGE, 0, NULL, "unknown signal \"%.100s\"", text);
	err_hint(err, "a number from 0 to 64, or a name such as TERM");
	return -EINVAL;
}

static int kill_one(struct cli_call *call, void *options, struct err *err)
{
	const struct kill_options *o = options;

	return command_kill(call->globals.root, call->id, o->number, o->is_all, err);
}

static int kill_containers(struct cli_call *call, void *options, struct err *err)
{
	struct kill_options *o = options;
	int r = find_signal(call, o, err);

	if (r < 0)
		return r;
	return o->regex == NULL ? kill_one(call, o, err) : cli_run_matching(call, o->regex, kill_one, o, err);
}

/* --- state --- */

static int state(struct cli_call *call, void *options, struct err *err)
{
	_cleanup_fd_ int root_fd = -1, dir_fd = -1;
	_cleanup_record_ struct state_record record = {0};
	enum state_status status;
	struct state_end end = {.has_status = false};
	struct json json;
	int r = state_check_id(call->id, err);

	(void)options;
	if (r < 0)
		return r;
	root_fd = state_open_root(call->globals.root, false, err);
	if (root_fd == -ENOENT)
		return err_set(err, ERR_STATE, 0, NULL, "container does not exist");
	if (root_fd < 0)
		return root_fd;
	dir_fd = state_open_dir(root_fd, call->id, err);
	r = dir_fd < 0 ? dir_fd : state_read(dir_fd, &record, err);
	if (r == -ENOENT && dir_fd >= 0 && state_sweep(root_fd, dir_fd, call->id))
		err_set(err, ERR_STATE, 0, NULL, "container does not exist");
	if (r < 0)
		return r;
	r = state_status(dir_fd, &record, &status, err);
	if (r < 0)
		return r;
	json_begin(&json, &call->out, 2);
	if (status == STATE_STOPPED)
		state_read_end(dir_fd, &record, -1, &end);
	state_write_json(&json, &record, status, status == STATE_STOPPED ? &end : NULL, "");
	buf_add(&call->out, "\n", 1);
	return 0;
}

const struct cli_command cli_start = {
	.name = "start",
	.operands = "ID",
	.help = "Execute the program of a created container",
	.min = 1,
	.max = 1,
	.has_id = true,
	.run = start,
};
const struct cli_command cli_state = {
	.name = "state",
	.operands = "ID",
	.help = "Print a container's state as JSON",
	.min = 1,
	.max = 1,
	.has_id = true,
	.run = state,
};
const struct cli_command cli_kill = {
	.name = "kill",
	.operands = "ID [SIGNAL]",
	.help = "Send a signal (default: the stop signal of the image, or TERM) to a container",
	.options = kill_rows,
	.options_size = sizeof(struct kill_options),
	.min = 1,
	.max = 2,
	.has_id = true,
	.has_regex = true,
	.run = kill_containers,
};
const struct cli_command cli_delete = {
	.name = "delete",
	.operands = "ID",
	.help = "Delete a stopped container",
	.options = delete_rows,
	.options_size = sizeof(struct delete_options),
	.min = 1,
	.max = 1,
	.has_id = true,
	.has_regex = true,
	.run = delete_containers,
};
const struct cli_command cli_wait = {
	.name = "wait",
	.operands = "ID",
	.help = "Wait until a container has ended, and exit with the status of its program",
	.options = wait_rows,
	.options_size = sizeof(struct wait_options),
	.min = 1,
	.max = 1,
	.has_id = true,
	.failure_status = WAIT_FAILED,
	.run = wait_container,
};
