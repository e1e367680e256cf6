/* SPDX-License-Identifier: Apache-2.0 */
/* Checks an unprivileged caller's rights in its delegated part of the hierarchy (cgroups(7)). */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "file.h"

static bool may_write_procs(int cgroup_fd)
{
	return k_faccessat2(cgroup_fd, "cgroup.procs", W_OK, AT_EACCESS | AT_SYMLINK_NOFOLLOW) == 0;
}

/* Shortens the path to the nearest common ancestor of both. */
static void cut_to_common(struct cgroup_path *path, const struct cgroup_path *other)
{
	while (path->len > 0 && (path->len > other->len || memcmp(path->text, other->text, path->len) != 0 ||
				 (other->len > path->len && other->text[path->len] != '/')))
		cgroup_path_pop(path);
}

static int entry_fail(const struct cgroup_place *place, const struct cgroup_path *refusing, struct err *err)
{
	err_system(err, EACCES,
		   "cannot start a process in cgroup '%s': the caller has no write access to cgroup.procs of "
		   "cgroup '/%.*s'",
		   place->path, (int)refusing->len, refusing->text);
	cgroup_hint_delegation(err);
	return -EACCES;
}

/* If the caller's cgroup is outside the mount, it has no path here, and the check is left to the kernel. */
int cgroup_check_common(const struct cgroup_place *place, const char *own_path, struct err *err)
{
	struct cgroup_path path, own;
	_cleanup_fd_ int fd = -1;

	if (cgroup_path_init(&path, place->path) < 0 || cgroup_path_init(&own, own_path) < 0)
		return 0;
	cut_to_common(&path, &own);
	fd = cgroup_path_open(place->mount_fd, &path, O_PATH);
	return fd >= 0 && !may_write_procs(fd) ? entry_fail(place, &path, err) : 0;
}

int cgroup_check_entry(const struct cgroup_place *place, const char *own_path, struct err *err)
{
	struct cgroup_path path, own;

	if (cgroup_path_init(&path, place->path) < 0 || cgroup_path_init(&own, own_path) < 0)
		return 0;
	return may_write_procs(place->fd) ? cgroup_check_common(place, own_path, err)
					  : entry_fail(place, &path, err);
}
