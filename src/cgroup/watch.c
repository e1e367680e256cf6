/* SPDX-License-Identifier: Apache-2.0 */
/* Watches a cgroup for OOM kills and for being empty. Part of freestanding programs, too. */
#include <fcntl.h>
#include <poll.h>
#include <time.h>

#include "file.h"

/*
 * The kernel delays notifications that follow each other closely, and drops the delayed ones if the cgroup is
 * removed. Therefore the files are also read without a notification, at this interval.
 */
#define RECHECK_MS 500

/* The current value of the line "key number" of an open file. -EBADMSG without it, or -errno. */
static int read_key(int fd, const char *key, uint64_t *ret)
{
	char text[512];
	ssize_t len = k_pread(fd, text, sizeof text - 1, 0);

	if (len < 0)
		return (int)len;
	text[len] = '\0';
	return str_keyed_u64(text, key, ret) ? 0 : -EBADMSG;
}

int cgroup_read_event(int events_fd, const char *key)
{
	uint64_t value;
	int r = read_key(events_fd, key, &value);

	return r < 0 ? r : value == 1;
}

int cgroup_open_events(int cgroup_fd)
{
	return k_openat(cgroup_fd, "cgroup.events", O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
}

/* memory.events is hierarchical: processes that were killed in cgroups below count. */
static int read_oom_kills(int memory_fd, uint64_t *ret_kills)
{
	return read_key(memory_fd, "oom_kill", ret_kills);
}

int cgroup_watch_open(int cgroup_fd, struct cgroup_watch *ret, struct err *err)
{
	struct cgroup_watch watch = {.memory_fd = -1};

	*ret = (struct cgroup_watch){.events_fd = -1, .memory_fd = -1};
	watch.events_fd = cgroup_open_events(cgroup_fd);
	if (watch.events_fd < 0)
		return err_system(err, watch.events_fd, "cannot watch the cgroup");
	watch.memory_fd = k_openat(cgroup_fd, "memory.events", O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
	if (watch.memory_fd < 0 || read_oom_kills(watch.memory_fd, &watch.oom_kills) < 0)
		fd_close(&watch.memory_fd);
	*ret = watch;
	return 0;
}

void cgroup_watch_close(struct cgroup_watch *watch)
{
	fd_close(&watch->events_fd);
	fd_close(&watch->memory_fd);
}

/*
 * systemd removes a scope's cgroup once that is empty. So the count is read first, in case it cannot be read
 * afterwards, and once more if the cgroup is empty: the count is final only after the last process has exited.
 */
int cgroup_watch_read(struct cgroup_watch *watch)
{
	uint64_t kills = watch->oom_kills;
	int result = read_oom_kills(watch->memory_fd, &kills) < 0 ? 0 : CGROUP_COUNT_READ;
	int populated = cgroup_read_event(watch->events_fd, "populated");

	if (populated < 0 && !is_gone(populated))
		return populated;
	if (populated != 1)
		result = CGROUP_EMPTY | (read_oom_kills(watch->memory_fd, &kills) < 0 ? 0 : CGROUP_COUNT_READ);
	/* The memory controller was disabled: poll(2) on the descriptor would return at once from now on. */
	if (result == 0)
		fd_close(&watch->memory_fd);
	if (kills > watch->oom_kills)
		result |= CGROUP_OOM;
	watch->oom_kills = kills;
	return result;
}

int cgroup_watch_wait(struct cgroup_watch *watch, int64_t timeout_ms)
{
	int64_t deadline = time_ms() + timeout_ms;

	for (;;) {
		struct pollfd fds[2] = {{.fd = watch->events_fd, .events = POLLPRI},
					{.fd = watch->memory_fd, .events = POLLPRI}};
		int result = cgroup_watch_read(watch);
		int64_t left = deadline - time_ms();
		struct timespec time = {0};

		if (result < 0)
			return result;
		result &= ~CGROUP_COUNT_READ;
		if (result != 0 || left <= 0)
			return result;
		left = left < RECHECK_MS ? left : RECHECK_MS;
		time.tv_nsec = left * 1000000;
		k_ppoll(fds, ARRAY_SIZE(fds), &time, NULL);
	}
}
