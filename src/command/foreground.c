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
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>

#include <tare/notify.h>

#include "private.h"

/* One direction of the copy. Nothing is read while bytes is not empty. */
struct stream {
	int from, to;
	char bytes[4096];
	size_t start, end;
	bool is_ended;
};

struct foreground {
	struct parent *parent;
	struct notify *notify;
	struct stream in, out;
	int output_fd; /* standard output, opened again; or -1 */
	struct termios saved;
	struct cgroup_watch watch; /* see watch_begin */
	bool is_counted;           /* watch.oom_kills is the final count */
	bool is_raw;
	bool is_ended;
};

/*
 * Opens standard output for writes that do not block. It may be a pipe that no process reads, or a stopped
 * terminal: a write that blocks would delay signals and the end of the container. O_NONBLOCK on descriptor 1
 * would also apply to the caller, which shares the open file description, so it is opened again.
 */
static int open_output(void)
{
	struct stat st;

	if (k_fstat(1, &st) < 0 || !(S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)))
		return -1;
	return k_openat(AT_FDCWD, "/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
}

/*
 * Makes the caller's terminal raw for input, so that all keys are passed to the container. Its output flags
 * stay: the container's terminal does not convert line feeds (parent_announce), so that output to a file or a
 * pipe has no carriage returns, and the caller's terminal adds them.
 */
static void terminal_begin(struct foreground *f)
{
	struct termios raw;

	if (f->parent->console_fd < 0)
		return;
	f->in = (struct stream){.from = 0, .to = f->parent->console_fd};
	f->output_fd = open_output();
	f->out = (struct stream){.from = f->parent->console_fd, .to = f->output_fd < 0 ? 1 : f->output_fd};
	(void)!k_fcntl(f->parent->console_fd, F_SETFL, O_NONBLOCK);
	if (tcgetattr(0, &f->saved) < 0)
		return;
	parent_copy_size(f->parent);
	raw = f->saved;
	cfmakeraw(&raw);
	raw.c_oflag = f->saved.c_oflag;
	f->is_raw = tcsetattr(0, TCSANOW, &raw) == 0;
}

static void terminal_end(struct foreground *f)
{
	if (f->is_raw)
		tcsetattr(0, TCSANOW, &f->saved);
	fd_close(&f->output_fd);
}

static void stream_write(struct stream *s)
{
	ssize_t len = k_write(s->to, s->bytes + s->start, s->end - s->start);

	if (len > 0)
		s->start += (size_t)len;
	else if (len != -EAGAIN && len != -EINTR)
		s->is_ended = true;
	if (s->start == s->end)
		s->start = s->end = 0;
}

static void stream_read(struct stream *s)
{
	ssize_t len = k_read(s->from, s->bytes, sizeof s->bytes);

	if (len > 0)
		s->end = (size_t)len;
	else if (len != -EAGAIN && len != -EINTR)
		s->is_ended = true; /* a terminal with a closed other side gives EIO */
}

/* poll(2) ignores negative descriptors: one that is not to be waited for now is set to -1. */
static void stream_watch(const struct stream *s, bool has_terminal, struct pollfd *from, struct pollfd *to)
{
	bool is_on = has_terminal && !s->is_ended;

	*from = (struct pollfd){.fd = is_on && s->end == 0 ? s->from : -1, .events = POLLIN};
	*to = (struct pollfd){.fd = is_on && s->end > 0 ? s->to : -1, .events = POLLOUT};
}

static void stream_serve(struct stream *s, const struct pollfd *from, const struct pollfd *to)
{
	if (from->fd >= 0 && from->revents != 0)
		stream_read(s);
	if (to->fd >= 0 && to->revents != 0)
		stream_write(s);
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
		    info.si_pid == f->parent->pid)
			return;
		k_waitid(P_PID, info.si_pid, NULL, WEXITED);
	}
}

static void serve_signal(struct foreground *f, int signal_fd)
{
	struct signalfd_siginfo info;

	if (k_read(signal_fd, &info, sizeof info) != (ssize_t)sizeof info)
		return;
	if (info.ssi_signo == SIGWINCH)
		parent_copy_size(f->parent);
	else if (info.ssi_signo == SIGCHLD)
		reap_orphans(f);
	else if (is_forwarded(info.ssi_signo))
		k_pidfd_send_signal(f->parent->pidfd, (int)info.ssi_signo);
}

