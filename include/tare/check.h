/* SPDX-License-Identifier: Apache-2.0 */
/* check: whether a configuration is valid and this host can honour it. Runs in the parent. */
#ifndef TARE_CHECK_H
#define TARE_CHECK_H

#include <tare/parent.h>

/*
 * The command "check": reads the configuration of the bundle and calls on_finding for each finding: first for
 * the errors in the configuration; if there are none, for what this host cannot honour. Findings of the kind
 * ERR_NONE are notes, not errors. Returns the number of the other findings. Fails with -errno and *err set if
 * the configuration cannot be read or the host cannot be probed. Changes nothing on the host. Forks processes
 * that try parts of a start, and waits for them.
 */
int check_run(const struct create_options *options,
	      void (*on_finding)(void *context, const struct err *finding), void *context,
	      struct err *err) MUST_CHECK;

/*
 * Whether this host can enforce a limit of the controller for a new container, in the default place of its
 * cgroup. Fails with the reason. Changes nothing.
 */
int check_limit(const struct host *host, const struct plan_request *request, const char *controller,
		struct err *err) MUST_CHECK;

#endif
