/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bridge: a short-lived process that starts init. It exists if init has to start in a pid or time
 * namespace, or in a user namespace together with namespaces that this one does not own; and for every exec.
 *
 * Process: child of the parent, runs from the sealed memfd, in the host's mount namespace and cgroup, as the
 * caller with all its capabilities. It must not open a path, allocate memory, or print.
 *
 * For an exec it starts in the container's cgroup, enters the container's namespaces, and takes over the
 * attributes of the new process step by step; it starts that process last. The bridge stays in the caller's pid
 * namespace: so no process of the container, even with CAP_SYS_PTRACE, can see a process that has more rights
 * than the program that is going to run.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <signal.h>

#include <tare/init.h>
#include <tare/protocol.h>

#include "walker.h"

/*
 * Runs in the new process. It does not send its pid, which differs between pid namespaces: the kernel adds the
 * pid that the parent sees (SO_PASSCRED).
 */
static int become_init(struct walker *walker, bool has_cgroup, struct err *err)
{
	int r;

	walker->actor = PLAN_INIT;
	/*
	 * Here and not in the bridge, because a session loses its terminal when its leader exits. setsid(2)
	 * returns a number above 0; a seccomp filter can make it return 0 without an effect.
	 */
	r = k_setsid();
	if (r == 0)
		return user_faked_success("/linux/seccomp", "setsid(2)", err);
	if (r < 0)
		return err_system(err, r, "cannot create a session");
	if (has_cgroup)
		k_close(walker->first_fd + INIT_FD_CGROUP);
	/*
	 * In an exec the next step that waits reports the parent's death by end of file. A creation carries out
	 * mounts and hooks before such a step, so it needs the death signal.
	 */
	if (plan_find(walker->plan, PLAN_GATE) != NULL)
		r = (int)k_prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (r >= 0)
		r = protocol_send(walker->socket_fd, STEP_INIT_STARTED, 0, NULL, walker->console_fd);
	fd_close(&walker->console_fd);
	return r < 0 ? err_system(err, r, "cannot report that init has started") : 0;
}

/* What the clone of a bridge leaves for its child. */
struct clone_result {
	volatile pid_t
		own;  /* the pid that the kernel stores in the child (CLONE_CHILD_SETTID); 0: there is none */
	int procs_fd; /* cgroup.procs of the cgroup that the child has to move to; or -1 */
};

/*
 * Seccomp filters cannot inspect the arguments of clone3(2), and many deny it for that reason. A bridge under a
 * filter then uses clone(2), which has all flags that it needs but CLONE_INTO_CGROUP: the child moves to the
 * cgroup itself. A filter can also make the call return 0 without an effect: only in a real child does the
 * kernel store a pid.
 */
static long clone_init(const struct walker *walker, struct clone_args *args, struct clone_result *ret)
{
	bool is_outside = (args->flags & CLONE_INTO_CGROUP) != 0;
	long pid;

	*ret = (struct clone_result){0, -1};
	args->flags |= CLONE_CHILD_SETTID;
	args->child_tid = (uint64_t)(uintptr_t)&ret->own;
	pid = k_clone3(args);
	if (pid != -ENOSYS && (walker->filter == NULL || pid > 0 || (pid == 0 && ret->own != 0)))
		return pid;
	if (is_outside)
		ret->procs_fd = k_openat((int)args->cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC, 0);
	if (is_outside && ret->procs_fd < 0)
		return ret->procs_fd;
	/* Which of the last two arguments is child_tid depends on the architecture. */
	return k_call5(__NR_clone, args->flags & ~(uint64_t)CLONE_INTO_CGROUP, 0, 0, &ret->own, &ret->own);
}

/*
 * Returns only in the new process, which is init (walker->actor changes); the bridge exits. CLONE_PARENT makes
 * init a child of the parent, which waits for it.
 */
int bridge_spawn(struct walker *walker, const struct plan_step *step, struct err *err)
{
	int cgroup_fd = walker->first_fd + INIT_FD_CGROUP;
	bool has_cgroup = plan_has_cgroup(walker->plan);
	struct clone_args args = {.flags = step->u.spawn.flags | CLONE_PARENT};
	struct clone_result result;
	ssize_t moved = 0;
	long pid;

	if (has_cgroup && step->u.spawn.into_cgroup) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup_fd;
	}
	pid = clone_init(walker, &args, &result);
	if (pid == 0 && result.own == 0)
		return user_faked_success("/linux/seccomp", "clone(2)", err);
	if (pid < 0)
		return err_system(err, (int)pid, "cannot start init in its namespaces");
	if (pid > 0)
		k_exit(0);
	if (result.procs_fd >= 0) {
		moved = k_write(result.procs_fd, "0", 1);
		k_close(result.procs_fd);
	}
	return moved < 0 ? err_system(err, (int)moved, "cannot move init to its cgroup")
			 : become_init(walker, has_cgroup, err);
}

