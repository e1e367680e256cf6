/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run: creates and starts a container and, in the foreground, waits for it and removes it.
 *
 * Process: the parent, as in src/parent/child.c; init is its child.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <signal.h>

#include <tare/command.h>
#include <tare/container.h>
#include <tare/notify.h>

#include "private.h"
#include "supervisor.h"

#define LOCK_TIMEOUT_MS 10000

struct run {
	struct creation creation;
	struct notify notify;
	struct supervision supervision;
};

static void run_init(struct run *run, const struct create_options *options)
{
	*run = (struct run){.notify = NOTIFY_NONE};
	creation_init(&run->creation, options);
	run->creation.draft.request.is_run = true;
	supervision_init(&run->supervision, &run->creation.draft);
}

static void run_done(struct run *run)
{
	supervision_done(&run->supervision);
	creation_done(&run->creation);
	notify_close(&run->notify);
}
#define _cleanup_run_ __attribute__((cleanup(run_done)))

static int run_poststart(struct creation *creation, struct err *err)
{
	const struct state_record *record = &creation->record;

	return record->has_poststart
		       ? container_run_hooks(record, creation->draft.spec, SPEC_HOOK_POSTSTART, err)
		       : 0;
}

/* Waits with the caller's signal mask, so that a signal can end this process; the container continues. */
static void wait_detached(struct creation *creation, struct notify *notify)
{
	const struct child *child = &creation->child;

	fd_close(&creation->dir_fd);
	notify_wait(notify, child->pidfd, child->pid, &child->old_signals);
	notify_finish(notify);
}

/*
 * Releases the lock while the container runs, so that other commands can use it. -ENOENT if one of them has
 * removed the container: then nothing is left to remove.
 */
static int unlock_and_wait(struct run *run, struct state_end *ret_end, struct err *err)
{
	struct creation *creation = &run->creation;
	bool is_scope = !str_is_empty(creation->record.unit);
	enum foreground_watch watch = creation->draft.options->is_keep ? FOREGROUND_KEPT
				      : is_scope                       ? FOREGROUND_SCOPE
								       : FOREGROUND_KILLED;
	struct err gone;
	int r, locked;

	k_flock(creation->dir_fd, LOCK_UN);
	r = foreground_wait(
		&(struct foreground_options){&creation->child, &run->notify, watch, &run->supervision}, ret_end,
		err);
	parent_release_placeholder(creation);
	locked = state_lock(creation->dir_fd, LOCK_TIMEOUT_MS, &gone);
	if (r < 0 && locked >= 0)
		(void)!parent_undo(creation, err);
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

/* Why the program has not ended by itself, as an error of the command. 0: it has. */
static int explain_end(const struct run *run, const struct state_end *end, struct err *err)
{
	int r = supervision_explain(&run->supervision, err);

	return r == 0 && end->status == 128 + SIGKILL && end->oom_kills > 0 ? oom_fail(end, err) : r;
}

/* Waits for the container's program, then stores how it ended (run --keep) or removes the container. */
static int wait_and_remove(struct run *run, int *ret_status, struct err *err)
{
	struct creation *creation = &run->creation;
	bool is_keep = creation->draft.options->is_keep;
	struct syscalls_kill kill = {.is_set = false};
	struct state_end end;
	struct err other;
	int r = unlock_and_wait(run, &end, err), reason;
	bool is_gone = r == -ENOENT;

	/* Also if this command fails now, its exit status is that of the program. */
	*ret_status = end.status;
	if (r < 0 && !is_gone)
		return r;
	err->kind = ERR_NONE;
	reason = syscalls_finish(&creation->recorder, &kill, err);
	*ret_status = supervision_complete(&run->supervision, creation, &kill, end.status);
	if (reason >= 0)
		reason = explain_end(run, &end, err);
	if (is_gone)
		return reason;
	if (!is_keep) {
		r = parent_undo(creation, err);
		return reason < 0 ? reason : r;
	}
	r = state_write_end(creation->dir_fd, &end, &other);
	if (r < 0 && reason >= 0)
		*err = other;
	return reason < 0 ? reason : r;
}

static int start(struct run *run, struct err *err)
{
	struct creation *creation = &run->creation;
	int r = notify_open(&run->notify, creation->dir_fd, err), lost;

	if (r >= 0)
		r = supervision_open(&run->supervision, creation, err);
	/* Restored processes run already. */
	if (r >= 0 && creation->draft.restore == NULL)
		r = starter_start(creation->child.socket_fd, creation->child.pidfd,
				  creation->draft.spec->seccomp.is_set, err);
	lost = syscalls_check(&creation->recorder, err);
	r = lost < 0 ? lost : r;
	if (r < 0) {
		trace_log_stop(&creation->child);
		parent_explain_limits(&creation->child, err);
		return r;
	}
	supervision_begin(&run->supervision);
	trace_log_executed(&creation->child);
	return run_poststart(creation, err);
}

static int create_and_start(struct run *run, struct err *err)
{
	struct creation *creation = &run->creation;
	const struct create_options *options = creation->draft.options;
	int r = supervision_prepare(&run->supervision, creation, err);

	if (r >= 0)
		r = state_check_id(options->common.id, err);
	if (r >= 0 && !options->common.is_detached && !options->is_no_subreaper)
		(void)k_prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	if (r >= 0)
		r = parent_create(creation, err);
	if (r < 0)
		return r;
	creation->has_run_hooks = creation->record.has_poststop;
	r = start(run, err);
	if (r >= 0 && options->common.is_detached)
		r = supervisor_start(creation, &run->supervision, true, err);
	if (r < 0)
		(void)!parent_undo(creation, err);
	return r;
}

int command_run(const struct create_options *options, int *ret_status, struct err *err)
{
	_cleanup_run_ struct run run;
	int r;

	*ret_status = 0;
	run_init(&run, options);
	r = create_and_start(&run, err);
	if (r >= 0) {
		run.creation.child.pid_file = NULL;
		log_show_warnings();
	}
	if (r >= 0 && options->common.is_detached) {
		wait_detached(&run.creation, &run.notify);
		return 0;
	}
	if (r >= 0)
		r = wait_and_remove(&run, ret_status, err);
	return supervision_write(&run.supervision, r, err);
}
