/* SPDX-License-Identifier: Apache-2.0 */
/* Creates the mounts of the plan and attaches them to their targets. Process: init, before the pivot. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include <tare/sys.h>

/* Uses the file system's own message about a failure as the hint: read(2) of fsopen(2)'s descriptor. */
static void hint_fs_message(int fs_fd, struct err *err)
{
	char text[160];
	ssize_t len = k_read(fs_fd, text, sizeof text - 1);

	if (len <= 2 || text[1] != ' ')
		return;
	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	err_hint(err, "%s", text + 2);
}

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
	fd = path_open(&place, mount->is_real_directory ? O_PATH | O_DIRECTORY : O_PATH);
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

/* --- new file systems --- */

int mount_set_option(int fs_fd, const char *option)
{
	const char *equals = strchr(option, '=');
	char key[256];
	size_t len;

	if (equals == NULL)
		return k_fsconfig(fs_fd, FSCONFIG_SET_FLAG, option, NULL, 0);
	len = (size_t)(equals - option);
	if (len >= sizeof key)
		return -EINVAL;
	memcpy(key, option, len);
	key[len] = '\0';
	return k_fsconfig(fs_fd, FSCONFIG_SET_STRING, key, equals + 1, 0);
}

/* Options of mount(8) without an effect, which tools and engines pass: file systems do not accept them. */
static bool is_empty_option(const char *option)
{
	return str_equal(option, "async") || str_equal(option, "nolazytime");
}

static int set_options(const struct plan *plan, const struct plan_mount *mount, int fs_fd, struct err *err)
{
	const char *type = plan_get(plan, mount->type);
	const char *source = plan_get(plan, mount->source), *context = plan_get(plan, plan->mount_context);
	int r;

	r = source == NULL ? 0 : k_fsconfig(fs_fd, FSCONFIG_SET_STRING, "source", source, 0);
	if (r < 0)
		return err_system(err, r, "cannot set the source '%s' of file system '%s'", source, type);
	r = mount->is_superblock_readonly ? k_fsconfig(fs_fd, FSCONFIG_SET_FLAG, "ro", NULL, 0) : 0;
	if (r < 0)
		return err_system(err, r, "cannot make file system '%s' read-only", type);
	for (uint32_t i = 0; i < mount->options.count; i++) {
		const char *option = plan_item(plan, mount->options, i);

		r = mount_set_option(fs_fd, option);
		if (r < 0 && !is_empty_option(option)) {
			const char *json_pointer =
				context != NULL && str_equal(option, context) ? "/linux/mountLabel" : NULL;

			r = err_set(err, ERR_SYSTEM, r, json_pointer,
				    "cannot set option '%s' of file system '%s'", option, type);
			hint_fs_message(fs_fd, err);
			return r;
		}
	}
	return 0;
}

/*
 * A tmpfs without mode= gets the mode of the directory that it covers, unless that was created for it. -1: the
 * default of the file system.
 */
static int mode_of(const struct plan_mount *mount, int target_fd, int *ret_mode)
{
	struct stat st;
	int r;

	*ret_mode = -1;
	if (!mount->is_mode_of_target || target_fd < 0)
		return 0;
	r = k_fstat(target_fd, &st);
	if (r >= 0)
		*ret_mode = (int)(st.st_mode & 07777);
	return r;
}

static int explain_mount(const struct plan *plan, const struct plan_mount *mount, int r, struct err *err)
{
	const char *type = plan_get(plan, mount->type);

	if (r == -ENODEV)
		return err_set(err, ERR_UNSUPPORTED, ENODEV, NULL,
			       "file system '%s' is not known to this kernel", type);
	err_system(err, r, "cannot mount '%s' on '%s'", type, plan_get(plan, mount->target));
	mount_hint_new(type, r, err);
	return r;
}

static int mount_by_fsconfig(const struct plan *plan, const struct plan_mount *mount, int mode, struct err *err)
{
	const char *type = plan_get(plan, mount->type), *target = plan_get(plan, mount->target);
	_cleanup_fd_ int fs_fd = k_fsopen(type, FSOPEN_CLOEXEC);
	char text[16];
	int r, fd;

	if (fs_fd < 0)
		return explain_mount(plan, mount, fs_fd, err);
	str_format(text, sizeof text, "%o", (unsigned int)mode);
	r = mode < 0 ? 0 : k_fsconfig(fs_fd, FSCONFIG_SET_STRING, "mode", text, 0);
	if (r < 0)
		return err_system(err, r, "cannot set the mode of the mount on '%s'", target);
	r = set_options(plan, mount, fs_fd, err);
	if (r < 0)
		return r;
	r = k_fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	fd = r < 0 ? r : k_fsmount(fs_fd, FSMOUNT_CLOEXEC, (unsigned int)mount->attr_set);
	if (fd >= 0)
		return fd;
	r = explain_mount(plan, mount, fd, err);
	if (err->hint[0] == '\0')
		hint_fs_message(fs_fd, err);
	return r;
}

