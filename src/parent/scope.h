/* SPDX-License-Identifier: Apache-2.0 */
/* The container's cgroup as a scope of systemd. Private to the room; runs in the parent. */
#ifndef TARE_PARENT_SCOPE_H
#define TARE_PARENT_SCOPE_H

#include <tare/plan.h>

struct parent;

/*
 * The steps PLAN_UNIT_* and PLAN_RELEASE_PLACEHOLDER. START creates the unit with a placeholder in it, since
 * systemd removes a unit that has no process, and stores the unit's cgroup in *parent and its path in the
 * record. RELEASE_PLACEHOLDER kills the placeholder. -errno with *err.
 */
int scope_step(struct parent *parent, const struct plan_step *step, struct err *err) MUST_CHECK;

/* Kills the placeholder and stops the unit, if START has made them. 0 or -errno with *err. */
int scope_undo(struct parent *parent, struct err *err) MUST_CHECK;

#endif
