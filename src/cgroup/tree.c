/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists the processes of a cgroup and all cgroups below it, and removes these cgroups. A container may have
 * made thousands of cgroups, in one directory or nested. Both walks are therefore iterative, use a fixed number
 * of descriptors, build no path that could become too long, and return to the parent through "..". That is
 * reliable because a directory of cgroup2 cannot be renamed or moved (cgroup-v2.rst).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"

#define BLOCK 4096

/* The next cgroup below the directory: 1 with *ret, 0 at the end, or -errno. */
static int next_child(struct dir_reader *reader, const struct dir_entry **ret)
{
	int r;

	do
		r = dir_next(reader, ret);
	while (r > 0 && (*ret)->type != DT_DIR);
	return r;
}

static int move_to(int *fd, int new_fd)
{
	if (new_fd < 0)
		return new_fd;
	fd_close(fd);
	*fd = new_fd;
	return 0;
}

static int move_down(int *fd, const char *name)
{
	return move_to(fd, path_open_beneath(*fd, name, O_RDONLY | O_DIRECTORY, 0));
}

static int move_up(int *fd)
{
	return move_to(fd, k_openat(*fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0));
}

/* --- processes --- */

struct pid_list {
	pid_t *pids;
	size_t count, cap;
	bool has_invisible; /* a process is not in this pid namespace */
};

static void pid_list_add(struct pid_list *list, pid_t pid)
{
	if (list->count == list->cap) {
		list->cap = list->cap == 0 ? 64 : list->cap * 2;
		list->pids = mem_resize(list->pids, list->cap * sizeof *list->pids);
	}
	list->pids[list->count++] = pid;
}

static void pid_list_done(struct pid_list *list)
{
	free(list->pids);
}

#define PROCS_MAX ((size_t)64 << 20) /* bytes: more than PID_MAX_LIMIT lines */

/* The pid of the process that has the thread tid; 0 if it does not exist. */
static pid_t read_thread_group(uint64_t tid)
{
	static const char key[] = "\nTgid:\t";
	char path[48], status[512];
	const char *at;
	pid_t pid = 0;

	str_format(path, sizeof path, "/proc/%llu/status", (unsigned long long)tid);
	/* Only the first lines are needed. With EFBIG they are in the buffer, without a NUL. */
	memset(status, 0, sizeof status);
	(void)!io_read_small(AT_FDCWD, path, 0, status, sizeof status - 1);
	at = strstr(status, key);
	for (at = at == NULL ? "" : at + sizeof key - 1; *at >= '0' && *at <= '9'; at++)
		pid = pid * 10 + (*at - '0');
	return pid;
}

/*
 * A threaded cgroup only lists its threads (reading cgroup.procs fails with EOPNOTSUPP). Their processes may
 * also be listed by an ancestor of type "domain", so duplicates are possible.
 */
static int add_processes(int fd, struct pid_list *list)
{
	_cleanup_buf_ struct buf text = {0};
	int r = io_read_file(fd, "cgroup.procs", PROCS_MAX, &text);
	bool is_threaded = r == -EOPNOTSUPP;

	if (is_threaded)
		r = io_read_file(fd, "cgroup.threads", PROCS_MAX, &text);
	if (is_gone(r))
		return 0;
	if (r < 0)
		return r;
	for (char *line = text.data, *end; line != NULL && *line != '\0'; line = end + 1) {
		uint64_t pid;

		end = strchr(line, '\n');
		if (end == NULL)
			break;
		*end = '\0';
		if (!str_to_u64(line, INT32_MAX, &pid))
			return -EBADMSG;
		list->has_invisible |= pid == 0;
		pid_list_add(list, is_threaded ? read_thread_group(pid) : (pid_t)pid);
	}
	return 0;
}

struct walk {
	int fd;
	int64_t *resume; /* for each level above, the position at which its listing continues */
	size_t depth, cap;
};

static void walk_done(struct walk *walk)
{
	fd_close(&walk->fd);
	free(walk->resume);
}

/* Moves to the next child of the current directory, or up if there is none. 1, 0 at the end, or -errno. */
static int walk_step(struct walk *walk, bool *ret_is_new)
{
	_Alignas(struct dir_entry) char block[BLOCK];
	struct dir_reader reader = {.fd = walk->fd, .block = block, .size = sizeof block};
	const struct dir_entry *entry;
	int r = next_child(&reader, &entry);

	if (r < 0 && !is_gone(r))
		return r;
	if (r <= 0) {
		if (walk->depth == 0)
			return 0;
		r = move_up(&walk->fd);
		if (r == 0)
			r = (int)(k_lseek(walk->fd, walk->resume[--walk->depth], SEEK_SET) < 0 ? -EIO : 0);
		*ret_is_new = false;
		return r < 0 ? r : 1;
	}
	r = move_down(&walk->fd, entry->name);
	*ret_is_new = r == 0;
	if (r < 0) /* removed meanwhile: continue after it */
		return is_gone(r) ? (k_lseek(walk->fd, entry->next, SEEK_SET) < 0 ? -EIO : 1) : r;
	if (walk->depth == walk->cap) {
		walk->cap = walk->cap == 0 ? 16 : walk->cap * 2;
		walk->resume = mem_resize(walk->resume, walk->cap * sizeof *walk->resume);
	}
	walk->resume[walk->depth++] = entry->next;
	return 1;
}

