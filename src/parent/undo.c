/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a creation that failed, and a run that has ended, take back.
 *
 * Process: the parent, as in parent.c. A step that fails does not keep the others from being done, and is part
 * of the error; the record then stays, so that "delete" can finish.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include <tare/container.h>

#include "scope.h"
#include "steps.h"

void parent_undo_processes(struct parent *parent)
{
	int *const pidfds[] = {&parent->bridge_pidfd, &parent->pidfd};

	for (size_t i = 0; i < ARRAY_SIZE(pidfds); i++) {
		if (*pidfds[i] < 0)
			continue;
		k_pidfd_send_signal(*pidfds[i], SIGKILL);
		k_waitid(P_PIDFD, *pidfds[i], NULL, WEXITED);
		fd_close(pidfds[i]);
	}
}

/* The first one is reported; those after it follow from it, or are found by the next delete. */
static void note(struct err *first, int r, const struct err *err)
{
	if (r < 0 && first->kind == ERR_NONE)
		*first = *err;
}

/* The error that led to the undoing is what the user has to know; what could not be undone follows in its hint.
 */
static void report(const struct err *first, const char *id, bool is_left, struct err *err)
{
	const char *text = first->errnum == 0 ? "" : strerror(first->errnum);
	char hint[sizeof err->hint];

	if (err->kind == ERR_NONE) {
		*err = *first;
		if (is_left)
			err_hint(err, "delete %.100s removes what is left", id);
		return;
	}
	str_format(hint, sizeof hint, "%s", err->hint);
	err_hint(err, "%s%sand %s%s%c%s%s%.50s", hint, hint[0] == '\0' ? "" : "; ", first->msg,
		 text[0] == '\0' ? "" : ": ", text[0] == '\0' ? ' ' : tolower((unsigned char)text[0]),
		 text[0] == '\0' ? "" : text + 1, is_left ? ": to be removed by delete " : "",
		 is_left ? id : "");
}

/* An undoing needs descriptors, and there may be none left. */
static void close_descriptors(struct parent *parent)
{
	int *const fds[] = {&parent->socket_fd,      &parent->child_socket_fd, &parent->mount_fd,
			    &parent->cgroup_fd,      &parent->listener_fd,     &parent->console_fd,
			    &parent->container_pidfd};

	parent_close_slots(parent);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fd_close(fds[i]);
}

static int remove_pid_file(struct parent *parent, struct err *err)
{
	int r = parent->has_pid_file ? k_unlinkat(AT_FDCWD, parent->options->pid_file, 0) : 0;

	parent->has_pid_file = false;
	return r < 0 && r != -ENOENT
		       ? err_system(err, r, "cannot remove pid file '%s'", parent->options->pid_file)
		       : 0;
}

/* All that the record names; what has not been begun needs no looking for. */
static void undo_recorded(struct parent *parent, struct err *first)
{
	struct err err;

	if (parent->has_cgroup)
		note(first, container_remove_cgroup(&parent->record, &err), &err);
	note(first, scope_undo(parent, &err), &err);
	note(first, parent_resctrl_undo(parent, &err), &err);
}

int parent_undo(struct parent *parent, struct err *err)
{
	struct err first = {.kind = ERR_NONE}, other;
	bool is_left;

	parent_undo_processes(parent);
	close_descriptors(parent);
	undo_recorded(parent, &first);
	is_left = first.kind != ERR_NONE;
	if (!is_left && parent->dir_fd >= 0) {
		int r = container_remove_state(parent->root_fd, parent->dir_fd, parent->options->id, &other);

		note(&first, r, &other);
	}
	note(&first, remove_pid_file(parent, &other), &other);
	if (first.kind != ERR_NONE)
		report(&first, parent->options->id, is_left, err);
	/* "delete" runs them once it has removed what is left. */
	if (!is_left && parent->has_hooked)
		(void)!container_run_hooks(&parent->record, parent->spec, SPEC_HOOK_POSTSTOP, &other);
	return first.kind == ERR_NONE ? 0 : first.errnum == 0 ? -EINVAL : -first.errnum;
}
