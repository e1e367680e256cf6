/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Masked and read-only paths (runtime-spec config-linux.md, "Masked Paths", "Readonly Paths"). Process: init,
 * as the container's root.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <tare/sys.h>

static int attach_copy(int from_fd, int target_fd, bool is_recursive)
{
	_cleanup_fd_ int fd = k_open_tree(from_fd, "",
					  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH |
						  (is_recursive ? AT_RECURSIVE : 0));

	if (fd < 0)
		return fd;
	return k_move_mount(fd, "", target_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

/* Masked directories share one superblock: the first gets the new tmpfs, the others copies of that mount. */
int rootfs_attach_empty(struct rootfs *rootfs, int target_fd)
{
	_cleanup_fd_ int fs_fd = -1, fd = -1;
	int r;

	if (rootfs->empty_fd >= 0)
		return attach_copy(rootfs->empty_fd, target_fd, false);
	fs_fd = k_fsopen("tmpfs", FSOPEN_CLOEXEC);
	if (fs_fd < 0)
		return fs_fd;
	r = k_fsconfig(fs_fd, FSCONFIG_SET_STRING, "nr_inodes", "2", 0);
	if (r >= 0)
		r = k_fsconfig(fs_fd, FSCONFIG_SET_STRING, "nr_blocks", "1", 0);
	if (r >= 0)
		r = k_fsconfig(fs_fd, FSCONFIG_SET_STRING, "mode", "0755", 0);
	if (r >= 0 && rootfs->plan->mount_context != 0)
		r = mount_set_option(fs_fd, plan_get(rootfs->plan, rootfs->plan->mount_context));
	if (r >= 0)
		r = k_fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	fd = r < 0 ? r
		   : k_fsmount(fs_fd, FSMOUNT_CLOEXEC,
			       MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (fd < 0)
		return fd;
	r = k_move_mount(fd, "", target_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
	if (r < 0)
		return r;
	rootfs->empty_fd = take_fd(&fd);
	return 0;
}

/*
 * The copy of the host's /dev/null can be attached once; the other masks are copied from that mount. Its inode
 * is the host's, and the container's root may be its owner: so the mount is read-only, and no process of the
 * container can change the inode's mode. Writing to a device is possible on a read-only mount.
 */
static int attach_null(struct rootfs *rootfs, int target_fd)
{
	int r;

	if (rootfs->is_null_attached)
		return attach_copy(rootfs->null_fd, target_fd, false);
	r = mount_set(rootfs->null_fd, MOUNT_ATTR_RDONLY, 0, 0, false);
	if (r < 0)
		return r;
	r = k_move_mount(rootfs->null_fd, "", target_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
	rootfs->is_null_attached = r >= 0;
	return r;
}

/* A path that does not exist needs no protection; ENOTDIR means that as well. */
static bool is_missing(int fd)
{
	return fd == -ENOENT || fd == -ENOTDIR;
}

/*
 * Opens a path of the container. *ret_fd is -1 if the path does not exist. 1 if it is the container's root, 0
 * if not, or -errno.
 */
static int open_path(struct rootfs *rootfs, const char *path, int *ret_fd)
{
	const struct path_place place = place_find(rootfs, path);
	struct place_identity identity;
	int fd = path_open(&place, O_PATH), r;

	*ret_fd = fd < 0 ? -1 : fd;
	if (fd < 0)
		return is_missing(fd) ? 0 : fd;
	r = place_identify(fd, &identity);
	return r < 0 ? r : bind_check_is_root(rootfs, &identity);
}

int rootfs_mask(struct rootfs *rootfs, const char *path, struct err *err)
{
	_cleanup_fd_ int fd = -1;
	struct stat st;
	int r = open_path(rootfs, path, &fd);

	if (r == 0 && fd < 0)
		return 0;
	if (r > 0)
		return err_set(err, ERR_CONFIG, 0, NULL, "cannot mask '%s': it is the container's root", path);
	if (r >= 0)
		r = k_fstat(fd, &st);
	if (r >= 0)
		r = S_ISDIR(st.st_mode) ? rootfs_attach_empty(rootfs, fd) : attach_null(rootfs, fd);
	return r < 0 ? err_system(err, r, "cannot mask '%s'", path) : 0;
}

int rootfs_readonly_path(struct rootfs *rootfs, const char *path, struct err *err)
{
	_cleanup_fd_ int fd = -1, tree_fd = -1;
	int r = open_path(rootfs, path, &fd);

	if (r == 0 && fd < 0)
		return 0;
	if (r < 0)
		return err_system(err, r, "cannot open '%s' to make it read-only", path);
	/* No path leads to a mount that covers the root: the root and all mounts below become read-only. */
	if (r > 0) {
		r = mount_set(fd, MOUNT_ATTR_RDONLY, 0, 0, true);
		return r < 0 ? err_system(err, r, "cannot make '%s' read-only", path) : 0;
	}
	tree_fd = k_open_tree(fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
	r = tree_fd < 0 ? tree_fd : mount_set(tree_fd, MOUNT_ATTR_RDONLY, 0, 0, true);
	if (r >= 0)
		r = k_move_mount(tree_fd, "", fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
	return r < 0 ? err_system(err, r, "cannot make '%s' read-only", path) : 0;
}
