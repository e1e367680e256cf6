/* SPDX-License-Identifier: Apache-2.0 */
/* Real cgroups, all below one that this test makes and removes. Skipped if it cannot make cgroups. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tare/cgroup.h>

#include "unit.h"

static struct {
	int mount_fd;
	char top[64]; /* the parent of all test cgroups */
} test;

/* A path below the test's cgroup, in one of a few static buffers. */
static const char *below(const char *path)
{
	static char texts[4][512];
	static unsigned int next;
	char *text = texts[next++ % ARRAY_SIZE(texts)];

	snprintf(text, sizeof texts[0], "%s%s", test.top, path);
	return text;
}

static bool is_there(const char *path)
{
	return k_faccessat2(test.mount_fd, path + 1, 0, 0) == 0;
}

static int create(const char *path, unsigned int *ret_created)
{
	struct err err = {0};
	int fd = cgroup_create(test.mount_fd, path, ret_created, &err);

	if (fd < 0)
		fprintf(stderr, "cannot create %s: %s: %s\n", path, err.msg, strerror(err.errnum));
	return fd;
}

/* A process that sleeps in the cgroup until it is killed. */
static pid_t spawn(int cgroup_fd)
{
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)cgroup_fd,
	};
	long pid = k_clone3(&args);

	while (pid == 0)
		k_ppoll(NULL, 0, NULL, NULL);
	CHECK(pid > 0);
	return (pid_t)pid;
}

/* Waits for a process that is killed here, or was killed before. */
static void reap(pid_t pid)
{
	int status = 0;

	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void freeze(int cgroup_fd, const char *value)
{
	CHECK_INT(io_write_file(cgroup_fd, "cgroup.freeze", value, 1), 0);
}

static void wait_frozen(int cgroup_fd)
{
	char events[256];

	for (int i = 0; i < 200; i++) {
		if (io_read_small(cgroup_fd, "cgroup.events", 0, events, sizeof events) > 0 &&
		    strstr(events, "frozen 1") != NULL)
			return;
		poll(NULL, 0, 10);
	}
	CHECK(!"frozen");
}

static void remove_path(const char *path, unsigned int created)
{
	struct err err = {0};

	if (!CHECK_INT(cgroup_remove(test.mount_fd, path, created, &err), 0))
		fprintf(stderr, "%s: %s\n", path, err.msg);
}

/* --- the tests --- */

static void test_create(void)
{
	_cleanup_fd_ int fd = -1, again_fd = -1, open_fd = -1;
	unsigned int created = 99;
	struct err err = {0};

	fd = create(below("/a//b/c/"), &created);
	CHECK(fd >= 0);
	CHECK_INT(created, 3);
	CHECK(is_there(below("/a/b/c")));
	CHECK_INT(cgroup_is_populated(fd), 0);
	again_fd = create(below("/a/b/c"), &created);
	CHECK(again_fd >= 0);
	CHECK_INT(created, 0);
	fd_close(&again_fd);
	again_fd = create(below("/a/b/d"), &created);
	CHECK_INT(created, 1);
	open_fd = cgroup_open(test.mount_fd, below("/a/b"), &err);
	CHECK(open_fd >= 0);
	CHECK_INT(cgroup_open(test.mount_fd, below("/a/none"), &err), -ENOENT);

	CHECK(err.errnum == ENOENT && err.kind == ERR_SYSTEM && strstr(err.msg, "cannot open cgroup") != NULL);

	remove_path(below("/a/b/d"), 1);
	CHECK(is_there(below("/a/b")));
	remove_path(below("/a/b/c"), 3); /* and b, and a */
	CHECK(!is_there(below("/a")));
	CHECK(is_there(test.top));
	remove_path(below("/a/b/c"), 3); /* already removed */
	CHECK_INT(cgroup_is_populated(fd), 0);
	CHECK_INT(cgroup_kill(fd, 100, &err), 0);
}

static void test_parent_in_use(void)
{
	_cleanup_fd_ int one_fd = -1, two_fd = -1;
	unsigned int one = 0, two = 0;

	one_fd = create(below("/p/one"), &one);
	two_fd = create(below("/p/two"), &two);
	CHECK_INT(one, 2);
	CHECK_INT(two, 1);
	remove_path(below("/p/one"), one);
	CHECK(is_there(below("/p/two")));
	remove_path(below("/p/two"), 2);
	CHECK(!is_there(below("/p")));
}

static void test_refused_paths(void)
{
	static const char *const paths[] = {"", "relative", "/..", "/a/../b", "/./a", "/a/."};
	unsigned int created = 0;
	struct err err = {0};
	char name[300], path[400];

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		CHECK_INT(cgroup_create(test.mount_fd, paths[i], &created, &err), -EINVAL);
		CHECK_INT(cgroup_remove(test.mount_fd, paths[i], 1, &err), -EINVAL);
	}
	CHECK_INT(cgroup_remove(test.mount_fd, "/", 1, &err), -EINVAL);
	CHECK(cgroup_create(test.mount_fd, "/", &created, &err) < 0);
	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	/* The cgroups that were made before the failure have been removed. */
	snprintf(path, sizeof path, "%s/made/%s", test.top, name);
	CHECK_INT(cgroup_create(test.mount_fd, path, &created, &err), -ENAMETOOLONG);
	CHECK(!is_there(below("/made")));
}

