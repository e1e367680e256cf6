/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that read a plan; they also run in init and the bridge. */
#include <tare/plan.h>

const struct plan_step *plan_find(const struct plan *plan, enum plan_kind kind)
{
	const struct plan_step *steps = plan_steps(plan);

	for (uint32_t i = 0; i < plan->step_count; i++)
		if (steps[i].kind == kind)
			return &steps[i];
	return NULL;
}

bool plan_has_cgroup(const struct plan *plan)
{
	return plan_find(plan, PLAN_CGROUP_CREATE) != NULL || plan_find(plan, PLAN_UNIT_START) != NULL;
}

const char *plan_cgroup_path(const struct plan *plan)
{
	const struct plan_step *step = plan_find(plan, PLAN_CGROUP_CREATE);

	return step == NULL ? "" : plan_get(plan, step->u.text);
}
