/* SPDX-License-Identifier: Apache-2.0 */
/* User namespaces and the other kinds, and the caller's rights in its own. */
#include <ctype.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/capability.h>

#include <tare/probe.h>

#include "doctor.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

/* --- namespaces --- */

static int do_nothing(const void *context, struct err *err)
{
	(void)context;
	(void)err;
	return 0;
}

static void add_user_namespace(struct doctor *doctor)
{
	static const char item[] = "user namespace";
	struct err err;

	if (probe_user_namespace(&err) >= 0)
		doctor_ok(doctor, item, "can be made, with mounts in it");
	else if (doctor->host.is_privileged)
		doctor_limited(doctor, item, doctor_error(doctor, &err),
			       "containers with a user namespace, and locked mount sources",
			       doctor_hint(doctor, &err));
	else
		doctor_broken(doctor, item, doctor_error(doctor, &err), doctor_hint(doctor, &err));
}

static const struct {
	uint64_t flag;
	const char *name;
} kinds[] = {
	{CLONE_NEWNS, "mount"}, {CLONE_NEWPID, "pid"},       {CLONE_NEWNET, "network"}, {CLONE_NEWIPC, "ipc"},
	{CLONE_NEWUTS, "uts"},  {CLONE_NEWCGROUP, "cgroup"}, {CLONE_NEWTIME, "time"},
};

/* Tried in a user namespace, unless the caller can make them without one. */
static void add_namespaces(struct doctor *doctor)
{
	uint64_t user = doctor->host.is_privileged ? 0 : CLONE_NEWUSER;
	_cleanup_buf_ struct buf names = {0};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct probe_trial trial = {.namespaces = user | kinds[i].flag, .run = do_nothing};
		const char *item = doctor_text(doctor, "%s namespace", kinds[i].name);
		struct err err;

		if (probe_try(&trial, &err) >= 0)
			buf_format(&names, "%s%s", names.len == 0 ? "" : ", ", kinds[i].name);
		else
			doctor_limited(doctor, item, doctor_error(doctor, &err),
				       doctor_text(doctor, "containers with a new %s namespace", kinds[i].name),
				       doctor_hint(doctor, &err));
	}
	if (names.len > 0)
		doctor_ok(doctor, "other namespaces", doctor_text(doctor, "can be made: %s", names.data));
}

static void add_setgroups(struct doctor *doctor)
{
	if (doctor->host.is_setgroups_denied)
		doctor_limited(doctor, "setgroups", "is denied in this user namespace",
			       "supplementary groups: programs keep those of the caller",
			       "write the gid map of this namespace with newgidmap, without \"deny\"");
}

/* --- capabilities --- */

/* What a caller that mounts uses, beside CAP_SYS_ADMIN, and what is lost without it. */
static const struct {
	cap_value_t value;
	const char *lost;
} used[] = {
	{CAP_SETUID, "containers with other user ids than the caller's"},
	{CAP_SETGID, "containers with other group ids than the caller's"},
	{CAP_SETPCAP, "bounding and inheritable sets of containers"},
	{CAP_SETFCAP, "user namespaces that map root of this one"},
	{CAP_MKNOD, "device nodes: those of the host are bound"},
	{CAP_NET_ADMIN, "network devices, and device rules"},
	{CAP_SYS_RESOURCE, "limits above the caller's own, and lower oom_score_adj"},
	{CAP_KILL, "signals to containers of other users"},
	{CAP_DAC_OVERRIDE, "files that other users own"},
	{CAP_CHOWN, "files of containers that belong to other users"},
	{CAP_SYS_CHROOT, "every start of a caller with CAP_SYS_ADMIN"},
};

static bool has_flag(cap_t set, cap_value_t value, cap_flag_t flag)
{
	cap_flag_value_t is_set = CAP_CLEAR;

	return cap_get_flag(set, value, flag, &is_set) == 0 && is_set == CAP_SET;
}

/* In the spelling of the configuration: "CAP_CHOWN". */
static const char *name_of(struct doctor *doctor, cap_value_t value)
{
	char *name = cap_to_name(value);
	const char *copy;

	for (char *c = name; c != NULL && *c != '\0'; c++)
		*c = (char)toupper((unsigned char)*c);
	copy = doctor_text(doctor, "%s", name == NULL ? "unknown" : name);
	cap_free(name);
	return copy;
}

static void add_missing(struct doctor *doctor, cap_t set)
{
	for (size_t i = 0; i < ARRAY_SIZE(used); i++)
		if (!has_flag(set, used[i].value, CAP_EFFECTIVE))
			doctor_limited(doctor, name_of(doctor, used[i].value),
				       "is not in the caller's effective set", used[i].lost,
				       "give the caller this capability");
}

/* A capability outside of the bounding set cannot be given to a container. */
static void add_bounding(struct doctor *doctor)
{
	_cleanup_buf_ struct buf names = {0};

	for (int i = 0; i <= doctor->host.last_capability; i++)
		if (cap_get_bound(i) == 0)
			buf_format(&names, "%s%s", names.len == 0 ? "" : " ", name_of(doctor, i));
	if (names.len > 0)
		doctor_limited(doctor, "bounding set", doctor_text(doctor, "lacks %s", names.data),
			       "these capabilities in containers without a user namespace",
			       "start tare from a process that has them in its bounding set");
}

static void add_capabilities(struct doctor *doctor)
{
	static const char item[] = "capabilities";
	cap_t set = cap_get_proc();
	struct err err;

	if (set == NULL) {
		err_system(&err, errno, "cannot read the caller's capabilities");
		doctor_add_unknown(doctor, item, &err);
		return;
	}
	if (!has_flag(set, CAP_SYS_ADMIN, CAP_EFFECTIVE)) {
		doctor_ok(doctor, item, "without CAP_SYS_ADMIN: each container needs a user namespace");
	} else {
		doctor_ok(doctor, item,
			  doctor->host.is_in_user_ns ? "those of root in a user namespace"
						     : "those of root on the host");
		add_missing(doctor, set);
		add_bounding(doctor);
	}
	cap_free(set);
}

void doctor_userns(struct doctor *doctor)
{
	add_user_namespace(doctor);
	add_namespaces(doctor);
	add_setgroups(doctor);
	add_capabilities(doctor);
}
