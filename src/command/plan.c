/* SPDX-License-Identifier: Apache-2.0 */
/* plan and check: loads what create would load, without changing anything. */
#include <tare/command.h>
#include <tare/parent.h>

#include "private.h"

int command_load(const struct create_options *options, struct spec **ret_spec, struct host *ret_host,
		 struct plan **ret_plan, struct err *err)
{
	_cleanup_parent_ struct parent parent;
	int r;

	parent_init(&parent, options);
	r = parent_load(&parent, err);
	if (r < 0)
		return r;
	*ret_spec = take_ptr(parent.spec);
	*ret_host = parent.host;
	*ret_plan = take_ptr(parent.plan);
	return 0;
}
