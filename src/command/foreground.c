/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wait of run and exec for a process in the foreground.
 *
 * Process: the parent; the process that it waits for is its child. It forwards signals, copies between its own
 * terminal and the container's, and exits with the exit status of the program.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>

#include <tare/notify.h>

#include "private.h"
#include "stream.h"
#include "supervision.h"

#define US_PER_S 1000000
#define NS_PER_US 1000
#define TERMINAL_DRAIN_MS 1000

/* The streams: the terminal's two directions, or the pipes of the program's output. */
enum { STREAM_IN, STREAM_OUT, STREAM_ERR, STREAMS };

struct foreground {
	const struct foreground_options *options;
	struct child *child;
	struct supervise *loop; /* or NULL */
	struct stream streams[STREAMS];
	int output_fds[STREAMS]; /* standard output and error, opened again; or -1 */
	struct termios saved;
	struct cgroup_watch watch; /* see watch_begin */
	bool is_counted;           /* watch.oom_kills is the final count */
	bool is_raw;
	bool is_ended;
};

static void output_begin(struct foreground *f, int i, int from)
{
	struct stream *s = &f->streams[i];
	int fd = i == STREAM_OUT ? 1 : 2;

	f->output_fds[i] = stream_open_output(fd);
	stream_begin(s, from, f->output_fds[i] < 0 ? fd : f->output_fds[i]);
	s->may_block = f->output_fds[i] < 0;
	s->counter = f->loop;
}

/* Output that is counted goes through pipes, unless it goes to a terminal. */
static void pipes_begin(struct foreground *f)
{
	struct supervision *supervision = f->options->supervision;

	if (f->loop == NULL || f->child->console_fd >= 0 || supervision->pipes[0] < 0)
		return;
	output_begin(f, STREAM_OUT, take_fd(&supervision->pipes[0]));
	output_begin(f, STREAM_ERR, take_fd(&supervision->pipes[1]));
	f->streams[STREAM_OUT].is_from_own = f->streams[STREAM_ERR].is_from_own = true;
}

/*
 * Makes the caller's terminal raw for input, so that all keys are passed to the container. Its output flags
 * stay: the container's terminal does not convert line feeds (parent_announce), so that output to a file or a
 * pipe has no carriage returns, and the caller's terminal adds them.
 */
static void terminal_begin(struct foreground *f)
{
	struct termios raw;

	if (f->child->console_fd < 0)
		return;
	stream_begin(&f->streams[STREAM_IN], 0, f->child->console_fd);
	output_begin(f, STREAM_OUT, f->child->console_fd);
	(void)!k_fcntl(f->child->console_fd, F_SETFL, O_NONBLOCK);
	if (tcgetattr(0, &f->saved) < 0)
		return;
	parent_copy_size(f->child);
	raw = f->saved;
	cfmakeraw(&raw);
	raw.c_oflag = f->saved.c_oflag;
	f->is_raw = tcsetattr(0, TCSANOW, &raw) == 0;
}

static void terminal_end(struct foreground *f)
{
	if (f->is_raw)
		tcsetattr(0, TCSANOW, &f->saved);
	for (int i = 0; i < STREAMS; i++) {
		stream_end(&f->streams[i]);
		fd_close(&f->output_fds[i]);
	}
}

/* Not forwarded are signals for this process alone: job control of its terminal, its children, its pipes. */
static bool is_forwarded(uint32_t signal)
{
	return signal != SIGCHLD && signal != SIGPIPE && signal != SIGURG && signal != SIGTTIN &&
	       signal != SIGTTOU && signal != SIGTSTP && signal != SIGWINCH;
}

/* As a subreaper this process is the parent of the container's orphans. init is waited for at the end. */
static void reap_orphans(const struct foreground *f)
{
	siginfo_t info;

	while (true) {
		info.si_pid = 0;
		if (k_waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0 ||
		    info.si_pid == f->child->pid)
			return;
		k_waitid(P_PID, info.si_pid, NULL, WEXITED);
	}
}