/* Whether the container is kept after its end (run --keep). An exec's process is not the container's. */
static bool is_keeping(const struct parent *parent)
{
	return parent->exec == NULL && parent->options->is_keep;
}

/*
 * systemd removes a scope's cgroup, and with it the number of OOM kills, as soon as it is notified that the
 * cgroup is empty; this process is notified at the same time. So the files are opened before. A cgroup without
 * a unit stays until this process removes it.
 */
static void watch_begin(struct foreground *f)
{
	const struct parent *parent = f->parent;
	bool is_needed = is_keeping(parent) || (parent->exec == NULL && !str_is_empty(parent->record.unit));
	struct err ignored;

	if (is_needed && parent->cgroup_fd >= 0)
		(void)!cgroup_watch_open(parent->cgroup_fd, &f->watch, &ignored);
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

static void wait_end(struct foreground *f, int signal_fd)
{
	bool has_terminal = f->parent->console_fd >= 0;

	while (!f->is_ended) {
		struct pollfd fds[10] = {{.fd = f->parent->pidfd, .events = POLLIN},
					 {.fd = signal_fd, .events = POLLIN},
					 {.fd = f->notify->fd, .events = POLLIN},
					 {.fd = f->notify->host_fd, .events = POLLOUT},
					 [8] = {.fd = f->watch.memory_fd, .events = POLLPRI},
					 [9] = {.fd = f->watch.events_fd, .events = POLLPRI}};

		stream_watch(&f->in, has_terminal, &fds[4], &fds[5]);
		stream_watch(&f->out, has_terminal, &fds[6], &fds[7]);
		if (k_ppoll(fds, ARRAY_SIZE(fds), NULL, NULL) < 0)
			continue;
		if (fds[0].revents != 0 || fds[8].revents != 0 || fds[9].revents != 0)
			watch_read(f);
		if (fds[1].revents != 0)
			serve_signal(f, signal_fd);
		/* MAINPID is this process: it is the service manager's child, and exits with the container. */
		notify_serve(f->notify, k_getpid());
		stream_serve(&f->in, &fds[4], &fds[5]);
		stream_serve(&f->out, &fds[6], &fds[7]);
		f->is_ended = fds[0].revents != 0;
	}
	/* The terminal may still contain the program's last output. */
	while (has_terminal && !f->out.is_ended) {
		struct pollfd to = {.fd = f->out.to, .events = POLLOUT};
		struct timespec timeout = {.tv_sec = 1};

		if (f->out.end == 0)
			stream_read(&f->out);
		if (f->out.end == 0)
			break;
		if (k_ppoll(&to, 1, &timeout, NULL) <= 0)
			break;
		stream_write(&f->out);
	}
}

/*
 * A program that the OOM killer has killed, or that passes on the status of such a child, exits with the status
 * of SIGKILL. With run --keep the count is stored for any status.
 */
static void count_oom_kills(const struct foreground *f, struct state_end *end)
{
	if (f->parent->exec != NULL || (end->status != 128 + SIGKILL && !is_keeping(f->parent)))
		return;
	end->oom_kills = parent_count_oom_kills(f->parent, f->watch.oom_kills);
	end->has_oom_kills = f->is_counted || end->oom_kills > 0;
}

int foreground_wait(struct parent *parent, struct notify *notify, struct state_end *ret_end, struct err *err)
{
	struct foreground f = {.parent = parent,
			       .notify = notify,
			       .output_fd = -1,
			       .watch = {.events_fd = -1, .memory_fd = -1}};
	sigset_t all;
	_cleanup_fd_ int signal_fd = -1;
	siginfo_t info = {0};

	*ret_end = (struct state_end){.has_status = false};
	sigfillset(&all);
	signal_fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signal_fd < 0)
		return err_system(err, errno, "cannot wait for signals");
	terminal_begin(&f);
	watch_begin(&f);
	wait_end(&f, signal_fd);
	cgroup_watch_close(&f.watch);
	terminal_end(&f);
	notify_finish(notify);
	if (k_waitid(P_PIDFD, parent->pidfd, &info, WEXITED) < 0)
		return err_system(err, ECHILD, "cannot wait for the container");
	ret_end->has_status = true;
	ret_end->signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
	ret_end->status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
	count_oom_kills(&f, ret_end);
	return 0;
}