static void test_fit(void)
{
	_cleanup_fd_ int fd = -1, parent_fd = -1;
	unsigned int created = 0;
	struct err err = {0};
	pid_t pids[2];

	fd = create(below("/fit"), &created);
	parent_fd = create(below("/cold"), &created);
	pids[0] = spawn(fd);
	pids[1] = spawn(fd);
	CHECK_INT(cgroup_is_populated(fd), 1);
	CHECK_INT(cgroup_create(test.mount_fd, below("/fit"), &created, &err), -EBUSY);
	CHECK_STR(err.msg, "container's cgroup is not empty: 2 process(es) found");
	CHECK_INT(err.kind, ERR_STATE);
	CHECK_INT(cgroup_kill(fd, 5000, &err), 0);
	reap(pids[0]);
	reap(pids[1]);

	freeze(fd, "1");
	CHECK_INT(cgroup_create(test.mount_fd, below("/fit"), &created, &err), -EBUSY);
	CHECK_STR(err.msg, "container's cgroup unexpectedly frozen");
	freeze(parent_fd, "1");
	CHECK_INT(cgroup_create(test.mount_fd, below("/cold/new"), &created, &err), -EBUSY);
	CHECK_STR(err.msg, "container's cgroup unexpectedly frozen");
	CHECK(!is_there(below("/cold/new")));
	remove_path(below("/fit"), 1);
	remove_path(below("/cold"), 1);
}

