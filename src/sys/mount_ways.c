/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes a new file system of the plan; if the kernel refuses it, in another way that shows no more than the
 * container may see. Masked and read-only paths of the configuration are set later, in whatever was mounted.
 * Process: init, before the pivot.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include <tare/sys.h>

#ifndef MQUEUE_MAGIC
#define MQUEUE_MAGIC 0x19800202 /* of ipc/mqueue.c */
#endif

/* If a new cgroup2 mount is not allowed: binds the cgroup that it would show from the host's mount. */
static int copy_cgroup(const struct rootfs *rootfs, const struct plan_mount *mount, struct err *err)
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

/* Mounts of the caller that can be copied. */
static const struct copied {
	const char *type, *path;
	long magic;
	uint32_t taken;
} copied[] = {
	{"proc", "/proc", PROC_SUPER_MAGIC, PLAN_TOOK_PROC_COPY},
	{"sysfs", "/sys", SYSFS_MAGIC, PLAN_TOOK_SYSFS_COPY},
	{"mqueue", "/dev/mqueue", MQUEUE_MAGIC, PLAN_TOOK_MQUEUE_COPY},
};

static const struct copied *find_copied(const char *type)
{
	size_t i = 0;

	while (!str_equal(copied[i].type, type))
		i++;
	return &copied[i];
}

/*
 * The mounts below become read-only: those of the host's cgroups and of binfmt_misc may be writable, and a new
 * file system would not have them.
 */
static int set_copied(int fd, const struct plan_mount *mount, bool is_readonly)
{
	const uint64_t attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC |
				    MOUNT_ATTR_NOSYMFOLLOW;
	int r = mount_set(fd, (mount->attr_set & attributes) | MOUNT_ATTR_RDONLY, 0, MS_PRIVATE, true);

	if (r < 0 || is_readonly || mount->is_fallback_readonly || (mount->attr_set & MOUNT_ATTR_RDONLY) != 0)
		return r;
	return mount_set(fd, 0, MOUNT_ATTR_RDONLY, 0, false);
}

/*
 * The copy is recursive: the mounts below are what masks parts of the original, or makes them read-only, and
 * the kernel keeps them locked to it (mount_namespaces(7)). -ENODEV: the caller has no such mount.
 */
static int copy_callers(struct rootfs *rootfs, const struct plan_mount *mount, struct err *err)
{
	const struct copied *c = find_copied(plan_get(rootfs->plan, mount->type));
	_cleanup_fd_ int fd =
		k_open_tree(AT_FDCWD, c->path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	struct statfs fs;
	int r = fd < 0 ? fd : k_fstatfs(fd, &fs);

	if (r >= 0 && fs.f_type != c->magic)
		r = -ENODEV;
	if (r < 0)
		return err_system(err, r, "cannot bind the caller's %s", c->path);
	r = set_copied(fd, mount, (fs.f_flags & ST_RDONLY) != 0);
	if (r < 0)
		return err_system(err, r, "cannot set the attributes of the bind of %s", c->path);
	rootfs->taken |= c->taken;
	return take_fd(&fd);
}

static int set_label(const struct rootfs *rootfs, const struct plan_mount *mount, int new_fd, struct err *err)
{
	_cleanup_fd_ int fd = new_fd;
	int r = fd >= 0 && mount->label != 0
			? label_root_directory(fd, plan_get(rootfs->plan, mount->label), err)
			: fd;

	return r < 0 ? r : take_fd(&fd);
}

/*
 * The kernel refuses a procfs in a mount namespace that belongs to another user namespace than the first one,
 * unless a procfs is visible there without locked mounts over parts of it. When a mount namespace is copied for
 * a new user namespace, all mounts in it become locked (mount_namespaces(7)). So the parent may succeed where
 * init does not: what covers its /proc it could also unmount. If it does not, the error is that of init.
 */
static int request_parent(const struct rootfs *rootfs, struct err *err)
{
	struct err other;
	int fd = rootfs->parent == NULL ? -EPERM : rootfs->parent->request(rootfs->parent, &other);

	if (fd < 0 && fd != -EPERM)
		*err = other;
	return fd;
}

static int make_new(const struct rootfs *rootfs, const struct plan_mount *mount, int target_fd, struct err *err)
{
	int fd = mount_new(rootfs, mount, target_fd, err);

	if (fd == -EPERM && (mount->ways & PLAN_WAY_PARENT) != 0)
		fd = request_parent(rootfs, err);
	return set_label(rootfs, mount, fd, err);
}

static int make_subset(struct rootfs *rootfs, const struct plan_mount *mount, int target_fd, struct err *err)
{
	struct plan_mount subset = *mount;
	int fd;

	subset.options = mount->subset_options;
	fd = mount_new(rootfs, &subset, target_fd, err);
	rootfs->taken |= fd < 0 ? 0 : PLAN_TOOK_PROC_SUBSET;
	return fd;
}

/* A caller without the file system has nothing to copy: the error is then that of the new one. */
static int make_copy(struct rootfs *rootfs, const struct plan_mount *mount, int refused, struct err *err)
{
	struct err other;
	int fd = copy_callers(rootfs, mount, &other);

	if (fd >= 0 || (fd != -ENODEV && fd != -ENOENT) || mount->ways == PLAN_WAY_COPY) {
		*err = other;
		return fd;
	}
	return refused;
}

int mount_make(struct rootfs *rootfs, const struct plan_mount *mount, int target_fd, struct err *err)
{
	int fd = -EPERM, copy;

	if (mount->is_cgroup_shared)
		return copy_cgroup(rootfs, mount, err);
	if ((mount->ways & PLAN_WAY_NEW) != 0)
		fd = make_new(rootfs, mount, target_fd, err);
	if (fd == -EPERM && (mount->ways & PLAN_WAY_SUBSET) != 0)
		fd = make_subset(rootfs, mount, target_fd, err);
	if (fd == -EPERM && (mount->ways & PLAN_WAY_COPY) != 0)
		fd = make_copy(rootfs, mount, fd, err);
	if ((fd == -EPERM || fd == -EBUSY) && mount->is_cgroup) {
		copy = copy_cgroup(rootfs, mount, err);
		rootfs->taken |= copy < 0 ? 0 : PLAN_TOOK_CGROUP_COPY;
		fd = copy == -ENOENT ? fd : copy;
	}
	return fd;
}
