/* SPDX-License-Identifier: Apache-2.0 */
/* The report as data, and as text. */
#include <sched.h>
#include <string.h>

#include "report.h"

const char *report_cause_name(enum report_cause cause)
{
	static const char *const names[REPORT_CAUSES] = {
		[REPORT_EXIT] = "exit",   [REPORT_SIGNAL] = "signal",     [REPORT_OOM] = "oom",
		[REPORT_TIME] = "time",   [REPORT_CPU_TIME] = "cpu-time", [REPORT_OUTPUT] = "output",
		[REPORT_PIDS] = "pids",   [REPORT_SECCOMP] = "seccomp",   [REPORT_KILLED] = "killed",
		[REPORT_SETUP] = "setup", [REPORT_UNKNOWN] = "unknown",
	};

	return names[cause];
}

void report_init(struct report *report, const char *id)
{
	const uint64_t none = REPORT_ABSENT;
	const struct cgroup_pressure no_pressure = {none, none};

	*report = (struct report){
		.id = id,
		.call = {.number = none},
		.wall = none,
		.cgroup = {{none, none, none, none},
			   {none, none, none, none, none},
			   {none, none, none},
			   {none, none},
			   no_pressure,
			   no_pressure,
			   no_pressure},
		.program = {none, none, none, none, none},
		.output = {.bytes = none},
		.setup_time = {none, none, none},
	};
}

void report_add_limit(struct report *report, const struct report_limit *limit)
{
	if (report->limit_count < REPORT_LIMITS_MAX)
		report->limits[report->limit_count++] = *limit;
}

/* --- JSON --- */

static void add_number(struct json *json, const char *key, uint64_t value)
{
	if (value != REPORT_ABSENT)
		json_pair_uint(json, key, value);
}

static void add_text(struct json *json, const char *key, const char *value)
{
	if (!str_is_empty(value))
		json_pair(json, key, value);
}

static void begin(struct json *json, const char *key)
{
	json_key(json, key);
	json_object(json);
}

static void add_signal(struct json *json, const char *key, int number, const char *sender)
{
	if (number == 0)
		return;
	begin(json, key);
	json_pair_int(json, "number", number);
	add_text(json, "name", signal_name(number));
	add_text(json, "sender", sender);
	json_object_end(json);
}

static void add_end(struct json *json, const struct report *report)
{
	if (report->has_end && report->signal == 0)
		json_pair_int(json, "exitCode", report->exit_code);
	if (report->has_end && report->signal != 0) {
		add_signal(json, "signal", report->signal, NULL);
		json_pair_bool(json, "coreDumped", report->is_dumped);
	}
	add_signal(json, "limitSignal", report->limit_signal.number, report->limit_signal.sender);
	if (report->call.number == REPORT_ABSENT)
		return;
	begin(json, "systemCall");
	json_pair_uint(json, "number", report->call.number);
	add_text(json, "name", report->call.name);
	add_text(json, "architecture", report->call.architecture);
	json_object_end(json);
}

static void add_setup(struct json *json, const struct err *err)
{
	if (err == NULL)
		return;
	begin(json, "setup");
	json_pair(json, "kind", err_kind_name(err->kind));
	add_text(json, "pointer", err->json_pointer);
	json_pair(json, "message", err->msg);
	add_text(json, "hint", err->hint);
	if (err->errnum != 0) {
		json_pair_int(json, "errno", err->errnum);
		add_text(json, "errnoName", strerrorname_np(err->errnum));
	}
	json_object_end(json);
}

static void add_times(struct json *json, const struct report *report)
{
	begin(json, "time");
	add_number(json, "wall", report->wall);
	add_number(json, "cpu", report->cgroup.cpu.total);
	add_number(json, "user", report->cgroup.cpu.user);
	add_number(json, "system", report->cgroup.cpu.system);
	add_number(json, "throttled", report->cgroup.cpu.throttled);
	json_object_end(json);
	begin(json, "program");
	add_number(json, "user", report->program.user);
	add_number(json, "system", report->program.system);
	add_number(json, "maxRss", report->program.max_rss);
	add_number(json, "voluntarySwitches", report->program.voluntary_switches);
	add_number(json, "involuntarySwitches", report->program.involuntary_switches);
	json_object_end(json);
}

/* Where the limit was that the OOM killer has enforced. */
static const char *oom_level(const struct report *report)
{
	uint64_t kills = report->cgroup.memory.oom_kills, own = report->cgroup.memory.own_ooms;

	if (kills == 0 || kills == REPORT_ABSENT || own == REPORT_ABSENT)
		return NULL;
	return own > 0 ? "own" : "ancestor";
}

