/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define MESSAGE_MAGIC 0x74617265u

const char *protocol_step_name(enum protocol_step step)
{
	static const char *const names[STEP_COUNT] = {
		"none",     "failed",   "unshared", "born",      "mapped", "mounted", "hooked",
		"listener", "listened", "ready",    "committed", "start",  "exec",    "networked",
	};

	return step < STEP_COUNT ? names[step] : "unknown";
}

/* Whatever errno a filter has for it. */
static bool is_denied(ssize_t r)
{
	return r < 0 && r != -EPIPE && r != -ECONNRESET;
}

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
	/* Under a filter that knows of no sockets; one write(2) is one datagram, too. */
	if (is_denied(r) && fd_to_pass < 0)
		r = k_write(socket_fd, &message, sizeof message);
	return r < 0 ? (int)r : 0;
}

static int received_fd(struct msghdr *header)
{
	struct cmsghdr *rights = CMSG_FIRSTHDR(header);
	int fd;

	if (rights == NULL || rights->cmsg_level != SOL_SOCKET || rights->cmsg_type != SCM_RIGHTS ||
	    rights->cmsg_len != CMSG_LEN(sizeof fd))
		return -1;
	memcpy(&fd, CMSG_DATA(rights), sizeof fd);
	return fd;
}

/* The texts come from another process: they are strings only once they end. */
static void seal_err(struct err *err)
{
	err->where[sizeof err->where - 1] = '\0';
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
	union io_rights rights;
	struct msghdr header = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = rights.data,
		.msg_controllen = sizeof rights.data,
	};
	_cleanup_fd_ int fd = -1;
	ssize_t r;

	do
		r = k_recvmsg(socket_fd, &header, MSG_CMSG_CLOEXEC);
	while (r == -EINTR);
	if (is_denied(r) && ret_fd == NULL) {
		header.msg_controllen = 0;
		r = k_read(socket_fd, &message, sizeof message);
	}
	/* Also an empty message can carry one. */
	if (r >= 0)
		fd = received_fd(&header);
	if (r == 0 || r == -ECONNRESET)
		return err_set(err, ERR_PEER, EPIPE, NULL, "the other process ended before '%s'",
			       protocol_step_name(expected));
	if (r < 0)
		return err_system(err, (int)r, "cannot receive '%s'", protocol_step_name(expected));
	if (r != (ssize_t)sizeof message || message.magic != MESSAGE_MAGIC)
		return err_set(err, ERR_PEER, EPROTO, NULL, "a malformed message in the place of '%s'",
			       protocol_step_name(expected));
	if (message.step == STEP_FAILED) {
		seal_err(&message.err);
		*err = message.err;
		return err->errnum == 0 ? -EINVAL : -err->errnum;
	}
	if (message.step != expected)
		return err_set(err, ERR_PEER, EPROTO, NULL, "message '%s' in the place of '%s'",
			       protocol_step_name((enum protocol_step)message.step),
			       protocol_step_name(expected));
	if (ret_value != NULL)
		*ret_value = message.value;
	if (ret_fd != NULL)
		*ret_fd = take_fd(&fd);
	return 0;
}
