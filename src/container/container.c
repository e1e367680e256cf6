/* SPDX-License-Identifier: Apache-2.0 */
/* Opens and removes an existing container, and finds its cgroup. Process: a later command, or the parent. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include <tare/cgroup.h>
#include <tare/container.h>
#include <tare/host.h>
#include <tare/resctrl.h>
#include <tare/spec.h>
#include <tare/systemd.h>

#define KILL_TIMEOUT_MS 10000
#define REPORT_TIMEOUT_MS 5000

/*
 * Fills in the rows that a record of an earlier version lacks. If its configuration cannot be parsed they stay
 * false, and a command that needs the configuration reports the error.
 */
static void fill_from_config(struct container *container)
{
	_cleanup_spec_ struct spec *spec = NULL;
	struct err ignored;

	if (container->record.config_inside == 0 || container_load_spec(container, &spec, &ignored) < 0)
		return;
	container_record_spec(&container->record, spec);
}

int container_open(const char *state_root, const char *id, int lock_ms, struct container *ret, struct err *err)
{
	int r = state_check_id(id, err);

	*ret = (struct container){.root_fd = -1, .dir_fd = -1};
	if (r < 0)
		return r;
	ret->root_fd = state_open_root(state_root, false, err);
	if (ret->root_fd == -ENOENT)
		return err_set(err, ERR_STATE, 0, NULL, "container does not exist"), -ENOENT;
	if (ret->root_fd < 0)
		return ret->root_fd;
	ret->dir_fd = state_open_dir(ret->root_fd, id, err);
	if (ret->dir_fd < 0)
		return ret->dir_fd;
	r = lock_ms >= 0 ? state_lock(ret->dir_fd, lock_ms, err) : 0;
	if (r < 0)
		return r;
	r = state_read(ret->dir_fd, &ret->record, err);
	if (r >= 0)
		fill_from_config(ret);
	if (r == -ENOENT && state_sweep(ret->root_fd, ret->dir_fd, id))
		err_set(err, ERR_STATE, 0, NULL, "container does not exist");
	return r;
}

void container_done(struct container *container)
{
	fd_close(&container->dir_fd);
	fd_close(&container->root_fd);
	state_record_done(&container->record);
}

static int kill_init(const struct state_record *record, struct err *err)
{
	struct pollfd poll_fd = {.events = POLLIN};
	struct timespec timeout = {.tv_sec = KILL_TIMEOUT_MS / 1000};
	_cleanup_fd_ int pidfd = state_open_pidfd(record, err);
	int r;

	if (pidfd < 0)
		return pidfd == -ESRCH ? 0 : pidfd;
	r = k_pidfd_send_signal(pidfd, SIGKILL);
	if (r < 0 && r != -ESRCH)
		return err_system(err, r, "cannot kill the container's init");
	poll_fd.fd = pidfd;
	r = k_ppoll(&poll_fd, 1, &timeout, NULL);
	if (r < 0)
		return err_system(err, r, "cannot wait for the exit of the container's init");
	return r > 0 ? 0 : err_set(err, ERR_STATE, 0, NULL, "container init still running");
}

int container_cgroup_of(pid_t pid, char *ret, size_t size)
{
	char name[32], text[4096];
	const char *at;
	int r;

	str_format(name, sizeof name, "/proc/%d/cgroup", pid);
	r = io_read_small(AT_FDCWD, name, 0, text, sizeof text);
	if (r < 0)
		return r;
	at = str_has_prefix(text, "0::") ? text : strstr(text, "\n0::");
	if (at == NULL)
		return -ENOENT;
	at += strspn(at, "\n") + strlen("0::");
	r = str_format(ret, size, "%.*s", (int)strcspn(at, "\n"), at);
	return r < 0 || (size_t)r >= size ? -ENAMETOOLONG : 0;
}

int container_open_mount(const struct container *container, struct err *err)
{
	int fd;

	if (str_is_empty(container->record.cgroup_path)) {
		err_set(err, ERR_STATE, 0, NULL, "cgroup not exist: the container was made without one");
		err_hint(err, "create it with /linux/cgroupsPath, and without --cgroup-manager disabled");
		return -ENOENT;
	}
	fd = cgroup_open_mount(container->record.cgroup_mount, err);
	/* -ENOENT would mean that there is no cgroup, but without the mount that is unknown. */
	return fd == -ENOENT ? -ENODEV : fd;
}

/* --- the owner of the cgroup --- */

/*
 * Whether init is in the record's cgroup or below it: proof of ownership for a record of a version that set no
 * owner attribute. 1, 0, or -errno with *err.
 */
static int is_init_inside(const struct state_record *record, struct err *err)
{
	_cleanup_fd_ int pidfd = state_open_pidfd(record, err);
	size_t len = strlen(record->cgroup_path);
	char path[4096];
	int r;

	if (pidfd < 0)
		return pidfd == -ESRCH ? 0 : pidfd;
	r = container_cgroup_of(record->pid, path, sizeof path);
	if (r == -ENOENT || r == -ESRCH)
		return 0;
	if (r < 0)
		return err_system(err, r, "cannot read the cgroup of the container's init");
	return str_has_prefix(path, record->cgroup_path) && (path[len] == '\0' || path[len] == '/');
}

