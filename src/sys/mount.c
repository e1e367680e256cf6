/* SPDX-License-Identifier: Apache-2.0 */
/* Creates the mounts of the plan and attaches them to their targets. Process: init, before the pivot. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include <tare/sys.h>

/* --- targets --- */

/* Creates a missing target: a directory or a file, as the mount that will cover it. */
static int create_target(const struct path_place *place, bool is_directory)
{
	const struct path_making making = {.mode = 0755};

	return is_directory ? path_mkdir(place, &making) : path_make_file(place, 0644);
}

static int explain_missing(const struct rootfs *rootfs, const struct path_place *place, int r, struct err *err)
{
	const char *path = place->path;

	err_system(err, r, "cannot make mount target '%s' in the root file system", path);
	mount_hint_file(rootfs->fd, path, r, err);
	if (r == -EACCES || r == -EPERM || r == -EOVERFLOW)
		err_hint(err,
			 "create it beforehand, or make the container's root user the owner of the root file "
			 "system");
	else if (r == -EROFS && place->base_fd >= 0)
		err_hint(err, "the mount on '%.*s' is read-only: create it beforehand", (int)place->below,
			 path);
	else if (r == -EROFS)
		err_hint(err, "the root file system is read-only: create it beforehand");
	return r;
}

struct target {
	struct place_identity identity;
	bool is_new;
};

static int open_target(struct rootfs *rootfs, const struct plan_mount *mount, bool is_directory,
		       struct target *ret, struct err *err)
{
	const char *path = plan_get(rootfs->plan, mount->target);
	struct path_place place = place_find(rootfs, path);
	_cleanup_fd_ int fd = -1;
	int r;

	ret->is_new = false;
	place.has_no_links = mount->is_real_directory;
	fd = path_open(&place, O_PATH | (mount->is_real_directory ? O_DIRECTORY : 0) |
				       (mount->is_link_target ? O_NOFOLLOW : 0));
	if (fd == -ENOENT) {
		fd = create_target(&place, is_directory);
		if (fd < 0)
			return explain_missing(rootfs, &place, fd, err);
		ret->is_new = true;
	}
	if (fd == -ELOOP && mount->is_real_directory)
		return err_set(err, ERR_SYSTEM, ELOOP, NULL, "cannot mount on '%s': it is not a real directory",
			       path);
	if (fd < 0) {
		err_system(err, fd, "cannot open mount target '%s' in the root file system", path);
		mount_hint_file(rootfs->fd, path, fd, err);
		return fd;
	}
	r = place_identify(fd, &ret->identity);
	if (r >= 0)
		r = mount->is_remount ? 0 : bind_check_is_root(rootfs, &ret->identity);
	if (r < 0)
		return err_system(err, r, "cannot stat mount target '%s'", path);
	if (r > 0)
		return err_set(err, ERR_CONFIG, 0, NULL,
			       "cannot mount on '%s': it is a link to the container's root", path);
	if (!mount->is_inside_proc && !mount->is_remount && mount_is_procfs(fd) && !str_equal(path, "/proc"))
		return err_set(err, ERR_CONFIG, EPERM, NULL,
			       "'%s' cannot be mounted because it is inside /proc", path);
	return take_fd(&fd);
}

/* --- attach --- */

/* mount_namespaces(7): flags that a mount got in a more privileged user namespace cannot be cleared. */
static const struct {
	long shown; /* ST_*, statfs(2) */
	uint64_t attr;
	const char *name;
} lockable[] = {
	{ST_RDONLY, MOUNT_ATTR_RDONLY, "ro"},
	{ST_NOSUID, MOUNT_ATTR_NOSUID, "nosuid"},
	{ST_NODEV, MOUNT_ATTR_NODEV, "nodev"},
	{ST_NOEXEC, MOUNT_ATTR_NOEXEC, "noexec"},
	{ST_NODIRATIME, MOUNT_ATTR_NODIRATIME, "nodiratime"},
};

/* Keeps the source's flags that no option names and that cannot be cleared, and adds a warning about them. */
static int keep_locked(struct rootfs *rootfs, const struct plan_mount *mount, int fd)
{
	char names[64] = "";
	uint64_t kept = 0;
	struct statfs fs;
	int r = k_fstatfs(fd, &fs);

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(lockable); i++) {
		size_t len = strlen(names);

		if ((fs.f_flags & lockable[i].shown) == 0 ||
		    (mount->attr_implied_clear & lockable[i].attr) == 0)
			continue;
		kept |= lockable[i].attr;
		str_format(names + len, sizeof names - len, "%s%s", len > 0 ? "," : "", lockable[i].name);
	}
	if (r >= 0)
		r = kept == 0 ? -EPERM
			      : mount_set(fd, mount->attr_set,
					  mount->attr_clear | (mount->attr_implied_clear & ~kept), 0, false);
	if (r >= 0 && rootfs->warning_count++ == 0)
		err_set(&rootfs->warning, ERR_SYSTEM, 0, NULL,
			"the mount on '%s' keeps flags of its source that this user namespace cannot clear: %s",
			plan_get(rootfs->plan, mount->target), names);
	return r;
}

