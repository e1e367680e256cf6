/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a mount that only a new file system has. Private to the room. Process: the parent. */
#ifndef TARE_PLAN_FILESYSTEM_H
#define TARE_PLAN_FILESYSTEM_H

#include "options.h"

/*
 * Changes the options of a devpts with a group that is not mapped, and notes it; its strings are the arena's.
 */
void filesystem_drop_group(struct builder *b, const struct spec_mount *m, struct plan_options *o);
/* Reports options uid= and gid= with ids that are not mapped. */
void filesystem_check_owners(struct builder *b, const struct plan_options *o, const char *json_pointer);
/*
 * Fills in the members of *mount that only a new file system of mount->type has. Reports findings at
 * json_pointer.
 */
void filesystem_plan(struct builder *b, struct plan_mount *mount, const struct plan_options *o,
		     const char *json_pointer);

#endif
