/* SPDX-License-Identifier: Apache-2.0 */
/* The commands pause, resume and events, which use the cgroup of an existing container. */
#include <errno.h>

#include "cli.h"
#include "value.h"

#define NS_PER_MS 1000000

static int pause_container(struct cli_call *call, const void *options, struct err *err)
{
	(void)options;
	return command_pause(call->globals.root, call->id, err);
}

static int resume(struct cli_call *call, const void *options, struct err *err)
{
	(void)options;
	return command_resume(call->globals.root, call->id, err);
}

/* --- events --- */

struct events_flags {
	const char *interval;
	bool is_once;
};

static const struct option_row events_rows[] = {
	{"stats", 0, OPTION_FLAG, offsetof(struct events_flags, is_once), NULL,
	 "print the statistics once and exit"},
	{"interval", 0, OPTION_TEXT, offsetof(struct events_flags, interval), "DURATION",
	 "time between two statistics, such as 500ms or 1m30s (default: 5s)"},
	{NULL, 0, OPTION_FLAG, 0, NULL, NULL},
};

/* Writes each line at once: call->out would be written only when the command returns. */
static int write_line(void *context, const char *line, size_t len, struct err *err)
{
	int r = io_write_all(1, line, len);

	(void)context;
	return r < 0 ? err_system(err, r, "cannot write to standard output") : 0;
}

static int events(struct cli_call *call, const void *options, struct err *err)
{
	const struct events_flags *flags = options;
	const char *text = flags->interval == NULL ? "5s" : flags->interval;
	int64_t ns;
	struct events_options o = {
		.state_root = call->globals.root,
		.id = call->id,
		.is_once = flags->is_once,
		.on_line = write_line,
	};

	if (!value_duration(text, &ns))
		return err_set(
			err, ERR_USAGE, 0, NULL,
			"invalid value '%.100s' for flag --interval: must be a duration such as 5s or 1m30s",
			text);
	if (ns == 0)
		return err_set(err, ERR_USAGE, 0, NULL, "duration interval must be greater than 0");
	o.interval_ms = ns < NS_PER_MS ? 1 : ns / NS_PER_MS;
	return command_events(&o, err);
}

const struct cli_command cli_pause = {
	"pause", "ID", "Freeze all processes of a container", NULL, 0, 1, 1, false, true, pause_container};
const struct cli_command cli_resume = {
	"resume", "ID", "Let the processes of a paused container continue", NULL, 0, 1, 1, false, true, resume};
const struct cli_command cli_events = {
	"events",
	"ID",
	"Print the resource usage and out-of-memory events of a container as JSON",
	events_rows,
	sizeof(struct events_flags),
	1,
	1,
	false,
	true,
	events};
