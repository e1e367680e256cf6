/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which system calls a seccomp filter around the caller refuses. seccomp(2) has no way to ask, but a call with
 * invalid arguments has a known answer of the kernel, and a filter that refuses the call answers before it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/personality.h>
#include <sys/wait.h>

#include <tare/host.h>
#include <tare/probe.h>

#define EXIT_FILTERED 2
#define BAD_FLAGS 0x7fffff00u /* no call knows all of them */
#define BAD_POINTER ((const void *)(uintptr_t)1)

/*
 * A filter that refuses clone3(2) with ENOSYS leaves clone(2), which may be refused for namespaces (as Docker's
 * does without CAP_SYS_ADMIN). The kernel returns EINVAL for CLONE_NEWUSER together with CLONE_FS.
 */
static long call_clone3(void)
{
	long r = k_call2(__NR_clone3, NULL, 0);

	return r == -ENOSYS ? k_call5(__NR_clone, CLONE_NEWUSER | CLONE_FS, 0, 0, 0, 0) : r;
}

/* CLONE_NEWUSER too, because some filters look at it. 0x1 is no flag. */
static long call_unshare(void)
{
	return k_unshare(CLONE_NEWUSER | 0x1);
}

static long call_setns(void)
{
	return k_setns(-1, 0);
}

static long call_open_tree(void)
{
	return k_open_tree(-1, "", BAD_FLAGS);
}

static long call_mount_setattr(void)
{
	return k_call5(__NR_mount_setattr, -1, "", BAD_FLAGS, NULL, 0);
}

static long call_fsconfig(void)
{
	return k_fsconfig(-1, 0, NULL, NULL, 0);
}

static long call_fsopen(void)
{
	return k_fsopen(BAD_POINTER, BAD_FLAGS);
}

static long call_fsmount(void)
{
	return k_fsmount(-1, BAD_FLAGS, 0);
}

static long call_move_mount(void)
{
	return k_move_mount(-1, "", -1, "", BAD_FLAGS);
}

static long call_pivot_root(void)
{
	return k_pivot_root(BAD_POINTER, BAD_POINTER);
}

static long call_sethostname(void)
{
	return k_sethostname(BAD_POINTER, SIZE_MAX);
}

static long call_setdomainname(void)
{
	return k_setdomainname(BAD_POINTER, SIZE_MAX);
}

/* -1 leaves an id unchanged. */
static long call_setresgid(void)
{
	return k_setresgid((gid_t)-1, (gid_t)-1, (gid_t)-1);
}

static long call_setresuid(void)
{
	return k_setresuid((uid_t)-1, (uid_t)-1, (uid_t)-1);
}

static long call_capset(void)
{
	return k_capset(BAD_POINTER, NULL);
}

static long call_sched_setaffinity(void)
{
	return k_call3(__NR_sched_setaffinity, 0, 8, BAD_POINTER);
}

static long call_ioprio_set(void)
{
	return k_call3(__NR_ioprio_set, -1, 0, 0);
}

static long call_sched_setattr(void)
{
	return k_call3(__NR_sched_setattr, 0, NULL, 0);
}

/* No mode has that number. A kernel without NUMA does not have the other call either. */
static long call_set_mempolicy(void)
{
	long r = k_call3(__NR_set_mempolicy, BAD_FLAGS, NULL, 0);

	return r == -ENOSYS && k_call5(__NR_get_mempolicy, NULL, NULL, 0, NULL, 0) == -ENOSYS ? -EINVAL : r;
}

/*
 * The call takes every value, and filters look at it, so it is made by a child with the only value that the
 * caller does not have yet. EINVAL: a processor without 32-bit programs.
 */
