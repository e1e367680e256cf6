/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Installs the seccomp filter. Process: init or the bridge.
 *
 * A filter with SCMP_ACT_NOTIFY can suspend any call of this process until an agent answers, also the one that
 * would send the listener away; and no agent can answer before it has the listener. So the parent copies the
 * listener out of this process (pidfd_getfd(2)): this process announces the listener's number before it
 * installs the filter, and then makes no other call than to wait for the parent.
 *
 * A suspended call returns when the last copy of the listener is closed (seccomp_unotify(2)). As long as this
 * process has a copy itself, that cannot happen if the agent dies. So the parent answers until this process has
 * closed its copy; if the parent is killed before, the death signal kills this process.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <signal.h>

#include <tare/protocol.h>

#include "walker.h"

/* The number of the next descriptor: the lowest free one, and no other code opens any in between. */
static int next_descriptor(const struct walker *walker)
{
	int fd = k_fcntl(walker->socket_fd, F_DUPFD_CLOEXEC, 0);

	if (fd >= 0)
		k_close(fd);
	return fd;
}

/*
 * Sends the number that the listener will have. A change of ids has made this process undumpable, so that
 * pidfd_getfd(2) needs CAP_SYS_PTRACE, and has cleared its death signal: prctl(2), PR_SET_DUMPABLE,
 * PR_SET_PDEATHSIG. If the parent died before the signal is set again, sending fails with EPIPE: a process that
 * exits closes its descriptors before the kernel sends death signals.
 */
static int announce(const struct walker *walker, const struct plan_filter *filter, struct err *err)
{
	int fd = next_descriptor(walker), r = fd;

	if (r >= 0 && filter->is_parent_limited)
		r = (int)k_prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	if (r >= 0)
		r = (int)k_prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (r >= 0)
		r = protocol_send(walker->socket_fd, STEP_LISTENER, fd, NULL, -1);
	return r < 0 ? err_system(err, r, "cannot announce the listener of the seccomp filter") : fd;
}

/*
 * Closes the copy of the listener once the parent has one. From then on the parent's death shows as end of
 * file, or as ENOSYS from a suspended call, and needs no death signal.
 */
static int hand_over_listener(const struct walker *walker, int fd, struct err *err)
{
	int r = protocol_expect(walker->socket_fd, STEP_LISTENER_TAKEN, NULL, NULL, err);

	if (r < 0)
		return r;
	k_close(fd);
	/* A creation needs the death signal until READY, and the bridge until it exits. */
	if (walker->actor == PLAN_INIT && plan_find(walker->plan, PLAN_GATE) == NULL)
		r = (int)k_prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
	if (r >= 0)
		r = protocol_send(walker->socket_fd, STEP_LISTENER_CLOSED, 0, NULL, -1);
	if (r < 0)
		return err_system(err, r, "cannot hand over the listener of the seccomp filter");
	return protocol_expect(walker->socket_fd, STEP_LISTENER_SENT, NULL, NULL, err);
}

static int install_with_listener(struct walker *walker, const struct plan_filter *filter, struct err *err)
{
	int was_dumpable = (int)k_prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
	int announced = announce(walker, filter, err), fd, r;

	if (announced < 0)
		return announced;
	fd = filter_install(walker->plan, filter, err);
	if (fd < 0)
		return fd;
	walker->filter = filter;
	walker->may_fake_success = filter->may_fake_success;
	if (fd != announced)
		return err_set(err, ERR_PEER, EPROTO, NULL,
			       "the seccomp filter's listener is descriptor %d, not %d", fd, announced);
	r = hand_over_listener(walker, fd, err);
	if (was_dumpable != 1 && filter->is_parent_limited)
		k_prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	return r;
}

/*
 * The recorder takes the listener while this process waits in a call that its filter always notifies of, and
 * which then returns 0. After that call the descriptor is another one, which execve(2) closes. From the answer
 * of the recorder on, the kernel kills this process if the recorder is killed: src/syscalls/handover.c.
 */
static int install_observed(struct walker *walker, const struct plan_filter *filter, struct err *err)
{
	int recorder_fd = walker->rootfs.slot_base + filter->recorder_slot, number = next_descriptor(walker);
	int was_dumpable = (int)k_prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), fd, r = number;
	char ready;

	if (r >= 0 && filter->is_parent_limited)
		r = (int)k_prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	if (r >= 0)
		r = (int)k_write(recorder_fd, &number, sizeof number);
	if (r >= 0)
		r = (int)k_read(recorder_fd, &ready, 1);
	if (r == 0)
		r = -EPIPE;
	if (r < 0)
		return err_system(err, r, "cannot reach the recorder of system calls");
	fd = filter_install(walker->plan, filter, err);
	if (fd < 0)
		return fd;
	walker->filter = filter;
	walker->may_fake_success = filter->may_fake_success;
	r = (int)k_call0(SECCOMP_HANDOVER_NUMBER);
	if (r < 0)
		return err_system(err, r, "cannot hand over the listener of the seccomp filter");
	if (was_dumpable != 1 && filter->is_parent_limited)
		k_prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	return 0;
}

int init_seccomp(struct walker *walker, const struct plan_step *step, struct err *err)
{
	const struct plan_filter *filter = &step->u.filter;
	int r;

	if (filter->is_notify)
		return install_with_listener(walker, filter, err);
	if (filter->recorder_slot != PLAN_NO_SLOT)
		return install_observed(walker, filter, err);
	r = filter_install(walker->plan, filter, err);
	if (r < 0)
		return r;
	walker->filter = filter;
	walker->may_fake_success = filter->may_fake_success;
	return 0;
}

/* An observed filter returns what the stored one does. */
static bool can_return(const struct plan *plan, const struct plan_filter *filter, int errnum)
{
	const struct plan_table program =
		filter->recorder_slot == PLAN_NO_SLOT ? filter->program : plan_process_of(plan)->filter.program;
	const struct sock_filter *rows = plan_rows(plan, program);

	for (uint32_t i = 0; i < program.count; i++)
		if (rows[i].code == (BPF_RET | BPF_K) && rows[i].k == (SECCOMP_RET_ERRNO | (uint32_t)errnum))
			return true;
	return false;
}

void init_explain_filter(const struct walker *walker, struct err *err)
{
	bool is_usual = err->errnum == EPERM || err->errnum == ENOSYS;
	char other[sizeof err->hint];

	if (walker->filter == NULL || err->kind != ERR_SYSTEM || err->errnum == 0 ||
	    !can_return(walker->plan, walker->filter, err->errnum))
		return;
	if (err->hint[0] != '\0' && !is_usual) {
		str_format(other, sizeof other, "%s", err->hint);
		err_hint(err, "%s; or the seccomp filter in force denies it", other);
		return;
	}
	err_hint(err, "the seccomp filter is in force and must allow the calls that tare still makes: "
		      "tare(8), SECCOMP; with noNewPrivileges and without SCMP_ACT_NOTIFY that is only execve");
}
