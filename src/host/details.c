/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Facts that only the commands that describe the host need. A fact that cannot be read counts as absent.
 * Process: the parent, with the rights of the caller.
 */
#include <fcntl.h>
#include <string.h>

#include <tare/host.h>

/* Reads the first line of a small file; "" if the file cannot be read. */
static void read_line(const char *path, char *buf, size_t size)
{
	if (io_read_small(AT_FDCWD, path, 0, buf, size) < 0)
		buf[0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
}

static bool is_first_line(const char *path, const char *expected)
{
	char line[64];

	read_line(path, line, sizeof line);
	return str_equal(line, expected);
}

static bool exists(const char *path)
{
	return k_faccessat2(AT_FDCWD, path, 0 /* F_OK */, 0) == 0;
}

static void probe_namespaces(struct host_details *details)
{
	static const char *const paths[HOST_NS_COUNT] = {
		"/proc/self/ns/user", "/proc/self/ns/mnt", "/proc/self/ns/pid",    "/proc/self/ns/net",
		"/proc/self/ns/ipc",  "/proc/self/ns/uts", "/proc/self/ns/cgroup", "/proc/self/ns/time",
	};
	char line[32];
	uint64_t max = 0;

	for (unsigned int i = 0; i < HOST_NS_COUNT; i++)
		details->namespaces |= exists(paths[i]) ? 1u << i : 0;
	read_line("/proc/sys/user/max_user_namespaces", line, sizeof line);
	details->has_user_ns = (details->namespaces & 1) != 0 && str_to_u64(line, UINT64_MAX, &max) && max > 0;
	/* The first is Ubuntu's sysctl, the second that of Debian and Arch. */
	details->is_userns_restricted =
		is_first_line("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1") ||
		is_first_line("/proc/sys/kernel/unprivileged_userns_clone", "0");
}

void host_probe_details(struct host_details *ret_details)
{
	struct host_details details = {.namespaces = 0};
	struct host host;
	struct err ignored;
	char path[sizeof host.cgroup_mount + sizeof "/cgroup.controllers"];

	if (host_probe(&host, &ignored) == 0 && host.cgroup_mount[0] != '\0') {
		str_format(path, sizeof path, "%s/cgroup.controllers", host.cgroup_mount);
		read_line(path, details.cgroup_controllers, sizeof details.cgroup_controllers);
	}
	read_line("/sys/kernel/security/lsm", details.lsm, sizeof details.lsm);
	details.has_apparmor = is_first_line("/sys/module/apparmor/parameters/enabled", "Y");
	details.has_selinux = exists("/sys/fs/selinux/enforce");
	probe_namespaces(&details);
	*ret_details = details;
}
