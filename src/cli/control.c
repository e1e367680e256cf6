/* SPDX-License-Identifier: Apache-2.0 */
/* The commands pause, resume and events, which use the cgroup of an existing container. */
#include "cli.h"

#define NS_PER_MS 1000000
#define DEFAULT_INTERVAL_MS 5000

static int pause_container(struct cli_call *call, void *options, struct err *err)
{
	(void)options;
	return command_pause(call->globals.root, call->id, err);
}

static int resume(struct cli_call *call, void *options, struct err *err)
{
	(void)options;
	return command_resume(call->globals.root, call->id, err);
}

/* --- events --- */

static int parse_interval(const char *text, void *target, struct arena *arena, struct err *err)
{
	int64_t *interval_ms = target, ns;

	(void)arena;
	if (!value_duration(text, &ns))
		return err_set(
			err, ERR_USAGE, 0, NULL,
			"invalid value '%.100s' for flag --interval: must be a duration such as 5s or 1m30s",
			text);
	if (ns == 0)
		return err_set(err, ERR_USAGE, 0, NULL, "duration interval must be greater than 0");
	*interval_ms = ns < NS_PER_MS ? 1 : ns / NS_PER_MS;
	return 0;
}

static const struct option_row events_rows[] = {
	{"stats", 0, OPTION_FLAG, offsetof(struct events_options, is_once), NULL,
	 "print the statistics once and exit"},
	{"interval", 0, OPTION_PARSED, offsetof(struct events_options, interval_ms), "DURATION",
	 "time between two statistics, such as 500ms or 1m30s (default: 5s)", .parse = parse_interval},
	{.name = NULL},
};

/* call->out would be written only when the command returns. */
static int write_line(void *context, const char *line, size_t len, struct err *err)
{
	return cli_write(context, line, len, err);
}

static int events(struct cli_call *call, void *options, struct err *err)
{
	struct events_options *o = options;

	o->state_root = call->globals.root;
	o->id = call->id;
	o->interval_ms = o->interval_ms == 0 ? DEFAULT_INTERVAL_MS : o->interval_ms;
	o->on_line = write_line;
	o->context = call;
	return command_events(o, err);
}

const struct cli_command cli_pause = {
	.name = "pause",
	.operands = "ID",
	.help = "Freeze all processes of a container",
	.min = 1,
	.max = 1,
	.has_id = true,
	.run = pause_container,
};
const struct cli_command cli_resume = {
	.name = "resume",
	.operands = "ID",
	.help = "Let the processes of a paused container continue",
	.min = 1,
	.max = 1,
	.has_id = true,
	.run = resume,
};
const struct cli_command cli_events = {
	.name = "events",
	.operands = "ID",
	.help = "Print the resource usage and out-of-memory events of a container as JSON",
	.options = events_rows,
	.options_size = sizeof(struct events_options),
	.min = 1,
	.max = 1,
	.has_id = true,
	.run = events,
};
