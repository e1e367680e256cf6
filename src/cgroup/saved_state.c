/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a cgroup was like that somebody else has made, before a container came into it: it stays when the
 * container goes, and is then as it was. It remembers that itself, beside the mark, so that whoever removes
 * what a killed creator has left knows it, too: the owner's uid, then names and contents of files, each with a
 * NUL.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"

#define MEMORY_MAX ((size_t)64 << 10) /* XATTR_SIZE_MAX of the kernel */

static const char *const names[] = {"trusted.tare.before", "user.tare.before"};

static bool has_suffix(const char *name, const char *suffix)
{
	size_t len = strlen(name), suffix_len = strlen(suffix);

	return len > suffix_len && str_equal(name + len - suffix_len, suffix);
}

/* Of the core's files two are limits, and what is written into pressure and peak is not what is read. */
static bool is_limit(int dir_fd, const char *name)
{
	bool is_of_core = str_has_prefix(name, "cgroup.") && !str_has_prefix(name, "cgroup.max.");
	struct stat stat;

	return !is_of_core && !has_suffix(name, ".pressure") && !has_suffix(name, ".peak") &&
	       k_fstatat(dir_fd, name, &stat, AT_SYMLINK_NOFOLLOW) >= 0 && S_ISREG(stat.st_mode) &&
	       (stat.st_mode & (S_IRUSR | S_IWUSR)) == (S_IRUSR | S_IWUSR);
}

static int collect(int cgroup_fd, struct buf *memory)
{
	int fd = k_openat(cgroup_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (dir == NULL) {
		fd_close(&fd);
		return fd < 0 ? fd : -ENOMEM;
	}
	while ((entry = readdir(dir)) != NULL) {
		_cleanup_buf_ struct buf value = {0};

		/* Some can only be read while their controller is at work here. */
		if (!is_limit(cgroup_fd, entry->d_name) ||
		    io_read_file(cgroup_fd, entry->d_name, MEMORY_MAX, &value) < 0)
			continue;
		buf_add(memory, entry->d_name, strlen(entry->d_name) + 1);
		buf_add(memory, value.data, value.len);
		buf_add(memory, "", 1);
	}
	closedir(dir);
	return 0;
}

static ssize_t recall(int cgroup_fd, char *memory, size_t size)
{
	ssize_t len = -ENODATA;

	for (size_t i = 0; i < ARRAY_SIZE(names) && len == -ENODATA; i++)
		len = k_fgetxattr(cgroup_fd, names[i], memory, size);
	return len;
}

static int fail(struct err *err, int r)
{
	return err_system(err, r, "cannot remember the limits that the cgroup has");
}

int cgroup_save_state(int cgroup_fd, struct err *err)
{
	_cleanup_buf_ struct buf memory = {0};
	struct stat stat;
	char one;
	ssize_t known = recall(cgroup_fd, &one, sizeof one);
	int r = k_fstatat(cgroup_fd, "", &stat, AT_EMPTY_PATH);

	/* An earlier container, which nobody has deleted, has come to it before. */
	if (known >= 0 || known == -ERANGE)
		return 0;
	r = known != -ENODATA ? (int)known : r;
	if (r < 0)
		return fail(err, r);
	buf_format(&memory, "%u", stat.st_uid);
	buf_add(&memory, "", 1);
	r = collect(cgroup_fd, &memory);
	if (r < 0)
		return fail(err, r);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		r = k_fsetxattr(cgroup_fd, names[i], memory.data, memory.len, 0);
		if (r >= 0)
			return 0;
	}
	return fail(err, r);
}

/* --- and back --- */

static bool has_line(const char *text, const char *key, size_t len)
{
	for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + (strchr(line, '\n') != NULL))
		if (strncmp(line, key, len) == 0 && line[len] == ' ')
			return true;
	return false;
}

/*
 * The kernel may not take a value any more: the file's controller is gone, or another value stands against it.
 * That is as far as it goes; every other failure is one.
 */
static void keep_worst(int *result, int r)
{
	bool is_refusal = r == -EINVAL || r == -ERANGE || r == -EBUSY || r == -EOPNOTSUPP || r == -ENOENT ||
			  r == -ENODEV || r == -ENOSPC;

	if (*result >= 0 && r < 0 && !is_refusal)
		*result = r;
}

