/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bridge: the short-lived process that exists only when init has to be born into a pid or time namespace,
 * or into a user namespace together with namespaces that do not belong to it; and for every exec.
 *
 * Process: child of the parent, runs from the sealed memfd, in the host's mount namespace and cgroup, as the
 * caller with all its capabilities. May not: open a path, allocate, word an error for the user.
 *
 * For exec it is born into the container's cgroup, enters the container's namespaces and becomes there, step by
 * step, what the new process is going to be; its child is born last. The bridge itself stays in the caller's
 * pid namespace all the time: a process of the container, even one with CAP_SYS_PTRACE, sees nobody who has
 * more rights than the program that is going to run.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <signal.h>

#include <tare/init.h>
#include <tare/protocol.h>

#include "walker.h"

int bridge_join(struct walker *walker, const struct plan_step *step, struct err *err)
{
	uint32_t bit = 1u << step->u.ns.ns;
	int r;

	if (walker->joined & bit)
		return 0;
	r = k_setns(walker->rootfs.slot_base + step->u.ns.slot, 0);
	if (r == -EPERM && step->u.ns.is_tentative)
		return 0;
	if (r < 0)
		return err_system(err, r, "cannot join the namespace");
	walker->joined |= bit;
	return 0;
}

/* In the new process. Its pid is not said here, where another one would be seen: the kernel tells it. */
static int become_init(struct walker *walker, bool has_cgroup, struct err *err)
{
	int r;

	walker->actor = PLAN_INIT;
	/* A session ends with its leader, so it is begun by the process that stays; which has a number above 0.
	 */
	r = k_setsid();
	if (r == 0)
		return user_faked_success("/linux/seccomp", "setsid(2)", err);
	if (r < 0)
		return err_system(err, r, "cannot begin a session");
	if (has_cgroup)
		k_close(walker->first_fd + INIT_FD_CGROUP);
	/* All that an exec has left to do ends with an end of file; a creation has mounts and hooks before it.
	 */
	if (plan_find(walker->plan, PLAN_GATE) != NULL)
		r = (int)k_prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (r >= 0)
		r = protocol_send(walker->socket_fd, STEP_INIT_STARTED, 0, NULL, walker->console_fd);
	fd_close(&walker->console_fd);
	return r < 0 ? err_system(err, r, "cannot tell that init is there") : 0;
}

/*
 * Filters cannot look into clone3's arguments, and many deny it for that. Nor is more than clone(2) needed by
 * whoever is under one. 0 of a filter is not taken for being the child: that one the kernel tells its number.
 */
static long make_copy(const struct walker *walker, struct clone_args *args, volatile pid_t *ret_own)
{
	long pid;

	*ret_own = 0;
	args->flags |= CLONE_CHILD_SETTID;
	args->child_tid = (uint64_t)(uintptr_t)ret_own;
	pid = k_clone3(args);
	/* The architectures differ in which of the last two it is. */
	if (walker->filter != NULL && (pid < 0 || (pid == 0 && *ret_own == 0)))
		pid = k_call5(__NR_clone, args->flags, 0, 0, ret_own, ret_own);
	return pid;
}

/*
 * Returns as init (walker->who changes) in the new process. CLONE_PARENT makes it a child of the parent, which
 * is the one that waits for it; the bridge is gone.
 */
static int bridge_spawn(struct walker *walker, const struct plan_step *step, struct err *err)
{
	int cgroup_fd = walker->first_fd + INIT_FD_CGROUP;
	bool has_cgroup = plan_has_cgroup(walker->plan);
	struct clone_args args = {.flags = step->u.spawn.flags | CLONE_PARENT};
	volatile pid_t own;
	long pid;

	if (has_cgroup && step->u.spawn.into_cgroup) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup_fd;
	}
	pid = make_copy(walker, &args, &own);
	if (pid == 0 && own == 0)
		return user_faked_success("/linux/seccomp", "clone(2)", err);
	if (pid < 0) {
		err_system(err, (int)pid, "cannot start init in its namespaces");
		if (pid == -EAGAIN)
			err_hint(err, "the cgroup's pids.max, or the user's limit of processes, is reached");
		return (int)pid;
	}
	if (pid == 0)
		return become_init(walker, has_cgroup, err);
	k_exit(0);
}

/*
 * setns(2) of a pidfd enters all namespaces or none. The pid namespace is for children only. With a mount
 * namespace the container's root directory becomes this process's own; without one it is told where that is.
 */
static int enter(struct walker *walker, const struct plan_step *step, struct err *err)
{
	const struct plan_container *container = &step->u.container;
	int r = 0;

	if (container->namespaces != 0)
		r = k_setns(walker->rootfs.slot_base + container->slot, (int)container->namespaces);
	if (r == -ESRCH)
		return err_set(err, ERR_STATE, 0, NULL, "container not running"), -ESRCH;
	if (r < 0)
		return err_system(err, r, "cannot enter the container's namespaces");
	if (container->root_slot != PLAN_NO_SLOT) {
		r = k_fchdir(walker->rootfs.slot_base + container->root_slot);
		if (r >= 0)
			r = k_chroot(".");
		if (r < 0)
			return err_system(err, r, "cannot enter the container's root directory");
	}
	/* Nothing of the host that was needed to come here stays open. */
	k_close_range((unsigned int)(walker->first_fd + INIT_FD_CGROUP), ~0u, 0);
	walker->rootfs.fd = k_openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	return walker->rootfs.fd < 0 ? err_system(err, walker->rootfs.fd, "cannot open the container's root")
				     : 0;
}

int bridge_step(struct walker *walker, const struct plan_step *step, struct err *err)
{
	int r;

	switch ((enum plan_kind)step->kind) {
	case PLAN_JOIN:
		return bridge_join(walker, step, err);
	case PLAN_UNSHARE:
		r = k_unshare((int)step->u.number);
		return r < 0 ? err_system(err, r, "cannot make a namespace") : 0;
	case PLAN_TIME_OFFSETS:
		return process_write_time_offsets(walker->rootfs.slot_base + step->u.times.slot, step, err);
	case PLAN_SEND:
		return protocol_send(walker->socket_fd, (enum protocol_step)step->u.step, 0, NULL, -1);
	case PLAN_EXPECT:
		return protocol_expect(walker->socket_fd, (enum protocol_step)step->u.step, NULL, NULL, err);
	case PLAN_OOM_SCORE:
		return process_set_oom_score(walker->rootfs.slot_base +
						     plan_find(walker->plan, PLAN_OPEN_PROC)->u.slot,
					     step->u.number, err);
	case PLAN_SPAWN:
		return bridge_spawn(walker, step, err);
	case PLAN_ENTER:
		return enter(walker, step, err);
	default: /* what it does in init's stead */
		return init_step(walker, step, err);
	}
}
