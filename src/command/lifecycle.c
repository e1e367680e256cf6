/* SPDX-License-Identifier: Apache-2.0 */
/*
 * start, kill and delete: commands that change the status of an existing container. Process: the one that the
 * caller started; the container's init is not its child.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <tare/command.h>
#include <tare/container.h>
#include <tare/notify.h>

#include "private.h"
#include "supervisor.h"

#define LOCK_TIMEOUT_MS 10000
#define LOCK_AGAIN_MS 2000
#define FREEZE_TIMEOUT_MS 2000

/* --- start --- */

static int connect_gate(const struct container *container, struct err *err)
{
	_cleanup_fd_ int fd = k_socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int r;

	str_format(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/gate", container->dir_fd);
	r = fd < 0 ? fd : k_connect(fd, &address, sizeof address);
	return r < 0 ? err_system(err, r, "cannot connect to the container's init") : take_fd(&fd);
}

static int check_startable(const struct container *container, struct err *err)
{
	enum state_status status;
	int r = state_status(container->dir_fd, &container->record, &status, err);

	if (r < 0)
		return r;
	switch (status) {
	case STATE_CREATED:
		return 0;
	case STATE_STOPPED:
		return err_set(err, ERR_STATE, 0, NULL, "cannot start a container that has stopped");
	case STATE_CREATING:
		return err_set(err, ERR_STATE, 0, NULL, "cannot start a container that is not created yet");
	case STATE_PAUSED:
		err_set(err, ERR_STATE, 0, NULL, "cannot start a container in the paused state");
		err_hint(err, "resume it first");
		return -EINVAL;
	case STATE_RUNNING:
	case STATE_UNKNOWN:
		break;
	}
	return err_set(err, ERR_STATE, 0, NULL, "cannot start an already running container");
}

/* If the container was killed meanwhile, reports that instead of the error that followed from it. */
static int explain_start(int r, int pidfd, struct err *err)
{
	if ((r != -EPIPE && r != -ECONNREFUSED && r != -ECONNRESET && r != -ENOENT) ||
	    err->json_pointer[0] != '\0' || !pidfd_is_dying(pidfd))
		return r;
	return err_set(err, ERR_STATE, 0, NULL, "container not running: it ended before its program began");
}

/*
 * If a startContainer or poststart hook fails, the container is destroyed (runtime.md, "Lifecycle"). A
 * container with a program that cannot be executed stays, with the status "stopped".
 */
static int start(struct container *container, const struct spec *spec, int gate_fd, int pidfd, struct err *err)
{
	struct err later;
	int r = starter_start(gate_fd, pidfd, container->record.has_filter, err);
	bool is_hook = r < 0 && str_has_prefix(err->json_pointer, "/hooks/");

	r = explain_start(r, pidfd, err);
	k_unlinkat(container->dir_fd, "gate", 0);
	if (r >= 0 && container->record.has_poststart) {
		r = container_run_hooks(&container->record, spec, SPEC_HOOK_POSTSTART, err);
		is_hook = r < 0;
	}
	if (is_hook)
		(void)!container_destroy(container, &later);
	return r;
}

int command_start(const char *state_root, const char *id, struct err *err)
{
	_cleanup_container_ struct container container;
	_cleanup_notify_ struct notify notify = NOTIFY_NONE;
	_cleanup_spec_ struct spec *spec = NULL;
	_cleanup_fd_ int gate_fd = -1, pidfd = -1;
	int r = container_open(state_root, id, LOCK_TIMEOUT_MS, &container, err);

	if (r >= 0)
		r = check_startable(&container, err);
	if (r < 0)
		return r;
	pidfd = state_open_pidfd(&container.record, err);
	if (pidfd == -ESRCH)
		return err_set(err, ERR_STATE, 0, NULL, "cannot start a container that has stopped");
	if (pidfd < 0)
		return pidfd;
	if (container.record.has_poststart || !container.record.has_program)
		r = container_load_spec(&container, &spec, err);
	if (r < 0)
		return r;
	if (!container.record.has_program)
		return err_set(err, ERR_CONFIG, 0, spec->has_process ? "/process/args" : "/process",
			       "is missing");
	r = supervisor_check(container.dir_fd, &container.record, err);
	if (r < 0)
		return r;
	gate_fd = connect_gate(&container, err);
	if (gate_fd < 0)
		return explain_start(gate_fd, pidfd, err);
	r = notify_open(&notify, container.dir_fd, err);
	if (r < 0)
		return r;
	r = start(&container, spec, gate_fd, pidfd, err);
	if (r < 0)
		return r;
	/* The program may take any time until it is ready; other commands need the lock meanwhile. */
	fd_close(&container.dir_fd);
	notify_wait(&notify, pidfd, container.record.pid, NULL);
	notify_finish(&notify);
	return 0;
}

/* --- kill --- */

static int kill_init(const struct container *container, int signal, struct err *err)
{
	_cleanup_fd_ int pidfd = state_open_pidfd(&container->record, err);
	int r = pidfd < 0 ? pidfd : k_pidfd_send_signal(pidfd, signal);

	if (r == -ESRCH)
		return err_set(err, ERR_STATE, 0, NULL, "container not running"), -ESRCH;
	return pidfd >= 0 && r < 0 ? err_system(err, r, "cannot send signal %d", signal) : r;
}

/* Signals each process; one that is dead by now is no error. */
static int send_all(const pid_t *pids, int count, int signal, struct err *err)
{
	int result = 0;

	for (int i = 0; i < count; i++) {
		int r = k_kill(pids[i], signal);

		if (r < 0 && r != -ESRCH)
			result = err_system(err, r, "cannot send signal %d to process %d", signal, pids[i]);
	}
	return result;
}

static bool has_pid(const pid_t *pids, int count, pid_t pid)
{
	for (int i = 0; i < count; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

/*
 * Signals every process of the cgroup. The cgroup is frozen meanwhile, so that no process forks after the list
 * was made, and sealed, so that its owner cannot make the list endless with new cgroups. A paused container
 * stays frozen; one that cannot be frozen in time is signalled without that. init also gets the signal if it
 * was moved out of the cgroup.
 */
static int signal_cgroup(const struct container *container, int cgroup_fd, int signal, struct err *err)
{
	int is_paused = cgroup_is_frozen(cgroup_fd), count, r = 0, init = 0;
	_cleanup_free_ pid_t *pids = NULL;
	uint64_t all = ~0ull, old;
	bool is_frozen;
	struct cgroup_seal seal;
	struct err other;

	if (is_paused < 0)
		return err_system(err, is_paused, "cannot tell whether the container is paused");
	k_sigprocmask(SIG_SETMASK, &all, &old);
	is_frozen = !is_paused && cgroup_freeze(cgroup_fd, FREEZE_TIMEOUT_MS, &other) >= 0;
	cgroup_seal(cgroup_fd, &seal);
	count = cgroup_pids(cgroup_fd, &pids, err);
	cgroup_unseal(&seal);
	if (count >= 0)
		r = send_all(pids, count, signal, err);
	if (count < 0)
		r = count;
	else if (!has_pid(pids, count, container->record.pid))
		init = kill_init(container, signal, r < 0 ? &other : err);
	if (r >= 0 && init < 0 && init != -ESRCH)
		r = init;
	if (is_frozen)
		init = cgroup_thaw(cgroup_fd, LOCK_TIMEOUT_MS, r < 0 ? &other : err);
	k_sigprocmask(SIG_SETMASK, &old, NULL);
	return r < 0 || !is_frozen ? r : init;
}

/*
 * SIGKILL by cgroup.kill: no process escapes by forking, and frozen processes are killed, too. init is also
 * killed if it was moved out of the cgroup. If it is not visible in this pid namespace, it was in the cgroup.
 */
static int kill_cgroup(const struct container *container, int cgroup_fd, struct err *err)
{
	struct err other;
	int r = cgroup_kill(cgroup_fd, 0, err), init = kill_init(container, SIGKILL, &other);

	if (r < 0 && r != -ETIMEDOUT) /* kill does not wait until the processes are dead */
		return r;
	if (init >= 0 || init == -ESRCH || init == -EXDEV)
		return 0;
	*err = other;
	return init;
}

/* The stop signal of the image, by the annotation of runtime-spec config.md, or SIGTERM. */
static int stop_signal(const struct state_record *record)
{
	const char *name = state_annotation(record, "org.opencontainers.image.stopSignal");
	int signal = name == NULL ? 0 : signal_number(name);

	return signal > 0 ? signal : SIGTERM;
}

int command_kill(const char *state_root, const char *id, int signal, bool is_all, struct err *err)
{
	_cleanup_container_ struct container container;
	_cleanup_fd_ int cgroup_fd = -ENOENT;
	/* Freezing and thawing must not interfere with a pause; other kills do not wait for the lock. */
	int lock_ms = is_all && signal != SIGKILL && signal != 0 ? LOCK_TIMEOUT_MS : -1;
	int r = container_open(state_root, id, lock_ms, &container, err);

	if (r < 0)
		return r;
	if (signal == KILL_STOP_SIGNAL)
		signal = stop_signal(&container.record);
	if (signal != 0)
		state_note_signal(container.dir_fd, signal);
	/* SIGKILL of init kills all other processes only if init is the first one of a pid namespace. */
	if (is_all || (signal == SIGKILL && !container.record.is_pid_namespace_own))
		cgroup_fd = container_open_cgroup(&container, err);
	if (cgroup_fd < 0 && cgroup_fd != -ENOENT)
		return cgroup_fd;
	r = cgroup_fd < 0 ? 0 : cgroup_is_populated(cgroup_fd);
	if (r < 0)
		return err_system(err, r, "cannot tell whether the container's cgroup has processes");
	if (signal != 0 && cgroup_fd >= 0 && (is_all || r > 0))
		return signal == SIGKILL ? kill_cgroup(&container, cgroup_fd, err)
					 : signal_cgroup(&container, cgroup_fd, signal, err);
	r = kill_init(&container, signal, err);
	return r == -ESRCH && is_all ? 0 : r;
}

/* --- delete --- */

/* Fills in the record from the stored plan. False if that cannot be read, or names no cgroup and no unit. */
static bool fill_from_plan(const struct container *container, struct state_record *record)
{
	size_t size;
	const void *data = state_map_plan(container->dir_fd, &size);
	const struct plan *plan = data == NULL ? NULL : plan_restore(data, size);
	const struct plan_step *unit = plan == NULL ? NULL : plan_find(plan, PLAN_UNIT_START);
	struct err ignored;
	struct host host;

	if (plan == NULL || host_probe(&host, &ignored) < 0)
		return false;
	record->cgroup_mount = mem_dup(host.cgroup_mount);
	record->cgroup_path = mem_dup(plan_cgroup_path(plan));
	record->unit = mem_dup(unit == NULL ? "" : plan_get(plan, unit->u.unit.name));
	record->created_secs = plan->created_secs;
	record->created_nanosecs = (uint32_t)plan->created_nanosecs;
	record->is_user_unit = unit != NULL && unit->u.unit.is_user;
	/* As of an interrupted creation: it is not known which levels of the cgroup were made for it. */
	record->creator = k_getpid();
	return !str_is_empty(record->cgroup_path) || !str_is_empty(record->unit);
}

/*
 * Deletes a container with a record that cannot be read. The plan names the cgroup with the container's
 * processes; without the plan they are not known. If the record was never written, there are none: it is
 * written before anything else is made.
 */
static int delete_damaged(struct container *container, const char *id, struct err *err)
{
	struct stat stat;
	bool was_written = k_fstatat(container->dir_fd, "record", &stat, AT_SYMLINK_NOFOLLOW) != -ENOENT;
	int r;

	container->record.id = mem_dup(id);
	if (fill_from_plan(container, &container->record))
		return container_destroy(container, err);
	r = container_remove_state(container->root_fd, container->dir_fd, id, err);
	if (r < 0 || !was_written)
		return r < 0 ? r : 0;
	err_set(err, ERR_STATE, 0, NULL,
		"cannot find the processes and the cgroup of the container: its record and its plan were "
		"damaged; only these are removed");
	err_hint(err, "look for processes named 'tare' or the container's program, and kill them");
	return -EINVAL;
}

/*
 * Kills init, or the creator, so that a command that holds the lock and waits for it releases the lock. Done
 * without the lock.
 */
static void kill_without_lock(const char *state_root, const char *id, bool is_creator)
{
	_cleanup_container_ struct container container;
	struct err ignored;
	_cleanup_fd_ int pidfd = -1;

	if (container_open(state_root, id, -1, &container, &ignored) < 0)
		return;
	if (!is_creator)
		state_note_signal(container.dir_fd, SIGKILL);
	pidfd = is_creator ? state_open_creator(&container.record, &ignored)
			   : state_open_pidfd(&container.record, &ignored);
	if (pidfd >= 0)
		k_pidfd_send_signal(pidfd, SIGKILL);
}

/*
 * With is_force the container is removed whatever other commands do with it: its init is killed first, then a
 * creator that does not release the lock in time. If the lock is still held after that, for example during a
 * hook that does not end, the container is removed without it.
 */
static int open_for_delete(const char *state_root, const char *id, bool is_force, struct container *container,
			   struct err *err)
{
	int r;

	if (is_force)
		kill_without_lock(state_root, id, false);
	r = container_open(state_root, id, LOCK_TIMEOUT_MS, container, err);
	if (r != -EBUSY || !is_force)
		return r;
	container_done(container);
	kill_without_lock(state_root, id, true);
	r = container_open(state_root, id, LOCK_AGAIN_MS, container, err);
	if (r != -EBUSY)
		return r;
	container_done(container);
	return container_open(state_root, id, -1, container, err);
}

int command_delete(const char *state_root, const char *id, bool is_force, struct err *err)
{
	_cleanup_container_ struct container container;
	enum state_status status;
	int r = open_for_delete(state_root, id, is_force, &container, err);

	/* Another delete of this container may have been killed during its last step. */
	if (r == -ENOENT && container.root_fd >= 0)
		state_sweep_removed(container.root_fd);
	if (r == -ENOENT && is_force && (container.dir_fd < 0 || state_is_gone(container.dir_fd)))
		return 0;
	if (r < 0 && is_force && container.dir_fd >= 0 && err->kind == ERR_STATE && r != -EBUSY)
		return delete_damaged(&container, id, err);
	if ((r == -ENOENT || r == -EBADMSG) && container.dir_fd >= 0 && !state_is_gone(container.dir_fd))
		err_hint(err, "delete --force removes what is left of it");
	if (r < 0)
		return r;
	if (is_force)
		return container_destroy(&container, err);
	r = state_status(container.dir_fd, &container.record, &status, err);
	if (r < 0)
		return r;
	if (status != STATE_STOPPED) {
		err_set(err, ERR_STATE, 0, NULL, "cannot delete container %s that is not stopped: %s", id,
			state_status_name(status));
		err_hint(err, "kill it first, or use --force, which kills it");
		return -EINVAL;
	}
	return container_destroy(&container, err);
}
