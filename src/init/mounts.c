/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps that only a change of the mounts of an existing container has. Only the program of such a change is
 * linked with them (mounts_main.c), so that they cost a creation nothing.
 *
 * Process: child of the parent, runs from the sealed memfd, in the cgroup and the pid namespace of the caller.
 * Non-dumpable before it enters the container's other namespaces, with all capabilities there. It has the mount
 * sources and a procfs of the host open until it exits, and executes no program. The container's processes run
 * meanwhile, and may be hostile: it looks up paths of the container from the container's root only, and then
 * uses descriptors.
 */
#include <errno.h>
#include <fcntl.h>

#include <tare/protocol.h>

#include "walker.h"

int init_enter(struct walker *walker, const struct plan_step *step, struct err *err)
{
	int r = bridge_enter_namespaces(walker, &step->u.container, err);

	if (r < 0)
		return r;
	fd_close(&walker->rootfs.fd);
	walker->rootfs.fd = k_openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	return walker->rootfs.fd < 0 ? err_system(err, walker->rootfs.fd, "cannot open the container's root")
				     : 0;
}

static int report(const struct walker *walker, int fd, struct err *err)
{
	struct place_identity mount;
	int r = place_identify(fd, &mount);

	if (r >= 0)
		r = protocol_send(walker->socket_fd, STEP_MOUNTED, (int64_t)mount.mount, NULL, -1);
	return r < 0 ? err_system(err, r, "cannot report the mount") : 0;
}

int init_report_mount(struct walker *walker, const struct plan_step *step, struct err *err)
{
	int base = walker->rootfs.slot_base;
	int fd = k_dup3(base + step->u.added.mount_slot, base + step->u.added.slot, O_CLOEXEC);

	return fd < 0 ? err_system(err, fd, "cannot keep the mount open") : report(walker, fd, err);
}

int init_find_mount(struct walker *walker, const struct plan_step *step, struct err *err)
{
	_cleanup_fd_ int fd = mount_find(&walker->rootfs, &step->u.removed, err);
	int r;

	if (fd < 0)
		return fd;
	r = k_dup3(fd, walker->rootfs.slot_base + step->u.removed.slot, O_CLOEXEC);
	return r < 0 ? err_system(err, r, "cannot keep the mount open") : 0;
}

static int unmount(const struct walker *walker, int32_t slot)
{
	const struct plan_step *proc = plan_find(walker->plan, PLAN_OPEN_PROC);

	return mount_remove(walker->rootfs.slot_base + proc->u.slot, walker->rootfs.slot_base + slot);
}

int init_unmount(struct walker *walker, const struct plan_step *step, struct err *err)
{
	int r = unmount(walker, step->u.slot);

	return r < 0 ? err_system(err, r, "cannot unmount it")
		     : report(walker, walker->rootfs.slot_base + step->u.slot, err);
}

int init_quit(struct walker *walker, const struct plan_step *step, struct err *err)
{
	(void)walker;
	(void)step;
	(void)err;
	k_exit(0);
}

void init_undo_mounts(struct walker *walker, struct err *err)
{
	const struct plan_step *steps = plan_steps(walker->plan);

	/* The current step, if it is a report, has failed after the mount was attached. */
	for (uint32_t i = walker->at + 1; i-- > 0;) {
		int r = steps[i].kind == PLAN_REPORT_MOUNT ? unmount(walker, steps[i].u.added.slot) : 0;

		/* EINVAL: the container has unmounted it. */
		if (r < 0 && r != -EINVAL)
			err_hint(err, "and the mount of %s could not be unmounted: error %d",
				 plan_get(walker->plan, steps[i].json_pointer), -r);
	}
}
