/* SPDX-License-Identifier: Apache-2.0 */
/* Forked processes are killed with their parent. */
#include <linux/prctl.h>
#include <signal.h>

#include <tare/base.h>

/*
 * prctl(2), PR_SET_PDEATHSIG: if the parent exited before the call, no signal is sent, so the parent is checked
 * after it. execve(2) of a set-user-ID, set-group-ID or capability program clears the setting.
 */
void child_die_with(int parent)
{
	(void)k_prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (k_getppid() != parent)
		k_exit(1);
}
