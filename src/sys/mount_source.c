/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens what is attached later: detached copies of mounts, with their attributes, and the private procfs.
 * Process: the parent or init.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include <tare/sys.h>

int mount_set(int fd, uint64_t set, uint64_t clear, uint64_t propagation, bool is_recursive)
{
	struct mount_attr attr = {.attr_set = set, .attr_clr = clear, .propagation = propagation};

	return k_mount_setattr(fd, "", AT_EMPTY_PATH | (is_recursive ? AT_RECURSIVE : 0), &attr);
}

int mount_idmap(int fd, int userns_fd, bool is_recursive)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns_fd};

	return k_mount_setattr(fd, "", AT_EMPTY_PATH | (is_recursive ? AT_RECURSIVE : 0), &attr);
}

/* Checks the device's type and number, because the path may be a link to another device. */
static int check_device(int fd, const struct plan_source *source, const char *path, struct err *err)
{
	struct stat st;
	int r = k_fstat(fd, &st);

	if (r < 0)
		return err_system(err, r, "cannot stat device '%s'", path);
	if ((!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode)) || major(st.st_rdev) != source->major ||
	    minor(st.st_rdev) != source->minor)
		return err_system(err, ENODEV, "'%s' is not the device %u:%u on this host", path, source->major,
				  source->minor);
	return 0;
}

static bool is_root_path(const struct plan *plan, const char *path)
{
	const struct plan_step *step = plan_find(plan, PLAN_ROOT);

	return step != NULL && str_equal(plan_get(plan, step->u.root.path), path);
}

/* The mode 0777 allows the container's root, with any id, to create mount points in it. */
static int open_empty(struct err *err)
{
	_cleanup_fd_ int fs_fd = k_fsopen("tmpfs", FSOPEN_CLOEXEC);
	int r = fs_fd < 0 ? fs_fd : k_fsconfig(fs_fd, FSCONFIG_SET_STRING, "mode", "0777", 0);
	int fd = r < 0 ? r : k_fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0);

	if (fd >= 0)
		fd = k_fsmount(fs_fd, FSMOUNT_CLOEXEC, 0);
	return fd < 0 ? err_system(err, fd, "cannot mount a tmpfs") : fd;
}

int mount_open_source(const struct plan *plan, const struct plan_source *source, int at_fd, int slot_base,
		      struct err *err)
{
	const char *path = plan_get(plan, source->path);
	_cleanup_fd_ int fd = -1;
	int r;

	if (source->is_empty)
		return open_empty(err);
	fd = k_open_tree(at_fd, at_fd >= 0 ? "" : path,
			 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (source->is_recursive ? AT_RECURSIVE : 0) |
				 (at_fd >= 0 ? AT_EMPTY_PATH : 0) |
				 (source->is_link ? AT_SYMLINK_NOFOLLOW : 0));
	if (fd < 0 && is_root_path(plan, path)) {
		r = err_system(err, fd, "cannot open the root file system '%s'", path);
		if (r == -ENOENT)
			err_hint(err, "root.path must be a directory with the container's files, such as an "
				      "unpacked image");
		return r;
	}
	if (fd < 0) {
		r = err_system(err, fd, "cannot open mount source '%s'", path);
		mount_hint_copy(&(struct mount_refused_copy){at_fd, path, source->is_recursive}, r, err);
		return r;
	}
	if (source->is_bind_of_device) {
		r = check_device(fd, source, path, err);
		if (r < 0)
			return r;
	}
	if (source->propagation != 0) {
		r = mount_set(fd, 0, 0, source->propagation, true);
		if (r < 0)
			return err_system(err, r, "cannot set the propagation of '%s'", path);
	}
	if (source->is_readonly) {
		r = mount_set(fd, MOUNT_ATTR_RDONLY, 0, 0, true);
		if (r < 0)
			return err_system(err, r, "cannot make a copy of '%s' read-only", path);
	}
	if (source->idmap_slot != PLAN_NO_SLOT) {
		int userns_fd = slot_base + source->idmap_slot;

		r = mount_idmap(fd, userns_fd, source->is_idmap_recursive);
		if (r < 0) {
			r = err_system(err, r, "cannot map the ids of mount source '%s'", path);
			mount_hint_idmap(&(struct mount_refused_idmap){fd, userns_fd, at_fd, path,
								       source->is_idmap_recursive},
					 r, err);
			return r;
		}
	}
	return take_fd(&fd);
}

bool mount_is_procfs(int fd)
{
	struct statfs fs;

	return k_fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

/*
 * An unprivileged caller cannot mount a procfs yet, and uses the /proc of its mount namespace. That can be
 * trusted: only a process with at least the caller's rights can have mounted it.
 */
static int open_own_proc(struct err *err)
{
	_cleanup_fd_ int fd = k_openat(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	int r = fd < 0 ? fd : mount_is_procfs(fd) ? 0 : -ENODEV;

	return r < 0 ? err_system(err, r, "cannot open the caller's /proc") : take_fd(&fd);
}

int mount_open_proc(struct err *err)
{
	_cleanup_fd_ int fs_fd = k_fsopen("proc", FSOPEN_CLOEXEC);
	int r, fd;

	if (fs_fd == -EPERM)
		return open_own_proc(err);
	if (fs_fd < 0)
		return err_system(err, fs_fd, "cannot make a procfs");
	r = k_fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	fd = r < 0 ? r
		   : k_fsmount(fs_fd, FSMOUNT_CLOEXEC,
			       MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (fd == -EPERM)
		return open_own_proc(err);
	if (fd < 0)
		return err_system(err, fd, "cannot make a procfs");
	return fd;
}
