/* SPDX-License-Identifier: Apache-2.0 */
/* Hooks (runtime-spec config.md "POSIX-platform Hooks"). Private to the room; [free]. */
#ifndef TARE_HOOKS_H
#define TARE_HOOKS_H

#include <tare/plan.h>

struct hooks_context {
	const struct plan *plan;
	int64_t pid;              /* of the container, as the hook's own pid namespace has it; 0: left out */
	char *const *environment; /* for hooks that say none of their own */
	int directory_fd;         /* in which they start; -1: that of the calling process */
	bool is_filtered;         /* a seccomp filter is in force: no call more than is needed */
	int signal_fd;            /* readable when nobody wants to wait for hooks any more; or -1 */
};

/*
 * Runs the hooks of a step one after another in namespaces and root of the calling process, each with the
 * container's state on its standard input, and waits for each (up to its timeout, then it is killed). The
 * first that cannot be started, runs too long, or ends with anything but 0 is an error with the end of what
 * it printed in it; -EINTR when one had to be killed because of signal_fd.
 */
int hooks_run(const struct hooks_context *context, const struct plan_hooks *hooks, struct err *err) MUST_CHECK;

/* One hook, with its whole state text. hooks_run without the plan's state, for poststop. */
int hooks_run_one(const struct hooks_context *context, const struct plan_hook *hook, const char *state,
		  struct err *err) MUST_CHECK;

#endif
