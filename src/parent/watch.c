/* SPDX-License-Identifier: Apache-2.0 */
/* Starts the watcher of a scope's counters; see watch.h. Process: the parent, as in child.c. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>

#include <tare/sys.h>
#include <tare/systemd.h>

#include "steps.h"
#include "watch.h"

/* The watcher's program, linked into this one; see embed.S. */
extern const char tare_watch_start[], tare_watch_end[];

static int execute(int program_fd, const int *fds, const char *id)
{
	char *args[] = {(char[]){"tare"}, (char[]){"watch"}, mem_dup(id), NULL}, *nothing[] = {NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	char path[32];
	pid_t pid;
	int r = 0;

	str_format(path, sizeof path, "/proc/self/fd/%d", program_fd);
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	/* All numbers are set, so that the watcher uses no descriptor of the caller for one of them. */
	for (int i = 0; i < WATCH_FDS && r == 0; i++)
		r = posix_spawn_file_actions_adddup2(&actions, fds[i], i);
	posix_spawnattr_setflags(&attributes,
				 POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	if (r == 0)
		r = posix_spawn(&pid, path, &actions, &attributes, args, nothing);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	mem_free(&args[2]);
	return -r;
}

/* Gives *fd a number that posix_spawn does not assign. */
static int move_up(int *fd)
{
	int lifted = k_fcntl(*fd, F_DUPFD_CLOEXEC, WATCH_FDS);

	if (lifted < 0)
		return lifted;
	fd_close(fd);
	*fd = lifted;
	return 0;
}

static int start(int program_fd, struct cgroup_watch *watch, const struct watched *watched, struct err *err)
{
	_cleanup_fd_ int end_fd = state_open_end(watched->dir_fd, err);
	_cleanup_fd_ int init_fd = k_fcntl(watched->pidfd, F_DUPFD_CLOEXEC, WATCH_FDS);
	int r = init_fd;

	if (end_fd < 0)
		return end_fd;
	if (r >= 0)
		r = move_up(&end_fd);
	if (r >= 0)
		r = move_up(&watch->events_fd);
	if (r >= 0)
		r = move_up(&watch->memory_fd);
	if (r >= 0)
		r = execute(program_fd,
			    (int[WATCH_FDS]){[WATCH_FD_END] = end_fd,
					     [WATCH_FD_EVENTS] = watch->events_fd,
					     [WATCH_FD_MEMORY] = watch->memory_fd,
					     [WATCH_FD_INIT] = init_fd},
			    watched->id);
	return r < 0 ? err_system(err, r, "cannot start the watcher of the unit's memory") : 0;
}

int watch_start(const struct watched *watched, struct err *err)
{
	_cleanup_fd_ int program_fd = memfd_seal_copy(
		"tare", tare_watch_start, (size_t)(tare_watch_end - tare_watch_start), MFD_EXEC, err);
	struct cgroup_watch watch;
	int r;

	if (program_fd < 0)
		return program_fd;
	r = move_up(&program_fd);
	if (r < 0)
		return err_system(err, r, "cannot start the watcher of the unit's memory");
	r = cgroup_watch_open(watched->cgroup_fd, &watch, err);
	if (r >= 0 && watch.memory_fd < 0)
		r = err_system(err, ENOENT, "cannot watch the memory of unit %s", watched->unit);
	if (r >= 0)
		r = start(program_fd, &watch, watched, err);
	cgroup_watch_close(&watch);
	return r;
}
