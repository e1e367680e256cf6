/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of systemd's scopes. Private to the room; runs in the parent. */
#ifndef TARE_PARENT_SCOPE_H
#define TARE_PARENT_SCOPE_H

#include <tare/plan.h>

struct parent;

/*
 * The steps PLAN_UNIT_*. START lets a process keep the place in the new unit, which would end without a
 * process, and leaves its cgroup in *parent and its path in the record; SETTLED ends the process.
 */
int scope_step(struct parent *parent, const struct plan_step *step, struct err *err) MUST_CHECK;

/* Takes back what START did, if it did anything. 0 or -errno with *err. */
int scope_undo(struct parent *parent, struct err *err) MUST_CHECK;

#endif
