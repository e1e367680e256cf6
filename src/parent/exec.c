/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent's steps that only an exec has. Process: the parent, as in child.c, of the new process alone; the
 * container was created by another one.
 */
#include <errno.h>
#include <fcntl.h>

#include <tare/container.h>
#include <tare/protocol.h>

#include "steps.h"

void exec_init(struct exec *exec, const struct exec_options *options)
{
	*exec = (struct exec){.options = options,
			      .container = {.root_fd = -1, .dir_fd = -1},
			      .container_pidfd = -1,
			      .mount_fd = -1,
			      .listener_fd = -1};
	child_init(&exec->child);
	exec->child.is_exec = true;
	exec->child.is_interruptible = options->is_ignoring_paused;
}

void exec_done(struct exec *exec)
{
	child_done(&exec->child);
	fd_close(&exec->container_pidfd);
	fd_close(&exec->mount_fd);
	fd_close(&exec->listener_fd);
	mem_free(&exec->mounts);
	container_done(&exec->container);
	mem_free(&exec->plan);
}

int parent_exec_open_container(struct exec *exec, const struct plan_step *step, struct err *err)
{
	const struct plan_container *container = &step->u.container;
	const char *root = plan_get(exec->plan, container->root);
	int fd;

	exec->child.slots[container->slot] = take_fd(&exec->container_pidfd);
	if (container->root_slot == PLAN_NO_SLOT)
		return 0;
	fd = k_openat(AT_FDCWD, root, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return err_system(err, fd, "cannot open the container's root '%s'", root);
	exec->child.slots[container->root_slot] = fd;
	return 0;
}

/*
 * Whether the new process would not run until its cgroup is thawed, and this process would wait for its execve.
 * 1, 0, or -errno with *err.
 */
static int is_blocked_by_freezer(const struct exec *exec, struct err *err)
{
	int r = exec->options->is_ignoring_paused ? 0 : cgroup_is_frozen(exec->child.cgroup_fd);

	return r < 0 ? err_system(err, r, "cannot tell whether the container is paused") : r;
}

/*
 * Opens the cgroup that the container's init is in, below the recorded one: for a recorded cgroup that cannot
 * hold processes or was removed. -ENOENT, without *err, if the caller named a cgroup.
 */
static int open_init_cgroup(struct exec *exec, struct err *err)
{
	const struct state_record *record = &exec->container.record;
	char path[1024];
	int r, fd;

	/* A cgroup that the caller named is not replaced by another one. */
	if (exec->options->cgroup != NULL)
		return -ENOENT;
	r = container_cgroup_of(record->pid, path, sizeof path);
	if (r < 0)
		return err_system(err, r, "cannot read the cgroup of the container's init");
	if (!path_is_below(path, record->cgroup_path))
		return err_set(err, ERR_STATE, 0, NULL,
			       "the container's init is in cgroup '%s', which is outside of '%s'", path,
			       record->cgroup_path);
	fd = cgroup_open(exec->mount_fd, path, err);
	if (fd < 0)
		return fd;
	fd_close(&exec->child.cgroup_fd);
	exec->child.cgroup_fd = fd;
	r = is_blocked_by_freezer(exec, err);
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
static int is_original(const struct exec *exec, int cgroup_fd, struct err *err)
{
	uint64_t inode = 0;
	int r = exec->container.record.cgroup_inode == 0 ? 0 : cgroup_inode(cgroup_fd, &inode);

	if (r < 0)
		return err_system(err, r, "cannot inspect the container's cgroup");
	return exec->container.record.cgroup_inode == inode;
}

static int open_container_cgroup(struct exec *exec, const char *path, struct err *err)
{
	const char *own = exec->container.record.cgroup_path;
	_cleanup_fd_ int fd = -1;
	int is_container;

	exec->mount_fd = cgroup_open_mount(exec->container.record.cgroup_mount, err);
	if (exec->mount_fd < 0)
		return exec->mount_fd;
	fd = cgroup_open(exec->mount_fd, own, err);
	is_container = fd < 0 ? 0 : is_original(exec, fd, err);
	if (is_container < 0)
		return is_container;
	/* An init that manages cgroups itself may have left and removed the one in which it was started. */
	if ((fd == -ENOENT || (fd >= 0 && !is_container)) && exec->options->cgroup == NULL)
		return open_init_cgroup(exec, err);
	if (fd >= 0 && !is_container)
		return err_set(err, ERR_STATE, 0, NULL,
			       "cgroup not exist: what is in its place is not the container's");
	if (fd >= 0 && exec->options->cgroup != NULL) {
		fd_close(&fd);
		fd = cgroup_open(exec->mount_fd, path, err);
	}
	if (fd < 0)
		return fd;
	exec->child.cgroup_fd = take_fd(&fd);
	return 0;
}

int parent_exec_open_cgroup(struct exec *exec, const struct plan_step *step, struct err *err)
{
	int r = open_container_cgroup(exec, plan_get(exec->plan, step->u.text), err);

	if (r >= 0)
		r = is_blocked_by_freezer(exec, err);
	if (r <= 0)
		return r;
	err_set(err, ERR_STATE, 0, NULL, "cannot exec in a paused container");
	err_hint(err, "resume it, or use --ignore-paused: the process then starts when it is resumed");
	return -EINVAL;
}

/*
 * The cgroup may have enabled controllers for its children (cgroups(7), "no internal processes"): init has
 * moved to one of them then.
 */
int parent_exec_spawn(struct exec *exec, const struct plan_step *step, struct err *err)
{
	int r = spawn_init(&exec->child, step, err);

	if ((r == -EBUSY || r == -EOPNOTSUPP) && open_init_cgroup(exec, err) >= 0)
		r = spawn_init(&exec->child, step, err);
	return r;
}

static int send_listener(const struct exec *exec, int fd, struct err *err)
{
	const struct container *container = &exec->container;
	enum state_status status;
	int r = state_status(container->dir_fd, &container->record, &status, err);

	return r < 0 ? r : listener_send(&exec->child, fd, &container->record, status, err);
}

/*
 * The bridge loads the filter before it starts its child. The agent receives the pid of the child, so until
 * that is known this process keeps the listener and answers the bridge's calls. The bridge is no process of the
 * container, and the container cannot reach it.
 */
int parent_exec_listener(struct exec *exec, const struct plan_step *step, struct err *err)
{
	_cleanup_fd_ int fd = -1;
	int r = listener_take(&exec->child, &fd, err);

	(void)step;
	if (r >= 0 && exec->child.pidfd < 0)
		exec->listener_fd = take_fd(&fd);
	else if (r >= 0)
		r = send_listener(exec, fd, err);
	return r < 0 ? r : listener_confirm(&exec->child, err);
}

/* Waits for INIT_STARTED, and meanwhile answers for a listener that was kept. */
static int expect_init(struct exec *exec, struct err *err)
{
	int r = exec->listener_fd < 0 ? 0 : listener_answer(&exec->child, exec->listener_fd, err);

	if (r >= 0)
		r = spawn_expect_init(&exec->child, err);
	if (r < 0 || exec->listener_fd < 0)
		return r;
	r = send_listener(exec, exec->listener_fd, err);
	fd_close(&exec->listener_fd);
	return r;
}

static int commit(struct exec *exec, struct err *err)
{
	return parent_announce(&exec->child, &exec->options->common, "setns", err);
}

/* The kernel confirms no id; but only the mounts that it names can be removed later, and only in the container.
 */
static int expect_mounted(struct exec *exec, const struct plan_step *step, struct err *err)
{
	int64_t id = 0;
	int r = parent_expect_message(&exec->child, step, &id, err);

	if (r < 0)
		return r;
	exec->mounts = mem_resize(exec->mounts, (exec->mount_count + 1) * sizeof *exec->mounts);
	exec->mounts[exec->mount_count++] = (uint64_t)id;
	return 0;
}

int parent_exec_expect(struct exec *exec, const struct plan_step *step, struct err *err)
{
	if (step->u.step == STEP_MOUNTED)
		return expect_mounted(exec, step, err);
	return step->u.step == STEP_INIT_STARTED ? expect_init(exec, err)
						 : parent_expect_message(&exec->child, step, NULL, err);
}

int parent_exec_send(struct exec *exec, const struct plan_step *step, struct err *err)
{
	int r = step->u.step == STEP_COMMITTED ? commit(exec, err) : 0;

	return r < 0 ? r : parent_step_send(&exec->child, step, err);
}
