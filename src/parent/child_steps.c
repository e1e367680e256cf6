/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent's steps that a creation, an exec and a trial have in common. Process: the parent, as in child.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/sched/types.h>
#include <unistd.h>

#include <tare/protocol.h>
#include <tare/sys.h>

#include "environment.h"
#include "steps.h"

#define IOPRIO_WHO_PGRP 2

static int store_fd(struct child *child, int32_t slot, int fd)
{
	if (fd < 0)
		return fd;
	child->slots[slot] = fd;
	return 0;
}

int parent_step_open_namespace(struct child *child, const struct plan_step *step, struct err *err)
{
	const char *path = plan_get(child->plan, step->u.ns.path);
	int fd = k_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);

	if (fd < 0)
		return err_system(err, fd, "cannot open namespace '%s'", path);
	return store_fd(child, step->u.ns.slot, fd);
}

static bool is_locked_source(const struct plan_step *step)
{
	return step->kind == PLAN_OPEN_SOURCE && step->actor == PLAN_PARENT && step->u.source.source.is_locked;
}

/* In the parent a slot is an index of child->slots, and no descriptor's number as in init. */
int parent_step_open_source(struct child *child, const struct plan_step *step, struct err *err)
{
	const struct plan_step *last = plan_steps(child->plan) + child->plan->step_count - 1;
	struct plan_source source = step->u.source.source;
	struct sources_wanted wanted = {.source = &source,
					.is_followed = step < last && is_locked_source(step + 1)};
	int fd;

	if (source.idmap_slot != PLAN_NO_SLOT) {
		wanted.slot_base = child->slots[source.idmap_slot];
		source.idmap_slot = 0;
	}
	fd = source.is_locked ? sources_open_locked(&child->sources, child->plan, &wanted, err)
			      : mount_open_source(child->plan, &source, AT_FDCWD, wanted.slot_base, err);
	if (fd == -EMFILE)
		spawn_hint_open_files(err);
	return store_fd(child, step->u.source.slot, fd);
}

int parent_step_make_node(struct child *child, const struct plan_step *step, struct err *err)
{
	int *fd = &child->slots[step->u.node.slot];

	if (*fd < 0)
		*fd = nodes_open(child->plan, err);
	return *fd < 0 ? *fd : nodes_make(child->plan, *fd, &step->u.node.device, err);
}

int parent_expect(const struct child *child, uint32_t expected, int64_t *ret_value, int *ret_fd,
		  struct err *err)
{
	while (true) {
		_cleanup_fd_ int fd = -1;
		int r = child_await(child, expected, err);

		if (r >= 0)
			r = protocol_expect(child->socket_fd, (enum protocol_step)expected, ret_value, &fd,
					    err);
		if (r >= 0 && ret_fd != NULL)
			*ret_fd = take_fd(&fd);
		if (r != -EAGAIN)
			return r;
		r = procfs_answer(child, *ret_value, fd, err);
		if (r < 0)
			return r;
	}
}

int parent_expect_message(struct child *child, const struct plan_step *step, int64_t *ret_value,
			  struct err *err)
{
	int64_t value;
	int r;

	if (step->u.step == STEP_INIT_STARTED)
		return spawn_expect_init(child, err);
	r = parent_expect(child, step->u.step, ret_value == NULL ? &value : ret_value,
			  step->u.step == STEP_READY ? &child->console_fd : NULL, err);
	if (r == -EPIPE && err->kind == ERR_PEER)
		child_explain_end(child->pidfd >= 0 ? child->pidfd : child->bridge_pidfd, child->plan, err);
	return r;
}

int parent_step_expect(struct child *child, const struct plan_step *step, struct err *err)
{
	int r = parent_expect_message(child, step, NULL, err);

	if (r >= 0)
		*err = (struct err){.kind = ERR_NONE};
	return r;
}

int parent_step_oom_score(struct child *child, const struct plan_step *step, struct err *err)
{
	const struct plan_step *proc = plan_find(child->plan, PLAN_OPEN_PROC);
	char path[48], text[16];
	int len, r;

	str_format(path, sizeof path, "%d/oom_score_adj", child->pid);
	len = str_format(text, sizeof text, "%lld", (long long)step->u.number);
	r = io_write_file(child->slots[proc->u.slot], path, text, (size_t)len);
	if (r < 0) {
		r = err_system(err, r, "cannot set oom_score_adj to %s", text);
		if (r == -EACCES || r == -EPERM)
			err_hint(err, "lowering it needs CAP_SYS_RESOURCE");
	}
	return r;
}

