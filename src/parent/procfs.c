/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A procfs that the parent makes because the kernel refuses it to init. A new procfs shows the pid namespace of
 * the process that opens it, so a child starts in the container's pid namespace to make it. That child stays in
 * the parent's mount namespace and user namespace, and nothing but init is in that pid namespace yet.
 *
 * Process: the parent, and children of it that exit before it continues.
 */
#include <errno.h>
#include <linux/sched.h>

#include <tare/probe.h>
#include <tare/protocol.h>
#include <tare/sys.h>

#include "steps.h"

struct request {
	const struct child *child;
	const struct plan_mount *mount;
	int pid_ns_fd;
};

/* In the container's pid namespace. */
static int make(const void *context, struct err *err)
{
	const struct request *request = context;
	const struct rootfs rootfs = {.plan = request->child->plan};
	_cleanup_fd_ int fd = mount_new(&rootfs, request->mount, -1, err);
	int r;

	if (fd < 0)
		return fd;
	r = protocol_send(request->child->socket_fd, STEP_PROC_MADE, 0, NULL, fd);
	return r < 0 ? err_system(err, r, "cannot send init its procfs") : 0;
}

/* setns(2) into a pid namespace is for children only. */
static int enter(const void *context, struct err *err)
{
	const struct request *request = context;
	int r = k_setns(request->pid_ns_fd, CLONE_NEWPID);

	if (r < 0)
		return err_system(err, r, "cannot enter the container's pid namespace");
	return probe_try(&(struct probe_trial){.run = make, .context = context}, err);
}

static const struct plan_mount *find_mount(const struct plan *plan, int64_t index)
{
	const struct plan_step *step = index >= 0 && index < plan->step_count ? plan_steps(plan) + index : NULL;

	if (step == NULL || step->kind != PLAN_MOUNT || (step->u.mount.ways & PLAN_WAY_PARENT) == 0)
		return NULL;
	return &step->u.mount;
}

int procfs_answer(const struct child *child, int64_t index, int pid_ns_fd, struct err *err)
{
	const struct request request = {child, find_mount(child->plan, index), pid_ns_fd};
	int r;

	if (request.mount == NULL)
		return err_set(err, ERR_PEER, EPROTO, NULL, "init requested a procfs that is not in the plan");
	r = probe_try(&(struct probe_trial){.run = enter, .context = &request}, err);
	if (r != -EPERM)
		return r;
	r = protocol_send(child->socket_fd, STEP_PROC_MADE, 0, NULL, -1);
	return r < 0 ? err_system(err, r, "cannot report to init that there is no procfs") : 0;
}
