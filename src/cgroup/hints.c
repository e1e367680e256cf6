/* SPDX-License-Identifier: Apache-2.0 */
/* Hints for limits that the kernel has refused, found from the errno, the file and the state of the cgroup. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <tare/host.h>

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

static bool hint_page_size(const char *file, struct err *err)
{
	_cleanup_buf_ struct buf sizes = {0};
	char size[32];

	host_page_size_of(file, size, sizeof size);
	if (!host_lacks_page_size(size, &sizes))
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
	if (r == -ENOENT && hint_page_size(file, err))
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

static bool is_in_list(const char *list, size_t len, const char *name)
{
	size_t size = strlen(name);

	for (const char *at = list; at < list + len; at += strcspn(at, ",:") + 1)
		if (strncmp(at, name, size) == 0 && (at[size] == ',' || at[size] == ':'))
			return true;
	return false;
}

/* Whether a mounted hierarchy of cgroup v1 has the controller: "id:controllers:path" of /proc/self/cgroup. */
static bool is_in_v1(const char *text, const char *name)
{
	for (const char *line = text; line != NULL && *line != '\0';) {
		const char *list = strchr(line, ':');

		if (list != NULL && is_in_list(list + 1, strcspn(list + 1, ":"), name))
			return true;
		line = strchr(line, '\n');
		line = line == NULL ? NULL : line + 1;
	}
	return false;
}

/*
 * The last field of the controller's line in /proc/cgroups: "name hierarchy cgroups enabled" (cgroups(7)), '0'
 * or '1'. '\0' if it has no line.
 */
static char enabled_field(const char *text, const char *name)
{
	size_t size = strlen(name);

	for (const char *line = text; line != NULL && *line != '\0';) {
		size_t len = strcspn(line, "\n");

		if (strncmp(line, name, size) == 0 && line[size] == '\t')
			return line[len - 1];
		line = line[len] == '\0' ? NULL : line + len + 1;
	}
	return '\0';
}

/* The controllers of the specification's limits. Of another name it is not known whether it is one. */
static bool is_controller(const char *name)
{
	return str_has_word("cpu cpuset io memory pids hugetlb rdma misc", name);
}

/* What the kernel says of a controller that is in no hierarchy. */
static void hint_of_kernel(const char *name, const char *v1_name, struct err *err)
{
	_cleanup_buf_ struct buf all = {0};
	char field;

	if (io_read_file(AT_FDCWD, "/proc/cgroups", 1 << 16, &all) < 0)
		return;
	field = enabled_field(all.data, v1_name);
	if (field == '0')
		err_hint(err, "the kernel's command line disables it: remove cgroup_disable=%s", v1_name);
	else if (field == '\0' && is_controller(name))
		err_hint(err, "this kernel is built without it: boot another one");
}

/* Only the root of the whole hierarchy has no cgroup.type: no cgroup above it could enable a controller. */
void cgroup_hint_no_controller(int cgroup_fd, const char *name, struct err *err)
{
	const char *v1_name = str_equal(name, "io") ? "blkio" : name;
	_cleanup_buf_ struct buf own = {0};

	if (io_read_file(AT_FDCWD, "/proc/self/cgroup", 1 << 20, &own) >= 0 && is_in_v1(own.data, v1_name))
		err_hint(err,
			 "a hierarchy of cgroup v1 has it: boot with systemd.unified_cgroup_hierarchy=1, or "
			 "do not mount it there");
	else if (k_faccessat2(cgroup_fd, "cgroup.type", 0 /* F_OK */, 0) >= 0)
		err_hint(err, "enable it in cgroup.subtree_control of the cgroup above, or by Delegate= of the "
			      "systemd unit");
	else
		hint_of_kernel(name, v1_name, err);
}
