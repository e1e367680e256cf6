/* SPDX-License-Identifier: Apache-2.0 */
/* Cgroups as directories and files (cgroup-v2.rst of the kernel's documentation). */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
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

static int read_event(int cgroup_fd, const char *key)
{
	_cleanup_fd_ int fd = cgroup_open_events(cgroup_fd);

	return fd < 0 ? fd : cgroup_read_event(fd, key);
}

/* The root of the hierarchy has no cgroup.events, and always has processes. A cgroup that is gone has none. */
static int populated_without_events(int cgroup_fd)
{
	int r = k_faccessat2(cgroup_fd, "cgroup.procs", 0 /* F_OK */, AT_SYMLINK_NOFOLLOW);

	if (r >= 0)
		return 1;
	return is_gone(r) ? 0 : r;
}

int cgroup_is_populated(int cgroup_fd)
{
	int r = read_event(cgroup_fd, "populated");

	return is_gone(r) ? populated_without_events(cgroup_fd) : r;
}

/* --- opening and creating --- */

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

/*
 * Makes the components of whole that stand behind its first *reached bytes, which move on with each. Whoever
 * races with us and makes one first owns it, and with it what is above: it counts as having existed.
 */
static int make_missing(int parent_fd, const struct cgroup_path *whole, size_t *reached,
			unsigned int *ret_created)
{
	_cleanup_fd_ int fd = parent_fd;

	while (*reached < whole->len) {
		const char *component = whole->text + *reached + (whole->text[*reached] == '/');
		size_t len = strcspn(component, "/");
		char name[256];
		int child_fd, r;

		if (len >= sizeof name)
			return -ENAMETOOLONG;
		memcpy(name, component, len);
		name[len] = '\0';
		r = k_mkdirat(fd, name, 0755);
		if (r < 0 && r != -EEXIST)
			return r;
		child_fd = path_open_beneath(fd, name, O_RDONLY | O_DIRECTORY, 0);
		/* A file of that name is nobody's cgroup. */
		if (r < 0 && child_fd < 0)
			return child_fd;
		*ret_created = r == 0 ? *ret_created + 1 : 0;
		*reached = (size_t)(component - whole->text) + len;
		if (child_fd < 0)
			return child_fd;
		fd_close(&fd);
		fd = child_fd;
	}
	return take_fd(&fd);
}

int cgroup_check_fit(int cgroup_fd, const char *path, bool is_new, struct err *err)
{
	_cleanup_free_ pid_t *pids = NULL;
	size_t count = 0;
	int r;

	if (!is_new && cgroup_is_populated(cgroup_fd) != 0) {
		r = cgroup_pids_collect(cgroup_fd, &pids, &count);
		if (r < 0)
			return err_system(err, r, "cannot list the processes of cgroup '%s'", path);
		if (count > 0) {
			err_set(err, ERR_STATE, EBUSY, NULL,
				"container's cgroup is not empty: %zu process(es) found", count);
			err_hint(err, "set another cgroupsPath, or end what is in '%s'", path);
			return -EBUSY;
		}
	}
	/* A new one counts too: it is born frozen below a frozen parent, and a process in it would not run. */
	r = read_event(cgroup_fd, "frozen");
	if (r > 0) {
		err_set(err, ERR_STATE, EBUSY, NULL, "container's cgroup unexpectedly frozen");
		err_hint(err, "write 0 to cgroup.freeze of '%s', or of the one above it that is frozen", path);
		return -EBUSY;
	}
	return r < 0 ? err_system(err, r, "cannot read the events of cgroup '%s'", path) : 0;
}

/* Removes the last created components of the first reached bytes of path. */
static void undo_create(int mount_fd, struct cgroup_path *path, size_t reached, unsigned int created)
{
	path->len = reached;
	path->text[reached] = '\0';
	for (; created > 0; created--) {
		const char *name = cgroup_path_pop(path);
		_cleanup_fd_ int parent_fd = cgroup_path_open(mount_fd, path, O_PATH);

		if (name == NULL || parent_fd < 0 || k_unlinkat(parent_fd, name, AT_REMOVEDIR) < 0)
			return;
	}
}

int cgroup_create_fail(struct err *err, int r, const char *path, const struct cgroup_path *reached)
{
	if (r != -EACCES && r != -EPERM) {
		r = err_system(err, r, "cannot create cgroup '%s'", path);
		if (r == -EROFS)
			err_hint(err, "the cgroup2 mount has to be writable for the caller; "
				      "--cgroup-manager disabled does without");
		return r;
	}
	r = err_system(err, r, "cannot create cgroup '%s': cgroup '/%.*s' is not the caller's to divide", path,
		       (int)reached->len, reached->text);
	cgroup_hint_delegation(err);
	return r;
}

int cgroup_is_frozen(int cgroup_fd)
{
	int r = read_event(cgroup_fd, "frozen");

	return is_gone(r) ? 0 : r;
}

