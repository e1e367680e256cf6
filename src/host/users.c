/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The users of this machine, by its files. getpwuid(3) cannot be used: it loads NSS modules, and a static
 * program cannot load any. Process: the parent, with the rights of the caller.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tare/host.h>

#define FILE_MAX ((size_t)16 << 20)

#define FIELDS 3
#define FIELD_MAX 256

/* The first fields of a line, which end at colons; "" for one that is too long. Moves *at past the line. */
static void split_line(const char **at, char fields[FIELDS][FIELD_MAX])
{
	const char *end = *at + strcspn(*at, "\n");

	for (int i = 0; i < FIELDS; i++) {
		size_t len = strcspn(*at, ":\n");

		str_format(fields[i], sizeof fields[i], "%.*s", (int)(len < FIELD_MAX ? len : 0), *at);
		*at += len;
		*at += **at == ':';
	}
	*at = end + (*end == '\n');
}

char *host_user_name(const char *passwd, uid_t uid)
{
	char fields[FIELDS][FIELD_MAX]; /* passwd(5): name, password, uid */
	uint64_t found;

	while (*passwd != '\0') {
		split_line(&passwd, fields);
		if (fields[0][0] != '\0' && str_to_u64(fields[2], UINT32_MAX, &found) && found == uid)
			return mem_dup(fields[0]);
	}
	return NULL;
}

static int read_file(const char *path, struct buf *text, struct err *err)
{
	int r = io_read_file(AT_FDCWD, path, FILE_MAX, text);

	buf_add(text, "", 0);
	return r < 0 && r != -ENOENT ? err_system(err, r, "cannot read '%s'", path) : 0;
}

/* --- subordinate ids --- */

/* One of the two files, and what its lines are compared with. */
struct subids {
	const char *user; /* or NULL */
	char number[16];  /* the user's id */
	const char *map;  /* proc_pid_uid_map(5) */
	uint32_t own;
	struct host_range *ranges;
	uint32_t count;
};

static bool has(const struct host_range *range, uint32_t id)
{
	return id >= range->first && id - range->first < range->size;
}

/* Whether the caller's user namespace has all ids of the range, in one line of the map. */
static bool is_mapped(const char *map, const struct host_range *range)
{
	struct id_map_line line;

	while (id_map_next(&map, &line))
		if (id_map_has(&line, range->first) && range->size <= line.size - (range->first - line.first))
			return true;
	return false;
}

/* user_namespaces(7): no id may be in two ranges of a map. The caller's own is in the first one. */
static bool is_free(const struct subids *s, const struct host_range *range)
{
	if (has(range, s->own))
		return false;
	for (uint32_t i = 0; i < s->count; i++)
		if (has(&s->ranges[i], range->first) || has(range, s->ranges[i].first))
			return false;
	return true;
}

/* The range of the next line that is the user's, and moves *at past it. False at the end. */
static bool next_range(const char **at, const char *user, const char *number, struct host_range *ret)
{
	char fields[FIELDS][FIELD_MAX]; /* subuid(5): name or number of the user, first id, size */
	uint64_t first, size;

	while (**at != '\0') {
		split_line(at, fields);
		if (!str_equal(fields[0], user) && !str_equal(fields[0], number))
			continue;
		if (!str_to_u64(fields[1], UINT32_MAX, &first) ||
		    !str_to_u64(fields[2], UINT32_MAX - first, &size) || size == 0)
			continue;
		*ret = (struct host_range){(uint32_t)first, (uint32_t)size};
		return true;
	}
	return false;
}

static void add_lines(struct subids *s, const char *text)
{
	struct host_range range;

	while (s->count < HOST_RANGES && next_range(&text, s->user, s->number, &range))
		if (is_mapped(s->map, &range) && is_free(s, &range))
			s->ranges[s->count++] = range;
}

static int probe_file(const char *path, const char *map_path, struct subids *s, struct err *err)
{
	_cleanup_buf_ struct buf text = {0}, map = {0};
	int r = read_file(path, &text, err);

	if (r >= 0)
		r = read_file(map_path, &map, err);
	if (r < 0)
		return r;
	s->map = map.data;
	add_lines(s, text.data);
	return 0;
}

