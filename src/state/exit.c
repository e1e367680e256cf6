/* SPDX-License-Identifier: Apache-2.0 */
/* How a container's init ended, for a process that is not its parent. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>

#include "private.h"

/*
 * ioctl(2) PIDFD_GET_INFO, <linux/pidfd.h>. The kernel stores the status of a process that had a pidfd when its
 * parent waited for it. Defined here because the oldest headers that tare builds with lack it.
 */
struct exit_info {
	uint64_t mask, cgroup_id;
	uint32_t pid, tgid, ppid, ids[8];
	int32_t exit_code;
};
#define EXIT_INFO_EXIT 8u /* in mask: exit_code is asked for, or known; since Linux 6.15 */
#define EXIT_GET_INFO _IOWR(0xFF, 11, struct exit_info)
_Static_assert(sizeof(struct exit_info) == 64, "the first version of struct pidfd_info");

static bool read_pidfd(int pidfd, int *ret_status)
{
	struct exit_info info = {.mask = EXIT_INFO_EXIT};

	/* Before Linux 6.13 the request is unknown; before 6.15 it fails for a process that is gone. */
	if (pidfd < 0 || k_ioctl(pidfd, EXIT_GET_INFO, &info) < 0 || (info.mask & EXIT_INFO_EXIT) == 0)
		return false;
	*ret_status = info.exit_code;
	return true;
}

/*
 * The kernel shows 0 as the status of a zombie to a caller that must not inspect it (ptrace(2),
 * PTRACE_MODE_READ_FSCREDS). The links of its namespaces need the same permission.
 */
static bool may_inspect(pid_t pid)
{
	char path[64], target[64];

	str_format(path, sizeof path, "/proc/%d/ns/user", pid);
	return k_readlinkat(AT_FDCWD, path, target, sizeof target) > 0;
}

static bool read_dead(const struct state_record *record, int *ret_status)
{
	struct process process;

	if (process_read(record->pid, &process) < 0 || process.start != record->pid_start || !process.is_dead)
		return false;
	*ret_status = process.wait_status;
	return true;
}

static bool read_zombie(const struct state_record *record, int *ret_status)
{
	if (!read_dead(record, ret_status))
		return false;
	/* Read again: the permission was that of this process only if the pid is still that of the zombie. */
	return *ret_status != 0 || (may_inspect(record->pid) && read_dead(record, ret_status));
}

bool state_read_exit(const struct state_record *record, int pidfd, int *ret_status)
{
	/* In this order: once the parent has waited for the zombie, the pidfd has the status. */
	return read_zombie(record, ret_status) || read_pidfd(pidfd, ret_status);
}
