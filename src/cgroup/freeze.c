/* SPDX-License-Identifier: Apache-2.0 */
/* Freezes and thaws the processes of a cgroup (cgroup-v2.rst, cgroup.freeze). */
#include <errno.h>
#include <fcntl.h>

#include "file.h"

#define RECHECK_MS 100 /* a notification may be late */

/* 0, -ETIMEDOUT, or another errno. */
static int set_frozen(int cgroup_fd, bool is_frozen, int timeout_ms)
{
	_cleanup_fd_ int events_fd = cgroup_open_events(cgroup_fd);
	int64_t deadline = time_ms() + timeout_ms;
	int r = events_fd < 0 ? events_fd : io_write_file(cgroup_fd, "cgroup.freeze", is_frozen ? "1" : "0", 1);

	if (r < 0)
		return r;
	for (;;) {
		int64_t left = deadline - time_ms();

		r = cgroup_read_event(events_fd, "frozen");
		if (r < 0 || r == is_frozen)
			return r < 0 ? r : 0;
		if (left <= 0)
			return -ETIMEDOUT;
		cgroup_events_wait(events_fd, left < RECHECK_MS ? left : RECHECK_MS);
	}
}

int cgroup_freeze(int cgroup_fd, int timeout_ms, struct err *err)
{
	int r = set_frozen(cgroup_fd, true, timeout_ms);

	if (r >= 0)
		return 0;
	(void)!io_write_file(cgroup_fd, "cgroup.freeze", "0", 1);
	r = err_system(err, r, "cannot freeze the processes of the cgroup");
	if (r == -ETIMEDOUT)
		err_hint(err, "one of them is waiting for a device or a file system and cannot be stopped now");
	return r;
}

int cgroup_thaw(int cgroup_fd, int timeout_ms, struct err *err)
{
	int r = set_frozen(cgroup_fd, false, timeout_ms);

	if (r >= 0)
		return 0;
	r = err_system(err, r, "cannot thaw the processes of the cgroup");
	if (r == -ETIMEDOUT)
		err_hint(err, "a cgroup above it is frozen");
	return r;
}

int cgroup_is_freezing(int cgroup_fd)
{
	char text[8];
	int r = io_read_small(cgroup_fd, "cgroup.freeze", O_NOFOLLOW, text, sizeof text);

	if (r < 0)
		return is_gone(r) ? 0 : r;
	return text[0] == '1';
}
