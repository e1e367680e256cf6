/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Saves the state of a cgroup that tare has not made, before a container uses it, and restores it when the
 * container is removed. It is stored in an extended attribute of the cgroup, so that a command that cleans up
 * after a killed creator finds it, too. The value is the owner's uid, then the name and the content of each
 * file, each of these terminated by a NUL.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "file.h"

#define STATE_MAX ((size_t)64 << 10) /* XATTR_SIZE_MAX of the kernel */

/* The first one that the kernel lets the caller write is used, as for the owner attribute. */
static const char *const names[] = {"trusted.tare.before", "user.tare.before"};

static bool has_suffix(const char *name, const char *suffix)
{
	size_t len = strlen(name), suffix_len = strlen(suffix);

	return len > suffix_len && str_equal(name + len - suffix_len, suffix);
}

/*
 * Whether a file is a limit: a regular file that its owner can read and write. Of the files cgroup.* only
 * cgroup.max.* are limits, and files *.pressure and *.peak accept other text than they return.
 */
static bool is_limit(int dir_fd, const char *name)
{
	bool is_of_core = str_has_prefix(name, "cgroup.") && !str_has_prefix(name, "cgroup.max.");
	struct stat stat;

	return !is_of_core && !has_suffix(name, ".pressure") && !has_suffix(name, ".peak") &&
	       k_fstatat(dir_fd, name, &stat, AT_SYMLINK_NOFOLLOW) >= 0 && S_ISREG(stat.st_mode) &&
	       (stat.st_mode & (S_IRUSR | S_IWUSR)) == (S_IRUSR | S_IWUSR);
}

static int collect(int cgroup_fd, struct buf *state)
{
	_cleanup_fd_ int fd = k_openat(cgroup_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	_Alignas(struct dir_entry) char block[4096];
	struct dir_reader reader = {.fd = fd, .block = block, .size = sizeof block};
	const struct dir_entry *entry;
	int r = fd;

	while (r >= 0 && (r = dir_next(&reader, &entry)) > 0) {
		_cleanup_buf_ struct buf value = {0};

		/* Some files cannot be read while their controller is not active in this cgroup. */
		if (!is_limit(cgroup_fd, entry->name) ||
		    io_read_file(cgroup_fd, entry->name, STATE_MAX, &value) < 0)
			continue;
		buf_add(state, entry->name, strlen(entry->name) + 1);
		buf_add(state, value.data, value.len);
		buf_add(state, "", 1);
	}
	return r;
}

/* The length of the stored state, -ENODATA if there is none, -ERANGE if it is longer than size, or -errno. */
static ssize_t read_stored(int cgroup_fd, char *state, size_t size)
{
	ssize_t len = -ENODATA;

	for (size_t i = 0; i < ARRAY_SIZE(names) && len == -ENODATA; i++)
		len = k_fgetxattr(cgroup_fd, names[i], state, size);
	return len;
}

static int save_fail(struct err *err, int r)
{
	return err_system(err, r, "cannot store the previous limits of the cgroup");
}

int cgroup_save_state(int cgroup_fd, struct err *err)
{
	_cleanup_buf_ struct buf state = {0};
	struct stat stat;
	char one;
	ssize_t stored = read_stored(cgroup_fd, &one, sizeof one);
	int r = k_fstatat(cgroup_fd, "", &stat, AT_EMPTY_PATH);

	/* The state was stored for an earlier container in this cgroup that has not been deleted. */
	if (stored >= 0 || stored == -ERANGE)
		return 0;
	r = stored != -ENODATA ? (int)stored : r;
	if (r < 0)
		return save_fail(err, r);
	buf_format(&state, "%u", stat.st_uid);
	buf_add(&state, "", 1);
	r = collect(cgroup_fd, &state);
	if (r < 0)
		return save_fail(err, r);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		r = k_fsetxattr(cgroup_fd, names[i], state.data, state.len, 0);
		if (r >= 0)
			return 0;
	}
	return save_fail(err, r);
}

/* --- restoring --- */

static bool has_line(const char *text, const char *key, size_t len)
{
	for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + (strchr(line, '\n') != NULL))
		if (strncmp(line, key, len) == 0 && line[len] == ' ')
			return true;
	return false;
}

/*
 * Stores the first failure in *result. It is no failure if the kernel refuses a value that it accepted earlier:
 * the file's controller may have been disabled, or the value may conflict with another one.
 */
