/* SPDX-License-Identifier: Apache-2.0 */
/* The flags of struct supervise_options, for the commands that start a container and wait for it. */
#include "cli.h"

static int set(struct supervise_options *options, const char *name, const char *text, struct err *err)
{
	const char *wanted = supervise_set(options, name, text);

	return wanted == NULL ? 0
			      : err_set(err, ERR_USAGE, 0, NULL,
					"invalid value '%.100s' for flag --%s: must be %s", text, name, wanted);
}

/* The parse function of a row does not get the row's name. */
#define PARSE(function, name)                                                                                  \
	static int function(const char *text, void *target, struct arena *arena, struct err *err)              \
	{                                                                                                      \
		(void)arena;                                                                                   \
		return set(target, name, text, err);                                                           \
	}
PARSE(parse_time_limit, "time-limit")
PARSE(parse_cpu_time_limit, "cpu-time-limit")
PARSE(parse_output_limit, "output-limit")
PARSE(parse_stop_signal, "stop-signal")
PARSE(parse_grace, "grace")
PARSE(parse_report, "report")
PARSE(parse_report_fd, "report-fd")
PARSE(parse_report_format, "report-format")
PARSE(parse_denied, "denied")
PARSE(parse_learn, "learn")

/* The target of OPTION_PARSED is the whole struct. */
const struct option_row cli_supervise_rows[] = {
	{"time-limit", 0, OPTION_PARSED, 0, "DURATION", "stop the container after this time",
	 .parse = parse_time_limit},
	{"cpu-time-limit", 0, OPTION_PARSED, 0, "DURATION",
	 "stop the container after this CPU time of all its processes", .parse = parse_cpu_time_limit},
	{"output-limit", 0, OPTION_PARSED, 0, "SIZE", "kill the container after this much output",
	 .parse = parse_output_limit},
	{"stop-signal", 0, OPTION_PARSED, 0, "SIGNAL",
	 "the signal by which a limit of time stops the program (default: TERM)", .parse = parse_stop_signal},
	{"grace", 0, OPTION_PARSED, 0, "DURATION",
	 "time from the stop signal to the end of all processes (default: 2s; 0: kill at once)",
	 .parse = parse_grace},
	{"die-with-parent", 0, OPTION_FLAG, offsetof(struct supervise_options, is_dying_with_parent), NULL,
	 "kill the container when the caller dies"},
	{"report", 0, OPTION_PARSED, 0, "FILE", "write how the container ended to FILE", .parse = parse_report},
	{"report-fd", 0, OPTION_PARSED, 0, "N", "the same to descriptor N", .parse = parse_report_fd},
	{"report-format", 0, OPTION_PARSED, 0, "json|isolate", "form of the report (default: json)",
	 .parse = parse_report_format},
	{.name = NULL},
};

const struct option_row cli_syscalls_rows[] = {
	{"denied", 0, OPTION_PARSED, 0, "FILE",
	 "write which system calls the seccomp filter has denied to FILE; - is standard error",
	 .parse = parse_denied},
	{"learn", 0, OPTION_PARSED, 0, "FILE",
	 "allow all system calls, and write a seccomp profile of them to FILE", .parse = parse_learn},
	{.name = NULL},
};
