/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/auxv.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tare/host.h>

#include "unit.h"

/* In the order of enum spec_ns. */
static const struct {
	const char *path;
	int type;
} namespaces[HOST_NS_COUNT] = {
	{"/proc/self/ns/user", CLONE_NEWUSER}, {"/proc/self/ns/mnt", CLONE_NEWNS},
	{"/proc/self/ns/pid", CLONE_NEWPID},   {"/proc/self/ns/net", CLONE_NEWNET},
	{"/proc/self/ns/ipc", CLONE_NEWIPC},   {"/proc/self/ns/uts", CLONE_NEWUTS},
	{"/proc/self/ns/cgroup", 0x02000000},  {"/proc/self/ns/time", 0x00000080},
};

/* The number after a key of /proc/self/status. */
static uint64_t status_value(const char *key, int base)
{
	_cleanup_buf_ struct buf text = {0};
	const char *at;

	CHECK_INT(io_read_file(AT_FDCWD, "/proc/self/status", 1 << 16, &text), 0);
	at = strstr(text.data, key);
	CHECK(at != NULL);
	return at == NULL ? 0 : strtoull(at + strlen(key), NULL, base);
}

static void test_probe(void)
{
	struct utsname name;
	struct host host;
	struct err err;
	char text[64], version[64];

	CHECK_INT(host_probe(&host, &err), 0);
	CHECK_INT(host.euid, geteuid());
	CHECK_INT(host.egid, getegid());
	CHECK(host.capabilities == status_value("CapEff:\t", 16));
	CHECK(host.is_privileged == ((host.capabilities >> CAP_SYS_ADMIN & 1) != 0));
	CHECK_INT(uname(&name), 0);
	CHECK_STR(host.machine, name.machine);
	snprintf(version, sizeof version, "%d.%d", host.kernel_major, host.kernel_minor);
	CHECK(str_has_prefix(name.release, version));
	CHECK(name.release[strlen(version)] < '0' || name.release[strlen(version)] > '9');
	if (io_read_small(AT_FDCWD, "/proc/sys/kernel/cap_last_cap", 0, text, sizeof text) > 0)
		CHECK_INT(host.last_capability,
			  atoi(text) < capability_last() ? atoi(text) : capability_last());
	CHECK(host.page_size == (int64_t)getauxval(AT_PAGESZ));
	for (int i = 0; i < HOST_NS_COUNT; i++)
		CHECK(!host.namespaces[i].is_probed);
}

static void test_probe_cgroup(void)
{
	_cleanup_buf_ struct buf mounts = {0}, own = {0};
	struct host host;
	struct err err;
	char line[1024];

	CHECK_INT(host_probe(&host, &err), 0);
	CHECK_INT(io_read_file(AT_FDCWD, "/proc/self/mounts", 1 << 22, &mounts), 0);
	CHECK_INT(io_read_file(AT_FDCWD, "/proc/self/cgroup", 1 << 20, &own), 0);
	CHECK((host.cgroup_mount[0] != '\0') == (strstr(mounts.data, " cgroup2 ") != NULL));
	if (host.cgroup_mount[0] == '\0')
		return;
	snprintf(line, sizeof line, " %s cgroup2 ", host.cgroup_mount);
	CHECK(strstr(mounts.data, line) != NULL);
	if (host.cgroup_own[0] == '\0')
		return;
	CHECK_INT(host.cgroup_own[0], '/');
	snprintf(line, sizeof line, "0::%s\n", host.cgroup_own);
	CHECK(strstr(own.data, line) != NULL);
	/* Lines of v1 hierarchies with controllers. */
	if (str_equal(host.cgroup_mount, "/sys/fs/cgroup") && strstr(own.data, ":memory") == NULL)
		CHECK(!host.is_cgroup_hybrid);
	if (strstr(own.data, ":memory") != NULL)
		CHECK(host.is_cgroup_hybrid);
}

static void test_namespaces(void)
{
	struct host host;
	struct err err;

	CHECK_INT(host_probe(&host, &err), 0);
	for (int i = 0; i < HOST_NS_COUNT; i++) {
		const struct host_namespace *found = &host.namespaces[i];

		host_probe_namespace(&host, i, namespaces[i].path);
		CHECK(found->is_probed);
		CHECK_INT(found->errnum, 0);
		CHECK_INT(found->actual_type, namespaces[i].type);
		CHECK(found->is_own);
		/* A namespace of another type. */
		host_probe_namespace(&host, i, namespaces[(i + 1) % HOST_NS_COUNT].path);
		CHECK_INT(found->actual_type, namespaces[(i + 1) % HOST_NS_COUNT].type);
		CHECK(!found->is_own);
	}
}

static void test_no_namespaces(void)
{
	static const char *const others[] = {"/", "/proc/self/status", "/dev/null", "/proc"};
	char path[] = "/tmp/tare-host-XXXXXX";
	_cleanup_free_ char *fifo = NULL;
	struct host host = {0};

	host_probe_namespace(&host, 0, "/nowhere/at/all");
	CHECK_INT(host.namespaces[0].errnum, ENOENT);
	CHECK(host.namespaces[0].is_probed && host.namespaces[0].actual_type == 0 &&
	      !host.namespaces[0].is_own);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		host_probe_namespace(&host, 1, others[i]);
		CHECK_INT(host.namespaces[1].errnum, 0);
		CHECK_INT(host.namespaces[1].actual_type, 0);
		CHECK(!host.namespaces[1].is_own);
	}
	/* The probe must not wait for a writer of a FIFO. */
	CHECK(mkdtemp(path) != NULL);
	fifo = mem_format("%s/fifo", path);
	CHECK_INT(mkfifo(fifo, 0600), 0);
	host_probe_namespace(&host, 1, fifo);
	CHECK_INT(host.namespaces[1].actual_type, 0);
	unlink(fifo);
	rmdir(path);
}

