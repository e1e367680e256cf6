/* SPDX-License-Identifier: Apache-2.0 */
/* Sends and receives the messages between parent, bridge, init and starter. Process: each of them. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <tare/protocol.h>

#define MESSAGE_MAGIC 0x74617265u

const char *protocol_step_name(enum protocol_step step)
{
	static const char *const names[STEP_COUNT] = {
		[STEP_NONE] = "none",
		[STEP_FAILED] = "failed",
		[STEP_UNSHARED] = "unshared",
		[STEP_INIT_STARTED] = "init-started",
		[STEP_MAPPED] = "mapped",
		[STEP_MOUNTED] = "mounted",
		[STEP_HOOKS_DONE] = "hooks-done",
		[STEP_LISTENER] = "listener",
		[STEP_LISTENER_SENT] = "listener-sent",
		[STEP_READY] = "ready",
		[STEP_COMMITTED] = "committed",
		[STEP_START] = "start",
		[STEP_EXEC] = "exec",
		[STEP_NETDEVS_MOVED] = "netdevs-moved",
		[STEP_LISTENER_TAKEN] = "listener-taken",
		[STEP_LISTENER_CLOSED] = "listener-closed",
		[STEP_PROC_REFUSED] = "proc-refused",
		[STEP_PROC_MADE] = "proc-made",
	};

	return step < STEP_COUNT ? names[step] : "unknown";
}

/*
 * Whether a seccomp filter may have denied the call: it can choose any errno. If it chooses 0, the call returns
 * 0 and has no effect (seccomp(2)); the callers check for that.
 */
static bool is_denied(ssize_t r)
{
	return r < 0 && r != -EPIPE && r != -ECONNRESET;
}

#define FLAGS_UNSET (-1) /* value of msg_flags as long as the kernel has not written it */

int protocol_send(int socket_fd, enum protocol_step step, int64_t value, const struct err *sent, int fd_to_pass)
{
	struct protocol_message message;
	struct iovec vector = {.iov_base = &message, .iov_len = sizeof message};
	struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1};
	union io_rights rights;
	ssize_t r;

	memset(&message, 0, sizeof message);
	message.magic = MESSAGE_MAGIC;
	message.step = step;
	message.value = value;
	if (sent != NULL)
		message.err = *sent;
	if (fd_to_pass >= 0)
		io_attach_fd(&header, &rights, fd_to_pass);
	do
		r = k_sendmsg(socket_fd, &header, MSG_NOSIGNAL);
	while (r == -EINTR);
	/* A filter that denies sendmsg(2) may allow write(2), which sends one datagram for each call, too. */
	if ((r == 0 || is_denied(r)) && fd_to_pass < 0)
		r = k_write(socket_fd, &message, sizeof message);
	if (r < 0)
		return (int)r;
	return r == (ssize_t)sizeof message ? 0 : -EIO;
}

union control {
	struct cmsghdr align;
	char data[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int))];
};

struct received {
	int fd;
	struct ucred sender; /* zero unless the socket has SO_PASSCRED (unix(7)) */
};

/* The buffer may have room for more than one descriptor: keeps the first one and closes the others. */
static void receive_fds(const char *at, size_t len, int *ret_fd)
{
	int fd;

	for (; len >= sizeof fd; at += sizeof fd, len -= sizeof fd) {
		memcpy(&fd, at, sizeof fd);
		if (*ret_fd < 0)
			*ret_fd = fd;
		else
			k_close(fd);
	}
}

static void read_control(const struct msghdr *header, struct received *ret)
{
	const char *at = header->msg_control, *end = at + header->msg_controllen;
	struct cmsghdr head;

	for (; at + sizeof head <= end; at += CMSG_ALIGN(head.cmsg_len)) {
		memcpy(&head, at, sizeof head);
		if (head.cmsg_len < sizeof head || head.cmsg_len > (size_t)(end - at))
			return;
		if (head.cmsg_level != SOL_SOCKET)
			continue;
		if (head.cmsg_type == SCM_RIGHTS)
			receive_fds(at + CMSG_LEN(0), head.cmsg_len - CMSG_LEN(0), &ret->fd);
		else if (head.cmsg_type == SCM_CREDENTIALS && head.cmsg_len == CMSG_LEN(sizeof ret->sender))
			memcpy(&ret->sender, at + CMSG_LEN(0), sizeof ret->sender);
	}
}

/* The error comes from another process: its texts may lack a NUL, and its errno may be out of range. */
static void sanitize_err(struct err *err)
{
	err->json_pointer[sizeof err->json_pointer - 1] = '\0';
	err->msg[sizeof err->msg - 1] = '\0';
	err->hint[sizeof err->hint - 1] = '\0';
	if (err->errnum < 0 || err->errnum > 4095)
		err->errnum = EPROTO;
}

int protocol_expect(int socket_fd, enum protocol_step expected, int64_t *ret_value, int *ret_fd,
		    struct err *err)
{
	struct protocol_message message;
	struct iovec vector = {.iov_base = &message, .iov_len = sizeof message};
	union control control;
	struct msghdr header = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = control.data,
		.msg_controllen = sizeof control.data,
		.msg_flags = FLAGS_UNSET,
	};
	struct received received = {.fd = -1};
	_cleanup_fd_ int fd = -1;
	bool was_reset = false, is_request;
	ssize_t r = 0;

	/*
	 * If the peer exited with unread data, the connection is reset: one call returns ECONNRESET, and the
	 * next ones still return what the peer sent.
	 */
	do {
		was_reset |= r == -ECONNRESET;
		r = k_recvmsg(socket_fd, &header, MSG_CMSG_CLOEXEC);
	} while (r == -EINTR || (r == -ECONNRESET && !was_reset));
	if (r >= 0 && header.msg_flags == FLAGS_UNSET)
		r = -EIO;
	if (is_denied(r) && ret_fd == NULL) {
		header.msg_controllen = 0;
		r = k_read(socket_fd, &message, sizeof message);
	}
	/* A message without data can carry a descriptor, too. */
	if (r >= 0)
		read_control(&header, &received);
	fd = received.fd;
	if (r == 0 || r == -ECONNRESET)
		return err_set(err, ERR_PEER, EPIPE, NULL, "the other process exited before it sent '%s'",
			       protocol_step_name(expected));
	if (r < 0)
		return err_system(err, (int)r, "cannot receive '%s'", protocol_step_name(expected));
	if (r != (ssize_t)sizeof message || message.magic != MESSAGE_MAGIC)
		return err_set(err, ERR_PEER, EPROTO, NULL, "a malformed message arrived instead of '%s'",
			       protocol_step_name(expected));
	if (message.step == STEP_FAILED) {
		sanitize_err(&message.err);
		*err = message.err;
		return err->errnum == 0 ? -EINVAL : -err->errnum;
	}
	is_request = message.step == STEP_PROC_REFUSED && ret_value != NULL && ret_fd != NULL;
	if (message.step != expected && !is_request)
		return err_set(err, ERR_PEER, EPROTO, NULL, "message '%s' arrived instead of '%s'",
			       protocol_step_name((enum protocol_step)message.step),
			       protocol_step_name(expected));
	if (expected == STEP_READY) {
		sanitize_err(&message.err);
		*err = message.err;
	}
	if (ret_value != NULL)
		*ret_value = expected == STEP_INIT_STARTED ? received.sender.pid : message.value;
	if (ret_fd != NULL)
		*ret_fd = take_fd(&fd);
	return is_request ? -EAGAIN : 0;
}
