/* SPDX-License-Identifier: Apache-2.0 */
/* Sets single attributes of processes and namespaces. Process: init, the bridge or the parent, see sys.h. */
#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/keyctl.h>
#include <linux/sched/types.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <tare/sys.h>

#define IOPRIO_WHO_PGRP 2

int process_set_hostname(const char *name, struct err *err)
{
	int r = k_sethostname(name, strlen(name));

	return r < 0 ? err_system(err, r, "cannot set hostname '%s'", name) : 0;
}

int process_set_domainname(const char *name, struct err *err)
{
	int r = k_setdomainname(name, strlen(name));

	return r < 0 ? err_system(err, r, "cannot set domainname '%s'", name) : 0;
}

int process_set_loopback(struct err *err)
{
	_cleanup_fd_ int fd = k_socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {.ifr_name = "lo"};
	int r = fd < 0 ? fd : k_ioctl(fd, SIOCGIFFLAGS, &request);

	if (r >= 0) {
		request.ifr_flags |= IFF_UP;
		r = k_ioctl(fd, SIOCSIFFLAGS, &request);
	}
	return r < 0 ? err_system(err, r, "cannot set the loopback interface up") : 0;
}

int process_join_keyring(const char *name, struct err *err)
{
	/*
	 * keyctl(2), keyrings(7): the possessor has all permissions. The user has "search", which an exec needs
	 * to join, but not "view", which would show the name to all other containers with the same user id.
	 */
	const unsigned int permissions = 0x3f000000 | 0x00080000;
	long key = k_call2(__NR_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name);

	if (key == -ENOSYS) /* a kernel without keyrings has none to separate */
		return 0;
	if (key < 0) {
		int r = err_system(err, (int)key, "cannot join session keyring '%s'", name);

		err_hint(err,
			 "--no-new-keyring keeps the caller's; kernel.keys.maxkeys limits the number of keys");
		return r;
	}
	(void)k_call3(__NR_keyctl, KEYCTL_SETPERM, key, permissions);
	return 0;
}

int process_set_affinity(const struct plan *plan, struct plan_table mask, struct err *err)
{
	unsigned char all[1024]; /* 8192 cpus, the maximum of any kernel configuration */
	const void *cpus = all;
	int r;

	if (mask.count > 0)
		cpus = plan_rows(plan, mask);
	else
		memset(all, 0xff, sizeof all);
	r = (int)k_call3(__NR_sched_setaffinity, 0, mask.count > 0 ? mask.count * sizeof(uint64_t) : sizeof all,
			 cpus);
	if (r < 0) {
		r = err_system(err, r, "cannot set the cpu affinity");
		if (r == -EINVAL)
			err_hint(err, "none of the cpus exists and is allowed by the cgroup's cpuset");
	}
	return r < 0 ? r : 0;
}

int process_set_memory_policy(const struct plan *plan, const struct plan_step *step, struct err *err)
{
	const uint64_t *nodes = plan_rows(plan, step->u.memory_policy.nodes);
	uint32_t words = step->u.memory_policy.nodes.count;
	bool is_empty = true;
	int r;

	for (uint32_t i = 0; i < words; i++)
		is_empty = is_empty && nodes[i] == 0;
	/* set_mempolicy(2): the kernel reads one bit less than maxnode. */
	r = (int)k_call3(__NR_set_mempolicy, step->u.memory_policy.mode | (int)step->u.memory_policy.flags,
			 is_empty ? NULL : nodes, is_empty ? 0 : words * 64 + 1);
	return r < 0 ? err_system(err, r, "cannot set the memory policy") : 0;
}

int process_set_personality(uint64_t domain, struct err *err)
{
	int r = (int)k_call1(__NR_personality, domain);

	return r < 0 ? err_system(err, r, "cannot set the personality") : 0;
}

/* Reads the link "self" and does not follow it: it has the pid of this process in that procfs. */
int process_open_self(int proc_fd, const char *name, int flags)
{
	char self[16], path[64];
	ssize_t len = k_readlinkat(proc_fd, "self", self, sizeof self - 1);

	if (len < 0)
		return (int)len;
	self[len] = '\0';
	str_format(path, sizeof path, "%s/%s", self, name);
	return path_open_beneath(proc_fd, path, (uint64_t)flags, 0);
}

int process_set_oom_score(int proc_fd, int64_t value, struct err *err)
{
	_cleanup_fd_ int fd = process_open_self(proc_fd, "oom_score_adj", O_WRONLY);
	char text[16];
	int len = str_format(text, sizeof text, "%lld", (long long)value);
	ssize_t r = fd < 0 ? fd : k_write(fd, text, (size_t)len);

	if (r >= 0)
		return 0;
	r = err_system(err, (int)r, "cannot set oom_score_adj to %s", text);
	if (r == -EACCES || r == -EPERM)
		err_hint(err, "a lower value needs CAP_SYS_RESOURCE");
	return (int)r;
}