/* Whether tare created the cgroup, or systemd, which creates a unit's cgroup each time the unit starts. */
static bool is_made_for(const struct state_record *record)
{
	return record->cgroup_created > 0 || !str_is_empty(record->unit);
}

/*
 * Whether the cgroup at the record's path still belongs to the container: once it is empty, another container
 * or program can use the path, and the processes in it must not be touched then. A cgroup that was created for
 * the container is identified by its inode, which cannot be forged; only the container's delete removes such a
 * cgroup. Any other one is identified by its owner attribute. A value of enum cgroup_owner, or -errno with
 * *err.
 */
static int find_owner(const struct state_record *record, int cgroup_fd, unsigned int *ret_created,
		      struct err *err)
{
	_cleanup_free_ char *identity = state_identity(record);
	int owner = cgroup_owner_compare(cgroup_fd, identity, ret_created);
	uint64_t inode = 0;
	int r = owner < 0 ? owner : cgroup_inode(cgroup_fd, &inode);
	bool is_own;

	if (r < 0)
		return err_system(err, r, "cannot tell which container cgroup '%s' belongs to",
				  record->cgroup_path);
	if (record->cgroup_inode != 0 && record->cgroup_inode != inode)
		return CGROUP_OWNER_DIFFERS;
	is_own = record->cgroup_inode != 0 && is_made_for(record);
	if (!is_own && owner == CGROUP_OWNER_NONE) {
		r = is_init_inside(record, err);
		if (r < 0)
			return r;
		is_own = r > 0;
	}
	if (is_own)
		*ret_created = record->cgroup_created;
	return is_own ? CGROUP_OWNER_MATCHES : owner;
}

int container_open_cgroup(const struct container *container, struct err *err)
{
	_cleanup_fd_ int mount_fd = container_open_mount(container, err);
	_cleanup_fd_ int cgroup_fd = mount_fd < 0 ? mount_fd
						  : cgroup_open(mount_fd, container->record.cgroup_path, err);
	unsigned int created;
	int owner = cgroup_fd < 0 ? cgroup_fd : find_owner(&container->record, cgroup_fd, &created, err);

	if (owner < 0)
		return owner;
	if (owner != CGROUP_OWNER_MATCHES)
		return err_set(err, ERR_STATE, 0, NULL,
			       "cgroup not exist: what is in its place is not the container's"),
		       -ENOENT;
	return take_fd(&cgroup_fd);
}

/* The cgroup2 mount at its path in the record or, if a reboot has changed the layout, at its current path. */
static int open_hierarchy(const struct state_record *record, struct err *err)
{
	int fd = cgroup_open_mount(record->cgroup_mount, err);
	struct host host;
	struct err ignored;

	if ((fd != -ENOENT && fd != -ENODEV) || host_probe(&host, &ignored) < 0)
		return fd;
	return cgroup_open_mount(host.cgroup_mount, err);
}

/*
 * Decides what to do with the cgroup: *ret_owner as find_owner returns it, and in *ret_created the number of
 * directories to remove, from the last one of the path.
 *
 * Leave it alone if its owner attribute names another container. If it has none, the creator was killed before
 * it set the attribute, so no process of this container can be in it: it is removed if it is empty. If it does
 * not exist (cgroup_fd is negative), the delete that removed it may have been killed before it removed the
 * directories above.
 */
static int plan_removal(const struct state_record *record, int cgroup_fd, int *ret_owner,
			unsigned int *ret_created, struct err *err)
{
	int r;

	*ret_owner = CGROUP_OWNER_NONE;
	*ret_created = record->cgroup_created;
	if (cgroup_fd < 0)
		return 0;
	*ret_owner = r = find_owner(record, cgroup_fd, ret_created, err);
	if (r < 0 || r == CGROUP_OWNER_MATCHES)
		return r < 0 ? r : 0;
	r = *ret_owner == CGROUP_OWNER_NONE && record->creator != 0 ? cgroup_is_populated(cgroup_fd) : 1;
	if (r < 0)
		return err_system(err, r, "cannot tell whether cgroup '%s' is empty", record->cgroup_path);
	*ret_created = r == 0 ? record->cgroup_created : 0;
	return 0;
}

