/* SPDX-License-Identifier: Apache-2.0 */
/* container: an existing container, as later commands open, signal and remove it. Runs in the process that was
 * called. */
#ifndef TARE_CONTAINER_H
#define TARE_CONTAINER_H

#include <tare/spec.h>
#include <tare/state.h>

struct container {
	int root_fd, dir_fd;
	struct state_record record;
};

/*
 * Opens and, if lock_ms is not negative, locks it, waiting that long. -ENOENT: no such container; a damaged
 * record gives its own error with dir_fd open.
 */
int container_open(const char *state_root, const char *id, int lock_ms, struct container *ret,
		   struct err *err) MUST_CHECK;
void container_done(struct container *container);
#define _cleanup_container_ __attribute__((cleanup(container_done)))

/* The cgroup2 mount that the container's cgroup is in. -ENOENT with *err set if it has none. */
int container_open_mount(const struct container *container, struct err *err) MUST_CHECK;

/* The cgroup of a process, as seen from the cgroup namespace that also sees the mount. 0 or -errno. */
int container_cgroup_of(pid_t pid, char *ret, size_t size) MUST_CHECK;

/* Opens the container's cgroup. -ENOENT with *err set if it has none, or it is gone or another container's. */
int container_open_cgroup(const struct container *container, struct err *err) MUST_CHECK;

/*
 * Kills the processes in the cgroup and removes what the container made of it, unless it belongs to something
 * else by now: then nothing happens. A unit's cgroup is left to systemd.
 */
int container_remove_cgroup(const struct state_record *record, struct err *err) MUST_CHECK;

/* Removes the state directory that dir_fd is, if that is a container's still. */
int container_remove_state(int root_fd, int dir_fd, const char *id, struct err *err) MUST_CHECK;

/*
 * Kills what lives, waits for its end, removes cgroup, unit, resctrl group and state, then runs poststop hooks,
 * whose failure is ignored. Stops at the first step that fails: what is behind it stays for the next delete.
 */
int container_destroy(struct container *container, struct err *err) MUST_CHECK;

/* A descriptor of the directory in which the hooks of the parent start: as with runc and crun. */
int container_open_bundle(const char *bundle, struct err *err) MUST_CHECK;

/*
 * Hooks of a kind from a stored configuration, in the bundle's directory. The first failure ends it; but all
 * poststop hooks run, in "/" if the bundle is gone, and their failures are warnings in the log.
 */
int container_run_hooks(const struct state_record *record, const struct spec *spec, uint32_t kind,
			struct err *err) MUST_CHECK;

/* Only the class that was made for this container alone. */
int container_remove_resctrl(const struct state_record *record, struct err *err) MUST_CHECK;

#endif
