/* SPDX-License-Identifier: Apache-2.0 */
/*
 * floor-exec PID CGROUP_DIRECTORY PROGRAM: the lower bound of exec. It makes only the system calls that one
 * more process in a container needs: for the namespaces, the cgroup, the identity and the program.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MUST(call)                                                                                             \
	do {                                                                                                   \
		if ((long)(call) < 0) {                                                                        \
			perror(#call);                                                                         \
			_exit(111);                                                                            \
		}                                                                                              \
	} while (0)

static void become(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};
	uint32_t keep = 1u << CAP_AUDIT_WRITE | 1u << CAP_KILL | 1u << CAP_NET_BIND_SERVICE;
	struct rlimit files = {1024, 1024};

	MUST(setrlimit(RLIMIT_NOFILE, &files));
	umask(022);
	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	for (unsigned long cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (cap >= 32 || !(keep >> cap & 1))
			MUST(prctl(PR_CAPBSET_DROP, cap, 0, 0, 0));
	MUST(syscall(SYS_setgroups, 0, NULL));
	MUST(setresgid(0, 0, 0));
	MUST(setresuid(0, 0, 0));
	MUST(syscall(SYS_capget, &header, data));
	data[0].effective = data[0].permitted = keep;
	data[1].effective = data[1].permitted = 0;
	data[0].inheritable = data[1].inheritable = 0;
	MUST(syscall(SYS_capset, &header, data));
	MUST(chdir("/"));
}

int main(int argc, char **argv)
{
	char *const args[] = {argv[3], NULL}, *const env[] = {"PATH=/bin", NULL};
	struct clone_args clone = {.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD};
	int pidfd, cgroup, status;
	long pid;

	if (argc != 4)
		return 2;
	pidfd = (int)syscall(SYS_pidfd_open, atoi(argv[1]), 0);
	MUST(pidfd);
	cgroup = open(argv[2], O_PATH | O_DIRECTORY | O_CLOEXEC);
	MUST(cgroup);
	MUST(setns(pidfd, CLONE_NEWPID));
	clone.cgroup = (uint64_t)cgroup;
	pid = syscall(SYS_clone3, &clone, sizeof clone);
	MUST(pid);
	if (pid == 0) {
		MUST(setns(pidfd, CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP));
		MUST(setsid());
		MUST(syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "_ses.floor"));
		become();
		MUST(syscall(SYS_close_range, 3, ~0u, 0));
		MUST(execve(argv[3], args, env));
	}
	MUST(waitpid((pid_t)pid, &status, 0));
	return status == 0 ? 0 : 1;
}
