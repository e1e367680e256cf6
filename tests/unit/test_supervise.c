/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of a supervision, the cause of an end, and the report as text. No container is needed. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <tare/supervise.h>

#include "unit.h"

/* --- settings --- */

static void test_flags(void)
{
	struct supervise_options o = {.report = NULL};

	CHECK(!supervise_is_asked(&o));
	CHECK_STR(supervise_set(&o, "time-limit", "1.5s"), NULL);
	CHECK_INT(o.time_limit_us, 1500000);
	CHECK(supervise_is_asked(&o) && !supervise_has_report(&o));
	CHECK_STR(supervise_set(&o, "cpu-time-limit", "2"), NULL);
	CHECK_INT(o.cpu_time_limit_us, 2000000);
	CHECK_STR(supervise_set(&o, "cpu-time-limit", "1ns"), NULL);
	CHECK_INT(o.cpu_time_limit_us, 1);
	CHECK_STR(supervise_set(&o, "grace", "0"), NULL);
	CHECK(o.grace.is_set && o.grace.us == 0);
	CHECK_STR(supervise_set(&o, "output-limit", "64k"), NULL);
	CHECK_INT(o.output_limit, 65536);
	CHECK_STR(supervise_set(&o, "stop-signal", "INT"), NULL);
	CHECK_INT(o.stop_signal, SIGINT);
	CHECK_STR(supervise_set(&o, "report-fd", "2"), NULL);
	CHECK_INT(o.report_fd, 2);
	CHECK_STR(supervise_set(&o, "report-format", "isolate"), NULL);
	CHECK_INT(o.report_format, REPORT_ISOLATE);
	CHECK(supervise_has_report(&o));
}

