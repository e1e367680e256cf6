/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor: enforces the limits of a container that no command waits for, and reports how it ended.
 *
 * Process: a copy of the command that has created the container ("create", "run --detach"), which does not wait
 * for it; in the caller's namespaces and cgroup, with the caller's ids, in a session of its own. It keeps only
 * the descriptors of kept_fds, and the capabilities of KEPT_CAPABILITIES. init is not its child. If it is
 * killed, the limits are not enforced any more, and the report is missing; nothing else depends on it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include <tare/protocol.h>

#include "supervisor.h"

#define US_PER_S 1000000
#define NS_PER_US 1000

/* Signals to processes of other users, files in directories of other users, and the status of their zombies. */
#define KEPT_CAPABILITIES (1u << CAP_KILL | 1u << CAP_DAC_OVERRIDE | 1u << CAP_SYS_PTRACE)

struct supervisor {
	struct creation *creation;
	struct supervision *supervision;
	struct cgroup_watch watch; /* of a scope: see watch_main.c of the room systemd */
	int dir_fd;                /* the container's directory in the state root, without its lock */
	int report_fd;             /* of state_create_report */
	int ready_fd;              /* a pipe on which the command waits until this process is ready */
	int start_fd;              /* end of file: init has executed the program; -1: it has before */
	bool is_started, is_ended;
	bool is_counted;    /* watch.oom_kills is the final count */
	struct err failure; /* why init could not execute the program; or of kind ERR_NONE */
};

/* --- the process --- */

/* The caller may wait for the end of file on any descriptor that it has passed, so all others are closed. */
static void close_other_fds(const struct supervisor *s)
{
	const struct supervision *v = s->supervision;
	const struct child *child = &s->creation->child;
	const int kept[] = {child->pidfd,
			    child->cgroup_fd,
			    child->end_fd,
			    s->dir_fd,
			    s->report_fd,
			    v->signals_fd,
			    s->ready_fd,
			    s->start_fd,
			    v->place.dir_fd,
			    v->place.fd,
			    v->loop.caller_fd,
			    s->watch.events_fd,
			    s->watch.memory_fd,
			    s->creation->recorder.control_fd,
			    v->loop.counters.fds[CGROUP_CPU_STAT]};
	int from = 3;

	while (from >= 0) {
		int next = -1;

		for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
			if (kept[i] >= from && (next < 0 || kept[i] < next))
				next = kept[i];
		if (next != from)
			k_close_range((unsigned int)from, next < 0 ? ~0u : (unsigned int)next - 1, 0);
		from = next < 0 ? -1 : next + 1;
	}
}

static int replace_stdio(int report_fd)
{
	int fd = k_openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0), r = fd;

	for (int i = 0; r >= 0 && i < 3; i++)
		if (i != report_fd)
			r = k_dup3(fd, i, 0);
	return r;
}

/* Signals end this process as any other: a service manager that stops its unit must not have to wait. */
static void reset_signals(void)
{
	uint64_t none = 0;

	for (int i = 1; i < NSIG; i++)
		signal(i, i == SIGPIPE ? SIG_IGN : SIG_DFL);
	k_sigprocmask(SIG_SETMASK, &none, NULL);
}

static int drop_privileges(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[2] = {{0}};
	int r = k_capget(&header, sets);

	sets[0].effective &= KEPT_CAPABILITIES;
	sets[0].permitted &= KEPT_CAPABILITIES;
	sets[0].inheritable = sets[1].effective = sets[1].permitted = sets[1].inheritable = 0;
	if (r >= 0)
		r = k_capset(&header, sets);
	if (r >= 0)
		r = (int)k_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return r >= 0 ? (int)k_prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) : r;
}

/*
 * "tare supervise ID" instead of the arguments of the command, in their memory (proc_pid_cmdline(5)): the
 * command itself has exited. Texts of the command line do not exist any more after this.
 */
static void set_title(const char *id)
{
	_cleanup_buf_ struct buf arguments = {0};
	char *at = program_invocation_name;

	k_prctl(PR_SET_NAME, (unsigned long)"tare", 0, 0, 0);
	if (io_read_file(AT_FDCWD, "/proc/self/cmdline", 1 << 22, &arguments) < 0 || arguments.len < 2 ||
	    memcmp(arguments.data, at, arguments.len) != 0)
		return;
	memset(at, 0, arguments.len);
	str_format(at, arguments.len, "tare supervise %s", id);
	for (; *at != '\0'; at++)
		*at = *at == ' ' ? '\0' : *at;
}

static int become_supervisor(struct supervisor *s)
{
	int r;

	reset_signals();
	log_close(false);
	s->supervision->report.id = s->creation->record.id;
	if (s->supervision->place.name != NULL)
		s->supervision->place.name = mem_dup(s->supervision->place.name);
	set_title(s->creation->record.id);
	r = k_setsid();
	if (r >= 0)
		r = k_chdir("/");
	if (r >= 0)
		r = replace_stdio(s->supervision->place.fd);
	close_other_fds(s);
	return r < 0 ? r : drop_privileges();
}

