/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watcher: a process that reads the counters of a scope's cgroup before systemd removes it. It exists only
 * where no other process of tare lives as long as the container. Private to the room.
 */
#ifndef TARE_PARENT_WATCH_H
#define TARE_PARENT_WATCH_H

#include <tare/base.h>

/* The container; the watcher gets copies of the descriptors. */
struct watched {
	const char *id, *unit;
	int dir_fd, cgroup_fd; /* of its state, and its cgroup */
	int pidfd;             /* of init */
};

/*
 * The step PLAN_UNIT_WATCH: starts the program of src/systemd/watch_main.c from a sealed memfd. The watcher
 * stays in the caller's cgroup, in a session of its own, and exits when the container's cgroup is empty or
 * gone. Runs in the parent, which does not wait for the watcher. -errno with *err.
 */
int watch_start(const struct watched *watched, struct err *err) MUST_CHECK;

#endif