static void test_wrong_values(void)
{
	static const char *const wrong[][2] = {
		{"time-limit", "-1"},  {"time-limit", ""},     {"cpu-time-limit", "1x"}, {"grace", "soon"},
		{"output-limit", "0"}, {"output-limit", "-1"}, {"stop-signal", "0"},     {"stop-signal", "FOO"},
		{"report-fd", "0"},    {"report-fd", "-1"},    {"report-format", "xml"}, {"report", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct supervise_options o = {.report = NULL}, zero = o;

		CHECK(supervise_set(&o, wrong[i][0], wrong[i][1]) != NULL);
		CHECK(memcmp(&o, &zero, sizeof o) == 0);
	}
}

static void test_annotations(void)
{
	struct supervise_options o = {.report = NULL};
	struct err err = {.kind = ERR_NONE};

	CHECK_STR(supervise_set(&o, "time-limit", "1"), NULL);
	CHECK_INT(supervise_set_annotation(&o, "org.tare.time-limit", "5", &err), 0);
	CHECK_INT(o.time_limit_us, 1000000); /* of the flag */
	CHECK_INT(supervise_set_annotation(&o, "org.tare.cpu-time-limit", "250ms", &err), 0);
	CHECK_INT(o.cpu_time_limit_us, 250000);
	CHECK_INT(supervise_set_annotation(&o, "org.tare.output-limit", "1k", &err), -EINVAL);
	CHECK_STR(err.json_pointer, "/annotations/org.tare.output-limit");
	CHECK_STR(err.msg, "has no effect: only the flag --output-limit has");
	CHECK_INT(supervise_set_annotation(&o, "org.tare.other", "x", &err), 0);
	CHECK_INT(supervise_set_annotation(&o, "time-limit", "x", &err), 0);
	CHECK_INT(o.output_limit, 0);
	CHECK(supervise_set_annotation(&o, "org.tare.grace", "x", &err) < 0);
	CHECK_INT(err.kind, ERR_CONFIG);
	CHECK_STR(err.json_pointer, "/annotations/org.tare.grace");
	CHECK_STR(err.msg, "invalid value 'x': must be a duration such as 500ms, 1.5s or 2m");
	CHECK_STR(supervise_annotation_name(0), "org.tare.time-limit");
	for (size_t i = 0; supervise_annotation_name(i) != NULL; i++)
		CHECK(!str_equal(supervise_annotation_name(i), "org.tare.output-limit"));
}

/* --- causes --- */

struct given {
	const char *name;
	enum report_cause cause, expected; /* cause: of the supervision, REPORT_EXIT if no limit was reached */
	int exit_code, signal;
	uint64_t oom_kills, limit_hits, cpu;
	bool is_forwarded, has_filter, is_inside, is_unknown;
};

static void check_cause(const struct given *g)
{
	struct supervise_options o = {.cpu_time_limit_us = 1000};
	struct supervise s = {.options = &o, .cause = g->cause, .is_ended = true};
	struct supervise_exit end = {
		.is_known = !g->is_unknown, .exit_code = g->exit_code, .signal = g->is_unknown ? 0 : g->signal};
	struct report report;

	report_init(&report, "x");
	s.usage = report.cgroup;
	s.usage.memory.oom_kills = g->oom_kills;
	s.usage.pids.limit_hits = g->limit_hits;
	s.usage.cpu.total = g->cpu;
	s.forwarded = g->is_forwarded ? UINT64_C(1) << (g->signal - 1) : 0;
	s.target.has_filter = g->has_filter;
	s.target.is_killed_from_outside = !g->is_inside;
	supervise_report(&s, &end, &report);
	if (!CHECK_STR(report_cause_name(report.cause), report_cause_name(g->expected)))
		fprintf(stderr, "  of '%s'\n", g->name);
	CHECK_INT(supervise_exit_status(&s, 5),
		  g->expected == REPORT_TIME || g->expected == REPORT_CPU_TIME || g->expected == REPORT_OUTPUT
			  ? 124
			  : 5);
}

static void test_causes(void)
{
	static const struct given cases[] = {
		{"success", REPORT_EXIT, REPORT_EXIT},
		{"failure", REPORT_EXIT, REPORT_EXIT, .exit_code = 1},
		{"signal", REPORT_EXIT, REPORT_SIGNAL, .signal = SIGSEGV},
		{"time", REPORT_TIME, REPORT_TIME, .signal = SIGKILL, .oom_kills = 1},
		{"time, with a status of its own", REPORT_TIME, REPORT_TIME, .exit_code = 0},
		{"OOM", REPORT_EXIT, REPORT_OOM, .signal = SIGKILL, .oom_kills = 1},
		{"OOM of a child", REPORT_EXIT, REPORT_OOM, .exit_code = 137, .oom_kills = 1},
		{"OOM of a child that did not matter", REPORT_EXIT, REPORT_EXIT, .oom_kills = 1},
		{"unknown OOM", REPORT_EXIT, REPORT_KILLED, .signal = SIGKILL, .oom_kills = REPORT_ABSENT},
		{"kill", REPORT_EXIT, REPORT_KILLED, .signal = SIGKILL},
		{"kill by itself", REPORT_EXIT, REPORT_SIGNAL, .signal = SIGKILL, .is_inside = true},
		{"forwarded signal", REPORT_EXIT, REPORT_KILLED, .signal = SIGTERM, .is_forwarded = true},
		{"filter", REPORT_EXIT, REPORT_SECCOMP, .signal = SIGSYS, .has_filter = true},
		{"SIGSYS without a filter", REPORT_EXIT, REPORT_SIGNAL, .signal = SIGSYS},
		{"fork bomb", REPORT_EXIT, REPORT_PIDS, .exit_code = 2, .limit_hits = 3},
		{"fork bomb that succeeds", REPORT_EXIT, REPORT_EXIT, .limit_hits = 3},
		{"unknown hits", REPORT_EXIT, REPORT_EXIT, .exit_code = 2, .limit_hits = REPORT_ABSENT},
		{"CPU time, unnoticed", REPORT_EXIT, REPORT_CPU_TIME, .cpu = 1000},
		{"status not known", REPORT_EXIT, REPORT_UNKNOWN, .is_unknown = true, .oom_kills = 1},
		{"kill, status not known", REPORT_EXIT, REPORT_KILLED, .is_unknown = true, .signal = SIGKILL,
		 .is_forwarded = true},
		{"time, status not known", REPORT_TIME, REPORT_TIME, .is_unknown = true},
		{"CPU time, not yet", REPORT_EXIT, REPORT_EXIT, .cpu = 999},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_cause(&cases[i]);
}

static void test_output(void)
{
	struct supervise_options o = {.output_limit = 10};
	struct supervise s = {.options = &o, .cause = REPORT_EXIT, .is_ended = true};

	CHECK_INT(supervise_count_output(&s, 10), 10);
	CHECK(!s.is_truncated && s.cause == REPORT_EXIT);
	CHECK_INT(supervise_count_output(&s, 1), 0);
	CHECK(s.is_truncated && s.cause == REPORT_OUTPUT && s.output == 10);
	s = (struct supervise){.options = &o, .cause = REPORT_EXIT, .is_ended = true};
	CHECK_INT(supervise_count_output(&s, 4), 4);
	CHECK_INT(supervise_count_output(&s, 100), 6);
}

/* --- the report as text --- */

static void check_text(const struct report *report, enum report_format format, const char *expected)
{
	_cleanup_buf_ struct buf text = {0};

	report_print(report, format, &text);
	CHECK_STR(text.data, expected);
}

static void test_isolate(void)
{
	static const struct err failure = {.kind = ERR_CONFIG, .msg = "exec: two\nlines"};
	struct report report;

	report_init(&report, "x");
	report.has_end = true;
	report.wall = 1234567;
	report.cgroup.cpu.total = 50999;
	report.cgroup.memory.peak = 4096;
	report.program = (struct report_program){1, 2, 2048000, 3, 4};
	check_text(&report, REPORT_ISOLATE,
		   "time:0.050\ntime-wall:1.234\nmax-rss:2000\ncsw-voluntary:3\ncsw-forced:4\ncg-mem:4\n"
		   "exitcode:0\n");
	report_init(&report, "x");
	report.has_end = true;
	report.cause = REPORT_TIME;
	report.signal = SIGKILL;
	check_text(&report, REPORT_ISOLATE,
		   "exitsig:9\nkilled:1\nmessage:Time limit exceeded (wall clock)\nstatus:TO\n");
	report.cause = REPORT_OOM;
	check_text(&report, REPORT_ISOLATE,
		   "cg-oom-killed:1\nexitsig:9\nmessage:Memory limit exceeded\nstatus:SG\n");
	report.cause = REPORT_EXIT;
	report.signal = 0;
	report.exit_code = 3;
	check_text(&report, REPORT_ISOLATE, "exitcode:3\nmessage:Exited with error status\nstatus:RE\n");
	report_init(&report, "x");
	report.cause = REPORT_SETUP;
	report.setup = &failure;
	check_text(&report, REPORT_ISOLATE, "message:exec: two\\x0alines\nstatus:XX\n");
}

static void test_limits(void)
{
	static const struct report_limit limits[] = {
		{"pids", 7, "cgroup"}, {"cpus", 50000, "cgroup", 100000}, {"cpus", 200000, NULL, 100000},
		{"cpus", 1, NULL, 3},  {"cpuset", 0, NULL, 0, "0-1,3"},
	};
	static const char expected[] = "\"limits\":[{\"name\":\"pids\",\"value\":7,\"enforcedBy\":\"cgroup\"},"
				       "{\"name\":\"cpus\",\"value\":0.5,\"enforcedBy\":\"cgroup\"},"
				       "{\"name\":\"cpus\",\"value\":2,\"enforcedBy\":\"nothing\"},"
				       "{\"name\":\"cpus\",\"value\":0.333333333,\"enforcedBy\":\"nothing\"},"
				       "{\"name\":\"cpuset\",\"value\":\"0-1,3\",\"enforcedBy\":\"nothing\"}]";
	_cleanup_buf_ struct buf text = {0};
	struct report report;

	report_init(&report, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		report_add_limit(&report, &limits[i]);
	report_print(&report, REPORT_JSON, &text);
	if (!CHECK(strstr(text.data, expected) != NULL))
		fprintf(stderr, "\t%s\n", text.data);
	CHECK(strstr(text.data, "\"id\"") == NULL);
}

static void test_json(void)
{
	static const struct err failure = {
		.kind = ERR_SYSTEM, .errnum = 2, .json_pointer = "/process/args", .msg = "m", .hint = "h"};
	struct report report;

	test_limits();
	report_init(&report, "x");
	report.cause = REPORT_SETUP;
	report.setup = &failure;
	check_text(&report, REPORT_JSON,
		   "{\"version\":1,\"id\":\"x\",\"cause\":\"setup\",\"setup\":{\"kind\":\"system\",\"pointer\":"
		   "\"/process/args\",\"message\":\"m\",\"hint\":\"h\",\"errno\":2,\"errnoName\":\"ENOENT\"},"
		   "\"time\":{},\"program\":{},\"memory\":{},\"pids\":{},\"io\":{},\"pressure\":{\"cpu\":{},"
		   "\"memory\":{},\"io\":{}},\"limits\":[],\"setupTime\":{}}\n");
}

/* --- the counters of a cgroup --- */

static void put(int dir_fd, const char *name, const char *text)
{
	CHECK_INT(io_replace_file(dir_fd, name, text, strlen(text), 0600), 0);
}

static void test_usage(int dir_fd)
{
	struct cgroup_counters counters;
	struct cgroup_usage usage, before;

	put(dir_fd, "cpu.stat", "usage_usec 70\nuser_usec 50\nsystem_usec 20\nnr_periods 0\n");
	put(dir_fd, "memory.max", "max\n");
	put(dir_fd, "memory.peak", "4096\n");
	put(dir_fd, "memory.events", "low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\n");
	put(dir_fd, "pids.max", "20\n");
	put(dir_fd, "pids.events", "max 5\n");
	put(dir_fd, "io.stat", "8:0 rbytes=100 wbytes=1 rios=3 wios=4 dbytes=5\n8:16 rbytes=20 wbytes=30\n");
	put(dir_fd, "io.pressure",
	    "some avg10=0.00 avg60=0.00 avg300=0.00 total=9\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=8\n");
	put(dir_fd, "cpu.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=6\n");
	cgroup_counters_init(&counters);
	cgroup_counters_open(dir_fd, &counters);
	cgroup_read_usage(&counters, &usage);
	CHECK_INT(usage.cpu.total, 70);
	CHECK_INT(cgroup_read_cpu_time(&counters), 70);
	CHECK_INT(usage.cpu.system, 20);
	CHECK(usage.cpu.throttled == CGROUP_ABSENT);
	CHECK_INT(usage.memory.peak, 4096);
	CHECK(usage.memory.limit == CGROUP_ABSENT && usage.memory.swap_peak == CGROUP_ABSENT);
	CHECK(usage.memory.oom_kills == 1 && usage.memory.own_ooms == 2);
	CHECK(usage.pids.limit == 20 && usage.pids.limit_hits == 5 && usage.pids.peak == CGROUP_ABSENT);
	CHECK(usage.io.read == 120 && usage.io.written == 31);
	CHECK(usage.io_pressure.some == 9 && usage.io_pressure.full == 8);
	CHECK(usage.cpu_pressure.some == 6 && usage.cpu_pressure.full == CGROUP_ABSENT);
	CHECK(usage.memory_pressure.some == CGROUP_ABSENT);
	before = usage;
	CHECK_INT(io_write_file(dir_fd, "cpu.stat", "usage_usec 90\n", 14), 0);
	cgroup_read_usage(&counters, &usage);
	cgroup_usage_subtract(&usage, &before);
	CHECK_INT(usage.cpu.total, 20);
	CHECK_INT(usage.memory.oom_kills, 0);
	CHECK(usage.memory.peak == CGROUP_ABSENT && usage.pids.limit == 20);
	cgroup_counters_close(&counters);
	cgroup_read_usage(&counters, &usage);
	CHECK(usage.cpu.total == CGROUP_ABSENT && usage.memory.oom_kills == CGROUP_ABSENT);
}

int main(void)
{
	char dir[] = "/tmp/tare-supervise.XXXXXX", *command;
	_cleanup_fd_ int dir_fd = mkdtemp(dir) == NULL ? -1
						       : k_openat(AT_FDCWD, dir, O_DIRECTORY | O_RDONLY, 0);

	CHECK(dir_fd >= 0);
	test_flags();
	test_wrong_values();
	test_annotations();
	test_causes();
	test_output();
	test_isolate();
	test_json();
	test_usage(dir_fd);
	command = mem_format("rm -r %s", dir);
	CHECK_INT(system(command), 0);
	mem_free(&command);
	UNIT_MAIN_END;
}
