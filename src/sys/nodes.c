/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Creates the devices of a container with a user namespace, in which no process can create any: the parent
 * creates them in a tmpfs, and init binds each to its path. Before Linux 6.15 open_tree(2) copies a part of a
 * mount only if that mount is attached in the caller's mount namespace, so init attaches the tmpfs for that
 * time.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <tare/sys.h>

#define NAME_SIZE 16

static void name_of(const struct plan_device *device, char ret[NAME_SIZE])
{
	str_format(ret, NAME_SIZE, "%d", device->source_slot);
}

int nodes_open(const struct plan *plan, struct err *err)
{
	_cleanup_fd_ int fs_fd = k_fsopen("tmpfs", FSOPEN_CLOEXEC);
	const char *context = plan_get(plan, plan->mount_context);
	int r = fs_fd < 0 ? fs_fd : 0, fd;

	if (r >= 0 && context != NULL)
		r = mount_set_option(fs_fd, context);
	if (r >= 0)
		r = k_fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	fd = r < 0 ? r : k_fsmount(fs_fd, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID);
	return fd < 0 ? err_system(err, fd, "cannot mount a tmpfs for the devices") : fd;
}

int nodes_make(const struct plan *plan, int fd, const struct plan_device *device, struct err *err)
{
	char name[NAME_SIZE];
	int r;

	name_of(device, name);
	r = k_mknodat(fd, name, (device->type == 'c' ? S_IFCHR : S_IFBLK) | device->mode,
		      makedev(device->major, device->minor));
	if (r >= 0)
		r = k_fchownat(fd, name, device->host_uid, device->host_gid, AT_SYMLINK_NOFOLLOW);
	/* The caller's umask has cleared mode bits, and chown(2) clears the set-id bits. */
	if (r >= 0)
		r = k_fchmodat(fd, name, device->mode);
	return r < 0 ? err_system(err, r, "cannot make device '%s'", plan_get(plan, device->path)) : 0;
}

static int copy_node(const struct rootfs *rootfs, int fd, const struct plan_device *device)
{
	_cleanup_fd_ int copy_fd = -1;
	char name[NAME_SIZE];

	name_of(device, name);
	copy_fd = k_open_tree(fd, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
	return copy_fd < 0 ? copy_fd : k_dup3(copy_fd, rootfs->slot_base + device->source_slot, O_CLOEXEC);
}

int nodes_copy(const struct rootfs *rootfs, int32_t slot, struct err *err)
{
	const struct plan_step *steps = plan_steps(rootfs->plan);
	int fd = rootfs->slot_base + slot, r, left;
	struct mount_stage stage;

	r = mount_stage_enter(&stage, rootfs->fd, fd);
	for (uint32_t i = 0; r >= 0 && i < rootfs->plan->step_count; i++)
		if (steps[i].kind == PLAN_DEVICE && steps[i].u.device.is_node)
			r = copy_node(rootfs, fd, &steps[i].u.device);
	left = mount_stage_leave(&stage);
	r = r < 0 ? r : left;
	return r < 0 ? err_system(err, r, "cannot copy the mounts of the container's devices") : 0;
}
