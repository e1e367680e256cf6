/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds out whether a directory belongs to the container or is shown from the host by a bind mount: a symbolic
 * link of the image may lead into a volume of the host, where devices and links must not be created.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <tare/sys.h>

#define DEPTH_MAX 4096 /* nested directories; PATH_MAX allows no more */

static int read_mount_id(int fd, uint64_t *ret)
{
	struct statx st = {.stx_mask = 0};
	int r = k_statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st);

	*ret = st.stx_mnt_id;
	return r < 0 ? r : (st.stx_mask & STATX_MNT_ID) == 0 ? -ENODATA : 0;
}

static const struct plan_step *next_bind(const struct rootfs *rootfs, uint32_t *at)
{
	const struct plan_step *steps = plan_steps(rootfs->plan);

	while (*at < rootfs->plan->step_count) {
		const struct plan_step *step = &steps[(*at)++];

		if (step->kind == PLAN_MOUNT && step->u.mount.is_bind && !step->u.mount.is_remount)
			return step;
	}
	return NULL;
}

/* Whether it is a bind mount of the plan: the slot of its source still refers to the attached mount. */
static bool is_bound(const struct rootfs *rootfs, uint64_t id)
{
	const struct plan_step *step;
	uint64_t bound;
	uint32_t at = 0;

	while ((step = next_bind(rootfs, &at)) != NULL)
		if (read_mount_id(rootfs->slot_base + step->u.mount.source_slot, &bound) < 0 || bound == id)
			return true;
	return false;
}

/*
 * Walks up to the root mount. A bind mount can contain further mounts, which belong to the host as well, so
 * none of the mounts in between may be a bind mount of the plan.
 */
static int check_own(const struct rootfs *rootfs, int dir_fd, uint64_t root_id)
{
	_cleanup_fd_ int at_fd = k_fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
	uint64_t id, last = root_id;

	for (int i = 0; i < DEPTH_MAX && at_fd >= 0; i++) {
		int fd, r = read_mount_id(at_fd, &id);

		if (r < 0)
			return r;
		if (id == root_id)
			return 0;
		if (id != last && is_bound(rootfs, id))
			return -EXDEV;
		last = id;
		fd = k_openat(at_fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
		k_close(at_fd);
		at_fd = fd;
	}
	return at_fd < 0 ? at_fd : -EXDEV;
}

int bind_check_own(struct rootfs *rootfs, int dir_fd, const char *path, struct err *err)
{
	uint64_t id = 0, root_id = 0;
	uint32_t at = 0;
	int r;

	if (next_bind(rootfs, &at) == NULL)
		return 0;
	r = read_mount_id(dir_fd, &id);
	if (r >= 0 && rootfs->has_own_mount && rootfs->own_mount == id)
		return 0;
	if (r >= 0)
		r = read_mount_id(rootfs->fd, &root_id);
	if (r >= 0)
		r = check_own(rootfs, dir_fd, root_id);
	if (r == -EXDEV) {
		err_set(err, ERR_SYSTEM, 0, NULL, "cannot make '%s': its directory belongs to the host", path);
		err_hint(err, "a bind mount covers it, or a link in the root file system leads into one");
		return r;
	}
	if (r < 0)
		return err_system(err, r, "cannot find out which mount has the directory of '%s'", path);
	rootfs->has_own_mount = true;
	rootfs->own_mount = id;
	return 0;
}

struct own_parent {
	struct rootfs *rootfs;
	const char *path;
	struct err *err;
	bool is_refused; /* by bind_check_own, which has set *err */
};

static int check_parent(void *context, int dir_fd)
{
	struct own_parent *own = context;
	int r = bind_check_own(own->rootfs, dir_fd, own->path, own->err);

	own->is_refused = r < 0;
	return r;
}

int bind_check_open_own_parent(struct rootfs *rootfs, const char *path, const char **ret_name, struct err *err)
{
	struct own_parent own = {.rootfs = rootfs, .path = path, .err = err};
	struct path_making making = {.mode = 0755, .check = check_parent, .context = &own};
	struct path_place place = place_find(rootfs, path);
	int fd = path_open_parent(&place, &making, ret_name);

	if (fd < 0 && !own.is_refused) {
		err_system(err, fd, "cannot open the directory of '%s'", path);
		mount_hint_file(rootfs->fd, path, fd, err);
	}
	return fd;
}

int bind_check_is_root(struct rootfs *rootfs, const struct place_identity *identity)
{
	const struct place_identity *root = &rootfs->identity;
	int r = rootfs->has_identity ? 0 : place_identify(rootfs->fd, &rootfs->identity);

	if (r < 0)
		return r;
	rootfs->has_identity = true;
	return identity->mount == root->mount && identity->device == root->device &&
	       identity->inode == root->inode;
}
