/* SPDX-License-Identifier: Apache-2.0 */
/* init and bridge: the seccomp filter comes into force. */
#include <errno.h>

#include "protocol.h"
#include "walk.h"

int walk_filter(struct walker *walker, const struct plan_step *step, struct err *err)
{
	int r = filter_install(walker->plan, &step->u.filter, err);

	if (r < 0)
		return r;
	walker->is_filtered = true;
	return 0;
}

void filter_explain(struct err *err)
{
	bool is_usual = err->errnum == EPERM || err->errnum == ENOSYS;

	if (err->kind == ERR_SYSTEM && (is_usual || err->hint[0] == '\0'))
		err_hint(err,
			 "the seccomp filter is in force by now, and has to allow what tare itself still does; "
			 "with noNewPrivileges that is execve alone");
}
