/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Facts that only the commands that describe the host need. A fact that cannot be read counts as absent.
 * Process: the parent, with the rights of the caller.
 */
#include <fcntl.h>
#include <string.h>

#include <tare/host.h>

/* Reads the first line of a small file; "" if the file cannot be read. */
static void read_line(const char *path, char *buf, size_t size)
{
	if (io_read_small(AT_FDCWD, path, 0, buf, size) < 0)
		buf[0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
}

static bool is_first_line(const char *path, const char *expected)
{
	char line[64];

	read_line(path, line, sizeof line);
	return str_equal(line, expected);
}

static bool exists(const char *path)
{
	return k_faccessat2(AT_FDCWD, path, 0 /* F_OK */, 0) == 0;
}

static void probe_namespaces(struct host_details *details)
{
	static const char *const paths[HOST_NS_COUNT] = {
		"/proc/self/ns/user", "/proc/self/ns/mnt", "/proc/self/ns/pid",    "/proc/self/ns/net",
		"/proc/self/ns/ipc",  "/proc/self/ns/uts", "/proc/self/ns/cgroup", "/proc/self/ns/time",
	};

	for (unsigned int i = 0; i < HOST_NS_COUNT; i++)
		details->namespaces |= exists(paths[i]) ? 1u << i : 0;
}

void host_probe_details(struct host_details *ret_details)
{
	struct host_details details = {.namespaces = 0};

	read_line("/sys/kernel/security/lsm", details.lsm, sizeof details.lsm);
	details.has_apparmor = is_first_line("/sys/module/apparmor/parameters/enabled", "Y");
	details.has_selinux = exists("/sys/fs/selinux/enforce");
	probe_namespaces(&details);
	*ret_details = details;
}

/* --- huge pages --- */

void host_page_size_of(const char *file, char *ret, size_t size)
{
	size_t prefix = strlen("hugetlb.");
	bool has_size = str_has_prefix(file, "hugetlb.");

	str_format(ret, size, "%.*s", has_size ? (int)strcspn(file + prefix, ".") : 0,
		   has_size ? file + prefix : "");
}

/* Formats a page size as the hugetlb controller does in file names: in the largest unit that fits. */
static void format_size(uint64_t kib, char *ret, size_t size)
{
	if (kib >= 1 << 20)
		str_format(ret, size, "%lluGB", (unsigned long long)(kib >> 20));
	else if (kib >= 1 << 10)
		str_format(ret, size, "%lluMB", (unsigned long long)(kib >> 10));
	else
		str_format(ret, size, "%lluKB", (unsigned long long)kib);
}

bool host_lacks_page_size(const char *size, struct buf *ret_existing)
{
	_cleanup_fd_ int fd = size[0] == '\0' ? -1
					      : k_openat(AT_FDCWD, "/sys/kernel/mm/hugepages",
							 O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	_Alignas(struct dir_entry) char block[1024];
	struct dir_reader reader = {.fd = fd, .block = block, .size = sizeof block};
	const struct dir_entry *entry;

	while (fd >= 0 && dir_next(&reader, &entry) > 0) {
		char digits[24], existing[24];
		uint64_t kib;

		if (!str_has_prefix(entry->name, "hugepages-"))
			continue;
		str_format(digits, sizeof digits, "%.*s", (int)strspn(entry->name + 10, "0123456789"),
			   entry->name + 10);
		if (!str_to_u64(digits, UINT64_MAX, &kib))
			continue;
		format_size(kib, existing, sizeof existing);
		buf_format(ret_existing, "%s%s", ret_existing->len > 0 ? " " : "", existing);
	}
	return ret_existing->len > 0 && !str_has_word(ret_existing->data, size);
}
