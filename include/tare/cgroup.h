/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup: the container's cgroup in the v2 hierarchy, wherever that is mounted. All of it runs in the parent
 * (or in a later command), in the host's namespaces. Paths are relative to the cgroup2 mount and begin with
 * "/"; every file is reached by openat2(RESOLVE_BENEATH|NO_SYMLINKS) from a descriptor of the mount.
 */
#ifndef TARE_CGROUP_H
#define TARE_CGROUP_H

#include <tare/base.h>
#include <tare/plan.h>

/* Opens the cgroup2 mount point as a directory and checks that it is one (CGROUP2_SUPER_MAGIC). */
int cgroup_open_mount(const char *mount_point, struct err *err) MUST_CHECK;

/*
 * Makes the cgroup and what is missing of its parents (0755). *ret_created is the number of trailing
 * components of path that did not exist before: the ones to remove when the container goes. If it exists
 * already it must be empty of processes and not frozen: ERR_STATE "container's cgroup is not empty: N
 * process(es) found" / "container's cgroup unexpectedly frozen". Returns an O_DIRECTORY descriptor of the
 * cgroup, fit for CLONE_INTO_CGROUP, or a negative errno.
 */
int cgroup_create(int mount_fd, const char *path, unsigned int *ret_created, struct err *err) MUST_CHECK;

/* Opens an existing cgroup; -ENOENT (with *err set) if it is gone. */
int cgroup_open(int mount_fd, const char *path, struct err *err) MUST_CHECK;

/*
 * Puts the rules in force for the cgroup by an eBPF program of type BPF_PROG_TYPE_CGROUP_DEVICE attached
 * with BPF_F_ALLOW_MULTI. Rules are an ordered list as in plan.h, the last rule that matches an access
 * decides; nothing matches: denied. A program that this function attached before is replaced atomically.
 */
int cgroup_devices_set(int cgroup_fd, const struct plan_device_rule *rules, size_t count,
		       struct err *err) MUST_CHECK;

/*
 * Kills every process of the cgroup and of all below it, frozen ones too (cgroup.kill), and waits up to
 * timeout_ms until cgroup.events says populated 0. -ETIMEDOUT with *err set otherwise.
 */
int cgroup_kill(int cgroup_fd, int timeout_ms, struct err *err) MUST_CHECK;

/* Whether any process is in it or below: 1, 0, or -errno. */
int cgroup_is_populated(int cgroup_fd);

/*
 * Removes the cgroup with all that is below it, and then its parents while created > 1 counts them down and
 * they are empty. Retries EBUSY with growing pauses for up to 10 s. A cgroup that is gone already is a
 * success.
 */
int cgroup_remove(int mount_fd, const char *path, unsigned int created, struct err *err) MUST_CHECK;

/* The pids in the cgroup and below, in ascending order; the caller frees *ret_pids. Count or -errno. */
int cgroup_pids(int cgroup_fd, pid_t **ret_pids, struct err *err) MUST_CHECK;

#endif