/* A line for each device or resource: those that have come are taken away, those that were are written. */
static int restore_lines(int cgroup_fd, const char *file, char *now, const char *before, const char *none)
{
	_cleanup_free_ char *wanted = mem_dup(before);
	int r = 0;
	char *line;

	while ((line = strsep(&now, "\n")) != NULL) {
		size_t len = strcspn(line, " ");
		_cleanup_free_ char *text = mem_format("%.*s %s", (int)len, line, none);

		if (len > 0 && !has_line(before, line, len))
			keep_worst(&r, io_write_file(cgroup_fd, file, text, strlen(text)));
	}
	for (char *rest = wanted; (line = strsep(&rest, "\n")) != NULL;)
		if (line[0] != '\0')
			keep_worst(&r, io_write_file(cgroup_fd, file, line, strlen(line)));
	return r;
}

static int restore_file(int cgroup_fd, const char *file, const char *before)
{
	const char *none = cgroup_keyed_none(file);
	_cleanup_buf_ struct buf now = {0};
	int r = io_read_file(cgroup_fd, file, MEMORY_MAX, &now);

	if (r < 0)
		return r;
	buf_add(&now, "", 1);
	if (str_equal(now.data, before))
		return 0;
	if (none != NULL)
		return restore_lines(cgroup_fd, file, now.data, before, none);
	return io_write_file(cgroup_fd, file, before, strlen(before));
}

/* The text behind the NUL of the one at *at, which moves there; NULL at the end. */
static const char *next_text(const char **at, const char *end)
{
	const char *text = *at;
	const char *nul = text < end ? memchr(text, '\0', (size_t)(end - text)) : NULL;

	*at = nul == NULL ? end : nul + 1;
	return nul == NULL ? NULL : text;
}

static int restore(int cgroup_fd, const char *memory, size_t len)
{
	int r = 0;
	const char *at = memory, *end = memory + len, *file, *before;
	const char *owner = next_text(&at, end);
	struct stat stat;
	struct err ignored;
	uint64_t uid;

	while ((file = next_text(&at, end)) != NULL && (before = next_text(&at, end)) != NULL)
		if (strchr(file, '/') == NULL && is_limit(cgroup_fd, file))
			keep_worst(&r, restore_file(cgroup_fd, file, before));
	if (owner != NULL && str_to_u64(owner, UINT32_MAX, &uid) &&
	    k_fstatat(cgroup_fd, "", &stat, AT_EMPTY_PATH) >= 0 && stat.st_uid != uid)
		keep_worst(&r, cgroup_chown(cgroup_fd, (uid_t)uid, &ignored));
	return r;
}

/* Its owner attribute goes last, and only if all of it is as before: the next delete then goes on here. */
int cgroup_restore_state(int cgroup_fd, struct err *err)
{
	_cleanup_free_ char *memory = mem_alloc(MEMORY_MAX);
	ssize_t len = recall(cgroup_fd, memory, MEMORY_MAX);
	int r = cgroup_devices_clear(cgroup_fd, err), thawed;

	if (r < 0)
		return r;
	r = len < 0 && len != -ENODATA ? (int)len : 0;
	thawed = io_write_file(cgroup_fd, "cgroup.freeze", "0", 1);
	keep_worst(&r, thawed);
	/* Twice: an idle cgroup takes no weight, a burst is never above its quota, and the order is none. */
	for (int i = 0; i < 2 && r >= 0 && len > 0; i++)
		r = restore(cgroup_fd, memory, (size_t)len);
	for (size_t i = 0; i < ARRAY_SIZE(names) && r >= 0; i++) {
		int removed = k_fremovexattr(cgroup_fd, names[i]);

		if (removed < 0 && removed != -ENODATA && removed != -EPERM && removed != -EOPNOTSUPP)
			r = removed;
	}
	if (r < 0)
		return err_system(err, r, "cannot put back what the cgroup had before the container");
	cgroup_owner_clear(cgroup_fd);
	return 0;
}
