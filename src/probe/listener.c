/* SPDX-License-Identifier: Apache-2.0 */
/* Tries a seccomp filter with a listener. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>

#include <tare/probe.h>

static int install(const void *context, struct err *err)
{
	struct sock_filter allow[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
	struct sock_fprog program = {1, allow};
	long r = k_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);

	(void)context;
	if (r >= 0)
		r = k_call3(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
	if (r >= 0)
		return 0;
	err_system(err, (int)r, "cannot install a seccomp filter that notifies an agent");
	/* seccomp(2), EBUSY: another filter of the process has a listener. */
	if (r == -EBUSY)
		err_hint(err, "a filter around tare notifies an agent already, and a process can have one "
			      "listener: start tare outside of it");
	return (int)r;
}

int probe_listener(struct err *err)
{
	return probe_try(&(struct probe_trial){.run = install}, err);
}
