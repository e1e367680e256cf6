/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes small files, and attaches descriptors to messages; without allocation. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <tare/base.h>

void io_attach_fd(struct msghdr *message, union io_rights *rights, int fd)
{
	struct cmsghdr *header;

	memset(rights, 0, sizeof *rights);
	message->msg_control = rights->data;
	message->msg_controllen = sizeof rights->data;
	header = CMSG_FIRSTHDR(message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(header), &fd, sizeof fd);
}

int io_write_all(int fd, const void *data, size_t size)
{
	const char *at = data;

	while (size > 0) {
		ssize_t written = k_write(fd, at, size);

		if (written == -EINTR)
			continue;
		if (written < 0)
			return (int)written;
		at += written;
		size -= (size_t)written;
	}
	return 0;
}

int io_read_small(int dir_fd, const char *path, int flags, char *buf, size_t size)
{
	_cleanup_fd_ int fd = k_openat(dir_fd, path, O_RDONLY | O_CLOEXEC | flags, 0);
	size_t len = 0;

	if (fd < 0)
		return fd;
	while (len < size) {
		ssize_t got = k_read(fd, buf + len, size - len);

		if (got == -EINTR)
			continue;
		if (got < 0)
			return (int)got;
		if (got == 0)
			break;
		len += (size_t)got;
	}
	if (len == size)
		return -EFBIG;
	buf[len] = '\0';
	return (int)len;
}

int io_write_file(int dir_fd, const char *path, const char *text, size_t len)
{
	_cleanup_fd_ int fd = k_openat(dir_fd, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0);
	ssize_t written;

	if (fd < 0)
		return fd;
	do
		written = k_write(fd, text, len);
	while (written == -EINTR);
	if (written < 0)
		return (int)written;
	return (size_t)written == len ? 0 : -EIO;
}
