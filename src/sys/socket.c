/* SPDX-License-Identifier: Apache-2.0 */
/* Sends descriptors to sockets of engines: the console's master and seccomp listeners. Process: the parent. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <tare/await.h>
#include <tare/sys.h>

#define TIMEOUT_MS 10000 /* for a peer that does not accept the connection, or does not read */
#define PAUSE_MS 20

/*
 * Waits before the next attempt: up to PAUSE_MS, or until fd is writable. If the peer's queue of connections is
 * full (EAGAIN), no event shows that there is room again, so connect(2) is repeated; fd is -1 then.
 */
static int wait_for_retry(int fd, int signal_fd, int *left_ms, struct err *err)
{
	const struct await await = {fd, POLLOUT, -1, signal_fd, PAUSE_MS};
	int r = await_any(&await);

	*left_ms -= PAUSE_MS;
	if (r > 0 && (r & AWAIT_SIGNAL) != 0)
		return await_interrupted(signal_fd, err);
	return 0;
}

/*
 * sun_path has room for 107 bytes (unix(7)), and many paths are longer. The name of a descriptor of the socket
 * in /proc/self/fd (proc_pid_fd(5)) always fits.
 */
int socket_connect(int socket_fd, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_fd_ int path_fd = -1;

	if (strlen(path) < sizeof address.sun_path) {
		memcpy(address.sun_path, path, strlen(path) + 1);
		return k_connect(socket_fd, &address, sizeof address);
	}
	path_fd = k_openat(AT_FDCWD, path, O_PATH | O_CLOEXEC, 0);
	if (path_fd < 0)
		return path_fd;
	str_format(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d", path_fd);
	return k_connect(socket_fd, &address, sizeof address);
}

static int connect_within(int socket_fd, const struct socket_target *target, int *left_ms, struct err *err)
{
	int r = socket_fd < 0 ? socket_fd : socket_connect(socket_fd, target->path);

	while (r == -EAGAIN && *left_ms > 0) {
		r = wait_for_retry(-1, target->signal_fd, left_ms, err);
		if (r < 0)
			return r;
		r = socket_connect(socket_fd, target->path);
	}
	if (r == -EAGAIN)
		r = -ETIMEDOUT;
	return r < 0 ? err_system(err, r, "cannot connect to socket '%s'", target->path) : 0;
}

int socket_send_fd(const struct socket_target *target, int fd, struct err *err)
{
	_cleanup_fd_ int socket_fd = k_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	union io_rights rights;
	struct iovec vector = {.iov_base = (void *)(uintptr_t)target->payload,
			       .iov_len = strlen(target->payload)};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
	int left_ms = TIMEOUT_MS;
	ssize_t r;

	r = connect_within(socket_fd, target, &left_ms, err);
	if (r < 0)
		return (int)r;
	io_attach_fd(&message, &rights, fd);
	while (vector.iov_len > 0) {
		r = k_sendmsg(socket_fd, &message, MSG_NOSIGNAL);
		if (r == -EINTR)
			continue;
		if (r == -EAGAIN && left_ms > 0) {
			r = wait_for_retry(socket_fd, target->signal_fd, &left_ms, err);
			if (r < 0)
				return (int)r;
			continue;
		}
		if (r < 0)
			return err_system(err, r == -EAGAIN ? -ETIMEDOUT : (int)r,
					  "cannot send a descriptor over socket '%s'", target->path);
		/* The descriptor was sent with the first bytes. */
		message.msg_control = NULL;
		message.msg_controllen = 0;
		vector.iov_base = (char *)vector.iov_base + r;
		vector.iov_len -= (size_t)r;
	}
	return 0;
}
