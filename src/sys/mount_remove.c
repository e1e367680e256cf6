/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds and unmounts mounts of a container that exists. Its processes can rename directories and replace them
 * by links at any time, so that a destination leads to another mount, such as one that masks a file of /proc.
 * Therefore a mount is found once, is compared with those that may be removed, and is unmounted by its
 * descriptor.
 *
 * Process: the one that changes the mounts (src/init/mounts.c).
 */
#include <errno.h>
#include <fcntl.h>

#include <tare/sys.h>

#ifndef MNT_DETACH
#define MNT_DETACH 2
#endif

static bool is_listed(const struct plan *plan, struct plan_table ids, uint64_t id)
{
	const uint64_t *v = plan_rows(plan, ids);

	for (uint32_t i = 0; i < ids.count; i++)
		if (v[i] == id)
			return true;
	return false;
}

int mount_find(struct rootfs *rootfs, const struct plan_removed *removed, struct err *err)
{
	const char *target = plan_get(rootfs->plan, removed->target);
	const struct path_place place = {.root_fd = rootfs->fd, .path = target, .base_fd = -1};
	_cleanup_fd_ int fd = path_open(&place, O_PATH | (removed->is_link_target ? O_NOFOLLOW : 0));
	struct place_identity found;
	int r = fd < 0 ? fd : place_identify(fd, &found);

	if (r == -ENOENT || r == -ENOTDIR || r == -ELOOP || (r >= 0 && !found.is_mount_root))
		return err_set(err, ERR_STATE, 0, NULL, "there is no mount on '%s'", target);
	if (r < 0)
		return err_system(err, r, "cannot find the mount on '%s'", target);
	if (!is_listed(rootfs->plan, removed->ids, found.mount))
		return err_set(err, ERR_STATE, 0, NULL,
			       "the mount on '%s' was not made by 'mounts add', so it stays", target);
	return take_fd(&fd);
}

int mount_remove(int proc_fd, int fd)
{
	char path[32];
	int r = k_fchdir(proc_fd);

	str_format(path, sizeof path, "self/fd/%d", fd);
	return r < 0 ? r : k_umount2(path, MNT_DETACH);
}
