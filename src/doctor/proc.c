/* SPDX-License-Identifier: Apache-2.0 */
/* File systems that a container in a new user namespace mounts, and what masks the host's /proc and /sys. */
#include <errno.h>
#include <linux/sched.h>
#include <string.h>

#include <tare/probe.h>
#include <tare/sys.h>

#include "doctor.h"

#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif

static const struct file_system {
	const char *type, *item, *lost, *change;
	const char *host;        /* where the host has it: mounts there may mask it (mount_namespaces(7)) */
	const char *key, *value; /* an option, or NULL */
} file_systems[] = {
	{"proc", "fresh /proc", "a new procfs in a container with a user namespace",
	 "make the container around tare with an unmasked /proc (podman: --security-opt unmask=ALL, docker: "
	 "--security-opt systempaths=unconfined, Kubernetes: procMount: Unmasked)",
	 "/proc", NULL, NULL},
	{"sysfs", "fresh /sys",
	 "a new sysfs in a container with a user namespace: it gets a bind of the caller's",
	 "unmount what covers the caller's /sys", "/sys", NULL, NULL},
	{"tmpfs", "tmpfs", "tmpfs in a container with a user namespace", NULL, NULL, NULL, NULL},
	{"devpts", "devpts", "terminals in a container with a user namespace",
	 "boot a kernel that has it, or load its module", NULL, NULL, NULL},
	{"mqueue", "mqueue", "/dev/mqueue in a container with a user namespace",
	 "boot a kernel with CONFIG_POSIX_MQUEUE", NULL, NULL, NULL},
	{"cgroup2", "cgroup2", "a new cgroup2 mount in a container with a user namespace", NULL, NULL, NULL,
	 NULL},
};

/* The second way in which tare mounts /proc. */
static const struct file_system subset = {"proc", "/proc with subset=pid", NULL, NULL, NULL, "subset", "pid"};

/* In new namespaces of every kind that a file system may show; the mount stays detached. */
static int mount_one(const void *context, struct err *err)
{
	const struct file_system *system = context;
	_cleanup_fd_ int fd = k_fsopen(system->type, FSOPEN_CLOEXEC), mount_fd = -1;
	int r = fd;

	if (r >= 0 && system->key != NULL)
		r = k_fsconfig(fd, FSCONFIG_SET_STRING, system->key, system->value, 0);
	if (r >= 0)
		r = k_fsconfig(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (r >= 0)
		r = mount_fd = k_fsmount(fd, FSMOUNT_CLOEXEC, 0);
	if (r >= 0)
		return 0;
	err_system(err, r, "cannot mount '%s' in a new user namespace", system->type);
	mount_hint_new(system->type, r, err);
	return r;
}

static const char *finding_of(struct doctor *doctor, const struct file_system *system, const struct err *err)
{
	const char *masks = system->host == NULL ? NULL : doctor_mounts_over(doctor, system->host);

	return masks == NULL ? doctor_error(doctor, err)
			     : doctor_text(doctor, "%s; covered by %s", doctor_error(doctor, err), masks);
}

static int try_one(const struct file_system *system, struct err *err)
{
	const struct probe_trial trial = {
		.namespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
			      CLONE_NEWCGROUP,
		.run = mount_one,
		.context = system,
	};

	return probe_try(&trial, err);
}

/*
 * Whether the parent of a start can make a procfs that is refused to init (src/parent/procfs.c): in its own
 * mount namespace, for a new pid namespace.
 */
static bool can_parent(const struct doctor *doctor, const struct file_system *system)
{
	const struct probe_trial trial = {.namespaces = CLONE_NEWPID, .run = mount_one, .context = system};
	struct err ignored;

	return str_equal(system->type, "proc") && doctor->host.is_mounting && probe_try(&trial, &ignored) >= 0;
}

/*
 * Whether no container starts without this file system. Each container of an unprivileged caller has a user
 * namespace, and one with a pid namespace of its own needs a new procfs, in one of the two ways.
 */
static bool is_needed(const struct doctor *doctor, const struct file_system *system)
{
	struct err ignored;

	return str_equal(system->type, "proc") && !doctor->host.is_privileged && try_one(&subset, &ignored) < 0;
}

static const char *change_of(struct doctor *doctor, const struct file_system *system, const struct err *err)
{
	const char *hint = doctor_hint(doctor, err);

	if (system->change == NULL || hint == NULL)
		return system->change == NULL ? hint : system->change;
	return doctor_text(doctor, "%s (%s)", system->change, hint);
}

void doctor_proc(struct doctor *doctor)
{
	_cleanup_buf_ struct buf names = {0};
	struct err err;

	if (probe_user_namespace(&err) < 0) {
		doctor_limited(doctor, "all", "cannot be tried without a user namespace",
			       "containers with a user namespace", doctor_hint(doctor, &err));
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(file_systems); i++) {
		const struct file_system *system = &file_systems[i];

		if (try_one(system, &err) >= 0 || can_parent(doctor, system))
			buf_format(&names, "%s%s", names.len == 0 ? "" : ", ", system->item);
		else if (is_needed(doctor, system))
			doctor_broken(doctor, system->item, finding_of(doctor, system, &err),
				      change_of(doctor, system, &err));
		else
			doctor_limited(doctor, system->item, finding_of(doctor, system, &err), system->lost,
				       change_of(doctor, system, &err));
	}
	if (names.len > 0)
		doctor_ok(doctor, "can be mounted", doctor_text(doctor, "%s", names.data));
}
