/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watcher: records how many processes the OOM killer has killed in a scope's cgroup, before systemd removes
 * the cgroup with its counters. [free]
 *
 * Process: a child of the "create" or "run --detach" that created the container, in the caller's namespaces and
 * cgroup, with the caller's ids, in a session of its own. It has no capabilities, and only the descriptors of
 * tare/systemd.h. It sleeps until the kernel reports a change of the cgroup, checks again at intervals once
 * init has exited, and exits when the cgroup is empty or gone. If it is killed, the number in "state" is
 * missing or too low; nothing else depends on it.
 */
#include <linux/capability.h>
#include <linux/prctl.h>
#include <poll.h>
#include <time.h>

#include <tare/cgroup.h>
#include <tare/freestanding.h>
#include <tare/state.h>
#include <tare/systemd.h>

/*
 * The kernel may not report the last change of cgroup.events if the cgroup is removed at once. So after init's
 * exit the file is also read at intervals, as long as other processes are in the cgroup.
 */
#define RECHECK_MS 100 /* doubled each time */
#define RECHECK_MAX_MS 6400

static void drop_privileges(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{0}};

	k_prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	k_prctl(PR_SET_NAME, (unsigned long)"tare", 0, 0, 0);
	k_close_range(WATCH_FDS, ~0u, 0);
	k_chdir("/");
	k_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	k_capset(&header, none);
}

static void write_kills(uint64_t kills)
{
	char text[48];
	int len = str_format(text, sizeof text, STATE_END_KILLS, (unsigned long long)kills);

	k_pwrite(WATCH_FD_END, text, (size_t)len, 0);
}

void freestanding_main(int argc, char **argv)
{
	struct cgroup_watch watch = {.events_fd = WATCH_FD_EVENTS, .memory_fd = WATCH_FD_MEMORY};
	int init_fd = WATCH_FD_INIT, pause = RECHECK_MS;

	(void)argc, (void)argv;
	drop_privileges();
	for (;;) {
		int what = cgroup_watch_read(&watch);
		struct pollfd fds[] = {{.fd = watch.events_fd, .events = POLLPRI},
				       {.fd = watch.memory_fd, .events = POLLPRI},
				       {.fd = init_fd, .events = POLLIN}};
		struct timespec interval = {.tv_sec = pause / 1000, .tv_nsec = pause % 1000 * 1000000};

		/* The final count cannot be determined: it stays unwritten. */
		if (what < 0)
			k_exit(0);
		/* A final count is written even if it is 0. */
		if ((what & CGROUP_OOM) || (what & CGROUP_EMPTY && what & CGROUP_COUNT_READ))
			write_kills(watch.oom_kills);
		if (what & CGROUP_EMPTY)
			k_exit(0);
		if (k_ppoll(fds, ARRAY_SIZE(fds), init_fd < 0 ? &interval : NULL, NULL) < 0)
			continue;
		if (fds[2].revents != 0)
			fd_close(&init_fd);
		else if (init_fd < 0 && pause < RECHECK_MAX_MS)
			pause *= 2;
	}
}
