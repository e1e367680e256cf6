/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies mount sources in which a mount namespace is pinned: unshare(1) --mount=FILE binds /proc/PID/ns/mnt to
 * a file. A copy that contains such a mount cannot be attached in a mount namespace that was created later than
 * the pinned one (ELOOP), because the namespaces could then keep each other alive. When the kernel copies a
 * whole mount namespace, it omits these mounts. So the source is copied again from such a namespace.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/wait.h>

#include <tare/sys.h>

#ifndef MNT_DETACH
#define MNT_DETACH 2
#endif

static const struct plan_source *find_source(const struct plan *plan, int32_t slot)
{
	const struct plan_step *steps = plan_steps(plan);

	for (uint32_t i = 0; i < plan->step_count; i++)
		if (steps[i].kind == PLAN_OPEN_SOURCE && steps[i].u.source.slot == slot)
			return &steps[i].u.source.source;
	return NULL;
}

static int copy_again(const struct rootfs *rootfs, int32_t slot, struct err *err)
{
	const struct plan_source *source = find_source(rootfs->plan, slot);
	_cleanup_fd_ int fd = -1;

	if (source == NULL)
		return -ELOOP;
	fd = mount_open_source(rootfs->plan, source, AT_FDCWD, rootfs->slot_base, err);
	return fd < 0 ? fd : k_dup3(fd, rootfs->slot_base + slot, O_CLOEXEC);
}

/*
 * Process: a child of init that shares its descriptors, in a mount namespace of its own. The container's root
 * is unmounted there first, because the source may contain the directory that it covers: the copy would contain
 * the container's mounts, with a /proc that is not masked yet.
 */
__attribute__((noreturn)) static void copy_without_root(const struct rootfs *rootfs, int32_t slot)
{
	const struct plan_step *root = plan_find(rootfs->plan, PLAN_ROOT);
	const char *path = plan_get(rootfs->plan, root->u.root.path);
	struct err ignored = {.kind = ERR_NONE};
	int r = (int)k_prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);

	if (r >= 0)
		r = str_equal(path, "/") ? -ELOOP : k_umount2(path, MNT_DETACH);
	if (r >= 0)
		r = copy_again(rootfs, slot, &ignored);
	k_exit(r < 0 ? -r : 0);
}

int mount_copy_unpinned(struct rootfs *rootfs, int32_t slot, struct err *err)
{
	struct clone_args args = {.flags = CLONE_NEWNS | CLONE_FILES | CLONE_PIDFD, .exit_signal = SIGCHLD};
	_cleanup_fd_ int pidfd = -1;
	siginfo_t info = {0};
	long pid;
	int r;

	/* No path leads from the mount namespace of an existing container to the source. */
	if (plan_find(rootfs->plan, PLAN_ROOT) == NULL)
		return -ELOOP;
	/* The root is not attached yet: the mount namespace of init is itself such a copy. */
	if (rootfs->fd < 0)
		return copy_again(rootfs, slot, err);
	args.pidfd = (uint64_t)(uintptr_t)&pidfd;
	pid = k_clone_any(&args);
	if (pid == 0)
		copy_without_root(rootfs, slot);
	if (pid < 0)
		return (int)pid;
	r = k_waitid(P_PIDFD, pidfd, &info, WEXITED);
	if (r < 0)
		return r;
	return info.si_code == CLD_EXITED ? -info.si_status : -ECHILD;
}
