/* SPDX-License-Identifier: Apache-2.0 */
/* plan and check: loads what create would load, without changing anything. */
#include <tare/command.h>
#include <tare/parent.h>

#include "private.h"

int command_load(const struct create_options *options, struct spec **ret_spec, struct host *ret_host,
		 struct plan **ret_plan, struct err *err)
{
	_cleanup_draft_ struct draft draft;
	int r;

	draft_init(&draft, options);
	r = draft_load(&draft, err);
	if (r < 0)
		return r;
	*ret_spec = take_ptr(draft.spec);
	*ret_host = draft.host;
	*ret_plan = take_ptr(draft.plan);
	return 0;
}
