/* SPDX-License-Identifier: Apache-2.0 */
/* Copies between descriptors without waiting. Process: the parent. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>

#include "stream.h"

int stream_open_output(int fd)
{
	char path[32];
	struct stat st;

	if (k_fstat(fd, &st) < 0 || !(S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)))
		return -1;
	str_format(path, sizeof path, "/proc/self/fd/%d", fd);
	fd = k_openat(AT_FDCWD, path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
	return fd < 0 ? -1 : fd;
}

void stream_begin(struct stream *s, int from, int to)
{
	s->from = from;
	s->to = to;
	s->is_ended = false;
}

void stream_end(struct stream *s)
{
	s->is_ended = true;
	if (s->is_from_own)
		fd_close(&s->from);
}

/* A pipe with room takes PIPE_BUF bytes without blocking. */
static void stream_write(struct stream *s)
{
	size_t size = s->end - s->start;
	ssize_t len = k_write(s->to, s->bytes + s->start, s->may_block && size > PIPE_BUF ? PIPE_BUF : size);

	if (len > 0)
		s->start += (size_t)len;
	else if (len != -EAGAIN && len != -EINTR)
		stream_end(s);
	if (s->start != s->end)
		return;
	s->start = s->end = 0;
	if (s->is_last)
		stream_end(s);
}

static void stream_read(struct stream *s)
{
	ssize_t len = k_read(s->from, s->bytes, sizeof s->bytes);

	if (len == -EAGAIN || len == -EINTR)
		return;
	/* A terminal with a closed other side returns EIO. */
	if (len <= 0) {
		stream_end(s);
		return;
	}
	s->end = s->counter == NULL ? (size_t)len : supervise_count_output(s->counter, (size_t)len);
	s->is_last = s->end < (size_t)len;
	if (s->end == 0)
		stream_end(s);
}

/* poll(2) ignores negative descriptors: one that is not to be waited for now is set to -1. */
void stream_watch(const struct stream *s, struct pollfd fds[static STREAM_FDS])
{
	fds[0] = (struct pollfd){.fd = !s->is_ended && s->end == 0 ? s->from : -1, .events = POLLIN};
	fds[1] = (struct pollfd){.fd = !s->is_ended && s->end > 0 ? s->to : -1, .events = POLLOUT};
}

void stream_serve(struct stream *s, const struct pollfd fds[static STREAM_FDS])
{
	if (fds[0].fd >= 0 && fds[0].revents != 0)
		stream_read(s);
	if (fds[1].fd >= 0 && fds[1].revents != 0)
		stream_write(s);
}

/* Whether a pending signal requests the end of the command. */
static bool is_interrupted(int signal_fd)
{
	struct signalfd_siginfo info;

	while (k_read(signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
		if (info.ssi_signo == SIGINT || info.ssi_signo == SIGTERM || info.ssi_signo == SIGHUP ||
		    info.ssi_signo == SIGQUIT)
			return true;
	return false;
}

void stream_drain(struct stream *s, int timeout_ms, int signal_fd)
{
	while (!s->is_ended) {
		struct pollfd fds[] = {{.fd = s->to, .events = POLLOUT},
				       {.fd = timeout_ms < 0 ? signal_fd : -1, .events = POLLIN}};
		struct timespec timeout = {.tv_sec = timeout_ms / 1000};

		if (s->end == 0)
			stream_read(s);
		if (s->is_ended || s->end == 0)
			return;
		if (k_ppoll(fds, ARRAY_SIZE(fds), timeout_ms < 0 ? NULL : &timeout, NULL) <= 0)
			return;
		if (fds[1].revents != 0 && is_interrupted(signal_fd))
			return;
		if (fds[0].revents != 0)
			stream_write(s);
	}
}
