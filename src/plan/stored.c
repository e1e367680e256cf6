/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <tare/plan.h>

/*
 * What the bytes of a plan mean depends on these; the revision is for changes that sizes and counts do not
 * show.
 */
#define REVISION 1
#define LAYOUT                                                                                                 \
	((uint64_t)sizeof(struct plan) << 48 | (uint64_t)sizeof(struct plan_step) << 32 |                      \
	 (uint64_t)PLAN_KINDS << 16 | REVISION)

/* Against damage, not against malice: the directory belongs to the user who runs tare. */
static uint64_t sum_of(const struct plan *plan)
{
	const unsigned char *at = (const unsigned char *)plan;
	uint64_t sum = 0xcbf29ce484222325ull, word;

	for (size_t i = 0; i < plan->size / sizeof word; i++) {
		memcpy(&word, at + i * sizeof word, sizeof word);
		if (i * sizeof word == offsetof(struct plan, sum))
			word = 0;
		sum = (sum ^ word) * 0x100000001b3ull;
		sum ^= sum >> 29;
	}
	return sum;
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
