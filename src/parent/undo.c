/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Undoes a creation that failed, or a run after the container has stopped.
 *
 * Process: the parent, as in parent.c. After a step that fails the others are still done. The failure is added
 * to the error, and the record stays, so that "delete" can remove the rest.
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

/* The undo opens descriptors, and a failed creation may have reached the limit of open files. */
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

/* Removes what the record names and the creation has at least begun to make. */
static void undo_recorded(struct parent *parent, struct err *first)
{
	struct err err;

	if (parent->has_cgroup)
		keep_first(first, container_remove_cgroup(&parent->record, &err), &err);
	keep_first(first, scope_undo(parent, &err), &err);
	keep_first(first, parent_resctrl_undo(parent, &err), &err);
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

		keep_first(&first, r, &other);
	}
	keep_first(&first, remove_pid_file(parent, &other), &other);
	if (first.kind != ERR_NONE)
		add_failure(&first, parent->options->id, is_left, err);
	/* If something is left, "delete" runs the poststop hooks once it has removed that. */
	if (!is_left && parent->has_run_hooks)
		(void)!container_run_hooks(&parent->record, parent->spec, SPEC_HOOK_POSTSTOP, &other);
	return first.kind == ERR_NONE ? 0 : first.errnum == 0 ? -EINVAL : -first.errnum;
}
