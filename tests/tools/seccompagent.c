/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccompagent SOCKET DIR [DENY|none]: a seccomp agent that listens at SOCKET. For connection N, counted from
 * 0, it writes the message to DIR/state.N, and the number of descriptors of each part of it to DIR/fds.N. Then
 * it answers the listener's notifications until no process has the filter: the call with the number DENY fails
 * with errno 42, and every other call continues. DIR/calls gets a line "PID NUMBER" for each. With "none"
 * instead of DENY it closes every listener at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char *dir;

static FILE *open_file(const char *name, int number)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s.%d", dir, name, number);
	file = fopen(path, "w");
	if (file == NULL)
		exit(2);
	return file;
}

/* Reads the connection to its end. Returns the last descriptor that was sent, or -1. */
static int receive(int socket_fd, int number)
{
	FILE *state = open_file("state.part", number), *fds = open_file("fds", number);
	int listener = -1;
	char from[256], to[256];

	for (;;) {
		char text[64], control[CMSG_SPACE(8 * sizeof(int))];
		struct iovec vector = {text, sizeof text};
		struct msghdr message = {.msg_iov = &vector,
					 .msg_iovlen = 1,
					 .msg_control = control,
					 .msg_controllen = sizeof control};
		ssize_t len = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC);
		struct cmsghdr *rights = len > 0 ? CMSG_FIRSTHDR(&message) : NULL;

		if (len <= 0)
			break;
		fwrite(text, 1, (size_t)len, state);
		if (rights != NULL) {
			fprintf(fds, "%zu\n", (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int));
			memcpy(&listener, CMSG_DATA(rights), sizeof listener);
		}
	}
	fclose(fds);
	fclose(state);
	/* A test that waits for the file must find it complete. */
	snprintf(from, sizeof from, "%s/state.part.%d", dir, number);
	snprintf(to, sizeof to, "%s/state.%d", dir, number);
	rename(from, to);
	return listener;
}

static void answer(int listener, int deny)
{
	char path[256];
	FILE *calls;

	snprintf(path, sizeof path, "%s/calls", dir);
	calls = fopen(path, "a");
	for (;;) {
		struct seccomp_notif call;
		struct seccomp_notif_resp response;
		struct pollfd poll_fd = {.fd = listener, .events = POLLIN};

		/* POLLHUP: no process has the filter. */
		if (poll(&poll_fd, 1, -1) < 0 || (poll_fd.revents & POLLIN) == 0)
			break;
		memset(&call, 0, sizeof call);
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
			continue;
		fprintf(calls, "%d %d\n", call.pid, call.data.nr);
		fflush(calls);
		memset(&response, 0, sizeof response);
		response.id = call.id;
		if (call.data.nr == deny)
			response.error = -42;
		else
			response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
	}
	fclose(calls);
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (argc < 3)
		return 2;
	dir = argv[2];
	signal(SIGCHLD, SIG_IGN);
	strncpy(address.sun_path, argv[1], sizeof address.sun_path - 1);
	if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 8) < 0)
		return 2;
	for (int number = 0;; number++) {
		int socket_fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC), listener;

		if (socket_fd < 0)
			return 2;
		listener = receive(socket_fd, number);
		close(socket_fd);
		if (listener >= 0 && !(argc > 3 && strcmp(argv[3], "none") == 0) && fork() == 0) {
			answer(listener, argc > 3 ? atoi(argv[3]) : -1);
			_exit(0);
		}
		if (listener >= 0)
			close(listener);
	}
}