static long call_personality(void)
{
	struct clone_args args = {.exit_signal = SIGCHLD};
	siginfo_t info = {.si_code = 0};
	int self = k_getpid();
	long pid = k_clone_any(&args), r;

	if (pid == 0) {
		child_die_with(self);
		r = k_call1(__NR_personality, PER_LINUX32);
		k_exit(r >= 0 || r == -EINVAL ? 0 : EXIT_FILTERED);
	}
	return pid > 0 && k_waitid(P_PID, (int)pid, &info, WEXITED) >= 0 && info.si_code == CLD_EXITED &&
			       info.si_status == EXIT_FILTERED
		       ? -EPERM
		       : 0;
}

static bool may_set_groups(void)
{
	char answer[16], map[64];
	struct host host;
	struct err err;

	return host_probe_caller(&host, &err) >= 0 && (host.capabilities >> CAP_SETGID & 1) != 0 &&
	       io_read_small(AT_FDCWD, "/proc/self/setgroups", 0, answer, sizeof answer) > 0 &&
	       str_has_prefix(answer, "allow") &&
	       io_read_small(AT_FDCWD, "/proc/self/gid_map", 0, map, sizeof map) != 0;
}

/*
 * More groups than a process can have. Without CAP_SETGID, and where setgroups(2) is denied
 * (user_namespaces(7)), the kernel returns EPERM before it looks at their number: then only another errno shows
 * a filter.
 */
static long call_setgroups(void)
{
	long r = k_call2(__NR_setgroups, INT_MAX, NULL);

	return r == -EPERM && !may_set_groups() ? -EINVAL : r;
}

static long call_mount(void)
{
	return k_call5(__NR_mount, BAD_POINTER, BAD_POINTER, BAD_POINTER, 0, NULL);
}

static long call_umount2(void)
{
	return k_umount2("", (int)BAD_FLAGS);
}

static long call_openat2(void)
{
	return k_call4(__NR_openat2, -1, "", NULL, 0);
}

static long call_close_range(void)
{
	return k_close_range(1, 0, 0);
}

static long call_pidfd_open(void)
{
	return k_pidfd_open(-1, 0);
}

static long call_pidfd_getfd(void)
{
	return k_pidfd_getfd(-1, -1, 1);
}

static long call_pidfd_send_signal(void)
{
	return k_call4(__NR_pidfd_send_signal, -1, 0, NULL, BAD_FLAGS);
}

static long call_memfd_create(void)
{
	return k_memfd_create("", ~0u);
}

static long call_execveat(void)
{
	return k_execveat(-1, "", NULL, NULL, (int)BAD_FLAGS);
}

static long call_seccomp(void)
{
	return k_call3(__NR_seccomp, BAD_FLAGS, 0, NULL);
}

static long call_keyctl(void)
{
	return k_call5(__NR_keyctl, KEYCTL_JOIN_SESSION_KEYRING, BAD_POINTER, 0, 0, 0);
}

/* In these, the caller has the rights that some calls check before their arguments. */
#define NAMESPACES (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS)

