/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Updates of a directory with files like those of cgroup2. They accept every value, so a write is refused by
 * removing the file. A write does not truncate them, so old and new values have the same length.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <tare/cgroup.h>
#include <tare/host.h>
#include <tare/spec.h>

#include "unit.h"

static int dir_fd;

static void put(const char *name, const char *text)
{
	CHECK_INT(io_replace_file(dir_fd, name, text, strlen(text), 0600), 0);
}

static void check_file(const char *name, const char *text)
{
	char now[128] = "";

	CHECK(io_read_small(dir_fd, name, 0, now, sizeof now) >= 0);
	if (!CHECK_STR(now, text))
		fprintf(stderr, "  in %s\n", name);
}

/* The last write to the file, which may be followed by the rest of a longer one. */
static void check_write(const char *name, const char *text)
{
	char now[128] = "";

	CHECK(io_read_small(dir_fd, name, 0, now, sizeof now) >= 0);
	now[strlen(text)] = '\0';
	if (!CHECK_STR(now, text))
		fprintf(stderr, "  in %s\n", name);
}

/* The document has ' instead of ". */
static int update(const char *document, struct err *err)
{
	_cleanup_free_ char *json = mem_dup(document);
	_cleanup_free_ struct plan *plan = NULL;
	_cleanup_spec_ struct spec *spec = NULL;
	const struct cgroup_place place = {.mount_fd = -1, .fd = dir_fd, .path = "/x"};
	_cleanup_cgroup_saved_ struct cgroup_saved saved = {.cgroup_fd = -1};
	struct host host = {.is_privileged = true};

	for (char *c = json; *c != '\0'; c++)
		*c = *c == '\'' ? '"' : *c;
	if (!CHECK_INT(spec_parse_resources(json, strlen(json), &spec, err), 0) ||
	    !CHECK_INT(plan_build_update(&spec->resources, &host, &plan, err), 0))
		return -EPROTO;
	return cgroup_update(&place, plan, &saved, err);
}

static void fill(void)
{
	put("cgroup.controllers", "cpu io memory pids rdma misc nothing\n");
	put("pids.max", "100");
	put("memory.max", "8192");
	put("memory.low", "0000");
	put("cpu.weight", "100");
	put("cpu.idle", "0");
	put("io.max", "8:0 rbps=max wbps=1000 riops=max wiops=max\n8:16 rbps=1 wbps=2 riops=3 wiops=4\n");
	put("rdma.max", "mlx5_0 hca_handle=2 hca_object=3\n");
	put("misc.max", "sev 10\n");
	put("io.weight", "default 100\n8:16 50\n");
}

static void test_success(void)
{
	struct err err = {0};

	fill();
	CHECK_INT(update("{'pids':{'limit':200},'memory':{'limit':4096}}", &err), 0);
	check_file("pids.max", "200");
	check_file("memory.max", "4096");
	CHECK_INT(update("{}", &err), 0);
	check_file("pids.max", "200");
}

static void test_refused(void)
{
	struct err err = {0};

	fill();
	CHECK(update("{'pids':{'limit':200},'memory':{'limit':4096},'cpu':{'idle':1},"
		     "'unified':{'nothing.max':'1'}}",
		     &err) < 0);
	CHECK_STR(err.json_pointer, "/unified/nothing.max");
	CHECK_STR(err.hint, "the kernel is too old for it, or built without it");
	check_file("pids.max", "100");
	check_file("memory.max", "8192");
	check_file("cpu.idle", "0");
	check_file("cpu.weight", "100");
}

/* The kernel has huge pages of 2 MiB on each machine that tests run on, and of 3 MiB on none. */
static void test_page_size(void)
{
	struct err err = {0};

	fill();
	put("cgroup.controllers", "hugetlb\n");
	CHECK(update("{'hugepageLimits':[{'pageSize':'3MB','limit':1}]}", &err) < 0);
	if (access("/sys/kernel/mm/hugepages", F_OK) == 0)
		CHECK(str_has_prefix(err.hint, "this host has huge pages of these sizes: "));
	CHECK(update("{'unified':{'hugetlb.2MB.nothing':'1'}}", &err) < 0);
	CHECK_STR(err.hint, "the kernel is too old for it, or built without it");
}

