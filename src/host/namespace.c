/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The namespaces that a configuration names by their paths. Process: the parent, in the caller's namespaces;
 * what only a process in a namespace can find out is found out by a child.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "private.h"

#define EXIT_DENIED 2

/*
 * Process: a child, which enters the user namespace and exits. The file shows the namespace of its reader.
 * Processes of that namespace with CAP_SYS_PTRACE must not trace it: it has the parent's descriptors.
 */
static _Noreturn void read_setgroups(int user_ns_fd)
{
	char answer[16];

	if (k_prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || k_setns(user_ns_fd, CLONE_NEWUSER) < 0 ||
	    io_read_small(AT_FDCWD, "/proc/self/setgroups", 0, answer, sizeof answer) < 0)
		k_exit(1);
	k_exit(str_has_prefix(answer, "deny") ? EXIT_DENIED : 0);
}

/*
 * Whether setgroups(2) is denied in a user namespace (user_namespaces(7)). False also if that cannot be found
 * out: the start then fails where it enters the namespace, or at setgroups(2).
 */
static bool is_setgroups_denied_in(int user_ns_fd)
{
	struct clone_args args = {.exit_signal = SIGCHLD};
	siginfo_t info = {.si_code = 0};
	int self = k_getpid();
	long pid = k_clone_any(&args);

	if (pid == 0) {
		child_die_with(self);
		read_setgroups(user_ns_fd);
	}
	return pid > 0 && k_waitid(P_PID, (int)pid, &info, WEXITED) >= 0 && info.si_code == CLD_EXITED &&
	       info.si_status == EXIT_DENIED;
}

void host_probe_namespace(struct host *host, int ns, const char *path)
{
	static const char *const own[HOST_NS_COUNT] = {
		"/proc/self/ns/user", "/proc/self/ns/mnt", "/proc/self/ns/pid",    "/proc/self/ns/net",
		"/proc/self/ns/ipc",  "/proc/self/ns/uts", "/proc/self/ns/cgroup", "/proc/self/ns/time",
	};
	struct host_namespace *found = &host->namespaces[ns];
	_cleanup_fd_ int fd = k_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
	struct stat st, own_st;
	struct statfs fs;
	int type;

	*found = (struct host_namespace){.is_probed = true};
	if (fd < 0) {
		found->errnum = -fd;
		return;
	}
	/*
	 * Only for a namespace file: other files, a device for example, may give this ioctl number another
	 * meaning.
	 */
	type = k_fstatfs(fd, &fs) == 0 && fs.f_type == NSFS_MAGIC ? k_ioctl(fd, NS_GET_NSTYPE, NULL) : -ENOTTY;
	found->actual_type = type < 0 ? 0 : type;
	if (type >= 0 && k_fstat(fd, &st) == 0 && k_fstatat(AT_FDCWD, own[ns], &own_st, 0) == 0)
		found->is_own = st.st_dev == own_st.st_dev && st.st_ino == own_st.st_ino;
	if (found->actual_type == CLONE_NEWUSER && !found->is_own)
		found->is_setgroups_denied = is_setgroups_denied_in(fd);
}