/* --- the end of the container --- */

/* The report of a first process of tare's is used if the kernel does not have the status of that process. */
static bool read_exit(const struct supervisor *s, siginfo_t *init, siginfo_t *program)
{
	int status;

	*init = (siginfo_t){.si_code = CLD_EXITED};
	if (state_read_exit(&s->creation->record, s->creation->child.pidfd, &status)) {
		bool is_exit = WIFEXITED(status);

		init->si_code = is_exit ? CLD_EXITED : WCOREDUMP(status) ? CLD_DUMPED : CLD_KILLED;
		init->si_status = is_exit ? WEXITSTATUS(status) : WTERMSIG(status);
		*program = *init;
		child_read_end(&s->creation->child, program);
		return true;
	}
	*program = *init;
	return child_read_report(&s->creation->child, program);
}

static void note_exit(struct supervisor *s, struct state_end *end)
{
	siginfo_t init, program;

	s->supervision->exit.program = s->supervision->report.program; /* not known */
	if (!read_exit(s, &init, &program))
		return;
	supervision_note_exit(s->supervision, &init, &program, NULL);
	end->has_status = true;
	end->signal = program.si_code == CLD_EXITED ? 0 : program.si_status;
	end->status = program.si_code == CLD_EXITED ? program.si_status : 128 + program.si_status;
}

static void count_oom_kills(const struct supervisor *s, struct state_end *end)
{
	uint64_t counted = s->supervision->loop.usage.memory.oom_kills, watched = 0;

	if (s->watch.oom_kills > s->creation->child.oom_kills)
		watched = s->watch.oom_kills - s->creation->child.oom_kills;
	/* The watch has read the number before systemd removed the cgroup. */
	if (counted == REPORT_ABSENT && (s->is_counted || watched > 0))
		s->supervision->loop.usage.memory.oom_kills = watched;
	end->has_oom_kills = counted != REPORT_ABSENT || s->is_counted || watched > 0;
	end->oom_kills = counted == REPORT_ABSENT || counted < watched ? watched : counted;
}

/* The report of "wait" is JSON whatever the format of the other one is. */
static void write_report(struct supervisor *s)
{
	struct supervision *v = s->supervision;
	_cleanup_buf_ struct buf text = {0};
	struct err ignored;

	report_print(&v->report, REPORT_JSON, &text);
	/* A part of a report must not be taken for one: "wait" fails for an empty one. */
	if (io_write_all(s->report_fd, text.data, text.len) < 0 && ftruncate(s->report_fd, 0) < 0)
		log_line(LOG_WARNING, "the report of container %s is incomplete", s->creation->record.id);
	(void)!supervision_write(v, v->is_reported ? 0 : -EIO, v->is_reported ? &ignored : &s->failure);
}

static void finish(struct supervisor *s)
{
	struct supervision *v = s->supervision;
	struct state_end end = {.has_status = false};
	struct syscalls_kill kill;
	struct err ignored;

	note_exit(s, &end);
	count_oom_kills(s, &end);
	(void)!syscalls_finish(&s->creation->recorder, &kill, &ignored);
	if (s->failure.kind == ERR_NONE)
		(void)supervision_complete(v, s->creation, &kill, 0);
	v->report.setup = v->is_reported ? NULL : &s->failure;
	v->report.cause = v->is_reported ? v->report.cause : REPORT_SETUP;
	if (end.has_status || end.has_oom_kills)
		(void)!state_write_end(s->dir_fd, &end, &ignored);
	write_report(s);
}

/* --- the loop --- */

enum { POLL_INIT, POLL_START, POLL_MEMORY, POLL_EVENTS, POLL_LOOP, POLLS = POLL_LOOP + SUPERVISE_FDS };

/* init's end of the socket is closed by execve(2). Before that, init sends only the reason why it cannot. */
static void serve_start(struct supervisor *s)
{
	struct err err = {.kind = ERR_NONE};

	if (protocol_expect(s->start_fd, STEP_EXEC, NULL, NULL, &err) != -EPIPE || err.kind != ERR_PEER)
		s->failure = err;
	fd_close(&s->start_fd);
	if (s->failure.kind != ERR_NONE)
		return;
	s->is_started = true;
	supervision_begin(s->supervision);
}

/* If init has exited by the time that its start is seen, the time in between is not known. */
static void serve_end(struct supervisor *s, bool was_started)
{
	struct supervise *loop = &s->supervision->loop;

	s->is_ended = true;
	if (!s->is_started)
		supervise_begin(loop);
	supervise_end(loop);
	if (!was_started)
		loop->wall_us = REPORT_ABSENT;
}

static void read_watch(struct supervisor *s)
{
	int flags = s->watch.events_fd < 0 ? 0 : cgroup_watch_read(&s->watch);

	/* The kernel wakes this process before systemd, which then removes the cgroup of a scope. */
	if (flags > 0 && (flags & CGROUP_EMPTY) && s->is_started && !s->is_ended)
		supervise_read_usage(&s->supervision->loop);
	s->is_counted |= flags > 0 && (flags & CGROUP_EMPTY) && (flags & CGROUP_COUNT_READ);
	/* The descriptors of a cgroup that is gone are always ready. */
	if (flags < 0 || (flags & CGROUP_EMPTY))
		cgroup_watch_close(&s->watch);
}

