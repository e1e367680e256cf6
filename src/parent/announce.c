/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the caller gets before COMMITTED: the terminal, the pidfd and the pid file. Process: the parent, as in
 * parent.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>

#include <tare/sys.h>

#include "steps.h"

/* Writing the pid file replaces what is at the path, which must not be /dev/stdout or a device node. */
int parent_check_pid_file(const char *path, struct err *err)
{
	struct stat stat;
	int r = path == NULL ? -ENOENT : k_fstatat(AT_FDCWD, path, &stat, AT_SYMLINK_NOFOLLOW);

	if (r == -ENOENT || (r >= 0 && S_ISREG(stat.st_mode)))
		return 0;
	if (r < 0)
		return err_system(err, r, "cannot inspect pid file '%s'", path);
	r = err_set(err, ERR_USAGE, 0, NULL, "cannot write pid file '%s': it exists and is not a regular file",
		    path);
	err_hint(err, "give the path of a new file, or of a regular file to replace");
	return r;
}

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

/*
 * In the foreground the parent copies the program's output to standard output. If that is a terminal, it
 * translates line feeds, so the container's terminal must not do so as well (termios(3), ONLCR). A terminal
 * that is sent to the caller keeps the kernel's defaults.
 */
static int prepare_console(const struct parent *parent, struct err *err)
{
	struct termios modes;

	if (parent->console_fd < 0)
		return 0;
	/* The program may read the size as soon as it runs. */
	parent_copy_size(parent);
	if (tcgetattr(parent->console_fd, &modes) < 0)
		return err_system(err, errno, "cannot read the modes of the container's terminal");
	modes.c_oflag &= ~(tcflag_t)ONLCR;
	if (tcsetattr(parent->console_fd, TCSANOW, &modes) < 0)
		return err_system(err, errno, "cannot set the modes of the container's terminal");
	return 0;
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
	r = prepare_console(parent, err);
	if (r < 0)
		return r;
	if (a->pidfd_socket != NULL) {
		r = socket_send_fd(
			&(struct socket_target){a->pidfd_socket, a->pidfd_payload, parent->signal_fd},
			parent->pidfd, err);
		if (r < 0)
			return r;
	}
	return write_pid_file(parent, a->pid_file, err);
}
