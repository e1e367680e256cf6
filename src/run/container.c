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
	if (str_is_empty(container->record.cgroup_path))
		return err_set(err, ERR_STATE, 0, NULL, "cgroup not exist: the container was made without one"),
		       -ENOENT;
	return cgroup_open_mount(container->record.cgroup_mount, err);
}

/* --- whose the cgroup is --- */

char *container_identity(const struct state_record *record)
{
	return mem_format("tare container %s, created %lld.%09u", record->id, (long long)record->created_secs,
			  record->created_nanosecs);
}

struct search {
	const struct container *container;
	bool is_found;
};

static void on_other(void *context, const char *id)
{
	struct search *search = context;
	const struct state_record *own = &search->container->record;
	_cleanup_record_ struct state_record other = {0};
	_cleanup_fd_ int dir_fd = -1, pidfd = -1;
	struct err ignored;

	if (search->is_found || str_equal(id, own->id))
		return;
	dir_fd = state_open_dir(search->container->root_fd, id, &ignored);
	if (dir_fd < 0 || state_read(dir_fd, &other, &ignored) < 0 ||
	    !str_equal(other.cgroup_path, own->cgroup_path) ||
	    !str_equal(other.cgroup_mount, own->cgroup_mount))
		return;
	pidfd = state_open_pidfd(&other);
	if (pidfd < 0)
		pidfd = state_open_creator(&other);
	search->is_found = pidfd >= 0;
}

/*
 * A cgroup that is empty can be another container's next, under the same path: what is in it then is not the
 * business of the one that has ended. Where it does not say whose it is, the other containers of this state
 * root are asked, if it matters.
 */
static bool is_taken_over(const struct container *container, int cgroup_fd)
{
	struct search search = {.container = container};
	_cleanup_free_ char *identity = container_identity(&container->record);
	enum cgroup_owner owner = cgroup_owner(cgroup_fd, identity);
	_cleanup_fd_ int pidfd = -1;
	struct err ignored;

	if (owner != CGROUP_UNMARKED)
		return owner == CGROUP_ANOTHERS;
	pidfd = state_open_pidfd(&container->record);
	if (pidfd >= 0 || cgroup_is_populated(cgroup_fd) == 0)
		return false;
	return state_list(container->root_fd, on_other, &search, &ignored) >= 0 && search.is_found;
}

int container_open_cgroup(const struct container *container, struct err *err)
{
	_cleanup_fd_ int mount_fd = container_open_mount(container, err);
	_cleanup_fd_ int cgroup_fd = mount_fd < 0 ? mount_fd
						  : cgroup_open(mount_fd, container->record.cgroup_path, err);

	if (cgroup_fd >= 0 && is_taken_over(container, cgroup_fd))
		return err_set(err, ERR_STATE, 0, NULL, "cgroup not exist: it is another container's by now"),
		       -ENOENT;
	return cgroup_fd < 0 ? cgroup_fd : take_fd(&cgroup_fd);
}

static int remove_cgroup(const struct state_record *record, struct err *err)
{
	_cleanup_fd_ int mount_fd = -1, cgroup_fd = -1;
	int r;

	if (str_is_empty(record->cgroup_path))
		return 0;
	mount_fd = cgroup_open_mount(record->cgroup_mount, err);
	if (mount_fd < 0)
		return mount_fd;
	cgroup_fd = cgroup_open(mount_fd, record->cgroup_path, err);
	if (cgroup_fd == -ENOENT)
		return 0;
	r = cgroup_fd < 0 ? cgroup_fd : cgroup_kill(cgroup_fd, KILL_TIMEOUT_MS, err);
	if (r < 0 || !str_is_empty(record->unit))
		return r;
	/* Not made by this container, so not its own to remove (runtime-spec runtime.md, "delete"). */
	if (record->creator == 0 && record->cgroup_created == 0)
		return 0;
	/* A record of a half-made container does not know yet which levels are its own: at least the last is.
	 */
	return cgroup_remove(mount_fd, record->cgroup_path,
			     record->cgroup_created > 0 ? record->cgroup_created : 1, err);
}

/* systemd removes the cgroup of a unit that ends. Where there is no systemd to be asked any more, it is removed
 * here. */
static int remove_unit(const struct state_record *record, struct err *err)
{
	_cleanup_fd_ int mount_fd = -1;
	int r = unit_stop(record, err);

	if (r >= 0 || str_is_empty(record->cgroup_path))
		return r;
	mount_fd = cgroup_open_mount(record->cgroup_mount, err);
	return mount_fd < 0 ? mount_fd : cgroup_remove(mount_fd, record->cgroup_path, 1, err);
}

static bool has_own_cgroup(const struct container *container)
{
	struct err ignored;
	_cleanup_fd_ int mount_fd = container_open_mount(container, &ignored);
	_cleanup_fd_ int cgroup_fd =
		mount_fd < 0 ? mount_fd : cgroup_open(mount_fd, container->record.cgroup_path, &ignored);

	return cgroup_fd < 0 || !is_taken_over(container, cgroup_fd);
}

int container_destroy(struct container *container, struct err *err)
{
	const struct state_record *record = &container->record;
	struct spec *spec = NULL;
	struct err later;
	bool is_own = has_own_cgroup(container);
	int r;

	r = kill_init(record, err);
	if (r >= 0 && is_own)
		r = remove_cgroup(record, err);
	if (r >= 0 && is_own)
		r = remove_unit(record, err);
	if (r >= 0)
		r = rdt_remove(record, err);
	if (r >= 0)
		r = state_remove(container->root_fd, record->id, err);
	if (r < 0)
		return r;
	if (record->has_poststop && spec_parse(record->config, record->config_len, &spec, &later) >= 0)
		(void)!starter_run_hooks(record, spec, SPEC_HOOK_POSTSTOP, &later);
	spec_free(spec);
	return 0;
}
