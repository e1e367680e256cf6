/* SPDX-License-Identifier: Apache-2.0 */
/* newuidmap(1) and newgidmap(1), which map what /etc/subuid and /etc/subgid permit. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <tare/host.h>
#include <tare/probe.h>

const char *probe_mapper_name(bool is_gid)
{
	return is_gid ? "newgidmap" : "newuidmap";
}

/* --- running it --- */

/* Only the first line: an error of tare is one line. */
static void read_error(int fd, char *ret, size_t size)
{
	_cleanup_buf_ struct buf text = {0};

	if (io_read_fd(fd, 1 << 16, &text) >= 0 && text.data != NULL)
		str_format(ret, size, "%.*s", (int)strcspn(text.data, "\n"), text.data);
}

int probe_mapper_run(char **args, char *ret_error, size_t size)
{
	_cleanup_fd_ int read_fd = -1, write_fd = -1;
	siginfo_t info = {0};
	int fds[2], r = k_pipe2(fds, O_CLOEXEC);
	pid_t child = -1, self = k_getpid();

	if (r >= 0) {
		read_fd = fds[0];
		write_fd = fds[1];
		child = fork();
	}
	if (child == 0) {
		child_die_with(self);
		(void)k_dup3(write_fd, 2, 0);
		execvp(args[0], args);
		_exit(127);
	}
	fd_close(&write_fd);
	if (child < 0)
		return -ECHILD;
	read_error(read_fd, ret_error, size);
	if (k_waitid(P_PID, child, &info, WEXITED) < 0)
		return -ECHILD;
	return info.si_code == CLD_EXITED && info.si_status == 0 ? 0 : info.si_status == 127 ? -ENOENT : -EPERM;
}

/* --- examining it --- */

/* capabilities(7), "File capabilities": the program gets the capability at execve(2). */
static bool has_file_capability(const char *path, int capability)
{
	struct vfs_ns_cap_data data;
	ssize_t len = getxattr(path, "security.capability", &data, sizeof data);

	return len >= (ssize_t)sizeof(struct vfs_cap_data) && (data.magic_etc & VFS_CAP_FLAGS_EFFECTIVE) != 0 &&
	       (data.data[0].permitted >> capability & 1) != 0;
}

static int unusable(struct err *err, const char *path, const char *why, const char *change)
{
	err_set(err, ERR_UNSUPPORTED, 0, NULL, "'%.200s' %s", path, why);
	err_hint(err, "%s", change);
	return -EPERM;
}

int probe_mapper_find(bool is_gid, char *ret_path, size_t size, struct err *err)
{
	const char *name = probe_mapper_name(is_gid);
	char path[4096];
	struct stat st;
	struct statvfs fs;
	int r;

	if (!host_find_program(name, path, sizeof path)) {
		err_set(err, ERR_UNSUPPORTED, 0, NULL, "%s is not installed", name);
		err_hint(err, "install the package uidmap or shadow-utils");
		return -ENOENT;
	}
	if (ret_path != NULL)
		str_format(ret_path, size, "%s", path);
	r = k_fstatat(AT_FDCWD, path, &st, 0);
	if (r < 0 || statvfs(path, &fs) < 0)
		return err_system(err, r < 0 ? r : -errno, "cannot examine '%.200s'", path);
	if (((st.st_mode & S_ISUID) == 0 || st.st_uid != 0) &&
	    !has_file_capability(path, is_gid ? CAP_SETGID : CAP_SETUID))
		return unusable(err, path, "is neither set-user-ID root nor has a file capability",
				"as root: chmod u+s on it, or install its package again");
	if ((fs.f_flag & ST_NOSUID) != 0)
		return unusable(err, path, "is on a file system that is mounted nosuid",
				"mount it without nosuid");
	if (k_prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		return unusable(err, path, "gets no rights, because no_new_privs is set for this process",
				"call tare without no_new_privs (systemd: NoNewPrivileges=no)");
	return 0;
}
