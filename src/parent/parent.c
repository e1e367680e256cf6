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
#include <tare/protocol.h>

#include "steps.h"

void parent_init(struct parent *parent, const struct create_options *options)
{
	*parent = (struct parent){
		.options = options,
		.root_fd = -1,
		.dir_fd = -1,
		.mount_fd = -1,
		.cgroup_fd = -1,
		.socket_fd = -1,
		.child_socket_fd = -1,
		.pidfd = -1,
		.bridge_pidfd = -1,
		.listener_fd = -1,
		.placeholder_pidfd = -1,
		.keeper_pidfd = -1,
		.signal_fd = -1,
		.console_fd = -1,
		.container_pidfd = -1,
		.first_fd = 3,
	};
}

void parent_close_slots(struct parent *parent)
{
	for (size_t i = 0; parent->slots != NULL && i < parent->plan->slot_count; i++)
		fd_close(&parent->slots[i]);
}

void parent_done(struct parent *parent)
{
	int *const fds[] = {&parent->root_fd,      &parent->dir_fd,          &parent->mount_fd,
			    &parent->cgroup_fd,    &parent->socket_fd,       &parent->child_socket_fd,
			    &parent->pidfd,        &parent->bridge_pidfd,    &parent->listener_fd,
			    &parent->console_fd,   &parent->container_pidfd, &parent->placeholder_pidfd,
			    &parent->keeper_pidfd, &parent->signal_fd};

	parent_close_slots(parent);
	sources_done(parent);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fd_close(fds[i]);
	netdev_done(&parent->netdev);
	mem_free(&parent->slots);
	state_record_done(&parent->record);
	spec_free(parent->spec);
	mem_free(&parent->plan);
	mem_free(&parent->bundle);
	mem_free(&parent->notify_dir);
	mem_free(&parent->keyring);
}

int parent_await(const struct parent *parent, uint32_t step, struct err *err)
{
	int pidfd = parent->pidfd >= 0 ? parent->pidfd : parent->bridge_pidfd;
	const struct await await = {parent->socket_fd, POLLIN, pidfd, parent->signal_fd, -1};

	return await_message(&await, protocol_step_name((enum protocol_step)step), err);
}

int parent_open_slots(struct parent *parent, struct err *err)
{
	int r = k_close_range((unsigned int)parent->first_fd, ~0u, CLOSE_RANGE_CLOEXEC);

	if (r < 0)
		return err_system(err, r, "cannot make the caller's descriptors close-on-exec");
	parent->slots = mem_alloc((parent->plan->slot_count + 1) * sizeof *parent->slots);
	for (uint32_t i = 0; i < parent->plan->slot_count; i++)
		parent->slots[i] = -1;
	return 0;
}

int parent_hold_signals(struct parent *parent, struct err *err)
{
	uint64_t all = ~0ull;

	k_sigprocmask(SIG_SETMASK, &all, &parent->old_signals);
	parent->signal_fd = await_signals();
	return parent->signal_fd < 0 ? err_system(err, parent->signal_fd, "cannot wait for signals") : 0;
}

void parent_explain_status(const siginfo_t *info, struct err *err)
{
	if (info->si_code == CLD_KILLED || info->si_code == CLD_DUMPED) {
		err_set(err, ERR_PEER, 0, NULL, "init was killed by signal %d before the container was ready",
			info->si_status);
		if (info->si_status == SIGKILL)
			err_hint(err,
				 "the kernel's log (dmesg) names the processes that the OOM killer has killed");
		if (info->si_status == SIGSYS)
			err_hint(err,
				 "the seccomp filter kills for a system call that tare makes after loading it: "
				 "see tare(8), SECCOMP; with noNewPrivileges and without SCMP_ACT_NOTIFY "
				 "that is execve alone");
	}
}

void parent_explain_end(int pidfd, struct err *err)
{
	siginfo_t info = {0};

	if (pidfd >= 0 && k_waitid(P_PIDFD, pidfd, &info, WEXITED | WNOWAIT) >= 0)
		parent_explain_status(&info, err);
}
