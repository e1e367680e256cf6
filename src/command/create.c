/* SPDX-License-Identifier: Apache-2.0 */
/* create: makes a container; its init waits at the gate. Process: the parent. */
#include <tare/command.h>
#include <tare/parent.h>

#include "private.h"

int command_create(const struct create_options *options, struct err *err)
{
	_cleanup_parent_ struct parent parent;
	int r;

	parent_init(&parent, options);
	r = state_check_id(options->id, err);
	return r < 0 ? r : parent_create(&parent, err);
}
