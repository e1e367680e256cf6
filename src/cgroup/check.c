/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks whether a cgroup could be made, from the kernel's answers about its nearest existing ancestor. The
 * command check makes no cgroup to find out, because the cgroup would stay if the command were killed.
 */
#include <fcntl.h>

#include "file.h"

/* Whether mkdirat(2) would be permitted in the cgroup: 0, or the errno that it would fail with. */
static int check_mkdir(int cgroup_fd)
{
	return k_faccessat2(cgroup_fd, ".", W_OK | X_OK, AT_EACCESS);
}

static int check_existing(const struct cgroup_place *place, const char *own_path, struct err *err)
{
	int r = cgroup_check_fit(place->fd, place->path, false, err);

	return r >= 0 && own_path != NULL ? cgroup_check_entry(place, own_path, err) : r;
}

/* existing is the part of the place's path that exists; place->fd is open on it. */
static int check_missing(const struct cgroup_place *place, const struct cgroup_path *existing,
			 const char *own_path, struct err *err)
{
	int r = check_mkdir(place->fd);

	if (r < 0)
		return cgroup_create_fail(err, r, place->path, existing);
	/* A cgroup below a frozen one is frozen from the start. cgroup_check_fit also reports an error. */
	if (cgroup_is_frozen(place->fd))
		return cgroup_check_fit(place->fd, place->path, true, err);
	return own_path != NULL ? cgroup_check_common(place, own_path, err) : 0;
}

int cgroup_check_create(int mount_fd, const char *path, const char *own_path, struct err *err)
{
	struct cgroup_place place = {.mount_fd = mount_fd, .path = path};
	struct cgroup_path whole, existing;
	_cleanup_fd_ int fd = -1;
	int r = cgroup_path_init(&whole, path);

	if (r < 0)
		return err_system(err, r, "cannot create cgroup '%s'", path);
	existing = whole;
	fd = cgroup_open_existing(mount_fd, &existing);
	if (fd < 0)
		return cgroup_create_fail(err, fd, path, &existing);
	place.fd = fd;
	return existing.len == whole.len ? check_existing(&place, own_path, err)
					 : check_missing(&place, &existing, own_path, err);
}
