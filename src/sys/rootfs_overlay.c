/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Covers the root file system by an overlay of a new tmpfs over it. The paths of the layers are relative to the
 * tmpfs, which is the working directory meanwhile: no path of the host or of the container is looked up.
 * overlayfs keeps the mounts of its layers, so that the tmpfs can be detached again.
 *
 * Process: init, before the mounts of the plan.
 */
#include <errno.h>
#include <fcntl.h>

#include <tare/sys.h>

static int make_tmpfs(uint64_t size)
{
	_cleanup_fd_ int fs_fd = k_fsopen("tmpfs", FSOPEN_CLOEXEC), fd = -1;
	static const char *const layers[] = {"lower", "upper", "work"};
	char text[24];
	int r = fs_fd;

	str_format(text, sizeof text, "%llu", (unsigned long long)size);
	if (r >= 0)
		r = k_fsconfig(fs_fd, FSCONFIG_SET_STRING, "size", text, 0);
	if (r >= 0)
		r = k_fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	fd = r < 0 ? r : k_fsmount(fs_fd, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV);
	r = fd;
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(layers); i++)
		r = k_mkdirat(fd, layers[i], 0755);
	return r < 0 ? r : take_fd(&fd);
}

/* The root file system itself stays where it is; a copy of its mount becomes the lower layer. */
static int attach_lower(int root_fd, int tmpfs_fd)
{
	_cleanup_fd_ int copy_fd =
		k_open_tree(root_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);

	return copy_fd < 0 ? copy_fd : k_move_mount(copy_fd, "", tmpfs_fd, "lower", MOVE_MOUNT_F_EMPTY_PATH);
}

/* In a user namespace, overlayfs may not use the attributes "trusted.*" (overlayfs.rst, "User xattr"). */
static int make_overlay(bool is_in_user_ns)
{
	static const char *const options[] = {"lowerdir=lower", "upperdir=upper", "workdir=work", "userxattr"};
	_cleanup_fd_ int fs_fd = k_fsopen("overlay", FSOPEN_CLOEXEC);
	int r = fs_fd;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(options) - !is_in_user_ns; i++)
		r = mount_set_option(fs_fd, options[i]);
	if (r >= 0)
		r = k_fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	return r < 0 ? r : k_fsmount(fs_fd, FSMOUNT_CLOEXEC, 0);
}

static int explain(int r, struct err *err)
{
	if (r == -ENODEV)
		return err_set(err, ERR_UNSUPPORTED, ENODEV, NULL,
			       "file system 'overlay' is not known to this kernel");
	return err_system(err, r, "cannot cover the root file system by an overlay");
}

int rootfs_overlay(struct rootfs *rootfs, const struct plan_overlay *overlay, struct err *err)
{
	_cleanup_fd_ int tmpfs_fd = make_tmpfs(overlay->size), fd = -1;
	struct mount_stage stage;
	int r, left;

	if (tmpfs_fd < 0)
		return err_system(err, tmpfs_fd, "cannot make a tmpfs");
	r = mount_stage_enter(&stage, rootfs->fd, tmpfs_fd);
	if (r >= 0)
		r = attach_lower(rootfs->fd, tmpfs_fd);
	if (r >= 0)
		r = fd = make_overlay(overlay->is_in_user_ns);
	left = mount_stage_leave(&stage);
	if (r >= 0)
		r = left;
	if (r >= 0)
		r = k_move_mount(fd, "", rootfs->fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
	if (r < 0)
		return explain(r, err);
	k_close(rootfs->fd);
	rootfs->fd = take_fd(&fd);
	return 0;
}
