/* SPDX-License-Identifier: Apache-2.0 */
/* The program of a creation: the bridge and init, with all steps. */
#include <tare/freestanding.h>

#include "walker.h"

static int create_step(struct walker *walker, const struct plan_step *step, struct err *err)
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

void freestanding_main(int argc, char **argv)
{
	init_walk(argc, argv, create_step);
}
