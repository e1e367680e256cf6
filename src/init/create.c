/* SPDX-License-Identifier: Apache-2.0 */
/*
 * init: the steps that only the creation of a container has. The program of an exec is linked without them
 * (exec_main.c), because each page that is copied costs as much as many system calls.
 *
 * Process: as in init.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include <tare/freestanding.h>
#include <tare/hooks.h>
#include <tare/protocol.h>

#include "walker.h"

static int unshare_own(const struct plan_step *step, struct err *err)
{
	int r = k_unshare((int)step->u.number);

	return r < 0 ? err_system(err, r, "cannot create a cgroup or ipc namespace") : 0;
}

/* --- rootfs --- */

static int open_source(struct walker *walker, const struct plan_step *step, struct err *err)
{
	const struct plan_source *source = &step->u.source.source;
	const char *path = plan_get(walker->plan, source->path);
	_cleanup_fd_ int at_fd = AT_FDCWD, fd = -1;
	int r;

	if (source->is_inside) {
		const struct path_place place = place_find(&walker->rootfs, path);

		at_fd = path_open(&place, O_PATH);
		if (at_fd < 0)
			return err_system(err, at_fd, "cannot open mount source '%s' in the root file system",
					  path);
	}
	fd = mount_open_source(walker->plan, source, at_fd, walker->rootfs.slot_base, err);
	if (fd < 0)
		return fd;
	r = k_dup3(fd, walker->rootfs.slot_base + step->u.source.slot, O_CLOEXEC);
	return r < 0 ? err_system(err, r, "cannot keep a mount source open") : 0;
}

