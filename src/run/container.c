/* SPDX-License-Identifier: Apache-2.0 */
#include "container.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "parent.h"
#include "unit.h"

#define KILL_TIMEOUT_MS 10000

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
	return r < 0 ? r : state_read(ret->dir_fd, &ret->record, err);
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
	_cleanup_fd_ int pidfd = record->pid > 0 ? state_open_pidfd(record) : -ESRCH;

	if (pidfd < 0)
		return 0;
	k_pidfd_send_signal(pidfd, SIGKILL);
	poll_fd.fd = pidfd;
	if (k_ppoll(&poll_fd, 1, &timeout, NULL) <= 0)
		return err_set(err, ERR_STATE, 0, NULL, "container init still running");
	return 0;
}

/* cgroups(7): "0::PATH" of /proc/PID/cgroup. */
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
	if (str_is_empty(container->record.cgroup_path)) {
		err_set(err, ERR_STATE, 0, NULL, "cgroup not exist: the container was made without one");
		err_hint(err, "create it with /linux/cgroupsPath, and without --cgroup-manager disabled");
		return -ENOENT;
	}
	return cgroup_open_mount(container->record.cgroup_mount, err);
}

/* --- whose the cgroup is --- */

char *container_identity(const struct state_record *record)
{
	return mem_format("tare container %s, created %lld.%09u", record->id, (long long)record->created_secs,
			  record->created_nanosecs);
}

/* A record of a version that has set no marks: its cgroup is where its init is. */
static bool is_init_there(const struct state_record *record)
{
	_cleanup_fd_ int pidfd = record->pid > 0 ? state_open_pidfd(record) : -ESRCH;
	size_t len = strlen(record->cgroup_path);
	char path[4096];

	return pidfd >= 0 && container_cgroup_of(record->pid, path, sizeof path) >= 0 &&
	       str_has_prefix(path, record->cgroup_path) && (path[len] == '\0' || path[len] == '/');
}

/* By tare, or by systemd, which makes a unit's cgroup anew whenever the unit starts. */
static bool is_made_for(const struct state_record *record)
{
	return record->cgroup_created > 0 || !str_is_empty(record->unit);
}

/*
 * A cgroup that is empty can be another container's next under the same path, or anybody's: what is in it then
 * is not the business of the one that has ended. One that was made for the container is known by its inode,
 * which nobody can forge, and goes by no other's hand but its own; any other one by its mark.
 */
static enum cgroup_owner owner_of(const struct state_record *record, int cgroup_fd, unsigned int *ret_created)
{
	_cleanup_free_ char *identity = container_identity(record);
	enum cgroup_owner owner = cgroup_owner(cgroup_fd, identity, ret_created);

	if (record->cgroup_inode != 0 && record->cgroup_inode != cgroup_inode(cgroup_fd))
		return CGROUP_ANOTHERS;
	if ((record->cgroup_inode != 0 && is_made_for(record)) ||
	    (owner == CGROUP_UNMARKED && is_init_there(record))) {
		*ret_created = record->cgroup_created;
		return CGROUP_OURS;
	}
	return owner;
}

int container_open_cgroup(const struct container *container, struct err *err)
{
	_cleanup_fd_ int mount_fd = container_open_mount(container, err);
	_cleanup_fd_ int cgroup_fd = mount_fd < 0 ? mount_fd
						  : cgroup_open(mount_fd, container->record.cgroup_path, err);
	unsigned int created;

	if (cgroup_fd >= 0 && owner_of(&container->record, cgroup_fd, &created) != CGROUP_OURS)
		return err_set(err, ERR_STATE, 0, NULL, "cgroup not exist: it is somebody else's by now"),
		       -ENOENT;
	return cgroup_fd < 0 ? cgroup_fd : take_fd(&cgroup_fd);
}

/* Where the host had its hierarchy when the container was made, or, after a boot with another layout, has it
 * now. */
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
 * Nothing is killed or removed where the mark is another's. Without a mark there is nobody of this container,
 * whose creator was killed before he could set it: what he has made is removed if it is empty.
 */
int container_remove_cgroup(const struct state_record *record, struct err *err)
{
	_cleanup_fd_ int mount_fd = -1, cgroup_fd = -1;
	enum cgroup_owner owner = CGROUP_UNMARKED;
	unsigned int created = 0;
	int r = 0;

	if (str_is_empty(record->cgroup_path))
		return 0;
	mount_fd = open_hierarchy(record, err);
	if (mount_fd < 0)
		return mount_fd;
	cgroup_fd = cgroup_open(mount_fd, record->cgroup_path, err);
	if (cgroup_fd < 0 && cgroup_fd != -ENOENT)
		return cgroup_fd;
	if (cgroup_fd >= 0)
		owner = owner_of(record, cgroup_fd, &created);
	if (owner == CGROUP_OURS)
		r = cgroup_kill(cgroup_fd, KILL_TIMEOUT_MS, err);
	else if (owner == CGROUP_UNMARKED && record->creator != 0 &&
		 (cgroup_fd < 0 || cgroup_is_populated(cgroup_fd) == 0))
		created = record->cgroup_created;
	else
		return 0;
	if (r < 0 || !str_is_empty(record->unit))
		return r;
	if (created == 0 && owner == CGROUP_OURS)
		cgroup_restore(cgroup_fd);
	return created == 0 ? 0 : cgroup_remove(mount_fd, record->cgroup_path, created, err);
}

/*
 * systemd removes the cgroup of a unit that ends, if the unit is this container's. Where there is no systemd to
 * be asked any more, a cgroup that is empty is removed here.
 */
static int remove_unit(const struct state_record *record, struct err *err)
{
	_cleanup_fd_ int mount_fd = -1, cgroup_fd = -1;
	struct err ignored;
	unsigned int created;
	int r;

	if (str_is_empty(record->unit))
		return 0;
	r = unit_stop(record, err);
	if (r >= 0 || str_is_empty(record->cgroup_path))
		return r;
	mount_fd = cgroup_open_mount(record->cgroup_mount, &ignored);
	cgroup_fd = mount_fd < 0 ? mount_fd : cgroup_open(mount_fd, record->cgroup_path, &ignored);
	if (cgroup_fd < 0 || owner_of(record, cgroup_fd, &created) != CGROUP_OURS)
		return 0;
	return cgroup_remove(mount_fd, record->cgroup_path, 1, err);
}

/* It goes by name: whoever came first may have freed the id for somebody else. */
int container_remove_state(int root_fd, int dir_fd, const char *id, struct err *err)
{
	return state_is_gone(dir_fd) ? 0 : state_remove(root_fd, id, err);
}

int container_destroy(struct container *container, struct err *err)
{
	const struct state_record *record = &container->record;
	struct spec *spec = NULL;
	struct err later;
	int r = kill_init(record, err);

	if (r >= 0)
		r = container_remove_cgroup(record, err);
	if (r >= 0)
		r = remove_unit(record, err);
	if (r >= 0)
		r = rdt_remove(record, err);
	if (r >= 0)
		r = container_remove_state(container->root_fd, container->dir_fd, record->id, err);
	if (r < 0)
		return r;
	if (record->has_poststop && spec_parse(record->config, record->config_len, &spec, &later) >= 0)
		(void)!starter_run_hooks(record, spec, SPEC_HOOK_POSTSTOP, &later);
	spec_free(spec);
	return 0;
}