static void keep_failure(int *result, int r)
{
	bool is_refusal = r == -EINVAL || r == -ERANGE || r == -EBUSY || r == -EOPNOTSUPP || r == -ENOENT ||
			  r == -ENODEV || r == -ENOSPC;

	if (*result >= 0 && r < 0 && !is_refusal)
		*result = r;
}

/*
 * A keyed file has one line for each device or resource. Writes none for each line that did not exist when the
 * cgroup was saved, then the saved lines.
 */
static int restore_lines(int cgroup_fd, const char *file, char *now, const char *before, const char *none)
{
	_cleanup_free_ char *old = mem_dup(before);
	int r = 0;
	char *line;

	while ((line = strsep(&now, "\n")) != NULL) {
		size_t len = strcspn(line, " ");
		_cleanup_free_ char *text = mem_format("%.*s %s", (int)len, line, none);

		if (len > 0 && !has_line(before, line, len))
			keep_failure(&r, io_write_file(cgroup_fd, file, text, strlen(text)));
	}
	for (char *rest = old; (line = strsep(&rest, "\n")) != NULL;)
		if (line[0] != '\0')
			keep_failure(&r, io_write_file(cgroup_fd, file, line, strlen(line)));
	return r;
}

static int restore_file(int cgroup_fd, const char *file, const char *before)
{
	const char *none = cgroup_keyed_none(file);
	_cleanup_buf_ struct buf now = {0};
	int r = io_read_file(cgroup_fd, file, STATE_MAX, &now);

	if (r < 0)
		return r;
	buf_add(&now, "", 1);
	if (str_equal(now.data, before))
		return 0;
	if (none != NULL)
		return restore_lines(cgroup_fd, file, now.data, before, none);
	return io_write_file(cgroup_fd, file, before, strlen(before));
}

/* Returns the text at *at and advances *at beyond its NUL; NULL at the end. */
static const char *next_text(const char **at, const char *end)
{
	const char *text = *at;
	const char *nul = text < end ? memchr(text, '\0', (size_t)(end - text)) : NULL;

	*at = nul == NULL ? end : nul + 1;
	return nul == NULL ? NULL : text;
}

static int restore(int cgroup_fd, const char *state, size_t len)
{
	int r = 0;
	const char *at = state, *end = state + len, *file, *before;
	const char *owner = next_text(&at, end);
	struct stat stat;
	struct err ignored;
	uint64_t uid;

	while ((file = next_text(&at, end)) != NULL && (before = next_text(&at, end)) != NULL)
		if (strchr(file, '/') == NULL && is_limit(cgroup_fd, file))
			keep_failure(&r, restore_file(cgroup_fd, file, before));
	if (owner != NULL && str_to_u64(owner, UINT32_MAX, &uid) &&
	    k_fstatat(cgroup_fd, "", &stat, AT_EMPTY_PATH) >= 0 && stat.st_uid != uid)
		keep_failure(&r, cgroup_chown(cgroup_fd, (uid_t)uid, &ignored));
	return r;
}

/* The owner attribute is removed last, and only after a success, so that the next delete tries again. */
int cgroup_restore_state(int cgroup_fd, struct err *err)
{
	_cleanup_free_ char *state = mem_alloc(STATE_MAX);
	ssize_t len = read_stored(cgroup_fd, state, STATE_MAX);
	int r = cgroup_devices_clear(cgroup_fd, err);

	if (r < 0)
		return r;
	r = len < 0 && len != -ENODATA ? (int)len : 0;
	keep_failure(&r, io_write_file(cgroup_fd, "cgroup.freeze", "0", 1));
	/*
	 * Twice, because some values depend on others and the files have no order: the kernel refuses a weight
	 * for an idle cgroup, and a burst above the quota.
	 */
	for (int i = 0; i < 2 && r >= 0 && len > 0; i++)
		r = restore(cgroup_fd, state, (size_t)len);
	for (size_t i = 0; i < ARRAY_SIZE(names) && r >= 0; i++) {
		int removed = k_fremovexattr(cgroup_fd, names[i]);

		if (removed < 0 && removed != -ENODATA && removed != -EPERM && removed != -EOPNOTSUPP)
			r = removed;
	}
	if (r < 0)
		return err_system(err, r, "cannot restore the limits that the cgroup had before the container");
	cgroup_owner_clear(cgroup_fd);
	return 0;
}
