/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of "check", private to the room. They run in the parent and change nothing on the host. What cannot
 * be decided, for example because permission to read a directory is missing, is not a finding.
 */
#ifndef TARE_CHECK_PRIVATE_H
#define TARE_CHECK_PRIVATE_H

#include <tare/host.h>
#include <tare/plan.h>
#include <tare/spec.h>

struct check {
	const struct host *host;
	const struct spec *spec;
	const struct plan *plan; /* made by plan_sketch */
	int first_fd;            /* the number after the descriptors that the program keeps */
	spec_finding on_finding;
	void *context;
	int count;            /* of findings, not counting notes */
	bool has_early_hooks; /* hooks run before the lookup of the program, and may create or change files */
	bool is_planned;      /* no finding so far prevents plan_build from making a plan */
	char **pointers;      /* the JSON pointers of the findings so far */
	size_t pointer_count;
};

/* Passes a finding to on_finding, and counts it unless its kind is ERR_NONE. context: a struct check. */
void check_report(void *context, const struct err *finding);
/* Whether a finding with this JSON pointer was reported. */
bool check_has_finding_at(const struct check *check, const char *json_pointer);
void check_done(struct check *check);
#define _cleanup_check_ __attribute__((cleanup(check_done)))

/* Whether the result of a path lookup (-errno) means that the file certainly does not exist. */
bool check_is_absent(int r);

/*
 * host.c: the root file system, sources and types of mounts, network devices, sizes of huge pages, the socket
 * of the seccomp agent, and hooks that run on the host; sets has_early_hooks.
 */
void check_host(struct check *check);

/* rootfs.c: program, working directory and startContainer hooks, unless a mount may cover them. */
void check_rootfs(struct check *check);

/* cgroup.c: whether the cgroup can be made at the path of the plan; does not make it. */
void check_cgroup(struct check *check);

/* start.c: carries out the steps of a start that do not change the host, in processes that exit afterwards. */
void check_start(struct check *check);

/* process.c: sets attributes of the process in child processes, which then exit. */
void check_process(struct check *check);

#endif
