/* SPDX-License-Identifier: Apache-2.0 */
/* Opens cgroups as directories and reads their events (cgroup-v2.rst of the kernel's documentation). */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <string.h>
#include <sys/statfs.h>
#include <time.h>

#include "file.h"

/* --- paths --- */

int cgroup_path_init(struct cgroup_path *ret_path, const char *path)
{
	struct cgroup_path copy = {.len = 0};

	if (path[0] != '/')
		return -EINVAL;
	while (*path != '\0') {
		size_t len = strcspn(path, "/");

		if ((len == 1 && path[0] == '.') || (len == 2 && path[0] == '.' && path[1] == '.'))
			return -EINVAL;
		if (copy.len + len + 2 > sizeof copy.text)
			return -ENAMETOOLONG;
		if (len > 0 && copy.len > 0)
			copy.text[copy.len++] = '/';
		memcpy(copy.text + copy.len, path, len);
		copy.len += len;
		path += len + (path[len] == '/' ? 1 : 0);
	}
	copy.text[copy.len] = '\0';
	*ret_path = copy;
	return 0;
}

const char *cgroup_path_pop(struct cgroup_path *path)
{
	size_t at = path->len;

	if (at == 0)
		return NULL;
	while (at > 0 && path->text[at - 1] != '/')
		at--;
	path->len = at > 0 ? at - 1 : 0;
	path->text[path->len] = at > 0 ? '\0' : path->text[0];
	return path->text + at;
}

int cgroup_path_open(int mount_fd, const struct cgroup_path *path, int flags)
{
	char text[sizeof path->text];

	if (path->len == 0)
		return path_open_beneath(mount_fd, ".", (uint64_t)(O_DIRECTORY | flags), 0);
	memcpy(text, path->text, path->len);
	text[path->len] = '\0';
	return path_open_beneath(mount_fd, text, (uint64_t)(O_DIRECTORY | flags), 0);
}

/* --- time --- */

void cgroup_sleep(struct cgroup_pause *pause)
{
	struct timespec time = {0};

	pause->microseconds = pause->microseconds == 0 ? 100 : pause->microseconds * 2;
	if (pause->microseconds > 50000)
		pause->microseconds = 50000;
	time.tv_nsec = (long)pause->microseconds * 1000;
	k_ppoll(NULL, 0, &time, NULL);
}

/* --- cgroup.events --- */

int cgroup_event_now(int cgroup_fd, const char *key)
{
	_cleanup_fd_ int fd = cgroup_open_events(cgroup_fd);

	return fd < 0 ? fd : cgroup_read_event(fd, key);
}

int cgroup_is_populated_without_events(int cgroup_fd)
{
	int r = k_faccessat2(cgroup_fd, "cgroup.procs", 0 /* F_OK */, AT_SYMLINK_NOFOLLOW);

	if (r >= 0)
		return 1;
	return is_gone(r) ? 0 : r;
}

int cgroup_is_populated(int cgroup_fd)
{
	int r = cgroup_event_now(cgroup_fd, "populated");

	return is_gone(r) ? cgroup_is_populated_without_events(cgroup_fd) : r;
}

int cgroup_is_frozen(int cgroup_fd)
{
	int r = cgroup_event_now(cgroup_fd, "frozen");

	return is_gone(r) ? 0 : r;
}

void cgroup_events_wait(int events_fd, int64_t ms)
{
	struct pollfd poll = {.fd = events_fd, .events = POLLPRI};
	struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	k_ppoll(&poll, 1, &time, NULL);
}

/* --- opening --- */

int cgroup_open_mount(const char *mount_point, struct err *err)
{
	_cleanup_fd_ int fd = k_openat(AT_FDCWD, mount_point, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	struct statfs statfs;
	int r;

	if (fd < 0)
		return err_system(err, fd, "cannot open cgroup mount '%s'", mount_point);
	r = k_fstatfs(fd, &statfs);
	if (r < 0)
		return err_system(err, r, "cannot inspect cgroup mount '%s'", mount_point);
	if (statfs.f_type != CGROUP2_SUPER_MAGIC)
		return err_set(err, ERR_UNSUPPORTED, ENODEV, NULL,
			       "cannot use '%s' as cgroup mount: not cgroup2", mount_point);
	return take_fd(&fd);
}

int cgroup_open(int mount_fd, const char *path, struct err *err)
{
	struct cgroup_path at;
	int r = cgroup_path_init(&at, path);

	if (r == 0)
		r = cgroup_path_open(mount_fd, &at, O_RDONLY);
	return r < 0 ? err_system(err, r, "cannot open cgroup '%s'", path) : r;
}

int cgroup_open_existing(int mount_fd, struct cgroup_path *at)
{
	for (;;) {
		int fd = cgroup_path_open(mount_fd, at, O_PATH);

		if (fd != -ENOENT || at->len == 0)
			return fd;
		cgroup_path_pop(at);
	}
}