static void forward(struct foreground *f, int signal)
{
	if (f->loop != NULL)
		supervise_note_signal(f->loop, signal);
	k_pidfd_send_signal(f->child->pidfd, signal);
}

static void serve_signal(struct foreground *f, int signal_fd)
{
	struct signalfd_siginfo info;

	if (k_read(signal_fd, &info, sizeof info) != (ssize_t)sizeof info)
		return;
	if (info.ssi_signo == SIGWINCH)
		parent_copy_size(f->child);
	else if (info.ssi_signo == SIGCHLD)
		reap_orphans(f);
	else if (is_forwarded(info.ssi_signo))
		forward(f, (int)info.ssi_signo);
}

/*
 * systemd removes a scope's cgroup, and with it the number of OOM kills, as soon as it is notified that the
 * cgroup is empty; this process is notified at the same time. So the files are opened before. A cgroup without
 * a unit stays until this process removes it.
 */
static void watch_begin(struct foreground *f)
{
	struct err ignored;

	if (f->options->watch >= FOREGROUND_SCOPE && f->child->cgroup_fd >= 0)
		(void)!cgroup_watch_open(f->child->cgroup_fd, &f->watch, &ignored);
}

static void watch_read(struct foreground *f)
{
	int flags;

	if (f->watch.events_fd < 0)
		return;
	flags = cgroup_watch_read(&f->watch);
	/* After an error the number of kills is unknown. */
	if (flags < 0 || (flags & CGROUP_EMPTY))
		cgroup_watch_close(&f->watch);
	f->is_counted = flags >= 0 && (flags & CGROUP_COUNT_READ);
}

/* The cgroup of a scope may be gone: its OOM kills were also read as they happened. */
static void keep_oom_kills(struct foreground *f)
{
	uint64_t *kills = &f->loop->usage.memory.oom_kills;

	if (*kills == REPORT_ABSENT && f->watch.oom_kills > f->child->oom_kills)
		*kills = f->watch.oom_kills - f->child->oom_kills;
}

/* The descriptors that are polled. */
enum {
	POLL_INIT,
	POLL_SIGNAL,
	POLL_NOTIFY,
	POLL_NOTIFY_HOST,
	POLL_MEMORY,
	POLL_EVENTS,
	POLL_STREAMS,
	POLL_LOOP = POLL_STREAMS + STREAMS * STREAM_FDS,
	POLLS = POLL_LOOP + SUPERVISE_FDS,
};

/* Waits for an event, or for the next time that a limit has to be looked at. Returns as ppoll(2). */
static int wait_event(struct foreground *f, struct pollfd fds[static POLLS])
{
	int64_t us = f->loop == NULL ? -1 : supervise_prepare(f->loop, fds + POLL_LOOP);
	struct timespec timeout = {.tv_sec = us / US_PER_S, .tv_nsec = us % US_PER_S * NS_PER_US};

	for (int i = 0; i < STREAMS; i++)
		stream_watch(&f->streams[i], fds + POLL_STREAMS + i * STREAM_FDS);
	return k_ppoll(fds, f->loop == NULL ? POLL_LOOP : POLLS, us < 0 ? NULL : &timeout, NULL);
}

static void serve(struct foreground *f, const struct pollfd fds[static POLLS], int signal_fd)
{
	f->is_ended = fds[POLL_INIT].revents != 0;
	if (f->is_ended && f->loop != NULL)
		supervise_end(f->loop);
	if (f->is_ended || fds[POLL_MEMORY].revents != 0 || fds[POLL_EVENTS].revents != 0)
		watch_read(f);
	if (f->is_ended && f->loop != NULL)
		keep_oom_kills(f);
	if (fds[POLL_SIGNAL].revents != 0)
		serve_signal(f, signal_fd);
	/* MAINPID is this process: it is the service manager's child, and exits with the container. */
	notify_serve(f->options->notify, k_getpid());
	for (int i = 0; i < STREAMS; i++)
		stream_serve(&f->streams[i], fds + POLL_STREAMS + i * STREAM_FDS);
	if (!f->is_ended && f->loop != NULL)
		supervise_serve(f->loop, fds + POLL_LOOP);
}

