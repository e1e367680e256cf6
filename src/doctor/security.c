/* SPDX-License-Identifier: Apache-2.0 */
/* Security modules, and whether the AppArmor profile that permits tare user namespaces is in force. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <tare/probe.h>

#include "doctor.h"

#define PROFILE "tare"

/* The first line of a file, or "". */
static void read_first(const char *path, char *buf, size_t size)
{
	if (io_read_small(AT_FDCWD, path, 0, buf, size) < 0)
		buf[0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
}

static void add_modules(struct doctor *doctor, const struct host_details *details)
{
	if (details->lsm[0] == '\0')
		doctor_add(doctor, &(struct doctor_result){
					   .verdict = DOCTOR_UNKNOWN,
					   .item = "modules",
					   .finding = "/sys/kernel/security/lsm cannot be read",
					   .lost = "this report does not know which are active",
					   .change = "mount -t securityfs none /sys/kernel/security",
				   });
	else
		doctor_ok(doctor, "modules", doctor_text(doctor, "%s", details->lsm));
	if (details->has_apparmor)
		doctor_ok(doctor, "labels", "AppArmor: process.apparmorProfile can be used");
	else if (details->has_selinux)
		doctor_ok(doctor, "labels", "SELinux: process.selinuxLabel and linux.mountLabel can be used");
	else
		doctor_limited(doctor, "labels", "neither AppArmor nor SELinux is enabled on this host",
			       "process.apparmorProfile, process.selinuxLabel and linux.mountLabel are refused",
			       NULL);
}

/*
 * Whether the list of loaded profiles, lines "NAME (MODE)", has the name: 1, 0 or -errno (only root may read).
 */
static int is_loaded(const char *name)
{
	_cleanup_buf_ struct buf text = {0}, line = {0};
	int r = io_read_file(AT_FDCWD, "/sys/kernel/security/apparmor/profiles", 16 << 20, &text);

	buf_format(&line, "%s (", name);
	for (const char *at = text.data; r >= 0 && at != NULL; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (str_has_prefix(at, line.data))
			return 1;
	}
	return r < 0 ? r : 0;
}

/* This process has the label of tare: the profile has no rule that changes it at execve(2). */
static bool is_in_force(const struct host_details *details)
{
	char label[256];

	read_first("/proc/self/attr/apparmor/current", label, sizeof label);
	/* Without this directory (before Linux 5.8) the file is that of the only module with labels. */
	if (label[0] == '\0' && details->has_apparmor)
		read_first("/proc/self/attr/current", label, sizeof label);
	return str_equal(label, PROFILE) || str_has_prefix(label, PROFILE " (");
}

static bool is_restricted(void)
{
	char value[8];

	read_first("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", value, sizeof value);
	return str_equal(value, "1");
}

static void add_profile(struct doctor *doctor, const struct host_details *details)
{
	static const char item[] = "AppArmor profile of tare";
	static const char change[] =
		"as root: install tare with meson setup -Dapparmor=/etc/apparmor.d, and load the "
		"profile: apparmor_parser -r /etc/apparmor.d/" PROFILE;
	struct err ignored;

	if (!details->has_apparmor)
		doctor_ok(doctor, item, "is not needed without AppArmor");
	else if (is_in_force(details) || is_loaded(PROFILE) > 0)
		doctor_ok(doctor, item, "is loaded");
	else if (!is_restricted())
		doctor_ok(doctor, item,
			  "is not loaded, nor needed: this host does not restrict user namespaces");
	else if (doctor_is_root(doctor))
		doctor_limited(doctor, item, "is not loaded, and this host restricts user namespaces",
			       "containers of unprivileged callers", change);
	else if (probe_user_namespace(&ignored) >= 0)
		doctor_ok(doctor, item, "is not in force, but this caller can make user namespaces");
	else
		doctor_broken(doctor, item, "is not in force, and this host restricts user namespaces", change);
}

void doctor_security(struct doctor *doctor)
{
	struct host_details details;

	host_probe_details(&details);
	add_modules(doctor, &details);
	add_profile(doctor, &details);
}
