/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent: the tare process that was called to create or run a container, or to exec in one.
 *
 * Process: the caller's namespaces, ids, cgroup and working directory. All signals are blocked as soon as there
 * is something to undo; INT, TERM, HUP and QUIT interrupt its waits, and it undoes everything. It prepares all
 * that does not need init, starts init, and carries out the plan's steps that need the host. It may be killed
 * at any moment: until COMMITTED init is killed with it, and the record, which is written before anything else
 * is created, names what is left on the host.
 */
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <tare/await.h>
#include <tare/init.h>
#include <tare/protocol.h>

#include "steps.h"
#include "trace.h"

void child_init(struct child *child)
{
	*child = (struct child){
		.signal_fd = -1,
		.socket_fd = -1,
		.pidfd = -1,
		.bridge_pidfd = -1,
		.console_fd = -1,
		.end_fd = -1,
		.cgroup_fd = -1,
		.output_fds = {-1, -1},
		.first_fd = 3,
	};
}

void child_close(struct child *child)
{
	for (size_t i = 0; child->slots != NULL && i < child->plan->slot_count; i++)
		fd_close(&child->slots[i]);
	mem_free(&child->slots);
	sources_close(&child->sources);
	fd_close(&child->socket_fd);
	fd_close(&child->console_fd);
	fd_close(&child->cgroup_fd);
}

void child_done(struct child *child)
{
	child_close(child);
	fd_close(&child->pidfd);
	fd_close(&child->bridge_pidfd);
	fd_close(&child->signal_fd);
	fd_close(&child->end_fd);
	trace_close(&child->trace);
}

int child_await(const struct child *child, uint32_t step, struct err *err)
{
	int pidfd = child->pidfd >= 0 ? child->pidfd : child->bridge_pidfd;
	const struct await await = {child->socket_fd, POLLIN, pidfd, child->signal_fd, -1};

	return await_message(&await, protocol_step_name((enum protocol_step)step), err);
}

int child_open_slots(struct child *child, struct err *err)
{
	int r = k_close_range((unsigned int)child->first_fd, ~0u, CLOSE_RANGE_CLOEXEC);

	if (r < 0)
		return err_system(err, r, "cannot make the caller's descriptors close-on-exec");
	child->slots = mem_alloc((child->plan->slot_count + 1) * sizeof *child->slots);
	for (uint32_t i = 0; i < child->plan->slot_count; i++)
		child->slots[i] = -1;
	return 0;
}

int child_hold_signals(struct child *child, struct err *err)
{
	uint64_t all = ~0ull;

	k_sigprocmask(SIG_SETMASK, &all, &child->old_signals);
	child->signal_fd = await_signals();
	return child->signal_fd < 0 ? err_system(err, child->signal_fd, "cannot wait for signals") : 0;
}

void child_kill(struct child *child)
{
	int *const pidfds[] = {&child->bridge_pidfd, &child->pidfd};

	for (size_t i = 0; i < ARRAY_SIZE(pidfds); i++) {
		if (*pidfds[i] < 0)
			continue;
		k_pidfd_send_signal(*pidfds[i], SIGKILL);
		k_waitid(P_PIDFD, *pidfds[i], NULL, WEXITED);
		fd_close(pidfds[i]);
	}
}

static void explain_filter(const struct plan *plan, struct err *err)
{
	const char *name = plan == NULL ? NULL : filter_killed_call(plan);

	if (name != NULL)
		err_hint(err,
			 "the seccomp filter kills for %s(2), which tare calls after loading it: see tare(8), "
			 "SECCOMP",
			 name);
	else
		err_hint(err, "the seccomp filter kills for a system call that tare makes after loading it: "
			      "see tare(8), SECCOMP; with noNewPrivileges and without SCMP_ACT_NOTIFY "
			      "that is execve alone");
}

void child_explain_status(const siginfo_t *info, const struct plan *plan, struct err *err)
{
	if (info->si_code == CLD_KILLED || info->si_code == CLD_DUMPED) {
		err_set(err, ERR_PEER, 0, NULL, "init was killed by signal %d before the container was ready",
			info->si_status);
		if (info->si_status == SIGKILL)
			err_hint(err,
				 "the kernel's log (dmesg) names the processes that the OOM killer has killed");
		if (info->si_status == SIGSYS)
			explain_filter(plan, err);
	}
}

bool child_read_report(const struct child *child, siginfo_t *info)
{
	struct init_end end;
	bool is_exit;

	if (child->end_fd < 0 || k_read(child->end_fd, &end, sizeof end) != (ssize_t)sizeof end)
		return false;
	is_exit = end.code == CLD_EXITED && end.status >= 0 && end.status <= 255;
	if (!is_exit &&
	    ((end.code != CLD_KILLED && end.code != CLD_DUMPED) || end.status < 1 || end.status > 64))
		return false;
	info->si_code = end.code;
	info->si_status = end.status;
	return true;
}

/* The report comes from a process that the container may control: it must agree with the exit status. */
void child_read_end(const struct child *child, siginfo_t *info)
{
	siginfo_t report;

	if (info->si_code == CLD_EXITED && child_read_report(child, &report) && report.si_code != CLD_EXITED &&
	    info->si_status == 128 + report.si_status) {
		info->si_code = report.si_code;
		info->si_status = report.si_status;
	}
}

void child_explain_end(int pidfd, const struct plan *plan, struct err *err)
{
	siginfo_t info = {0};

	if (pidfd >= 0 && k_waitid(P_PIDFD, pidfd, &info, WEXITED | WNOWAIT) >= 0)
		child_explain_status(&info, plan, err);
}