static int attach_root(struct walker *walker, const struct plan_step *step, struct err *err)
{
	const struct plan_step *steps = plan_steps(walker->plan);

	/* The host's cgroup2 mount, while a path still leads to it: cgroup mounts are bound from it if the
	 * kernel refuses a new cgroup2 mount. */
	for (uint32_t i = 0; i < walker->plan->step_count; i++)
		if (steps[i].kind == PLAN_MOUNT && steps[i].u.mount.is_cgroup &&
		    steps[i].u.mount.cgroup_path != 0)
			walker->rootfs.host_cgroup_fd =
				k_openat(AT_FDCWD, plan_get(walker->plan, steps[i].u.mount.cgroup_path),
					 O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	return rootfs_attach(&walker->rootfs, &step->u.root, err);
}

static int attach_mount(struct walker *walker, const struct plan_step *step, struct err *err)
{
	int r = mount_attach(&walker->rootfs, &step->u.mount, err);

	if (walker->rootfs.warning_count > 0)
		err_pointer(&walker->rootfs.warning, plan_get(walker->plan, step->json_pointer));
	return r;
}

static int pivot(struct walker *walker, const struct plan_step *step, struct err *err)
{
	int r = rootfs_pivot(&walker->rootfs, &step->u.root, err);

	if (r >= 0)
		r = place_verify_mounts(&walker->rootfs, err);
	fd_close(&walker->rootfs.host_cgroup_fd);
	return r;
}

static int make_cwd(struct walker *walker, const struct plan_step *step, struct err *err)
{
	const char *path = plan_get(walker->plan, step->u.text);
	const struct path_place place = place_find(&walker->rootfs, path);
	const struct path_making making = {.mode = 0755};
	_cleanup_fd_ int fd = path_mkdir(&place, &making);

	/* Magic links (/proc/self/fd/N) and files are refused here. If the directory cannot be created for
	 * another reason, the later chdir(2) fails and reports that. */
	if (fd != -ELOOP && fd != -ENOTDIR)
		return 0;
	err_system(err, fd, "cannot use '%s' as the working directory", path);
	mount_hint_file(walker->rootfs.fd, path, fd, err);
	return fd;
}

static int set_mount(int fd, uint64_t set, uint64_t propagation, bool is_recursive, struct err *err)
{
	int r = mount_set(fd, set, 0, propagation, is_recursive);

	return r < 0 ? err_system(err, r, "cannot change the mount") : 0;
}

/* After the pivot: startContainer hooks run inside the container, with the environment of its program. */
static int run_inner_hooks(struct walker *walker, const struct plan_step *step, struct err *err)
{
	const struct plan_step *exec = plan_find(walker->plan, PLAN_EXEC);
	struct hooks_context context = {.plan = walker->plan,
					.pid = k_getpid(),
					.environment = walker->pointers,
					.directory_fd = -1,
					.is_filtered = walker->filter != NULL,
					.signal_fd = -1};

	init_caller_environment(walker, &exec->u.program, walker->pointers);
	return hooks_run(&context, &step->u.hooks, err);
}

/*
 * Maps the file that src/parent/environment.h describes, and turns its offsets into pointers; the mapping is
 * private, so that the file does not change. The caller unmaps it.
 */
static int map_environment(int fd, char ***ret, size_t *ret_size, struct err *err)
{
	struct stat st;
	long at = k_fstat(fd, &st);

	if (at >= 0)
		at = k_call6(__NR_mmap, 0, (long)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (at < 0 && at > -4096)
		return err_system(err, (int)at, "cannot map the runtime's environment");
	*ret = (char **)at;
	*ret_size = (size_t)st.st_size;
	for (uint64_t *cell = (uint64_t *)at; *cell != 0; cell++)
		*cell += (uint64_t)at;
	return 0;
}

/*
 * The death signal is set after the process has started, and again after a change of ids: a parent that died
 * before sends none, and a hook could then run without end.
 */
static int check_parent(const struct walker *walker, struct err *err)
{
	struct pollfd parent = {.fd = walker->socket_fd};
	struct timespec at_once = {0};
	int r = k_ppoll(&parent, 1, &at_once, NULL);

	if (r < 0)
		return err_system(err, r, "cannot check that the parent still exists");
	return (parent.revents & (POLLHUP | POLLERR)) == 0
		       ? 0
		       : err_set(err, ERR_PEER, EPIPE, NULL, "the parent exited before the hooks");
}

/*
 * Before the pivot: createContainer hooks that state no env get the runtime's environment, from a sealed memfd
 * in environment_slot. It is unmapped and closed after them, because the container must not read it.
 */
static int run_outer_hooks(struct walker *walker, const struct plan_step *step, struct err *err)
{
	char *nothing[] = {NULL}, **environment = nothing;
	struct hooks_context context = {
		.plan = walker->plan, .pid = k_getpid(), .directory_fd = walker->rootfs.fd, .signal_fd = -1};
	int32_t slot = step->u.hooks.environment_slot;
	size_t size = 0;
	int r = check_parent(walker, err);

	if (r >= 0 && slot != PLAN_NO_SLOT)
		r = map_environment(walker->rootfs.slot_base + slot, &environment, &size, err);
	if (r < 0)
		return r;
	context.environment = environment;
	r = hooks_run(&context, &step->u.hooks, err);
	if (slot == PLAN_NO_SLOT)
		return r;
	k_call2(__NR_munmap, environment, size);
	k_close(walker->rootfs.slot_base + slot);
	return r;
}

static int run_hooks(struct walker *walker, const struct plan_step *step, struct err *err)
{
	const struct plan_step *pivot_step = plan_find(walker->plan, PLAN_PIVOT);

	return step > pivot_step ? run_inner_hooks(walker, step, err) : run_outer_hooks(walker, step, err);
}

/*
 * Waits for START: from the parent, or at the gate from the command start. A connection that is closed without
 * a message comes from a command that only checks whether init waits here. While init waits at the gate it has
 * no other descriptor open, neither the plan's file nor any of the host.
 */
static int gate(struct walker *walker, const struct plan_step *step, struct err *err)
{
	int gate_fd = walker->rootfs.slot_base + step->u.slot, r;

	if (step->u.slot == PLAN_NO_SLOT)
		return protocol_expect(walker->socket_fd, STEP_START, NULL, NULL, err);
	init_close_range(walker, walker->first_fd, gate_fd - 1);
	init_close_range(walker, gate_fd + 1, -1);
	do {
		walker->socket_fd = k_accept4(gate_fd, SOCK_CLOEXEC);
		if (walker->socket_fd < 0)
			return err_system(err, walker->socket_fd, "cannot wait at the start gate");
		r = protocol_expect(walker->socket_fd, STEP_START, NULL, NULL, err);
		if (r < 0)
			fd_close(&walker->socket_fd);
	} while (r < 0);
	k_close(gate_fd);
	return 0;
}

static int creation_step(struct walker *walker, const struct plan_step *step, struct err *err)
{
	struct rootfs *rootfs = &walker->rootfs;
	const struct plan *plan = walker->plan;

	switch ((enum plan_kind)step->kind) {
	case PLAN_JOIN:
		return bridge_join(walker, step, err);
	case PLAN_UNSHARE:
		return unshare_own(step, err);
	case PLAN_LOOPBACK:
		return process_set_loopback(err);
	case PLAN_HOSTNAME:
		return process_set_hostname(plan_get(plan, step->u.text), err);
	case PLAN_DOMAINNAME:
		return process_set_domainname(plan_get(plan, step->u.text), err);
	case PLAN_SYSCTL:
		return process_write_sysctl(&walker->rootfs, step, err);
	case PLAN_OPEN_SOURCE:
		return open_source(walker, step, err);
	case PLAN_ROOT:
		return attach_root(walker, step, err);
	case PLAN_MOUNT:
		return attach_mount(walker, step, err);
	case PLAN_COPY_NODES:
		return nodes_copy(rootfs, step->u.slot, err);
	case PLAN_DEVICE:
		return rootfs_device(rootfs, &step->u.device, err);
	case PLAN_LINK:
		return rootfs_link(rootfs, &step->u.link, err);
	case PLAN_PIVOT:
		return pivot(walker, step, err);
	case PLAN_MAKE_CWD:
		return make_cwd(walker, step, err);
	case PLAN_READONLY_MOUNT:
		return set_mount(rootfs->slot_base + step->u.slot, MOUNT_ATTR_RDONLY, 0, false, err);
	case PLAN_READONLY_PATH:
		return rootfs_readonly_path(rootfs, plan_get(plan, step->u.text), err);
	case PLAN_MASK_PATH:
		return rootfs_mask(rootfs, plan_get(plan, step->u.text), err);
	case PLAN_PROPAGATION:
		return set_mount(rootfs->fd, 0, step->u.propagation.type, step->u.propagation.is_recursive,
				 err);
	case PLAN_READONLY_ROOT:
		return set_mount(rootfs->fd, MOUNT_ATTR_RDONLY, 0, false, err);
	case PLAN_HOOKS:
		return run_hooks(walker, step, err);
	case PLAN_GATE:
		return gate(walker, step, err);
	default:
		return err_set(err, ERR_PEER, EPROTO, NULL, "init has no step %u", step->kind);
	}
}

void freestanding_main(int argc, char **argv)
{
	init_walk(argc, argv, creation_step);
}
