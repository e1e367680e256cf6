/* SPDX-License-Identifier: Apache-2.0 */
/* Caches in the root directory: files that save work and can be made again at any time. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "private.h"

#define FILES_MAX 64

/* Whether the file is of this type, and only this user can have written it. */
static bool is_own(int fd, mode_t type)
{
	struct stat stat;

	return k_fstat(fd, &stat) == 0 && (stat.st_mode & S_IFMT) == type && stat.st_uid == geteuid() &&
	       (stat.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static int open_cache(int root_fd, const char *cache, bool is_creating)
{
	_cleanup_fd_ int fd = -1;
	char name[64];

	str_format(name, sizeof name, "@%s", cache);
	if (is_creating)
		k_mkdirat(root_fd, name, 0700);
	fd = k_openat(root_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	return is_own(fd, S_IFDIR) ? take_fd(&fd) : -EPERM;
}

int state_cache_read(int root_fd, const char *cache, const char *name, size_t max, struct buf *out)
{
	_cleanup_fd_ int dir_fd = open_cache(root_fd, cache, false), fd = -1;

	if (dir_fd < 0)
		return dir_fd;
	fd = k_openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	return is_own(fd, S_IFREG) ? io_read_fd(fd, max, out) : -EPERM;
}

/* Removes all files once there are FILES_MAX: it is not known which ones will be used again. */
static void limit_files(int dir_fd)
{
	_cleanup_state_names_ struct state_names names = {0};

	if (state_names_read(dir_fd, &names) < 0 || names.count < FILES_MAX)
		return;
	for (size_t i = 0; i < names.count; i++)
		k_unlinkat(dir_fd, names.names[i], 0);
}

void state_cache_write(int root_fd, const char *cache, const char *name, const void *data, size_t size)
{
	_cleanup_fd_ int dir_fd = open_cache(root_fd, cache, true);

	if (dir_fd < 0)
		return;
	limit_files(dir_fd);
	(void)!io_replace_file(dir_fd, name, data, size, 0600);
}
