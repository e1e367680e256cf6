/* SPDX-License-Identifier: Apache-2.0 */
/* Hints that need a look at the host, for errors of several steps. Process: the parent. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

/* The kinds of namespaces and the files of their limits (namespaces(7)). */
static const struct {
	uint64_t flag;
	const char *file;
} limits[] = {
	{CLONE_NEWUSER, "max_user_namespaces"},     {CLONE_NEWNS, "max_mnt_namespaces"},
	{CLONE_NEWPID, "max_pid_namespaces"},       {CLONE_NEWNET, "max_net_namespaces"},
	{CLONE_NEWIPC, "max_ipc_namespaces"},       {CLONE_NEWUTS, "max_uts_namespaces"},
	{CLONE_NEWCGROUP, "max_cgroup_namespaces"},
};

/* Whether a process cannot be started in a namespace of this kind because of a limit. */
static bool is_at_limit(uint64_t flags)
{
	struct clone_args args = {.flags = flags, .exit_signal = SIGCHLD};
	long pid = k_clone3(&args);

	if (pid == 0)
		k_exit(0);
	if (pid > 0)
		k_waitid(P_PID, (int)pid, NULL, WEXITED);
	return pid == -ENOSPC;
}

/*
 * clone3(2) returns ENOSPC without the kind of namespace, so each kind is tried on its own. User namespaces
 * that are nested 32 deep give the same error (user_namespaces(7)), which cannot be told apart in a nested one.
 */
void hints_no_more_namespaces(uint64_t flags, struct err *err)
{
	uint64_t user = flags & CLONE_NEWUSER;

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		if ((flags & limits[i].flag) == 0 || !is_at_limit(user | limits[i].flag))
			continue;
		if (limits[i].flag != CLONE_NEWUSER ||
		    is_line("/proc/self/uid_map", "         0          0 4294967295\n") ||
		    is_line("/proc/sys/user/max_user_namespaces", "0\n"))
			err_hint(err, "the limit in /proc/sys/user/%s is reached", limits[i].file);
		else
			err_hint(err, "user_namespaces(7) lists the limits of nested user namespaces");
		return;
	}
}