int cgroup_missing(int mount_fd, const char *path, unsigned int *ret_count, struct err *err)
{
	struct cgroup_path at;
	unsigned int missing = 0;
	int r = cgroup_path_init(&at, path);

	while (r >= 0) {
		_cleanup_fd_ int fd = cgroup_path_open(mount_fd, &at, O_PATH);

		r = fd == -ENOENT ? 0 : fd;
		if (fd != -ENOENT || cgroup_path_pop(&at) == NULL)
			break;
		missing++;
	}
	*ret_count = missing;
	return r < 0 ? err_system(err, r, "cannot look for cgroup '%s'", path) : 0;
}

static int create(int mount_fd, const char *path, unsigned int *ret_created, struct err *err)
{
	struct cgroup_path whole, existing;
	_cleanup_fd_ int fd = -1;
	unsigned int created = 0;
	int r = cgroup_path_init(&whole, path);

	if (r < 0)
		return err_system(err, r, "cannot create cgroup '%s'", path);
	/* The usual case: the parent is there and the cgroup is not. */
	existing = whole;
	cgroup_path_pop(&existing);
	fd = cgroup_open_existing(mount_fd, &existing);
	if (fd >= 0)
		fd = whole.len == 0 ? cgroup_path_open(mount_fd, &whole, O_RDONLY)
				    : make_missing(take_fd(&fd), &whole, &existing.len, &created);
	if (fd >= 0) {
		r = cgroup_check_fit(fd, path, created > 0, err);
	} else {
		memcpy(existing.text, whole.text, existing.len);
		r = cgroup_create_fail(err, fd, path, &existing);
	}
	if (r < 0) {
		undo_create(mount_fd, &whole, existing.len, created);
		return r;
	}
	*ret_created = created;
	return take_fd(&fd);
}

int cgroup_create(int mount_fd, const char *path, unsigned int *ret_created, struct err *err)
{
	_cleanup_fd_ int fd = create(mount_fd, path, ret_created, err);
	int left = fd >= 0 && *ret_created == 0 ? cgroup_left(fd) : 0;
	int r;

	if (left < 0)
		return err_system(err, left, "cannot read the mark of cgroup '%s'", path);
	if (left == 0)
		return take_fd(&fd);
	fd_close(&fd);
	r = cgroup_remove(mount_fd, path, 1, err);
	fd = r < 0 ? r : create(mount_fd, path, ret_created, err);
	if (fd >= 0 && *ret_created > 0 && *ret_created < (unsigned int)left)
		*ret_created = (unsigned int)left;
	return take_fd(&fd);
}

/* --- killing --- */

#define KILL_REPEAT 100 /* ms; a process that was moved in behind the kill gets the next one */

void cgroup_events_wait(int events_fd, int64_t ms)
{
	struct pollfd poll = {.fd = events_fd, .events = POLLPRI};
	struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	k_ppoll(&poll, 1, &time, NULL);
}

/*
 * A threaded cgroup has no cgroup.kill (EOPNOTSUPP). Frozen, it does not grow, and SIGKILL ends a frozen
 * process; who is born before the freeze has reached everybody gets the next one.
 */
static int kill_threaded(int cgroup_fd)
{
	_cleanup_free_ pid_t *pids = NULL;
	struct cgroup_seal seal;
	size_t count = 0;
	int r = io_write_file(cgroup_fd, "cgroup.freeze", "1", 1);

	cgroup_seal(cgroup_fd, &seal);
	if (r >= 0)
		r = cgroup_pids_collect(cgroup_fd, &pids, &count);
	cgroup_unseal(&seal);
	for (size_t i = 0; r >= 0 && i < count; i++)
		if (pids[i] > 0)
			(void)k_kill(pids[i], SIGKILL);
	(void)!io_write_file(cgroup_fd, "cgroup.freeze", "0", 1);
	return r;
}

/* Kills until nobody is left. 0, -ETIMEDOUT, or another errno. */
static int kill_and_wait(int cgroup_fd, int timeout_ms)
{
	_cleanup_fd_ int events_fd = cgroup_open_events(cgroup_fd);
	int64_t deadline = time_ms() + timeout_ms;

	if (events_fd < 0)
		return is_gone(events_fd) && populated_without_events(cgroup_fd) == 0 ? 0 : events_fd;
	for (;;) {
		int64_t left;
		int r = cgroup_read_event(events_fd, "populated");

		if (r <= 0)
			return is_gone(r) ? 0 : r;
		r = io_write_file(cgroup_fd, "cgroup.kill", "1", 1);
		if (r == -EOPNOTSUPP)
			r = kill_threaded(cgroup_fd);
		if (r < 0)
			return is_gone(r) && cgroup_is_populated(cgroup_fd) == 0 ? 0 : r;
		left = deadline - time_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		cgroup_events_wait(events_fd, left < KILL_REPEAT ? left : KILL_REPEAT);
	}
}

int cgroup_kill(int cgroup_fd, int timeout_ms, struct err *err)
{
	int r = kill_and_wait(cgroup_fd, timeout_ms);

	if (r == -ETIMEDOUT)
		return err_system(err, r, "cannot wait for the processes of the cgroup to die");
	return r < 0 ? err_system(err, r, "cannot kill the processes of the cgroup") : 0;
}
