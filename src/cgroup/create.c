/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the container's cgroup, or claims an existing empty one. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "file.h"

/*
 * Makes the components of whole that follow its first *reached bytes, and advances *reached with each. If
 * another process makes a component first, that process owns it and the components above it: they count as
 * having existed, so *ret_created starts again at 0.
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
		/* EEXIST for a name that is not a directory: it is not a cgroup. */
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
			err_hint(err, "set another cgroupsPath, or end the processes in '%s'", path);
			return -EBUSY;
		}
	}
	/* A new cgroup below a frozen parent is frozen from the start, and a process in it would not run. */
	r = cgroup_event_now(cgroup_fd, "frozen");
	if (r > 0) {
		err_set(err, ERR_STATE, EBUSY, NULL, "container's cgroup unexpectedly frozen");
		err_hint(err, "write 0 to cgroup.freeze of '%s', or of the cgroup above it that is frozen",
			 path);
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
	r = err_system(err, r, "cannot create cgroup '%s': the caller has no write access to cgroup '/%.*s'",
		       path, (int)reached->len, reached->text);
	cgroup_hint_delegation(err);
	return r;
}

int cgroup_count_missing(int mount_fd, const char *path, unsigned int *ret_count, struct err *err)
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
	/* Start with the usual case: the parent exists and the cgroup does not. */
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
	int left = fd >= 0 && *ret_created == 0 ? cgroup_leftover_depth(fd) : 0;
	int r;

	if (left < 0)
		return err_system(err, left, "cannot read the owner attribute of cgroup '%s'", path);
	if (left == 0)
		return take_fd(&fd);
	fd_close(&fd);
	r = cgroup_remove(mount_fd, path, 1, err);
	fd = r < 0 ? r : create(mount_fd, path, ret_created, err);
	if (fd >= 0 && *ret_created > 0 && *ret_created < (unsigned int)left)
		*ret_created = (unsigned int)left;
	return take_fd(&fd);
}

int cgroup_claim(const struct cgroup_place *place, const char *owner, unsigned int created, struct err *err)
{
	struct cgroup_owner_value old;
	int has_old = created == 0 ? cgroup_owner_read(place->fd, &old) : 0, r;

	if (has_old < 0)
		return err_system(err, has_old, "cannot read the owner attribute of cgroup '%s'", place->path);
	r = cgroup_owner_set(place->fd, owner, created, err);
	if (r >= 0)
		r = cgroup_check_fit(place->fd, place->path, created > 0, err);
	if (r < 0 && has_old)
		(void)!cgroup_owner_write(place->fd, &old);
	else if (r < 0)
		cgroup_owner_clear(place->fd);
	return r;
}
