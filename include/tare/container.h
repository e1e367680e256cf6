/* SPDX-License-Identifier: Apache-2.0 */
/*
 * container: an existing container, as later commands open, signal and remove it. All functions run in the
 * process that was called, with the caller's privileges.
 */
#ifndef TARE_CONTAINER_H
#define TARE_CONTAINER_H

#include <tare/plan.h>
#include <tare/state.h>

struct spec;

struct container {
	int root_fd, dir_fd; /* the state root, and the container's directory in it; or -1 */
	struct state_record record;
};

/*
 * Opens a container and reads its record, but not its configuration, unless an earlier version wrote both to
 * one file. lock_ms: how long to wait for the container's lock, in milliseconds; negative: without the lock.
 * -ENOENT: no such container. For a damaged record the error is that of state_read, and dir_fd is open. *ret is
 * valid for container_done in any case.
 */
int container_open(const char *state_root, const char *id, int lock_ms, struct container *ret,
		   struct err *err) MUST_CHECK;
void container_done(struct container *container);
#define _cleanup_container_ __attribute__((cleanup(container_done)))

/*
 * The container's configuration as of its creation. The caller frees *ret by spec_free. Errors of
 * state_read_config and spec_parse.
 */
int container_load_spec(const struct container *container, struct spec **ret, struct err *err) MUST_CHECK;

/* Sets the members of the record that spare later commands the configuration. */
void container_record_spec(struct state_record *record, const struct spec *spec);

/* --- its cgroup --- */

/* The cgroup2 mount of the container's cgroup. -ENOENT with *err if the container has no cgroup. */
int container_open_mount(const struct container *container, struct err *err) MUST_CHECK;

/*
 * The container's cgroup. -ENOENT with *err if the container has none, if it was removed, or if it belongs to
 * another container now.
 */
int container_open_cgroup(const struct container *container, struct err *err) MUST_CHECK;

/*
 * The path of a process's cgroup (cgroups(7), /proc/PID/cgroup), relative to the root of this process's cgroup
 * namespace. 0 or -errno; -ENAMETOOLONG if size is too small.
 */
int container_cgroup_of(pid_t pid, char *ret, size_t size) MUST_CHECK;

/* --- its hooks --- */

/* The bundle's directory, O_PATH: where hooks of the runtime's namespaces start, as with runc and crun. */
int container_open_bundle(const char *bundle, struct err *err) MUST_CHECK;

/* Opens a file that hooks append their output to, and makes it if it does not exist. */
int container_open_output(const char *path, struct err *err) MUST_CHECK;
/* Opens the files of the hooks that run in the runtime's namespaces; -1 for those that are not requested. */
struct container_outputs {
	int fds[PLAN_OUTPUTS];
};
#define CONTAINER_NO_OUTPUTS                                                                                   \
	{                                                                                                      \
		{                                                                                              \
			-1, -1                                                                                 \
		}                                                                                              \
	}
#define _cleanup_outputs_ __attribute__((cleanup(container_close_outputs)))
int container_open_outputs(const struct plan *plan, const struct plan_hooks *hooks,
			   struct container_outputs *ret, struct err *err) MUST_CHECK;
void container_close_outputs(struct container_outputs *outputs);

/*
 * Runs the hooks of a kind (SPEC_HOOK_*) in the bundle's directory. The first failure is the result, and ends
 * the list. Of poststop hooks all run, in "/" if the bundle was removed, and their failures are also logged as
 * warnings (runtime-spec runtime.md, "Lifecycle").
 */
int container_run_hooks(const struct state_record *record, const struct spec *spec, uint32_t kind,
			struct err *err) MUST_CHECK;

/*
 * Loads the configuration of a container with poststop hooks, before container_remove_state. NULL if there are
 * none, if another command has removed the container, or, with a warning in the log, if it cannot be loaded.
 * The caller frees it by spec_free.
 */
struct spec *container_load_poststop(const struct container *container);

/* --- its removal --- */

/*
 * Kills init and what else is in the cgroup, and waits for init's exit; removes cgroup, unit, resctrl groups
 * and state; then runs poststop hooks, which cannot fail it, unless another command has removed the state and
 * so runs them. Stops at the first failure: the next delete removes the rest.
 */
int container_destroy(struct container *container, struct err *err) MUST_CHECK;

/*
 * Kills the processes in the cgroup, and removes the directories that were created for the container; restores
 * the limits of a cgroup that existed before. Does nothing if the cgroup belongs to another container now. Only
 * systemd removes the cgroup of a unit.
 */
int container_remove_cgroup(const struct state_record *record, struct err *err) MUST_CHECK;

/* Removes the state directory dir_fd. 1, 0 if another command has removed it already, or -errno with *err. */
int container_remove_state(int root_fd, int dir_fd, const char *id, struct err *err) MUST_CHECK;

#endif
