/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program of an exec: the bridge and init, without the steps that only a creation has. It is half as large:
 * each page that is copied costs as much as many system calls.
 */
#include <tare/freestanding.h>

#include "walker.h"

static int exec_step(struct walker *walker, const struct plan_step *step, struct err *err)
{
	switch ((enum plan_kind)step->kind) {
#define INIT_STEP(kind, name, printed, parent, bridge, create, exec, ...)                                      \
	case PLAN_##kind:                                                                                      \
		return WALKER_##exec(name);
		PLAN_STEPS(INIT_STEP)
	case PLAN_KINDS:
		break;
	}
	return WALKER__(none);
}

void freestanding_main(int argc, char **argv)
{
	init_walk(argc, argv, exec_step);
}
