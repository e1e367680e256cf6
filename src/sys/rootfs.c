/* SPDX-License-Identifier: Apache-2.0 */
/* Attaches the root file system, pivots to it, and creates devices and links in it. Process: init. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <tare/sys.h>

#ifndef MNT_DETACH
#define MNT_DETACH 2
#endif

/* --- root --- */

/* Opens the directory over which the root is attached: hooks find the container's mounts at its path. */
static int open_mount_point(const char *path)
{
	int fd = k_openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);

	/* If the owner of a directory is not mapped, access may be denied. "/" serves all but hooks. */
	return fd == -EACCES ? k_openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0) : fd;
}

static int open_host_null(struct err *err)
{
	_cleanup_fd_ int fd =
		k_open_tree(AT_FDCWD, "/dev/null", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
	struct stat st;
	int r = fd < 0 ? fd : k_fstat(fd, &st);

	if (r < 0)
		return err_system(err, r, "cannot open the host's /dev/null");
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
		return err_system(err, ENODEV, "the host's /dev/null is not the null device");
	return take_fd(&fd);
}

static int attach_at(const struct rootfs *rootfs, const struct plan_root *root, int point_fd)
{
	int fd = rootfs->slot_base + root->slot;
	/* In the peer group of the host's mount, mounts of the container would propagate to the host. */
	int r = mount_set(fd, 0, 0, root->is_slave ? MS_SLAVE : MS_PRIVATE, false);

	return r < 0 ? r
		     : k_move_mount(fd, "", point_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

int rootfs_attach(struct rootfs *rootfs, const struct plan_root *root, struct err *err)
{
	const char *path = plan_get(rootfs->plan, root->path);
	_cleanup_fd_ int point_fd = -1;
	int r;

	if (!root->has_mount_ns) {
		rootfs->fd = k_openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
		return rootfs->fd < 0 ? err_system(err, rootfs->fd, "cannot open root file system '%s'", path)
				      : 0;
	}
	r = chroot_make_slaves(rootfs, root->may_be_in_chroot, err);
	if (r < 0)
		return r;
	rootfs->null_fd = open_host_null(err);
	if (rootfs->null_fd < 0)
		return rootfs->null_fd;
	point_fd = open_mount_point(root->is_empty ? "/" : path);
	if (point_fd < 0)
		return err_system(err, point_fd, "cannot open root file system '%s'", path);
	r = attach_at(rootfs, root, point_fd);
	if (r == -ELOOP) {
		r = mount_copy_unpinned(rootfs, root->slot, err);
		if (r >= 0)
			r = attach_at(rootfs, root, point_fd);
	}
	if (r < 0)
		return err_system(err, r, "cannot attach root file system '%s'", path);
	rootfs->fd = k_fcntl(rootfs->slot_base + root->slot, F_DUPFD_CLOEXEC, 0);
	return rootfs->fd < 0 ? err_system(err, rootfs->fd, "cannot keep the root file system open") : 0;
}

static int pivot(struct err *err)
{
	int r;

	/* pivot_root(2): with "." for both, the old root is stacked on the new one, and is then unmounted. */
	r = k_pivot_root(".", ".");
	if (r < 0) {
		r = err_system(err, r, "cannot pivot to the root file system");
		if (r == -EINVAL)
			err_hint(err, "a host that runs from its initial ramdisk needs --no-pivot");
		return r;
	}
	r = k_umount2(".", MNT_DETACH);
	if (r < 0)
		return err_system(err, r, "cannot detach the host's root");
	return 0;
}

static int move_to_root(struct rootfs *rootfs, const struct plan_root *root, struct err *err)
{
	int r = host_mounts_hide(rootfs, root->proc_slot, err);

	if (r < 0)
		return r;
	r = k_fchdir(rootfs->fd);
	if (r >= 0)
		r = k_chroot(".");
	return r < 0 ? err_system(err, r, "cannot change to the root file system") : 0;
}

int rootfs_pivot(struct rootfs *rootfs, const struct plan_root *root, struct err *err)
{
	int r = rootfs->is_in_chroot ? chroot_leave(err) : 0;

	if (r < 0)
		return r;
	r = k_fchdir(rootfs->fd);
	if (r < 0)
		return err_system(err, r, "cannot change to the root file system");
	if (!root->has_mount_ns)
		r = k_chroot(".") < 0 ? err_system(err, EPERM, "cannot change the root directory") : 0;
	else if (root->is_no_pivot)
		r = move_to_root(rootfs, root, err);
	else
		r = pivot(err);
	if (r < 0)
		return r;
	r = k_chdir("/");
	return r < 0 ? err_system(err, r, "cannot change to the container's '/'") : 0;
}

/* --- devices and links --- */

static uint32_t device_file_type(const struct plan_device *device)
{
	return device->type == 'c' ? S_IFCHR : device->type == 'b' ? S_IFBLK : S_IFIFO;
}

static bool is_device(const struct stat *st, const struct plan_device *device)
{
	if ((st->st_mode & S_IFMT) != device_file_type(device))
		return false;
	return device->type == 'p' || st->st_rdev == makedev(device->major, device->minor);
}

static bool is_same_device(int dir_fd, const char *name, const struct plan_device *device)
{
	struct stat st;

	return k_fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) >= 0 && is_device(&st, device);
}

/*
 * Whether a mount of the configuration on exactly this path shows the device already: podman binds the devices
 * of the host for a privileged container of a user. Another mount on it would hide that one and its options. A
 * device of an image, which the kernel does not let a user namespace open, is no mount.
 */
static bool is_shown_by_mount(int fd, const struct stat *st, const struct plan_device *device)
{
	struct place_identity identity;

	if (device->is_node || device->has_mode || device->has_uid || device->has_gid || !is_device(st, device))
		return false;
	return place_identify(fd, &identity) >= 0 && identity.is_mount_root;
}

static int bind_device(struct rootfs *rootfs, const struct plan_device *device, int dir_fd, const char *name)
{
	_cleanup_fd_ int fd =
		k_openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	_cleanup_fd_ int target_fd = -1;
	struct stat st;
	int r;

	if (fd < 0 && fd != -EEXIST)
		return fd;
	target_fd = k_openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
	if (target_fd < 0)
		return target_fd;
	r = k_fstat(target_fd, &st);
	if (r < 0)
		return r;
	/* An empty file is a mount point that an earlier start has created in the same root file system. */
	if ((!S_ISREG(st.st_mode) || st.st_size > 0) && !is_device(&st, device))
		return -EEXIST;
	if (is_shown_by_mount(target_fd, &st, device))
		return 0;
	return k_move_mount(rootfs->slot_base + device->source_slot, "", target_fd, "",
			    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

static int make_device(const struct plan_device *device, int dir_fd, const char *name)
{
	int r = k_mknodat(dir_fd, name, device_file_type(device) | device->mode,
			  makedev(device->major, device->minor));

	if (r < 0)
		return r;
	if (device->uid != 0 || device->gid != 0)
		r = k_fchownat(dir_fd, name, device->uid, device->gid, AT_SYMLINK_NOFOLLOW);
	/* chown(2) clears the set-id bits. */
	if (r >= 0 && (device->mode & 07000) != 0)
		r = k_fchmodat(dir_fd, name, device->mode);
	return r;
}

/* Checks a device in a /dev of the host, which must not be changed. A link to the device is accepted. */
static int find_device(const struct rootfs *rootfs, const struct plan_device *device, struct err *err)
{
	const char *path = plan_get(rootfs->plan, device->path);
	const struct path_place place = place_find(rootfs, path);
	_cleanup_fd_ int fd = path_open(&place, O_PATH);
	struct stat st = {0};
	int r = fd < 0 ? fd : k_fstat(fd, &st);

	if (r >= 0 && !is_device(&st, device))
		r = err_set(err, ERR_SYSTEM, EEXIST, NULL,
			    "cannot find device '%s': the path leads to a different file", path);
	else if (r < 0)
		r = err_system(err, r, "cannot find device '%s'", path);
	if (r < 0)
		err_hint(err, "/dev is mounted from the host, and tare makes no devices in it");
	mount_hint_file(rootfs->fd, path, r, err);
	return r;
}

/* A device of the host must not be changed: it is an error if its mode or owner is not the requested one. */
static int check_bound(const struct rootfs *rootfs, const struct plan_device *device, struct err *err)
{
	const char *path = plan_get(rootfs->plan, device->path);
	struct stat st;
	int r;

	if (device->is_node || (!device->has_mode && !device->has_uid && !device->has_gid))
		return 0;
	r = k_fstat(rootfs->slot_base + device->source_slot, &st);
	if (r < 0)
		return err_system(err, r, "cannot stat device '%s'", path);
	if (device->has_mode && (st.st_mode & 07777) != device->mode)
		r = err_set(err, ERR_UNSUPPORTED, EPERM, NULL,
			    "cannot make device '%s' with mode %o: the host's has %o", path, device->mode,
			    (unsigned int)st.st_mode & 07777);
	else if ((device->has_uid && st.st_uid != device->uid) || (device->has_gid && st.st_gid != device->gid))
		r = err_set(err, ERR_UNSUPPORTED, EPERM, NULL,
			    "cannot make device '%s' with owner %u:%u: the host's has %u:%u here", path,
			    device->uid, device->gid, st.st_uid, st.st_gid);
	if (r < 0)
		err_hint(err,
			 "without root's rights a device is bound from the host: omit the mode or owner that "
			 "differs");
	return r;
}

int rootfs_device(struct rootfs *rootfs, const struct plan_device *device, struct err *err)
{
	const char *path = plan_get(rootfs->plan, device->path), *name;
	_cleanup_fd_ int dir_fd = -1;
	int r;

	if (device->is_found)
		return find_device(rootfs, device, err);
	r = device->is_bound ? check_bound(rootfs, device, err) : 0;
	if (r < 0)
		return r;
	dir_fd = bind_check_open_own_parent(rootfs, path, &name, err);
	if (dir_fd < 0)
		return dir_fd;
	r = bind_check_own(rootfs, dir_fd, path, err);
	/* The same device in the host's directory is sufficient. */
	if (r == -EXDEV && is_same_device(dir_fd, name, device))
		r = 0;
	if (r < 0)
		return r;
	r = device->is_bound ? bind_device(rootfs, device, dir_fd, name) : make_device(device, dir_fd, name);
	if (r == -EEXIST) {
		if (is_same_device(dir_fd, name, device))
			return 0;
		return err_set(err, ERR_SYSTEM, EEXIST, NULL,
			       "cannot make device '%s': a different file exists already", path);
	}
	return r < 0 ? err_system(err, r, "cannot make device '%s'", path) : 0;
}

static int write_file(int dir_fd, const char *name, const void *content, const struct plan_file *file)
{
	_cleanup_fd_ int fd =
		k_openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r = fd < 0 ? fd : io_write_all(fd, content, file->content.count);

	return r < 0 ? r : k_fchmod(fd, file->mode);
}

int rootfs_file(struct rootfs *rootfs, const struct plan_file *file, struct err *err)
{
	const char *path = plan_get(rootfs->plan, file->path), *name;
	const void *content = plan_rows(rootfs->plan, file->content);
	_cleanup_fd_ int dir_fd = bind_check_open_own_parent(rootfs, path, &name, err);
	int r = dir_fd < 0 ? dir_fd : bind_check_own(rootfs, dir_fd, path, err);

	if (r < 0)
		return r;
	r = write_file(dir_fd, name, content, file);
	if (r == -EEXIST && file->is_replacing) {
		r = k_unlinkat(dir_fd, name, 0);
		if (r >= 0)
			r = write_file(dir_fd, name, content, file);
	}
	return r < 0 ? err_system(err, r, "cannot make the file '%s'", path) : 0;
}

int rootfs_link(struct rootfs *rootfs, const struct plan_link *link, struct err *err)
{
	const char *path = plan_get(rootfs->plan, link->path), *target = plan_get(rootfs->plan, link->target);
	const char *needs = plan_get(rootfs->plan, link->needs), *name;
	_cleanup_fd_ int dir_fd = -1;
	int r;

	if (needs != NULL) {
		const struct path_place place = place_find(rootfs, needs);
		_cleanup_fd_ int fd = path_open(&place, O_PATH);

		if (fd < 0)
			return 0;
	}
	dir_fd = bind_check_open_own_parent(rootfs, path, &name, err);
	if (dir_fd < 0)
		return dir_fd;
	r = bind_check_own(rootfs, dir_fd, path, err);
	if (r < 0)
		return r;
	r = k_symlinkat(target, dir_fd, name);
	if (r == -EEXIST && link->is_replacing) {
		r = k_unlinkat(dir_fd, name, 0);
		if (r >= 0)
			r = k_symlinkat(target, dir_fd, name);
	}
	return r < 0 && r != -EEXIST ? err_system(err, r, "cannot make the link '%s'", path) : 0;
}
