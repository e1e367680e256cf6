/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls as functions that return their result or a negative errno.
 *
 * tare does not use the C library's errno: each result is used where it is returned, so an errno can neither be
 * overwritten by a later call nor be read after a success. The same functions serve the hosted program and the
 * freestanding init (src/init), which has no C library.
 *
 * Each function is the system call of the same name (section 2 of the manual) with the same arguments, unless
 * its comment states a difference. They can run in any process.
 */
#ifndef TARE_KERNEL_H
#define TARE_KERNEL_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <asm/unistd.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <sys/types.h>

struct stat;
struct statx;
struct statfs;
struct msghdr;
struct sockaddr;
struct pollfd;
struct rlimit64;
struct timespec;
struct siginfo;

#if defined(__x86_64__)
static inline long k_call6(long nr, long a, long b, long c, long d, long e, long f)
{
	long ret;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}
#elif defined(__aarch64__)
static inline long k_call6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
}
#else
#error "tare supports the system call convention of x86-64 and aarch64 only"
#endif

#define K_LONG(x) ((long)(x))
#define k_call0(nr) k_call6(nr, 0, 0, 0, 0, 0, 0)
#define k_call1(nr, a) k_call6(nr, K_LONG(a), 0, 0, 0, 0, 0)
#define k_call2(nr, a, b) k_call6(nr, K_LONG(a), K_LONG(b), 0, 0, 0, 0)
#define k_call3(nr, a, b, c) k_call6(nr, K_LONG(a), K_LONG(b), K_LONG(c), 0, 0, 0)
#define k_call4(nr, a, b, c, d) k_call6(nr, K_LONG(a), K_LONG(b), K_LONG(c), K_LONG(d), 0, 0)
#define k_call5(nr, a, b, c, d, e) k_call6(nr, K_LONG(a), K_LONG(b), K_LONG(c), K_LONG(d), K_LONG(e), 0)

/* Missing from the oldest headers that tare builds with. */
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020
#endif

