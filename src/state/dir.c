/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory for each container, below the root directory. A name that begins with "~" is no container's,
 * because state_check_id refuses it: it is being removed, or its removal was interrupted.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "private.h"

#define CREATE_LOCK_MS 1000
#define CREATE_TRIES 16
#define REMOVED_PREFIX '~'
#define TEMPORARY_PREFIX "." STATE_RECORD_NAME "." /* of io_replace_file */

/* --- ids --- */

int state_fail(struct err *err, int errnum, const char *fmt, ...)
{
	char text[sizeof err->msg];
	va_list args;
	int r;

	va_start(args, fmt);
	str_vformat(text, sizeof text, fmt, args);
	va_end(args);
	r = err_set(err, ERR_STATE, errnum, NULL, "%s", text);
	err->errnum = 0;
	return r;
}

bool state_is_id(const char *id)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+.-";
	size_t len = strlen(id);

	return len > 0 && len <= 1024 && strspn(id, letters) == len && !str_equal(id, ".") &&
	       !str_equal(id, "..");
}

int state_check_id(const char *id, struct err *err)
{
	if (str_is_empty(id))
		return err_set(err, ERR_USAGE, 0, NULL, "container id cannot be empty");
	if (!state_is_id(id))
		return err_set(err, ERR_USAGE, 0, NULL, "invalid container ID format: '%s'", id);
	return 0;
}

