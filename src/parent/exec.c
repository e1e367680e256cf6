/* SPDX-License-Identifier: Apache-2.0 */
/* The parent's steps that only an exec has. Process: the parent, as in parent.c. */
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <tare/container.h>
#include <tare/notify.h>
#include <tare/sys.h>

#include "steps.h"

/* --- steps --- */

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
 * A process that is born into a frozen cgroup waits until that is thawed, and this one for its execve. 1, 0, or
 * -errno with *err.
 */
static int must_wait(const struct parent *parent, struct err *err)
{
	int r = parent->exec->is_ignoring_paused ? 0 : cgroup_is_frozen(parent->cgroup_fd);

	return r < 0 ? err_system(err, r, "cannot tell whether the container is paused") : r;
}

int exec_open_init_cgroup(struct parent *parent, struct err *err)
{
	const struct state_record *record = &parent->record;
	char path[1024];
	int r, fd;

	/* Somebody who names a cgroup means that one. */
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
	r = must_wait(parent, err);
	if (r <= 0)
		return r;
	err_set(err, ERR_STATE, 0, NULL,
		"cannot exec in a paused container: its init is in cgroup '%s', which is frozen", path);
	err_hint(err, "thaw it, or use --ignore-paused: the process then starts when it is thawed");
	return -EINVAL;
}

/* Whether it is the one that init was born into; of an older version's container that is not known. Or -errno.
 */
static int is_own(const struct parent *parent, int cgroup_fd, struct err *err)
{
	uint64_t inode = 0;
	int r = parent->record.cgroup_inode == 0 ? 0 : cgroup_inode(cgroup_fd, &inode);

	if (r < 0)
		return err_system(err, r, "cannot inspect the container's cgroup");
	return parent->record.cgroup_inode == inode;
}

static int open_own_cgroup(struct parent *parent, const char *path, struct err *err)
{
	const char *own = parent->record.cgroup_path;
	_cleanup_fd_ int fd = -1;
	int own_one;

	parent->mount_fd = cgroup_open_mount(parent->record.cgroup_mount, err);
	if (parent->mount_fd < 0)
		return parent->mount_fd;
	fd = cgroup_open(parent->mount_fd, own, err);
	own_one = fd < 0 ? 0 : is_own(parent, fd, err);
	if (own_one < 0)
		return own_one;
	/* An init that manages cgroups itself may have moved on and removed the one that it was born into. */
	if ((fd == -ENOENT || (fd >= 0 && !own_one)) && parent->exec->cgroup == NULL)
		return exec_open_init_cgroup(parent, err);
	if (fd >= 0 && !own_one)
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
	int r = open_own_cgroup(parent, plan_get(parent->plan, step->u.text), err);

	if (r >= 0)
		r = must_wait(parent, err);
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
