/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Undoes a creation that failed, or a run after the container has stopped.
 *
 * Process: the parent, as in child.c. After a step that fails the others are still done. The failure is added
 * to the error, and the record stays, so that "delete" can remove the rest.
 */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include <tare/container.h>

#include "scope.h"
#include "steps.h"

/* Keeps the first error: later ones follow from it, or the next delete reports them. */
static void keep_first(struct err *first, int r, const struct err *err)
{
	if (r < 0 && first->kind == ERR_NONE)
		*first = *err;
}

/*
 * Adds the first failure of the undo to the hint of *err, the error of the creation, which stays the message.
 * Without such an error the failure itself is the error.
 */
static void add_failure(const struct err *first, const char *id, bool is_left, struct err *err)
{
	const char *text = ERRNO_TEXT(first->errnum);
	char hint[sizeof err->hint];

	if (err->kind == ERR_NONE) {
		*err = *first;
		if (is_left)
			err_hint(err, "delete %.100s removes what is left", id);
		return;
	}
	str_format(hint, sizeof hint, "%s", err->hint);
	err_hint(err, "%s%sand %s%s%s%s%.50s", hint, hint[0] == '\0' ? "" : "; ", first->msg,
		 text[0] == '\0' ? "" : ": ", text, is_left ? ": to be removed by delete " : "",
		 is_left ? id : "");
}

/* Removes what the record names and the creation has at least begun to make. */
static void undo_recorded(struct creation *creation, struct err *first)
{
	struct err err;

	if (creation->has_cgroup)
		keep_first(first, container_remove_cgroup(&creation->record, &err), &err);
	keep_first(first, scope_undo(creation, &err), &err);
	keep_first(first, parent_resctrl_undo(creation->draft.plan, &creation->resctrl, &err), &err);
}

int parent_undo(struct creation *creation, struct err *err)
{
	const struct draft *draft = &creation->draft;
	struct err first = {.kind = ERR_NONE}, other;
	bool is_left;

	child_kill(&creation->child);
	/* The undo opens descriptors, and a failed creation may have reached the limit of open files. */
	child_close(&creation->child);
	fd_close(&creation->mount_fd);
	undo_recorded(creation, &first);
	is_left = first.kind != ERR_NONE;
	if (!is_left && creation->dir_fd >= 0) {
		int r = container_remove_state(draft->root_fd, creation->dir_fd, draft->options->common.id,
					       &other);

		keep_first(&first, r, &other);
	}
	keep_first(&first, parent_remove_pid_file(&creation->child, &other), &other);
	if (first.kind != ERR_NONE)
		add_failure(&first, draft->options->common.id, is_left, err);
	/* If something is left, "delete" runs the poststop hooks once it has removed that. */
	if (!is_left && creation->has_run_hooks)
		(void)!container_run_hooks(&creation->record, draft->spec, SPEC_HOOK_POSTSTOP, &other);
	return first.kind == ERR_NONE ? 0 : first.errnum == 0 ? -EINVAL : -first.errnum;
}