int container_remove_cgroup(const struct state_record *record, struct err *err)
{
	_cleanup_fd_ int mount_fd = -1, cgroup_fd = -1;
	unsigned int created;
	int owner, r;

	if (str_is_empty(record->cgroup_path))
		return 0;
	mount_fd = open_hierarchy(record, err);
	if (mount_fd < 0)
		return mount_fd;
	cgroup_fd = cgroup_open(mount_fd, record->cgroup_path, err);
	if (cgroup_fd < 0 && cgroup_fd != -ENOENT)
		return cgroup_fd;
	r = plan_removal(record, cgroup_fd, &owner, &created, err);
	if (r >= 0 && owner == CGROUP_OWNER_MATCHES)
		r = cgroup_kill(cgroup_fd, KILL_TIMEOUT_MS, err);
	if (r < 0 || !str_is_empty(record->unit))
		return r;
	if (created > 0)
		return cgroup_remove(mount_fd, record->cgroup_path, created, err);
	return owner == CGROUP_OWNER_MATCHES ? cgroup_restore_state(cgroup_fd, err) : 0;
}

/*
 * Stops the unit, if it is this container's; systemd removes its cgroup. If systemd cannot be asked any more,
 * this process removes the cgroup, which must be empty.
 */
static int remove_unit(const struct state_record *record, struct err *err)
{
	_cleanup_fd_ int mount_fd = -1, cgroup_fd = -1;
	unsigned int created;
	int owner, r;

	if (str_is_empty(record->unit))
		return 0;
	r = unit_stop(record, err);
	if (r >= 0 || str_is_empty(record->cgroup_path))
		return r;
	mount_fd = cgroup_open_mount(record->cgroup_mount, err);
	if (mount_fd < 0)
		return mount_fd;
	cgroup_fd = cgroup_open(mount_fd, record->cgroup_path, err);
	if (cgroup_fd < 0)
		return cgroup_fd == -ENOENT ? 0 : cgroup_fd;
	owner = find_owner(record, cgroup_fd, &created, err);
	if (owner != CGROUP_OWNER_MATCHES)
		return owner < 0 ? owner : 0;
	return cgroup_remove(mount_fd, record->cgroup_path, 1, err);
}

/* A class that closID names stays: another container may use it. */
static int remove_resctrl(const struct state_record *record, struct err *err)
{
	const struct resctrl_place place = {.clos = record->resctrl_clos, .monitor = record->resctrl_monitor};
	const struct resctrl_made made = {record->is_resctrl_own, !str_is_empty(record->resctrl_monitor)};

	return resctrl_clean(&place, &made, err);
}

/*
 * Kills the processes of a container through its cgroup, for a process in another pid or time namespace, which
 * cannot identify init. If the cgroup was removed, it had no processes any more; but they may have been moved
 * out of it, or this process may see another part of the hierarchy, so a warning is logged. Without a recorded
 * cgroup *err keeps the error of kill_init.
 */
static int kill_through_cgroup(const struct container *container, struct err *err)
{
	struct err other;
	_cleanup_fd_ int cgroup_fd = container_open_cgroup(container, &other);
	int r = cgroup_fd < 0 ? cgroup_fd : cgroup_is_populated(cgroup_fd);

	if (r == 0)
		return 0;
	if (r > 0)
		return cgroup_kill(cgroup_fd, KILL_TIMEOUT_MS, err);
	if (r == -ENOENT && !str_is_empty(container->record.cgroup_path)) {
		log_line(LOG_SHOWN_WARNING,
			 "container %s was created in another pid namespace, and its cgroup is gone: processes "
			 "of it that are left there are not killed",
			 container->record.id);
		return 0;
	}
	err_hint(err, "run this command in that one; or remove its directory in the root directory once its "
		      "processes have exited");
	return -EXDEV;
}

/* state_remove removes by name, and another container may have the id by now. */
int container_remove_state(int root_fd, int dir_fd, const char *id, struct err *err)
{
	int r = state_is_gone(dir_fd);

	if (r < 0)
		return err_system(err, r, "cannot find the directory of container '%s'", id);
	return r > 0 ? 0 : state_remove(root_fd, dir_fd, id, err);
}

/* A supervisor reads the counters of the cgroup, and writes files of the state directory, once init is dead. */
static void await_report(const struct container *container)
{
	_cleanup_fd_ int fd = state_open_report(container->dir_fd);

	if (fd >= 0 && state_await_report(fd, REPORT_TIMEOUT_MS) == -EBUSY)
		log_line(LOG_WARNING, "the report of container %s is not complete", container->record.id);
}

int container_destroy(struct container *container, struct err *err)
{
	const struct state_record *record = &container->record;
	_cleanup_spec_ struct spec *spec = NULL;
	struct err hook_err;
	int r = kill_init(record, err);

	if (r == -EXDEV)
		r = kill_through_cgroup(container, err);
	if (r >= 0)
		await_report(container);
	if (r >= 0)
		r = container_remove_cgroup(record, err);
	if (r >= 0)
		r = remove_unit(record, err);
	if (r >= 0)
		r = remove_resctrl(record, err);
	if (r >= 0)
		spec = container_load_poststop(container);
	if (r >= 0)
		r = container_remove_state(container->root_fd, container->dir_fd, record->id, err);
	if (r > 0 && spec != NULL)
		(void)!container_run_hooks(record, spec, SPEC_HOOK_POSTSTOP, &hook_err);
	return r < 0 ? r : 0;
}
