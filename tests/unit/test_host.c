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
		CHECK_INT(host.last_capability, atoi(text));
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

static void test_details(void)
{
	struct host_details details;
	struct host host;
	struct err err;
	char path[256];

	host_probe_details(&details);
	CHECK_INT(host_probe(&host, &err), 0);
	for (unsigned int i = 0; i < HOST_NS_COUNT; i++)
		CHECK((details.namespaces >> i & 1) == (access(namespaces[i].path, F_OK) == 0));
	CHECK(!details.has_user_ns || (details.namespaces & 1) != 0);
	CHECK(strchr(details.lsm, '\n') == NULL && strchr(details.cgroup_controllers, '\n') == NULL);
	snprintf(path, sizeof path, "%s/cgroup.controllers", host.cgroup_mount);
	if (host.cgroup_mount[0] != '\0') {
		_cleanup_buf_ struct buf text = {0};

		CHECK_INT(io_read_file(AT_FDCWD, path, 4096, &text), 0);
		CHECK(str_has_prefix(text.data, details.cgroup_controllers));
	}
}

int main(void)
{
	test_probe();
	test_probe_cgroup();
	test_namespaces();
	test_no_namespaces();
	test_user_namespace();
	test_details();
	UNIT_MAIN_END;
}
