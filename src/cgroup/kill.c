/* SPDX-License-Identifier: Apache-2.0 */
/* Kills all processes of a cgroup. */
#include <errno.h>
#include <signal.h>

#include "file.h"

#define REPEAT_MS 100 /* a process that is moved into the cgroup after a kill is killed by the next one */

/*
 * A threaded cgroup has no cgroup.kill (EOPNOTSUPP). While it is frozen no process in it can fork, and SIGKILL
 * kills a frozen process. A process that was forked before all of them were frozen is killed by the next call.
 */
static int kill_threaded(int cgroup_fd)
{
	_cleanup_free_ pid_t *pids = NULL;
	struct cgroup_seal seal;
	size_t count = 0;
	int r = io_write_file(cgroup_fd, "cgroup.freeze", "1", 1);

	cgroup_seal(cgroup_fd, &seal);
	if (r >= 0)
		r = cgroup_pids_collect(cgroup_fd, &pids, &count);
	cgroup_unseal(&seal);
	for (size_t i = 0; r >= 0 && i < count; i++)
		if (pids[i] > 0)
			(void)k_kill(pids[i], SIGKILL);
	(void)!io_write_file(cgroup_fd, "cgroup.freeze", "0", 1);
	return r;
}

/* Kills repeatedly until no process is left. 0, -ETIMEDOUT, or another errno. */
static int kill_and_wait(int cgroup_fd, int timeout_ms)
{
	_cleanup_fd_ int events_fd = cgroup_open_events(cgroup_fd);
	int64_t deadline = time_ms() + timeout_ms;

	if (events_fd < 0)
		return is_gone(events_fd) && cgroup_is_populated_without_events(cgroup_fd) == 0 ? 0 : events_fd;
	for (;;) {
		int64_t left;
		int r = cgroup_read_event(events_fd, "populated");

		if (r <= 0)
			return is_gone(r) ? 0 : r;
		r = io_write_file(cgroup_fd, "cgroup.kill", "1", 1);
		if (r == -EOPNOTSUPP)
			r = kill_threaded(cgroup_fd);
		if (r < 0)
			return is_gone(r) && cgroup_is_populated(cgroup_fd) == 0 ? 0 : r;
		left = deadline - time_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		cgroup_events_wait(events_fd, left < REPEAT_MS ? left : REPEAT_MS);
	}
}

int cgroup_kill(int cgroup_fd, int timeout_ms, struct err *err)
{
	int r = kill_and_wait(cgroup_fd, timeout_ms);

	if (r == -ETIMEDOUT)
		return err_system(err, r, "cannot kill all processes of the cgroup");
	return r < 0 ? err_system(err, r, "cannot kill the processes of the cgroup") : 0;
}