/* In a new user namespace the caller is not in the host's user namespace. */
static void test_user_namespace(void)
{
	pid_t parent = getpid(), pid = fork();
	int status = 0;

	if (pid == 0) {
		struct host host;
		struct err err;
		char path[64];

		if (unshare(CLONE_NEWUSER) < 0)
			_exit(UNIT_SKIP);
		if (host_probe(&host, &err) < 0 || !host.is_in_user_ns || !host.is_privileged)
			_exit(1);
		snprintf(path, sizeof path, "/proc/%d/ns/user", parent);
		host_probe_namespace(&host, 0, "/proc/self/ns/user");
		if (!host.namespaces[0].is_own || host.namespaces[0].actual_type != CLONE_NEWUSER)
			_exit(2);
		host_probe_namespace(&host, 0, path);
		_exit(host.namespaces[0].is_own ? 3 : 0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	if (WEXITSTATUS(status) == UNIT_SKIP)
		fprintf(stderr, "no user namespace can be made here: that part is skipped\n");
	else
		CHECK_INT(WEXITSTATUS(status), 0);
}

/* A user namespace that a child has made, in which setgroups is denied or not. */
static void check_setgroups(bool is_denied)
{
	struct host host = {.is_setgroups_denied = false};
	int ready[2], end[2];
	char path[64], byte = 0;
	pid_t pid;

	CHECK(pipe(ready) == 0 && pipe(end) == 0);
	pid = fork();
	if (pid == 0) {
		close(end[1]);
		byte = unshare(CLONE_NEWUSER) == 0 &&
		       (!is_denied || io_write_file(AT_FDCWD, "/proc/self/setgroups", "deny", 4) == 0);
		if (write(ready[1], &byte, 1) == 1)
			(void)!read(end[0], &byte, 1);
		_exit(0);
	}
	CHECK_INT(read(ready[0], &byte, 1), 1);
	if (byte == 0) {
		fprintf(stderr, "no user namespace can be made here: that part is skipped\n");
	} else {
		snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
		host_probe_namespace(&host, 0, path);
		CHECK(!host.namespaces[0].is_own && !host.is_setgroups_denied);
		CHECK_INT(host.namespaces[0].is_setgroups_denied, is_denied);
	}
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(end[i]);
	}
	CHECK(waitpid(pid, NULL, 0) == pid);
}

static void test_setgroups(void)
{
	check_setgroups(false);
	check_setgroups(true);
}

static void test_details(void)
{
	struct host_details details;

	host_probe_details(&details);
	for (unsigned int i = 0; i < HOST_NS_COUNT; i++)
		CHECK((details.namespaces >> i & 1) == (access(namespaces[i].path, F_OK) == 0));
	CHECK(strchr(details.lsm, '\n') == NULL);
}

static void test_users(void)
{
	static const char passwd[] =
		"root:x:0:0::/:\n:x:5:5::/:\nshort:x\nno:x:x:7\nfirst:x:7:7::/:\nsecond:x:7:7::/:";
	static const uid_t ids[] = {0, 7, 5, 8};
	static const char *const names[] = {"root", "first", NULL, NULL};

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		_cleanup_free_ char *name = host_user_name(passwd, ids[i]);

		CHECK(str_equal(name, names[i]));
	}
	CHECK(host_user_name("", 0) == NULL);
}

static void test_programs(void)
{
	char path[64];

	setenv("PATH", "/missing::/bin", 1);
	CHECK(host_find_program("sh", path, sizeof path));
	CHECK_STR(path, "/bin/sh");
	CHECK(!host_find_program("no-such-program", NULL, 0));
	setenv("PATH", "/bin:/dev", 1);
	CHECK(!host_find_program("null", NULL, 0));
	unsetenv("PATH");
	CHECK(host_find_program("sh", NULL, 0));
}

/* What sysfs lists, in the form of the hugetlb controller. */
static void test_page_sizes(void)
{
	static const struct {
		const char *file, *size;
	} files[] = {
		{"hugetlb.2MB.max", "2MB"}, {"hugetlb.1GB.rsvd.max", "1GB"},
		{"hugetlb.", ""},           {"hugetlb.64KB", "64KB"},
		{"memory.max", ""},         {"", ""},
	};
	bool has_small = access("/sys/kernel/mm/hugepages/hugepages-2048kB", F_OK) == 0;
	bool has_large = access("/sys/kernel/mm/hugepages/hugepages-1048576kB", F_OK) == 0;
	char size[8];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		host_page_size_of(files[i].file, size, sizeof size);
		CHECK_STR(size, files[i].size);
	}
	for (int i = 0; i < 2; i++) {
		_cleanup_buf_ struct buf sizes = {0};
		const char *wanted = i == 0 ? "3MB" : "";

		CHECK_INT(host_lacks_page_size(wanted, &sizes),
			  i == 0 && access("/sys/kernel/mm/hugepages", F_OK) == 0);
		CHECK_INT(sizes.len > 0 && str_has_word(sizes.data, "2MB"), i == 0 && has_small);
		CHECK_INT(sizes.len > 0 && str_has_word(sizes.data, "1GB"), i == 0 && has_large);
	}
	if (has_small) {
		_cleanup_buf_ struct buf sizes = {0};

		CHECK(!host_lacks_page_size("2MB", &sizes));
	}
}

int main(void)
{
	test_probe();
	test_probe_cgroup();
	test_namespaces();
	test_no_namespaces();
	test_user_namespace();
	test_setgroups();
	test_details();
	test_users();
	test_programs();
	test_page_sizes();
	UNIT_MAIN_END;
}
