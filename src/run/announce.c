/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that the caller was promised before init is let go. Process: the parent. */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "parent.h"

static int write_pid_file(struct parent *parent, const char *path, struct err *err)
{
	char text[16];
	int len = str_format(text, sizeof text, "%d", parent->pid), r;

	if (path == NULL)
		return 0;
	r = io_replace_file(AT_FDCWD, path, text, (size_t)len, 0644);
	if (r < 0)
		return err_system(err, r, "cannot write pid file '%s'", path);
	parent->has_pid_file = true;
	return 0;
}

void parent_copy_size(const struct parent *parent)
{
	struct winsize size;

	if (parent->console_fd >= 0 && k_ioctl(0, TIOCGWINSZ, &size) >= 0)
		k_ioctl(parent->console_fd, TIOCSWINSZ, &size);
}

int parent_announce(struct parent *parent, const struct parent_announcement *a, struct err *err)
{
	int r;

	if (a->console_socket != NULL && parent->console_fd >= 0) {
		r = socket_send_fd(&(struct socket_target){a->console_socket, "/dev/ptmx", parent->signal_fd},
				   parent->console_fd, err);
		if (r < 0)
			return r;
		fd_close(&parent->console_fd);
	}
	/* The program may ask for it as soon as it runs. */
	parent_copy_size(parent);
	if (a->pidfd_socket != NULL) {
		r = socket_send_fd(
			&(struct socket_target){a->pidfd_socket, a->pidfd_payload, parent->signal_fd},
			parent->pidfd, err);
		if (r < 0)
			return r;
	}
	return write_pid_file(parent, a->pid_file, err);
}