int host_probe_subids(struct host_subids *ret_subids, struct err *err)
{
	_cleanup_buf_ struct buf passwd = {0};
	_cleanup_free_ char *name = NULL;
	struct subids s = {.own = geteuid(), .ranges = ret_subids->uids};
	int r = read_file("/etc/passwd", &passwd, err);

	*ret_subids = (struct host_subids){.uid_count = 0};
	if (r < 0)
		return r;
	name = host_user_name(passwd.data, geteuid());
	s.user = name;
	str_format(s.number, sizeof s.number, "%u", geteuid());
	r = probe_file("/etc/subuid", "/proc/self/uid_map", &s, err);
	ret_subids->uid_count = s.count;
	if (r < 0)
		return r;
	s.own = getegid();
	s.ranges = ret_subids->gids;
	s.count = 0;
	r = probe_file("/etc/subgid", "/proc/self/gid_map", &s, err);
	ret_subids->gid_count = s.count;
	return r;
}

/* --- ids that cannot be mapped --- */

/* A list of struct host_range in a buf. */
static void add_range(struct buf *list, uint64_t first, uint64_t size)
{
	struct host_range range = {(uint32_t)first, (uint32_t)size};

	buf_add(list, &range, sizeof range);
}

/* The first id of a range that no range of the list has. */
static bool find_gap(const struct buf *list, const struct host_range *range, uint32_t *ret_id)
{
	const struct host_range *ranges = (const void *)list->data;
	size_t count = list->len / sizeof *ranges;
	uint64_t id = range->first, end = id + range->size;

	for (size_t i = 0; i < count && id < end;) {
		bool is_here = has(&ranges[i], (uint32_t)id);

		id = is_here ? (uint64_t)ranges[i].first + ranges[i].size : id;
		i = is_here ? 0 : i + 1;
	}
	*ret_id = id < end ? (uint32_t)id : *ret_id;
	return id < end;
}

int host_find_unmapped_id(bool is_gid, const struct host_range *range, uint32_t *ret_id, struct err *err)
{
	_cleanup_buf_ struct buf text = {0}, list = {0};
	int r = read_file(is_gid ? "/proc/self/gid_map" : "/proc/self/uid_map", &text, err);
	const char *at = text.data;
	struct id_map_line line;

	if (r < 0)
		return r;
	while (id_map_next(&at, &line))
		add_range(&list, line.first, line.size);
	return find_gap(&list, range, ret_id);
}

int host_has_subid_files(struct err *err)
{
	_cleanup_buf_ struct buf text = {0};
	int r = read_file("/etc/nsswitch.conf", &text, err);
	const char *at = r < 0 ? "" : text.data;

	while (*at != '\0' && !str_has_prefix(at, "subid:")) {
		at += strcspn(at, "\n");
		at += *at == '\n';
	}
	if (r < 0 || *at == '\0')
		return r < 0 ? r : 1;
	at += strlen("subid:");
	at += strspn(at, " \t");
	return str_has_prefix(at, "files");
}

static int list_permitted(bool is_gid, struct buf *list, struct host_user *user, struct err *err)
{
	_cleanup_buf_ struct buf passwd = {0}, text = {0};
	_cleanup_free_ char *name = NULL;
	struct host_range range;
	char number[16];
	int r = read_file("/etc/passwd", &passwd, err);
	const char *at;

	if (r >= 0)
		r = read_file(is_gid ? "/etc/subgid" : "/etc/subuid", &text, err);
	if (r < 0)
		return r;
	name = host_user_name(passwd.data, geteuid());
	str_format(number, sizeof number, "%u", geteuid());
	str_format(user->name, sizeof user->name, "%s", name == NULL ? number : name);
	at = text.data;
	while (next_range(&at, name, number, &range))
		add_range(list, range.first, range.size);
	return 0;
}

int host_find_forbidden_id(bool is_gid, const struct host_range *range, uint32_t *ret_id,
			   struct host_user *ret_user, struct err *err)
{
	_cleanup_buf_ struct buf list = {0};
	int r = host_has_subid_files(err);

	if (r <= 0 || (range->size == 1 && range->first == (is_gid ? getegid() : geteuid())))
		return r < 0 ? r : 0;
	r = list_permitted(is_gid, &list, ret_user, err);
	return r < 0 ? r : find_gap(&list, range, ret_id);
}

bool host_find_program(const char *name, char *ret_path, size_t size)
{
	const char *list = getenv("PATH");
	char file[PATH_MAX];

	for (list = list == NULL ? "/bin:/usr/bin" : list; list != NULL;) { /* as execvp(3) */
		if (!path_next_candidate(&list, name, file, sizeof file) ||
		    k_faccessat2(AT_FDCWD, file, X_OK, AT_EACCESS) < 0)
			continue;
		if (ret_path != NULL)
			str_format(ret_path, size, "%s", file);
		return true;
	}
	return false;
}
