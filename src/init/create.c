/* SPDX-License-Identifier: Apache-2.0 */
/*
 * init: the steps that only the creation of a container has. The program of an exec is linked without them
 * (exec_main.c), because each page that is copied costs as much as many system calls.
 *
 * Process: as in init.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include <tare/hooks.h>
#include <tare/protocol.h>

#include "walker.h"

int init_unshare(struct walker *walker, const struct plan_step *step, struct err *err)
{
	int r = k_unshare((int)step->u.number);

	(void)walker;
	return r < 0 ? err_system(err, r, "cannot create a namespace") : 0;
}

/* --- rootfs --- */

int init_open_source(struct walker *walker, const struct plan_step *step, struct err *err)
{
	const struct plan_source *source = &step->u.source.source;
	const char *path = plan_get(walker->plan, source->path);
	_cleanup_fd_ int at_fd = AT_FDCWD, fd = -1;
	int r;

	if (source->is_inside) {
		const struct path_place place = place_find(&walker->rootfs, path);

		at_fd = path_open(&place, source->is_link ? O_PATH | O_NOFOLLOW : O_PATH);
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

int init_root(struct walker *walker, const struct plan_step *step, struct err *err)
{
	const struct plan_step *steps = plan_steps(walker->plan);

	/*
	 * The host's cgroup2 mount, while a path still leads to it: cgroup mounts are bound from it if the
	 * kernel refuses a new cgroup2 mount.
	 */
	for (uint32_t i = 0; i < walker->plan->step_count; i++)
		if (steps[i].kind == PLAN_MOUNT && steps[i].u.mount.is_cgroup &&
		    steps[i].u.mount.cgroup_path != 0)
			walker->rootfs.host_cgroup_fd =
				k_openat(AT_FDCWD, plan_get(walker->plan, steps[i].u.mount.cgroup_path),
					 O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	return rootfs_attach(&walker->rootfs, &step->u.root, err);
}

int init_overlay(struct walker *walker, const struct plan_step *step, struct err *err)
{
	return rootfs_overlay(&walker->rootfs, &step->u.overlay, err);
}

/* /proc is not necessarily this process's: the private procfs is. */
static int request_procfs(const struct mount_parent *parent, struct err *err)
{
	_cleanup_fd_ int ns_fd = k_openat(parent->proc_fd, "self/ns/pid", O_RDONLY | O_CLOEXEC, 0);
	int fd = -1, r = ns_fd;

	if (r >= 0)
		r = protocol_send(parent->socket_fd, STEP_PROC_REFUSED, parent->step, NULL, ns_fd);
	if (r < 0)
		return err_system(err, r, "cannot request a procfs");
	r = protocol_expect(parent->socket_fd, STEP_PROC_MADE, NULL, &fd, err);
	return r < 0 ? r : fd < 0 ? -EPERM : fd;
}

int init_mount(struct walker *walker, const struct plan_step *step, struct err *err)
{
	const struct plan_step *proc = plan_find(walker->plan, PLAN_OPEN_PROC);
	const struct mount_parent parent = {request_procfs, walker->socket_fd,
					    proc == NULL ? -1 : walker->rootfs.slot_base + proc->u.slot,
					    walker->at};
	int r;

	walker->rootfs.parent = &parent;
	r = mount_attach(&walker->rootfs, &step->u.mount, err);
	walker->rootfs.parent = NULL;
	if (walker->rootfs.warning_count > 0)
		err_pointer(&walker->rootfs.warning, plan_get(walker->plan, step->json_pointer));
	return r;
}

int init_pivot(struct walker *walker, const struct plan_step *step, struct err *err)
{
	int r = rootfs_pivot(&walker->rootfs, &step->u.root, err);

	if (r >= 0)
		r = place_verify_mounts(&walker->rootfs, err);
	fd_close(&walker->rootfs.host_cgroup_fd);
	return r;
}

int init_make_cwd(struct walker *walker, const struct plan_step *step, struct err *err)
{
	const char *path = plan_get(walker->plan, step->u.text);
	const struct path_place place = place_find(&walker->rootfs, path);
	const struct path_making making = {.mode = 0755};
	_cleanup_fd_ int fd = path_mkdir(&place, &making);

	/*
	 * Magic links (/proc/self/fd/N) and files are refused here. If the directory cannot be created for
	 * another reason, the later chdir(2) fails and reports that.
	 */
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

int init_readonly_mount(struct walker *walker, const struct plan_step *step, struct err *err)
{
	return set_mount(walker->rootfs.slot_base + step->u.slot, MOUNT_ATTR_RDONLY, 0, false, err);
}

int init_readonly_root(struct walker *walker, const struct plan_step *step, struct err *err)
{
	(void)step;
	return set_mount(walker->rootfs.fd, MOUNT_ATTR_RDONLY, 0, false, err);
}

int init_propagation(struct walker *walker, const struct plan_step *step, struct err *err)
{
	return set_mount(walker->rootfs.fd, 0, step->u.propagation.type, step->u.propagation.is_recursive, err);
}

int init_copy_nodes(struct walker *walker, const struct plan_step *step, struct err *err)
{
	return nodes_copy(&walker->rootfs, step->u.slot, err);
}

int init_device(struct walker *walker, const struct plan_step *step, struct err *err)
{
	return rootfs_device(&walker->rootfs, &step->u.device, err);
}

int init_link(struct walker *walker, const struct plan_step *step, struct err *err)
{
	return rootfs_link(&walker->rootfs, &step->u.link, err);
}

int init_file(struct walker *walker, const struct plan_step *step, struct err *err)
{
	return rootfs_file(&walker->rootfs, &step->u.file, err);
}

int init_readonly_path(struct walker *walker, const struct plan_step *step, struct err *err)
{
	return rootfs_readonly_path(&walker->rootfs, plan_get(walker->plan, step->u.text), err);
}

int init_mask_path(struct walker *walker, const struct plan_step *step, struct err *err)
{
	return rootfs_mask(&walker->rootfs, plan_get(walker->plan, step->u.text), err);
}

int init_sysctl(struct walker *walker, const struct plan_step *step, struct err *err)
{
	const char *key = plan_get(walker->plan, step->u.sysctl.key);
	const char *value = plan_get(walker->plan, step->u.sysctl.value);
	_cleanup_fd_ int sys_fd = -1, fd = -1;
	ssize_t r;

	sys_fd = path_open_beneath(walker->rootfs.slot_base + step->u.sysctl.slot, "sys", O_PATH | O_DIRECTORY,
				   0);
	fd = sys_fd < 0 ? sys_fd
			: path_open_beneath(sys_fd, plan_get(walker->plan, step->u.sysctl.path), O_WRONLY, 0);
	r = fd < 0 ? fd : k_write(fd, value, strlen(value));
	if (r == -ENOENT)
		return err_set(err, ERR_UNSUPPORTED, ENOENT, NULL, "cannot set sysctl '%s'", key);
	return r < 0 ? err_system(err, (int)r, "cannot set sysctl '%s' to '%s'", key, value) : 0;
}

/* --- hooks and the gate --- */

static void find_outputs(const struct walker *walker, const struct plan_hooks *hooks, int *ret_fds)
{
	for (int i = 0; i < PLAN_OUTPUTS; i++)
		ret_fds[i] = hooks->output_slots[i] == PLAN_NO_SLOT
				     ? -1
				     : walker->rootfs.slot_base + hooks->output_slots[i];
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
	int output_fds[PLAN_OUTPUTS];

	find_outputs(walker, &step->u.hooks, output_fds);
	context.output_fds = output_fds;
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
	int output_fds[PLAN_OUTPUTS];
	size_t size = 0;
	int r = check_parent(walker, err);

	if (r >= 0 && slot != PLAN_NO_SLOT)
		r = map_environment(walker->rootfs.slot_base + slot, &environment, &size, err);
	if (r < 0)
		return r;
	context.environment = environment;
	find_outputs(walker, &step->u.hooks, output_fds);
	context.output_fds = output_fds;
	r = hooks_run(&context, &step->u.hooks, err);
	if (slot == PLAN_NO_SLOT)
		return r;
	k_call2(__NR_munmap, environment, size);
	k_close(walker->rootfs.slot_base + slot);
	return r;
}

int init_hooks(struct walker *walker, const struct plan_step *step, struct err *err)
{
	const struct plan_step *pivot_step = plan_find(walker->plan, PLAN_PIVOT);

	return step > pivot_step ? run_inner_hooks(walker, step, err) : run_outer_hooks(walker, step, err);
}

/*
 * Waits for START: from the parent, or at the gate from the command start. A connection that is closed without
 * a message comes from a command that only checks whether init waits here. While init waits at the gate it has
 * no other descriptor of the runtime open but the socket to the creator, the recorder's socket, the pipe for
 * the end of the program and the files for the output of startContainer hooks, neither the plan's file nor any
 * other of the host. If the container has a supervisor, that reads from the socket to the creator what prevents
 * the start, and its end of file, by execve(2).
 */
int init_gate(struct walker *walker, const struct plan_step *step, struct err *err)
{
	int gate_fd = walker->rootfs.slot_base + step->u.slot, r;
	const int kept[] = {walker->socket_fd,         gate_fd,
			    init_recorder_fd(walker),  init_end_fd(walker),
			    init_output_fd(walker, 0), init_output_fd(walker, 1)};

	if (step->u.slot == PLAN_NO_SLOT)
		return protocol_expect(walker->socket_fd, STEP_START, NULL, NULL, err);
	walker->creator_fd = walker->socket_fd;
	init_close_except(walker, walker->first_fd, kept, ARRAY_SIZE(kept));
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

/*
 * If the parent exited before, it sends no signal; but then its end of the socket is closed, and the next
 * message fails.
 */
int init_death_signal(struct walker *walker, const struct plan_step *step, struct err *err)
{
	int signal = 0, r = (int)k_prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);

	(void)step;
	if (r >= 0 && walker->may_fake_success)
		r = (int)k_prctl(PR_GET_PDEATHSIG, (unsigned long)(uintptr_t)&signal, 0, 0, 0);
	if (r < 0)
		return err_system(err, r, "cannot die with the parent");
	return walker->may_fake_success && signal != SIGKILL
		       ? user_faked_success("/linux/seccomp", "prctl(2)", err)
		       : 0;
}