#define WALK_MS 10000

static int collect(int cgroup_fd, struct pid_list *list)
{
	__attribute__((cleanup(walk_done))) struct walk walk = {.fd = -1};
	int64_t deadline = time_ms() + WALK_MS;
	bool is_new = true;
	int r = 1;

	walk.fd = k_openat(cgroup_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (walk.fd < 0 && !is_gone(walk.fd))
		return walk.fd;
	while (walk.fd >= 0 && r > 0) {
		r = is_new ? add_processes(walk.fd, list) : 0;
		if (r == 0)
			r = walk_step(&walk, &is_new);
		if (r > 0 && time_ms() >= deadline)
			r = -EBUSY;
	}
	return r < 0 && !is_gone(r) ? r : 0;
}

int cgroup_pids_collect(int cgroup_fd, pid_t **ret_pids, size_t *ret_count)
{
	__attribute__((cleanup(pid_list_done))) struct pid_list list = {0};
	int r = collect(cgroup_fd, &list);

	if (r < 0)
		return r;
	*ret_count = list.count;
	*ret_pids = take_ptr(list.pids);
	return 0;
}

static int compare_pids(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

int cgroup_pids(int cgroup_fd, pid_t **ret_pids, struct err *err)
{
	__attribute__((cleanup(pid_list_done))) struct pid_list list = {0};
	int r = collect(cgroup_fd, &list);
	size_t unique = 0;
	pid_t *pids;

	if (r < 0) {
		r = err_system(err, r, "cannot list the processes of the cgroup");
		if (r == -EBUSY)
			err_hint(err, "there are %llu cgroups below it; 'kill --all' with KILL needs no list",
				 (unsigned long long)cgroup_event_count(cgroup_fd, "cgroup.stat",
									"nr_descendants"));
		return r;
	}
	if (list.has_invisible) {
		err_set(err, ERR_STATE, 0, NULL,
			"cannot list the processes of the cgroup: some are not visible in this pid namespace");
		err_hint(err, "run this command in the pid namespace in which the container was created");
		return -EXDEV;
	}
	pids = list.pids == NULL ? mem_alloc(sizeof *pids) : take_ptr(list.pids);
	qsort(pids, list.count, sizeof *pids, compare_pids);
	/*
	 * 0 is a thread that exited meanwhile. A process with several threads in threaded cgroups, or one that
	 * was moved during the walk, is listed more than once.
	 */
	for (size_t i = 0; i < list.count; i++)
		if (pids[i] > 0 && (unique == 0 || pids[i] != pids[unique - 1]))
			pids[unique++] = pids[i];
	*ret_pids = pids;
	return (int)unique;
}

/* --- seals --- */

#define MAX_DESCENDANTS "cgroup.max.descendants"

void cgroup_seal(int cgroup_fd, struct cgroup_seal *ret)
{
	*ret = (struct cgroup_seal){.cgroup_fd = cgroup_fd};
	if (io_read_small(cgroup_fd, MAX_DESCENDANTS, O_NOFOLLOW, ret->old, sizeof ret->old) < 0 ||
	    str_equal(ret->old, "0\n") || io_write_file(cgroup_fd, MAX_DESCENDANTS, "0", 1) < 0)
		ret->old[0] = '\0';
}

void cgroup_unseal(const struct cgroup_seal *seal)
{
	if (seal->old[0] != '\0')
		(void)!io_write_file(seal->cgroup_fd, MAX_DESCENDANTS, seal->old, strlen(seal->old));
}

/* --- removal --- */

#define BUSY_MS 10000   /* for processes that are dying */
#define REMOVE_MS 30000 /* for the whole removal */

struct removal {
	int64_t start;
	struct cgroup_pause pause;
};

static bool is_too_long(const struct removal *removal)
{
	return time_ms() >= removal->start + REMOVE_MS;
}

/* Waits a moment for processes that are dying; -EBUSY after BUSY_MS. */
static int removal_wait(struct removal *removal)
{
	if (time_ms() >= removal->start + BUSY_MS)
		return -EBUSY;
	cgroup_sleep(&removal->pause);
	return 0;
}

/*
 * Removes the children of the directory *fd up to the first one that is busy, then moves *fd down to that one
 * and returns 1; 0 if no child is left. *ret_removed is the number of children removed. -EBUSY after REMOVE_MS:
 * the owner of a delegated cgroup can make new cgroups as fast as they are removed.
 */
static int remove_level(int *fd, const struct removal *removal, unsigned int *ret_removed)
{
	_Alignas(struct dir_entry) char block[BLOCK];
	struct dir_reader reader = {.fd = *fd, .block = block, .size = sizeof block};
	const struct dir_entry *entry;
	int r;

	*ret_removed = 0;
	if (k_lseek(*fd, 0, SEEK_SET) < 0)
		return -EIO;
	for (;;) {
		r = next_child(&reader, &entry);
		if (r <= 0)
			return is_gone(r) ? 0 : r;
		if (is_too_long(removal))
			return -EBUSY;
		r = k_unlinkat(*fd, entry->name, AT_REMOVEDIR);
		*ret_removed += r == 0;
		if (r == -EBUSY) {
			r = move_down(fd, entry->name);
			if (r == 0)
				return 1;
		}
		if (r < 0 && !is_gone(r))
			return r;
	}
}

/* Removes all cgroups below top_fd. 1 if it has removed any, 0 if not, or -errno. */
static int remove_below(int top_fd, struct removal *removal)
{
	_cleanup_fd_ int fd = k_openat(top_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	bool is_first_visit = false, had_any = false;
	size_t depth = 0;

	if (fd < 0)
		return fd;
	for (;;) {
		unsigned int removed;
		int r = remove_level(&fd, removal, &removed);

		had_any |= removed > 0;
		if (r == 1) {
			depth++;
			is_first_visit = true;
			continue;
		}
		if (r < 0 || depth == 0)
			return r < 0 ? r : had_any;
		if (removed > 0 || !is_first_visit)
			removal->pause = (struct cgroup_pause){0};
		else /* busy although it has no children: it has processes */
			r = removal_wait(removal);
		if (r == 0)
			r = move_up(&fd);
		if (r < 0)
			return r;
		depth--;
		is_first_visit = false;
	}
}

/* rmdir(2). On a read-only mount a directory that does not exist gives EROFS; here it gives ENOENT. */
static int remove_directory(int parent_fd, const char *name)
{
	int r = k_unlinkat(parent_fd, name, AT_REMOVEDIR);

	if (r == -EROFS && k_faccessat2(parent_fd, name, 0 /* F_OK */, AT_SYMLINK_NOFOLLOW) == -ENOENT)
		return -ENOENT;
	return r;
}

/*
 * Removes parent/name and all cgroups below it. The container's user may own the cgroup and make more cgroups
 * meanwhile. It does not own cgroup.max.descendants, so that setting this limit to 0 ends the race.
 */
static int remove_tree(int parent_fd, const char *name, struct removal *removal)
{
	for (;;) {
		_cleanup_fd_ int fd = -1;
		int r = remove_directory(parent_fd, name);

		if (r != -EBUSY)
			return r;
		fd = path_open_beneath(parent_fd, name, O_RDONLY | O_DIRECTORY, 0);
		if (fd < 0)
			return fd;
		(void)!io_write_file(fd, MAX_DESCENDANTS, "0", 1);
		r = is_too_long(removal) ? -EBUSY : remove_below(fd, removal);
		/* Only processes are left, or another process removes the same cgroups: try again later. */
		if (r == 0 || is_gone(r))
			r = removal_wait(removal);
		if (r < 0)
			return r;
	}
}

/* Removes the next created - 1 parents, as long as they are empty. */
static int remove_parents(int mount_fd, struct cgroup_path *at, unsigned int created)
{
	for (; created > 1; created--) {
		const char *name = cgroup_path_pop(at);
		_cleanup_fd_ int parent_fd = name == NULL ? -ENOENT : cgroup_path_open(mount_fd, at, O_PATH);
		int r = parent_fd < 0 ? parent_fd : remove_directory(parent_fd, name);

		if (name == NULL || r == -EBUSY)
			return 0;
		if (r < 0 && !is_gone(r))
			return r;
	}
	return 0;
}

/* The cgroup parent_fd/name could not be removed within the time limits. */
static void hint_busy(int parent_fd, const char *name, struct err *err)
{
	_cleanup_fd_ int fd = path_open_beneath(parent_fd, name, O_RDONLY | O_DIRECTORY, 0);
	int populated = fd < 0 ? fd : cgroup_is_populated(fd);

	if (populated > 0)
		err_hint(err, "it still has processes: delete continues from here");
	else if (populated == 0)
		err_hint(err, "it still has %llu cgroups below it: delete continues from here",
			 (unsigned long long)cgroup_event_count(fd, "cgroup.stat", "nr_descendants"));
}

int cgroup_remove(int mount_fd, const char *path, unsigned int created, struct err *err)
{
	struct removal removal = {.start = time_ms()};
	_cleanup_fd_ int parent_fd = -1;
	struct cgroup_path at;
	const char *name;
	int r = cgroup_path_init(&at, path);

	name = r < 0 ? NULL : cgroup_path_pop(&at);
	if (name == NULL)
		return err_system(err, EINVAL, "cannot remove cgroup '%s'", path);
	parent_fd = cgroup_path_open(mount_fd, &at, O_PATH);
	r = parent_fd < 0 ? parent_fd : remove_tree(parent_fd, name, &removal);
	if (r < 0 && !is_gone(r)) {
		r = err_system(err, r, "cannot remove cgroup '%s'", path);
		if (r == -EBUSY)
			hint_busy(parent_fd, name, err);
		return r;
	}
	r = remove_parents(mount_fd, &at, created);
	return r < 0 ? err_system(err, r, "cannot remove the cgroups above '%s'", path) : 0;
}
