/* SPDX-License-Identifier: Apache-2.0 */
/* Walks the plan and carries out the parent's steps. Process: the parent, as in child.c. */
#include <errno.h>
#include <poll.h>

#include <tare/await.h>
#include <tare/probe.h>
#include <tare/protocol.h>
#include <tare/sys.h>

#include "steps.h"
#include "trace.h"

/* --- the table of steps as functions: one for a trial, which has only the child, a creation and an exec --- */

static int refuse(const struct plan_step *step, struct err *err)
{
	return err_set(err, ERR_PEER, EPROTO, NULL, "the parent has no step %u", step->kind);
}

#define OF_CHILD__(name) refuse(step, err)
#define OF_CHILD_S(name) process_##name(child->plan, step, err)
#define OF_CHILD_P(name) parent_step_##name(child, step, err)
#define OF_CHILD_C(name) refuse(step, err)
#define OF_CHILD_E(name) refuse(step, err)
#define OF_CHILD_CE(name) refuse(step, err)
#define OF_CHILD_PCE(name) parent_step_##name(child, step, err)

static int child_step(struct child *child, const struct plan_step *step, struct err *err)
{
	switch ((enum plan_kind)step->kind) {
#define CHILD_STEP(kind, name, printed, parent, ...)                                                           \
	case PLAN_##kind:                                                                                      \
		return OF_CHILD_##parent(name);
		PLAN_STEPS(CHILD_STEP)
	case PLAN_KINDS:
		break;
	}
	return OF_CHILD__(none);
}

#define OF_CREATION__(name) refuse(step, err)
#define OF_CREATION_S(name) process_##name(creation->child.plan, step, err)
#define OF_CREATION_P(name) parent_step_##name(&creation->child, step, err)
#define OF_CREATION_C(name) parent_create_##name(creation, step, err)
#define OF_CREATION_E(name) refuse(step, err)
#define OF_CREATION_CE(name) parent_create_##name(creation, step, err)
#define OF_CREATION_PCE(name) parent_create_##name(creation, step, err)

static int creation_step(struct creation *creation, const struct plan_step *step, struct err *err)
{
	switch ((enum plan_kind)step->kind) {
#define CREATION_STEP(kind, name, printed, parent, ...)                                                        \
	case PLAN_##kind:                                                                                      \
		return OF_CREATION_##parent(name);
		PLAN_STEPS(CREATION_STEP)
	case PLAN_KINDS:
		break;
	}
	return OF_CREATION__(none);
}

#define OF_EXEC__(name) refuse(step, err)
#define OF_EXEC_S(name) process_##name(exec->child.plan, step, err)
#define OF_EXEC_P(name) parent_step_##name(&exec->child, step, err)
#define OF_EXEC_C(name) refuse(step, err)
#define OF_EXEC_E(name) parent_exec_##name(exec, step, err)
#define OF_EXEC_CE(name) parent_exec_##name(exec, step, err)
#define OF_EXEC_PCE(name) parent_exec_##name(exec, step, err)

static int exec_step(struct exec *exec, const struct plan_step *step, struct err *err)
{
	switch ((enum plan_kind)step->kind) {
#define EXEC_STEP(kind, name, printed, parent, ...)                                                            \
	case PLAN_##kind:                                                                                      \
		return OF_EXEC_##parent(name);
		PLAN_STEPS(EXEC_STEP)
	case PLAN_KINDS:
		break;
	}
	return OF_EXEC__(none);
}

/* --- the walk --- */

/* Whatever the plan belongs to, one of creation and exec at most, and its child. */
struct walker {
	struct child *child;
	struct creation *creation; /* or NULL */
	struct exec *exec;         /* or NULL */
};

static int parent_step(const struct walker *walker, const struct plan_step *step, struct err *err)
{
	if (walker->creation != NULL)
		return creation_step(walker->creation, step, err);
	if (walker->exec != NULL)
		return exec_step(walker->exec, step, err);
	return child_step(walker->child, step, err);
}

/* A step can fail because the child has failed before: its error is the cause, and replaces *err. */
static bool receive_failure(const struct child *child, struct err *err)
{
	const struct await await = {child->socket_fd, POLLIN, -1, -1, 0};
	struct err child_err;

	if (child->socket_fd < 0 || await_any(&await) != AWAIT_READY ||
	    protocol_expect(child->socket_fd, STEP_FAILED, NULL, NULL, &child_err) >= 0)
		return false;
	/* Another message, or none, is not the cause. */
	if (child_err.kind == ERR_PEER && (child_err.errnum == EPROTO || child_err.errnum == EPIPE))
		return false;
	*err = child_err;
	return true;
}

/* Completes the error of a step of this process, or replaces it by the child's. */
static void explain_failure(struct child *child, const struct plan_step *step, struct err *err)
{
	bool is_childs = receive_failure(child, err);

	parent_explain_limits(child, err);
	probe_hint_filter(err);
	if (!is_childs)
		err_pointer(err, plan_get(child->plan, step->json_pointer));
	if (child->is_mounting || str_has_prefix(err->json_pointer, "/mounts/") ||
	    str_equal(err->json_pointer, "/root/path"))
		probe_hint_profile(err);
}

/* Steps after COMMITTED are part of the start. */
static int carry_out(const struct walker *walker, struct err *err)
{
	const struct plan *plan = walker->child->plan;
	const struct plan_step *steps = plan_steps(plan);

	for (uint32_t i = 0; i < plan->step_count; i++) {
		int r;

		if (steps[i].actor != PLAN_PARENT)
			continue;
		trace_begin(walker->child, &steps[i]);
		r = parent_step(walker, &steps[i], err);
		if (r == -EINTR)
			return r;
		if (r < 0) {
			explain_failure(walker->child, &steps[i], err);
			return r;
		}
		trace_end(walker->child);
		if (steps[i].kind == PLAN_SEND && steps[i].u.step == STEP_COMMITTED)
			break;
	}
	return 0;
}

static int walk(const struct walker *walker, struct err *err)
{
	int r = trace_open(walker->child, err);

	if (r >= 0)
		r = carry_out(walker, err);
	if (r < 0)
		trace_log_stop(walker->child);
	return r;
}

int parent_walk(struct child *child, struct err *err)
{
	return walk(&(struct walker){.child = child}, err);
}

int parent_walk_creation(struct creation *creation, struct err *err)
{
	return walk(&(struct walker){.child = &creation->child, .creation = creation}, err);
}

int parent_walk_exec(struct exec *exec, struct err *err)
{
	return walk(&(struct walker){.child = &exec->child, .exec = exec}, err);
}
