/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plan as a file: stamps it with the layout and a sum, and checks both when it is read. Process: the parent.
 */
#include <stddef.h>

#include <tare/plan.h>

/*
 * The layout number of a stored plan. Increase REVISION for a change that none of these sizes and counts shows.
 */
#define REVISION 7
#define LAYOUT                                                                                                 \
	((uint64_t)sizeof(struct plan) << 48 | (uint64_t)sizeof(struct plan_step) << 32 |                      \
	 (uint64_t)PLAN_KINDS << 24 | (uint64_t)sizeof(struct plan_process) << 8 | REVISION)

static uint64_t sum_of(const struct plan *plan)
{
	const unsigned char *bytes = (const unsigned char *)plan;
	size_t after = offsetof(struct plan, sum) + sizeof plan->sum;
	uint64_t sum = sum_add(SUM_BEGIN, bytes, offsetof(struct plan, sum));

	return sum_add(sum, bytes + after, plan->size - after);
}

void plan_store(struct plan *plan)
{
	plan->layout = LAYOUT;
	plan->sum = sum_of(plan);
}

const struct plan *plan_restore(const void *data, size_t size)
{
	const struct plan *plan = data;

	if (size < sizeof *plan || plan->magic != PLAN_MAGIC || plan->layout != LAYOUT || plan->size != size)
		return NULL;
	return plan->sum == sum_of(plan) ? plan : NULL;
}