static int enter_fail(int r, struct err *err)
{
	if (r == -ESRCH)
		return err_set(err, ERR_STATE, 0, NULL, "container not running"), r;
	return err_system(err, r, "cannot enter the container's namespaces");
}

/*
 * A container without a user namespace of its own that was created in another one than the caller's: the new
 * process would have the rights of this one, which the container's processes do not have. setns(2) fails with
 * EINVAL if the namespace is already this process's own, and with EPERM if this process has no rights in it:
 * then it cannot enter the other namespaces either.
 */
static int check_user_ns(const struct walker *walker, const struct plan_container *container, struct err *err)
{
	int r = (container->namespaces & CLONE_NEWUSER) != 0
			? -EINVAL
			: k_setns(walker->rootfs.slot_base + container->slot, CLONE_NEWUSER);

	if (r == -EINVAL || r == -EPERM)
		return 0;
	if (r < 0)
		return enter_fail(r, err);
	err_set(err, ERR_STATE, 0, NULL, "cannot enter a container of another user namespace");
	err_hint(err, "run tare in that namespace: nsenter --user --preserve-credentials --target PID");
	return -EINVAL;
}

/*
 * Enters the container of an exec, or one of which the mounts are changed. setns(2) with a pidfd enters all
 * namespaces or none; the new pid namespace applies to children only. setns(2) into a mount namespace sets the
 * root directory to that namespace's root; a container without a mount namespace has its root directory in
 * root_slot.
 */
int bridge_enter_namespaces(struct walker *walker, const struct plan_container *container, struct err *err)
{
	int r = check_user_ns(walker, container, err);

	if (r < 0)
		return r;
	r = container->drops_groups ? k_setgroups(0, NULL) : 0;
	if (r < 0)
		return err_system(err, r, "cannot drop the caller's groups before the container is entered");
	if (container->namespaces != 0)
		r = k_setns(walker->rootfs.slot_base + container->slot, (int)container->namespaces);
	if (r < 0)
		return enter_fail(r, err);
	if (container->root_slot != PLAN_NO_SLOT) {
		r = k_fchdir(walker->rootfs.slot_base + container->root_slot);
		if (r >= 0)
			r = k_chroot(".");
		if (r < 0)
			return err_system(err, r, "cannot enter the container's root directory");
	}
	return 0;
}

int bridge_enter(struct walker *walker, const struct plan_step *step, struct err *err)
{
	int r = bridge_enter_namespaces(walker, &step->u.container, err);

	if (r < 0)
		return r;
	/* Closes the descriptors of the host: the container's processes must not reach them. */
	k_close_range((unsigned int)(walker->first_fd + INIT_FD_CGROUP), ~0u, 0);
	walker->rootfs.fd = k_openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	return walker->rootfs.fd < 0 ? err_system(err, walker->rootfs.fd, "cannot open the container's root")
				     : 0;
}

int bridge_unshare(struct walker *walker, const struct plan_step *step, struct err *err)
{
	int r = k_unshare((int)step->u.number);

	(void)walker;
	return r < 0 ? err_system(err, r, "cannot create a namespace") : 0;
}

int bridge_time_offsets(struct walker *walker, const struct plan_step *step, struct err *err)
{
	char text[160];
	int proc_fd = walker->rootfs.slot_base + step->u.times.slot, len = 0, r;

	if (step->u.times.monotonic.is_set)
		len += str_format(text + len, sizeof text - (size_t)len, "monotonic %lld %u\n",
				  (long long)step->u.times.monotonic.secs, step->u.times.monotonic.nanosecs);
	if (step->u.times.boottime.is_set)
		len += str_format(text + len, sizeof text - (size_t)len, "boottime %lld %u\n",
				  (long long)step->u.times.boottime.secs, step->u.times.boottime.nanosecs);
	r = io_write_file(proc_fd, "self/timens_offsets", text, (size_t)len);
	if (r < 0) {
		r = err_system(err, r, "cannot set the offsets of the time namespace");
		if (r == -ERANGE)
			err_hint(err, "an offset makes the clock negative, or too large");
	}
	return r;
}

int bridge_send(struct walker *walker, const struct plan_step *step, struct err *err)
{
	(void)err;
	return protocol_send(walker->socket_fd, (enum protocol_step)step->u.step, 0, NULL, -1);
}

int bridge_oom_score(struct walker *walker, const struct plan_step *step, struct err *err)
{
	const struct plan_step *proc = plan_find(walker->plan, PLAN_OPEN_PROC);

	return process_set_oom_score(walker->rootfs.slot_base + proc->u.slot, step->u.number, err);
}

int bridge_step(struct walker *walker, const struct plan_step *step, struct err *err)
{
	switch ((enum plan_kind)step->kind) {
#define BRIDGE_STEP(kind, name, printed, parent, bridge, ...)                                                  \
	case PLAN_##kind:                                                                                      \
		return WALKER_##bridge(name);
		PLAN_STEPS(BRIDGE_STEP)
	case PLAN_KINDS:
		break;
	}
	return WALKER__(none);
}
