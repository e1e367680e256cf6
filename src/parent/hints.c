/* SPDX-License-Identifier: Apache-2.0 */
/* Hints that need a look at the host, for errors of several steps. Process: the parent. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "steps.h"

static bool is_line(const char *path, const char *text)
{
	char line[64];

	return io_read_small(AT_FDCWD, path, 0, line, sizeof line) > 0 && str_equal(line, text);
}

/* Whether a map (user_namespaces(7), lines like "0 1000 1") maps id of this namespace. True if it cannot be
 * read. */
static bool is_mapped(const char *path, uint64_t id)
{
	_cleanup_buf_ struct buf text = {0};
	char *at, *end;

	if (io_read_file(AT_FDCWD, path, 1 << 16, &text) < 0 || text.data == NULL)
		return true;
	for (at = text.data; *at != '\0'; at = end + strspn(end, " \n")) {
		uint64_t first = strtoull(at, &end, 10), size;

		(void)strtoull(end, &end, 10);
		size = strtoull(end, &end, 10);
		if (id >= first && id - first < size)
			return true;
	}
	return false;
}

/* Whether the root directory was set by chroot(2): it is no mount point then. */
static bool is_in_chroot(void)
{
	struct statx st;

	return statx(AT_FDCWD, "/", 0, 0, &st) == 0 && (st.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0 &&
	       (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0;
}

void hints_no_user_namespace(struct err *err)
{
	if (!is_mapped("/proc/self/uid_map", geteuid()) || !is_mapped("/proc/self/gid_map", getegid()))
		err_hint(err, "the caller's user or group id has no mapping in its own user namespace");
	else if (is_in_chroot())
		err_hint(err,
			 "a process in a chroot cannot make user namespaces: pivot_root(2) has no such effect");
	else if (is_line("/proc/sys/kernel/unprivileged_userns_clone", "0\n"))
		err_hint(err,
			 "sysctl kernel.unprivileged_userns_clone is 0: only root may make user namespaces");
	else if (is_line("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n"))
		err_hint(err,
			 "sysctl kernel.apparmor_restrict_unprivileged_userns is 1: tare needs an AppArmor "
			 "profile that allows userns");
	else
		err_hint(err, "user_namespaces(7) lists the reasons for which the kernel refuses to make one");
}