/* --- files --- */
static inline int k_openat(int dir_fd, const char *path, int flags, unsigned int mode)
{
	return (int)k_call4(__NR_openat, dir_fd, path, flags, mode);
}
static inline int k_openat2(int dir_fd, const char *path, const struct open_how *how)
{
	return (int)k_call4(__NR_openat2, dir_fd, path, how, sizeof *how);
}
static inline int k_close(int fd)
{
	return (int)k_call1(__NR_close, fd);
}
static inline int k_close_range(unsigned int first, unsigned int last, unsigned int flags)
{
	return (int)k_call3(__NR_close_range, first, last, flags);
}
static inline ssize_t k_read(int fd, void *buf, size_t size)
{
	return k_call3(__NR_read, fd, buf, size);
}
static inline ssize_t k_write(int fd, const void *buf, size_t size)
{
	return k_call3(__NR_write, fd, buf, size);
}
static inline ssize_t k_pread(int fd, void *buf, size_t size, int64_t offset)
{
	return k_call4(__NR_pread64, fd, buf, size, offset);
}
static inline ssize_t k_pwrite(int fd, const void *buf, size_t size, int64_t offset)
{
	return k_call4(__NR_pwrite64, fd, buf, size, offset);
}
static inline int64_t k_lseek(int fd, int64_t offset, int whence)
{
	return k_call3(__NR_lseek, fd, offset, whence);
}
static inline int k_ftruncate(int fd, int64_t size)
{
	return (int)k_call2(__NR_ftruncate, fd, size);
}
/* Fills the kernel's struct stat, which on both architectures is the C library's. */
static inline int k_fstatat(int dir_fd, const char *path, struct stat *ret_stat, int flags)
{
	return (int)k_call4(__NR_newfstatat, dir_fd, path, ret_stat, flags);
}
/* statx(2); the kernel's struct statx is the C library's. */
static inline int k_statx(int dir_fd, const char *path, int flags, unsigned int mask, struct statx *ret)
{
	return (int)k_call5(__NR_statx, dir_fd, path, flags, mask, ret);
}
static inline int k_fstat(int fd, struct stat *ret_stat)
{
	return (int)k_call2(__NR_fstat, fd, ret_stat);
}
static inline int k_statfs(const char *path, struct statfs *ret_statfs)
{
	return (int)k_call2(__NR_statfs, path, ret_statfs);
}
static inline int k_fstatfs(int fd, struct statfs *ret_statfs)
{
	return (int)k_call2(__NR_fstatfs, fd, ret_statfs);
}
static inline int k_mkdirat(int dir_fd, const char *name, unsigned int mode)
{
	return (int)k_call3(__NR_mkdirat, dir_fd, name, mode);
}
static inline int k_mknodat(int dir_fd, const char *name, unsigned int mode, uint64_t device)
{
	return (int)k_call4(__NR_mknodat, dir_fd, name, mode, device);
}
static inline int k_symlinkat(const char *target, int dir_fd, const char *name)
{
	return (int)k_call3(__NR_symlinkat, target, dir_fd, name);
}
static inline int k_unlinkat(int dir_fd, const char *name, int flags)
{
	return (int)k_call3(__NR_unlinkat, dir_fd, name, flags);
}
static inline int k_renameat2(int old_fd, const char *old, int new_fd, const char *new_, unsigned int flags)
{
	return (int)k_call5(__NR_renameat2, old_fd, old, new_fd, new_, flags);
}
static inline int k_linkat(int old_fd, const char *old, int new_fd, const char *new_, int flags)
{
	return (int)k_call5(__NR_linkat, old_fd, old, new_fd, new_, flags);
}
static inline ssize_t k_readlinkat(int dir_fd, const char *path, char *buf, size_t size)
{
	return k_call4(__NR_readlinkat, dir_fd, path, buf, size);
}
static inline int k_fchmod(int fd, unsigned int mode)
{
	return (int)k_call2(__NR_fchmod, fd, mode);
}
static inline int k_fchmodat(int dir_fd, const char *name, unsigned int mode)
{
	return (int)k_call3(__NR_fchmodat, dir_fd, name, mode);
}
static inline int k_fchownat(int dir_fd, const char *name, uid_t uid, gid_t gid, int flags)
{
	return (int)k_call5(__NR_fchownat, dir_fd, name, uid, gid, flags);
}
static inline int k_fsetxattr(int fd, const char *name, const void *value, size_t size, int flags)
{
	return (int)k_call5(__NR_fsetxattr, fd, name, value, size, flags);
}
static inline int k_fremovexattr(int fd, const char *name)
{
	return (int)k_call2(__NR_fremovexattr, fd, name);
}
static inline ssize_t k_fgetxattr(int fd, const char *name, void *value, size_t size)
{
	return (ssize_t)k_call4(__NR_fgetxattr, fd, name, value, size);
}
static inline int k_faccessat2(int dir_fd, const char *path, int mode, int flags)
{
	return (int)k_call4(__NR_faccessat2, dir_fd, path, mode, flags);
}
static inline int k_getdents64(int fd, void *buf, size_t size)
{
	return (int)k_call3(__NR_getdents64, fd, buf, size);
}
static inline int k_fcntl(int fd, int command, long arg)
{
	return (int)k_call3(__NR_fcntl, fd, command, arg);
}
static inline int k_ioctl(int fd, unsigned long request, const void *arg)
{
	return (int)k_call3(__NR_ioctl, fd, request, arg);
}
static inline int k_dup3(int old_fd, int new_fd, int flags)
{
	return (int)k_call3(__NR_dup3, old_fd, new_fd, flags);
}
static inline int k_pipe2(int fds[2], int flags)
{
	return (int)k_call2(__NR_pipe2, fds, flags);
}
static inline int k_flock(int fd, int operation)
{
	return (int)k_call2(__NR_flock, fd, operation);
}
static inline int k_memfd_create(const char *name, unsigned int flags)
{
	return (int)k_call2(__NR_memfd_create, name, flags);
}
static inline int k_chdir(const char *path)
{
	return (int)k_call1(__NR_chdir, path);
}
static inline int k_fchdir(int fd)
{
	return (int)k_call1(__NR_fchdir, fd);
}
/* Returns the length including the terminating NUL, as the kernel does. */
static inline int k_getcwd(char *buf, size_t size)
{
	return (int)k_call2(__NR_getcwd, buf, size);
}
static inline int k_chroot(const char *path)
{
	return (int)k_call1(__NR_chroot, path);
}
static inline unsigned int k_umask(unsigned int mask)
{
	return (unsigned int)k_call1(__NR_umask, mask);
}
/* signal_set is the kernel's 64-bit set; timeout NULL: no time limit. */
static inline int k_ppoll(struct pollfd *fds, unsigned int count, struct timespec *timeout,
			  const uint64_t *signal_set)
{
	return (int)k_call5(__NR_ppoll, fds, count, timeout, signal_set, sizeof *signal_set);
}

