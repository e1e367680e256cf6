/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's cgroup as a scope of systemd: the steps PLAN_UNIT_*, and the placeholder, a process that
 * keeps the scope alive until init is ready. Process: the parent, as in parent.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tare/container.h>
#include <tare/systemd.h>

#include "scope.h"
#include "steps.h"
#include "watch.h"

/*
 * systemd removes a unit that has no process, and its cgroup with the kernel's counters. init is started in
 * that cgroup, and if the OOM killer kills init, the parent reads so from the counters. Therefore another
 * process, the placeholder, is in the unit before init, and until init is ready.
 *
 * The OOM killer must not select the placeholder. It spares a process that runs in its parent's memory after
 * vfork(2). So there are two processes: the keeper, a copy of this process outside of the unit, and its child,
 * the placeholder. Both only wait, have no other descriptors, and are killed if the parent dies.
 */
static _Noreturn void run_keeper(int pipe_fd, pid_t parent)
{
	pid_t self = k_getpid(), pid;

	k_dup3(pipe_fd, 0, 0);
	k_close_range(1, ~0u, 0);
	child_die_with(parent);
	pid = vfork();
	if (pid == 0) {
		child_die_with(self);
		pid = k_getpid();
		k_write(0, &pid, sizeof pid);
		k_close(0);
		for (;;)
			pause();
	}
	k_waitid(P_PID, pid, NULL, WEXITED);
	k_exit(0);
}

static int start_placeholder(struct parent *parent, pid_t *ret_pid, struct err *err)
{
	struct clone_args args = {.flags = CLONE_PIDFD,
				  .pidfd = (uint64_t)(uintptr_t)&parent->keeper_pidfd,
				  .exit_signal = SIGCHLD};
	_cleanup_fd_ int read_fd = -1, write_fd = -1;
	pid_t self = k_getpid();
	int fds[2], r = k_pipe2(fds, O_CLOEXEC);
	long pid;

	if (r < 0)
		return err_system(err, r, "cannot make a pipe to hold the unit");
	read_fd = fds[0];
	write_fd = fds[1];
	pid = k_clone3(&args);
	if (pid == 0)
		run_keeper(write_fd, self);
	fd_close(&write_fd);
	if (pid < 0) {
		parent->keeper_pidfd = -1;
		return err_system(err, (int)pid, "cannot start a process to hold the unit");
	}
	if (k_read(read_fd, ret_pid, sizeof *ret_pid) != sizeof *ret_pid)
		return err_system(err, EAGAIN, "cannot start a process to hold the unit");
	parent->placeholder_pidfd = k_pidfd_open(*ret_pid, 0);
	return parent->placeholder_pidfd < 0 ? err_system(err, parent->placeholder_pidfd,
							  "cannot watch the process that holds the unit")
					     : 0;
}

/* The keeper exits after its child has exited, so the cgroup is without them then. */
static void kill_placeholder(struct parent *parent)
{
	if (parent->keeper_pidfd < 0)
		return;
	k_pidfd_send_signal(parent->placeholder_pidfd < 0 ? parent->keeper_pidfd : parent->placeholder_pidfd,
			    SIGKILL);
	k_waitid(P_PIDFD, parent->keeper_pidfd, NULL, WEXITED);
	fd_close(&parent->placeholder_pidfd);
	fd_close(&parent->keeper_pidfd);
}

/*
 * Opens the unit's cgroup: the one to which systemd has moved the placeholder, by its path in this process's
 * view. If the placeholder is in another cgroup, systemd has moved an unknown process into the unit, which must
 * not be stopped then.
 */
static int open_cgroup(struct parent *parent, pid_t placeholder, const char *unit, struct err *err)
{
	_cleanup_free_ char *identity = NULL;
	char path[1024];
	const char *name;
	int r = container_cgroup_of(placeholder, path, sizeof path);

	parent->has_unit = r < 0;
	if (r < 0)
		return err_system(err, r, "cannot read the cgroup of unit %s", unit);
	name = strrchr(path, '/');
	/* systemd puts "_" before the name of a cgroup that could be the name of one of the kernel's files. */
	if (name == NULL || !str_equal(name + 1 + (name[1] == '_'), unit))
		return err_set(err, ERR_SYSTEM, 0, NULL,
			       "unit %s has started, but its process is in cgroup '%s'", unit, path),
		       -EIO;
	parent->has_unit = parent->has_cgroup = true;
	mem_free(&parent->record.cgroup_path);
	parent->record.cgroup_path = mem_dup(path);
	parent->mount_fd = cgroup_open_mount(parent->host.cgroup_mount, err);
	if (parent->mount_fd < 0)
		return parent->mount_fd;
	parent->cgroup_fd = cgroup_open(parent->mount_fd, path, err);
	if (parent->cgroup_fd < 0)
		return parent->cgroup_fd;
	identity = state_identity(&parent->record);
	r = cgroup_inode(parent->cgroup_fd, &parent->record.cgroup_inode);
	if (r < 0)
		return err_system(err, r, "cannot inspect the cgroup of unit %s", unit);
	return cgroup_owner_set(parent->cgroup_fd, identity, 0, err);
}

static int start_unit(struct parent *parent, const struct plan_unit *unit, struct err *err)
{
	const char *name = plan_get(parent->plan, unit->name);
	_cleanup_free_ char *description = state_identity(&parent->record);
	struct unit_start call = {
		.plan = parent->plan, .unit = unit, .description = description, .signal_fd = parent->signal_fd};
	int r = start_placeholder(parent, &call.pid, err);

	if (r < 0)
		return r;
	r = unit_start(&call, &parent->has_unit, err);
	return r < 0 ? r : open_cgroup(parent, call.pid, name, err);
}

/*
 * systemd writes all files of the unit's cgroup when it sets properties, and rounds values. So the files get
 * their previous contents again.
 */
static int set_properties(struct parent *parent, const struct plan_unit *unit, struct err *err)
{
	_cleanup_cgroup_saved_ struct cgroup_saved kept;
	int r;

	cgroup_snapshot(parent->cgroup_fd, &kept);
	r = unit_set_properties(parent->plan, unit, parent->signal_fd, err);
	return r < 0 ? r : cgroup_write_snapshot(&kept, err);
}

int scope_step(struct parent *parent, const struct plan_step *step, struct err *err)
{
	switch ((enum plan_kind)step->kind) {
	case PLAN_UNIT_START:
		return start_unit(parent, &step->u.unit, err);
	case PLAN_RELEASE_PLACEHOLDER:
		kill_placeholder(parent);
		return 0;
	case PLAN_UNIT_SET:
		return set_properties(parent, &step->u.unit, err);
	case PLAN_UNIT_WATCH:
		return watch_start(parent, err);
	default:
		return err_set(err, ERR_PEER, EPROTO, NULL, "the parent has no step %u", step->kind);
	}
}

int scope_undo(struct parent *parent, struct err *err)
{
	int r;

	kill_placeholder(parent);
	r = parent->has_unit ? unit_stop(&parent->record, err) : 0;
	parent->has_unit = false;
	return r;
}
