/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the caller gets before COMMITTED: the terminal, the pidfd and the pid file. Process: the parent, as in
 * child.c.
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

static int write_pid_file(struct child *child, const char *path, struct err *err)
{
	char text[16];
	int len = str_format(text, sizeof text, "%d", child->pid), r;

	if (path == NULL)
		return 0;
	r = io_replace_file(AT_FDCWD, path, text, (size_t)len, 0644);
	if (r < 0)
		return err_system(err, r, "cannot write pid file '%s'", path);
	child->pid_file = path;
	return 0;
}

int parent_remove_pid_file(struct child *child, struct err *err)
{
	const char *path = child->pid_file;
	int r = path == NULL ? 0 : k_unlinkat(AT_FDCWD, path, 0);

	child->pid_file = NULL;
	return r < 0 && r != -ENOENT ? err_system(err, r, "cannot remove pid file '%s'", path) : 0;
}

void parent_copy_size(const struct child *child)
{
	struct winsize size;

	if (child->console_fd >= 0 && k_ioctl(0, TIOCGWINSZ, &size) >= 0)
		k_ioctl(child->console_fd, TIOCSWINSZ, &size);
}

/*
 * In the foreground the parent copies the program's output to standard output. If that is a terminal, it
 * translates line feeds, so the container's terminal must not do so as well (termios(3), ONLCR). A terminal
 * that is sent to the caller keeps the kernel's defaults.
 */
static int prepare_console(const struct child *child, struct err *err)
{
	struct termios modes;

	if (child->console_fd < 0)
		return 0;
	/* The program may read the size as soon as it runs. */
	parent_copy_size(child);
	if (tcgetattr(child->console_fd, &modes) < 0)
		return err_system(err, errno, "cannot read the modes of the container's terminal");
	modes.c_oflag &= ~(tcflag_t)ONLCR;
	if (tcsetattr(child->console_fd, TCSANOW, &modes) < 0)
		return err_system(err, errno, "cannot set the modes of the container's terminal");
	return 0;
}

int parent_announce(struct child *child, const struct common_options *o, const char *payload, struct err *err)
{
	int r;

	if (o->console_socket != NULL && child->console_fd >= 0) {
		r = socket_send_fd(&(struct socket_target){o->console_socket, "/dev/ptmx", child->signal_fd},
				   child->console_fd, err);
		if (r < 0)
			return r;
		fd_close(&child->console_fd);
	}
	r = prepare_console(child, err);
	if (r < 0)
		return r;
	if (o->pidfd_socket != NULL) {
		r = socket_send_fd(&(struct socket_target){o->pidfd_socket, payload, child->signal_fd},
				   child->pidfd, err);
		if (r < 0)
			return r;
	}
	return write_pid_file(child, o->pid_file, err);
}
