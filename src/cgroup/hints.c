/* SPDX-License-Identifier: Apache-2.0 */
/* Hints for limits that the kernel has refused, found from the errno, the file and the state of the cgroup. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "file.h"

static const char *hint_of(int r)
{
	switch (r) {
	case -ENOENT:
		return "the kernel is too old for it, or built without it";
	case -EINVAL:
	case -ERANGE:
		return "the kernel does not accept this value here";
	case -ENODEV:
		return "there is no such device";
	case -EBUSY:
		return "the current use does not allow it";
	default:
		return NULL;
	}
}

/* Parses the first word of text; false if it is not a number. */
static bool parse_first_number(const char *text, uint64_t *ret)
{
	char word[24];

	str_format(word, sizeof word, "%.*s", (int)strcspn(text, " \n"), text);
	return str_to_u64(word, UINT64_MAX, ret);
}

/*
 * A burst must not exceed the quota (sched-bwc.rst). Whichever of the two is set may conflict with the other
 * one, which is in force already.
 */
static bool hint_bandwidth(int cgroup_fd, const char *file, const char *value, struct err *err)
{
	bool is_quota = str_equal(file, "cpu.max");
	uint64_t asked, in_force;
	char text[64];

	if ((!is_quota && !str_equal(file, "cpu.max.burst")) || !parse_first_number(value, &asked) ||
	    io_read_small(cgroup_fd, is_quota ? "cpu.max.burst" : "cpu.max", O_NOFOLLOW, text, sizeof text) <
		    0 ||
	    !parse_first_number(text, &in_force) || (is_quota ? asked >= in_force : asked <= in_force))
		return false;
	err_hint(err,
		 is_quota ? "the quota must not be below the burst, which is %llu: set burst, too"
			  : "the burst must not be above the quota, which is %llu: set quota, too",
		 (unsigned long long)in_force);
	return true;
}

/* Collects each SIZE of the files hugetlb.SIZE.max, separated by blanks. */
static void read_page_sizes(int cgroup_fd, struct buf *ret)
{
	int fd = k_openat(cgroup_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
		const char *size = entry->d_name + strlen("hugetlb.");
		size_t len;

		if (!str_has_prefix(entry->d_name, "hugetlb."))
			continue;
		len = strcspn(size, ".");
		if (str_equal(size + len, ".max"))
			buf_format(ret, "%s%.*s", ret->len > 0 ? " " : "", (int)len, size);
	}
	if (dir != NULL)
		closedir(dir);
	else
		fd_close(&fd);
}

static bool hint_page_size(int cgroup_fd, const char *file, struct err *err)
{
	_cleanup_buf_ struct buf sizes = {0};
	char size[32];

	if (!str_has_prefix(file, "hugetlb."))
		return false;
	str_format(size, sizeof size, "%.*s", (int)strcspn(file + 8, "."), file + 8);
	read_page_sizes(cgroup_fd, &sizes);
	if (sizes.len == 0 || str_has_word(sizes.data, size))
		return false;
	err_hint(err, "this host has huge pages of these sizes: %s", sizes.data);
	return true;
}

/* EACCES and EPERM: of the file's permissions or, for a file that the caller may write, of its controller. */
static bool hint_permission(int cgroup_fd, int r, const char *file, struct err *err)
{
	int access = k_faccessat2(cgroup_fd, file, W_OK, AT_EACCESS);

	if (access == -EACCES)
		err_hint(err, "the caller may not write the file: its owner has to delegate the cgroup");
	else if (access == 0 && r == -EACCES)
		err_hint(err, "the settings of a cgroup above it do not allow it");
	return access == -EACCES || access == 0;
}

void cgroup_hint_refusal(int cgroup_fd, int r, const struct cgroup_refused *refused, struct err *err)
{
	const char *file = refused->file;

	if (r == -EINVAL && hint_bandwidth(cgroup_fd, file, refused->value, err))
		return;
	if (r == -ENOENT && hint_page_size(cgroup_fd, file, err))
		return;
	if ((r == -EACCES || r == -EPERM) && hint_permission(cgroup_fd, r, file, err))
		return;
	if (r == -ENOSPC && str_has_prefix(file, "cpuset."))
		err_hint(err, "a cgroup with processes cannot have an empty list: name all that it may use");
	else if (hint_of(r) != NULL)
		err_hint(err, "%s", hint_of(r));
}

void cgroup_hint_delegation(struct err *err)
{
	err_hint(
		err,
		"the owner of that cgroup has to delegate it; systemd does so with: systemd-run --user --scope "
		"-p Delegate=yes COMMAND");
}