bool state_is_trusted(const struct stat *stat)
{
	return (stat->st_uid == geteuid() || stat->st_uid == 0) && (stat->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* --- a container's directory --- */

int state_dir_name(int dir_fd, char *buf, size_t size)
{
	char link[64], path[PATH_MAX];
	const char *name;
	ssize_t len;

	str_format(link, sizeof link, "/proc/self/fd/%d", dir_fd);
	len = k_readlinkat(AT_FDCWD, link, path, sizeof path - 1);
	/* ENOENT here means that no procfs is mounted, not that the directory does not exist. */
	if (len < 0)
		return len == -ENOENT ? -ENODEV : (int)len;
	path[len] = '\0';
	name = strrchr(path, '/');
	/* "~..." was renamed, "... (deleted)" (proc(5)) was removed: neither is a valid id. */
	if (name == NULL || !state_is_id(name + 1))
		return -ENOENT;
	return (size_t)str_format(buf, size, "%s", name + 1) < size ? 0 : -ENAMETOOLONG;
}

int state_is_gone(int dir_fd)
{
	char name[NAME_MAX + 1];
	int r = state_dir_name(dir_fd, name, sizeof name);

	return r == -ENOENT ? 1 : r;
}

int state_fail_dir_name(struct err *err, int r)
{
	r = err_system(err, r, "cannot find the directory of the container");
	if (r == -ENODEV)
		err_hint(err, "a procfs has to be mounted on /proc");
	return r;
}

static void pause_ms(int ms)
{
	struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	k_ppoll(NULL, 0, &time, NULL);
}

/* flock(2) has no time limit, and interrupting it would need a signal. So it is tried repeatedly for one. */
int state_lock_within(int fd, int operation, int timeout_ms)
{
	int pause = 1;

	for (;;) {
		int r = k_flock(fd, timeout_ms < 0 ? operation : operation | LOCK_NB);

		if (r == -EINTR)
			continue;
		if (r != -EWOULDBLOCK)
			return r;
		if (timeout_ms <= 0)
			return -EBUSY;
		pause = pause < timeout_ms ? pause : timeout_ms;
		pause_ms(pause);
		timeout_ms -= pause;
		pause = pause < 25 ? pause * 2 : 50;
	}
}

int state_lock(int dir_fd, int timeout_ms, struct err *err)
{
	char name[NAME_MAX + 1];
	int r = state_lock_within(dir_fd, LOCK_EX, timeout_ms);

	if (r == -EBUSY)
		return state_fail(err, EBUSY, "another command is working on it");
	if (r < 0)
		return err_system(err, r, "cannot lock the directory of the container");
	/* The previous holder of the lock may have removed the container, and another may use the id by now. */
	r = state_dir_name(dir_fd, name, sizeof name);
	if (r == -ENOENT)
		return state_fail(err, ENOENT, "container does not exist");
	return r < 0 ? state_fail_dir_name(err, r) : 0;
}

static int open_child(int root_fd, const char *name)
{
	return k_openat(root_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
}

/* -EEXIST, or -EAGAIN if another command has removed the new directory (state_sweep) before it was locked. */
static int create_dir(int root_fd, const char *id, struct err *err)
{
	_cleanup_fd_ int fd = -1;
	int r = k_mkdirat(root_fd, id, 0700);

	if (r < 0)
		return r == -EEXIST ? r
				    : err_system(err, r, "cannot create the directory of container '%s'", id);
	fd = open_child(root_fd, id);
	if (fd < 0)
		r = fd == -ENOENT ? -EAGAIN
				  : err_system(err, fd, "cannot open the directory of container '%s'", id);
	/* A command that lists the containers may hold the lock for a moment (state_sweep). */
	if (r >= 0)
		r = state_lock(fd, CREATE_LOCK_MS, err);
	if (r >= 0)
		return take_fd(&fd);
	if (r == -ENOENT || r == -EAGAIN)
		return -EAGAIN;
	k_unlinkat(root_fd, id, AT_REMOVEDIR);
	return r;
}

int state_create_dir(int root_fd, const char *id, struct err *err)
{
	int fd, r = state_check_id(id, err);

	if (r < 0)
		return r;
	for (int i = 0; i < CREATE_TRIES; i++) {
		_cleanup_fd_ int old_fd = -1;

		fd = create_dir(root_fd, id, err);
		if (fd != -EEXIST && fd != -EAGAIN)
			return fd;
		if (fd == -EEXIST)
			old_fd = open_child(root_fd, id);
		if (fd == -EEXIST && old_fd != -ENOENT && (old_fd < 0 || !state_sweep(root_fd, old_fd, id)))
			break;
	}
	r = state_fail(err, EEXIST, "container with given ID already exists: '%s'", id);
	err_hint(err, "delete it first, or use another ID");
	return r;
}

int state_open_dir(int root_fd, const char *id, struct err *err)
{
	_cleanup_fd_ int fd = -1;
	struct stat stat;
	int r = state_check_id(id, err);

	if (r < 0)
		return r;
	fd = open_child(root_fd, id);
	if (fd == -ENOENT)
		return state_fail(err, ENOENT, "container does not exist");
	r = fd < 0 ? fd : k_fstat(fd, &stat);
	if (r < 0)
		return err_system(err, r, "cannot open the directory of container '%s'", id);
	if (!state_is_trusted(&stat))
		return state_fail(err, EPERM,
				  "another user owns or can write to the directory of container '%s'", id);
	return take_fd(&fd);
}

/* --- reading directories --- */

void state_names_done(struct state_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->names[i]);
	free(names->names);
}

static void names_add(struct state_names *names, const char *name)
{
	if (names->count == names->cap) {
		names->cap = names->cap == 0 ? 16 : names->cap * 2;
		names->names = mem_resize(names->names, names->cap * sizeof *names->names);
	}
	names->names[names->count++] = mem_dup(name);
}

int state_names_read(int dir_fd, struct state_names *names)
{
	_cleanup_fd_ int fd = k_openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	_Alignas(struct dir_entry) char block[8192];
	struct dir_reader reader = {.fd = fd, .block = block, .size = sizeof block};
	const struct dir_entry *entry;
	int r = fd;

	while (r >= 0 && (r = dir_next(&reader, &entry)) > 0)
		names_add(names, entry->name);
	return r;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* --- removal --- */

static int unlink_known(int dir_fd)
{
	static const char *const known[] = {
		STATE_RECORD_NAME, STATE_CONFIG_NAME, STATE_GATE_NAME, STATE_PLAN_NAME, STATE_END_NAME,
	};
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		r = k_unlinkat(dir_fd, known[i], 0);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	r = k_unlinkat(dir_fd, "notify", AT_REMOVEDIR);
	if (r == -ENOTEMPTY) {
		r = k_unlinkat(dir_fd, "notify/notify.sock", 0);
		if (r >= 0 || r == -ENOENT)
			r = k_unlinkat(dir_fd, "notify", AT_REMOVEDIR);
	}
	return r == -ENOENT ? 0 : r;
}

/* Most containers have none of these. */
static bool is_optional(const char *name)
{
	return str_has_prefix(name, TEMPORARY_PREFIX) || str_equal(name, STATE_REPORT_NAME) ||
	       str_equal(name, STATE_SIGNALS_NAME) || str_equal(name, STATE_MOUNTS_NAME);
}

static int unlink_optional(int dir_fd)
{
	_cleanup_state_names_ struct state_names names = {0};
	int r = state_names_read(dir_fd, &names);

	for (size_t i = 0; r == 0 && i < names.count; i++) {
		if (!is_optional(names.names[i]))
			continue;
		r = k_unlinkat(dir_fd, names.names[i], 0);
		if (r == -ENOENT)
			r = 0;
	}
	return r;
}

/*
 * Removes a directory that was a container's. Two processes may do so at the same time, so ENOENT is no error.
 */
static int remove_leftover(int root_fd, const char *name, int dir_fd)
{
	int r = unlink_known(dir_fd);

	if (r < 0 && r != -ENOENT)
		return r;
	r = k_unlinkat(root_fd, name, AT_REMOVEDIR);
	if (r == -ENOTEMPTY) {
		r = unlink_optional(dir_fd);
		if (r == 0)
			r = k_unlinkat(root_fd, name, AT_REMOVEDIR);
	}
	return r == -ENOENT ? 0 : r;
}

/*
 * Renames the directory to a name that no container can have. The name does not contain the id, which may be as
 * long as a name can be.
 */
static int rename_away(int root_fd, const char *id, char *ret_name, size_t size)
{
	int r = -EEXIST;

	for (unsigned int i = 0; r == -EEXIST && i < 1000; i++) {
		str_format(ret_name, size, "%c%d.%u", REMOVED_PREFIX, k_getpid(), i);
		r = k_renameat2(root_fd, id, root_fd, ret_name, RENAME_NOREPLACE);
		if (r == -EINVAL) /* a file system without the flag; only an empty directory can be replaced */
			r = k_renameat2(root_fd, id, root_fd, ret_name, 0);
		if (r == -ENOTEMPTY)
			r = -EEXIST;
	}
	return r;
}

int state_remove(int root_fd, int dir_fd, const char *id, struct err *err)
{
	char name[64];
	int r = state_check_id(id, err);

	if (r < 0)
		return r;
	r = rename_away(root_fd, id, name, sizeof name);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return err_system(err, r, "cannot rename the directory of container '%s'", id);
	r = remove_leftover(root_fd, name, dir_fd);
	return r < 0 ? err_system(err, r, "cannot remove the directory of container '%s'", id) : 1;
}

bool state_sweep(int root_fd, int dir_fd, const char *id)
{
	char name[NAME_MAX + 1];
	struct stat stat;
	struct err ignored;

	return k_flock(dir_fd, LOCK_EX | LOCK_NB) == 0 &&
	       k_fstatat(dir_fd, STATE_RECORD_NAME, &stat, AT_SYMLINK_NOFOLLOW) == -ENOENT &&
	       state_dir_name(dir_fd, name, sizeof name) == 0 && str_equal(name, id) &&
	       state_remove(root_fd, dir_fd, id, &ignored) >= 0;
}

/* A command that removes a container holds its lock. If the lock is free, that command was killed. */
static void sweep_removed(int root_fd, const char *name)
{
	_cleanup_fd_ int dir_fd = open_child(root_fd, name);

	if (dir_fd >= 0 && k_flock(dir_fd, LOCK_EX | LOCK_NB) == 0)
		(void)remove_leftover(root_fd, name, dir_fd);
}

static bool is_directory(int root_fd, const char *name)
{
	struct stat stat;

	return k_fstatat(root_fd, name, &stat, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(stat.st_mode);
}

int state_list(int root_fd, void (*on_id)(void *context, const char *id), void *context, struct err *err)
{
	_cleanup_state_names_ struct state_names names = {0};
	int r = state_names_read(root_fd, &names);

	if (r < 0)
		return err_system(err, r, "cannot list the containers");
	if (names.count > 0)
		qsort(names.names, names.count, sizeof *names.names, compare_names);
	for (size_t i = 0; i < names.count; i++) {
		const char *name = names.names[i];

		if (name[0] == REMOVED_PREFIX)
			sweep_removed(root_fd, name);
		else if (state_is_id(name) && is_directory(root_fd, name))
			on_id(context, name);
	}
	return 0;
}

static void on_container(void *context, const char *id)
{
	(void)context, (void)id;
}

void state_sweep_removed(int root_fd)
{
	struct err ignored;

	(void)!state_list(root_fd, on_container, NULL, &ignored);
}
