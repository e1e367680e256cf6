/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan of "restore": the part of a container's plan that is the host's, its cgroup, its mounts' sources and
 * its hooks, with the step PLAN_RESTORE in place of the start of init. What init would do is in the images.
 */
#include <string.h>

#include <tare/protocol.h>

#include "builder.h"

static bool is_kept(const struct plan *plan, const struct plan_step *step)
{
	const struct plan_step *root = plan_find(plan, PLAN_ROOT);

	if (step->actor != PLAN_PARENT)
		return false;
	switch ((enum plan_kind)step->kind) {
	case PLAN_CGROUP_CREATE:
	case PLAN_UNIT_START:
	case PLAN_RELEASE_PLACEHOLDER:
	case PLAN_UNIT_SET:
	case PLAN_UNIT_WATCH:
	case PLAN_CGROUP_ENABLE:
	case PLAN_CGROUP_OWNER:
	case PLAN_CGROUP_DEVICES:
	case PLAN_CGROUP_USAGE:
	case PLAN_CGROUP_WRITE:
	case PLAN_OPEN_NAMESPACE:
	case PLAN_OPEN_IDMAP:
	case PLAN_SPAWN:
	case PLAN_RESCTRL:
	case PLAN_HOOKS:
		return true;
	case PLAN_OPEN_SOURCE:
		return root == NULL || step->u.source.slot != root->u.root.slot;
	case PLAN_SEND:
		return step->u.step == STEP_COMMITTED;
	default:
		return false;
	}
}

#define ALIGNED(size) (((size) + 15u) & ~15u)

/* Texts and tables keep their offsets; the kept steps are appended. */
struct plan *plan_build_restore(const struct plan *plan)
{
	const struct plan_step *steps = plan_steps(plan);
	uint32_t at = ALIGNED(plan->size), count = 0;
	size_t size = at + (size_t)plan->step_count * sizeof *steps;
	struct plan *copy = mem_alloc(ALIGNED(size));
	struct plan_step *kept = (struct plan_step *)((char *)copy + at);

	memcpy(copy, plan, plan->size);
	for (uint32_t i = 0; i < plan->step_count; i++) {
		if (!is_kept(plan, &steps[i]))
			continue;
		kept[count] = steps[i];
		if (steps[i].kind == PLAN_SPAWN)
			kept[count].kind = PLAN_RESTORE;
		count++;
	}
	copy->steps = at;
	copy->size = (uint32_t)ALIGNED(size);
	copy->step_count = count;
	return copy;
}
