/* SPDX-License-Identifier: Apache-2.0 */
/* Decides why a container has ended, and fills in what the supervision knows for the report. */
#include <signal.h>

#include <tare/supervise.h>

static bool is_over(uint64_t value, int64_t limit)
{
	return limit > 0 && value != REPORT_ABSENT && value >= (uint64_t)limit;
}

/*
 * Whether the program has used up its CPU time, even if it exited before that was noticed: unlike the time of
 * the clock, the CPU time does not depend on what else the machine does.
 */
static bool has_used_cpu_time(const struct supervise *s, const struct supervise_exit *exit)
{
	int64_t limit = s->options->cpu_time_limit_us;

	if (!s->has_cpu_rlimit)
		return is_over(s->usage.cpu.total, limit);
	if (exit->program.user == REPORT_ABSENT || (exit->signal != SIGXCPU && exit->signal != SIGKILL))
		return false;
	/* For RLIMIT_CPU the kernel counts whole ticks: on a busy machine more than the time in the report. */
	return is_over(exit->program.user + exit->program.system, exit->signal == SIGXCPU ? limit / 2 : limit);
}

/* A program that passes on the status of a child that the OOM killer has killed counts, too. */
static bool is_oom(const struct supervise *s, const struct supervise_exit *exit)
{
	uint64_t kills = s->usage.memory.oom_kills;

	return kills > 0 && kills != REPORT_ABSENT &&
	       (exit->signal == SIGKILL || exit->exit_code == 128 + SIGKILL);
}

/*
 * A process cannot kill the first process of its pid namespace by SIGKILL. A first process of tare's, which
 * reports how the program was killed, makes no difference to signals that this process has forwarded.
 */
static bool is_killed(const struct supervise *s, const struct supervise_exit *exit)
{
	/* If it is not known how the program has ended, it did so by a SIGKILL that was sent to it. */
	int signal = exit->is_known ? exit->signal : SIGKILL;
	bool is_forwarded = signal > 0 && (s->forwarded & UINT64_C(1) << (signal - 1)) != 0;

	return is_forwarded || (exit->signal == SIGKILL && s->target.is_killed_from_outside);
}

static enum report_cause find_cause(const struct supervise *s, const struct supervise_exit *exit)
{
	uint64_t hits = s->usage.pids.limit_hits;
	bool has_failed = exit->signal > 0 || exit->exit_code > 0;

	if (s->cause != REPORT_EXIT)
		return s->cause;
	if (is_oom(s, exit))
		return REPORT_OOM;
	if (has_used_cpu_time(s, exit))
		return REPORT_CPU_TIME;
	if (exit->signal > 0 && (exit->is_filtered || (exit->signal == SIGSYS && s->target.has_filter)))
		return REPORT_SECCOMP;
	if (is_killed(s, exit))
		return REPORT_KILLED;
	if (has_failed && hits > 0 && hits != REPORT_ABSENT)
		return REPORT_PIDS;
	if (!exit->is_known)
		return REPORT_UNKNOWN;
	return exit->signal > 0 ? REPORT_SIGNAL : REPORT_EXIT;
}

static void add_limits(const struct supervise *s, struct report *report)
{
	const struct supervise_options *o = s->options;
	const struct report_limit limits[] = {
		{"time-limit", (uint64_t)o->time_limit_us, "tare"},
		{"cpu-time-limit", (uint64_t)o->cpu_time_limit_us, s->has_cpu_rlimit ? "rlimit" : "cgroup"},
		{"output-limit", o->output_limit, "pipe"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		if (limits[i].value > 0 && limits[i].value != REPORT_ABSENT)
			report_add_limit(report, &limits[i]);
	for (size_t i = 0; i < o->other_limit_count; i++)
		report_add_limit(report, &o->other_limits[i]);
}

void supervise_report(struct supervise *s, const struct supervise_exit *exit, struct report *report)
{
	s->cause = find_cause(s, exit);
	report->cause = s->cause;
	report->has_end = exit->is_known;
	report->exit_code = exit->exit_code;
	report->signal = exit->signal;
	report->is_dumped = exit->is_dumped;
	report->program = exit->program;
	report->wall = s->wall_us;
	report->cgroup = s->usage;
	report->limit_signal.number = s->sent;
	report->limit_signal.sender = "tare";
	if (s->cause == REPORT_CPU_TIME && s->has_cpu_rlimit) {
		report->limit_signal.number = exit->signal;
		report->limit_signal.sender = "kernel";
	}
	if (s->options->output_limit > 0) {
		report->output.bytes = s->output;
		report->output.is_truncated = s->is_truncated;
	}
	add_limits(s, report);
}
