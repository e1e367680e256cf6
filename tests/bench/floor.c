/* SPDX-License-Identifier: Apache-2.0 */
/*
 * floor ROOTFS CGROUP2_MOUNT NAME PROGRAM: the lower bound of a run. It makes only the system calls that one
 * container of the default configuration needs. It reads no configuration, checks nothing for attacks, keeps no
 * state, and does not protect itself from the program. What a runtime takes longer than this is its own cost.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <net/if.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define MUST(call)                                                                                             \
	do {                                                                                                   \
		if ((long)(call) < 0) {                                                                        \
			perror(#call);                                                                         \
			_exit(111);                                                                            \
		}                                                                                              \
	} while (0)

static int tree(const char *path, unsigned int flags)
{
	int fd = (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);

	MUST(fd);
	return fd;
}

static void attach(int fd, const char *target)
{
	MUST(syscall(SYS_move_mount, fd, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH));
	close(fd);
}

static void mount_new(const char *type, const char *target, const char *const (*options)[2], unsigned int attrs)
{
	int fs = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);

	MUST(fs);
	for (; options != NULL && (*options)[0] != NULL; options++)
		MUST(syscall(SYS_fsconfig, fs, (*options)[1] == NULL ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING,
			     (*options)[0], (*options)[1], 0));
	MUST(syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	attach((int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attrs), target);
	close(fs);
}

static void readonly(const char *path)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
	int fd =
		(int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

	if (fd < 0)
		return;
	MUST(syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr));
	attach(fd, path);
}

static void mask(const char *path)
{
	static const char *const tiny[][2] = {{"nr_inodes", "2"}, {NULL, NULL}};
	struct stat st;

	if (stat(path, &st) < 0)
		return;
	if (S_ISDIR(st.st_mode))
		mount_new("tmpfs", path, tiny, MOUNT_ATTR_RDONLY);
	else
		attach(tree("/dev/null", 0), path);
}

static void devices(int cgroup)
{
	struct bpf_insn insns[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 1},
				   {.code = BPF_JMP | BPF_EXIT}};
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
			       .insns = (uint64_t)(uintptr_t)insns,
			       .insn_cnt = 2,
			       .license = (uint64_t)(uintptr_t) "Apache-2.0"};
	int program = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof attr);

	MUST(program);
	memset(&attr, 0, sizeof attr);
	attr.target_fd = (uint32_t)cgroup;
	attr.attach_bpf_fd = (uint32_t)program;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	MUST(syscall(SYS_bpf, BPF_PROG_ATTACH, &attr, sizeof attr));
	close(program);
}

static void mounts(void)
{
	static const char *const dev[][2] = {{"mode", "755"}, {"size", "65536k"}, {NULL, NULL}};
	static const char *const pts[][2] = {
		{"newinstance", NULL}, {"ptmxmode", "0666"}, {"mode", "0620"}, {"gid", "5"}, {NULL, NULL}};
	static const char *const shm[][2] = {{"mode", "1777"}, {"size", "65536k"}, {NULL, NULL}};
	static const struct {
		const char *name;
		unsigned int major, minor;
	} nodes[] = {{"dev/null", 1, 3},   {"dev/zero", 1, 5},    {"dev/full", 1, 7},
		     {"dev/random", 1, 8}, {"dev/urandom", 1, 9}, {"dev/tty", 5, 0}};

	mount_new("proc", "proc", NULL, 0);
	mount_new("tmpfs", "dev", dev, MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME);
	mkdir("dev/pts", 0755);
	mkdir("dev/shm", 0755);
	mkdir("dev/mqueue", 0755);
	mount_new("devpts", "dev/pts", pts, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	mount_new("tmpfs", "dev/shm", shm, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODEV);
	mount_new("mqueue", "dev/mqueue", NULL, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODEV);
	mount_new("sysfs", "sys", NULL, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	mount_new("cgroup2", "sys/fs/cgroup", NULL, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
		MUST(mknod(nodes[i].name, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)));
	MUST(symlink("/proc/self/fd", "dev/fd"));
	MUST(symlink("/proc/self/fd/0", "dev/stdin"));
	MUST(symlink("/proc/self/fd/1", "dev/stdout"));
	MUST(symlink("/proc/self/fd/2", "dev/stderr"));
	MUST(symlink("pts/ptmx", "dev/ptmx"));
}

static void paths(void)
{
	static const char *const masked[] = {"/proc/acpi",        "/proc/asound",        "/proc/kcore",
					     "/proc/keys",        "/proc/latency_stats", "/proc/timer_list",
					     "/proc/timer_stats", "/proc/sched_debug",   "/sys/firmware",
					     "/proc/scsi"};
	static const char *const ro[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
					 "/proc/sysrq-trigger"};

	for (size_t i = 0; i < sizeof ro / sizeof *ro; i++)
		readonly(ro[i]);
	for (size_t i = 0; i < sizeof masked / sizeof *masked; i++)
		mask(masked[i]);
}

static void identity(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0x20000420, 0x20000420, 0}, {0, 0, 0}};
	struct rlimit files = {1024, 1024};

	MUST(setrlimit(RLIMIT_NOFILE, &files));
	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	for (unsigned long cap = 0; cap <= 40; cap++)
		if ((0x20000420ul >> cap & 1) == 0)
			MUST(prctl(PR_CAPBSET_DROP, cap, 0, 0, 0));
	MUST(syscall(SYS_capset, &header, data));
}

static void contain(const char *rootfs, char *program)
{
	struct mount_attr slave = {.propagation = MS_SLAVE}, ro = {.attr_set = MOUNT_ATTR_RDONLY};
	struct ifreq lo = {.ifr_name = "lo"};
	char *argv[] = {program, NULL}, *env[] = {NULL};
	int fd;

	MUST(syscall(SYS_mount_setattr, AT_FDCWD, "/", AT_RECURSIVE, &slave, sizeof slave));
	attach(tree(rootfs, AT_RECURSIVE), rootfs);
	MUST(unshare(CLONE_NEWCGROUP));
	MUST(syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "floor"));
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	lo.ifr_flags = IFF_UP;
	MUST(ioctl(fd, SIOCSIFFLAGS, &lo));
	close(fd);
	MUST(chdir(rootfs));
	mounts();
	MUST(syscall(SYS_pivot_root, ".", "."));
	MUST(syscall(SYS_umount2, ".", 2));
	MUST(chdir("/"));
	MUST(sethostname("floor", 5));
	paths();
	MUST(syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, &ro, sizeof ro));
	identity();
	setsid();
	execve(program, argv, env);
	_exit(112);
}

int main(int argc, char **argv)
{
	struct clone_args args = {.flags = CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
					   CLONE_NEWNS | CLONE_INTO_CGROUP,
				  .exit_signal = SIGCHLD};
	char path[512];
	int status = 0, cgroup;
	long pid;

	if (argc != 5)
		return 2;
	snprintf(path, sizeof path, "%s/%s", argv[2], argv[3]);
	MUST(mkdir(path, 0755));
	cgroup = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(cgroup);
	devices(cgroup);
	args.cgroup = (uint64_t)cgroup;
	pid = syscall(SYS_clone3, &args, sizeof args);
	MUST(pid);
	if (pid == 0)
		contain(argv[1], argv[4]);
	MUST(waitpid((pid_t)pid, &status, 0));
	rmdir(path);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
