/* SPDX-License-Identifier: Apache-2.0 */
/*
 * init and bridge: the seccomp filter comes into force.
 *
 * A filter that notifies may do so for any call of this process, also for those that would hand the listener
 * over, and nobody answers before it is handed over. So the parent takes it (pidfd_getfd(2)): it is told the
 * number beforehand, and this process makes no call until then but to wait for the parent.
 *
 * Nor would a call that waits for an answer end with whoever was to give it, as long as this process has a copy
 * of the listener itself (seccomp_unotify(2)). Until it has closed that the parent answers; and if the parent
 * is killed, this process is.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <signal.h>

#include <tare/protocol.h>

#include "walker.h"

/* descriptors are given out lowest first, and nobody else opens any here. */
static int next_descriptor(const struct walker *walker)
{
	int fd = k_fcntl(walker->socket_fd, F_DUPFD_CLOEXEC, 0);

	if (fd >= 0)
		k_close(fd);
	return fd;
}

/*
 * A change of ids has made this process one that only CAP_SYS_PTRACE may look into, and has taken its death
 * signal away: prctl(2), PR_SET_DUMPABLE, PR_SET_PDEATHSIG. A parent that was dead before the latter is set
 * gives EPIPE: its descriptors go first.
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

/* From here on a dead parent is told by end of file, or by a call that nobody answers. */
static int give_away(const struct walker *walker, int fd, struct err *err)
{
	int r = protocol_expect(walker->socket_fd, STEP_LISTENER_TAKEN, NULL, NULL, err);

	if (r < 0)
		return r;
	k_close(fd);
	/* A creation's is needed until READY, and that of a bridge is its own. */
	if (walker->actor == PLAN_INIT && plan_find(walker->plan, PLAN_GATE) == NULL)
		r = (int)k_prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
	if (r >= 0)
		r = protocol_send(walker->socket_fd, STEP_LISTENER_CLOSED, 0, NULL, -1);
	if (r < 0)
		return err_system(err, r, "cannot give the listener of the seccomp filter away");
	return protocol_expect(walker->socket_fd, STEP_LISTENER_SENT, NULL, NULL, err);
}

/* A tracer, which could do that as well, can do everything else, too. */
static bool may_fake_success(const struct plan *plan, const struct plan_filter *filter)
{
	const struct sock_filter *rows = plan_rows(plan, filter->program);

	for (uint32_t i = 0; i < filter->program.count; i++)
		if (rows[i].code == (BPF_RET | BPF_A) ||
		    (rows[i].code == (BPF_RET | BPF_K) && rows[i].k == SECCOMP_RET_ERRNO))
			return true;
	return filter->is_notify;
}

static int install_watched(struct walker *walker, const struct plan_filter *filter, struct err *err)
{
	int was_dumpable = (int)k_prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
	int announced = announce(walker, filter, err), fd, r;

	if (announced < 0)
		return announced;
	fd = filter_install(walker->plan, filter, err);
	if (fd < 0)
		return fd;
	walker->filter = filter;
	walker->may_fake_success = may_fake_success(walker->plan, filter);
	if (fd != announced)
		return err_set(err, ERR_PEER, EPROTO, NULL, "the seccomp filter's listener is %d, not %d", fd,
			       announced);
	r = give_away(walker, fd, err);
	if (was_dumpable != 1 && filter->is_parent_limited)
		k_prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	return r;
}

int init_install_filter(struct walker *walker, const struct plan_step *step, struct err *err)
{
	const struct plan_filter *filter = &step->u.filter;
	int r;

	if (filter->is_notify)
		return install_watched(walker, filter, err);
	r = filter_install(walker->plan, filter, err);
	if (r < 0)
		return r;
	walker->filter = filter;
	walker->may_fake_success = may_fake_success(walker->plan, filter);
	return 0;
}

static bool can_give(const struct plan *plan, const struct plan_filter *filter, int errnum)
{
	const struct sock_filter *rows = plan_rows(plan, filter->program);

	for (uint32_t i = 0; i < filter->program.count; i++)
		if (rows[i].code == (BPF_RET | BPF_K) && rows[i].k == (SECCOMP_RET_ERRNO | (uint32_t)errnum))
			return true;
	return false;
}

void init_explain_filter(const struct walker *walker, struct err *err)
{
	bool is_usual = err->errnum == EPERM || err->errnum == ENOSYS;
	char other[sizeof err->hint];

	if (walker->filter == NULL || err->kind != ERR_SYSTEM || err->errnum == 0 ||
	    !can_give(walker->plan, walker->filter, err->errnum))
		return;
	if (err->hint[0] != '\0' && !is_usual) {
		str_format(other, sizeof other, "%s", err->hint);
		err_hint(err, "%s; or the seccomp filter in force denies it", other);
		return;
	}
	err_hint(
		err,
		"the seccomp filter is in force by now, and has to allow what tare itself still does: tare(8), "
		"SECCOMP; with noNewPrivileges and without SCMP_ACT_NOTIFY that is execve alone");
}
