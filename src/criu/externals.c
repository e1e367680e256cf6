/* SPDX-License-Identifier: Apache-2.0 */
/* What the images of a container refer to and do not contain. Process: the one that was called. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <tare/criu.h>
#include <tare/kernel.h>

#define FILE_NAME "tare-externals"
#define TABLE_MAX (16 << 20)
#define UNIX98_PTY_FIRST 136 /* Documentation/admin-guide/devices.txt */
#define UNIX98_PTY_LAST 143

static void add(struct criu_externals *list, enum criu_external_kind kind, int number, const char *text)
{
	if (list->count == list->room) {
		list->room = list->room == 0 ? 16 : 2 * list->room;
		list->v = mem_resize(list->v, list->room * sizeof *list->v);
	}
	list->v[list->count++] =
		(struct criu_external){kind, number, arena_dup(&list->arena, text, strlen(text))};
}

void criu_externals_done(struct criu_externals *externals)
{
	mem_free(&externals->v);
	arena_done(&externals->arena);
}

void criu_external_name(size_t i, char *ret, size_t size)
{
	str_format(ret, size, "tare-%zu", i);
}

/* --- mounts: proc_pid_mountinfo(5) --- */

struct mount_line {
	char id[24], device[32], root[4096], point[4096], type[64];
};

/* Copies the next field. A blank in it is escaped; "\\040". */
static const char *next_field(const char *at, char *ret, size_t size)
{
	size_t len = strcspn(at, " \n");

	str_format(ret, size, "%.*s", (int)len, at);
	return at + len + (at[len] == ' ');
}

