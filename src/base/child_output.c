/* SPDX-License-Identifier: Apache-2.0 */
/* The output of a program that a forked process executes. */
#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tare/base.h>

int child_read_output(int (*execute)(const void *context, int output_fd), const void *context, size_t max,
		      struct buf *ret)
{
	_cleanup_fd_ int read_fd = -1, write_fd = -1;
	siginfo_t info = {0};
	int fds[2], r = k_pipe2(fds, O_CLOEXEC);
	pid_t pid, self = k_getpid();

	if (r < 0)
		return r;
	read_fd = fds[0];
	write_fd = fds[1];
	pid = fork();
	if (pid == 0) {
		child_die_with(self);
		_exit(execute(context, write_fd));
	}
	if (pid < 0)
		return -errno;
	fd_close(&write_fd);
	r = io_read_fd(read_fd, max, ret);
	/* A program that still writes gets EPIPE. */
	fd_close(&read_fd);
	if (k_waitid(P_PID, pid, &info, WEXITED) < 0 || info.si_code != CLD_EXITED)
		return -EIO;
	return r < 0 ? r : info.si_status;
}