static void test_pids(void)
{
	_cleanup_fd_ int fd = -1, deep_fd = -1, side_fd = -1;
	_cleanup_free_ pid_t *pids = NULL, *none = NULL;
	unsigned int created = 0;
	struct err err = {0};
	pid_t expected[3];
	int count;

	fd = create(below("/pids"), &created);
	deep_fd = create(below("/pids/x/y/z"), &created);
	side_fd = create(below("/pids/w"), &created);
	CHECK_INT(cgroup_pids(fd, &none, &err), 0);
	CHECK(none != NULL);
	expected[0] = spawn(deep_fd);
	expected[1] = spawn(fd);
	expected[2] = spawn(side_fd);
	count = cgroup_pids(fd, &pids, &err);
	CHECK_INT(count, 3);
	for (int i = 0; i < count && count == 3; i++)
		CHECK(pids[i] == expected[0] || pids[i] == expected[1] || pids[i] == expected[2]);
	CHECK(count == 3 && pids[0] < pids[1] && pids[1] < pids[2]);
	CHECK_INT(cgroup_is_populated(fd), 1);
	CHECK_INT(cgroup_kill(fd, 5000, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		reap(expected[i]);
	remove_path(below("/pids"), 1);
	CHECK(!is_there(below("/pids")));
}

static void test_kill_frozen(void)
{
	_cleanup_fd_ int fd = -1, below_fd = -1;
	unsigned int created = 0;
	struct err err = {0};
	pid_t pids[2];

	fd = create(below("/ice"), &created);
	below_fd = create(below("/ice/below"), &created);
	pids[0] = spawn(fd);
	pids[1] = spawn(below_fd);
	freeze(fd, "1");
	wait_frozen(fd);
	CHECK_INT(cgroup_kill(fd, 5000, &err), 0);
	CHECK_INT(cgroup_is_populated(fd), 0);
	reap(pids[0]);
	reap(pids[1]);
	remove_path(below("/ice"), 1);
}

/* The content of cgroup.type, in a static buffer. */
static const char *type_of(int cgroup_fd)
{
	static char text[32];

	if (io_read_small(cgroup_fd, "cgroup.type", 0, text, sizeof text) < 0)
		return "unreadable";
	text[strcspn(text, "\n")] = '\0';
	return text;
}

/*
 * Below a threaded domain every cgroup must be threaded. Such a cgroup can hold processes, and they can be
 * killed.
 */
static void test_threaded(void)
{
	_cleanup_fd_ int domain_fd = -1, first_fd = -1, between_fd = -1, fd = -1, other_fd = -1;
	struct cgroup_place place = {.mount_fd = test.mount_fd, .path = below("/thr/a/b")};
	_cleanup_free_ pid_t *pids = NULL;
	unsigned int created = 0;
	struct err err = {0};
	pid_t expected[2];

	domain_fd = create(below("/thr"), &created);
	first_fd = create(below("/thr/first"), &created);
	CHECK_INT(io_write_file(first_fd, "cgroup.type", "threaded", 8), 0);
	CHECK_STR(type_of(domain_fd), "domain threaded");
	place.fd = fd = create(place.path, &created);
	CHECK_STR(type_of(fd), "domain invalid");
	CHECK_INT(cgroup_make_threaded(&place, NULL, (struct plan_texts){0}, &err), 0);
	CHECK_STR(type_of(fd), "threaded");
	between_fd = cgroup_open(test.mount_fd, below("/thr/a"), &err);
	CHECK_STR(type_of(between_fd), "threaded");
	CHECK_STR(type_of(domain_fd), "domain threaded");
	expected[0] = spawn(fd);
	expected[1] = spawn(between_fd);
	CHECK_INT(cgroup_pids(fd, &pids, &err), 1);
	CHECK(pids != NULL && pids[0] == expected[0]);
	mem_free(&pids);
	/* The domain lists the processes, and so do the threaded cgroups: each process is counted once. */
	CHECK_INT(cgroup_pids(domain_fd, &pids, &err), 2);
	CHECK_INT(cgroup_create(test.mount_fd, below("/thr/a/b"), &created, &err), -EBUSY);
	CHECK_STR(err.msg, "container's cgroup is not empty: 1 process(es) found");
	CHECK_INT(cgroup_kill(fd, 5000, &err), 0);
	CHECK_INT(cgroup_is_populated(fd), 0);
	reap(expected[0]);
	CHECK_INT(cgroup_is_populated(between_fd), 1);
	reap(expected[1]);

	/* An ordinary cgroup is not changed. */
	place.path = below("/plain");
	place.fd = other_fd = create(place.path, &created);
	CHECK_INT(cgroup_make_threaded(&place, NULL, (struct plan_texts){0}, &err), 0);
	CHECK_STR(type_of(other_fd), "domain");
	remove_path(below("/plain"), 1);
	remove_path(below("/thr"), 1);
}

/* A cgroup with a process that dies while the removal waits for it. */
static void test_remove_waits(void)
{
	_cleanup_fd_ int fd = -1;
	unsigned int created = 0;
	pid_t pid, killer;

	fd = create(below("/late/sub"), &created);
	pid = spawn(fd);
	killer = fork();
	if (killer == 0) {
		poll(NULL, 0, 300);
		kill(pid, SIGKILL);
		_exit(0);
	}
	remove_path(below("/late"), 1);
	CHECK(!is_there(below("/late")));
	waitpid(killer, NULL, 0);
	reap(pid);
}

/* Trees that are deeper than the longest path and the limit of descriptors, and one with many siblings. */
static void test_remove_tree(void)
{
	_cleanup_fd_ int fd = -1;
	_cleanup_free_ pid_t *pids = NULL;
	unsigned int created = 0;
	struct err err = {0};
	char name[64];
	pid_t pid;

	fd = create(below("/tree"), &created);
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof name, "wide%d", i);
		CHECK_INT(k_mkdirat(fd, name, 0755), 0);
		snprintf(name, sizeof name, "wide%d/sub", i);
		if (i % 3 == 0)
			CHECK_INT(k_mkdirat(fd, name, 0755), 0);
	}
	for (int i = 0; i < 300; i++) {
		int next_fd;

		CHECK_INT(k_mkdirat(fd, "a-name-that-makes-paths-long", 0755), 0);
		next_fd = k_openat(fd, "a-name-that-makes-paths-long", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
		CHECK(next_fd >= 0);
		fd_close(&fd);
		fd = next_fd;
	}
	pid = spawn(fd);
	fd_close(&fd);
	fd = cgroup_open(test.mount_fd, below("/tree"), &err);
	CHECK_INT(cgroup_pids(fd, &pids, &err), 1);
	CHECK(pids != NULL && pids[0] == pid);
	CHECK_INT(cgroup_kill(fd, 5000, &err), 0);
	reap(pid);
	remove_path(below("/tree"), 1);
	CHECK(!is_there(below("/tree")));
}

/* --- devices --- */

#define R SPEC_ACCESS_READ
#define W SPEC_ACCESS_WRITE
#define M SPEC_ACCESS_MKNOD

/* The errno of opening a device in a process of the cgroup, or of making one with O_CREAT. */
static int open_inside(int cgroup_fd, const char *path, int flags)
{
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)cgroup_fd,
	};
	long pid = k_clone3(&args);
	int status = 0, r;

	if (pid == 0) {
		r = flags == O_CREAT ? k_mknodat(AT_FDCWD, path, S_IFCHR | 0600, makedev(1, 3))
				     : k_openat(AT_FDCWD, path, flags | O_CLOEXEC, 0);
		k_exit(r < 0 ? -r : 0);
	}
	CHECK(pid > 0 && waitpid((pid_t)pid, &status, 0) == pid && WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void check_devices(int fd)
{
	const struct spec_device_rule rules[] = {
		{.type = 'a', .major = -1, .minor = -1, .access = R | W | M, .allow = false},
		{.type = 'c', .major = 1, .minor = 3, .access = R, .allow = true},
		{.type = 'c', .major = 1, .minor = 3, .access = W, .allow = true},
		{.type = 'c', .major = 1, .minor = 5, .access = R | W | M, .allow = true},
		{.type = 'c', .major = 1, .minor = 5, .access = W, .allow = false},
	};
	const struct spec_device_rule all = {
		.type = 'a', .major = -1, .minor = -1, .access = R | W | M, .allow = true};
	char path[64];
	struct err err = {0};

	snprintf(path, sizeof path, "/tmp/tare-unit-node-%d", getpid());
	CHECK_INT(cgroup_devices_set(fd, rules, ARRAY_SIZE(rules), &err), 0);
	CHECK_INT(open_inside(fd, "/dev/null", O_RDONLY), 0);
	CHECK_INT(open_inside(fd, "/dev/null", O_RDWR), 0);
	CHECK_INT(open_inside(fd, path, O_CREAT), EPERM);
	CHECK_INT(open_inside(fd, "/dev/zero", O_RDONLY), 0);
	CHECK_INT(open_inside(fd, "/dev/zero", O_WRONLY), EPERM);
	CHECK_INT(open_inside(fd, "/dev/zero", O_RDWR), EPERM);
	CHECK_INT(open_inside(fd, "/dev/full", O_RDONLY), EPERM);

	/* The rules are replaced, not added: none of the first list is left. */
	CHECK_INT(cgroup_devices_set(fd, &rules[1], 1, &err), 0);
	CHECK_INT(open_inside(fd, "/dev/null", O_RDONLY), 0);
	CHECK_INT(open_inside(fd, "/dev/null", O_RDWR), EPERM);
	CHECK_INT(open_inside(fd, "/dev/zero", O_RDONLY), EPERM);
	CHECK_INT(cgroup_devices_set(fd, NULL, 0, &err), 0);
	CHECK_INT(open_inside(fd, "/dev/null", O_RDONLY), EPERM);
	CHECK_INT(cgroup_devices_set(fd, &all, 1, &err), 0);
	CHECK_INT(open_inside(fd, "/dev/full", O_RDWR), 0);
	CHECK_INT(open_inside(fd, path, O_CREAT), 0);
	unlink(path);
	CHECK_INT(cgroup_devices_set(fd, &all, 1, &err), 0);
}

static void test_devices(void)
{
	const struct spec_device_rule bad = {.type = 'x', .major = 1, .minor = 1, .access = R, .allow = true};
	_cleanup_fd_ int fd = -1, below_fd = -1;
	unsigned int created = 0;
	struct err err = {0};
	int r;

	fd = create(below("/devices"), &created);
	CHECK_INT(cgroup_devices_set(fd, &bad, 1, &err), -EINVAL);
	CHECK_INT(err.kind, ERR_CONFIG);
	r = cgroup_devices_set(fd, NULL, 0, &err);
	if (r == -EPERM || r == -ENOSYS) {
		fprintf(stderr, "device rules are not possible here: that part is skipped\n");
	} else {
		/* The parent first: its rules also apply to a child cgroup. */
		below_fd = create(below("/devices/sub"), &created);
		CHECK_INT(open_inside(below_fd, "/dev/null", O_RDONLY), EPERM);
		remove_path(below("/devices/sub"), 1);
		check_devices(fd);
	}
	remove_path(below("/devices"), 1);
}

static bool open_mount(void)
{
	static const char *const places[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		test.mount_fd = cgroup_open_mount(places[i], &err);
		if (test.mount_fd < 0)
			continue;
		snprintf(test.top, sizeof test.top, "/tare-unit-%d", getpid());
		return k_mkdirat(test.mount_fd, test.top + 1, 0755) == 0;
	}
	return false;
}

int main(void)
{
	struct err err = {0};

	CHECK(cgroup_open_mount("/proc", &err) < 0);
	CHECK_INT(err.kind, ERR_UNSUPPORTED);
	CHECK_INT(cgroup_open_mount("/nowhere", &err), -ENOENT);
	if (!open_mount()) {
		fprintf(stderr, "no cgroup can be made here\n");
		return UNIT_SKIP;
	}
	test_create();
	test_parent_in_use();
	test_refused_paths();
	test_fit();
	test_pids();
	test_kill_frozen();
	test_threaded();
	test_remove_waits();
	test_remove_tree();
	test_devices();
	remove_path(test.top, 1);
	UNIT_MAIN_END;
}
