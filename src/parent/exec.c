/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent's steps that only an exec has. Process: the parent, as in parent.c, of the new process alone; the
 * container was created by another one.
 */
#include <errno.h>
#include <fcntl.h>

#include <tare/container.h>

#include "steps.h"

int exec_open_container(struct parent *parent, const struct plan_step *step, struct err *err)
{
	const struct plan_container *container = &step->u.container;
	const char *root = plan_get(parent->plan, container->root);
	int fd;

	parent->slots[container->slot] = take_fd(&parent->container_pidfd);
	if (container->root_slot == PLAN_NO_SLOT)
		return 0;
	fd = k_openat(AT_FDCWD, root, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return err_system(err, fd, "cannot open the container's root '%s'", root);
	parent->slots[container->root_slot] = fd;
	return 0;
}

/*
 * Whether the new process would not run until its cgroup is thawed, and this process would wait for its execve.
 * 1, 0, or -errno with *err.
 */
static int is_blocked_by_freezer(const struct parent *parent, struct err *err)
{
	int r = parent->exec->is_ignoring_paused ? 0 : cgroup_is_frozen(parent->cgroup_fd);

	return r < 0 ? err_system(err, r, "cannot tell whether the container is paused") : r;
}

int exec_open_init_cgroup(struct parent *parent, struct err *err)
{
	const struct state_record *record = &parent->record;
	char path[1024];
	int r, fd;

	/* A cgroup that the caller named is not replaced by another one. */
	if (parent->exec->cgroup != NULL)
		return -ENOENT;
	r = container_cgroup_of(record->pid, path, sizeof path);
	if (r < 0)
		return err_system(err, r, "cannot read the cgroup of the container's init");
	if (!path_is_below(path, record->cgroup_path))
		return err_set(err, ERR_STATE, 0, NULL,
			       "the container's init is in cgroup '%s', which is outside of '%s'", path,
			       record->cgroup_path);
	fd = cgroup_open(parent->mount_fd, path, err);
	if (fd < 0)
		return fd;
	fd_close(&parent->cgroup_fd);
	parent->cgroup_fd = fd;
	r = is_blocked_by_freezer(parent, err);
	if (r <= 0)
		return r;
	err_set(err, ERR_STATE, 0, NULL,
		"cannot exec in a paused container: its init is in cgroup '%s', which is frozen", path);
	err_hint(err, "thaw it, or use --ignore-paused: the process then starts when it is thawed");
	return -EINVAL;
}

/*
 * Whether the cgroup is the one in which init was started; true if the record, of an older version, does not
 * have its inode. 1, 0, or -errno with *err.
 */
static int is_original(const struct parent *parent, int cgroup_fd, struct err *err)
{
	uint64_t inode = 0;
	int r = parent->record.cgroup_inode == 0 ? 0 : cgroup_inode(cgroup_fd, &inode);

	if (r < 0)
		return err_system(err, r, "cannot inspect the container's cgroup");
	return parent->record.cgroup_inode == inode;
}

static int open_container_cgroup(struct parent *parent, const char *path, struct err *err)
{
	const char *own = parent->record.cgroup_path;
	_cleanup_fd_ int fd = -1;
	int is_container;

	parent->mount_fd = cgroup_open_mount(parent->record.cgroup_mount, err);
	if (parent->mount_fd < 0)
		return parent->mount_fd;
	fd = cgroup_open(parent->mount_fd, own, err);
	is_container = fd < 0 ? 0 : is_original(parent, fd, err);
	if (is_container < 0)
		return is_container;
	/* An init that manages cgroups itself may have left and removed the one in which it was started. */
	if ((fd == -ENOENT || (fd >= 0 && !is_container)) && parent->exec->cgroup == NULL)
		return exec_open_init_cgroup(parent, err);
	if (fd >= 0 && !is_container)
		return err_set(err, ERR_STATE, 0, NULL,
			       "cgroup not exist: what is in its place is not the container's");
	if (fd >= 0 && parent->exec->cgroup != NULL) {
		fd_close(&fd);
		fd = cgroup_open(parent->mount_fd, path, err);
	}
	if (fd < 0)
		return fd;
	parent->cgroup_fd = take_fd(&fd);
	return 0;
}

int exec_open_cgroup(struct parent *parent, const struct plan_step *step, struct err *err)
{
	int r = open_container_cgroup(parent, plan_get(parent->plan, step->u.text), err);

	if (r >= 0)
		r = is_blocked_by_freezer(parent, err);
	if (r <= 0)
		return r;
	err_set(err, ERR_STATE, 0, NULL, "cannot exec in a paused container");
	err_hint(err, "resume it, or use --ignore-paused: the process then starts when it is resumed");
	return -EINVAL;
}

int exec_commit(struct parent *parent, struct err *err)
{
	const struct exec_options *o = parent->exec;
	const struct parent_announcement announcement = {o->console_socket, o->pidfd_socket, o->pid_file,
							 "setns"};

	return parent_announce(parent, &announcement, err);
}
