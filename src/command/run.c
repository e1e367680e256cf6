/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run: creates and starts a container and, in the foreground, waits for it and removes it.
 *
 * Process: the parent, as in src/parent/parent.c; init is its child.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <signal.h>

#include <tare/command.h>
#include <tare/container.h>
#include <tare/notify.h>

#include "private.h"

#define LOCK_TIMEOUT_MS 10000

static int run_poststart(struct parent *parent, struct err *err)
{
	return parent->record.has_poststart
		       ? container_run_hooks(&parent->record, parent->spec, SPEC_HOOK_POSTSTART, err)
		       : 0;
}

/* Waits with the caller's signal mask, so that a signal can end this process; the container continues. */
static void wait_detached(struct parent *parent, struct notify *notify)
{
	fd_close(&parent->dir_fd);
	notify_wait(notify, parent->pidfd, parent->pid, &parent->old_signals);
	notify_finish(notify);
}

/*
 * Releases the lock while the container runs, so that other commands can use it. -ENOENT if one of them has
 * removed the container: then nothing is left to remove.
 */
static int unlock_and_wait(struct parent *parent, struct notify *notify, struct state_end *ret_end,
			   struct err *err)
{
	struct err gone;
	int r, locked;

	k_flock(parent->dir_fd, LOCK_UN);
	r = foreground_wait(parent, notify, ret_end, err);
	locked = state_lock(parent->dir_fd, LOCK_TIMEOUT_MS, &gone);
	if (r < 0 && locked >= 0)
		(void)!parent_undo(parent, err);
	if (r >= 0 && locked < 0)
		*err = gone;
	return r < 0 ? r : locked;
}

/* An OOM kill has the same exit status as any other SIGKILL, so it is reported as an error, too. */
static int oom_fail(const struct state_end *end, struct err *err)
{
	if (end->signal == SIGKILL)
		return err_set(err, ERR_STATE, 0, NULL,
			       "container init was OOM-killed (memory limit too low?)");
	return err_set(err, ERR_STATE, 0, NULL,
		       "a process of the container was OOM-killed (memory limit too low?)");
}

/* Waits for the container's program, then stores how it ended (run --keep) or removes the container. */
static int wait_and_remove(struct parent *parent, struct notify *notify, int *ret_status, struct err *err)
{
	struct state_end end;
	int r = unlock_and_wait(parent, notify, &end, err);
	bool is_gone = r == -ENOENT;
	bool is_oom_killed = end.status == 128 + SIGKILL && end.oom_kills > 0;
	int fail = 0;

	*ret_status = end.status;
	if (r >= 0 && parent->options->is_keep)
		r = state_write_end(parent->dir_fd, &end, err);
	if (r < 0 && !is_gone)
		return r;
	err->kind = ERR_NONE;
	if (is_oom_killed)
		fail = oom_fail(&end, err);
	r = is_gone || parent->options->is_keep ? 0 : parent_undo(parent, err);
	return is_oom_killed ? fail : r;
}

int command_run(const struct create_options *options, int *ret_status, struct err *err)
{
	_cleanup_notify_ struct notify notify = NOTIFY_NONE;
	_cleanup_parent_ struct parent parent;
	int r;

	*ret_status = 0;
	parent_init(&parent, options);
	parent.request.is_run = true;
	r = state_check_id(options->id, err);
	if (r >= 0 && !options->is_detached && !options->is_no_subreaper)
		(void)k_prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	if (r >= 0)
		r = parent_create(&parent, err);
	if (r < 0)
		return r;
	parent.has_run_hooks = parent.record.has_poststop;
	r = notify_open(&notify, parent.dir_fd, err);
	if (r >= 0)
		r = starter_start(parent.socket_fd, parent.pidfd, parent.spec->seccomp.is_set, err);
	if (r < 0)
		parent_explain_limits(&parent, err);
	if (r >= 0)
		r = run_poststart(&parent, err);
	if (r < 0) {
		(void)!parent_undo(&parent, err);
		return r;
	}
	parent.has_pid_file = false;
	log_show_warnings();
	if (!options->is_detached)
		return wait_and_remove(&parent, &notify, ret_status, err);
	wait_detached(&parent, &notify);
	return 0;
}
