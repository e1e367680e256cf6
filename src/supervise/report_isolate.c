/* SPDX-License-Identifier: Apache-2.0 */
/* The report in the form of ioi/isolate's meta files (isolate(1), META-FILES): lines "key:value". */
#include "report.h"

#define US_PER_S 1000000
#define US_PER_MS 1000
#define KIB 1024

static void add_seconds(struct buf *out, const char *key, uint64_t us)
{
	if (us != REPORT_ABSENT)
		buf_format(out, "%s:%llu.%llu%llu%llu\n", key, (unsigned long long)(us / US_PER_S),
			   (unsigned long long)(us / 100000 % 10), (unsigned long long)(us / 10000 % 10),
			   (unsigned long long)(us / US_PER_MS % 10));
}

static void add_number(struct buf *out, const char *key, uint64_t value)
{
	if (value != REPORT_ABSENT)
		buf_format(out, "%s:%llu\n", key, (unsigned long long)value);
}

static void add_kib(struct buf *out, const char *key, uint64_t bytes)
{
	add_number(out, key, bytes == REPORT_ABSENT ? bytes : bytes / KIB);
}

/* Of the container if it has a cgroup, or else of the program and the children that it has waited for. */
static uint64_t cpu_time(const struct report *report)
{
	if (report->cgroup.cpu.total != REPORT_ABSENT || report->program.user == REPORT_ABSENT)
		return report->cgroup.cpu.total;
	return report->program.user + report->program.system;
}

struct verdict {
	const char *status, *message; /* status NULL: the program has exited with 0 */
	bool is_killed;               /* by tare */
};

static struct verdict find_verdict(const struct report *report)
{
	const char *how = report->signal != 0 ? "SG" : report->exit_code != 0 ? "RE" : NULL;

	switch (report->cause) {
	case REPORT_TIME:
		return (struct verdict){"TO", "Time limit exceeded (wall clock)", true};
	case REPORT_CPU_TIME:
		return (struct verdict){"TO", "Time limit exceeded", true};
	case REPORT_OUTPUT:
		return (struct verdict){"RE", "Output limit exceeded", true};
	case REPORT_SETUP:
		return (struct verdict){"XX", report->setup == NULL ? "internal error" : report->setup->msg,
					false};
	case REPORT_OOM:
		return (struct verdict){how, "Memory limit exceeded", false};
	case REPORT_UNKNOWN:
		return (struct verdict){"XX", "exit status not known", false};
	case REPORT_KILLED:
		return (struct verdict){report->has_end ? how : "XX", "Killed by an operator", false};
	default:
		return (struct verdict){
			how, report->signal != 0 ? "Caught fatal signal" : "Exited with error status", false};
	}
}

void report_print_isolate(const struct report *report, struct buf *out)
{
	struct verdict verdict = find_verdict(report);

	add_seconds(out, "time", cpu_time(report));
	add_seconds(out, "time-wall", report->wall);
	add_kib(out, "max-rss", report->program.max_rss);
	add_number(out, "csw-voluntary", report->program.voluntary_switches);
	add_number(out, "csw-forced", report->program.involuntary_switches);
	add_kib(out, "cg-mem", report->cgroup.memory.peak);
	if (report->cause == REPORT_OOM)
		buf_add_str(out, "cg-oom-killed:1\n");
	if (report->has_end && report->signal == 0)
		buf_format(out, "exitcode:%d\n", report->exit_code);
	if (report->has_end && report->signal != 0)
		buf_format(out, "exitsig:%d\n", report->signal);
	if (verdict.is_killed)
		buf_add_str(out, "killed:1\n");
	if (verdict.status == NULL)
		return;
	buf_add_str(out, "message:");
	buf_add_line(out, verdict.message);
	buf_format(out, "\nstatus:%s\n", verdict.status);
}
