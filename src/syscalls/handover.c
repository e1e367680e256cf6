/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The time in which the process that installs the filter has a copy of the listener.
 *
 * A suspended call fails only when no process has the listener any more (seccomp_unotify(2)). So if the
 * recorder were killed now, that process would wait for itself. Before it installs the filter, the recorder
 * traces it, so that the kernel kills it together with its tracer (ptrace(2), PTRACE_O_EXITKILL). That ends
 * when its copy is replaced by /dev/null; from then on the death of the recorder shows as ENOSYS.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "recorder.h"

/* If this is not permitted, neither is it to copy the listener, and that error is reported. */
void handover_begin(struct recorder *r)
{
	char ready = 0;

	r->is_tracing = recorder_trace(PTRACE_SEIZE, r->program, 0, PTRACE_O_EXITKILL) >= 0;
	(void)!k_write(r->init_fd, &ready, 1);
}

/* A signal that has arrived meanwhile is delivered. */
static void end_tracing(struct recorder *r)
{
	int status = 0, pid;

	do
		pid = (int)k_call4(__NR_wait4, r->program, &status, __WALL, NULL);
	while (pid == -EINTR);
	r->is_tracing = false;
	if (pid >= 0 && WIFSTOPPED(status))
		(void)!recorder_trace(PTRACE_DETACH, r->program, 0,
				      status >> 16 == 0 ? (unsigned long)WSTOPSIG(status) : 0);
}

/*
 * The thread must not execute its program while it is traced: that would lose its set-user-ID bits. It stops
 * where its call returns. Before Linux 5.19 it may stop before it has the answer: then it repeats the call.
 */
void handover_end(struct recorder *r, const struct seccomp_notif *notification)
{
	struct seccomp_notif_resp answer = {.id = notification->id};
	struct seccomp_notif_addfd null = {.id = notification->id,
					   .flags = SECCOMP_ADDFD_FLAG_SETFD,
					   .newfd = (uint32_t)r->number,
					   .newfd_flags = O_CLOEXEC};

	(void)!k_ioctl(r->listener_fd, SECCOMP_IOCTL_NOTIF_ADDFD, &null);
	if (r->is_tracing)
		(void)!recorder_trace(PTRACE_INTERRUPT, r->program, 0, 0);
	r->is_handed_over = k_ioctl(r->listener_fd, SECCOMP_IOCTL_NOTIF_SEND, &answer) >= 0;
	if (r->is_tracing)
		end_tracing(r);
}
