/* SPDX-License-Identifier: Apache-2.0 */
/* Writes limits to the files of a cgroup, reads its usage, and changes its owner (cgroup-v2.rst). */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "file.h"

/* --- writing --- */

static int write_fail(int cgroup_fd, int r, const struct cgroup_refused *refused, struct err *err)
{
	if (r == -ENOENT)
		err_set(err, ERR_UNSUPPORTED, 0, NULL, "cannot set '%s': the cgroup has no such file",
			refused->file);
	else
		err_system(err, r, "cannot set '%s' to '%.*s'", refused->file,
			   (int)strcspn(refused->value, "\n"), refused->value);
	cgroup_hint_refusal(cgroup_fd, r, refused, err);
	return r;
}

static int write_value(int cgroup_fd, const char *file, const char *value)
{
	return io_write_file(cgroup_fd, file, value, strlen(value));
}

int cgroup_write(int cgroup_fd, const struct plan *plan, const struct plan_cgroup_write *write, struct err *err)
{
	const char *file = plan_get(plan, write->file), *value = plan_get(plan, write->value);
	int r = write_value(cgroup_fd, file, value);

	/* EOPNOTSUPP: the file belongs to another I/O scheduler than the device's. */
	if ((r == -ENOENT || r == -EOPNOTSUPP) && write->other_file != 0) {
		file = plan_get(plan, write->other_file);
		value = plan_get(plan, write->other_value);
		r = write_value(cgroup_fd, file, value);
	}
	if (r == -ENOENT && (write->flags & PLAN_WRITE_OPTIONAL) != 0)
		return 0;
	if (r == -EINVAL && (write->flags & PLAN_WRITE_TENTATIVE) != 0)
		return 0;
	return r < 0 ? write_fail(cgroup_fd, r, &(struct cgroup_refused){file, value}, err) : 0;
}

/* --- reading --- */

int cgroup_read_number(int cgroup_fd, const char *file, uint64_t *ret)
{
	char text[32];
	int r = io_read_small(cgroup_fd, file, O_NOFOLLOW, text, sizeof text);

	if (r < 0)
		return r;
	text[strcspn(text, "\n")] = '\0';
	if (str_equal(text, "max"))
		*ret = CGROUP_NO_LIMIT;
	else if (!str_to_u64(text, UINT64_MAX, ret))
		return -EBADMSG;
	return 0;
}

int cgroup_check_usage(int cgroup_fd, const struct plan *plan, const struct plan_cgroup_usage *usage,
		       struct err *err)
{
	const char *file = plan_get(plan, usage->file);
	uint64_t current = 0;
	int r = cgroup_read_number(cgroup_fd, file, &current);

	if (r < 0 && !is_gone(r))
		return err_system(err, r, "cannot read '%s' of the cgroup", file);
	if (current <= usage->limit)
		return 0;
	err_set(err, ERR_STATE, EBUSY, NULL, "cannot set a limit of %llu bytes: '%s' is %llu already",
		(unsigned long long)usage->limit, file, (unsigned long long)current);
	err_hint(err, "without checkBeforeUpdate the kernel reclaims memory, or kills, to get below the limit");
	return -EBUSY;
}

uint64_t cgroup_event_count(int cgroup_fd, const char *file, const char *key)
{
	uint64_t count = 0;
	char text[512];

	if (io_read_small(cgroup_fd, file, O_NOFOLLOW, text, sizeof text) >= 0)
		(void)!str_keyed_u64(text, key, &count);
	return count;
}

static bool is_full(int cgroup_fd, uint64_t *ret_max)
{
	uint64_t current;

	return cgroup_read_number(cgroup_fd, "pids.max", ret_max) == 0 &&
	       cgroup_read_number(cgroup_fd, "pids.current", &current) == 0 && current >= *ret_max;
}

static bool read_path(int cgroup_fd, char *ret_path, size_t size)
{
	char link[32];
	ssize_t len;

	str_format(link, sizeof link, "/proc/self/fd/%d", cgroup_fd);
	len = readlink(link, ret_path, size - 1);
	ret_path[len < 0 ? 0 : len] = '\0';
	return len > 0;
}

bool cgroup_find_full(int cgroup_fd, uint64_t *ret_max, char *ret_path, size_t size)
{
	_cleanup_fd_ int fd = k_openat(cgroup_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);

	/*
	 * A cgroup without the controller has no pids.max, but one above it may. The root has no cgroup.events.
	 */
	while (fd >= 0 && k_faccessat2(fd, "cgroup.events", 0 /* F_OK */, AT_SYMLINK_NOFOLLOW) == 0) {
		int parent_fd;

		if (is_full(fd, ret_max))
			return read_path(fd, ret_path, size);
		parent_fd = k_openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
		fd_close(&fd);
		fd = parent_fd;
	}
	return false;
}

bool cgroup_find_memory_max(int cgroup_fd, uint64_t *ret_max, char *ret_path, size_t size)
{
	return cgroup_read_number(cgroup_fd, "memory.max", ret_max) == 0 &&
	       read_path(cgroup_fd, ret_path, size);
}

/* --- the owner of the files --- */

#define DELEGATE_MAX 4096 /* bytes of a list of file names */

/* runtime-spec config-linux.md, "Cgroup ownership": the files to use on a kernel without the list. */
static const char delegate_default[] = "cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n";

static int change_owner(int cgroup_fd, const char *name, uid_t uid, struct err *err)
{
	int r = k_fchownat(cgroup_fd, name, uid, (gid_t)-1, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH);

	/* The list names files of all controllers; a cgroup has only those of its own. */
	if (r == -ENOENT && name[0] != '\0')
		return 0;
	if (r < 0 && name[0] == '\0')
		return err_system(err, r, "cannot give the container's cgroup to uid %u of the host", uid);
	return r < 0 ? err_system(err, r, "cannot give '%s' of the container's cgroup to uid %u of the host",
				  name, uid)
		     : 0;
}

int cgroup_chown(int cgroup_fd, uid_t uid, struct err *err)
{
	char list[DELEGATE_MAX];
	int r = io_read_small(AT_FDCWD, "/sys/kernel/cgroup/delegate", 0, list, sizeof list);

	if (r < 0)
		memcpy(list, delegate_default, sizeof delegate_default);
	r = change_owner(cgroup_fd, "", uid, err);
	for (char *line = list, *end; r >= 0 && *line != '\0'; line = end + 1) {
		end = strchr(line, '\n');
		if (end == NULL)
			break;
		*end = '\0';
		if (line[0] != '\0')
			r = change_owner(cgroup_fd, line, uid, err);
	}
	return r;
}