int parent_step_id_maps(struct child *child, const struct plan_step *step, struct err *err)
{
	int proc_fd = child->slots[plan_find(child->plan, PLAN_OPEN_PROC)->u.slot], r;

	if (step->u.maps.is_joined)
		return idmap_compare(proc_fd, child->pid, child->plan, &step->u.maps, err);
	r = idmap_write_uids(proc_fd, child->pid, child->plan, &step->u.maps, err);
	if (r < 0)
		return r;
	r = idmap_write_gids(proc_fd, child->pid, child->plan, &step->u.maps, err);
	if (r < 0)
		err_pointer(err, "/linux/gidMappings");
	return r;
}

int parent_step_send(struct child *child, const struct plan_step *step, struct err *err)
{
	int r = protocol_send(child->socket_fd, (enum protocol_step)step->u.step, 0, NULL, -1);

	if (r < 0)
		r = err_system(err, r, "cannot send init the message to continue");
	if (r == -EPIPE)
		child_explain_end(child->pidfd, child->plan, err);
	if (r < 0)
		return r;
	if (step->u.step == STEP_COMMITTED && child->bridge_pidfd >= 0)
		spawn_end_bridge(child);
	return 0;
}

int parent_step_open_proc(struct child *child, const struct plan_step *step, struct err *err)
{
	return store_fd(child, step->u.slot, mount_open_proc(err));
}

int parent_step_open_idmap(struct child *child, const struct plan_step *step, struct err *err)
{
	return store_fd(child, step->u.idmap.slot, idmap_open(child->plan, &step->u.idmap.maps, err));
}

/* This process keeps a copy of the writing end in the slot, and must not wait for its end of file. */
int parent_step_open_end(struct child *child, const struct plan_step *step, struct err *err)
{
	int fds[2], r = k_pipe2(fds, O_CLOEXEC | O_NONBLOCK);

	if (r < 0)
		return err_system(err, r, "cannot make a pipe for the end of the program");
	child->end_fd = fds[0];
	return store_fd(child, step->u.slot, fds[1]);
}

int parent_step_open_output(struct child *child, const struct plan_step *step, struct err *err)
{
	return store_fd(child, step->u.output.slot,
			container_open_output(plan_get(child->plan, step->u.output.path), err));
}

int parent_step_open_environment(struct child *child, const struct plan_step *step, struct err *err)
{
	return store_fd(child, step->u.slot, environment_open(environ, err));
}

int parent_step_spawn(struct child *child, const struct plan_step *step, struct err *err)
{
	return spawn_init(child, step, err);
}

/* sched(7), getrlimit(2). Without "nice" in the configuration the value is 0: below that of a nice(1) command.
 */
static void hint_scheduler(const struct sched_attr *attr, struct err *err)
{
	if (attr->sched_policy == SCHED_DEADLINE)
		err_hint(err, "SCHED_DEADLINE needs CAP_SYS_NICE");
	else if (attr->sched_policy == SCHED_FIFO || attr->sched_policy == SCHED_RR)
		err_hint(err,
			 "priority %u needs CAP_SYS_NICE, or an RLIMIT_RTPRIO of the caller that permits it",
			 attr->sched_priority);
	else
		err_hint(err, "nice %d is below the caller's: it needs CAP_SYS_NICE or RLIMIT_NICE",
			 attr->sched_nice);
}

int parent_step_scheduler(struct child *child, const struct plan_step *step, struct err *err)
{
	struct sched_attr attr = {
		.size = sizeof attr,
		.sched_policy = step->u.scheduler.policy,
		.sched_flags = step->u.scheduler.flags,
		.sched_nice = step->u.scheduler.nice,
		.sched_priority = step->u.scheduler.priority,
		.sched_runtime = step->u.scheduler.runtime,
		.sched_deadline = step->u.scheduler.deadline,
		.sched_period = step->u.scheduler.period,
	};
	int r = (int)k_call3(__NR_sched_setattr, child->pid, &attr, 0);

	if (r >= 0)
		return 0;
	err_system(err, r, "cannot set the scheduler");
	/* Root of a user namespace has the capability only there. A filter is another cause: probe_hint_filter.
	 */
	if (r == -EPERM && (user_lacks_capability(CAP_SYS_NICE) || k_prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 0))
		hint_scheduler(&attr, err);
	return r;
}

int parent_step_io_priority(struct child *child, const struct plan_step *step, struct err *err)
{
	int r = (int)k_call3(__NR_ioprio_set, IOPRIO_WHO_PGRP, child->pid, step->u.number);

	return r < 0 ? err_system(err, r, "cannot set the io priority") : 0;
}

int parent_step_rlimit(struct child *child, const struct plan_step *step, struct err *err)
{
	return process_set_rlimit(child->pid, &step->u.rlimit, err);
}
