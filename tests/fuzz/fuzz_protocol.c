/* SPDX-License-Identifier: Apache-2.0 */
/* Any datagrams from a peer, with and without a descriptor. The first byte selects the expected step. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <tare/protocol.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void send_raw(int fd, const uint8_t *data, size_t size, int fd_to_pass)
{
	struct iovec vector = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
	struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1};
	union {
		struct cmsghdr align;
		char data[CMSG_SPACE(sizeof fd_to_pass)];
	} control = {.data = {0}};
	struct cmsghdr *rights;

	if (fd_to_pass >= 0) {
		header.msg_control = control.data;
		header.msg_controllen = sizeof control.data;
		rights = CMSG_FIRSTHDR(&header);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(sizeof fd_to_pass);
		memcpy(CMSG_DATA(rights), &fd_to_pass, sizeof fd_to_pass);
	}
	if (sendmsg(fd, &header, MSG_NOSIGNAL) < 0 && errno != EMSGSIZE)
		abort();
}

static void expect(int fd, const uint8_t *data, bool is_wanting_fd)
{
	enum protocol_step step = (enum protocol_step)(data[0] % STEP_COUNT);
	struct err err = {0};
	int64_t value = 0;
	int passed = -1, r;

	r = protocol_expect(fd, step, &value, is_wanting_fd ? &passed : NULL, &err);
	if (r > 0 || (r < 0 && passed >= 0))
		abort();
	/* These texts are printed, so they must end within their arrays. */
	if (r < 0 &&
	    (strlen(err.msg) >= sizeof err.msg || strlen(err.json_pointer) >= sizeof err.json_pointer ||
	     strlen(err.hint) >= sizeof err.hint))
		abort();
	fd_close(&passed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int null_fd = -1;
	int fds[2], again;

	if (size < 2)
		return 0;
	if (null_fd < 0)
		null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null_fd < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		abort();
	send_raw(fds[0], data + 2, size - 2, data[1] & 1 ? null_fd : -1);
	close(fds[0]);
	expect(fds[1], data, data[1] & 2);
	close(fds[1]);
	/* No descriptor of the message stays open. */
	again = dup(null_fd);
	if (again != (fds[0] < fds[1] ? fds[0] : fds[1]))
		abort();
	close(again);
	return 0;
}