static void serve(struct supervisor *s, const struct pollfd fds[static POLLS])
{
	bool was_started = s->is_started;

	if (fds[POLL_START].revents != 0)
		serve_start(s);
	if (fds[POLL_INIT].revents != 0)
		serve_end(s, was_started);
	read_watch(s);
	if (was_started && !s->is_ended)
		supervise_serve(&s->supervision->loop, fds + POLL_LOOP);
}

static void wait_end(struct supervisor *s)
{
	while (!s->is_ended) {
		struct pollfd fds[POLLS] = {
			[POLL_INIT] = {.fd = s->creation->child.pidfd, .events = POLLIN},
			[POLL_START] = {.fd = s->start_fd, .events = POLLIN},
			[POLL_MEMORY] = {.fd = s->watch.memory_fd, .events = POLLPRI},
			[POLL_EVENTS] = {.fd = s->watch.events_fd, .events = POLLPRI},
		};
		int64_t us = s->is_started ? supervise_prepare(&s->supervision->loop, fds + POLL_LOOP) : -1;
		struct timespec timeout = {.tv_sec = us / US_PER_S, .tv_nsec = us % US_PER_S * NS_PER_US};

		if (k_ppoll(fds, s->is_started ? POLLS : POLL_LOOP, us < 0 ? NULL : &timeout, NULL) >= 0)
			serve(s, fds);
	}
}

static _Noreturn void run_supervisor(struct supervisor *s)
{
	if (become_supervisor(s) < 0 || k_write(s->ready_fd, "", 1) != 1)
		k_exit(1);
	fd_close(&s->ready_fd);
	if (s->is_started)
		supervision_begin(s->supervision);
	wait_end(s);
	finish(s);
	k_exit(0);
}

/* --- its start --- */

/* A copy of the command: the supervisor needs what the configuration and the plan have led to. */
static int spawn(struct supervisor *s, struct err *err)
{
	struct clone_args args = {.exit_signal = SIGCHLD};
	_cleanup_fd_ int read_fd = -1;
	int fds[2], r = k_pipe2(fds, O_CLOEXEC);
	long pid;
	char byte;

	if (r < 0)
		return err_system(err, r, "cannot start the supervisor of the container");
	read_fd = fds[0];
	s->ready_fd = fds[1];
	pid = k_clone_any(&args);
	if (pid == 0)
		run_supervisor(s);
	fd_close(&s->ready_fd);
	if (pid < 0)
		return err_system(err, (int)pid, "cannot start the supervisor of the container");
	if (k_read(read_fd, &byte, 1) == 1)
		return 0;
	return err_set(err, ERR_PEER, 0, NULL, "the supervisor of the container has exited at its start");
}

static int open_files(struct supervisor *s, struct err *err)
{
	const struct creation *creation = s->creation;

	s->report_fd = state_create_report(creation->dir_fd, err);
	if (s->report_fd < 0)
		return s->report_fd;
	/* A descriptor of its own: a copy of the command's would keep the lock. */
	s->dir_fd = k_openat(creation->dir_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (s->dir_fd < 0)
		return err_system(err, s->dir_fd, "cannot open the directory of the container");
	if (str_is_empty(creation->record.unit) || creation->child.cgroup_fd < 0)
		return 0;
	return cgroup_watch_open(creation->child.cgroup_fd, &s->watch, err);
}

int supervisor_start(struct creation *creation, struct supervision *supervision, bool is_started,
		     struct err *err)
{
	struct supervisor s = {
		.creation = creation,
		.supervision = supervision,
		.watch = {.events_fd = -1, .memory_fd = -1},
		.dir_fd = -1,
		.report_fd = -1,
		.ready_fd = -1,
		.start_fd = is_started ? -1 : creation->child.socket_fd,
		.is_started = is_started,
	};
	int r;

	if (!supervise_needs_process(supervision->options))
		return 0;
	r = open_files(&s, err);
	if (r >= 0)
		r = spawn(&s, err);
	cgroup_watch_close(&s.watch);
	fd_close(&s.dir_fd);
	fd_close(&s.report_fd);
	return r;
}

int supervisor_check(int dir_fd, const struct state_record *record, struct err *err)
{
	struct supervise_options options = {0};
	_cleanup_fd_ int report_fd = -1;
	int r = 0;

	for (size_t i = 0; i < record->annotation_count && r >= 0; i++)
		r = supervise_set_annotation(&options, record->annotations[i].key, record->annotations[i].value,
					     err);
	if (r < 0 || !supervise_needs_process(&options))
		return r;
	report_fd = state_open_report(dir_fd);
	if (report_fd >= 0 && state_await_report(report_fd, 0) == -EBUSY)
		return 0;
	err_set(err, ERR_STATE, 0, NULL, "the supervisor of the container was killed");
	err_hint(err, "delete the container and create it again");
	return -EINVAL;
}