/* --- mounts --- */
static inline int k_open_tree(int dir_fd, const char *path, unsigned int flags)
{
	return (int)k_call3(__NR_open_tree, dir_fd, path, flags);
}
static inline int k_move_mount(int from_fd, const char *from, int to_fd, const char *to, unsigned int flags)
{
	return (int)k_call5(__NR_move_mount, from_fd, from, to_fd, to, flags);
}
static inline int k_fsopen(const char *type, unsigned int flags)
{
	return (int)k_call2(__NR_fsopen, type, flags);
}
static inline int k_fsconfig(int fd, unsigned int command, const char *key, const void *value, int aux)
{
	return (int)k_call5(__NR_fsconfig, fd, command, key, value, aux);
}
static inline int k_fsmount(int fd, unsigned int flags, unsigned int attrs)
{
	return (int)k_call3(__NR_fsmount, fd, flags, attrs);
}
static inline int k_mount_setattr(int dir_fd, const char *path, unsigned int flags,
				  const struct mount_attr *attr)
{
	return (int)k_call5(__NR_mount_setattr, dir_fd, path, flags, attr, sizeof *attr);
}
static inline int k_pivot_root(const char *new_root, const char *put_old)
{
	return (int)k_call2(__NR_pivot_root, new_root, put_old);
}
static inline int k_mount(const char *source, const char *target, const char *type, unsigned long flags,
			  const char *data)
{
	return (int)k_call5(__NR_mount, source, target, type, flags, data);
}
static inline int k_umount2(const char *path, int flags)
{
	return (int)k_call2(__NR_umount2, path, flags);
}

/* --- processes --- */
static inline long k_clone3(struct clone_args *args)
{
	return k_call2(__NR_clone3, args, sizeof *args);
}
/*
 * clone3(2) without a stack and without CLONE_INTO_CGROUP, or clone(2) where a seccomp filter refuses clone3:
 * many do, because they cannot inspect its arguments, and return ENOSYS for a program to do without it.
 */
static inline long k_clone_any(struct clone_args *args)
{
	long pid = k_clone3(args);

	return pid != -ENOSYS ? pid
			      : k_call5(__NR_clone, args->flags | args->exit_signal, 0, args->pidfd, 0, 0);
}
static inline int k_execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags)
{
	return (int)k_call5(__NR_execveat, fd, path, argv, envp, flags);
}
static inline int k_execve(const char *path, char *const argv[], char *const envp[])
{
	return (int)k_call3(__NR_execve, path, argv, envp);
}
/*
 * A seccomp filter may deny exit_group(2) and exit(2). The trap instruction then kills the process: the kernel
 * delivers its signal even if it is blocked or ignored.
 */
