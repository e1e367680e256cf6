/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "check": what only a look at the host tells. Private to the room; runs in the parent. Nothing is changed, and
 * what cannot be decided, such as for want of permission to look, is no finding.
 */
#ifndef TARE_RUN_CHECK_H
#define TARE_RUN_CHECK_H

#include <tare/host.h>
#include <tare/plan.h>
#include <tare/spec.h>

struct check {
	const struct spec *spec;
	const struct plan *plan; /* of plan_sketch */
	spec_finding on_finding;
	void *context;
	int count;         /* of findings, without notes */
	bool has_changers; /* hooks run before the program is looked up, and may change what is there */
};

/* Hands it over, and counts it unless its kind is ERR_NONE. */
void check_report(struct check *check, const struct err *finding);

/* Whether the errno of a look-up says for sure that there is no such file. */
bool check_is_absent(int r);

/*
 * check_host.c: root file system, sources and types of mounts, network devices, sizes of huge pages, the
 * seccomp agent's socket, and hooks of the runtime; sets has_changers.
 */
void check_host(struct check *check);

/* check_rootfs.c: program, working directory and startContainer hooks, where no mount covers them. */
void check_rootfs(struct check *check);

/* check_trial.c: what a process may give itself is tried by one that ends behind it. */
void check_trial(struct check *check);

#endif
