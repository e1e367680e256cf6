/* SPDX-License-Identifier: Apache-2.0 */
/* Limits and report of a run in the foreground. Process: the parent; init is its child. */
#include <errno.h>
#include <fcntl.h>

#include <tare/command.h>

#include "supervision.h"

#define US_PER_S 1000000
#define KIB 1024

void supervision_init(struct supervision *s, const struct draft *draft)
{
	*s = (struct supervision){.options = &draft->supervise,
				  .place = {.dir_fd = -1, .fd = -1},
				  .loop = {.caller_fd = -1, .cause = REPORT_EXIT},
				  .signals_fd = -1,
				  .pipes = {-1, -1}};
	cgroup_counters_init(&s->loop.counters);
	if (supervise_has_report(s->options))
		s->begin_us = time_monotonic_us();
	report_init(&s->report, draft->options->common.id);
}

void supervision_done(struct supervision *s)
{
	supervise_done(&s->loop);
	report_close(&s->place);
	mem_free(&s->call_name);
	fd_close(&s->signals_fd);
	fd_close(&s->pipes[0]);
	fd_close(&s->pipes[1]);
}

/* --- before the program starts --- */

/* The program must not get the descriptor of its report. */
static int check_report_fd(const struct supervision *s, const struct create_options *options, struct err *err)
{
	uint32_t fd = s->options->report_fd;

	if (fd < 3 || fd >= 3 + options->common.preserve_fds)
		return 0;
	return err_set(err, ERR_USAGE, 0, NULL,
		       "cannot write the report to descriptor %u: --preserve-fds passes it to the program", fd);
}

/* The pipes' reading ends do not block. The writing ends are like those of any pipe. */
static int open_pipes(struct supervision *s, struct child *child, struct err *err)
{
	for (int i = 0; i < 2; i++) {
		int fds[2], r = k_pipe2(fds, O_CLOEXEC);

		if (r >= 0) {
			s->pipes[i] = fds[0];
			child->output_fds[i] = fds[1];
			r = k_fcntl(fds[0], F_SETFL, O_NONBLOCK);
		}
		if (r < 0)
			return err_system(err, r, "cannot make a pipe for the program's output");
	}
	return 0;
}

static int check_output_limit(const struct supervision *s, const struct create_options *options,
			      struct err *err)
{
	if (s->options->output_limit == 0 || !options->common.is_detached)
		return 0;
	err_set(err, ERR_USAGE, 0, NULL, "cannot limit the output of a detached container");
	err_hint(err, "no process of tare passes it on; omit --detach or --output-limit");
	return -EINVAL;
}

int supervision_prepare(struct supervision *s, struct creation *creation, struct err *err)
{
	int r = check_report_fd(s, creation->draft.options, err);

	if (r >= 0)
		r = check_output_limit(s, creation->draft.options, err);
	if (r >= 0 && supervise_has_report(s->options))
		r = report_open(s->options, &s->place, err);
	if (r >= 0 && s->options->output_limit > 0)
		r = open_pipes(s, &creation->child, err);
	return r;
}

static bool is_foreground(const struct creation *creation)
{
	return creation->draft.request.is_run && !creation->draft.options->common.is_detached;
}

int supervision_open(struct supervision *s, const struct creation *creation, struct err *err)
{
	const struct spec *spec = creation->draft.spec;
	const struct child *child = &creation->child;
	const struct supervise_target target = {
		.pid = child->pid,
		.pidfd = child->pidfd,
		.cgroup_fd = child->cgroup_fd,
		.is_cgroup_own = creation->record.cgroup_created > 0 || !str_is_empty(creation->record.unit),
		.has_filter = spec->seccomp.is_set,
		.is_reported = supervise_has_report(s->options) || !is_foreground(creation),
		.is_killed_from_outside = creation->record.is_pid_namespace_own,
	};

	s->is_asked = supervise_is_asked(s->options);
	if (!s->is_asked)
		return 0;
	if (supervise_has_report(s->options))
		s->created_us = time_monotonic_us();
	/* Of an annotation, which was not known before. */
	if (supervise_has_report(s->options) && s->place.dir_fd < 0 && s->place.fd < 0) {
		int r = report_open(s->options, &s->place, err);

		if (r < 0)
			return r;
	}
	/* Other commands note the signals there that they send to the container. */
	s->signals_fd = state_create_signals(creation->dir_fd, err);
	return s->signals_fd < 0 ? s->signals_fd : supervise_open(&s->loop, s->options, &target, err);
}

void supervision_begin(struct supervision *s)
{
	s->is_started = true;
	if (s->is_asked)
		supervise_begin(&s->loop);
}

/* --- after its end --- */

static uint64_t in_us(const struct timeval *time)
{
	return (uint64_t)time->tv_sec * US_PER_S + (uint64_t)time->tv_usec;
}

void supervision_note_exit(struct supervision *s, const siginfo_t *init, const siginfo_t *program,
			   const struct rusage *usage)
{
	bool is_exit = program->si_code == CLD_EXITED;

	/* The program may be killed by a process of the container, unless it is the first one. */
	s->loop.target.is_killed_from_outside &= init->si_code != CLD_EXITED && init->si_status == SIGKILL;
	s->exit = (struct supervise_exit){
		.is_known = true,
		.exit_code = is_exit ? program->si_status : 0,
		.signal = is_exit ? 0 : program->si_status,
		.is_dumped = program->si_code == CLD_DUMPED,
		.program = s->report.program, /* not known */
	};
	if (usage != NULL)
		s->exit.program = (struct report_program){
			in_us(&usage->ru_utime), in_us(&usage->ru_stime), (uint64_t)usage->ru_maxrss * KIB,
			(uint64_t)usage->ru_nvcsw, (uint64_t)usage->ru_nivcsw};
}