static void add_usage(struct json *json, const struct report *report)
{
	const struct cgroup_usage *usage = &report->cgroup;

	begin(json, "memory");
	add_number(json, "peak", usage->memory.peak);
	add_number(json, "limit", usage->memory.limit);
	add_number(json, "swapPeak", usage->memory.swap_peak);
	add_number(json, "oomKills", usage->memory.oom_kills);
	add_text(json, "oomLevel", oom_level(report));
	json_object_end(json);
	begin(json, "pids");
	add_number(json, "peak", usage->pids.peak);
	add_number(json, "limit", usage->pids.limit);
	add_number(json, "limitHits", usage->pids.limit_hits);
	json_object_end(json);
	begin(json, "io");
	add_number(json, "read", usage->io.read);
	add_number(json, "written", usage->io.written);
	json_object_end(json);
}

static void add_pressure(struct json *json, const char *key, const struct cgroup_pressure *pressure)
{
	begin(json, key);
	add_number(json, "some", pressure->some);
	add_number(json, "full", pressure->full);
	json_object_end(json);
}

static void add_output(struct json *json, const struct report *report)
{
	begin(json, "pressure");
	add_pressure(json, "cpu", &report->cgroup.cpu_pressure);
	add_pressure(json, "memory", &report->cgroup.memory_pressure);
	add_pressure(json, "io", &report->cgroup.io_pressure);
	json_object_end(json);
	if (report->output.bytes == REPORT_ABSENT)
		return;
	begin(json, "output");
	json_pair_uint(json, "bytes", report->output.bytes);
	json_pair_bool(json, "truncated", report->output.is_truncated);
	json_object_end(json);
}

/* An integer, or a decimal number with as many digits as it needs, up to 9. */
static void add_quotient(struct json *json, uint64_t value, uint64_t parts)
{
	uint64_t rest = parts == 0 ? 0 : value % parts;
	char text[40];
	size_t len = (size_t)str_format(text, sizeof text, "%llu%s",
					(unsigned long long)(parts == 0 ? value : value / parts),
					rest == 0 ? "" : ".");

	for (int i = 0; i < 9 && rest > 0; i++) {
		text[len++] = (char)('0' + rest * 10 / parts);
		rest = rest * 10 % parts;
	}
	json_number(json, text, len);
}

static void add_limit(struct json *json, const struct report_limit *limit)
{
	json_object(json);
	json_pair(json, "name", limit->name);
	json_key(json, "value");
	if (limit->list != NULL)
		json_string(json, limit->list);
	else
		add_quotient(json, limit->value, limit->parts);
	json_pair(json, "enforcedBy", limit->enforced_by == NULL ? "nothing" : limit->enforced_by);
	json_object_end(json);
}

static void add_limits(struct json *json, const struct report *report)
{
	json_key(json, "limits");
	json_array(json);
	for (size_t i = 0; i < report->limit_count; i++)
		add_limit(json, &report->limits[i]);
	json_array_end(json);
}

static void add_isolation(struct json *json, const struct report *report)
{
	static const struct {
		uint64_t flag;
		const char *name;
	} namespaces[] = {
		{CLONE_NEWPID, "pid"},       {CLONE_NEWNET, "network"}, {CLONE_NEWNS, "mount"},
		{CLONE_NEWIPC, "ipc"},       {CLONE_NEWUTS, "uts"},     {CLONE_NEWUSER, "user"},
		{CLONE_NEWCGROUP, "cgroup"}, {CLONE_NEWTIME, "time"},
	};

	if (!report->isolation.is_known)
		return;
	begin(json, "isolation");
	json_key(json, "namespaces");
	json_array(json);
	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++)
		if ((report->isolation.namespaces & namespaces[i].flag) != 0)
			json_string(json, namespaces[i].name);
	json_array_end(json);
	json_pair_bool(json, "userNamespace", (report->isolation.namespaces & CLONE_NEWUSER) != 0);
	add_text(json, "proc", report->isolation.proc);
	add_text(json, "cgroup", report->isolation.cgroup);
	json_pair_bool(json, "seccompFilter", report->isolation.has_filter);
	json_pair_bool(json, "noNewPrivileges", report->isolation.is_no_new_privs);
	json_object_end(json);
}

static void print_json(const struct report *report, struct buf *out)
{
	struct json json;

	json_begin(&json, out, 0);
	json_object(&json);
	json_pair_int(&json, "version", REPORT_VERSION);
	add_text(&json, "id", report->id);
	json_pair(&json, "cause", report_cause_name(report->cause));
	add_end(&json, report);
	add_setup(&json, report->setup);
	add_times(&json, report);
	add_usage(&json, report);
	add_output(&json, report);
	add_limits(&json, report);
	add_isolation(&json, report);
	begin(&json, "setupTime");
	add_number(&json, "load", report->setup_time.load);
	add_number(&json, "create", report->setup_time.create);
	add_number(&json, "start", report->setup_time.start);
	json_object_end(&json);
	json_object_end(&json);
	buf_add(out, "\n", 1);
}

void report_print(const struct report *report, enum report_format format, struct buf *out)
{
	if (format == REPORT_ISOLATE)
		report_print_isolate(report, out);
	else
		print_json(report, out);
}
