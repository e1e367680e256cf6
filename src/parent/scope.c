/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's cgroup as a scope of systemd: the steps PLAN_UNIT_*, and the placeholder, a process that
 * keeps the scope alive until init is ready. Process: the parent, as in child.c.
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

static int start_placeholder(struct placeholder *placeholder, pid_t *ret_pid, struct err *err)
{
	struct clone_args args = {.flags = CLONE_PIDFD,
				  .pidfd = (uint64_t)(uintptr_t)&placeholder->keeper_pidfd,
				  .exit_signal = SIGCHLD};
	_cleanup_fd_ int read_fd = -1, write_fd = -1;
	pid_t self = k_getpid();
	int fds[2], r = k_pipe2(fds, O_CLOEXEC);
	long pid;

	if (r < 0)
		return err_system(err, r, "cannot make a pipe to hold the unit");
	read_fd = fds[0];
	write_fd = fds[1];
	pid = k_clone_any(&args);
	if (pid == 0)
		run_keeper(write_fd, self);
	fd_close(&write_fd);
	if (pid < 0) {
		placeholder->keeper_pidfd = -1;
		return err_system(err, (int)pid, "cannot start a process to hold the unit");
	}
	if (k_read(read_fd, ret_pid, sizeof *ret_pid) != sizeof *ret_pid)
		return err_system(err, EAGAIN, "cannot start a process to hold the unit");
	placeholder->pidfd = k_pidfd_open(*ret_pid, 0);
	return placeholder->pidfd < 0
		       ? err_system(err, placeholder->pidfd, "cannot watch the process that holds the unit")
		       : 0;
}

/* The keeper exits after its child has exited, so the cgroup is without them then. */
static void kill_placeholder(struct placeholder *placeholder)
{
	if (placeholder->keeper_pidfd < 0)
		return;
	k_pidfd_send_signal(placeholder->pidfd < 0 ? placeholder->keeper_pidfd : placeholder->pidfd, SIGKILL);
	k_waitid(P_PIDFD, placeholder->keeper_pidfd, NULL, WEXITED);
	fd_close(&placeholder->pidfd);
	fd_close(&placeholder->keeper_pidfd);
}

/*
 * Opens the unit's cgroup: the one to which systemd has moved the placeholder, by its path in this process's
 * view. If the placeholder is in another cgroup, systemd has moved an unknown process into the unit, which must
 * not be stopped then.
 */
static int open_cgroup(struct creation *creation, pid_t placeholder, const char *unit, struct err *err)
{
	struct state_record *record = &creation->record;
	_cleanup_free_ char *identity = state_identity(record);
	char path[1024];
	const char *name;
	int r = container_cgroup_of(placeholder, path, sizeof path), fd;

	creation->has_unit = r < 0;
	if (r < 0)
		return err_system(err, r, "cannot read the cgroup of unit %s", unit);
	name = strrchr(path, '/');
	/* systemd puts "_" before the name of a cgroup that could be the name of one of the kernel's files. */
	if (name == NULL || !str_equal(name + 1 + (name[1] == '_'), unit))
		return err_set(err, ERR_SYSTEM, 0, NULL,
			       "unit %s has started, but its process is in cgroup '%s'", unit, path),
		       -EIO;
	creation->has_unit = creation->has_cgroup = true;
	mem_free(&record->cgroup_path);
	record->cgroup_path = mem_dup(path);
	creation->mount_fd = cgroup_open_mount(creation->draft.host.cgroup_mount, err);
	if (creation->mount_fd < 0)
		return creation->mount_fd;
	fd = creation->child.cgroup_fd = cgroup_open(creation->mount_fd, path, err);
	if (fd < 0)
		return fd;
	r = cgroup_inode(fd, &record->cgroup_inode);
	if (r < 0)
		return err_system(err, r, "cannot inspect the cgroup of unit %s", unit);
	return cgroup_owner_set(fd, identity, 0, err);
}

int parent_create_unit_start(struct creation *creation, const struct plan_step *step, struct err *err)
{
	const struct plan *plan = creation->draft.plan;
	_cleanup_free_ char *description = state_identity(&creation->record);
	struct unit_start call = {.plan = plan,
				  .unit = &step->u.unit,
				  .description = description,
				  .signal_fd = creation->child.signal_fd};
	int r = start_placeholder(&creation->placeholder, &call.pid, err);

	if (r < 0)
		return r;
	r = unit_start(&call, &creation->has_unit, err);
	return r < 0 ? r : open_cgroup(creation, call.pid, plan_get(plan, step->u.unit.name), err);
}

/*
 * The placeholder counts against the limit of processes. A limit below 2 is written later, and the program can
 * start no process with it anyway.
 */
static int raise_pids_limit(struct creation *creation, struct err *err)
{
	const struct spec_int *limit = &creation->draft.spec->resources.pids_limit;
	char text[24];
	int len, r;

	if (!limit->is_set || limit->value < 2 || limit->value == INT64_MAX)
		return 0;
	len = str_format(text, sizeof text, "%lld", (long long)limit->value + 1);
	r = io_write_file(creation->child.cgroup_fd, "pids.max", text, (size_t)len);
	creation->has_raised_pids = r >= 0;
	return r < 0 ? err_system(err, r, "cannot write pids.max of the unit") : 0;
}

/* For a report of this process, the placeholder stays until the last counters are read. */
int parent_create_release_placeholder(struct creation *creation, const struct plan_step *step, struct err *err)
{
	const struct draft *draft = &creation->draft;

	(void)step;
	if (draft->request.is_run && !draft->options->common.is_detached &&
	    supervise_has_report(&draft->supervise)) {
		creation->is_unit_held = true;
		return raise_pids_limit(creation, err);
	}
	kill_placeholder(&creation->placeholder);
	return 0;
}

void parent_release_placeholder(struct creation *creation)
{
	kill_placeholder(&creation->placeholder);
}

/*
 * systemd writes all files of the unit's cgroup when it sets properties, and rounds values. So the files get
 * their previous contents again.
 */
int parent_step_unit_set(struct child *child, const struct plan_step *step, struct err *err)
{
	_cleanup_cgroup_saved_ struct cgroup_saved kept;
	int r;

	cgroup_snapshot(child->cgroup_fd, &kept);
	r = unit_set_properties(child->plan, &step->u.unit, child->signal_fd, err);
	return r < 0 ? r : cgroup_write_snapshot(&kept, err);
}

int scope_undo(struct creation *creation, struct err *err)
{
	int r;

	kill_placeholder(&creation->placeholder);
	r = creation->has_unit ? unit_stop(&creation->record, err) : 0;
	creation->has_unit = false;
	return r;
}
