/* SPDX-License-Identifier: Apache-2.0 */
/* Asks tare-doctor where cgroup2 is mounted. Process: the parent; the program is its child. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "private.h"

#define PROGRAM "tare-doctor"

bool host_is_cgroup2(const char *path, bool *ret_is_readonly)
{
	struct statfs fs;

	if (k_statfs(path, &fs) < 0 || fs.f_type != CGROUP2_SUPER_MAGIC)
		return false;
	if (ret_is_readonly != NULL)
		*ret_is_readonly = (fs.f_flags & ST_RDONLY) != 0;
	return true;
}

/*
 * Whether the mount table may have a cgroup2 at all: 1, 0 or -errno. The type follows " - " in its line, and no
 * other field can contain blanks (proc_pid_mountinfo(5)). A false 1 costs only the execution of the program.
 */
static int is_mounted(void)
{
	_cleanup_buf_ struct buf text = {0};
	int r = io_read_file(AT_FDCWD, "/proc/self/mountinfo", 16 << 20, &text);

	return r < 0 ? r : text.data != NULL && strstr(text.data, " - cgroup2 ") != NULL;
}

/* In the child. The program prints its error as one line of standard error, which is not the caller's. */
static int execute(const void *program, int output_fd)
{
	char *const args[] = {(char *)(uintptr_t)PROGRAM, (char *)(uintptr_t) "cgroup-mount", NULL};
	int null_fd = k_openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);

	(void)k_dup3(null_fd, 0, 0);
	(void)k_dup3(output_fd, 1, 0);
	(void)k_dup3(null_fd, 2, 0);
	return -k_execve(program, args, environ);
}

int host_search_cgroup2(struct host *host, struct err *err)
{
	_cleanup_buf_ struct buf output = {0};
	char program[HELPER_PATH_MAX];
	int r = is_mounted();

	if (r < 0)
		return err_system(err, r, "cannot read /proc/self/mountinfo");
	if (r == 0)
		return 0;
	helper_path(PROGRAM, program, sizeof program);
	r = child_read_output(execute, program, 4096, &output);
	/* The exit status is an errno: of execve(2), or of the program, which has no ENOENT. */
	if (r > 0)
		r = -r;
	if (r < 0) {
		err_system(err, r,
			   r == -ENOENT ? "cannot find the mount point of cgroup2: cannot execute '%.200s'"
					: "cannot find the mount point of cgroup2: '%.200s' has failed",
			   program);
		err_hint(err, "%smount cgroup2 on /sys/fs/cgroup",
			 r == -ENOENT ? "install " PROGRAM " beside tare, or " : "");
		return r;
	}
	if (output.len == 0)
		return 0;
	output.data[strcspn(output.data, "\n")] = '\0';
	if (strlen(output.data) >= sizeof host->cgroup_mount) {
		err_set(err, ERR_UNSUPPORTED, 0, NULL,
			"cannot use cgroup2 at '%.200s': the path has more than %zu bytes", output.data,
			sizeof host->cgroup_mount - 1);
		err_hint(err, "mount cgroup2 on /sys/fs/cgroup");
		return -EINVAL;
	}
	if (!host_is_cgroup2(output.data, &host->is_cgroup_readonly))
		return err_set(err, ERR_UNSUPPORTED, 0, NULL,
			       "cannot use cgroup2 at '%.200s': it is not mounted there any more", output.data);
	str_format(host->cgroup_mount, sizeof host->cgroup_mount, "%s", output.data);
	return 0;
}
