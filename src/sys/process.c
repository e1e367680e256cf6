/* SPDX-License-Identifier: Apache-2.0 */
/* Sets single attributes of processes and namespaces. Process: init, the bridge or the parent, see sys.h. */
#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/keyctl.h>
#include <linux/mempolicy.h>
#include <linux/prctl.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <tare/sys.h>

int process_set_undumpable(const struct plan *plan, const struct plan_step *step, struct err *err)
{
	int r = (int)k_prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);

	(void)plan;
	(void)step;
	return r < 0 ? err_system(err, r, "cannot make the process undumpable") : 0;
}

int process_no_new_privs(const struct plan *plan, const struct plan_step *step, struct err *err)
{
	int r = (int)k_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);

	(void)plan;
	(void)step;
	return r < 0 ? err_system(err, r, "cannot set no_new_privs") : 0;
}

int process_umask(const struct plan *plan, const struct plan_step *step, struct err *err)
{
	(void)plan;
	(void)err;
	k_umask((unsigned int)step->u.number);
	return 0;
}

int process_controlling(const struct plan *plan, const struct plan_step *step, struct err *err)
{
	int r = k_ioctl(0, TIOCSCTTY, NULL);

	(void)plan;
	(void)step;
	return r < 0 ? err_system(err, r, "cannot make the terminal the controlling terminal") : 0;
}

int process_hostname(const struct plan *plan, const struct plan_step *step, struct err *err)
{
	const char *name = plan_get(plan, step->u.text);
	int r = k_sethostname(name, strlen(name));

	return r < 0 ? err_system(err, r, "cannot set hostname '%s'", name) : 0;
}

int process_domainname(const struct plan *plan, const struct plan_step *step, struct err *err)
{
	const char *name = plan_get(plan, step->u.text);
	int r = k_setdomainname(name, strlen(name));

	return r < 0 ? err_system(err, r, "cannot set domainname '%s'", name) : 0;
}

int process_loopback(const struct plan *plan, const struct plan_step *step, struct err *err)
{
	_cleanup_fd_ int fd = k_socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {.ifr_name = "lo"};
	int r = fd < 0 ? fd : k_ioctl(fd, SIOCGIFFLAGS, &request);

	(void)plan;
	(void)step;
	if (r >= 0) {
		request.ifr_flags |= IFF_UP;
		r = k_ioctl(fd, SIOCSIFFLAGS, &request);
	}
	return r < 0 ? err_system(err, r, "cannot set the loopback interface up") : 0;
}

int process_keyring(const struct plan *plan, const struct plan_step *step, struct err *err)
{
	const char *name = plan_get(plan, step->u.text);
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

		err_hint(err, "%s--no-new-keyring keeps the caller's",
			 r == -EDQUOT ? "kernel.keys.maxkeys and maxbytes limit the keys of a user; " : "");
		return r;
	}
	(void)k_call3(__NR_keyctl, KEYCTL_SETPERM, key, permissions);
	return 0;
}

int process_affinity(const struct plan *plan, const struct plan_step *step, struct err *err)
{
	struct plan_table mask = step->u.affinity;
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

/* Whether the kernel has the mode and the flags: it accepts them for the nodes that this process may use. */
static bool is_accepted_elsewhere(const struct spec_memory_policy *policy)
{
	uint64_t allowed[SPEC_NODE_WORDS] = {0};
	const int bits = SPEC_NODE_WORDS * 64;

	return k_call5(__NR_get_mempolicy, NULL, allowed, bits, NULL, MPOL_F_MEMS_ALLOWED) >= 0 &&
	       k_call3(__NR_set_mempolicy, policy->mode | (int)policy->flags, allowed, bits + 1) >= 0;
}

int process_memory_policy(const struct plan *plan, const struct plan_step *step, struct err *err)
{
	const struct spec_memory_policy *policy = &step->u.memory_policy;
	bool is_empty = true;
	int r;

	(void)plan;
	for (size_t i = 0; i < SPEC_NODE_WORDS; i++)
		is_empty = is_empty && policy->nodes[i] == 0;
	/* set_mempolicy(2): the kernel reads one bit less than maxnode. */
	r = (int)k_call3(__NR_set_mempolicy, policy->mode | (int)policy->flags, is_empty ? NULL : policy->nodes,
			 is_empty ? 0 : SPEC_NODE_WORDS * 64 + 1);
	if (r >= 0)
		return 0;
	err_system(err, r, "cannot set the memory policy");
	if (r == -EINVAL && !is_empty && is_accepted_elsewhere(policy))
		err_hint(err,
			 "a node of the list does not exist, or none has memory and is in the cgroup's cpuset");
	return r;
}

int process_personality(const struct plan *plan, const struct plan_step *step, struct err *err)
{
	int r = (int)k_call1(__NR_personality, (uint64_t)step->u.number);

	(void)plan;
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

/* The names of <asm-generic/resource.h>, by number. */
static const char *rlimit_name(uint32_t resource)
{
	static const char *const names[] = {"CPU",      "FSIZE",  "DATA",    "STACK", "CORE",  "RSS",
					    "NPROC",    "NOFILE", "MEMLOCK", "AS",    "LOCKS", "SIGPENDING",
					    "MSGQUEUE", "NICE",   "RTPRIO",  "RTTIME"};

	return resource < ARRAY_SIZE(names) ? names[resource] : "?";
}

/* prlimit(2) has two reasons for EPERM. */
static void hint_rlimit(const struct spec_rlimit *rlimit, struct err *err)
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

int process_set_rlimit(pid_t pid, const struct spec_rlimit *rlimit, struct err *err)
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

int process_rlimit(const struct plan *plan, const struct plan_step *step, struct err *err)
{
	(void)plan;
	return process_set_rlimit(0, &step->u.rlimit, err);
}