static int new_filesystem(const struct rootfs *rootfs, const struct plan_mount *mount, int target_fd,
			  struct err *err)
{
	const struct plan *plan = rootfs->plan;
	int mode, fd, r = mode_of(mount, target_fd, &mode);

	if (r < 0)
		return err_system(err, r, "cannot stat mount target '%s'", plan_get(plan, mount->target));
	if (!mount_has_long_option(plan, mount))
		return mount_by_fsconfig(plan, mount, mode, err);
	fd = mount_by_data(rootfs, mount, mode);
	return fd < 0 ? explain_mount(plan, mount, fd, err) : fd;
}

/* If a new cgroup2 mount is not allowed: binds the cgroup that it would show from the host's mount. */
static int cgroup_fallback(const struct rootfs *rootfs, const struct plan_mount *mount, struct err *err)
{
	_cleanup_fd_ int fd = -1;
	int r;

	if (rootfs->host_cgroup_fd < 0)
		return -ENOENT;
	fd = k_open_tree(rootfs->host_cgroup_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (fd < 0)
		return err_system(err, fd, "cannot bind a cgroup of the host on '%s'",
				  plan_get(rootfs->plan, mount->target));
	r = mount_set(fd, mount->attr_set | (mount->is_fallback_readonly ? MOUNT_ATTR_RDONLY : 0), 0,
		      MS_PRIVATE, false);
	if (r < 0)
		return err_system(err, r, "cannot set the attributes of the mount on '%s'",
				  plan_get(rootfs->plan, mount->target));
	return take_fd(&fd);
}

/*
 * Binds the host's /sys. A new sysfs needs the user namespace that owns the network namespace; a container that
 * shares the caller's network namespace has the same devices as the host. The copy is recursive, because mounts
 * below /sys are locked to it (mount_namespaces(7)).
 */
static int host_sysfs(const struct plan_mount *mount, struct err *err)
{
	const uint64_t flags = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC |
			       MOUNT_ATTR_NOSYMFOLLOW;
	_cleanup_fd_ int fd = k_open_tree(AT_FDCWD, "/sys", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	struct statfs fs;
	int r = fd < 0 ? fd : k_fstatfs(fd, &fs);

	if (r >= 0 && fs.f_type != SYSFS_MAGIC)
		r = -ENODEV;
	if (r < 0)
		return err_system(err, r, "cannot bind the host's /sys");
	r = mount_set(fd, mount->attr_set & flags, 0, MS_PRIVATE, true);
	if (r < 0)
		return err_system(err, r, "cannot set the attributes of the host's /sys");
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

/* Opens a new file system. target_fd: the directory that it will cover, or -1 if that was created for it. */
static int open_mount(struct rootfs *rootfs, const struct plan_mount *mount, int target_fd, struct err *err)
{
	int fd, r;

	if (mount->is_cgroup_shared)
		return cgroup_fallback(rootfs, mount, err);
	fd = new_filesystem(rootfs, mount, target_fd, err);
	if (fd >= 0 && mount->label != 0) {
		r = label_root_directory(fd, plan_get(rootfs->plan, mount->label), err);
		if (r < 0)
			k_close(fd);
		return r < 0 ? r : fd;
	}
	if (fd == -EPERM && mount->is_host_sysfs)
		return host_sysfs(mount, err);
	if ((fd == -EPERM || fd == -EBUSY) && mount->is_cgroup) {
		int bound = cgroup_fallback(rootfs, mount, err);

		fd = bound == -ENOENT ? fd : bound;
	}
	return fd;
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
	fd = mount->is_bind ? rootfs->slot_base + mount->source_slot : -1;
	target_fd = open_target(rootfs, mount, fd < 0 || is_directory_fd(fd), &target, err);
	if (target_fd < 0)
		return target_fd;
	if (fd < 0) {
		fd = own_fd = open_mount(rootfs, mount, target.is_new ? -1 : target_fd, err);
		if (fd < 0)
			return fd;
	}
	if (!mount->is_bind && mount->idmap_slot != PLAN_NO_SLOT) {
		int userns_fd = rootfs->slot_base + mount->idmap_slot;

		r = mount_idmap(fd, userns_fd, false);
		if (r < 0) {
			r = err_system(err, r, "cannot map the ids of the mount on '%s'",
				       plan_get(rootfs->plan, mount->target));
			mount_hint_idmap(fd, userns_fd, false, r, err);
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
