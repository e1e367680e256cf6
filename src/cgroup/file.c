/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include <tare/cgroup.h>

#define REMOVE_TIMEOUT_MS 10000
#define DEPTH_MAX 64 /* of cgroups below the container's that are looked at */

static const char *relative(const char *path)
{
	while (*path == '/')
		path++;
	return *path == '\0' ? "." : path;
}

int cgroup_open_mount(const char *mount_point, struct err *err)
{
	_cleanup_fd_ int fd = k_openat(AT_FDCWD, mount_point, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	struct statfs fs;
	int r = fd < 0 ? fd : k_fstatfs(fd, &fs);

	if (r < 0)
		return err_system(err, r, "cannot open the cgroup2 mount '%s'", mount_point);
	if (fs.f_type != CGROUP2_SUPER_MAGIC)
		return err_set(err, ERR_UNSUPPORTED, 0, NULL, "'%s' is not a cgroup2 mount", mount_point);
	return take_fd(&fd);
}

int cgroup_open(int mount_fd, const char *path, struct err *err)
{
	int fd = path_open_beneath(mount_fd, relative(path), O_RDONLY | O_DIRECTORY, 0);

	return fd < 0 ? err_system(err, fd, "cannot open cgroup '%s'", path) : fd;
}

/* One "key value" line of a flat-keyed file (cgroup-v2.rst). */
static int read_key(int cgroup_fd, const char *file, const char *key)
{
	char text[512], *line, *rest = NULL;
	int r = io_read_small(cgroup_fd, file, O_NOFOLLOW, text, sizeof text);

	if (r < 0)
		return r;
	for (line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
		size_t len = strlen(key);

		if (strncmp(line, key, len) == 0 && line[len] == ' ')
			return atoi(line + len + 1);
	}
	return -ENOENT;
}

int cgroup_is_populated(int cgroup_fd)
{
	return read_key(cgroup_fd, "cgroup.events", "populated");
}

/* --- create --- */

static int check_fit(int cgroup_fd, const char *path, struct err *err)
{
	_cleanup_free_ pid_t *pids = NULL;
	int count;

	if (read_key(cgroup_fd, "cgroup.events", "frozen") == 1)
		return err_set(err, ERR_STATE, 0, NULL, "container's cgroup unexpectedly frozen: '%s'", path);
	if (cgroup_is_populated(cgroup_fd) != 1)
		return 0;
	count = cgroup_pids(cgroup_fd, &pids, err);
	return err_set(err, ERR_STATE, 0, NULL, "container's cgroup is not empty: %d process(es) found",
		       count < 0 ? 0 : count);
}

static void remove_empty(int mount_fd, const char *path, unsigned int created)
{
	_cleanup_free_ char *copy = mem_dup(relative(path));

	for (; created > 0 && copy[0] != '\0'; created--) {
		char *slash = strrchr(copy, '/');

		if (k_unlinkat(mount_fd, copy, AT_REMOVEDIR) < 0)
			return;
		if (slash == NULL)
			return;
		*slash = '\0';
	}
}

int cgroup_create(int mount_fd, const char *path, unsigned int *ret_created, struct err *err)
{
	_cleanup_fd_ int fd = path_open_beneath(mount_fd, ".", O_RDONLY | O_DIRECTORY, 0);
	const char *at = relative(path);
	unsigned int created = 0;
	int r = fd < 0 ? fd : 0;

	*ret_created = 0;
	while (r >= 0 && *at != '\0') {
		char name[256];
		size_t len = strcspn(at, "/");

		r = len >= sizeof name ? -ENAMETOOLONG : 0;
		if (r < 0)
			break;
		memcpy(name, at, len);
		name[len] = '\0';
		r = k_mkdirat(fd, name, 0755);
		created += r >= 0;
		if (r >= 0 || r == -EEXIST) {
			int next = path_open_beneath(fd, name, O_RDONLY | O_DIRECTORY, 0);

			fd_close(&fd);
			fd = next;
			r = next < 0 ? next : 0;
		}
		at += len;
		at += strspn(at, "/");
	}
	if (r < 0) {
		r = err_system(err, r, "cannot make cgroup '%s'", path);
		if (r == -EACCES || r == -EPERM || r == -EROFS)
			err_hint(err, "the cgroup2 mount has to be writable for the caller");
	} else if (created == 0) {
		r = check_fit(fd, path, err);
	}
	if (r < 0) {
		remove_empty(mount_fd, path, created);
		return r;
	}
	*ret_created = created;
	return take_fd(&fd);
}

/* --- the tree below --- */

/* Calls visit for each cgroup below, children before their parents, then for the one itself. */
struct visit {
	int (*on_cgroup)(void *context, int parent_fd, const char *name, int fd);
	void *context;
};

static int visit_tree(const struct visit *visit, int parent_fd, const char *name, int depth)
{
	int fd = path_open_beneath(parent_fd, name, O_RDONLY | O_DIRECTORY, 0), r = 0;
	struct dirent *entry;
	DIR *dir;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	dir = fdopendir(fd);
	if (dir == NULL || depth > DEPTH_MAX) {
		if (dir != NULL)
			closedir(dir);
		else
			k_close(fd);
		return -ELOOP;
	}
	while (r >= 0 && (entry = readdir(dir)) != NULL)
		if (entry->d_type == DT_DIR && !str_equal(entry->d_name, ".") &&
		    !str_equal(entry->d_name, ".."))
			r = visit_tree(visit, dirfd(dir), entry->d_name, depth + 1);
	if (r >= 0)
		r = visit->on_cgroup(visit->context, parent_fd, name, dirfd(dir));
	closedir(dir);
	return r;
}

/* --- pids --- */

struct pid_list {
	pid_t *v;
	size_t count, cap;
};

static int on_pids(void *context, int parent_fd, const char *name, int fd)
{
	_cleanup_fd_ int procs_fd = path_open_beneath(fd, "cgroup.procs", O_RDONLY, 0);
	struct pid_list *list = context;
	_cleanup_buf_ struct buf text = {0};
	char *line, *rest = NULL;
	int r = procs_fd < 0 ? procs_fd : io_read_fd(procs_fd, 16 << 20, &text);

	(void)parent_fd;
	(void)name;
	if (r == -ENOENT || r == -ENODEV || r == -EOPNOTSUPP)
		return 0;
	if (r < 0)
		return r;
	for (line = strtok_r(text.data, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
		if (list->count == list->cap) {
			list->cap = list->cap * 2 + 16;
			list->v = mem_resize(list->v, list->cap * sizeof *list->v);
		}
		list->v[list->count++] = atoi(line);
	}
	return 0;
}

static int compare_pids(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

int cgroup_pids(int cgroup_fd, pid_t **ret_pids, struct err *err)
{
	struct pid_list list = {0};
	struct visit visit = {on_pids, &list};
	int r = visit_tree(&visit, cgroup_fd, ".", 0);

	if (r < 0) {
		mem_free(&list.v);
		return err_system(err, r, "cannot list the processes of the cgroup");
	}
	if (list.count > 0)
		qsort(list.v, list.count, sizeof *list.v, compare_pids);
	*ret_pids = list.v;
	return (int)list.count;
}

/* --- kill --- */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int cgroup_kill(int cgroup_fd, int timeout_ms, struct err *err)
{
	_cleanup_fd_ int events_fd = path_open_beneath(cgroup_fd, "cgroup.events", O_RDONLY, 0);
	int64_t deadline = now_ms() + timeout_ms;
	int r;

	if (events_fd < 0)
		return events_fd == -ENOENT ? 0 : err_system(err, events_fd, "cannot watch the cgroup");
	if (cgroup_is_populated(cgroup_fd) == 0)
		return 0;
	r = io_write_file(cgroup_fd, "cgroup.kill", "1", 1);
	if (r < 0 && r != -ENODEV && r != -ENOENT)
		return err_system(err, r, "cannot kill the processes of the cgroup");
	while (cgroup_is_populated(cgroup_fd) == 1) {
		struct pollfd poll_fd = {.fd = events_fd, .events = POLLPRI};
		int64_t left = deadline - now_ms();
		/* The file's change is the signal; the bound is for one that came between the two looks. */
		struct timespec pause = {.tv_nsec = 20000000};

		if (left <= 0)
			return err_system(err, ETIMEDOUT, "cannot end the processes of the cgroup");
		k_ppoll(&poll_fd, 1, &pause, NULL);
	}
	return 0;
}

/* --- remove --- */

static int on_remove(void *context, int parent_fd, const char *name, int fd)
{
	int64_t deadline = *(const int64_t *)context;
	int64_t pause_ms = 1;
	int r;

	(void)fd;
	while ((r = k_unlinkat(parent_fd, name, AT_REMOVEDIR)) == -EBUSY && now_ms() < deadline) {
		struct timespec pause = {.tv_sec = pause_ms / 1000, .tv_nsec = pause_ms % 1000 * 1000000};

		nanosleep(&pause, NULL);
		pause_ms = pause_ms < 200 ? pause_ms * 2 : pause_ms;
	}
	return r == -ENOENT || r == -ENODEV ? 0 : r;
}

int cgroup_remove(int mount_fd, const char *path, unsigned int created, struct err *err)
{
	int64_t deadline = now_ms() + REMOVE_TIMEOUT_MS;
	struct visit visit = {on_remove, &deadline};
	_cleanup_free_ char *parent = mem_dup(relative(path));
	char *slash = strrchr(parent, '/');
	_cleanup_fd_ int parent_fd = -1;
	int r;

	if (slash != NULL)
		*slash = '\0';
	parent_fd = path_open_beneath(mount_fd, slash == NULL ? "." : parent, O_RDONLY | O_DIRECTORY, 0);
	if (parent_fd == -ENOENT)
		return 0;
	r = parent_fd < 0 ? parent_fd : visit_tree(&visit, parent_fd, slash == NULL ? parent : slash + 1, 0);
	if (r < 0)
		return err_system(err, r, "cannot remove cgroup '%s'", path);
	if (slash != NULL && created > 1)
		remove_empty(mount_fd, parent, created - 1);
	return 0;
}