static void wait_end(struct foreground *f, int signal_fd)
{
	while (!f->is_ended) {
		struct pollfd fds[POLLS] = {
			[POLL_INIT] = {.fd = f->child->pidfd, .events = POLLIN},
			[POLL_SIGNAL] = {.fd = signal_fd, .events = POLLIN},
			[POLL_NOTIFY] = {.fd = f->options->notify->fd, .events = POLLIN},
			[POLL_NOTIFY_HOST] = {.fd = f->options->notify->host_fd, .events = POLLOUT},
			[POLL_MEMORY] = {.fd = f->watch.memory_fd, .events = POLLPRI},
			[POLL_EVENTS] = {.fd = f->watch.events_fd, .events = POLLPRI},
		};

		if (wait_event(f, fds) >= 0)
			serve(f, fds, signal_fd);
	}
	/*
	 * The terminal or the pipes may still contain the program's last output. Of a terminal it is dropped if
	 * no process reads it; what went through pipes arrives completely, as it would without them.
	 */
	for (int i = STREAM_OUT; i < STREAMS; i++)
		stream_drain(&f->streams[i], f->child->console_fd >= 0 ? TERMINAL_DRAIN_MS : -1, signal_fd);
}

/*
 * A program that the OOM killer has killed, or that passes on the status of such a child, exits with the status
 * of SIGKILL. With run --keep the count is stored for any status.
 */
static void count_oom_kills(const struct foreground *f, struct state_end *end)
{
	if (f->options->watch == FOREGROUND_NO_WATCH ||
	    (end->status != 128 + SIGKILL && f->options->watch != FOREGROUND_KEPT))
		return;
	end->oom_kills = parent_count_oom_kills(f->child, f->watch.oom_kills);
	end->has_oom_kills = f->is_counted || end->oom_kills > 0;
}

/* How init has ended, for the record and for the report. */
static int reap(struct foreground *f, struct state_end *ret_end, struct err *err)
{
	siginfo_t info = {0}, of_init;
	struct rusage usage = {0};
	bool is_exit;

	if (k_waitid_usage(P_PIDFD, f->child->pidfd, &info, WEXITED, &usage) < 0)
		return err_system(err, ECHILD, "cannot wait for the container");
	of_init = info;
	child_read_end(f->child, &info);
	is_exit = info.si_code == CLD_EXITED;
	ret_end->has_status = true;
	ret_end->signal = is_exit ? 0 : info.si_status;
	ret_end->status = is_exit ? info.si_status : 128 + info.si_status;
	if (f->loop != NULL)
		supervision_note_exit(f->options->supervision, &of_init, &info, &usage);
	return 0;
}

int foreground_wait(const struct foreground_options *options, struct state_end *ret_end, struct err *err)
{
	struct supervision *supervision = options->supervision;
	struct foreground f = {.options = options,
			       .child = options->child,
			       .loop = supervision != NULL && supervision->is_asked ? &supervision->loop : NULL,
			       .streams = {STREAM_NONE, STREAM_NONE, STREAM_NONE},
			       .output_fds = {-1, -1, -1},
			       .watch = {.events_fd = -1, .memory_fd = -1}};
	sigset_t all;
	_cleanup_fd_ int signal_fd = -1;
	int r;

	*ret_end = (struct state_end){.has_status = false};
	sigfillset(&all);
	signal_fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signal_fd < 0)
		return err_system(err, errno, "cannot wait for signals");
	terminal_begin(&f);
	pipes_begin(&f);
	watch_begin(&f);
	wait_end(&f, signal_fd);
	cgroup_watch_close(&f.watch);
	terminal_end(&f);
	notify_finish(options->notify);
	r = reap(&f, ret_end, err);
	if (r >= 0)
		count_oom_kills(&f, ret_end);
	return r;
}
