/* SPDX-License-Identifier: Apache-2.0 */
/* Waits for a descriptor, the exit of a process and signals at the same time. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>

#include <tare/await.h>

int await_any(const struct await *await)
{
	/* The kernel checks the pidfd first: if it reports the exit, the check of fd sees all that was sent. */
	struct pollfd fds[] = {{.fd = await->pidfd, .events = POLLIN},
			       {.fd = await->fd, .events = await->events},
			       {.fd = await->signal_fd, .events = POLLIN}};
	int64_t left = await->timeout_ms, end = left > 0 ? time_ms() + left : 0;

	while (true) {
		struct timespec timeout = {0};
		int r;

		if (left > 0)
			timeout = (struct timespec){.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};
		r = k_ppoll(fds, ARRAY_SIZE(fds), await->timeout_ms < 0 ? NULL : &timeout, NULL);
		if (r == -EINTR) {
			left = end > 0 ? end - time_ms() : 0;
			continue;
		}
		if (r <= 0)
			return r;
		return (fds[1].revents != 0 ? AWAIT_READY : 0) | (fds[0].revents != 0 ? AWAIT_ENDED : 0) |
		       (fds[2].revents != 0 ? AWAIT_SIGNAL : 0);
	}
}

int await_message(const struct await *await, const char *message, struct err *err)
{
	int r = await_any(await);

	if (r < 0)
		return err_system(err, r, "cannot wait for '%s'", message);
	if ((r & AWAIT_SIGNAL) != 0)
		return await_interrupted(await->signal_fd, err);
	if ((r & AWAIT_READY) != 0)
		return 0;
	return err_set(err, ERR_PEER, EPIPE, NULL, "the other process exited before it sent '%s'", message);
}

int await_signals(void)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	sigset_t blocked, wanted;
	int fd;

	sigemptyset(&wanted);
	sigprocmask(SIG_SETMASK, NULL, &blocked);
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		struct sigaction action;

		/* While a signal is blocked, it becomes pending even if it is ignored. */
		if (sigismember(&blocked, ends[i]) == 1 && sigaction(ends[i], NULL, &action) == 0 &&
		    action.sa_handler != SIG_IGN)
			sigaddset(&wanted, ends[i]);
	}
	fd = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

int await_interrupted(int signal_fd, struct err *err)
{
	struct signalfd_siginfo info = {.ssi_signo = 0};
	const char *name;

	(void)!k_read(signal_fd, &info, sizeof info);
	name = sigabbrev_np((int)info.ssi_signo);
	err_set(err, ERR_SYSTEM, 0, NULL, "interrupted by SIG%s", name == NULL ? "NAL" : name);
	return -EINTR;
}
