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

/*
 * Runs in the new process. It does not send its pid, which differs between pid namespaces: the kernel adds the
 * pid that the parent sees (SO_PASSCRED).
 */
static int become_init(struct walker *walker, bool has_cgroup, struct err *err)
{
	int r;

	walker->actor = PLAN_INIT;
	/* Here and not in the bridge, because a session loses its terminal when its leader exits. setsid(2)
	 * returns a number above 0; a seccomp filter can make it return 0 without an effect. */
	r = k_setsid();
	if (r == 0)
		return user_faked_success("/linux/seccomp", "setsid(2)", err);
	if (r < 0)
		return err_system(err, r, "cannot create a session");
	if (has_cgroup)
		k_close(walker->first_fd + INIT_FD_CGROUP);
	/* In an exec the next step that waits reports the parent's death by end of file. A creation carries out
	 * mounts and hooks before such a step, so it needs the death signal. */
	if (plan_find(walker->plan, PLAN_GATE) != NULL)
		r = (int)k_prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (r >= 0)
		r = protocol_send(walker->socket_fd, STEP_INIT_STARTED, 0, NULL, walker->console_fd);
	fd_close(&walker->console_fd);
	return r < 0 ? err_system(err, r, "cannot report that init has started") : 0;
}

/*
 * Seccomp filters cannot inspect the arguments of clone3(2), and many deny it for that reason. A bridge under a
 * filter then uses clone(2), which has all flags that it needs. A filter can also make the call return 0
 * without an effect: only in a real child does the kernel store a pid in *ret_own (CLONE_CHILD_SETTID).
 */
static long clone_init(const struct walker *walker, struct clone_args *args, volatile pid_t *ret_own)
{
	long pid;

	*ret_own = 0;
	args->flags |= CLONE_CHILD_SETTID;
	args->child_tid = (uint64_t)(uintptr_t)ret_own;
	pid = k_clone3(args);
	/* clone(2): which of the last two arguments is child_tid depends on the architecture. */
	if (walker->filter != NULL && (pid < 0 || (pid == 0 && *ret_own == 0)))
		pid = k_call5(__NR_clone, args->flags, 0, 0, ret_own, ret_own);
	return pid;
}

/*
 * Returns only in the new process, which is init (walker->actor changes); the bridge exits. CLONE_PARENT makes
 * init a child of the parent, which waits for it.
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
	pid = clone_init(walker, &args, &own);
	if (pid == 0 && own == 0)
		return user_faked_success("/linux/seccomp", "clone(2)", err);
	if (pid < 0)
		return err_system(err, (int)pid, "cannot start init in its namespaces");
	if (pid == 0)
		return become_init(walker, has_cgroup, err);
	k_exit(0);
}

/*
 * Enters the container of an exec. setns(2) with a pidfd enters all namespaces or none; the new pid namespace
 * applies to children only. setns(2) into a mount namespace sets the root directory to that namespace's root; a
 * container without a mount namespace has its root directory in root_slot.
 */
static int enter_container(struct walker *walker, const struct plan_step *step, struct err *err)
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
	/* Closes the descriptors of the host: the container's processes must not reach them. */
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
		return r < 0 ? err_system(err, r, "cannot create a namespace") : 0;
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
		return enter_container(walker, step, err);
	default: /* a step that usually init carries out */
		return init_step(walker, step, err);
	}
}
