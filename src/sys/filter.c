/* SPDX-License-Identifier: Apache-2.0 */
/* Installs a compiled seccomp filter. Process: init, or the bridge of an exec. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <tare/sys.h>

int filter_install(const struct plan *plan, const struct plan_filter *filter, struct err *err)
{
	struct sock_fprog program = {
		.len = (unsigned short)filter->program.count,
		.filter = (struct sock_filter *)(uintptr_t)plan_rows(plan, filter->program),
	};
	long r = k_call3(__NR_seccomp, SECCOMP_SET_MODE_FILTER, filter->flags, &program);

	if (r >= 0 && (filter->is_notify || filter->recorder_slot != PLAN_NO_SLOT))
		return (int)r;
	/* With SECCOMP_FILTER_FLAG_TSYNC a positive result is the id of a thread without the filter. */
	if (r > 0)
		r = -EBUSY;
	if (r == 0)
		return 0;
	err_system(err, (int)r, "cannot install the seccomp filter");
	if (r == -EACCES)
		err_hint(err, "without /process/noNewPrivileges a filter needs CAP_SYS_ADMIN");
	else if (r == -EBUSY)
		err_hint(
			err,
			"tare itself runs under a filter with SCMP_ACT_NOTIFY, and the kernel allows only one");
	return (int)r;
}
