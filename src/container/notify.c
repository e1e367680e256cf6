/* SPDX-License-Identifier: Apache-2.0 */
/* Forwards READY=1 from the container's program to the service manager. Process: run's parent, or start. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <tare/await.h>
#include <tare/notify.h>
#include <tare/sys.h>

#define NOTIFY_DIR "notify"
#define NOTIFY_NAME "notify.sock"
#define BARRIER_TIMEOUT_MS 30000
#define MESSAGES 3 /* READY=1, MAINPID=, BARRIER=1 */
#define MESSAGE_MAX 4096
#define SERVE_MAX 64 /* messages per call: a program that floods the socket must not block the caller */

/* The address in NOTIFY_SOCKET (sd_notify(3)). NULL if it is not set or not of a local socket. */
static const char *host_address(void)
{
	const char *name = getenv("NOTIFY_SOCKET");
	size_t len = name == NULL ? 0 : strlen(name);

	if (len < 2 || (name[0] != '/' && name[0] != '@'))
		return NULL;
	/* A longer path can be reached through a descriptor (socket_connect), a longer abstract name cannot. */
	return name[0] == '@' && len >= sizeof((struct sockaddr_un *)NULL)->sun_path ? NULL : name;
}

bool notify_is_wanted(void)
{
	return host_address() != NULL;
}

/*
 * The program may run as any user, so the modes permit every user. Outside of the container the state root
 * above keeps other users out.
 */
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
	/* A start that was killed before the container started may have left a socket. */
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
	fd_close(&notify->host_fd);
	fd_close(&notify->barrier_fd);
}

/* The length of the address limits an abstract name, not a NUL (unix(7)). */
static int connect_abstract(int fd, const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = strlen(name);

	memcpy(address.sun_path + 1, name + 1, len - 1);
	return k_connect(fd, &address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
}

/*
 * Connects to the service manager. The socket is non-blocking: a service manager that does not read must not
 * stop the parent from forwarding signals.
 */
static int open_host(void)
{
	_cleanup_fd_ int fd = k_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const char *name = host_address();
	int r;

	if (fd < 0)
		return fd;
	if (name == NULL)
		return -EINVAL;
	/* poll(2) reports whether the receiver's queue has room only for a connected socket. */
	r = name[0] == '@' ? connect_abstract(fd, name) : socket_connect(fd, name);
	return r < 0 ? r : take_fd(&fd);
}

/* Sends one datagram to the service manager, with a descriptor unless fd_to_pass is negative. */
static int send_host(const struct notify *notify, const char *text, int fd_to_pass)
{
	struct iovec vector = {.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
	union io_rights rights;
	ssize_t r;

	if (fd_to_pass >= 0)
		io_attach_fd(&message, &rights, fd_to_pass);
	do
		r = k_sendmsg(notify->host_fd, &message, MSG_NOSIGNAL);
	while (r == -EINTR);
	return r < 0 ? (int)r : 0;
}

/*
 * BARRIER=1 (sd_notify_barrier(3)): the service manager closes the descriptor. It reads messages in order, so
 * it has read the earlier ones by then.
 */
static int send_barrier(struct notify *notify)
{
	_cleanup_fd_ int read_fd = -1, write_fd = -1;
	int fds[2], r = k_pipe2(fds, O_CLOEXEC);

	if (r < 0)
		return r;
	read_fd = fds[0];
	write_fd = fds[1];
	r = send_host(notify, "BARRIER=1", write_fd);
	if (r >= 0)
		notify->barrier_fd = take_fd(&read_fd);
	return r;
}

static int send_next(struct notify *notify)
{
	char text[32];

	if (notify->sent == 0)
		return send_host(notify, "READY=1", -1);
	if (notify->sent == MESSAGES - 1)
		return send_barrier(notify);
	str_format(text, sizeof text, "MAINPID=%d", notify->main_pid);
	return send_host(notify, text, -1);
}

/* Sends as many of the messages as the queue has room for. */
static void send_pending(struct notify *notify)
{
	int r = 0;

	while (r >= 0 && notify->sent < MESSAGES) {
		r = send_next(notify);
		notify->sent += r >= 0;
	}
	if (r == -EAGAIN)
		return;
	if (r < 0)
		log_line(LOG_WARNING, "cannot notify the service manager: %s", ERRNO_TEXT(r));
	fd_close(&notify->host_fd);
}

static void forward_ready(struct notify *notify, pid_t main_pid)
{
	fd_close(&notify->fd);
	notify->main_pid = main_pid;
	notify->host_fd = open_host();
	if (notify->host_fd >= 0)
		send_pending(notify);
	else
		log_line(LOG_WARNING, "cannot notify the service manager: %s", ERRNO_TEXT(notify->host_fd));
}

/* A message is a list of assignments, one per line. */
static bool has_ready(const char *message)
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
	if (notify->host_fd >= 0)
		send_pending(notify);
	for (int i = 0; i < SERVE_MAX && notify->fd >= 0; i++) {
		char message[MESSAGE_MAX + 1];
		ssize_t len = k_read(notify->fd, message, MESSAGE_MAX);

		if (len == -EINTR)
			continue;
		if (len < 0)
			return;
		message[len] = '\0';
		if (has_ready(message))
			forward_ready(notify, main_pid);
	}
}

void notify_wait(struct notify *notify, int pidfd, pid_t main_pid, const uint64_t *signals)
{
	bool has_exited = false;

	while ((notify->fd >= 0 || notify->host_fd >= 0) && !has_exited) {
		struct pollfd fds[] = {{.fd = pidfd, .events = POLLIN},
				       {.fd = notify->fd, .events = POLLIN},
				       {.fd = notify->host_fd, .events = POLLOUT}};

		if (k_ppoll(fds, ARRAY_SIZE(fds), NULL, signals) < 0)
			continue;
		/* Read before the last messages, so that no message is lost. */
		has_exited = fds[0].revents != 0;
		notify_serve(notify, main_pid);
	}
}

void notify_finish(struct notify *notify)
{
	if (notify->host_fd >= 0)
		log_line(LOG_WARNING, "cannot notify the service manager: it did not read its messages");
	if (notify->barrier_fd >= 0) {
		_cleanup_fd_ int signal_fd = await_signals();
		const struct await await = {notify->barrier_fd, 0, -1, signal_fd, BARRIER_TIMEOUT_MS};

		(void)!await_any(&await);
	}
	notify_close(notify);
}
