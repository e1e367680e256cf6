/* SPDX-License-Identifier: Apache-2.0 */
/* Why user namespaces, and namespaces in general, are refused. */
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tare/probe.h>

static bool is_line(const char *path, const char *text)
{
	char line[64];

	return io_read_small(AT_FDCWD, path, 0, line, sizeof line) > 0 && str_equal(line, text);
}

/* Whether a map maps id of this namespace. True if it cannot be read. */
static bool is_mapped(const char *path, uint64_t id)
{
	_cleanup_buf_ struct buf text = {0};
	struct id_map_line line;
	const char *at;

	if (io_read_file(AT_FDCWD, path, 1 << 16, &text) < 0)
		return true;
	for (at = text.data; id_map_next(&at, &line);)
		if (id_map_has(&line, id))
			return true;
	return false;
}

/* Whether the root directory was set by chroot(2): it is no mount point then. */
static bool is_in_chroot(void)
{
	struct statx st;

	return statx(AT_FDCWD, "/", 0, 0, &st) == 0 && (st.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0 &&
	       (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0;
}

/* The -errno with which a process in new namespaces cannot be started; 0 if it can, which exits at once. */
static int clone_errno(uint64_t flags)
{
	struct clone_args args = {.flags = flags, .exit_signal = SIGCHLD};
	long pid = k_clone_any(&args);

	if (pid == 0)
		k_exit(0);
	if (pid > 0)
		k_waitid(P_PID, (int)pid, NULL, WEXITED);
	return pid < 0 ? (int)pid : 0;
}

static void hint_no_clone3(struct err *err)
{
	err_hint(err, "a seccomp filter around tare refuses clone3(2): its profile has to allow it");
}

void probe_hint_filter(struct err *err)
{
	const struct probe_call *call = NULL;

	char hint[sizeof err->hint];

	/* PR_GET_SECCOMP: 0 without a filter. A filter may refuse that, too. */
	if (err->errnum == 0 || k_prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 0)
		return;
	call = probe_filtered_cause(err);
	if (call == NULL && err->hint[0] == '\0' && (err->errnum == EPERM || err->errnum == ENOSYS))
		call = probe_filtered_needed();
	if (call == NULL)
		return;
	/* A hint that is set is another remedy, such as a flag that avoids the call. */
	str_format(hint, sizeof hint, "%s%s", err->hint[0] == '\0' ? "" : "; ", err->hint);
	err_hint(err, "a seccomp filter around tare refuses %s(2): its profile has to allow it%s", call->name,
		 hint);
}

/* The profile that confines the caller, "NAME (MODE)" (apparmor(7)). False if there is none. */
static bool read_profile(char *ret, size_t size)
{
	if (io_read_small(AT_FDCWD, "/proc/self/attr/apparmor/current", 0, ret, size) <= 0 ||
	    str_has_prefix(ret, "unconfined"))
		return false;
	ret[strcspn(ret, "\n")] = '\0';
	return true;
}

/* Security modules refuse user namespaces with EACCES. clone3(2) has other reasons for it, such as the cgroup.
 */
static void hint_denied_user_namespace(struct err *err)
{
	char profile[160];

	if (clone_errno(CLONE_NEWUSER) != -EACCES)
		return;
	if (read_profile(profile, sizeof profile))
		err_hint(err,
			 "the AppArmor profile '%s' confines tare and permits no user namespaces: it needs the "
			 "rule 'userns,'",
			 profile);
	else
		err_hint(err, "a security module permits no user namespaces to tare");
}

void probe_hint_profile(struct err *err)
{
	char profile[160];

	if (err->hint[0] == '\0' && err->errnum == EACCES && read_profile(profile, sizeof profile))
		err_hint(err, "the AppArmor profile '%s' confines tare: it has to permit mounts", profile);
}

void probe_hint_no_user_namespace(struct err *err)
{
	if (!is_mapped("/proc/self/uid_map", geteuid()) || !is_mapped("/proc/self/gid_map", getegid()))
		err_hint(err, "the caller's user or group id has no mapping in its own user namespace: write "
			      "its uid_map and gid_map");
	else if (probe_is_clone3_filtered())
		hint_no_clone3(err);
	else if (is_in_chroot())
		err_hint(err,
			 "a process in a chroot cannot make user namespaces: pivot_root(2) has no such effect");
	else if (is_line("/proc/sys/kernel/unprivileged_userns_clone", "0\n"))
		err_hint(err, "sysctl kernel.unprivileged_userns_clone is 0: set it to 1, or run as root");
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

/*
 * clone3(2) returns ENOSPC without the kind of namespace, so each kind is tried on its own. User namespaces
 * that are nested 32 deep give the same error (user_namespaces(7)), which cannot be told apart in a nested one.
 */
static void hint_no_more_namespaces(uint64_t flags, struct err *err)
{
	uint64_t user = flags & CLONE_NEWUSER;

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		if ((flags & limits[i].flag) == 0 || clone_errno(user | limits[i].flag) != -ENOSPC)
			continue;
		if (limits[i].flag != CLONE_NEWUSER ||
		    is_line("/proc/self/uid_map", "         0          0 4294967295\n") ||
		    is_line("/proc/sys/user/max_user_namespaces", "0\n"))
			err_hint(err, "the limit in /proc/sys/user/%s is reached: raise it", limits[i].file);
		else
			err_hint(err,
				 "a limit of nested user namespaces is reached (user_namespaces(7)): raise "
				 "max_user_namespaces in those around this one, or nest less than 32 deep");
		return;
	}
}

void probe_hint_namespaces(int r, uint64_t flags, struct err *err)
{
	bool has_user = (flags & CLONE_NEWUSER) != 0;

	if (r == -ENOSPC)
		hint_no_more_namespaces(flags, err);
	else if (r == -EPERM && has_user)
		probe_hint_no_user_namespace(err);
	else if ((r == -ENOSYS || r == -EACCES) && probe_is_clone3_filtered())
		hint_no_clone3(err);
	else if (r == -EACCES && has_user)
		hint_denied_user_namespace(err);
}
