/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Classes of service, on a directory with files like those of resctrl (resctrl.rst), because few processors
 * have it. A new directory has no files here, so writes to a class are tested with an existing one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <tare/resctrl.h>

#include "unit.h"

static int root_fd;

static void put(const char *name, const char *text)
{
	_cleanup_fd_ int fd = k_openat(root_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK(fd >= 0 && io_write_all(fd, text, strlen(text)) == 0);
}

static bool is_text(const char *name, const char *text)
{
	char now[256] = "";

	if (io_read_small(root_fd, name, 0, now, sizeof now) < 0)
		return false;
	return unit_str(now, text, name, __FILE__, __LINE__);
}

static bool is_there(const char *name)
{
	return k_faccessat2(root_fd, name, 0, 0) == 0;
}

/* A class with the files that the kernel would make. */
static void make_class(const char *name, const char *schemata)
{
	_cleanup_free_ char *path = mem_format("%s/schemata", name), *tasks = mem_format("%s/tasks", name),
			    *groups = mem_format("%s/mon_groups", name);

	CHECK_INT(k_mkdirat(root_fd, name, 0755), 0);
	CHECK_INT(k_mkdirat(root_fd, groups, 0755), 0);
	put(path, schemata);
	put(tasks, "");
}

static const char there[] = "    L3:0=000ff;1=fffff\n    MB:0=100;1= 50\n  L3CODE:0=1\n";

/* An existing class is used if it has the requested schemata. It is never written. */
static void test_compare(void)
{
	static const struct {
		const char *schemata;
		bool is_good;
	} rows[] = {
		{"L3:0=ff;1=fffff\n", true},
		{"L3:1=FFFFF;0=0ff\n", true},
		{"L3:0=ff\n", true},
		{"L3:0=ff;1=fffff\nMB:0=100;1=50\n", true},
		{"MB:1=50\nL3CODE:0=1\n", true},
		{"L3:0=f\n", false},
		{"L3:0=fff\n", false},
		{"L3:2=ff\n", false},
		{"L3:0=ff;1=ffff\n", false},
		{"L3:0=ff\nMB:0=10\n", false},
		{"L2:0=ff\n", false},
		{"L3C:0=1\n", false},
		{"L3\n", false},
		{"L3:0\n", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct resctrl_place place = {.clos = "gold", .schemata = rows[i].schemata};
		struct resctrl_made made = {true, true};
		struct err err = {0};

		if (!CHECK((resctrl_make(root_fd, &place, &made, &err) == 0) == rows[i].is_good))
			fprintf(stderr, "of %s", rows[i].schemata);
		CHECK_INT(err.kind, rows[i].is_good ? ERR_NONE : ERR_CONFIG);
		CHECK(!made.has_clos && !made.has_monitor);
		CHECK(is_text("gold/schemata", there));
	}
}

static void test_existing(void)
{
	const struct resctrl_place plain = {.clos = "gold"}, missing = {.clos = "silver"},
				   own = {.clos = "gold", .is_own = true};
	struct resctrl_made made;
	struct err err = {0};

	CHECK_INT(resctrl_make(root_fd, &plain, &made, &err), 0);
	CHECK_INT(resctrl_assign(root_fd, &plain, 4711, &err), 0);
	CHECK(is_text("gold/tasks", "4711"));
	CHECK_INT(resctrl_make(root_fd, &missing, &made, &err), -ENOENT);
	CHECK(!is_there("silver") && !made.has_clos);
	CHECK_INT(resctrl_make(root_fd, &own, &made, &err), -EEXIST);
	CHECK(!made.has_clos);
}

/* The new directory has no schemata file here: writing it fails, and what was made can be removed. */
static void test_new(void)
{
	const struct resctrl_place place = {.clos = "web1", .schemata = "L3:0=f\n", .is_own = true};
	const struct resctrl_place bare = {.clos = "web1", .is_own = true};
	struct resctrl_made made = {false, false};
	struct err err = {0};

	put("info/last_cmd_status", "Mask f is too narrow\n");
	CHECK_INT(resctrl_make(root_fd, &place, &made, &err), -ENOENT);
	CHECK_STR(err.hint, "Mask f is too narrow");
	CHECK(made.has_clos && !made.has_monitor && is_there("web1"));
	CHECK_INT(resctrl_remove(root_fd, &place, &made, &err), 0);
	CHECK(!is_there("web1"));
	CHECK_INT(resctrl_remove(root_fd, &place, &made, &err), 0);
	put("info/last_cmd_status", "ok\n");
	CHECK_INT(resctrl_make(root_fd, &bare, &made, &err), 0);
	CHECK(made.has_clos && is_there("web1"));
	CHECK_INT(resctrl_remove(root_fd, &bare, &made, &err), 0);
	CHECK(!is_there("web1"));
}

static void test_monitor(void)
{
	const struct resctrl_place root = {.clos = "", .monitor = "web1"},
				   gold = {.clos = "gold", .monitor = "web1"};
	struct resctrl_made made = {false, false}, again;
	struct err err = {0};

	CHECK_INT(resctrl_make(root_fd, &root, &made, &err), 0);
	CHECK(!made.has_clos && made.has_monitor && is_there("mon_groups/web1"));
	CHECK_INT(resctrl_make(root_fd, &root, &again, &err), -EEXIST);
	CHECK(!again.has_monitor);
	put("mon_groups/web1/tasks", "");
	CHECK_INT(resctrl_assign(root_fd, &root, 12, &err), 0);
	CHECK(is_text("tasks", "12") && is_text("mon_groups/web1/tasks", "12"));
	CHECK_INT(k_unlinkat(root_fd, "mon_groups/web1/tasks", 0), 0);
	CHECK_INT(resctrl_remove(root_fd, &root, &made, &err), 0);
	CHECK(!is_there("mon_groups/web1") && is_there("mon_groups"));
	CHECK_INT(resctrl_make(root_fd, &gold, &made, &err), 0);
	CHECK(made.has_monitor && is_there("gold/mon_groups/web1"));
	CHECK_INT(resctrl_remove(root_fd, &gold, &made, &err), 0);
	CHECK(!is_there("gold/mon_groups/web1") && is_there("gold"));
}

/* On this machine: nothing was made, or what was made is gone. */
static void test_clean(void)
{
	const struct resctrl_place place = {.clos = "no-class-of-this-test"};
	const struct resctrl_made nothing = {false, false}, class = {true, false};
	struct err err = {0};

	CHECK_INT(resctrl_clean(&place, &nothing, &err), 0);
	CHECK_INT(resctrl_clean(&place, &class, &err), 0);
}

int main(void)
{
	char path[] = "/tmp/tare-resctrl-XXXXXX";

	CHECK(mkdtemp(path) != NULL);
	root_fd = k_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	CHECK_INT(k_mkdirat(root_fd, "info", 0755), 0);
	CHECK_INT(k_mkdirat(root_fd, "mon_groups", 0755), 0);
	put("tasks", "");
	make_class("gold", there);
	test_compare();
	test_existing();
	test_new();
	test_monitor();
	test_clean();
	unlinkat(root_fd, "gold/schemata", 0);
	unlinkat(root_fd, "gold/tasks", 0);
	unlinkat(root_fd, "gold/mon_groups", AT_REMOVEDIR);
	unlinkat(root_fd, "gold", AT_REMOVEDIR);
	unlinkat(root_fd, "info/last_cmd_status", 0);
	unlinkat(root_fd, "info", AT_REMOVEDIR);
	unlinkat(root_fd, "mon_groups", AT_REMOVEDIR);
	unlinkat(root_fd, "tasks", 0);
	CHECK_INT(rmdir(path), 0);
	UNIT_MAIN_END;
}
