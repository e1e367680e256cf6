/* SPDX-License-Identifier: Apache-2.0 */
/* The birth of init or the bridge. Private to the room; runs in the parent. */
#ifndef TARE_RUN_SPAWN_H
#define TARE_RUN_SPAWN_H

#include <tare/plan.h>

struct spawn {
	const struct plan *plan;
	int first_fd;     /* as in init.h: 3 + preserved descriptors */
	int socket_fd;    /* init's end of the conversation */
	int cgroup_fd;    /* or -1 */
	int signal_fd;    /* of await_signals */
	const int *slots; /* plan->slot_count descriptors, -1 where the child itself fills the slot */
	uint64_t flags;   /* CLONE_NEW* */
	bool is_bridge, into_cgroup;
	bool is_exec;          /* the program has no steps of a creation */
	bool is_interruptible; /* for a cgroup that may be frozen */
	bool is_mortal; /* HUP, INT and TERM end this process at once until then: nothing is to be undone */
};

/*
 * Starts the program of src/run/init.c, whole or for an exec, from a sealed memfd, in new namespaces and, if
 * into_cgroup and there is one, inside the cgroup. Returns when it was executed: the pid, and a pidfd in
 * *ret_pidfd, or -errno with *err set and no process left; -EINTR when a signal ended the waiting, which only
 * an interruptible one does. All signals must be blocked.
 */
int spawn_child(const struct spawn *spawn, int *ret_pidfd, struct err *err) MUST_CHECK;

#endif
