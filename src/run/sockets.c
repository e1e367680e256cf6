/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "parent.h"

int socket_send_fd(const char *path, const char *payload, int fd, struct err *err)
{
	_cleanup_fd_ int socket_fd = k_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	union {
		struct cmsghdr align;
		char data[CMSG_SPACE(sizeof fd)];
	} control = {.data = {0}};
	struct iovec vector = {.iov_base = (void *)(uintptr_t)payload, .iov_len = strlen(payload)};
	struct msghdr message = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = control.data,
		.msg_controllen = sizeof control.data,
	};
	struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
	ssize_t r;

	if (strlen(path) >= sizeof address.sun_path)
		return err_set(err, ERR_USAGE, ENAMETOOLONG, NULL, "cannot connect to socket '%s'", path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	r = socket_fd < 0 ? socket_fd : k_connect(socket_fd, &address, sizeof address);
	if (r < 0)
		return err_system(err, (int)r, "cannot connect to socket '%s'", path);
	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(rights), &fd, sizeof fd);
	while (vector.iov_len > 0) {
		r = k_sendmsg(socket_fd, &message, MSG_NOSIGNAL);
		if (r == -EINTR)
			continue;
		if (r < 0)
			return err_system(err, (int)r, "cannot send a descriptor over socket '%s'", path);
		/* The descriptor goes with the first bytes only. */
		message.msg_control = NULL;
		message.msg_controllen = 0;
		vector.iov_base = (char *)vector.iov_base + r;
		vector.iov_len -= (size_t)r;
	}
	return 0;
}