static const char *proc_way(const struct creation *creation)
{
	const struct spec *spec = creation->draft.spec;
	bool is_mounted = false;
	const char *way;

	for (size_t i = 0; i < spec->mount_count; i++)
		is_mounted |= str_equal(spec->mounts[i].type, "proc");
	if (!is_mounted)
		return NULL;
	way = state_annotation(&creation->record, "org.tare.proc");
	return way == NULL ? "fresh" : way;
}

static void describe_isolation(struct report *report, const struct creation *creation)
{
	const struct spec *spec = creation->draft.spec;

	report->isolation.is_known = true;
	report->isolation.namespaces = creation->draft.plan->namespaces;
	report->isolation.proc = proc_way(creation);
	report->isolation.cgroup = creation->record.cgroup_path;
	report->isolation.has_filter = spec->seccomp.is_set;
	report->isolation.is_no_new_privs = spec->process.attributes.no_new_privileges;
}

static void describe_setup(struct supervision *s, const struct creation *creation)
{
	if (s->begin_us == 0 || creation->loaded_us == 0 || s->created_us == 0)
		return;
	s->report.setup_time.load = (uint64_t)(creation->loaded_us - s->begin_us);
	s->report.setup_time.create = (uint64_t)(s->created_us - creation->loaded_us);
	if (s->is_started)
		s->report.setup_time.start = (uint64_t)(s->loop.begin_us - s->created_us);
}

/* Without the process of tare that has kept the unit. */
static void subtract_placeholder(struct report *report, const struct creation *creation)
{
	if (!creation->is_unit_held)
		return;
	if (report->cgroup.pids.peak != REPORT_ABSENT)
		report->cgroup.pids.peak--;
	if (creation->has_raised_pids && report->cgroup.pids.limit != REPORT_ABSENT)
		report->cgroup.pids.limit--;
}

/* The limits of the configuration. systemd sets others that were not asked for. */
static void describe_limits(struct report *report, const struct spec *spec)
{
	const struct {
		const char *name;
		struct spec_int value;
	} limits[] = {{"memory", spec->resources.memory.limit}, {"pids", spec->resources.pids_limit}};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		if (limits[i].value.is_set && limits[i].value.value >= 0)
			report_add_limit(report,
					 &(struct report_limit){limits[i].name, (uint64_t)limits[i].value.value,
								"cgroup"});
}

static void describe_call(struct supervision *s, const struct syscalls_kill *kill)
{
	if (!kill->is_set)
		return;
	s->call_name = seccomp_call_name(kill->arch, kill->number);
	s->exit.is_filtered = true;
	s->report.call.number = (uint64_t)kill->number;
	s->report.call.name = s->call_name;
	s->report.call.architecture = seccomp_architecture_of(kill->arch);
}

int supervision_complete(struct supervision *s, const struct creation *creation,
			 const struct syscalls_kill *kill, int status)
{
	if (!s->is_asked)
		return status;
	describe_call(s, kill);
	s->loop.forwarded |= state_read_signals(s->signals_fd);
	supervise_report(&s->loop, &s->exit, &s->report);
	describe_setup(s, creation);
	subtract_placeholder(&s->report, creation);
	describe_limits(&s->report, creation->draft.spec);
	describe_isolation(&s->report, creation);
	s->is_reported = true;
	return supervise_exit_status(&s->loop, status);
}

int supervision_explain(const struct supervision *s, struct err *err)
{
	switch (s->is_reported ? s->report.cause : REPORT_EXIT) {
	case REPORT_TIME:
		return err_set(err, ERR_STATE, 0, NULL,
			       "the container was stopped: its time limit was reached");
	case REPORT_CPU_TIME:
		return err_set(err, ERR_STATE, 0, NULL,
			       "the container was stopped: its CPU time limit was reached");
	case REPORT_OUTPUT:
		return err_set(err, ERR_STATE, 0, NULL,
			       "the container was killed: its output limit was reached");
	default:
		return 0;
	}
}

void command_report_failure(const struct supervise_options *options, const char *id, const struct err *failure)
{
	_cleanup_report_place_ struct report_place place = {.dir_fd = -1, .fd = -1};
	_cleanup_buf_ struct buf text = {0};
	struct report report;
	struct err ignored;

	if (!supervise_has_report(options) || report_open(options, &place, &ignored) < 0)
		return;
	report_init(&report, id);
	report.cause = REPORT_SETUP;
	report.setup = failure;
	report_print(&report, options->report_format, &text);
	(void)!report_write(&place, &text, &ignored);
}

int supervision_write(struct supervision *s, int r, struct err *err)
{
	_cleanup_buf_ struct buf text = {0};
	struct err other;

	if (s->place.dir_fd < 0 && s->place.fd < 0) {
		/* The flags are wrong, or the creation has failed and an annotation requests the report. */
		if (r < 0)
			command_report_failure(s->options, s->report.id, err);
		return r;
	}
	if (r >= 0 && !s->is_reported)
		return r;
	if (!s->is_reported) {
		s->report.cause = REPORT_SETUP;
		s->report.setup = err;
	}
	report_print(&s->report, s->options->report_format, &text);
	if (report_write(&s->place, &text, &other) >= 0)
		return r;
	if (r >= 0)
		*err = other;
	return r < 0 ? r : -EIO;
}
