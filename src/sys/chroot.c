/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A caller in a chroot(2). A copy of its mount namespace has the mounts outside of the chroot, too, and the
 * root of the namespace is there. pivot_root(2) has to replace that root: setns(2) into the mount namespace
 * leads to it, for every exec and for every process of the container that may call it.
 *
 * Process: init, before the pivot. In a chroot the kernel refuses new user namespaces (clone(2), EPERM).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>

#include <tare/sys.h>

void chroot_hint_setns(int r, struct err *err)
{
	/* A filter refuses the call before the kernel looks at the descriptor. */
	if (k_setns(-1, 0) != -EBADF)
		err_hint(err, "a seccomp filter around tare refuses setns(2): its profile has to allow it");
	else if (r == -EPERM && user_lacks_capability(CAP_SYS_CHROOT))
		err_hint(err, "it needs CAP_SYS_CHROOT");
}

/* setns(2) into its own mount namespace sets the root and the working directory of a process to the root of the
 * namespace. */
static int enter_namespace_root(struct err *err)
{
	_cleanup_fd_ int self_fd = k_pidfd_open(k_getpid(), 0);
	int r = self_fd < 0 ? self_fd : k_setns(self_fd, CLONE_NEWNS);

	if (r >= 0)
		return 0;
	err_system(err, r, "cannot enter the root of the mount namespace");
	if (self_fd >= 0)
		chroot_hint_setns(r, err);
	return r;
}

static int make_slaves(void)
{
	struct mount_attr slave = {.propagation = MS_SLAVE};

	return k_mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &slave);
}

static int compare_roots(int root_fd, bool *ret_is_same)
{
	struct place_identity own, namespace;
	int r = place_identify(root_fd, &own);

	/* enter_namespace_root has made the root of the namespace the working directory, too. */
	if (r >= 0)
		r = place_identify(AT_FDCWD, &namespace);
	*ret_is_same = r >= 0 && own.mount == namespace.mount && own.inode == namespace.inode;
	return r;
}

/* Sets the root directory back to the one that it was, if that is not the root of the namespace. */
static int return_to(struct rootfs *rootfs, int root_fd)
{
	bool is_same = false;
	int r = compare_roots(root_fd, &is_same);

	if (r < 0 || is_same)
		return r;
	rootfs->is_in_chroot = true;
	r = k_fchdir(root_fd);
	return r < 0 ? r : k_chroot(".");
}

int chroot_make_slaves(struct rootfs *rootfs, bool may_be_in_chroot, struct err *err)
{
	_cleanup_fd_ int root_fd = -1;
	int r = 0;

	if (may_be_in_chroot) {
		root_fd = k_openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
		r = root_fd < 0 ? err_system(err, root_fd, "cannot open the root directory")
				: enter_namespace_root(err);
	}
	if (r < 0)
		return r;
	r = make_slaves();
	if (r >= 0 && may_be_in_chroot)
		r = return_to(rootfs, root_fd);
	return r < 0 ? err_system(err, r, "cannot make the mounts of the new namespace slaves") : 0;
}

int chroot_leave(struct err *err)
{
	return enter_namespace_root(err);
}
