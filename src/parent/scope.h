/* SPDX-License-Identifier: Apache-2.0 */
/* The container's cgroup as a scope of systemd. Private to the room; runs in the parent. */
#ifndef TARE_PARENT_SCOPE_H
#define TARE_PARENT_SCOPE_H

#include <tare/parent.h>

/* Kills the placeholder and stops the unit, if the step UNIT_START has made them. 0 or -errno with *err. */
int scope_undo(struct creation *creation, struct err *err) MUST_CHECK;

#endif
