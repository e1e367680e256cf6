/* SPDX-License-Identifier: Apache-2.0 */
/* The limits that make a start fail, and how often they did. Process: the parent, as in child.c. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <tare/host.h>

#include "steps.h"

/* --- processes --- */

/* A decimal number in the text of a file of procfs, after the prefix. False if there is none. */
static bool find_number(const char *text, const char *prefix, uint64_t *ret)
{
	const char *at = strstr(text, prefix);
	char number[24];

	if (at == NULL)
		return false;
	at += strlen(prefix);
	str_format(number, sizeof number, "%.*s", (int)strspn(at, "0123456789"), at);
	return str_to_u64(number, UINT64_MAX, ret);
}

static bool read_number(const char *path, const char *prefix, uint64_t *ret)
{
	char text[128];

	return io_read_small(AT_FDCWD, path, 0, text, sizeof text) > 0 && find_number(text, prefix, ret);
}

/* The threads of this pid namespace, and those of them with the caller's real user id. */
struct threads {
	uint64_t all, own;
};

static void count_threads(struct threads *ret)
{
	_cleanup_fd_ int fd = k_openat(AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	_Alignas(struct dir_entry) char block[4096];
	struct dir_reader reader = {.fd = fd, .block = block, .size = sizeof block};
	const struct dir_entry *entry;

	*ret = (struct threads){0};
	while (fd >= 0 && dir_next(&reader, &entry) > 0) {
		char path[300], text[8192];
		uint64_t threads, uid;

		str_format(path, sizeof path, "/proc/%s/status", entry->name);
		if (entry->name[0] < '0' || entry->name[0] > '9' ||
		    io_read_small(AT_FDCWD, path, 0, text, sizeof text) <= 0 ||
		    !find_number(text, "\nUid:\t", &uid) || !find_number(text, "\nThreads:\t", &threads))
			continue;
		ret->all += threads;
		ret->own += uid == getuid() ? threads : 0;
	}
}

/* setrlimit(2), RLIMIT_NPROC: not enforced for the host's root, or with one of two capabilities there. */
static bool hint_rlimit(const struct host *host, const struct threads *threads, struct err *err)
{
	bool is_exempt =
		(host->capabilities & (UINT64_C(1) << CAP_SYS_ADMIN | UINT64_C(1) << CAP_SYS_RESOURCE)) != 0 ||
		getuid() == 0;
	struct rlimit limit;

	if ((is_exempt && !host->is_in_user_ns) || getrlimit(RLIMIT_NPROC, &limit) < 0 ||
	    limit.rlim_cur == RLIM_INFINITY || threads->own < limit.rlim_cur)
		return false;
	err_hint(err, "RLIMIT_NPROC is %llu; processes and threads of uid %u: %llu (ulimit -u)",
		 (unsigned long long)limit.rlim_cur, getuid(), (unsigned long long)threads->own);
	return true;
}

/* The kernel does not use the lowest pids again (RESERVED_PIDS of kernel/pid.c). */
#define PIDS_RESERVED 300

static bool hint_sysctl(const struct threads *threads, struct err *err)
{
	uint64_t total, max;

	/* proc_loadavg(5): "... running/total last", for the whole machine. */
	if (!read_number("/proc/loadavg", "/", &total))
		return false;
	if (read_number("/proc/sys/kernel/threads-max", "", &max) && total >= max) {
		err_hint(err, "sysctl kernel.threads-max is %llu; processes and threads of the machine: %llu",
			 (unsigned long long)max, (unsigned long long)total);
		return true;
	}
	total = threads->all;
	if (!read_number("/proc/sys/kernel/pid_max", "", &max) || total + PIDS_RESERVED < max)
		return false;
	err_hint(err, "sysctl kernel.pid_max is %llu; processes and threads: %llu", (unsigned long long)max,
		 (unsigned long long)total);
	return true;
}

static bool hint_pids(int cgroup_fd, struct err *err)
{
	char path[120];
	uint64_t max;

	if (cgroup_fd < 0 || !cgroup_find_full(cgroup_fd, &max, path, sizeof path))
		return false;
	err_hint(err, "pids.max of cgroup '%s' is %llu: starting a process needs up to two more", path,
		 (unsigned long long)max);
	return true;
}

static int open_own_cgroup(const struct host *host)
{
	_cleanup_free_ char *path = mem_format("%s%s", host->cgroup_mount, host->cgroup_own);

	return host->cgroup_own[0] == '\0' ? -ENOENT
					   : k_openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
}

/* clone(2) has one error for all limits of processes. */
static void explain_processes(const struct child *child, struct err *err)
{
	_cleanup_fd_ int own_fd = -1;
	struct threads threads;
	struct host host;
	struct err ignored;

	if (hint_pids(child->cgroup_fd, err) || host_probe(&host, &ignored) < 0)
		return;
	own_fd = open_own_cgroup(&host);
	count_threads(&threads);
	if (!hint_pids(own_fd, err) && !hint_rlimit(&host, &threads, err))
		(void)!hint_sysctl(&threads, err);
}

/* --- memory --- */

uint64_t parent_count_oom_kills(const struct child *child, uint64_t seen)
{
	uint64_t count =
		child->cgroup_fd < 0 ? 0 : cgroup_event_count(child->cgroup_fd, "memory.events", "oom_kill");

	count = count > seen ? count : seen;
	return count > child->oom_kills ? count - child->oom_kills : 0;
}

static void explain_memory(const struct child *child, struct err *err)
{
	char path[120];
	uint64_t max;

	if (cgroup_event_count(child->cgroup_fd, "memory.events", "max") > child->memory_hits &&
	    cgroup_find_memory_max(child->cgroup_fd, &max, path, sizeof path))
		err_hint(err, "memory.max of cgroup '%s' is %llu bytes, and was reached", path,
			 (unsigned long long)max);
}

/*
 * Whether the cgroup was removed: another creator takes an empty cgroup for one that an earlier container left,
 * and removes and creates it again.
 */
static bool is_removed(const struct child *child)
{
	return k_faccessat2(child->cgroup_fd, "cgroup.procs", 0 /* F_OK */, AT_SYMLINK_NOFOLLOW) < 0;
}

/*
 * The cgroup's counters include events from before an exec, so their hints state what has happened in it, not
 * that this exec has caused it.
 */
void parent_explain_limits(const struct child *child, struct err *err)
{
	bool is_exec = child->is_exec, has_hint = err->hint[0] != '\0';
	bool is_init_death = err->kind == ERR_PEER || (err->kind == ERR_STATE && !has_hint);
	uint64_t kills;

	/* An error of execve(2) has its own hint. */
	if (err->errnum == EAGAIN && !has_hint)
		explain_processes(child, err);
	if (child->cgroup_fd < 0)
		return;
	if (!is_exec && (err->errnum == ENOENT || err->errnum == ENODEV) && is_removed(child)) {
		err_set(err, ERR_STATE, EBUSY, NULL, PARENT_CGROUP_IN_USE);
		return;
	}
	/* execve(2) also returns E2BIG if the arguments' pages cannot be charged to the cgroup. */
	if ((err->errnum == E2BIG || err->errnum == ENOMEM) && !has_hint)
		explain_memory(child, err);
	kills = is_init_death ? parent_count_oom_kills(child, 0) : 0;
	if (kills > 0 && is_exec)
		err_hint(err, "OOM kills in the container's cgroup: %llu", (unsigned long long)kills);
	else if (kills > 0 && err->kind == ERR_PEER)
		err_set(err, ERR_PEER, 0, "/linux/resources",
			"container init was OOM-killed (memory limit too low?)");
}
