/* SPDX-License-Identifier: Apache-2.0 */
#include "notify.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#define NOTIFY_DIR "notify"
#define NOTIFY_NAME "notify.sock"
#define BARRIER_TIMEOUT_S 30
#define MESSAGE_MAX 4096
#define SERVE_MAX 64 /* messages in a row: a program that never stops talking must not keep its caller busy */

/* The address in NOTIFY_SOCKET, sd_notify(3). False for what is no local socket, or does not fit. */
static bool host_address(struct sockaddr_un *ret, socklen_t *ret_size)
{
	const char *name = getenv("NOTIFY_SOCKET");
	size_t len = name == NULL ? 0 : strlen(name);

	if (len < 2 || len >= sizeof ret->sun_path || (name[0] != '/' && name[0] != '@'))
		return false;
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(ret->sun_path, name, len);
	if (name[0] == '@')
		ret->sun_path[0] = '\0';
	/* An abstract name is all of the bytes that are counted, a path ends with its NUL. */
	*ret_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '/'));
	return true;
}

bool notify_is_wanted(void)
{
	struct sockaddr_un address;
	socklen_t size;

	return host_address(&address, &size);
}

/* The modes are given in full: the program may run as any user. Nobody else gets as far as this directory. */
int notify_make_dir(int dir_fd, struct err *err)
{
	int r = k_mkdirat(dir_fd, NOTIFY_DIR, 0755);

	if (r >= 0)
		r = k_fchmodat(dir_fd, NOTIFY_DIR, 0755);
	return r < 0 ? err_system(err, r, "cannot make the directory of the notify socket") : 0;
}

int notify_open(struct notify *notify, int dir_fd, struct err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_fd_ int notify_fd = -1, fd = -1;
	int r;

	if (!notify_is_wanted())
		return 0;
	notify_fd = k_openat(dir_fd, NOTIFY_DIR, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (notify_fd == -ENOENT)
		return 0;
	if (notify_fd < 0)
		return err_system(err, notify_fd, "cannot open the directory of the notify socket");
	/* An earlier start may have been killed before its container started. */
	k_unlinkat(notify_fd, NOTIFY_NAME, 0);
	fd = k_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	str_format(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/" NOTIFY_NAME, notify_fd);
	r = fd < 0 ? fd : k_bind(fd, &address, sizeof address);
	if (r >= 0)
		r = k_fchmodat(notify_fd, NOTIFY_NAME, 0777);
	if (r < 0)
		return err_system(err, r, "cannot make the notify socket");
	notify->fd = take_fd(&fd);
	return 0;
}

void notify_close(struct notify *notify)
{
	fd_close(&notify->fd);
	fd_close(&notify->barrier_fd);
}

/* One datagram to the service manager, with a descriptor unless that is negative. */
static int send_host(const char *text, int fd_to_pass)
{
	_cleanup_fd_ int fd = k_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;
	struct iovec vector = {.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};
	struct msghdr message = {.msg_name = &address, .msg_iov = &vector, .msg_iovlen = 1};
	union io_rights rights;
	ssize_t r;

	if (fd < 0)
		return fd;
	if (!host_address(&address, &message.msg_namelen))
		return -EINVAL;
	if (fd_to_pass >= 0)
		io_attach_fd(&message, &rights, fd_to_pass);
	do
		r = k_sendmsg(fd, &message, MSG_NOSIGNAL);
	while (r == -EINTR);
	return r < 0 ? (int)r : 0;
}

/* Messages are taken in order, so the descriptor is closed when those before it were read. */
static int send_barrier(struct notify *notify)
{
	int fds[2], r = k_pipe2(fds, O_CLOEXEC);

	if (r < 0)
		return r;
	notify->barrier_fd = fds[0];
	r = send_host("BARRIER=1", fds[1]);
	fd_close(&fds[1]);
	return r;
}

static void tell_ready(struct notify *notify, pid_t main_pid)
{
	char text[32];
	int r = send_host("READY=1", -1);

	str_format(text, sizeof text, "MAINPID=%d", main_pid);
	if (r >= 0)
		r = send_host(text, -1);
	if (r >= 0)
		r = send_barrier(notify);
	if (r < 0)
		log_line(LOG_WARNING, "cannot notify the service manager: %s", strerror(-r));
	fd_close(&notify->fd);
}

/* A message is a list of assignments, each a line. */
static bool says_ready(const char *message)
{
	static const char ready[] = "READY=1";

	while (true) {
		size_t len = strcspn(message, "\n");

		if (len == sizeof ready - 1 && strncmp(message, ready, len) == 0)
			return true;
		if (message[len] == '\0')
			return false;
		message += len + 1;
	}
}

void notify_serve(struct notify *notify, pid_t main_pid)
{
	for (int i = 0; i < SERVE_MAX && notify->fd >= 0; i++) {
		char message[MESSAGE_MAX + 1];
		ssize_t len = k_read(notify->fd, message, MESSAGE_MAX);

		if (len == -EINTR)
			continue;
		if (len < 0)
			return;
		message[len] = '\0';
		if (says_ready(message))
			tell_ready(notify, main_pid);
	}
}

void notify_wait(struct notify *notify, int pidfd, pid_t main_pid, const uint64_t *signals)
{
	bool is_ended = false;

	while (notify->fd >= 0 && !is_ended) {
		struct pollfd fds[] = {{.fd = pidfd, .events = POLLIN}, {.fd = notify->fd, .events = POLLIN}};

		if (k_ppoll(fds, ARRAY_SIZE(fds), NULL, signals) < 0)
			continue;
		/* Asked before the last messages are taken, so that none is lost. */
		is_ended = fds[0].revents != 0;
		notify_serve(notify, main_pid);
	}
}

void notify_finish(struct notify *notify)
{
	struct pollfd barrier = {.fd = notify->barrier_fd};
	struct timespec timeout = {.tv_sec = BARRIER_TIMEOUT_S};

	if (notify->barrier_fd < 0)
		return;
	/* ppoll(2) counts timeout down over interruptions. */
	while (k_ppoll(&barrier, 1, &timeout, NULL) == -EINTR)
		;
	notify_close(notify);
}