static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from != '\0'; to++) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] != '\0' && from[3] != '\0') {
			*to = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

/* Reads the line at *at, and moves *at to the next one. False at the end. */
static bool next_mount(const char **at, struct mount_line *ret)
{
	const char *field = *at;
	char parent[24];

	if (*field == '\0')
		return false;
	ret->type[0] = '\0';
	field = next_field(field, ret->id, sizeof ret->id);
	field = next_field(field, parent, sizeof parent);
	field = next_field(field, ret->device, sizeof ret->device);
	field = next_field(field, ret->root, sizeof ret->root);
	field = next_field(field, ret->point, sizeof ret->point);
	unescape(ret->point);
	while (!str_has_prefix(field, "- ") && *field != '\n' && *field != '\0')
		field += strcspn(field, " \n") + (field[strcspn(field, " \n")] == ' ');
	if (*field == '-')
		field = next_field(field + strlen("- "), ret->type, sizeof ret->type);
	field += strcspn(field, "\n");
	*at = field + (*field == '\n');
	return true;
}

/* Whether a mount of the table has this device, and with is_whole the root of its file system. */
static bool has_device(const char *table, const char *device, bool is_whole)
{
	struct mount_line line;

	while (next_mount(&table, &line))
		if (str_equal(line.device, device) && (!is_whole || str_equal(line.root, "/")))
			return true;
	return false;
}

static int read_table(pid_t pid, struct buf *ret, struct err *err)
{
	char path[40];
	int r;

	str_format(path, sizeof path, "/proc/%d/mountinfo", pid);
	r = io_read_file(AT_FDCWD, path, TABLE_MAX, ret);
	if (r < 0)
		return err_system(err, r, "cannot read the mounts of process %d", pid);
	buf_add(ret, "", 1);
	return 0;
}

/*
 * A mount is external if its file system is also mounted on the host, or if only parts of it are mounted in the
 * container, or if it is a single terminal. criu(8) makes all others again, with their content.
 */
static bool is_external(const struct mount_line *line, const char *own, const char *mounts)
{
	return has_device(own, line->device, false) || !has_device(mounts, line->device, true) ||
	       (str_equal(line->type, "devpts") && !str_equal(line->root, "/"));
}

static int check_added(const struct criu_source *source, const char *mounts, struct err *err)
{
	struct mount_line line;

	while (next_mount(&mounts, &line))
		for (size_t i = 0; i < source->added_count; i++)
			if (strtoull(line.id, NULL, 10) == source->added[i]) {
				err_set(err, ERR_UNSUPPORTED, 0, NULL,
					"cannot checkpoint the mount that was added at '%.200s': a restored "
					"container has only those of its configuration",
					line.point);
				err_hint(err, "remove it before: tare mounts remove");
				return -EOPNOTSUPP;
			}
	return 0;
}

static int find_mounts(const char *own, const char *mounts, struct criu_externals *ret, struct err *err)
{
	struct mount_line line;

	for (const char *at = mounts; next_mount(&at, &line);) {
		if (str_equal(line.point, "/") || !is_external(&line, own, mounts))
			continue;
		if (strpbrk(line.point, "]\n") != NULL)
			return err_set(err, ERR_UNSUPPORTED, 0, NULL,
				       "cannot checkpoint the mount at '%.200s': criu cannot express this path",
				       line.point);
		add(ret, CRIU_MOUNT, 0, line.point);
	}
	return 0;
}

static bool has_mount_id(const char *mounts, const char *id)
{
	struct mount_line line;

	while (next_mount(&mounts, &line))
		if (str_equal(line.id, id))
			return true;
	return false;
}

/* --- descriptors --- */

static bool is_pty(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && major(st->st_rdev) >= UNIX98_PTY_FIRST &&
	       major(st->st_rdev) <= UNIX98_PTY_LAST;
}

static int read_mount_id(pid_t pid, int number, char *ret, size_t size)
{
	_cleanup_buf_ struct buf info = {0};
	char path[48];
	uint64_t id;
	int r;

	str_format(path, sizeof path, "/proc/%d/fdinfo/%d", pid, number);
	r = io_read_file(AT_FDCWD, path, TABLE_MAX, &info);
	if (r < 0)
		return r;
	for (const char *at = info.data; at != NULL && *at != '\0'; at += strcspn(at, "\n"), at += *at == '\n')
		if (str_has_prefix(at, "mnt_id:\t")) {
			id = strtoull(at + strlen("mnt_id:\t"), NULL, 10);
			str_format(ret, size, "%llu", (unsigned long long)id);
			return 0;
		}
	return -ENODATA;
}

/* The name that "--external" and "--inherit-fd" have for the descriptor; "" if the images contain it. */
static int name_descriptor(pid_t pid, int number, const char *mounts, char *ret, size_t size)
{
	char path[48], link[4096], id[24];
	struct stat st;
	ssize_t len;
	int r;

	ret[0] = '\0';
	str_format(path, sizeof path, "/proc/%d/fd/%d", pid, number);
	len = k_readlinkat(AT_FDCWD, path, link, sizeof link - 1);
	if (len < 0)
		return len == -ENOENT ? 0 : (int)len;
	link[len] = '\0';
	if (str_has_prefix(link, "pipe:[") || str_has_prefix(link, "socket:[")) {
		str_format(ret, size, "%s", link);
		return 0;
	}
	if (stat(path, &st) < 0)
		return -errno;
	if (is_pty(&st)) {
		str_format(ret, size, "tty[%llx:%llx]", (unsigned long long)st.st_rdev,
			   (unsigned long long)st.st_dev);
		return 0;
	}
	r = read_mount_id(pid, number, id, sizeof id);
	if (r >= 0 && !has_mount_id(mounts, id))
		str_format(ret, size, "file[%llx:%llx]", strtoull(id, NULL, 10), (unsigned long long)st.st_ino);
	return r;
}

static int find_descriptors(pid_t pid, const char *mounts, struct criu_externals *ret, struct err *err)
{
	for (int number = 0; number < 3; number++) {
		char name[128];
		int r = name_descriptor(pid, number, mounts, name, sizeof name);

		if (r < 0)
			return err_system(err, r, "cannot inspect descriptor %d of process %d", number, pid);
		if (name[0] != '\0')
			add(ret, CRIU_DESCRIPTOR, number, name);
	}
	return 0;
}

/* --- namespaces --- */

static int find_namespaces(const char *joined, struct criu_externals *ret, struct err *err)
{
	while (*joined != '\0') {
		char name[16];

		joined = next_field(joined, name, sizeof name);
		if (!str_equal(name, "net") && !str_equal(name, "pid"))
			return err_set(err, ERR_UNSUPPORTED, 0, "/linux/namespaces",
				       "cannot checkpoint a container in the %s namespace of other processes: "
				       "criu cannot",
				       name);
		add(ret, CRIU_NAMESPACE, 0, name);
	}
	return 0;
}

int criu_externals_find(const struct criu_source *source, struct criu_externals *ret, struct err *err)
{
	_cleanup_buf_ struct buf own = {0}, mounts = {0};
	int r = read_table(k_getpid(), &own, err);

	*ret = (struct criu_externals){.v = NULL};
	if (r >= 0)
		r = read_table(source->pid, &mounts, err);
	if (r >= 0)
		r = check_added(source, mounts.data, err);
	if (r >= 0)
		r = find_mounts(own.data, mounts.data, ret, err);
	if (r >= 0)
		r = find_descriptors(source->pid, mounts.data, ret, err);
	return r < 0 ? r : find_namespaces(source->joined, ret, err);
}

int criu_externals_add(const struct criu_externals *externals, pid_t pid, struct criu_args *args,
		       struct err *err)
{
	for (size_t i = 0; i < externals->count; i++) {
		const struct criu_external *e = &externals->v[i];
		char name[32], path[48];
		struct stat st;

		criu_external_name(i, name, sizeof name);
		if (e->kind == CRIU_DESCRIPTOR && !str_has_prefix(e->text, "file[") &&
		    !str_has_prefix(e->text, "tty["))
			continue;
		criu_args_add(args, "--external");
		if (e->kind == CRIU_MOUNT) {
			criu_args_add(args, "mnt[%s]:%s", e->text, name);
		} else if (e->kind == CRIU_DESCRIPTOR) {
			criu_args_add(args, "%s", e->text);
		} else {
			str_format(path, sizeof path, "/proc/%d/ns/%s", pid, e->text);
			if (stat(path, &st) < 0)
				return err_system(err, errno, "cannot inspect the %s namespace", e->text);
			criu_args_add(args, "%s[%llu]:%s", e->text, (unsigned long long)st.st_ino, name);
		}
	}
	return 0;
}

/* --- the file --- */

static const char *const kind_names[] = {
	[CRIU_MOUNT] = "mount", [CRIU_DESCRIPTOR] = "descriptor", [CRIU_NAMESPACE] = "namespace"};

int criu_externals_write(const struct criu_externals *externals, const char *images, struct err *err)
{
	_cleanup_free_ char *path = mem_format("%s/" FILE_NAME, images);
	_cleanup_buf_ struct buf text = {0};
	int r;

	buf_add_str(&text, "version 1\n");
	for (size_t i = 0; i < externals->count; i++)
		buf_format(&text, "%s %d %s\n", kind_names[externals->v[i].kind], externals->v[i].number,
			   externals->v[i].text);
	r = io_replace_file(AT_FDCWD, path, text.data, text.len, 0600);
	return r < 0 ? err_system(err, r, "cannot write '%s'", path) : 0;
}

static bool parse_line(const char *line, size_t len, struct criu_externals *ret)
{
	_cleanup_free_ char *copy = mem_format("%.*s", (int)len, line);
	char *number = strchr(copy, ' '), *text = number == NULL ? NULL : strchr(number + 1, ' ');
	uint64_t value;

	if (text == NULL)
		return false;
	*number++ = '\0';
	*text++ = '\0';
	if (!str_to_u64(number, 2, &value))
		return false;
	for (size_t kind = 0; kind < ARRAY_SIZE(kind_names); kind++)
		if (str_equal(copy, kind_names[kind])) {
			add(ret, (enum criu_external_kind)kind, (int)value, text);
			return true;
		}
	return false;
}

int criu_externals_read(const char *images, struct criu_externals *ret, struct err *err)
{
	_cleanup_free_ char *path = mem_format("%s/" FILE_NAME, images);
	_cleanup_buf_ struct buf text = {0};
	int r = io_read_file(AT_FDCWD, path, TABLE_MAX, &text);
	const char *at;

	*ret = (struct criu_externals){.v = NULL};
	if (r < 0) {
		err_set(err, ERR_USAGE, r, NULL, "cannot read '%s'", path);
		if (r == -ENOENT)
			err_hint(err, "only a checkpoint that tare has written can be restored");
		return r;
	}
	buf_add(&text, "", 1);
	at = text.data;
	if (!str_has_prefix(at, "version 1\n"))
		return err_set(err, ERR_USAGE, 0, NULL, "'%s' is of another version of tare", path);
	for (at += strlen("version 1\n"); *at != '\0'; at += strcspn(at, "\n") + 1)
		if (at[strcspn(at, "\n")] == '\0' || !parse_line(at, strcspn(at, "\n"), ret))
			return err_set(err, ERR_USAGE, EBADMSG, NULL, "'%s' is damaged", path);
	return 0;
}
