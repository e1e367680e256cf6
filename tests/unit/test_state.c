/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tare/state.h>

#include "unit.h"

static char top[] = "/tmp/tare-state-XXXXXX";
static int root_fd = -1;

static int remove_dir(const char *id, struct err *err)
{
	_cleanup_fd_ int fd = state_open_dir(root_fd, id, err);

	return fd == -ENOENT ? 0 : fd < 0 ? fd : state_remove(root_fd, fd, id, err);
}

/* Returns the status, or -errno. */
static int status_of(int dir_fd, const struct state_record *record)
{
	enum state_status status;
	struct err err;
	int r = state_status(dir_fd, record, &status, &err);

	return r < 0 ? r : (int)status;
}

static int open_init(const struct state_record *record)
{
	struct err err;

	return state_open_pidfd(record, &err);
}

static bool is_there(const char *path)
{
	return k_faccessat2(root_fd, path, 0, AT_SYMLINK_NOFOLLOW) == 0;
}

static void put_file(int dir_fd, const char *name, const char *text)
{
	CHECK_INT(io_replace_file(dir_fd, name, text, strlen(text), 0600), 0);
}

/* --- ids --- */

static void test_ids(void)
{
	static const char *const good[] = {"a", "web1", "a.b", "...", ".hidden", "A_b+c-9", "-", "0"};
	static const char *const bad[] = {".",        "..",  "a/b",  "/",   "a b", "~1.2", "a%",
					  "\xc3\xa9", "a\n", "../x", "a:b", "a*",  "a\x01"};
	char id[1026];
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		CHECK_INT(state_check_id(good[i], &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CHECK(state_check_id(bad[i], &err) < 0);
		CHECK_INT(err.kind, ERR_USAGE);
		CHECK(str_has_prefix(err.msg, "invalid container ID format: '"));
	}
	CHECK(state_check_id("", &err) < 0);
	CHECK_STR(err.msg, "container id cannot be empty");
	memset(id, 'x', sizeof id);
	id[1024] = '\0';
	CHECK_INT(state_check_id(id, &err), 0);
	id[1024] = 'x';
	id[1025] = '\0';
	CHECK(state_check_id(id, &err) < 0);
}

/* --- the root --- */

static void test_root(void)
{
	_cleanup_free_ char *deep = mem_format("%s/some/where//deep/", top);
	_cleanup_free_ char *open_for_all = mem_format("%s/open", top);
	_cleanup_free_ char *file = mem_format("%s/file", top);
	_cleanup_fd_ int fd = -1, again_fd = -1;
	struct stat stat;
	struct err err;

	CHECK_INT(state_open_root(deep, false, &err), -ENOENT);
	fd = state_open_root(deep, true, &err);
	CHECK(fd >= 0 && k_fstat(fd, &stat) == 0 && (stat.st_mode & 07777) == 0700);
	CHECK((k_fcntl(fd, F_GETFD, 0) & FD_CLOEXEC) != 0);
	again_fd = state_open_root(deep, true, &err);
	CHECK(again_fd >= 0);
	CHECK(state_open_root("/", true, &err) < 0);
	CHECK_STR(err.msg, "Option --root argument should not be set to /");
	CHECK_INT(err.kind, ERR_USAGE);
	CHECK(state_open_root("//tmp/..", true, &err) < 0);
	CHECK_STR(err.msg, "Option --root argument should not be set to /");
	CHECK(state_open_root("", true, &err) < 0);
	CHECK_INT(err.kind, ERR_USAGE);
	CHECK(mkdir(open_for_all, 0700) == 0 && chmod(open_for_all, 0777) == 0);
	CHECK(state_open_root(open_for_all, true, &err) < 0);
	CHECK_INT(err.kind, ERR_USAGE);
	put_file(root_fd, "file", "");
	CHECK_INT(state_open_root(file, true, &err), -ENOTDIR);
	CHECK_INT(err.kind, ERR_SYSTEM);
	rmdir(open_for_all);
	unlink(file);
	rmdir(deep);
}

static void test_default_root(void)
{
	_cleanup_free_ char *expected = mem_format("%s/tare", top);
	_cleanup_fd_ int fd = -1;
	struct err err = {0};

	if (geteuid() == 0) {
		fprintf(stderr, "the default root of a user needs a user: that part is skipped\n");
		return;
	}
	setenv("XDG_RUNTIME_DIR", top, 1);
	fd = state_open_root(NULL, true, &err);
	CHECK(fd >= 0);
	CHECK_INT(rmdir(expected), 0);
	setenv("XDG_RUNTIME_DIR", "relative", 1);
	CHECK(state_open_root(NULL, true, &err) < 0);
	CHECK_INT(err.kind, ERR_USAGE);
	CHECK(strstr(err.msg, "--root") != NULL);
}

/* --- directories and locks --- */

static void test_dirs(void)
{
	_cleanup_fd_ int fd = -1, other_fd = -1, late_fd = -1;
	struct state_record record;
	struct err err;

	CHECK_INT(state_open_dir(root_fd, "web1", &err), -ENOENT);
	CHECK_STR(err.msg, "container does not exist");
	CHECK_INT(err.kind, ERR_STATE);
	CHECK_INT(err.errnum, 0);
	fd = state_create_dir(root_fd, "web1", &err);
	CHECK(fd >= 0);
	CHECK_INT(state_create_dir(root_fd, "web1", &err), -EEXIST);
	CHECK(str_has_prefix(err.msg, "container with given ID already exists"));
	CHECK_INT(err.kind, ERR_STATE);
	CHECK(state_create_dir(root_fd, "../web2", &err) < 0);
	other_fd = state_open_dir(root_fd, "web1", &err);
	late_fd = state_open_dir(root_fd, "web1", &err);
	CHECK(other_fd >= 0 && late_fd >= 0);
	CHECK_INT(state_lock(other_fd, 0, &err), -EBUSY);
	CHECK_STR(err.msg, "another command is working on it");
	CHECK_INT(state_lock(other_fd, 30, &err), -EBUSY);
	CHECK_INT(state_read(fd, &record, &err), -ENOENT);
	CHECK_INT(err.kind, ERR_STATE);
	CHECK(record.id == NULL);
	fd_close(&fd);
	CHECK_INT(state_lock(other_fd, 0, &err), 0);

	/*
	 * A command that waited for the lock while the container was removed does not lock a new one of the
	 * same name.
	 */
	CHECK_INT(remove_dir("web1", &err), 1);
	fd = state_create_dir(root_fd, "web1", &err);
	CHECK(fd >= 0);
	fd_close(&other_fd);
	CHECK_INT(state_lock(late_fd, 0, &err), -ENOENT);
	CHECK_STR(err.msg, "container does not exist");
	CHECK_INT(remove_dir("web1", &err), 1);
	CHECK_INT(remove_dir("web1", &err), 0);
	CHECK(symlinkat("/tmp", root_fd, "link") == 0);
	CHECK(state_open_dir(root_fd, "link", &err) < 0);
	unlinkat(root_fd, "link", 0);
}

/* --- records --- */

static struct state_annotation annotations[] = {
	{(char *)"org.example/a key", (char *)"a value\nof 100 %"},
	{(char *)"empty", (char *)""},
	{(char *)"utf8", (char *)"\xc3\xa9\x7f\t"},
};

static struct state_record sample(void)
{
	return (struct state_record){
		.id = (char *)"web1",
		.bundle = (char *)"/srv/a bundle%41\n\x01",
		.rootfs = (char *)"/srv/rootfs",
		.oci_version = (char *)"1.3.0",
		.cgroup_mount = (char *)"/sys/fs/cgroup",
		.cgroup_path = (char *)"/web1",
		.unit = (char *)"libpod-a\\x2b.scope",
		.is_user_unit = true,
		.resctrl_clos = (char *)"gold",
		.resctrl_monitor = (char *)"web1",
		.is_resctrl_own = true,
		.cgroup_created = 3,
		.pid = 4194304,
		.pid_start = UINT64_MAX,
		.creator = 7,
		.creator_start = 12345678901234567890ull,
		.created_secs = 1767323045,
		.created_nanosecs = 6789,
		.owner = UINT32_MAX,
		.has_gate = true,
		.has_poststart = true,
		.is_no_new_keyring = true,
		.cgroup_inode = UINT64_MAX - 1,
		.pid_namespace = UINT64_MAX - 2,
		.time_namespace = UINT64_MAX - 3,
		.keyring = (char *)"_ses.web1.0",
		.notes = (char *)"/mounts/0: a\n/mounts/1: b",
		.is_pid_namespace_own = true,
		.has_program = true,
		.annotations = annotations,
		.annotation_count = ARRAY_SIZE(annotations),
	};
}

static void check_same(const struct state_record *a, const struct state_record *b)
{
	CHECK_STR(a->id, b->id);
	CHECK_STR(a->bundle, b->bundle);
	CHECK_STR(a->rootfs, b->rootfs);
	CHECK_STR(a->oci_version, b->oci_version);
	CHECK_STR(a->cgroup_mount, b->cgroup_mount);
	CHECK_STR(a->cgroup_path, b->cgroup_path);
	CHECK_STR(a->unit, b->unit);
	CHECK_INT(a->is_user_unit, b->is_user_unit);
	CHECK_STR(a->resctrl_clos, b->resctrl_clos);
	CHECK_STR(a->resctrl_monitor, b->resctrl_monitor);
	CHECK_INT(a->is_resctrl_own, b->is_resctrl_own);
	CHECK_INT(a->cgroup_created, b->cgroup_created);
	CHECK_INT(a->pid, b->pid);
	CHECK_INT(a->pid_start, b->pid_start);
	CHECK_INT(a->creator, b->creator);
	CHECK_INT(a->creator_start, b->creator_start);
	CHECK_INT(a->created_secs, b->created_secs);
	CHECK_INT(a->created_nanosecs, b->created_nanosecs);
	CHECK_INT(a->owner, b->owner);
	CHECK_INT(a->has_gate, b->has_gate);
	CHECK_INT(a->has_poststop, b->has_poststop);
	CHECK_INT(a->has_poststart, b->has_poststart);
	CHECK_INT(a->is_no_new_keyring, b->is_no_new_keyring);
	CHECK_STR(a->keyring, b->keyring);
	CHECK_STR(a->notes, b->notes);
	CHECK(a->cgroup_inode == b->cgroup_inode);
	CHECK(a->pid_namespace == b->pid_namespace);
	CHECK(a->time_namespace == b->time_namespace);
	CHECK_INT(a->annotation_count, b->annotation_count);
	for (size_t i = 0; i < a->annotation_count && i < b->annotation_count; i++) {
		CHECK_STR(a->annotations[i].key, b->annotations[i].key);
		CHECK_STR(a->annotations[i].value, b->annotations[i].value);
	}
	CHECK_INT(a->is_pid_namespace_own, b->is_pid_namespace_own);
	CHECK_INT(a->has_filter, b->has_filter);
	CHECK_INT(a->has_program, b->has_program);
	CHECK_INT(a->config_inside, b->config_inside);
}

static void test_round_trip(void)
{
	_cleanup_record_ struct state_record found = {0};
	_cleanup_buf_ struct buf text = {0};
	struct state_record record = sample();
	struct err err;

	state_format(&record, &text);
	CHECK(str_has_prefix(text.data, "tare 6\nid web1\nbundle /srv/a bundle%2541%0A%01\n"));
	CHECK(strstr(text.data, "\nannotation org.example/a%20key a%20value%0Aof%20100%20%25\n") != NULL);
	CHECK(strstr(text.data, "\nannotation empty \n") != NULL);
	CHECK_INT(state_parse(text.data, text.len, &found, &err), 0);
	check_same(&found, &record);
}

/* Returns the result of state_parse for a record with one part replaced. */
static int parse_changed(const char *old, const char *new)
{
	_cleanup_record_ struct state_record found = {0};
	_cleanup_buf_ struct buf text = {0}, changed = {0};
	struct state_record record = sample();
	struct err err = {0};
	const char *at;
	int r;

	state_format(&record, &text);
	at = strstr(text.data, old);
	CHECK(at != NULL);
	if (at == NULL)
		return 0;
	buf_add(&changed, text.data, (size_t)(at - text.data));
	buf_add_str(&changed, new);
	buf_add_str(&changed, at + strlen(old));
	r = state_parse(changed.data, changed.len, &found, &err);
	CHECK(r == 0 || (err.kind == ERR_STATE && found.id == NULL && found.annotations == NULL));
	return r;
}

static void test_strict(void)
{
	static const struct {
		const char *old, *new;
		int result;
	} cases[] = {
		{"tare 6", "tare 6", 0},
		{"tare 6", "tare 0", -EBADMSG},
		{"tare 6", "tare", -EBADMSG},
		{"tare 6", "tare x", -EBADMSG},
		{"tare 6", "tare 10000", -EBADMSG},
		{"tare 6\n", "", -EBADMSG},
		{"is-no-new-keyring 1\n", "", -EBADMSG},
		{"notes /mounts/0: a%0A/mounts/1: b\n", "", -EBADMSG},
		{"cgroup-inode 18446744073709551614\n", "", -EBADMSG},
		{"keyring _ses.web1.0\n", "", -EBADMSG},
		{"id web1\n", "", -EBADMSG},
		{"id web1\n", "id web1\nid web1\n", -EBADMSG},
		{"id web1\n", "id ../x\n", -EBADMSG},
		{"id web1\n", "id \n", -EBADMSG},
		{"id web1\n", "id web1\nunknown 1\n", -EBADMSG},
		{"id web1\n", "id web1\n\n", -EBADMSG},
		{"id web1\n", "id web1\nconfig 0\n", -EBADMSG},
		{"id web1\n", "id web%31\n", -EBADMSG}, /* needs no escape */
		{"id web1\n", "id web1\r\n", -EBADMSG},
		{"oci-version 1.3.0", "oci-version %00", -EBADMSG},
		{"oci-version 1.3.0", "oci-version %0", -EBADMSG},
		{"oci-version 1.3.0", "oci-version %", -EBADMSG},
		{"oci-version 1.3.0", "oci-version %0a", -EBADMSG},
		{"oci-version 1.3.0", "oci-version %0A", 0},
		{"oci-version 1.3.0", "oci-version \t", -EBADMSG},
		{"oci-version 1.3.0", "oci-version ", 0},
		{"oci-version 1.3.0", "oci-version", -EBADMSG},
		{"bundle /", "bundle ", -EBADMSG},
		{"rootfs /srv/rootfs", "rootfs ", 0},
		{"cgroup-path /web1", "cgroup-path ", 0},
		{"cgroup-path /web1", "cgroup-path web1", -EBADMSG},
		{"cgroup-mount /", "cgroup-mount ", -EBADMSG},
		{"pid 4194304", "pid 4194305", -EBADMSG},
		{"pid 4194304", "pid -1", -EBADMSG},
		{"pid 4194304", "pid ", -EBADMSG},
		{"pid 4194304", "pid 1 ", -EBADMSG},
		{"pid 4194304", "pid 0x1", -EBADMSG},
		{"pid 4194304", "pid 000000000000000000000001", -EBADMSG},
		{"pid-start 18446744073709551615", "pid-start 18446744073709551616", -EBADMSG},
		{"created-nanosecs 6789", "created-nanosecs 1000000000", -EBADMSG},
		{"created-secs 1767323045", "created-secs 253402300800", -EBADMSG},
		{"owner 4294967295", "owner 4294967296", -EBADMSG},
		{"has-gate 1", "has-gate 2", -EBADMSG},
		{"cgroup-created 3", "cgroup-created 4097", -EBADMSG},
		{"annotation empty", "annotation utf8", -EBADMSG},
		{"annotation empty ", "annotation empty", -EBADMSG},
		{"annotation empty ", "annotation empty a b", -EBADMSG},
		{"is-pid-namespace-own 1", "is-pid-namespace-own 2", -EBADMSG},
		{"has-filter 0\n", "", -EBADMSG},
		{"config 0\n\n", "config 0\n", -EBADMSG},
		{"config 0\n\n", "config 0\n\n{}", -EBADMSG},
		{"config 0\n\n", "config 2\n\n{}", -EBADMSG},
		{"config 0\n\n", "config 18446744073709551615\n\n", -EBADMSG},
		{"config 0\n\n", "config 0", -EBADMSG},
		{"config 0\n\n", "", -EBADMSG},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (!CHECK_INT(parse_changed(cases[i].old, cases[i].new), cases[i].result))
			fprintf(stderr, "  '%s' for '%s'\n", cases[i].new, cases[i].old);
}

#define ROWS_2 "is-no-new-keyring 1\ncgroup-inode 7\n"
#define ROWS_3 ROWS_2 "keyring k\n"
#define ROWS_4 ROWS_3 "pid-namespace 8\ntime-namespace 9\n"
#define ROWS_5 ROWS_4 "notes n\n"
#define ROWS_6 ROWS_5 "is-pid-namespace-own 1\nhas-filter 0\nhas-program 1\n"

/* Records of earlier and later versions: later rows are missing, or are ignored. */
static void test_versions(void)
{
	static const struct {
		const char *head, *late, *end;
		int result;
	} cases[] = {
		{"tare 6\n", ROWS_6, "config 0\n\n", 0},
		{"tare 5\n", ROWS_5, "config 2\n\n{}", 0},
		{"tare 4\n", ROWS_4, "config 2\n\n{}", 0},
		{"tare 3\n", ROWS_3, "config 2\n\n{}", 0},
		{"tare 2\n", ROWS_2, "config 2\n\n{}", 0},
		{"tare 1\n", "", "config 2\n\n{}", 0},
		{"tare 1\n", "is-no-new-keyring 1\n", "config 2\n\n{}", -EBADMSG},
		{"tare 1\n", "cgroup-inode 7\n", "config 2\n\n{}", -EBADMSG},
		{"tare 2\n", "", "config 2\n\n{}", -EBADMSG},
		{"tare 2\n", "is-no-new-keyring 1\n", "config 2\n\n{}", -EBADMSG},
		{"tare 2\n", ROWS_3, "config 2\n\n{}", -EBADMSG},
		{"tare 3\n", ROWS_2, "config 2\n\n{}", -EBADMSG},
		{"tare 3\n", ROWS_3 "pid-namespace 8\n", "config 2\n\n{}", -EBADMSG},
		{"tare 3\nnews of today\n", ROWS_3, "config 2\n\n{}", -EBADMSG},
		{"tare 4\n", ROWS_3, "config 2\n\n{}", -EBADMSG},
		{"tare 4\n", ROWS_5, "config 2\n\n{}", -EBADMSG},
		{"tare 4\n", ROWS_4, "config 1\n\n{}", -EBADMSG},
		{"tare 4\n", ROWS_4, "config 3\n\n{}", -EBADMSG},
		{"tare 4\n", ROWS_4, "config 2\n\n{}\n", -EBADMSG},
		{"tare 4\n", ROWS_4, "config 18446744073709551615\n\n{}", -EBADMSG},
		{"tare 4\n", ROWS_4, "config 0\n\n", 0},
		{"tare 6\n", ROWS_5, "config 0\n\n", -EBADMSG},
		{"tare 6\n", ROWS_6, "config 2\n\n{}", -EBADMSG},
		{"tare 7\nnews of today\n", ROWS_6, "config 0\n\n", 0},
		{"tare 7\nnews of today\n", ROWS_5, "config 0\n\n", -EBADMSG},
		{"tare 7\nid web1\n", ROWS_6, "config 0\n\n", -EBADMSG},
	};
	_cleanup_buf_ struct buf text = {0};
	struct state_record record = sample();
	const char *late, *rest;

	state_format(&record, &text);
	late = strstr(text.data, "is-no-new-keyring 1\n");
	rest = strstr(text.data, "annotation ");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_record_ struct state_record found = {0};
		_cleanup_buf_ struct buf changed = {0};
		struct err err;

		buf_add_str(&changed, cases[i].head);
		buf_add(&changed, text.data + strlen("tare 6\n"),
			(size_t)(late - text.data) - strlen("tare 6\n"));
		buf_add_str(&changed, cases[i].late);
		buf_add(&changed, rest, (size_t)(strstr(rest, "config ") - rest));
		buf_add_str(&changed, cases[i].end);
		if (!CHECK_INT(state_parse(changed.data, changed.len, &found, &err), cases[i].result))
			fprintf(stderr, "  case %zu\n", i);
		if (cases[i].result < 0)
			continue;
		record.is_no_new_keyring = strstr(cases[i].late, "is-no-new-keyring") != NULL;
		record.cgroup_inode = record.is_no_new_keyring ? 7 : 0;
		record.keyring = (char *)(strstr(cases[i].late, "keyring k") == NULL ? "" : "k");
		record.pid_namespace = strstr(cases[i].late, "\npid-namespace") == NULL ? 0 : 8;
		record.time_namespace = strstr(cases[i].late, "time-namespace") == NULL ? 0 : 9;
		record.notes = (char *)(strstr(cases[i].late, "notes n") == NULL ? "" : "n");
		record.is_pid_namespace_own = strstr(cases[i].late, "is-pid-namespace-own") != NULL;
		record.has_program = record.is_pid_namespace_own;
		record.config_inside = str_has_prefix(cases[i].end, "config 2") ? 2 : 0;
		check_same(&found, &record);
	}
}

/* Each prefix of a record, and each record with one bit changed: no crash, and mostly no valid record. */
static void test_hostile(void)
{
	_cleanup_buf_ struct buf text = {0};
	struct state_record record = sample();
	struct err err;

	state_format(&record, &text);
	for (size_t len = 0; len < text.len; len++) {
		_cleanup_record_ struct state_record found = {0};
		_cleanup_free_ char *copy = mem_alloc(len);

		memcpy(copy, text.data, len);
		CHECK(state_parse(copy, len, &found, &err) < 0);
	}
	for (size_t at = 0; at < text.len * 8; at++) {
		_cleanup_record_ struct state_record found = {0};

		text.data[at / 8] ^= (char)(1 << at % 8);
		(void)!state_parse(text.data, text.len, &found, &err);
		text.data[at / 8] ^= (char)(1 << at % 8);
	}
	CHECK(state_parse(NULL, 0, &record, &err) < 0);
}

static void test_files(void)
{
	_cleanup_record_ struct state_record found = {0};
	_cleanup_fd_ int fd = -1, other_fd = -1;
	struct state_record record = sample();
	struct stat stat;
	struct err err;

	fd = state_create_dir(root_fd, "web1", &err);
	CHECK_INT(state_write(fd, &record, &err), 0);
	record.pid = 5;
	CHECK_INT(state_write(fd, &record, &err), 0);
	CHECK(k_fstatat(fd, "record", &stat, AT_SYMLINK_NOFOLLOW) == 0 && (stat.st_mode & 07777) == 01600);
	CHECK_INT(state_read(fd, &found, &err), 0);
	check_same(&found, &record);

	other_fd = state_create_dir(root_fd, "web2", &err);
	CHECK_INT(state_write(other_fd, &record, &err), 0);
	state_record_done(&found);
	CHECK_INT(state_read(other_fd, &found, &err), -EBADMSG); /* the record is web1's */
	CHECK(found.id == NULL);
	put_file(other_fd, "record", "rubbish");
	CHECK_INT(state_read(other_fd, &found, &err), -EBADMSG);
	CHECK_INT(err.kind, ERR_STATE);
	put_file(other_fd, "record", "");
	CHECK_INT(state_read(other_fd, &found, &err), -EBADMSG);
	k_unlinkat(other_fd, "record", 0);
	CHECK_INT(symlinkat("../web1/record", other_fd, "record"), 0);
	CHECK_INT(state_read(other_fd, &found, &err), -EBADMSG);
	k_unlinkat(other_fd, "record", 0);
	CHECK_INT(k_mknodat(other_fd, "record", S_IFIFO | 0600, 0), 0);
	CHECK_INT(state_read(other_fd, &found, &err), -EBADMSG);
	CHECK_INT(remove_dir("web2", &err), 1);
	CHECK_INT(remove_dir("web1", &err), 1);
	CHECK_INT(state_read(fd, &found, &err), -ENOENT);
}

/* --- the configuration --- */

static void check_config(int dir_fd, const struct state_record *record, const char *expected)
{
	_cleanup_buf_ struct buf text = {0};
	struct err err;

	CHECK_INT(state_read_config(dir_fd, record, &text, &err), 0);
	CHECK_STR(text.data, expected);
}

static void test_config(void)
{
	_cleanup_buf_ struct buf text = {0}, large = {0};
	_cleanup_fd_ int fd = -1;
	struct state_record record = sample();
	struct stat stat;
	struct err err;

	fd = state_create_dir(root_fd, "web1", &err);
	CHECK_INT(state_read_config(fd, &record, &text, &err), -ENOENT);
	CHECK_STR(err.msg, "the configuration of the container does not exist");
	CHECK_INT(state_write_config(fd, "{\"a\": 1}", 8, &err), 0);
	CHECK(k_fstatat(fd, "config", &stat, AT_SYMLINK_NOFOLLOW) == 0 && (stat.st_mode & 07777) == 01600);
	CHECK_INT(state_write(fd, &record, &err), 0);
	check_config(fd, &record, "{\"a\": 1}");
	CHECK_INT(state_write_config(fd, "{}", 2, &err), -EEXIST); /* it never changes */

	CHECK_INT(fchmodat(fd, "config", 0622, 0), 0);
	CHECK_INT(state_read_config(fd, &record, &text, &err), -EPERM);
	CHECK_INT(err.kind, ERR_STATE);
	k_unlinkat(fd, "config", 0);
	CHECK_INT(symlinkat("record", fd, "config"), 0);
	CHECK_INT(state_read_config(fd, &record, &text, &err), -EBADMSG);
	k_unlinkat(fd, "config", 0);
	CHECK_INT(k_mknodat(fd, "config", S_IFIFO | 0600, 0), 0);
	CHECK_INT(state_read_config(fd, &record, &text, &err), -EBADMSG);
	k_unlinkat(fd, "config", 0);
	buf_reserve(&large, (16 << 20) + 1);
	CHECK_INT(state_write_config(fd, large.data, (16 << 20) + 1, &err), -EFBIG);
	CHECK(!is_there("web1/config"));

	/* A creator that was killed before the record was written leaves only the configuration. */
	k_unlinkat(fd, "record", 0);
	CHECK_INT(state_write_config(fd, "{}", 2, &err), 0);
	CHECK(state_sweep(root_fd, fd, "web1"));
	CHECK(!is_there("web1"));
}

/* The record of a stopped container as version 4 wrote it, with the configuration in it. */
static void test_earlier(const char *path)
{
	_cleanup_record_ struct state_record record = {0};
	_cleanup_buf_ struct buf file = {0}, config = {0};
	_cleanup_fd_ int fd = -1;
	enum state_status status;
	struct err err;

	CHECK_INT(io_read_file(AT_FDCWD, path, 1 << 20, &file), 0);
	fd = state_create_dir(root_fd, "web1", &err);
	CHECK_INT(io_replace_file(fd, "record", file.data, file.len, 0600), 0);
	CHECK_INT(state_read(fd, &record, &err), 0);
	CHECK_STR(record.bundle, "/srv/web1");
	CHECK_STR(record.rootfs, "/srv/web1/rootfs");
	CHECK_STR(record.oci_version, "1.3.0");
	CHECK_STR(record.cgroup_path, "/web1");
	CHECK_INT(record.cgroup_created, 1);
	CHECK_INT(record.annotation_count, 2);
	CHECK_STR(record.annotations[0].key, "org.example/a key");
	CHECK_STR(record.annotations[0].value, "100 % of it");
	CHECK(record.has_poststop && !record.has_poststart && record.has_gate && record.pid > 0);
	CHECK(!record.has_program && !record.has_filter && !record.is_pid_namespace_own);
	CHECK_INT(record.config_inside, 3306);
	CHECK_INT(state_read_config(fd, &record, &config, &err), 0);
	CHECK_INT(config.len, 3306);
	CHECK(str_has_prefix(config.data, "{\n  \"ociVersion\": \"1.3.0\",\n"));
	CHECK_STR(config.data + config.len - strlen("}\n"), "}\n");

	/* Namespaces and cgroup are those of another machine. Without them the pid's start time decides. */
	record.pid_namespace = record.time_namespace = 0;
	record.cgroup_mount[0] = '\0';
	CHECK_INT(state_status(fd, &record, &status, &err), 0);
	CHECK_INT(status, STATE_STOPPED);

	/* The file may be damaged between the two reads. */
	config.len = 0;
	CHECK_INT(io_replace_file(fd, "record", "x", 1, 0600), 0);
	CHECK_INT(state_read_config(fd, &record, &config, &err), -EBADMSG);
	CHECK_INT(remove_dir("web1", &err), 1);
}

/* --- list and remove --- */

static void on_id(void *context, const char *id)
{
	buf_add_str(context, id);
	buf_add_str(context, " ");
}

static void check_list(const char *expected)
{
	_cleanup_buf_ struct buf names = {0};
	struct err err;

	buf_add_str(&names, "");
	CHECK_INT(state_list(root_fd, on_id, &names, &err), 0);
	CHECK_STR(names.data, expected);
}

static void fill_dir(int fd)
{
	_cleanup_fd_ int notify_fd = -1;

	put_file(fd, "record", "x");
	put_file(fd, "config", "x");
	put_file(fd, "gate", "x");
	put_file(fd, ".record.123", "x");
	put_file(fd, ".record.124", "x");
	CHECK_INT(k_mkdirat(fd, "notify", 0700), 0);
	notify_fd = k_openat(fd, "notify", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	put_file(notify_fd, "notify.sock", "x");
}

static void test_list(void)
{
	_cleanup_fd_ int one_fd = -1, two_fd = -1, swept_fd = -1, busy_fd = -1;
	char long_id[256];
	struct err err;

	check_list("");
	two_fd = state_create_dir(root_fd, "two", &err);
	one_fd = state_create_dir(root_fd, "one", &err);
	put_file(root_fd, "a-file", "");
	CHECK_INT(k_mkdirat(root_fd, "not an id", 0700), 0);
	check_list("one two ");

	/* What a killed removal left is removed, and what another process is still removing stays. */
	CHECK_INT(k_mkdirat(root_fd, "~99.0", 0700), 0);
	CHECK_INT(k_mkdirat(root_fd, "~98.0", 0700), 0);
	swept_fd = k_openat(root_fd, "~99.0", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	busy_fd = k_openat(root_fd, "~98.0", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	fill_dir(swept_fd);
	CHECK_INT(k_flock(busy_fd, LOCK_EX | LOCK_NB), 0);
	check_list("one two ");
	CHECK(!is_there("~99.0"));
	CHECK(is_there("~98.0"));
	fd_close(&busy_fd);
	check_list("one two ");
	CHECK(!is_there("~98.0"));

	/* What a killed creation left before it made anything is also removed, and does not occupy the id. */
	CHECK_INT(k_mkdirat(root_fd, "empty", 0700), 0);
	fd_close(&busy_fd);
	busy_fd = state_create_dir(root_fd, "empty", &err);
	CHECK(busy_fd >= 0);
	CHECK_INT(state_create_dir(root_fd, "empty", &err), -EEXIST);
	CHECK(!state_sweep(root_fd, k_openat(root_fd, "empty", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0),
			   "empty"));
	put_file(busy_fd, "record", "x");
	CHECK(!state_sweep(root_fd, busy_fd, "empty"));
	k_unlinkat(busy_fd, "record", 0);
	CHECK(!state_sweep(root_fd, busy_fd, "other"));
	CHECK(state_sweep(root_fd, busy_fd, "empty"));
	CHECK(!is_there("empty"));

	fill_dir(one_fd);
	CHECK_INT(remove_dir("one", &err), 1);
	check_list("two ");
	/* A file that tare did not make stays, and so does its directory. The id is free nevertheless. */
	put_file(two_fd, "precious", "x");
	CHECK_INT(remove_dir("two", &err), -ENOTEMPTY);
	check_list("");
	k_unlinkat(two_fd, "precious", 0);
	fd_close(&two_fd);
	check_list("");
	k_unlinkat(root_fd, "a-file", 0);
	k_unlinkat(root_fd, "not an id", AT_REMOVEDIR);

	memset(long_id, 'x', sizeof long_id - 1);
	long_id[255] = '\0';
	one_fd = state_create_dir(root_fd, long_id, &err);
	CHECK(one_fd >= 0);
	CHECK_INT(remove_dir(long_id, &err), 1);
	CHECK(!is_there(long_id));
}

/* --- status --- */

/* Listens like init. For some roots the path is longer than sun_path, so it is that of a descriptor. */
static int listen_at_gate(int dir_fd)
{
	int fd = k_socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	str_format(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/gate", dir_fd);
	CHECK_INT(k_bind(fd, &address, sizeof address), 0);
	CHECK_INT(k_listen(fd, 1), 0);
	return fd;
}

static void *wait_forever(void *context)
{
	(void)context;
	for (;;)
		k_ppoll(NULL, 0, NULL, NULL);
	return NULL;
}

/* Forks a process. With is_leaderless its first thread exits and another thread continues. */
static pid_t spawn(bool is_leaderless)
{
	pid_t pid = fork();
	pthread_t thread;

	if (pid != 0)
		return pid;
	if (!is_leaderless)
		wait_forever(NULL);
	if (pthread_create(&thread, NULL, wait_forever, NULL) == 0)
		k_call1(__NR_exit, 0);
	_exit(1);
}

static char process_state(pid_t pid)
{
	char path[64], text[512];
	const char *at;

	str_format(path, sizeof path, "/proc/%d/stat", pid);
	if (io_read_small(AT_FDCWD, path, 0, text, sizeof text) < 0)
		return '?';
	at = strrchr(text, ')');
	return at == NULL ? '?' : at[2];
}

static void wait_zombie(pid_t pid)
{
	for (int i = 0; i < 500 && process_state(pid) != 'Z'; i++)
		poll(NULL, 0, 10);
	CHECK_INT(process_state(pid), 'Z');
}

/* A record with another start time: the container is only stopped if its namespaces are the caller's. */
static void test_namespaces(int dir_fd, const struct state_record *seen)
{
	struct state_record record = *seen;
	struct err err;

	CHECK_INT(state_set_namespaces(&record, &err), 0);
	CHECK(record.pid_namespace != 0);
	CHECK_INT(status_of(dir_fd, &record), STATE_STOPPED);
	record.pid_namespace++;
	CHECK_INT(status_of(dir_fd, &record), -EXDEV);
	CHECK_INT(open_init(&record), -EXDEV);
	record.pid_namespace--;
	record.time_namespace++;
	CHECK_INT(status_of(dir_fd, &record), -EXDEV);
	record.pid_start--;
	CHECK_INT(status_of(dir_fd, &record), STATE_RUNNING);
	record.pid_namespace++;
	CHECK_INT(open_init(&record), -EXDEV);
}

static void test_status_of_init(int dir_fd)
{
	struct state_record record = {.pid = spawn(false)};
	_cleanup_fd_ int pidfd = -1, gate_fd = -1, none_fd = -1;

	CHECK_INT(state_process_start(record.pid, &record.pid_start), 0);
	CHECK(record.pid_start > 0);
	CHECK_INT(status_of(dir_fd, &record), STATE_RUNNING);
	pidfd = open_init(&record);
	CHECK(pidfd >= 0);
	record.has_gate = true;
	CHECK_INT(status_of(dir_fd, &record), STATE_RUNNING);
	gate_fd = listen_at_gate(dir_fd);
	for (int i = 0; i < 5; i++) /* more often than the queue is long */
		CHECK_INT(status_of(dir_fd, &record), STATE_CREATED);
	fd_close(&gate_fd);
	CHECK_INT(status_of(dir_fd, &record), STATE_RUNNING);
	k_unlinkat(dir_fd, "gate", 0);
	record.pid_start++;
	CHECK_INT(status_of(dir_fd, &record), STATE_STOPPED);
	CHECK_INT(open_init(&record), -ESRCH);
	test_namespaces(dir_fd, &record);
	record.pid_start--;
	kill(record.pid, SIGKILL);
	wait_zombie(record.pid);
	CHECK_INT(status_of(dir_fd, &record), STATE_STOPPED);
	none_fd = open_init(&record);
	CHECK_INT(none_fd, -ESRCH);
	waitpid(record.pid, NULL, 0);
	CHECK_INT(status_of(dir_fd, &record), STATE_STOPPED);
	CHECK_INT(open_init(&record), -ESRCH);
	CHECK_INT(state_process_start(record.pid, &record.pid_start), -ESRCH);
	CHECK_INT(state_process_start(0, &record.pid_start), -ESRCH);
	CHECK_INT(state_process_start(-1, &record.pid_start), -ESRCH);
}

static void test_status(void)
{
	struct state_record record = {.creator = getpid()};
	_cleanup_fd_ int fd = -1;
	struct err err;
	pid_t pid;

	fd = state_create_dir(root_fd, "web1", &err);
	CHECK_INT(state_process_start(getpid(), &record.creator_start), 0);
	CHECK_INT(status_of(fd, &record), STATE_CREATING);
	CHECK_INT(open_init(&record), -ESRCH);
	record.creator_start++;
	CHECK_INT(status_of(fd, &record), STATE_STOPPED);
	record.creator = 0;
	CHECK_INT(status_of(fd, &record), STATE_STOPPED);
	test_status_of_init(fd);

	pid = spawn(true);
	wait_zombie(pid);
	record.pid = pid;
	CHECK_INT(state_process_start(pid, &record.pid_start), 0);
	CHECK_INT(status_of(fd, &record), STATE_RUNNING);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CHECK_INT(status_of(fd, &record), STATE_STOPPED);
	CHECK_INT(remove_dir("web1", &err), 1);

	CHECK_STR(state_status_name(STATE_CREATING), "creating");
	CHECK_STR(state_status_name(STATE_CREATED), "created");
	CHECK_STR(state_status_name(STATE_RUNNING), "running");
	CHECK_STR(state_status_name(STATE_PAUSED), "paused");
	CHECK_STR(state_status_name(STATE_STOPPED), "stopped");
	CHECK_STR(state_status_name(STATE_UNKNOWN), "unknown");
}

/*
 * A record without namespaces: the process with that pid may be another one of this namespace, so the cgroup
 * decides.
 */
static void test_record_without_namespaces(int dir_fd, int cgroup_fd, char *mount)
{
	struct state_record record = {.pid = getpid(), .cgroup_mount = mount, .cgroup_path = (char *)"/a/b"};
	struct stat stat;

	CHECK_INT(k_fstatat(cgroup_fd, "", &stat, AT_EMPTY_PATH), 0);
	record.cgroup_inode = stat.st_ino;
	put_file(cgroup_fd, "cgroup.events", "populated 1\nfrozen 0\n");
	CHECK_INT(status_of(dir_fd, &record), -EXDEV);
	CHECK_INT(open_init(&record), -EXDEV);
	record.cgroup_inode++;
	CHECK_INT(status_of(dir_fd, &record), STATE_STOPPED);
	record.cgroup_inode--;
	put_file(cgroup_fd, "cgroup.events", "populated 0\nfrozen 0\n");
	CHECK_INT(status_of(dir_fd, &record), STATE_STOPPED);
	CHECK_INT(open_init(&record), -ESRCH);
}

/* The cgroup's files are only read, so a plain directory with these files suffices. */
static void test_paused(void)
{
	_cleanup_free_ char *mount = mem_format("%s/cgroups", top);
	struct state_record record = {
		.pid = getpid(), .cgroup_mount = mount, .cgroup_path = (char *)"/a/b", .has_gate = true};
	_cleanup_fd_ int fd = -1, cgroup_fd = -1, gate_fd = -1;
	struct err err;

	fd = state_create_dir(root_fd, "web1", &err);
	CHECK_INT(state_process_start(record.pid, &record.pid_start), 0);
	CHECK(k_mkdirat(root_fd, "cgroups", 0700) == 0 && k_mkdirat(root_fd, "cgroups/a", 0700) == 0);
	/* If the directory is no cgroup2 mount, a missing cgroup does not mean that it was removed. */
	CHECK_INT(status_of(fd, &record), -ENODEV);
	CHECK_INT(k_mkdirat(root_fd, "cgroups/a/b", 0700), 0);
	cgroup_fd = k_openat(root_fd, "cgroups/a/b", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	put_file(cgroup_fd, "cgroup.events", "populated 1\nfrozen 0\n");
	CHECK_INT(status_of(fd, &record), STATE_RUNNING);
	put_file(cgroup_fd, "cgroup.events", "populated 1\nfrozen 1\n");
	CHECK_INT(status_of(fd, &record), STATE_PAUSED);
	gate_fd = listen_at_gate(fd);
	CHECK_INT(status_of(fd, &record), STATE_PAUSED);
	put_file(cgroup_fd, "cgroup.events", "populated 1\nfrozen 0\n");
	CHECK_INT(status_of(fd, &record), STATE_CREATED);
	put_file(cgroup_fd, "cgroup.events", "populated 1\n");
	CHECK_INT(status_of(fd, &record), -EBADMSG);
	record.cgroup_mount = (char *)"/not/there";
	CHECK_INT(status_of(fd, &record), -ENODEV);
	test_record_without_namespaces(fd, cgroup_fd, mount);
	k_unlinkat(cgroup_fd, "cgroup.events", 0);
	k_unlinkat(root_fd, "cgroups/a/b", AT_REMOVEDIR);
	k_unlinkat(root_fd, "cgroups/a", AT_REMOVEDIR);
	k_unlinkat(root_fd, "cgroups", AT_REMOVEDIR);
	CHECK_INT(remove_dir("web1", &err), 1);
}

/* --- the document --- */

static void test_json(void)
{
	struct state_annotation annotation = {(char *)"k", (char *)"v"};
	struct state_record record = sample();
	_cleanup_free_ char *created = NULL, *latest = NULL;
	_cleanup_buf_ struct buf text = {0};
	const struct state_end killed = {
		.has_status = true, .status = 137, .signal = 9, .has_oom_kills = true, .oom_kills = 2};
	const struct state_end ended = {.has_status = true};
	struct json json;

	record.bundle = (char *)"/b";
	record.annotations = &annotation;
	record.annotation_count = 1;
	json_begin(&json, &text, 0);
	record.pid = 42;
	state_write_json(&json, &record, STATE_RUNNING, NULL, "");
	CHECK_STR(text.data, "{\"ociVersion\":\"1.3.0\",\"id\":\"web1\",\"pid\":42,\"status\":\"running\","
			     "\"bundle\":\"/b\",\"rootfs\":\"/srv/rootfs\","
			     "\"created\":\"2026-01-02T03:04:05.000006789Z\","
			     "\"annotations\":{\"k\":\"v\"},\"owner\":\"\","
			     "\"notes\":[\"/mounts/0: a\",\"/mounts/1: b\"]}");
	record.annotation_count = 0;
	record.notes = (char *)"";
	text.len = 0;
	json_begin(&json, &text, 0);
	state_write_json(&json, &record, STATE_STOPPED, NULL, "root");
	CHECK(strstr(text.data, "\"pid\":0,\"status\":\"stopped\"") != NULL);
	CHECK(strstr(text.data, "annotations") == NULL);
	CHECK(strstr(text.data, "\"owner\":\"root\"}") != NULL);
	text.len = 0;
	json_begin(&json, &text, 0);
	state_write_json(&json, &record, STATE_STOPPED, &killed, "root");
	CHECK(strstr(text.data, "\"owner\":\"root\",\"exitStatus\":137,\"exitSignal\":9,\"oomKills\":2}") !=
	      NULL);
	text.len = 0;
	json_begin(&json, &text, 0);
	state_write_json(&json, &record, STATE_STOPPED, &ended, "root");
	CHECK(strstr(text.data, "\"owner\":\"root\",\"exitStatus\":0}") != NULL);
	record.created_secs = -5;
	created = state_created(&record);
	CHECK_STR(created, "1970-01-01T00:00:00.000006789Z");
	record.created_secs = INT64_MAX;
	latest = state_created(&record);
	CHECK_STR(latest, "9999-12-31T23:59:59.000006789Z");
}

/* --- the end --- */

static const struct {
	const char *text;
	bool has_status, has_oom_kills;
	int status, signal;
	uint64_t oom_kills;
} end_rows[] = {
	{"137 9 2\n", true, true, 137, 9, 2},
	{"3 0\n", true, false, 3, 0, 0},
	{"- - 18446744073709551615\n", false, true, 0, 0, UINT64_MAX},
	{"- - 0\n", false, true, 0, 0, 0},
	{"- -\n", false, false, 0, 0, 0},
	{"3 -\n", false, false, 0, 0, 0},
	{"256 0 1\n", false, true, 0, 0, 1},
	{"3 65 1\n", false, true, 0, 0, 1},
	{"3 0 x\n", true, false, 3, 0, 0},
	{"- - 18446744073709551616\n", false, false, 0, 0, 0},
	{"-", false, false, 0, 0, 0},
	{"\n", false, false, 0, 0, 0},
	{"", false, false, 0, 0, 0},
};

static void test_end(void)
{
	const struct state_record record = {.pid = -1, .cgroup_mount = (char *)"", .cgroup_path = (char *)""};
	_cleanup_fd_ int dir_fd = -1, fd = -1;
	struct state_end end;
	struct err err;

	dir_fd = state_create_dir(root_fd, "ended", &err);
	CHECK(dir_fd >= 0);
	for (size_t i = 0; i < ARRAY_SIZE(end_rows); i++) {
		put_file(dir_fd, "end", end_rows[i].text);
		state_read_end(dir_fd, &record, -1, &end);
		if (!CHECK(end.has_status == end_rows[i].has_status &&
			   end.has_oom_kills == end_rows[i].has_oom_kills) ||
		    !CHECK(!end.has_status ||
			   (end.status == end_rows[i].status && end.signal == end_rows[i].signal)) ||
		    !CHECK(!end.has_oom_kills || end.oom_kills == end_rows[i].oom_kills))
			fprintf(stderr, "\tof '%s'\n", end_rows[i].text);
	}
	CHECK_INT(state_open_end(dir_fd, &err), -EEXIST);
	CHECK_INT(k_unlinkat(dir_fd, "end", 0), 0);
	fd = state_open_end(dir_fd, &err);
	CHECK(fd >= 0);
	state_read_end(dir_fd, &record, -1, &end);
	CHECK(!end.has_status && !end.has_oom_kills);
	for (uint64_t kills = 0; kills < 200; kills += 99) {
		char text[48];
		int len = str_format(text, sizeof text, STATE_END_KILLS, (unsigned long long)kills);

		CHECK_INT(k_pwrite(fd, text, (size_t)len, 0), len);
		state_read_end(dir_fd, &record, -1, &end);
		CHECK(!end.has_status && end.has_oom_kills && end.oom_kills == kills);
	}
	CHECK_INT(remove_dir("ended", &err), 1);
}

/* The watcher may have exited early. While the cgroup exists, its own count is used. */
static void test_end_late(void)
{
	_cleanup_free_ char *mount = mem_format("%s/cgroups", top);
	struct state_record record = {.pid = -1, .cgroup_mount = mount, .cgroup_path = (char *)"/a"};
	_cleanup_fd_ int dir_fd = -1, cgroup_fd = -1;
	struct state_end end;
	struct stat stat;
	struct err err;

	dir_fd = state_create_dir(root_fd, "ended", &err);
	CHECK(k_mkdirat(root_fd, "cgroups", 0700) == 0 && k_mkdirat(root_fd, "cgroups/a", 0700) == 0);
	cgroup_fd = k_openat(root_fd, "cgroups/a", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	CHECK_INT(k_fstatat(cgroup_fd, "", &stat, AT_EMPTY_PATH), 0);
	record.cgroup_inode = stat.st_ino;
	put_file(dir_fd, "end", "- - 1\n");
	put_file(cgroup_fd, "memory.events", "oom_kill 2\n");
	state_read_end(dir_fd, &record, -1, &end);
	CHECK(!end.has_status && end.has_oom_kills && end.oom_kills == 2);
	/* The controller was disabled and enabled again, so its count is lower. */
	put_file(cgroup_fd, "memory.events", "oom_kill 0\n");
	state_read_end(dir_fd, &record, -1, &end);
	CHECK(end.has_oom_kills && end.oom_kills == 1);
	/* If a command waited for the container, its count is the right one. */
	put_file(dir_fd, "end", "137 9 1\n");
	put_file(cgroup_fd, "memory.events", "oom_kill 2\n");
	state_read_end(dir_fd, &record, -1, &end);
	CHECK(end.has_status && end.has_oom_kills && end.oom_kills == 1);
	k_unlinkat(cgroup_fd, "memory.events", 0);
	k_unlinkat(root_fd, "cgroups/a", AT_REMOVEDIR);
	k_unlinkat(root_fd, "cgroups", AT_REMOVEDIR);
	CHECK_INT(remove_dir("ended", &err), 1);
}

/* A child that exits with the status, as a zombie. *ret_pidfd was opened before its end. */
static void spawn_zombie(int status, struct state_record *ret_record, int *ret_pidfd)
{
	int go[2];

	CHECK_INT(k_pipe2(go, O_CLOEXEC), 0);
	*ret_record = (struct state_record){.pid = fork()};
	if (ret_record->pid == 0) {
		char byte;

		k_close(go[1]);
		(void)!k_read(go[0], &byte, 1);
		if (status < 0)
			kill(getpid(), -status);
		_exit(status);
	}
	k_close(go[0]);
	CHECK_INT(state_process_start(ret_record->pid, &ret_record->pid_start), 0);
	*ret_pidfd = open_init(ret_record);
	CHECK(*ret_pidfd >= 0);
	k_close(go[1]);
	wait_zombie(ret_record->pid);
}

/* Whether the kernel keeps the status of processes that are gone. */
static bool keeps_status(void)
{
	struct utsname name;
	unsigned int major = 0, minor = 0;

	CHECK_INT(uname(&name), 0);
	CHECK(sscanf(name.release, "%u.%u", &major, &minor) == 2);
	return major > 6 || (major == 6 && minor >= 15);
}

/* The status of a process that another process waits for. A negative status is a signal. */
static void check_end(int dir_fd, const struct state_end *end)
{
	const struct state_record record = {.cgroup_mount = (char[]){""}, .cgroup_path = (char[]){""}};
	struct state_end read;
	struct err err;

	CHECK_INT(state_write_end(dir_fd, end, &err), 0);
	state_read_end(dir_fd, &record, -1, &read);
	CHECK_INT(read.has_status, end->has_status);
	CHECK_INT(read.status, end->status);
	CHECK_INT(read.signal, end->signal);
	CHECK_INT(read.has_oom_kills, end->has_oom_kills);
	CHECK_INT(read.oom_kills, end->oom_kills);
}

/* What is not known is not stored as 0. */
static void test_stored_end(void)
{
	struct err err;
	_cleanup_fd_ int dir_fd = state_create_dir(root_fd, "end", &err);

	check_end(dir_fd, &(struct state_end){.has_status = true, .status = 159, .signal = 31});
	check_end(dir_fd,
		  &(struct state_end){.has_status = true, .status = 7, .has_oom_kills = true, .oom_kills = 3});
	check_end(dir_fd, &(struct state_end){.has_oom_kills = true, .oom_kills = 3});
	check_end(dir_fd, &(struct state_end){.has_oom_kills = true});
	check_end(dir_fd, &(struct state_end){.has_status = false});
	CHECK_INT(state_remove(root_fd, dir_fd, "end", &err) >= 0, 1);
}

static void test_stored_mounts(void)
{
	struct err err;
	_cleanup_fd_ int dir_fd = state_create_dir(root_fd, "mounts", &err), fd = -1;
	_cleanup_state_mounts_ struct state_mounts none = {0}, mounts = {0}, read = {0};

	CHECK_INT(state_read_mounts(dir_fd, &none, &err), 0);
	CHECK_INT(none.count, 0);
	for (uint64_t id = 7; id < 10; id++)
		state_mounts_add(&mounts, id);
	state_mounts_add(&mounts, UINT64_MAX);
	state_mounts_drop(&mounts, 8);
	state_mounts_drop(&mounts, 1000);
	CHECK_INT(state_write_mounts(dir_fd, &mounts, &err), 0);
	CHECK_INT(state_read_mounts(dir_fd, &read, &err), 0);
	if (CHECK_INT(read.count, 3))
		CHECK(read.ids[0] == 7 && read.ids[1] == 9 && read.ids[2] == UINT64_MAX);
	fd = k_openat(dir_fd, "mounts", O_WRONLY | O_TRUNC | O_CLOEXEC, 0);
	CHECK_INT(io_write_all(fd, "7 8\n", 4), 0);
	state_mounts_done(&read);
	CHECK_INT(state_read_mounts(dir_fd, &read, &err), -EBADMSG);
	CHECK_INT(read.count, 0);
	CHECK_INT(state_remove(root_fd, dir_fd, "mounts", &err) >= 0, 1);
}

static void test_exit(void)
{
	static const int statuses[] = {0, 7, 255, -SIGKILL, -SIGTERM};

	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		bool is_killed = statuses[i] < 0;
		int expected = is_killed ? -statuses[i] : statuses[i] << 8, status = -1;
		struct state_record record;
		struct state_end end = {.has_status = false};
		_cleanup_fd_ int pidfd = -1;

		spawn_zombie(statuses[i], &record, &pidfd);
		CHECK(state_read_exit(&record, -1, &status));
		CHECK_INT(status, expected);
		record.pid_start++;
		CHECK(!state_read_exit(&record, -1, &status));
		record.pid_start--;
		CHECK(waitpid(record.pid, NULL, 0) == record.pid);
		CHECK(!state_read_exit(&record, -1, &status));
		status = -1;
		CHECK_INT(state_read_exit(&record, pidfd, &status), keeps_status());
		CHECK_INT(status, keeps_status() ? expected : -1);
		state_end_set(&end, expected);
		CHECK(end.has_status && end.signal == (is_killed ? -statuses[i] : 0));
		CHECK_INT(end.status, is_killed ? 128 - statuses[i] : statuses[i]);
	}
}

/* A caller without the permission to inspect a zombie must not take its status for 0. */
static void test_exit_of_other_user(void)
{
	struct state_record record;
	_cleanup_fd_ int pidfd = -1;
	int status = -1;
	pid_t reader;

	if (geteuid() != 0)
		return;
	spawn_zombie(0, &record, &pidfd);
	reader = fork();
	if (reader == 0) {
		if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
			_exit(2);
		_exit(state_read_exit(&record, -1, &status));
	}
	CHECK(waitpid(reader, &status, 0) == reader);
	CHECK_INT(status, 0);
	CHECK(waitpid(record.pid, NULL, 0) == record.pid);
}

/* --- supervised containers --- */

static void test_report(int dir_fd)
{
	_cleanup_buf_ struct buf text = {0};
	_cleanup_fd_ int fd = -1, reader_fd = -1;
	struct err err;
	int copy_fd;

	CHECK_INT(state_open_report(dir_fd), -ENOENT);
	fd = state_create_report(dir_fd, &err);
	reader_fd = state_open_report(dir_fd);
	CHECK(fd >= 0 && reader_fd >= 0);
	CHECK_INT(state_create_report(dir_fd, &err), -EEXIST);
	/* The lock is kept by a copy, as a forked supervisor has one. */
	copy_fd = k_fcntl(fd, F_DUPFD_CLOEXEC, 0);
	fd_close(&fd);
	CHECK_INT(state_await_report(reader_fd, 0), -EBUSY);
	CHECK_INT(state_await_report(reader_fd, 20), -EBUSY);
	CHECK_INT(io_write_all(copy_fd, "{}\n", 3), 0);
	CHECK_INT(state_await_report(reader_fd, 0), -EBUSY);
	k_close(copy_fd);
	CHECK_INT(state_await_report(reader_fd, -1), 0);
	CHECK_INT(state_read_report(reader_fd, &text), 0);
	CHECK_INT(text.len, 3);
}

static void test_signals(int dir_fd)
{
	_cleanup_fd_ int fd = -1;
	struct stat stat;
	struct err err;

	state_note_signal(dir_fd, SIGTERM); /* without the file it has no effect */
	fd = state_create_signals(dir_fd, &err);
	CHECK(fd >= 0);
	CHECK_INT(state_read_signals(fd), 0);
	for (int i = 0; i < 3; i++)
		state_note_signal(dir_fd, SIGTERM);
	state_note_signal(dir_fd, 64);
	CHECK(state_read_signals(fd) == (UINT64_C(1) << (SIGTERM - 1) | UINT64_C(1) << 63));
	for (int i = 0; i < 200; i++)
		state_note_signal(dir_fd, i);
	CHECK_INT(k_fstat(fd, &stat), 0);
	CHECK_INT(stat.st_size, 64);
}

static void test_supervised(void)
{
	_cleanup_fd_ int dir_fd = -1, reader_fd = -1;
	_cleanup_buf_ struct buf text = {0};
	struct err err;

	dir_fd = state_create_dir(root_fd, "supervised", &err);
	CHECK(dir_fd >= 0);
	test_report(dir_fd);
	test_signals(dir_fd);
	k_unlinkat(dir_fd, "report", 0);
	/* A supervisor that was killed has written nothing. */
	k_close(state_create_report(dir_fd, &err));
	reader_fd = state_open_report(dir_fd);
	CHECK_INT(state_await_report(reader_fd, 0), 0);
	CHECK_INT(state_read_report(reader_fd, &text), -ENODATA);
	CHECK_INT(remove_dir("supervised", &err), 1);
	CHECK_INT(k_faccessat2(root_fd, "supervised", F_OK, 0), -ENOENT);
}

int main(int argc, char **argv)
{
	struct err err;

	CHECK(mkdtemp(top) != NULL);
	root_fd = state_open_root(top, true, &err);
	if (!CHECK(root_fd >= 0))
		return 1;
	test_ids();
	test_root();
	test_default_root();
	test_round_trip();
	test_strict();
	test_versions();
	test_hostile();
	k_unlinkat(root_fd, "some/where", AT_REMOVEDIR);
	k_unlinkat(root_fd, "some", AT_REMOVEDIR);
	test_dirs();
	test_files();
	test_config();
	for (int i = 1; i < argc; i++)
		test_earlier(argv[i]);
	test_list();
	test_stored_end();
	test_stored_mounts();
	test_status();
	test_paused();
	test_json();
	test_end();
	test_end_late();
	test_exit();
	test_exit_of_other_user();
	test_supervised();
	fd_close(&root_fd);
	CHECK_INT(rmdir(top), 0);
	UNIT_MAIN_END;
}
