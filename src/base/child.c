/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/prctl.h>
#include <signal.h>

#include <tare/base.h>

/* prctl(2), PR_SET_PDEATHSIG: no signal comes of a parent that was gone before. execve(2) of a program with
 * more rights takes it away. */
void child_die_with(int parent)
{
	(void)k_prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (k_getppid() != parent)
		k_exit(1);
}
