/* SPDX-License-Identifier: Apache-2.0 */
/* The commands start, kill, delete and state, which use an existing container. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include <tare/state.h>

#include "cli.h"

struct force_options {
	bool is_force;
};

struct kill_options {
	bool is_all;
	const char *signal, *dashed;
};

static const struct option_row delete_options[] = {
	{"force", 'f', OPTION_FLAG, offsetof(struct force_options, is_force), NULL,
	 "kill it first; no error if it does not exist"},
	{NULL, 0, OPTION_FLAG, 0, NULL, NULL},
};
static const struct option_row kill_options[] = {
	{"all", 'a', OPTION_FLAG, offsetof(struct kill_options, is_all), NULL,
	 "send the signal to all processes of the container"},
	{"signal", 's', OPTION_TEXT, offsetof(struct kill_options, signal), "SIGNAL",
	 "the same as the argument SIGNAL"},
	{"SIGNAL", 0, OPTION_DASHED, offsetof(struct kill_options, dashed), NULL,
	 "the same, such as -9 or -TERM"},
	{NULL, 0, OPTION_FLAG, 0, NULL, NULL},
};

static int start(struct cli_call *call, const void *options, struct err *err)
{
	(void)options;
	return command_start(call->globals.root, call->id, err);
}

static int delete_container(struct cli_call *call, const void *options, struct err *err)
{
	const struct force_options *o = options;

	return command_delete(call->globals.root, call->id, o->is_force, err);
}

/* --- signals by name --- */

static const struct {
	const char *name;
	int number;
} signals[] = {
	{"HUP", SIGHUP},   {"INT", SIGINT},       {"QUIT", SIGQUIT}, {"ILL", SIGILL},       {"TRAP", SIGTRAP},
	{"ABRT", SIGABRT}, {"IOT", SIGIOT},       {"BUS", SIGBUS},   {"FPE", SIGFPE},       {"KILL", SIGKILL},
	{"USR1", SIGUSR1}, {"SEGV", SIGSEGV},     {"USR2", SIGUSR2}, {"PIPE", SIGPIPE},     {"ALRM", SIGALRM},
	{"TERM", SIGTERM}, {"STKFLT", SIGSTKFLT}, {"CHLD", SIGCHLD}, {"CLD", SIGCHLD},      {"CONT", SIGCONT},
	{"STOP", SIGSTOP}, {"TSTP", SIGTSTP},     {"TTIN", SIGTTIN}, {"TTOU", SIGTTOU},     {"URG", SIGURG},
	{"XCPU", SIGXCPU}, {"XFSZ", SIGXFSZ},     {"PROF", SIGPROF}, {"WINCH", SIGWINCH},   {"IO", SIGIO},
	{"POLL", SIGPOLL}, {"PWR", SIGPWR},       {"SYS", SIGSYS},   {"VTALRM", SIGVTALRM},
};

/* signal(7): the kernel's real-time range begins at 32; the C library keeps the first two for itself. */
static int signal_realtime(const char *name)
{
	uint64_t offset;

	if (strcmp(name, "RTMIN") == 0)
		return SIGRTMIN;
	if (strcmp(name, "RTMAX") == 0)
		return SIGRTMAX;
	if (str_has_prefix(name, "RTMIN+") && str_to_u64(name + 6, (uint64_t)(SIGRTMAX - SIGRTMIN), &offset))
		return SIGRTMIN + (int)offset;
	if (str_has_prefix(name, "RTMAX-") && str_to_u64(name + 6, (uint64_t)(SIGRTMAX - SIGRTMIN), &offset))
		return SIGRTMAX - (int)offset;
	return -1;
}

/* The number of a signal by number or name, or -1. 0 is valid: kill(2) then only checks the process. */
static int signal_number(const char *text)
{
	char name[16];
	uint64_t number;
	size_t len = strlen(text);

	if (str_to_u64(text, 64, &number))
		return (int)number;
	if (len >= sizeof name)
		return -1;
	for (size_t i = 0; i <= len; i++)
		name[i] = (char)(text[i] >= 'a' && text[i] <= 'z' ? text[i] - 'a' + 'A' : text[i]);
	text = str_has_prefix(name, "SIG") ? name + 3 : name;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (str_equal(signals[i].name, text))
			return signals[i].number;
	return signal_realtime(text);
}

/* The stop signal of the image, by the annotation of runtime-spec config.md, or SIGTERM. */
static int stop_signal(const struct cli_call *call)
{
	_cleanup_fd_ int root_fd = -1, dir_fd = -1;
	_cleanup_record_ struct state_record record = {0};
	struct err ignored;

	root_fd = state_open_root(call->globals.root, false, &ignored);
	if (root_fd < 0 || state_check_id(call->id, &ignored) < 0)
		return SIGTERM;
	dir_fd = state_open_dir(root_fd, call->id, &ignored);
	if (dir_fd < 0 || state_read(dir_fd, &record, &ignored) < 0)
		return SIGTERM;
	for (size_t i = 0; i < record.annotation_count; i++)
		if (str_equal(record.annotations[i].key, "org.opencontainers.image.stopSignal") &&
		    signal_number(record.annotations[i].value) > 0)
			return signal_number(record.annotations[i].value);
	return SIGTERM;
}

static int kill_container(struct cli_call *call, const void *options, struct err *err)
{
	const struct kill_options *o = options;
	const char *given[] = {o->signal, o->dashed, call->operand_count > 1 ? call->operands[1] : NULL};
	const char *text = NULL;
	int number;

	for (size_t i = 0; i < ARRAY_SIZE(given); i++) {
		if (given[i] != NULL && text != NULL)
			return err_set(err, ERR_USAGE, 0, NULL, "too many signals: '%.100s' and '%.100s'", text,
				       given[i]);
		text = given[i] != NULL ? given[i] : text;
	}
	number = text == NULL ? stop_signal(call) : signal_number(text);
	if (number < 0) {
		err_set(err, ERR_USAGE, 0, NULL, "unknown signal \"%.*s\"", 100, text);
		err_hint(err, "a number from 0 to 64, or a name such as TERM");
		return -EINVAL;
	}
	return command_kill(call->globals.root, call->id, number, o->is_all, err);
}

/* --- state --- */

static int state(struct cli_call *call, const void *options, struct err *err)
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
		state_read_end(dir_fd, &record, &end);
	state_write_json(&json, &record, status, status == STATE_STOPPED ? &end : NULL, "");
	buf_add(&call->out, "\n", 1);
	return 0;
}

const struct cli_command cli_start = {
	"start", "ID", "Execute the program of a created container", NULL, 0, 1, 1, false, true, start};
const struct cli_command cli_state = {"state", "ID", "Print a container's state as JSON", NULL, 0, 1, 1, false,
				      true,    state};
const struct cli_command cli_kill = {
	"kill",
	"ID [SIGNAL]",
	"Send a signal (default: the stop signal of the image, or TERM) to a container",
	kill_options,
	sizeof(struct kill_options),
	1,
	2,
	false,
	true,
	kill_container};
const struct cli_command cli_delete = {"delete",
				       "ID",
				       "Delete a stopped container",
				       delete_options,
				       sizeof(struct force_options),
				       1,
				       1,
				       false,
				       true,
				       delete_container};
