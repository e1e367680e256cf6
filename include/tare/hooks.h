/* SPDX-License-Identifier: Apache-2.0 */
/* Runs hooks (runtime-spec config.md, "POSIX-platform Hooks"). Used by init and the parent; [free]. */
#ifndef TARE_HOOKS_H
#define TARE_HOOKS_H

#include <tare/plan.h>

struct hooks_context {
	const struct plan *plan;
	int64_t pid;              /* of init, as seen in the hook's pid namespace, for the state text */
	char *const *environment; /* for hooks without env */
	int directory_fd;         /* working directory of the hooks; -1: that of the calling process */
	bool is_filtered;         /* a seccomp filter is in force: calls that are not necessary are omitted */
	const int *output_fds;    /* standard output and error, each or -1; NULL: read by this process */
	int signal_fd;            /* readable when a signal requests the end of the command; or -1 */
};

/*
 * Runs the hooks of a step one after another, in the namespaces and the root directory of the calling process,
 * each with the container's state on its standard input. Waits for each hook; at its timeout (seconds) it is
 * killed. Stops at the first hook that cannot be started, reaches its timeout, is killed by a signal, or exits
 * with a status other than 0: a negative errno, and the last line of its output as the hint. -EINTR if a hook
 * was killed because of signal_fd. The caller keeps the descriptors.
 */
int hooks_run(const struct hooks_context *context, const struct plan_hooks *hooks, struct err *err) MUST_CHECK;

/* As hooks_run, for one hook and with the caller's state text instead of the plan's; for poststop. */
int hooks_run_one(const struct hooks_context *context, const struct plan_hook *hook, const char *state,
		  struct err *err) MUST_CHECK;

#endif
