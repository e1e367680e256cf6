/* SPDX-License-Identifier: Apache-2.0 */
/* The program that changes the mounts of an existing container: the steps of a creation, and those of mounts.c.
 */
#define WALKER_HAS_MOUNTS
#include <tare/freestanding.h>

#include "walker.h"

static int mounts_step(struct walker *walker, const struct plan_step *step, struct err *err)
{
	switch ((enum plan_kind)step->kind) {
#define INIT_STEP(kind, name, printed, parent, bridge, create, exec, ...)                                      \
	case PLAN_##kind:                                                                                      \
		return WALKER_##create(name);
		PLAN_STEPS(INIT_STEP)
	case PLAN_KINDS:
		break;
	}
	return WALKER__(none);
}

/* A change that fails leaves nothing. */
static int undoing_step(struct walker *walker, const struct plan_step *step, struct err *err)
{
	int r = mounts_step(walker, step, err);

	if (r < 0)
		init_undo_mounts(walker, err);
	return r;
}

void freestanding_main(int argc, char **argv)
{
	init_walk(argc, argv, undoing_step);
}