/* In the order of the report: first those without which no container starts. */
static const struct probe_call calls[] = {
	{"clone3", NULL, NULL, call_clone3, -EINVAL, 0},
	{"unshare", NULL, NULL, call_unshare, -EINVAL, 0},
	{"openat2", NULL, NULL, call_openat2, -EINVAL, 0},
	{"open_tree", NULL, NULL, call_open_tree, -EINVAL, 0},
	{"mount_setattr", NULL, NULL, call_mount_setattr, -EINVAL, 0},
	{"fsopen", NULL, NULL, call_fsopen, -EINVAL, NAMESPACES},
	{"fsconfig", NULL, NULL, call_fsconfig, -EINVAL, 0},
	{"fsmount", NULL, NULL, call_fsmount, -EINVAL, NAMESPACES},
	{"move_mount", NULL, NULL, call_move_mount, -EINVAL, NAMESPACES},
	{"umount2", NULL, NULL, call_umount2, -EINVAL, 0},
	{"setresgid", NULL, NULL, call_setresgid, 0, 0},
	{"setresuid", NULL, NULL, call_setresuid, 0, 0},
	{"capset", NULL, NULL, call_capset, -EFAULT, 0},
	{"close_range", NULL, NULL, call_close_range, -EINVAL, 0},
	{"pidfd_open", NULL, NULL, call_pidfd_open, -EINVAL, 0},
	{"pidfd_send_signal", NULL, NULL, call_pidfd_send_signal, -EINVAL, 0},
	{"memfd_create", NULL, NULL, call_memfd_create, -EINVAL, 0},
	{"execveat", NULL, NULL, call_execveat, -EINVAL, 0},
	{"setns", "every start of a caller with CAP_SYS_ADMIN, joined namespaces, and exec",
	 "cannot join the namespace", call_setns, -EBADF, 0},
	{"pivot_root", "containers with a mount namespace, except with --no-pivot",
	 "cannot pivot to the root file system", call_pivot_root, -EFAULT, NAMESPACES},
	{"sethostname", "hostname", "cannot set hostname ", call_sethostname, -EINVAL, NAMESPACES},
	{"setdomainname", "domainname", "cannot set domainname ", call_setdomainname, -EINVAL, NAMESPACES},
	{"mount", "file systems with options of more than 255 bytes", "cannot mount ", call_mount, -EFAULT, 0},
	{"seccomp", "seccomp filters of containers", "cannot install the seccomp filter", call_seccomp, -EINVAL,
	 0},
	{"pidfd_getfd", "seccomp filters that notify an agent",
	 "cannot get the seccomp filter's listener from init", call_pidfd_getfd, -EINVAL, 0},
	{"keyctl", "session keyrings: use --no-new-keyring", "cannot join session keyring ", call_keyctl,
	 -EFAULT, 0},
	{"sched_setaffinity", "cpu affinities of exec", "cannot set the cpu affinity", call_sched_setaffinity,
	 -EFAULT, 0},
	{"ioprio_set", "io priorities", "cannot set the io priority", call_ioprio_set, -EINVAL, 0},
	{"setgroups", "every start, except where setgroups is denied in the user namespace",
	 "cannot drop the caller's groups", call_setgroups, -EINVAL, 0},
	{"personality", "personalities", "cannot set the personality", call_personality, 0, 0},
	{"set_mempolicy", "NUMA policies", "cannot set the memory ", call_set_mempolicy, -EINVAL, 0},
	{"sched_setattr", "schedulers", "cannot set the scheduler", call_sched_setattr, -EINVAL, 0},
};

/* In a child in the namespaces of the call. False also if there cannot be such a child. */
static bool is_filtered_there(const struct probe_call *call)
{
	struct clone_args args = {.flags = call->namespaces, .exit_signal = SIGCHLD};
	siginfo_t info = {.si_code = 0};
	int self = k_getpid();
	long pid = k_clone_any(&args);

	if (pid == 0) {
		child_die_with(self);
		k_exit(call->call() == call->answer ? 0 : EXIT_FILTERED);
	}
	return pid > 0 && k_waitid(P_PID, (int)pid, &info, WEXITED) >= 0 && info.si_code == CLD_EXITED &&
	       info.si_status == EXIT_FILTERED;
}

static bool is_filtered(const struct probe_call *call)
{
	return call->call() != call->answer && (call->namespaces == 0 || is_filtered_there(call));
}

const struct probe_call *probe_filtered_call(size_t index)
{
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (is_filtered(&calls[i]) && index-- == 0)
			return &calls[i];
	return NULL;
}

const struct probe_call *probe_filtered_needed(void)
{
	for (size_t i = 0; calls[i].lost == NULL; i++)
		if (is_filtered(&calls[i]))
			return &calls[i];
	return NULL;
}

const struct probe_call *probe_filtered_cause(const struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (calls[i].message != NULL && str_has_prefix(err->msg, calls[i].message) &&
		    is_filtered(&calls[i]))
			return &calls[i];
	return NULL;
}

bool probe_is_clone3_filtered(void)
{
	return is_filtered(&calls[0]);
}
