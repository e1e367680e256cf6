/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Enforces the limits of a running container.
 *
 * Process: the command that waits for the container, or the supervisor of a container that no command waits
 * for; in the caller's namespaces, with its ids. It polls, and calls supervise_serve after each poll.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <time.h>

#include <tare/supervise.h>

#define US_PER_S INT64_C(1000000)
/* The CPU time is not read more often: reading it takes about 10 us, so that this costs 0.1 %. */
#define CHECK_MIN_US INT64_C(10000)
/* All processes are killed again at this interval until init has exited. */
#define KILL_AGAIN_US INT64_C(100000)

/* --- before the program starts --- */

/*
 * A pidfd of the process that has started this one. If that process exits, this one gets another parent, so the
 * parent is compared once the pidfd is open.
 */
static int open_caller(struct err *err)
{
	int pid = k_getppid(), fd;

	if (pid == 0) {
		err_set(err, ERR_UNSUPPORTED, 0, NULL,
			"cannot watch the caller: it is in another pid namespace");
		err_hint(err, "omit --die-with-parent");
		return -EINVAL;
	}
	fd = k_pidfd_open(pid, 0);
	if (fd >= 0 && k_getppid() != pid) {
		fd_close(&fd);
		fd = -ESRCH;
	}
	return fd < 0 ? err_system(err, fd, "cannot watch the caller") : fd;
}

/*
 * Without a cgroup, each process has a limit of its own: SIGXCPU at the soft limit, and SIGKILL a second later.
 * The kernel counts whole seconds.
 */
static int set_cpu_rlimit(struct supervise *s, struct err *err)
{
	uint64_t seconds = (uint64_t)((s->options->cpu_time_limit_us + US_PER_S - 1) / US_PER_S);
	struct rlimit64 limit = {seconds, seconds + 1}, old;
	int r = k_prlimit(s->target.pid, RLIMIT_CPU, NULL, &old);

	if (r >= 0) {
		limit.rlim_cur = old.rlim_cur < limit.rlim_cur ? old.rlim_cur : limit.rlim_cur;
		limit.rlim_max = old.rlim_max < limit.rlim_max ? old.rlim_max : limit.rlim_max;
		r = k_prlimit(s->target.pid, RLIMIT_CPU, &limit, NULL);
	}
	s->has_cpu_rlimit = r >= 0;
	return r < 0 ? err_system(err, r, "cannot set RLIMIT_CPU of init") : 0;
}

/* The counter is opened now: afterwards an error could only be answered by killing the program. */
static int open_cpu_limit(struct supervise *s, struct err *err)
{
	int r;

	if (s->target.cgroup_fd < 0)
		return set_cpu_rlimit(s, err);
	r = cgroup_counters_open_cpu(s->target.cgroup_fd, &s->counters);
	return r < 0 ? err_system(err, r,
				  "cannot limit the CPU time: cannot read cpu.stat of the container's cgroup")
		     : 0;
}

int supervise_open(struct supervise *s, const struct supervise_options *options,
		   const struct supervise_target *target, struct err *err)
{
	*s = (struct supervise){.options = options, .target = *target, .caller_fd = -1, .cause = REPORT_EXIT};
	cgroup_counters_init(&s->counters);
	if (options->is_dying_with_parent) {
		s->caller_fd = open_caller(err);
		if (s->caller_fd < 0)
			return s->caller_fd;
	}
	return options->cpu_time_limit_us > 0 ? open_cpu_limit(s, err) : 0;
}

/* --- the time of the next check --- */

static uint64_t cpu_time(const struct supervise *s)
{
	uint64_t used = cgroup_read_cpu_time(&s->counters);

	if (used == CGROUP_ABSENT || s->target.is_cgroup_own || s->before.cpu.total == CGROUP_ABSENT)
		return used;
	return used - s->before.cpu.total;
}

/* Whether the CPU time is over. Otherwise plans the next check: the program may use all CPUs at once until
 * then. */
static bool check_cpu_time(struct supervise *s, int64_t now)
{
	uint64_t limit = (uint64_t)s->options->cpu_time_limit_us, used = cpu_time(s);
	int64_t pause = used < limit ? (int64_t)((limit - used) / s->cpus) : 0;

	s->check_us = now + (pause > CHECK_MIN_US ? pause : CHECK_MIN_US);
	return used != CGROUP_ABSENT && used >= limit;
}

void supervise_begin(struct supervise *s)
{
	bool has_cpu_limit = s->options->cpu_time_limit_us > 0 && !s->has_cpu_rlimit;

	s->begin_us = time_monotonic_us();
	if (s->target.cgroup_fd >= 0 && (has_cpu_limit || s->target.is_reported))
		cgroup_counters_open(s->target.cgroup_fd, &s->counters);
	if (!s->target.is_cgroup_own)
		cgroup_read_usage(&s->counters, &s->before);
	if (!has_cpu_limit)
		return;
	s->cpus = (unsigned int)get_nprocs();
	(void)!check_cpu_time(s, s->begin_us);
}

