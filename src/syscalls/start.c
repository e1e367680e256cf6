/* SPDX-License-Identifier: Apache-2.0 */
/* The recorder as the process that starts it sees it. Process: the parent, as in src/parent/child.c. */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "recorder.h"

static int make_sockets(int control[2], int init[2], struct err *err)
{
	int on = 1, r = k_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control);

	if (r >= 0)
		r = k_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, init);
	if (r >= 0)
		r = k_setsockopt(init[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
	return r < 0 ? err_system(err, r, "cannot make the sockets of the recorder") : 0;
}

static int prepare(const struct syscalls_request *request, struct recorder *recorder, struct err *err)
{
	int r = output_open(request->file, &recorder->output, err);

	if (r >= 0 && request->kind == SECCOMP_OBSERVE_ALL)
		r = profile_read(request->file, &recorder->profile, err);
	return r;
}

int syscalls_start(const struct syscalls_request *request, struct syscalls_recorder *ret, int *ret_init_fd,
		   struct err *err)
{
	_cleanup_fd_ int control_fd = -1, init_fd = -1;
	struct recorder recorder = {.request = request, .output = OUTPUT_NONE, .listener_fd = -1};
	int control[2] = {-1, -1}, init[2] = {-1, -1};
	pid_t pid;
	int r = prepare(request, &recorder, err);

	if (r >= 0)
		r = make_sockets(control, init, err);
	recorder.control_fd = control[0];
	recorder.init_fd = init[0];
	control_fd = control[1];
	init_fd = init[1];
	if (r >= 0) {
		pid = fork();
		if (pid == 0) {
			fd_close(&control_fd);
			fd_close(&init_fd);
			recorder_main(&recorder);
		}
		r = pid < 0 ? err_system(err, errno, "cannot start the recorder") : 0;
	}
	if (r >= 0)
		*ret = (struct syscalls_recorder){take_fd(&control_fd), k_pidfd_open(pid, 0)};
	if (r >= 0)
		*ret_init_fd = take_fd(&init_fd);
	fd_close(&recorder.control_fd);
	fd_close(&recorder.init_fd);
	output_done(&recorder.output);
	profile_done(&recorder.profile);
	return r;
}

int syscalls_write_none(const char *id, const char *file, struct err *err)
{
	_cleanup_buf_ struct buf text = {0};
	struct output output;
	int r = output_open(file, &output, err);

	if (r < 0)
		return r;
	denied_print(id, &(struct calls){.rows = NULL}, &text);
	r = output_write(&output, &text);
	output_done(&output);
	return r < 0 ? err_system(err, r, "cannot write '%s'", file) : 0;
}

/*
 * If the recorder has exited without reading the request, the connection is reset: one call returns ECONNRESET,
 * and the next one what it has sent.
 */
static bool receive_result(int control_fd, int flags, struct recorder_result *ret)
{
	struct iovec vector = {.iov_base = ret, .iov_len = sizeof *ret};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
	bool was_reset = false;
	ssize_t size = 0;

	do {
		was_reset |= size == -ECONNRESET;
		size = k_recvmsg(control_fd, &message, flags);
	} while (size == -EINTR || (size == -ECONNRESET && !was_reset));
	return size == (ssize_t)sizeof *ret;
}

int syscalls_finish(struct syscalls_recorder *recorder, struct syscalls_kill *ret, struct err *err)
{
	char request = 0;
	struct iovec vector = {.iov_base = &request, .iov_len = 1};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
	struct recorder_result result;
	bool has_result;

	*ret = (struct syscalls_kill){.is_set = false};
	if (recorder->control_fd < 0)
		return 0;
	/* It sends its last result also without a request. */
	(void)!k_sendmsg(recorder->control_fd, &message, MSG_NOSIGNAL);
	has_result = receive_result(recorder->control_fd, 0, &result);
	fd_close(&recorder->control_fd);
	if (!has_result)
		return err_set(err, ERR_SYSTEM, 0, NULL, "the recorder of the system calls was killed");
	*ret = result.kill;
	return result.error < 0 ? err_system(err, result.error, "cannot write the recorded system calls") : 0;
}

/* The result of a program that has ended already stays for syscalls_finish. */
int syscalls_check(const struct syscalls_recorder *recorder, struct err *err)
{
	struct pollfd poll_fd = {.fd = recorder->control_fd, .events = POLLIN};
	struct timespec at_once = {0};
	struct recorder_result result;

	if (recorder->control_fd < 0 || k_ppoll(&poll_fd, 1, &at_once, NULL) <= 0 ||
	    !receive_result(recorder->control_fd, MSG_PEEK, &result) || !result.is_lost)
		return 0;
	err_set(err, ERR_SYSTEM, result.error, "/linux/seccomp", "cannot take the listener of the filter");
	if (result.error == -EPERM)
		err_hint(err,
			 "to record system calls of a program with another user id tare needs CAP_SYS_PTRACE");
	return result.error;
}

void syscalls_recorder_done(struct syscalls_recorder *recorder)
{
	fd_close(&recorder->control_fd);
	fd_close(&recorder->pidfd);
}
