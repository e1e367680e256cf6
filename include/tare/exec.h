/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec: a further process in a container that another process has created. All functions run in the parent of
 * the new process. They make nothing of the container, so after a failure only the new process is removed.
 */
#ifndef TARE_EXEC_H
#define TARE_EXEC_H

#include <tare/child.h>
#include <tare/container.h>
#include <tare/options.h>

struct exec {
	const struct exec_options *options; /* the caller's */
	struct container container;         /* without its lock */
	struct plan *plan;
	int container_pidfd; /* of the container's init, until its slot has it */
	int mount_fd;        /* the cgroup2 mount */
	int listener_fd;     /* of the seccomp filter of the bridge, until its child is identified */
	uint64_t *mounts;    /* ids that MOUNTED has reported, in this order */
	size_t mount_count;
	struct child child;
};

/* Sets all members to "not set"; options are kept by reference. Cannot fail. */
void exec_init(struct exec *exec, const struct exec_options *options);
/* Frees all memory and closes all descriptors; kills no process. */
void exec_done(struct exec *exec);
#define _cleanup_exec_ __attribute__((cleanup(exec_done)))

/*
 * Carries out the parent's steps of the plan up to COMMITTED. Needs the slots and blocked signals. After a
 * failure the child has to be killed; *err has the JSON pointer of the step.
 */
int parent_walk_exec(struct exec *exec, struct err *err) MUST_CHECK;

#endif
