/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seccomp profile of a sandbox: a list of the system calls that ordinary programs need.
 *
 * Not in it is what needs capabilities that the program never has, what reaches parts of the kernel that only
 * few programs use and that had many faults (io_uring, bpf, perf events, userfaultfd, keyrings, fanotify,
 * memory policies), and what creates or enters namespaces. ptrace(2) is in it, for debuggers and the leak check
 * of the sanitizers: it reaches only the processes of the sandbox.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sys/personality.h>
#include <sys/socket.h>

#include <tare/spec.h>

#include "private.h"

/* clang-format off */
static const char *const allowed[] = {
	"_llseek", "_newselect", "accept", "accept4", "access", "alarm", "arch_prctl", "arm_fadvise64_64",
	"arm_sync_file_range", "bind", "breakpoint", "brk", "cacheflush", "cachestat", "capget", "capset",
	"chdir", "chmod", "chown", "chown32", "clock_getres", "clock_getres_time64", "clock_gettime",
	"clock_gettime64", "clock_nanosleep", "clock_nanosleep_time64", "close", "close_range", "connect",
	"copy_file_range", "creat", "dup", "dup2", "dup3", "epoll_create", "epoll_create1", "epoll_ctl",
	"epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd", "eventfd2", "execve", "execveat", "exit",
	"exit_group", "faccessat", "faccessat2", "fadvise64", "fadvise64_64", "fallocate", "fchdir", "fchmod",
	"fchmodat", "fchmodat2", "fchown", "fchown32", "fchownat", "fcntl", "fcntl64", "fdatasync",
	"fgetxattr", "flistxattr", "flock", "fork", "fremovexattr", "fsetxattr", "fstat", "fstat64",
	"fstatat64", "fstatfs", "fstatfs64", "fsync", "ftruncate", "ftruncate64", "futex", "futex_requeue",
	"futex_time64", "futex_wait", "futex_waitv", "futex_wake", "futimesat", "get_robust_list",
	"get_thread_area", "get_tls", "getcpu", "getcwd", "getdents", "getdents64", "getegid", "getegid32",
	"geteuid", "geteuid32", "getgid", "getgid32", "getgroups", "getgroups32", "getitimer", "getpeername",
	"getpgid", "getpgrp", "getpid", "getppid", "getpriority", "getrandom", "getresgid", "getresgid32",
	"getresuid", "getresuid32", "getrlimit", "getrusage", "getsid", "getsockname", "getsockopt", "gettid",
	"gettimeofday", "getuid", "getuid32", "getxattr", "getxattrat", "inotify_add_watch", "inotify_init",
	"inotify_init1", "inotify_rm_watch", "io_cancel", "io_destroy", "io_getevents", "io_pgetevents",
	"io_pgetevents_time64", "io_setup", "io_submit", "ioctl", "ioprio_get", "ioprio_set", "ipc", "kill",
	"landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self", "lchown", "lchown32",
	"lgetxattr", "link", "linkat", "listen", "listxattr", "listxattrat", "llistxattr", "lremovexattr",
	"lseek", "lsetxattr", "lstat", "lstat64", "madvise", "map_shadow_stack", "membarrier", "memfd_create",
	"memfd_secret", "mincore", "mkdir", "mkdirat", "mknod", "mknodat", "mlock", "mlock2", "mlockall",
	"mmap", "mmap2", "mprotect", "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive",
	"mq_timedreceive_time64", "mq_timedsend", "mq_timedsend_time64", "mq_unlink", "mremap", "mseal",
	"msgctl", "msgget", "msgrcv", "msgsnd", "msync", "munlock", "munlockall", "munmap", "nanosleep",
	"newfstatat", "nice", "open", "openat", "openat2", "pause", "pidfd_open", "pidfd_send_signal", "pipe",
	"pipe2", "pkey_alloc", "pkey_free", "pkey_mprotect", "poll", "ppoll", "ppoll_time64", "prctl",
	"pread64", "preadv", "preadv2", "prlimit64", "process_madvise", "process_mrelease", "pselect6",
	"pselect6_time64", "ptrace", "pwrite64", "pwritev", "pwritev2", "read", "readahead", "readlink",
	"readlinkat", "readv", "recv", "recvfrom", "recvmmsg", "recvmmsg_time64", "recvmsg",
	"remap_file_pages", "removexattr", "removexattrat", "rename", "renameat", "renameat2",
	"restart_syscall", "riscv_flush_icache", "riscv_hwprobe", "rmdir", "rseq", "rt_sigaction",
	"rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend",
	"rt_sigtimedwait", "rt_sigtimedwait_time64", "rt_tgsigqueueinfo", "sched_get_priority_max",
	"sched_get_priority_min", "sched_getaffinity", "sched_getattr", "sched_getparam", "sched_getscheduler",
	"sched_rr_get_interval", "sched_rr_get_interval_time64", "sched_setaffinity", "sched_setattr",
	"sched_setparam", "sched_setscheduler", "sched_yield", "seccomp", "select", "semctl", "semget",
	"semop", "semtimedop", "semtimedop_time64", "send", "sendfile", "sendfile64", "sendmmsg", "sendmsg",
	"sendto", "set_robust_list", "set_thread_area", "set_tid_address", "set_tls", "setfsgid", "setfsgid32",
	"setfsuid", "setfsuid32", "setgid", "setgid32", "setgroups", "setgroups32", "setitimer", "setpgid",
	"setpriority", "setregid", "setregid32", "setresgid", "setresgid32", "setresuid", "setresuid32",
	"setreuid", "setreuid32", "setrlimit", "setsid", "setsockopt", "setuid", "setuid32", "setxattr",
	"setxattrat", "shmat", "shmctl", "shmdt", "shmget", "shutdown", "sigaction", "sigaltstack", "signal",
	"signalfd", "signalfd4", "sigpending", "sigprocmask", "sigreturn", "sigsuspend", "socketpair",
	"splice", "stat", "stat64", "statfs", "statfs64", "statx", "symlink", "symlinkat", "sync",
	"sync_file_range", "sync_file_range2", "syncfs", "sysinfo", "tee", "tgkill", "time", "timer_create",
	"timer_delete", "timer_getoverrun", "timer_gettime", "timer_gettime64", "timer_settime",
	"timer_settime64", "timerfd_create", "timerfd_gettime", "timerfd_gettime64", "timerfd_settime",
	"timerfd_settime64", "times", "tkill", "truncate", "truncate64", "ugetrlimit", "umask", "uname",
	"unlink", "unlinkat", "utime", "utimensat", "utimensat_time64", "utimes", "vfork", "vmsplice", "wait4",
	"waitid", "waitpid", "write", "writev",
};
/* clang-format on */