/* An update that succeeded can be undone. Only values that systemd has changed are written again. */
static void test_undo(void)
{
	_cleanup_cgroup_saved_ struct cgroup_saved kept = {.cgroup_fd = -1};
	struct err err = {0};

	fill();
	cgroup_snapshot(dir_fd, &kept);
	CHECK_INT(update("{'pids':{'limit':200},'cpu':{'idle':1}}", &err), 0);
	put("cpu.weight", "001");
	put("io.weight", "default 999\n8:16 50\n");
	CHECK_INT(cgroup_write_snapshot(&kept, &err), 0);
	check_file("pids.max", "100");
	check_file("cpu.idle", "0");
	check_file("cpu.weight", "100");
	check_write("io.weight", "default 100");
	check_file("rdma.max", "mlx5_0 hca_handle=2 hca_object=3\n");
}

/* A missing controller: nothing was written, because controllers are checked first. */
static void test_no_controller(void)
{
	struct err err = {0};

	fill();
	put("cgroup.controllers", "pids\n");
	CHECK(update("{'pids':{'limit':200},'memory':{'limit':4096}}", &err) < 0);
	check_file("pids.max", "100");
	check_file("memory.max", "8192");
}

/* More is in use than the new limit. pids was written before it. */
static void test_usage(void)
{
	struct err err = {0};

	fill();
	put("memory.current", "5000\n");
	CHECK_INT(update("{'pids':{'limit':200},'memory':{'limit':4096,'checkBeforeUpdate':true}}", &err),
		  -EBUSY);
	check_file("pids.max", "100");
	check_file("memory.max", "8192");
}

/* In a file with a line for each device, the old line is restored, and a line that did not exist is removed. */
static void test_lines(void)
{
	struct err err = {0};

	fill();
	CHECK(update("{'unified':{'io.max':'8:16 rbps=9','nothing.max':'1'}}", &err) < 0);
	check_write("io.max", "8:16 rbps=1 wbps=2 riops=3 wiops=4");
	fill();
	CHECK(update("{'unified':{'io.max':'8:1 rbps=9','nothing.max':'1'}}", &err) < 0);
	check_write("io.max", "8:1 rbps=max wbps=max riops=max wiops=max");
	fill();
	CHECK(update("{'rdma':{'mlx5_0':{'hcaHandles':7}},'unified':{'misc.max':'snp 5','nothing.max':'1'}}",
		     &err) < 0);
	check_file("rdma.max", "mlx5_0 hca_handle=2 hca_object=3\n");
	check_file("misc.max", "snp max");
	fill();
	CHECK(update("{'unified':{'io.weight':'777','nothing.max':'1'}}", &err) < 0);
	check_file("io.weight", "default 100\n8:16 50\n");
}

/* A file that cannot be read is not restored, and the others are. */
static void test_unreadable(void)
{
	struct err err = {0};

	fill();
	k_unlinkat(dir_fd, "memory.max", 0);
	CHECK_INT(k_mkdirat(dir_fd, "memory.max", 0700), 0);
	CHECK_INT(update("{'pids':{'limit':200},'memory':{'limit':4096}}", &err), -EISDIR);
	CHECK_STR(err.json_pointer, "/memory/limit");
	CHECK_STR(err.hint, "");
	check_file("pids.max", "100");
	k_unlinkat(dir_fd, "memory.max", AT_REMOVEDIR);
}

int main(void)
{
	static const char *const files[] = {"cgroup.controllers", "pids.max",       "memory.max",
					    "memory.low",         "memory.current", "cpu.idle",
					    "cpu.weight",         "io.max",         "rdma.max",
					    "misc.max",           "io.weight",      "hugetlb.2MB.rsvd.max",
					    "hugetlb.2MB.max"};
	char path[] = "/tmp/tare-update-XXXXXX";

	if (!CHECK(mkdtemp(path) != NULL))
		UNIT_MAIN_END;
	dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	test_success();
	test_refused();
	test_page_size();
	test_undo();
	test_no_controller();
	test_usage();
	test_lines();
	test_unreadable();
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		k_unlinkat(dir_fd, files[i], 0);
	CHECK_INT(rmdir(path), 0);
	close(dir_fd);
	UNIT_MAIN_END;
}
