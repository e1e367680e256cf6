/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "check": what only a look at the host tells. Private to the room; runs in the parent. Nothing is changed, and
 * what cannot be decided, such as for want of permission to look, is no finding.
 */
#ifndef TARE_CHECK_PRIVATE_H
#define TARE_CHECK_PRIVATE_H

#include <tare/host.h>
#include <tare/plan.h>
#include <tare/spec.h>

struct parent;

struct check {
	const struct parent *parent; /* loaded, and never carried out */
	const struct spec *spec;
	const struct plan *plan; /* of plan_sketch */
	spec_finding on_finding;
	void *context;
	int count;         /* of findings, without notes */
	bool has_changers; /* hooks run before the program is looked up, and may change what is there */
	bool is_planned;   /* nothing was found that keeps a start from having a plan */
	char **places;     /* the JSON pointers of the findings so far */
	size_t place_count;
};

/* Hands it over, and counts it unless its kind is ERR_NONE. context: a struct check. */
void check_report(void *context, const struct err *finding);
/* Whether something was found there. */
bool check_has_place(const struct check *check, const char *json_pointer);
void check_done(struct check *check);
#define _cleanup_check_ __attribute__((cleanup(check_done)))

/* Whether the errno of a look-up says for sure that there is no such file. */
bool check_is_absent(int r);

/*
 * host.c: root file system, sources and types of mounts, network devices, sizes of huge pages, the
 * seccomp agent's socket, and hooks of the runtime; sets has_changers.
 */
void check_host(struct check *check);

/* rootfs.c: program, working directory and startContainer hooks, where no mount covers them. */
void check_rootfs(struct check *check);

/* cgroup.c: whether the cgroup can be made where the plan has it, without making one. */
void check_cgroup(struct check *check);

/* start.c: the plan of a start is tried, as far as it changes nothing, by processes that end with it. */
void check_start(struct check *check);

/* trial.c: what a process may give itself is tried by one that ends behind it. */
void check_trial(struct check *check);

#endif
