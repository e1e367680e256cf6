/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the cgroup that the record names, and reads its events. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "private.h"

int state_open_cgroup(const struct state_record *record)
{
	_cleanup_fd_ int mount_fd = -1;
	struct statfs statfs;
	int fd, r;

	if (str_is_empty(record->cgroup_mount) || str_is_empty(record->cgroup_path))
		return -ENOENT;
	mount_fd = k_openat(AT_FDCWD, record->cgroup_mount, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (mount_fd < 0)
		return mount_fd == -ENOENT ? -ENODEV : mount_fd;
	fd = path_open_beneath(mount_fd, record->cgroup_path + strspn(record->cgroup_path, "/"),
			       O_PATH | O_DIRECTORY, 0);
	if (fd != -ENOENT)
		return fd;
	r = k_fstatfs(mount_fd, &statfs);
	if (r < 0)
		return r;
	return statfs.f_type == CGROUP2_SUPER_MAGIC ? -ENOENT : -ENODEV;
}

int state_read_cgroup_event(const struct state_record *record, const char *key)
{
	_cleanup_fd_ int fd = state_open_cgroup(record);
	uint64_t value = 0;
	char events[256];
	struct stat stat;
	int r = fd < 0 ? fd : k_fstatat(fd, "", &stat, AT_EMPTY_PATH);

	/* The path may name another container's cgroup by now. */
	if (r >= 0 && record->cgroup_inode != 0 && stat.st_ino != record->cgroup_inode)
		return 0;
	if (r >= 0)
		r = io_read_small(fd, "cgroup.events", O_NOFOLLOW, events, sizeof events);
	/* ENODEV from io_read_small: the cgroup was removed after it was opened. */
	if (r == -ENOENT || (fd >= 0 && r == -ENODEV))
		return 0;
	if (r < 0)
		return r;
	return str_keyed_u64(events, key, &value) ? value == 1 : -EBADMSG;
}

int state_is_cgroup_empty(const struct state_record *record)
{
	_cleanup_fd_ int fd = state_open_cgroup(record);
	uint64_t is_populated = 1;
	char events[256];
	struct stat stat;
	int r = fd < 0 ? fd : k_fstatat(fd, "", &stat, AT_EMPTY_PATH);

	if (r < 0)
		return r;
	if (record->cgroup_inode == 0 || stat.st_ino != record->cgroup_inode)
		return 0;
	r = io_read_small(fd, "cgroup.events", O_NOFOLLOW, events, sizeof events);
	if (r < 0)
		return r;
	return str_keyed_u64(events, "populated", &is_populated) && is_populated == 0;
}