void supervise_done(struct supervise *s)
{
	cgroup_counters_close(&s->counters);
	fd_close(&s->caller_fd);
}

static void keep_earlier(int64_t *first, int64_t us)
{
	if (us > 0 && (*first == 0 || us < *first))
		*first = us;
}

static int64_t time_limit_end(const struct supervise *s)
{
	int64_t end;

	if (s->options->time_limit_us == 0)
		return 0;
	return __builtin_add_overflow(s->begin_us, s->options->time_limit_us, &end) ? 0 : end;
}

int64_t supervise_prepare(const struct supervise *s, struct pollfd fds[static SUPERVISE_FDS])
{
	bool is_ending = s->cause != REPORT_EXIT;
	int64_t first = 0, now;

	fds[0] = (struct pollfd){.fd = is_ending ? -1 : s->caller_fd, .events = POLLIN};
	keep_earlier(&first, s->kill_us);
	if (!is_ending) {
		keep_earlier(&first, s->check_us);
		keep_earlier(&first, time_limit_end(s));
	}
	if (first == 0)
		return -1;
	now = time_monotonic_us();
	return first > now ? first - now : 0;
}

/* --- ending it --- */

static bool has_exited(const struct supervise *s)
{
	struct pollfd fd = {.fd = s->target.pidfd, .events = POLLIN};
	struct timespec none = {0};

	return k_ppoll(&fd, 1, &none, NULL) > 0;
}

void supervise_read_usage(struct supervise *s)
{
	struct cgroup_usage usage;

	cgroup_read_usage(&s->counters, &usage);
	if (!s->has_usage || usage.cpu.total != CGROUP_ABSENT)
		s->usage = usage;
	s->has_usage = true;
}

/* Through the cgroup, which the container has for itself; without one, the death of init ends its pid
 * namespace. */
static void kill_all(struct supervise *s, int64_t now)
{
	struct err ignored;

	if (s->is_ended)
		return;
	if (s->sent != SIGKILL)
		supervise_read_usage(s);
	if (s->target.cgroup_fd >= 0)
		(void)!cgroup_kill(s->target.cgroup_fd, 0, &ignored);
	k_pidfd_send_signal(s->target.pidfd, SIGKILL);
	s->sent = SIGKILL;
	s->kill_us = now + KILL_AGAIN_US;
}

/* A program that has exited by now did so within its limits, however late this process runs. */
static void stop(struct supervise *s, enum report_cause cause, bool is_at_once)
{
	int64_t now = time_monotonic_us(),
		grace = s->options->grace.is_set ? s->options->grace.us : SUPERVISE_GRACE_US;

	if (s->cause != REPORT_EXIT || has_exited(s))
		return;
	s->cause = cause;
	if (is_at_once || grace == 0) {
		kill_all(s, now);
		return;
	}
	s->sent = s->options->stop_signal == 0 ? SIGTERM : s->options->stop_signal;
	k_pidfd_send_signal(s->target.pidfd, s->sent);
	if (__builtin_add_overflow(now, grace, &s->kill_us))
		s->kill_us = 0;
}

void supervise_serve(struct supervise *s, const struct pollfd fds[static SUPERVISE_FDS])
{
	int64_t now = time_monotonic_us(), end = time_limit_end(s);

	if (fds[0].fd >= 0 && fds[0].revents != 0)
		stop(s, REPORT_KILLED, true);
	if (end > 0 && now >= end)
		stop(s, REPORT_TIME, false);
	if (s->cause == REPORT_EXIT && s->check_us > 0 && now >= s->check_us && check_cpu_time(s, now))
		stop(s, REPORT_CPU_TIME, false);
	if (s->kill_us > 0 && now >= s->kill_us)
		kill_all(s, now);
}

void supervise_note_signal(struct supervise *s, int signal)
{
	s->forwarded |= UINT64_C(1) << (signal - 1);
}

size_t supervise_count_output(struct supervise *s, size_t len)
{
	uint64_t limit = s->options->output_limit, room = limit - s->output;

	if (limit == 0 || len <= room) {
		s->output += len;
		return len;
	}
	s->output = limit;
	s->is_truncated = true;
	/* Also of a program that has exited by now. */
	if (s->cause == REPORT_EXIT) {
		s->cause = REPORT_OUTPUT;
		kill_all(s, time_monotonic_us());
	}
	return (size_t)room;
}

/* --- its end --- */

void supervise_end(struct supervise *s)
{
	s->wall_us = (uint64_t)(time_monotonic_us() - s->begin_us);
	s->is_ended = true;
	supervise_read_usage(s);
	if (!s->target.is_cgroup_own)
		cgroup_usage_subtract(&s->usage, &s->before);
	cgroup_counters_close(&s->counters);
}

int supervise_exit_status(const struct supervise *s, int status)
{
	bool is_limit = s->cause == REPORT_TIME || s->cause == REPORT_CPU_TIME || s->cause == REPORT_OUTPUT;

	return is_limit ? SUPERVISE_LIMIT_STATUS : status;
}