int process_write_sysctl(const struct rootfs *rootfs, const struct plan_step *step, struct err *err)
{
	const char *key = plan_get(rootfs->plan, step->u.sysctl.key);
	const char *value = plan_get(rootfs->plan, step->u.sysctl.value);
	_cleanup_fd_ int sys_fd = -1, fd = -1;
	ssize_t r;

	sys_fd = path_open_beneath(rootfs->slot_base + step->u.sysctl.slot, "sys", O_PATH | O_DIRECTORY, 0);
	fd = sys_fd < 0 ? sys_fd
			: path_open_beneath(sys_fd, plan_get(rootfs->plan, step->u.sysctl.path), O_WRONLY, 0);
	r = fd < 0 ? fd : k_write(fd, value, strlen(value));
	if (r == -ENOENT)
		return err_set(err, ERR_UNSUPPORTED, ENOENT, NULL, "cannot set sysctl '%s'", key);
	return r < 0 ? err_system(err, (int)r, "cannot set sysctl '%s' to '%s'", key, value) : 0;
}

int process_write_time_offsets(int proc_fd, const struct plan_step *step, struct err *err)
{
	char text[160];
	int len = 0, r;

	if (step->u.times.has_monotonic)
		len += str_format(text + len, sizeof text - (size_t)len, "monotonic %lld %u\n",
				  (long long)step->u.times.monotonic_secs, step->u.times.monotonic_nanosecs);
	if (step->u.times.has_boottime)
		len += str_format(text + len, sizeof text - (size_t)len, "boottime %lld %u\n",
				  (long long)step->u.times.boottime_secs, step->u.times.boottime_nanosecs);
	r = io_write_file(proc_fd, "self/timens_offsets", text, (size_t)len);
	if (r < 0) {
		r = err_system(err, r, "cannot set the offsets of the time namespace");
		if (r == -ERANGE)
			err_hint(err, "an offset makes the clock negative, or too large");
	}
	return r;
}

int process_set_scheduler(pid_t pid, const struct plan_step *step, struct err *err)
{
	struct sched_attr attr = {
		.size = sizeof attr,
		.sched_policy = step->u.scheduler.policy,
		.sched_flags = step->u.scheduler.flags,
		.sched_nice = step->u.scheduler.nice,
		.sched_priority = step->u.scheduler.priority,
		.sched_runtime = step->u.scheduler.runtime,
		.sched_deadline = step->u.scheduler.deadline,
		.sched_period = step->u.scheduler.period,
	};
	int r = (int)k_call3(__NR_sched_setattr, pid, &attr, 0);

	return r < 0 ? err_system(err, r, "cannot set the scheduler") : 0;
}

int process_set_io_priority(pid_t group, int64_t value, struct err *err)
{
	int r = (int)k_call3(__NR_ioprio_set, IOPRIO_WHO_PGRP, group, value);

	return r < 0 ? err_system(err, r, "cannot set the io priority") : 0;
}

/* The names of <asm-generic/resource.h>, by number. */
static const char *rlimit_name(uint32_t resource)
{
	static const char *const names[] = {"CPU",      "FSIZE",  "DATA",    "STACK", "CORE",  "RSS",
					    "NPROC",    "NOFILE", "MEMLOCK", "AS",    "LOCKS", "SIGPENDING",
					    "MSGQUEUE", "NICE",   "RTPRIO",  "RTTIME"};

	return resource < ARRAY_SIZE(names) ? names[resource] : "?";
}

/* prlimit(2) has two reasons for EPERM. */
static void hint_rlimit(const struct plan_rlimit *rlimit, struct err *err)
{
	char text[24];
	uint64_t most;

	if (rlimit->resource == RLIMIT_NOFILE &&
	    io_read_small(AT_FDCWD, "/proc/sys/fs/nr_open", 0, text, sizeof text) > 0) {
		text[strcspn(text, "\n")] = '\0';
		if (str_to_u64(text, UINT64_MAX, &most) && rlimit->hard > most) {
			err_hint(err, "sysctl fs.nr_open allows %s at most", text);
			return;
		}
	}
	err_hint(err, "raising a hard limit needs CAP_SYS_RESOURCE");
}

int process_set_rlimit(pid_t pid, const struct plan_rlimit *rlimit, struct err *err)
{
	struct rlimit64 limits = {.rlim_cur = rlimit->soft, .rlim_max = rlimit->hard};
	int r = k_prlimit(pid, (int)rlimit->resource, &limits, NULL);

	if (r >= 0)
		return 0;
	r = err_system(err, r, "cannot set RLIMIT_%s to %llu (soft), %llu (hard)",
		       rlimit_name(rlimit->resource), (unsigned long long)rlimit->soft,
		       (unsigned long long)rlimit->hard);
	if (r == -EPERM)
		hint_rlimit(rlimit, err);
	return r;
}
