/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks up paths of the container from the mount that contains them. Another container that shares the root
 * file system can rename the directory on which a mount is attached at any time. A path such as /proc/kcore
 * then leads to another file, and a path to be masked seems to be missing. A descriptor of the mount is not
 * affected.
 *
 * Process: init.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <tare/sys.h>

int place_identify(int fd, struct place_identity *ret)
{
	struct statx st = {.stx_mask = 0};
	int r = k_statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID | STATX_INO, &st);

	if (r < 0)
		return r;
	ret->mount = st.stx_mnt_id;
	ret->device = (uint64_t)st.stx_dev_major << 32 | st.stx_dev_minor;
	ret->inode = st.stx_ino;
	ret->is_mount_root = (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
	return (st.stx_mask & STATX_MNT_ID) == 0 ? -ENODATA : 0;
}

static int32_t slot_of(const struct plan_mount *mount)
{
	return mount->is_bind ? mount->source_slot : mount->keep_slot;
}

/* The next attached mount of the plan that is kept open for lookups, from step *at on. */
static const struct plan_step *next_mount(const struct rootfs *rootfs, uint32_t *at)
{
	const struct plan_step *steps = plan_steps(rootfs->plan);

	if (rootfs->last == NULL)
		return NULL;
	while (*at < rootfs->plan->step_count && &steps[*at].u.mount <= rootfs->last) {
		const struct plan_step *step = &steps[(*at)++];

		if (step->kind == PLAN_MOUNT && step->u.mount.is_base)
			return step;
	}
	return NULL;
}

struct path_place place_find(const struct rootfs *rootfs, const char *path)
{
	struct path_place place = {.root_fd = rootfs->fd, .path = path, .base_fd = -1};
	const struct plan_step *step;
	uint32_t at = 0;

	while ((step = next_mount(rootfs, &at)) != NULL) {
		const char *target = plan_get(rootfs->plan, step->u.mount.target);

		if (!path_is_below(path, target))
			continue;
		place.base_fd = rootfs->slot_base + slot_of(&step->u.mount);
		place.below = strlen(target);
	}
	return place;
}

int place_cover(struct rootfs *rootfs, const struct place_identity *identity, int fd)
{
	const struct plan_step *step;
	struct place_identity covered;
	uint32_t at = 0;
	int r = 0;

	if (!identity->is_mount_root)
		return 0;
	while (r >= 0 && (step = next_mount(rootfs, &at)) != NULL) {
		int slot_fd = rootfs->slot_base + slot_of(&step->u.mount);

		r = place_identify(slot_fd, &covered);
		if (r >= 0 && covered.mount == identity->mount)
			r = k_dup3(fd, slot_fd, O_CLOEXEC);
	}
	return r < 0 ? r : 0;
}

static int verify(const struct rootfs *rootfs, const struct plan_mount *mount, struct err *err)
{
	const char *target = plan_get(rootfs->plan, mount->target);
	_cleanup_fd_ int fd = path_open_in_root(rootfs->fd, target, O_PATH, 0);
	struct place_identity found, kept;
	int r = fd;

	if (r >= 0)
		r = place_identify(fd, &found);
	if (r >= 0)
		r = place_identify(rootfs->slot_base + slot_of(mount), &kept);
	if (r < 0 && r != -ENOENT && r != -ENOTDIR && r != -ELOOP)
		return err_system(err, r, "cannot find the mount on '%s'", target);
	if (r >= 0 && found.mount == kept.mount)
		return 0;
	err_set(err, ERR_SYSTEM, 0, NULL, "cannot find the mount on '%s': the path leads elsewhere", target);
	err_hint(err, "its directory was renamed, or another mount covers it, since it was attached");
	return -ESTALE;
}

/* Whether a later mount of the plan on a parent directory covers the mount: its path cannot lead to it then. */
static bool is_covered(const struct rootfs *rootfs, const struct plan_step *step)
{
	const struct plan_step *end = plan_steps(rootfs->plan) + rootfs->plan->step_count;
	const char *target = plan_get(rootfs->plan, step->u.mount.target);

	while (++step < end) {
		bool is_mount = step->kind == PLAN_MOUNT && !step->u.mount.is_remount;
		const char *later = is_mount ? plan_get(rootfs->plan, step->u.mount.target) : NULL;

		if (is_mount && path_is_below(target, later) && !str_equal(target, later))
			return true;
	}
	return false;
}

int place_verify_mounts(struct rootfs *rootfs, struct err *err)
{
	const struct plan_step *step;
	uint32_t at = 0;
	int r = 0;

	while (r >= 0 && (step = next_mount(rootfs, &at)) != NULL) {
		r = is_covered(rootfs, step) ? 0 : verify(rootfs, &step->u.mount, err);
		if (r < 0)
			err_pointer(err, plan_get(rootfs->plan, step->json_pointer));
	}
	return r;
}
