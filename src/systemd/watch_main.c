/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watcher of a scope's memory. [free]
 *
 * Process: a child of the create or the "run --detach" that made the container; the caller's namespaces, ids
 * and cgroup, a session of its own. It sleeps until the kernel has something to say of the container's cgroup,
 * has no capability, holds the descriptors of tare/systemd.h and nothing else, and ends when the cgroup is
 * empty or gone. Whoever kills it takes nothing but a number from "state".
 */
#include <linux/capability.h>
#include <linux/prctl.h>
#include <poll.h>
#include <time.h>

#include <tare/cgroup.h>
#include <tare/freestanding.h>
#include <tare/state.h>
#include <tare/systemd.h>

/* Once init is dead, the last change of cgroup.events may be dropped with the cgroup: it is looked at now and
 * then. */
#define LOOK_AGAIN 100      /* ms, doubled each time */
#define LOOK_AGAIN_MAX 6400 /* as long as other processes live there */

static void renounce(void)
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

static void write_down(uint64_t kills)
{
	char text[48];
	int len = str_format(text, sizeof text, STATE_END_KILLS, (unsigned long long)kills);

	k_pwrite(WATCH_FD_END, text, (size_t)len, 0);
}

void freestanding_main(int argc, char **argv)
{
	struct cgroup_watch watch = {.events_fd = WATCH_FD_EVENTS, .memory_fd = WATCH_FD_MEMORY};
	int init_fd = WATCH_FD_INIT, pause = LOOK_AGAIN;

	(void)argc, (void)argv;
	renounce();
	for (;;) {
		int what = cgroup_watch_read(&watch);
		struct pollfd fds[] = {{.fd = watch.events_fd, .events = POLLPRI},
				       {.fd = watch.memory_fd, .events = POLLPRI},
				       {.fd = init_fd, .events = POLLIN}};
		struct timespec soon = {.tv_sec = pause / 1000, .tv_nsec = pause % 1000 * 1000000};

		/* None at all is worth knowing when it is the last word. */
		if ((what & CGROUP_OOM) || (what & CGROUP_EMPTY && what & CGROUP_COUNT_READ))
			write_down(watch.oom_kills);
		if (what & CGROUP_EMPTY)
			k_exit(0);
		if (k_ppoll(fds, ARRAY_SIZE(fds), init_fd < 0 ? &soon : NULL, NULL) < 0)
			continue;
		if (fds[2].revents != 0)
			fd_close(&init_fd);
		else if (init_fd < 0 && pause < LOOK_AGAIN_MAX)
			pause *= 2;
	}
}