__attribute__((noreturn)) static inline void k_exit(int status)
{
	k_call1(__NR_exit_group, status);
	k_call1(__NR_exit, status);
	__builtin_trap();
}
/* ret_info may be NULL. */
static inline int k_waitid(int type, int id, void *ret_info, int options)
{
	return (int)k_call5(__NR_waitid, type, id, ret_info, options, 0);
}
/* ret_usage: a struct rusage, of the process and its children that it has waited for. */
static inline int k_waitid_usage(int type, int id, void *ret_info, int options, void *ret_usage)
{
	return (int)k_call5(__NR_waitid, type, id, ret_info, options, ret_usage);
}
static inline int k_getpid(void)
{
	return (int)k_call0(__NR_getpid);
}
static inline int k_getppid(void)
{
	return (int)k_call0(__NR_getppid);
}
static inline int k_kill(int pid, int signal)
{
	return (int)k_call2(__NR_kill, pid, signal);
}
static inline int k_pidfd_open(int pid, unsigned int flags)
{
	return (int)k_call2(__NR_pidfd_open, pid, flags);
}
static inline int k_pidfd_getfd(int pidfd, int fd, unsigned int flags)
{
	return (int)k_call3(__NR_pidfd_getfd, pidfd, fd, flags);
}
static inline int k_pidfd_send_signal(int pidfd, int signal)
{
	return (int)k_call4(__NR_pidfd_send_signal, pidfd, signal, 0, 0);
}
static inline int k_setns(int fd, int types)
{
	return (int)k_call2(__NR_setns, fd, types);
}
static inline int k_unshare(int flags)
{
	return (int)k_call1(__NR_unshare, flags);
}
static inline int k_setsid(void)
{
	return (int)k_call0(__NR_setsid);
}
static inline long k_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
	return k_call5(__NR_prctl, option, a, b, c, d);
}
/* how: SIG_BLOCK, SIG_SETMASK ...; sets are the kernel's 64-bit ones, either may be NULL. */
static inline int k_sigprocmask(int how, const uint64_t *set, uint64_t *ret_old)
{
	return (int)k_call4(__NR_rt_sigprocmask, how, set, ret_old, sizeof *set);
}
static inline int k_prlimit(int pid, int resource, const struct rlimit64 *new_, struct rlimit64 *ret_old)
{
	return (int)k_call4(__NR_prlimit64, pid, resource, new_, ret_old);
}

/* --- identity --- */
/* header and data are the structs of <linux/capability.h>, version 3 (two data elements). */
static inline int k_capset(const void *header, const void *data)
{
	return (int)k_call2(__NR_capset, header, data);
}
static inline int k_capget(void *header, void *ret_data)
{
	return (int)k_call2(__NR_capget, header, ret_data);
}
static inline int k_setresuid(uid_t r, uid_t e, uid_t s)
{
	return (int)k_call3(__NR_setresuid, r, e, s);
}
static inline int k_setresgid(gid_t r, gid_t e, gid_t s)
{
	return (int)k_call3(__NR_setresgid, r, e, s);
}
static inline int k_setgroups(size_t count, const gid_t *groups)
{
	return (int)k_call2(__NR_setgroups, count, groups);
}
static inline int k_getresuid(uid_t *ret_r, uid_t *ret_e, uid_t *ret_s)
{
	return (int)k_call3(__NR_getresuid, ret_r, ret_e, ret_s);
}
static inline int k_getresgid(gid_t *ret_r, gid_t *ret_e, gid_t *ret_s)
{
	return (int)k_call3(__NR_getresgid, ret_r, ret_e, ret_s);
}
/* Returns the number of groups; count 0 writes none. */
static inline int k_getgroups(int count, gid_t *ret_groups)
{
	return (int)k_call2(__NR_getgroups, count, ret_groups);
}
static inline int k_sethostname(const char *name, size_t len)
{
	return (int)k_call2(__NR_sethostname, name, len);
}
static inline int k_setdomainname(const char *name, size_t len)
{
	return (int)k_call2(__NR_setdomainname, name, len);
}

/* --- sockets --- */
static inline int k_socket(int domain, int type, int protocol)
{
	return (int)k_call3(__NR_socket, domain, type, protocol);
}
static inline int k_socketpair(int domain, int type, int protocol, int fds[2])
{
	return (int)k_call4(__NR_socketpair, domain, type, protocol, fds);
}
static inline int k_setsockopt(int fd, int level, int name, const void *value, unsigned int size)
{
	return (int)k_call5(__NR_setsockopt, fd, level, name, value, size);
}
static inline int k_bind(int fd, const void *address, unsigned int size)
{
	return (int)k_call3(__NR_bind, fd, address, size);
}
static inline int k_listen(int fd, int backlog)
{
	return (int)k_call2(__NR_listen, fd, backlog);
}
static inline int k_connect(int fd, const void *address, unsigned int size)
{
	return (int)k_call3(__NR_connect, fd, address, size);
}
static inline int k_accept4(int fd, int flags)
{
	return (int)k_call4(__NR_accept4, fd, 0, 0, flags);
}
static inline ssize_t k_sendmsg(int fd, const struct msghdr *message, int flags)
{
	return k_call3(__NR_sendmsg, fd, message, flags);
}
static inline ssize_t k_recvmsg(int fd, struct msghdr *message, int flags)
{
	return k_call3(__NR_recvmsg, fd, message, flags);
}

#endif