/* --- rules --- */

static void begin_rule(struct json *json, const char *const *names, size_t count, const char *action)
{
	json_object(json);
	json_key(json, "names");
	json_array(json);
	for (size_t i = 0; i < count; i++)
		json_string(json, names[i]);
	json_array_end(json);
	json_pair(json, "action", action);
}

static void add_argument(struct json *json, unsigned int index, const char *op, uint64_t value,
			 uint64_t value_two)
{
	json_key(json, "args");
	json_array(json);
	json_object(json);
	json_pair_uint(json, "index", index);
	json_pair_uint(json, "value", value);
	if (value_two != 0 || str_equal(op, "SCMP_CMP_MASKED_EQ"))
		json_pair_uint(json, "valueTwo", value_two);
	json_pair(json, "op", op);
	json_object_end(json);
	json_array_end(json);
}

static void allow_value(struct json *json, const char *name, uint64_t value)
{
	begin_rule(json, &name, 1, "SCMP_ACT_ALLOW");
	add_argument(json, 0, "SCMP_CMP_EQ", value, 0);
	json_object_end(json);
}

/*
 * A new process without new namespaces. The flags of clone3(2) are in memory, where no filter can read them:
 * with ENOSYS the C library calls clone(2) instead.
 */
static void add_clone(struct json *json)
{
	static const char *const names[] = {"clone"};
	static const char *const absent[] = {"clone3", "io_uring_setup"};
	const uint64_t namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
				    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

	begin_rule(json, names, 1, "SCMP_ACT_ALLOW");
	add_argument(json, 0, "SCMP_CMP_MASKED_EQ", namespaces, 0);
	json_object_end(json);
	begin_rule(json, absent, ARRAY_SIZE(absent), "SCMP_ACT_ERRNO");
	json_pair_int(json, "errnoRet", ENOSYS);
	json_object_end(json);
}

static void add_default(struct json *json)
{
	static const uint64_t families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
	/* PER_QUERY asks for the current personality. */
	static const uint64_t personalities[] = {PER_LINUX, PER_LINUX32,           ADDR_NO_RANDOMIZE,
						 UNAME26,   PER_LINUX32 | UNAME26, 0xffffffff};

	json_object(json);
	json_pair(json, "defaultAction", "SCMP_ACT_ERRNO");
	json_pair_int(json, "defaultErrnoRet", EPERM);
	json_key(json, "syscalls");
	json_array(json);
	begin_rule(json, allowed, ARRAY_SIZE(allowed), "SCMP_ACT_ALLOW");
	json_object_end(json);
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		allow_value(json, "socket", families[i]);
	for (size_t i = 0; i < ARRAY_SIZE(personalities); i++)
		allow_value(json, "personality", personalities[i]);
	add_clone(json);
	json_array_end(json);
	json_object_end(json);
}

/* The file becomes part of the configuration as it is; spec_parse checks it there. */
static int add_file(struct json *json, const char *path, struct err *err)
{
	_cleanup_buf_ struct buf text = {0};
	int r = io_read_file(AT_FDCWD, path, SPEC_SIZE_MAX, &text);

	if (r < 0)
		return err_system(err, r, "cannot read the seccomp profile '%s'", path);
	while (text.len > 0 && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == ' '))
		text.len--;
	if (text.len < 2 || text.data[0] != '{' || text.data[text.len - 1] != '}')
		return err_set(err, ERR_USAGE, 0, NULL, "'%s' is no seccomp profile: not a JSON object", path);
	json_number(json, text.data, text.len);
	return 0;
}

int profile_add(struct json *json, const char *seccomp, struct err *err)
{
	if (str_equal(seccomp, "none"))
		return 0;
	json_key(json, "seccomp");
	if (seccomp != NULL && !str_equal(seccomp, "default"))
		return add_file(json, seccomp, err);
	add_default(json);
	return 0;
}
