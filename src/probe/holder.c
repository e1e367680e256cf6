/* SPDX-License-Identifier: Apache-2.0 */
/* A process that holds namespaces. */
#include <signal.h>
#include <sys/wait.h>

#include <tare/probe.h>

long probe_holder_start(uint64_t namespaces, int *ret_pidfd)
{
	struct clone_args args = {.flags = namespaces | CLONE_PIDFD, .exit_signal = SIGCHLD};
	int self = k_getpid();
	long pid;

	args.pidfd = (uint64_t)(uintptr_t)ret_pidfd;
	pid = k_clone_any(&args);
	if (pid == 0) {
		/* The descriptors include the caller's output and the lock of the container. */
		k_close_range(0, ~0u, 0);
		child_die_with(self);
		while (true)
			k_ppoll(NULL, 0, NULL, NULL);
	}
	return pid;
}

void probe_holder_end(int pidfd)
{
	/* If the signal is refused, for example by a seccomp filter, the death of this process ends it. */
	if (k_pidfd_send_signal(pidfd, SIGKILL) >= 0)
		k_waitid(P_PIDFD, pidfd, NULL, WEXITED);
	k_close(pidfd);
}