static int apply_attributes(struct rootfs *rootfs, const struct plan_mount *mount, int fd, struct err *err)
{
	const char *target = plan_get(rootfs->plan, mount->target);
	uint64_t set = mount->attr_set, clear = mount->attr_clear;
	int r = 0;

	/* A new file system has its attributes from fsmount(2), and none to clear. */
	if ((mount->is_bind || mount->is_remount) && (set | clear | mount->attr_implied_clear) != 0)
		r = mount_set(fd, set, clear | mount->attr_implied_clear, 0, false);
	if (r == -EPERM && mount->attr_implied_clear != 0)
		r = keep_locked(rootfs, mount, fd);
	if (r == 0 && (mount->recursive_attr_set | mount->recursive_attr_clear) != 0)
		r = mount_set(fd, mount->recursive_attr_set, mount->recursive_attr_clear, 0, true);
	if (r < 0) {
		r = err_system(err, r, "cannot set the attributes of the mount on '%s'", target);
		if (r == -EPERM)
			err_hint(err, "attributes of the source are locked: do not clear nosuid, nodev, noexec "
				      "or ro, and do not change atime, diratime or relatime");
		if (mount->is_remount)
			mount_hint_remount(fd, r, err);
		return r;
	}
	for (int i = 0; i < PLAN_PROPAGATIONS && mount->propagation[i].type != 0; i++) {
		r = mount_set(fd, 0, 0, mount->propagation[i].type, mount->propagation[i].is_recursive);
		if (r < 0)
			return err_system(err, r, "cannot set the propagation of the mount on '%s'", target);
	}
	return 0;
}

static bool is_directory_fd(int fd)
{
	struct stat st;

	return k_fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

static int move_onto(const struct rootfs *rootfs, const struct plan_mount *mount, int fd, int target_fd,
		     struct err *err)
{
	const char *target = plan_get(rootfs->plan, mount->target);
	const char *what = mount->is_bind ? plan_get(rootfs->plan, mount->source)
					  : plan_get(rootfs->plan, mount->type);
	int r = k_move_mount(fd, "", target_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);

	if (r >= 0)
		return 0;
	/* move_mount(2) returns EINVAL if only one is a directory; engines parse the text of ENOTDIR. */
	if (is_directory_fd(fd) != is_directory_fd(target_fd))
		r = -ENOTDIR;
	r = err_system(err, r, "cannot mount '%s' on '%s'", what, target);
	if (r == -ENOTDIR)
		err_hint(err, "one of them is a directory and the other is not a directory");
	return r;
}

static int attach_remount(struct rootfs *rootfs, const struct plan_mount *mount, struct err *err)
{
	struct target target;
	_cleanup_fd_ int fd = open_target(rootfs, mount, true, &target, err);

	return fd < 0 ? fd : apply_attributes(rootfs, mount, fd, err);
}

/* After ELOOP: a mount namespace is pinned in the source (mount_pins.c). *err has the first error. */
static int attach_unpinned(struct rootfs *rootfs, const struct plan_mount *mount, int target_fd,
			   struct err *err)
{
	int fd = rootfs->slot_base + mount->source_slot;
	int r = mount_copy_unpinned(rootfs, mount->source_slot, err);

	if (r < 0) {
		err_hint(err, "a mount namespace is pinned by a bind mount inside the source");
		return r;
	}
	*err = (struct err){.kind = ERR_NONE};
	r = apply_attributes(rootfs, mount, fd, err);
	return r < 0 ? r : move_onto(rootfs, mount, fd, target_fd, err);
}

/* Keeps the mount open for the steps that look up paths below it. */
static int keep_mount(struct rootfs *rootfs, const struct plan_mount *mount, int fd,
		      const struct place_identity *identity, struct err *err)
{
	int r = place_cover(rootfs, identity, fd);

	if (r >= 0 && mount->keep_slot != PLAN_NO_SLOT)
		r = k_dup3(fd, rootfs->slot_base + mount->keep_slot, O_CLOEXEC);
	rootfs->last = mount;
	return r < 0 ? err_system(err, r, "cannot keep the mount on '%s' open",
				  plan_get(rootfs->plan, mount->target))
		     : 0;
}

int mount_attach(struct rootfs *rootfs, const struct plan_mount *mount, struct err *err)
{
	_cleanup_fd_ int own_fd = -1, target_fd = -1;
	struct target target;
	int fd, r;

	if (mount->is_remount)
		return attach_remount(rootfs, mount, err);
	r = mount->copies_link ? mount_copy_link(rootfs, mount, err) : 0;
	if (r != 0)
		return r < 0 ? r : 0;
	fd = mount->is_bind ? rootfs->slot_base + mount->source_slot : -1;
	target_fd = open_target(rootfs, mount, fd < 0 || is_directory_fd(fd), &target, err);
	if (target_fd < 0)
		return target_fd;
	if (fd < 0) {
		fd = own_fd = mount_make(rootfs, mount, target.is_new ? -1 : target_fd, err);
		if (fd < 0)
			return fd;
	}
	if (!mount->is_bind && mount->idmap_slot != PLAN_NO_SLOT) {
		int userns_fd = rootfs->slot_base + mount->idmap_slot;

		r = mount_idmap(fd, userns_fd, false);
		if (r < 0) {
			r = err_system(err, r, "cannot map the ids of the mount on '%s'",
				       plan_get(rootfs->plan, mount->target));
			mount_hint_idmap(&(struct mount_refused_idmap){fd, userns_fd, -1, NULL, false}, r, err);
			return r;
		}
	}
	r = apply_attributes(rootfs, mount, fd, err);
	if (r == 0 && mount->is_copy_up)
		r = rootfs_copy_up(target_fd, fd, err);
	if (r == 0)
		r = move_onto(rootfs, mount, fd, target_fd, err);
	if (r == -ELOOP && mount->is_bind)
		r = attach_unpinned(rootfs, mount, target_fd, err);
	return r < 0 ? r : keep_mount(rootfs, mount, fd, &target.identity, err);
}
