/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads and writes the record file.
 *
 *   tare 6                      the version of the table
 *   id web1
 *   ...                         one line for each row of the table below
 *   annotation KEY VALUE        any number of them
 *   config 0
 *                               an empty line, the end of the file
 *
 * '%' and control bytes of a value are written as %XX, in annotations blanks, too. The first and the last two
 * lines have a fixed place, the others may be in any order. Each row of the table has exactly one line. The
 * last lines show that the record is complete. Before version 6 the configuration followed them, and "config"
 * was its size.
 *
 * Containers survive upgrades of tare, so every version reads the records of all others. Rows are only ever
 * added, each with the number of the first version that has it. If a record has no such line, 0 or an empty
 * string means what was true before. Unknown lines in a record of a later version are ignored.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "private.h"

#define FIRST_WORD "tare"
#define VERSION 6
#define VERSION_CONFIG_FILE 6 /* the first one without the configuration in the record */
#define VERSION_MAX 9999
#define PID_MAX 4194304 /* PID_MAX_LIMIT of the kernel */

enum kind {
	KIND_STRING,
	KIND_ID,
	KIND_PATH,          /* absolute */
	KIND_OPTIONAL_PATH, /* absolute or empty */
	KIND_BOOL,
	KIND_U32,
	KIND_PID,
	KIND_U64,
	KIND_SECS,
};

static const struct row {
	const char *key;
	enum kind kind;
	size_t offset;
	uint64_t max;
	unsigned int since; /* the first version that has the row; 0: all versions */
} rows[] = {
	{"id", KIND_ID, offsetof(struct state_record, id), 0},
	{"bundle", KIND_PATH, offsetof(struct state_record, bundle), 0},
	{"rootfs", KIND_OPTIONAL_PATH, offsetof(struct state_record, rootfs), 0},
	{"oci-version", KIND_STRING, offsetof(struct state_record, oci_version), 0},
	{"cgroup-mount", KIND_OPTIONAL_PATH, offsetof(struct state_record, cgroup_mount), 0},
	{"cgroup-path", KIND_OPTIONAL_PATH, offsetof(struct state_record, cgroup_path), 0},
	{"unit", KIND_STRING, offsetof(struct state_record, unit), 0},
	{"is-user-unit", KIND_BOOL, offsetof(struct state_record, is_user_unit), 1},
	{"resctrl-clos", KIND_STRING, offsetof(struct state_record, resctrl_clos), 0},
	{"resctrl-monitor", KIND_STRING, offsetof(struct state_record, resctrl_monitor), 0},
	{"is-resctrl-own", KIND_BOOL, offsetof(struct state_record, is_resctrl_own), 1},
	{"cgroup-created", KIND_U32, offsetof(struct state_record, cgroup_created), 4096},
	{"pid", KIND_PID, offsetof(struct state_record, pid), PID_MAX},
	{"pid-start", KIND_U64, offsetof(struct state_record, pid_start), UINT64_MAX},
	{"creator", KIND_PID, offsetof(struct state_record, creator), PID_MAX},
	{"creator-start", KIND_U64, offsetof(struct state_record, creator_start), UINT64_MAX},
	{"created-secs", KIND_SECS, offsetof(struct state_record, created_secs), DATE_SECS_MAX},
	{"created-nanosecs", KIND_U32, offsetof(struct state_record, created_nanosecs), 999999999},
	{"owner", KIND_U32, offsetof(struct state_record, owner), UINT32_MAX},
	{"has-gate", KIND_BOOL, offsetof(struct state_record, has_gate), 1},
	{"has-poststop", KIND_BOOL, offsetof(struct state_record, has_poststop), 1},
	{"has-poststart", KIND_BOOL, offsetof(struct state_record, has_poststart), 1},
	{"is-no-new-keyring", KIND_BOOL, offsetof(struct state_record, is_no_new_keyring), 1, 2},
	{"cgroup-inode", KIND_U64, offsetof(struct state_record, cgroup_inode), UINT64_MAX, 2},
	{"keyring", KIND_STRING, offsetof(struct state_record, keyring), 0, 3},
	{"pid-namespace", KIND_U64, offsetof(struct state_record, pid_namespace), UINT64_MAX, 4},
	{"time-namespace", KIND_U64, offsetof(struct state_record, time_namespace), UINT64_MAX, 4},
	{"notes", KIND_STRING, offsetof(struct state_record, notes), 0, 5},
	{"is-pid-namespace-own", KIND_BOOL, offsetof(struct state_record, is_pid_namespace_own), 1, 6},
	{"has-filter", KIND_BOOL, offsetof(struct state_record, has_filter), 1, 6},
	{"has-program", KIND_BOOL, offsetof(struct state_record, has_program), 1, 6},
};

_Static_assert(sizeof(pid_t) == 4 && sizeof(uid_t) == 4 && sizeof(unsigned int) == 4, "KIND_PID, KIND_U32");

void state_record_done(struct state_record *record)
{
	free(record->id);
	free(record->bundle);
	free(record->rootfs);
	free(record->oci_version);
	free(record->cgroup_mount);
	free(record->cgroup_path);
	free(record->unit);
	free(record->resctrl_clos);
	free(record->resctrl_monitor);
	free(record->keyring);
	free(record->notes);
	for (size_t i = 0; i < record->annotation_count; i++) {
		free(record->annotations[i].key);
		free(record->annotations[i].value);
	}
	free(record->annotations);
	*record = (struct state_record){0};
}

const char *state_annotation(const struct state_record *record, const char *key)
{
	for (size_t i = 0; i < record->annotation_count; i++)
		if (str_equal(record->annotations[i].key, key))
			return record->annotations[i].value;
	return NULL;
}

/* --- writing --- */

static bool is_escaped(unsigned char c, bool is_word)
{
	return c < ' ' || c == 0x7f || c == '%' || (is_word && c == ' ');
}

static void add_escaped(struct buf *out, const char *value, bool is_word)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t plain; value != NULL && *value != '\0'; value += plain) {
		unsigned char c = (unsigned char)*value;

		plain = 0;
		while (value[plain] != '\0' && !is_escaped((unsigned char)value[plain], is_word))
			plain++;
		if (plain > 0) {
			buf_add(out, value, plain);
		} else {
			buf_add(out, (char[]){'%', digits[c >> 4], digits[c & 15]}, 3);
			plain = 1;
		}
	}
}

static void add_row(struct buf *out, const struct row *row, const struct state_record *record)
{
	const void *at = (const char *)record + row->offset;

	buf_format(out, "%s ", row->key);
	switch (row->kind) {
	case KIND_STRING:
	case KIND_ID:
	case KIND_PATH:
	case KIND_OPTIONAL_PATH:
		add_escaped(out, *(char *const *)at, false);
		break;
	case KIND_BOOL:
		buf_add_str(out, *(const bool *)at ? "1" : "0");
		break;
	case KIND_U32:
		buf_format(out, "%u", *(const uint32_t *)at);
		break;
	case KIND_PID:
		buf_format(out, "%d", *(const pid_t *)at);
		break;
	case KIND_U64:
		buf_format(out, "%llu", (unsigned long long)*(const uint64_t *)at);
		break;
	case KIND_SECS: /* a time before 1970 is from a clock that was not set */
		buf_format(out, "%lld", *(const int64_t *)at < 0 ? 0LL : (long long)*(const int64_t *)at);
		break;
	}
	buf_add(out, "\n", 1);
}

void state_format(const struct state_record *record, struct buf *out)
{
	buf_format(out, "%s %d\n", FIRST_WORD, VERSION);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		add_row(out, &rows[i], record);
	for (size_t i = 0; i < record->annotation_count; i++) {
		buf_add_str(out, "annotation ");
		add_escaped(out, record->annotations[i].key, true);
		buf_add(out, " ", 1);
		add_escaped(out, record->annotations[i].value, true);
		buf_add(out, "\n", 1);
	}
	buf_add_str(out, "config 0\n\n");
}

int state_write(int dir_fd, const struct state_record *record, struct err *err)
{
	_cleanup_buf_ struct buf text = {0};
	int r;

	state_format(record, &text);
	r = io_replace_file(dir_fd, STATE_RECORD_NAME, text.data, text.len, STATE_FILE_MODE);
	return r < 0 ? err_system(err, r, "cannot write the record of the container") : 0;
}

/* --- parsing --- */

struct parser {
	const char *at, *end;
	unsigned int line; /* the number of the last line read */
	uint64_t seen;     /* a bit for each row */
	uint64_t version;
	struct state_record *record;
	size_t annotation_cap;
};

_Static_assert(ARRAY_SIZE(rows) <= 64, "parser.seen");

struct span {
	const char *data;
	size_t len;
};

/* Removes the bytes up to and including the next stop from *from; *ret has no stop. False if there is none. */
static bool take_until(struct span *from, char stop, struct span *ret)
{
	const char *found = from->len == 0 ? NULL : memchr(from->data, stop, from->len);

	if (found == NULL)
		return false;
	ret->data = from->data;
	ret->len = (size_t)(found - from->data);
	from->data = found + 1;
	from->len -= ret->len + 1;
	return true;
}

static bool take_line(struct parser *parser, struct span *ret)
{
	struct span rest = {parser->at, (size_t)(parser->end - parser->at)};

	if (!take_until(&rest, '\n', ret))
		return false;
	parser->at = rest.data;
	parser->line++;
	return true;
}

static bool span_equal(struct span span, const char *s)
{
	return span.len == strlen(s) && memcmp(span.data, s, span.len) == 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decodes the escapes. NULL if the text is not exactly what add_escaped writes. The caller frees it. */
static char *unescape(struct span span, bool is_word)
{
	_cleanup_free_ char *text = mem_alloc(span.len + 1);
	size_t len = 0;

	for (size_t i = 0; i < span.len; i++) {
		char c = span.data[i];

		if (c == '%') {
			int high = i + 2 < span.len ? hex_digit(span.data[i + 1]) : -1;
			int low = i + 2 < span.len ? hex_digit(span.data[i + 2]) : -1;

			if (high < 0 || low < 0 || (high | low) == 0)
				return NULL;
			c = (char)(high << 4 | low);
			if (!is_escaped((unsigned char)c, is_word))
				return NULL;
			i += 2;
		} else if (is_escaped((unsigned char)c, is_word)) {
			return NULL;
		}
		text[len++] = c;
	}
	text[len] = '\0';
	return take_ptr(text);
}

static bool parse_number(struct span span, uint64_t max, uint64_t *ret)
{
	char digits[24];

	if (span.len >= sizeof digits)
		return false;
	memcpy(digits, span.data, span.len);
	digits[span.len] = '\0';
	if (memchr(digits, '\0', span.len) != NULL)
		return false;
	return str_to_u64(digits, max, ret);
}

static bool is_valid_string(enum kind kind, const char *text)
{
	switch (kind) {
	case KIND_ID:
		return state_is_id(text);
	case KIND_PATH:
		return text[0] == '/';
	case KIND_OPTIONAL_PATH:
		return text[0] == '/' || text[0] == '\0';
	default:
		return true;
	}
}

static bool parse_string(const struct row *row, struct span value, char **ret)
{
	_cleanup_free_ char *text = unescape(value, false);

	if (text == NULL || !is_valid_string(row->kind, text))
		return false;
	*ret = take_ptr(text);
	return true;
}

static bool parse_value(const struct row *row, struct span value, struct state_record *record)
{
	void *at = (char *)record + row->offset;
	uint64_t number;

	if (row->kind <= KIND_OPTIONAL_PATH)
		return parse_string(row, value, at);
	if (!parse_number(value, row->max, &number))
		return false;
	if (row->kind == KIND_BOOL)
		*(bool *)at = number != 0;
	else if (row->kind == KIND_U64 || row->kind == KIND_SECS)
		*(uint64_t *)at = number;
	else
		*(uint32_t *)at = (uint32_t)number;
	return true;
}

static bool parse_annotation(struct parser *parser, struct span rest)
{
	struct state_record *record = parser->record;
	_cleanup_free_ char *key = NULL, *value = NULL;
	struct span word;

	if (!take_until(&rest, ' ', &word))
		return false;
	key = unescape(word, true);
	value = unescape(rest, true);
	if (key == NULL || value == NULL)
		return false;
	if (record->annotation_count == parser->annotation_cap) {
		parser->annotation_cap = parser->annotation_cap == 0 ? 16 : parser->annotation_cap * 2;
		record->annotations =
			mem_resize(record->annotations, parser->annotation_cap * sizeof *record->annotations);
	}
	record->annotations[record->annotation_count++] =
		(struct state_annotation){.key = take_ptr(key), .value = take_ptr(value)};
	return true;
}

static bool parse_row(struct parser *parser, struct span key, struct span value)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!span_equal(key, rows[i].key))
			continue;
		if ((parser->seen & UINT64_C(1) << i) != 0)
			return false;
		parser->seen |= UINT64_C(1) << i;
		return rows[i].since <= parser->version && parse_value(&rows[i], value, parser->record);
	}
	return parser->version > VERSION;
}

/* Whether all rows of the record's version were read. Sets strings of later versions to "". */
static bool is_complete(struct parser *parser)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		void *at = (char *)parser->record + rows[i].offset;

		if ((parser->seen & UINT64_C(1) << i) != 0)
			continue;
		if (rows[i].since <= parser->version)
			return false;
		if (rows[i].kind <= KIND_OPTIONAL_PATH)
			*(char **)at = mem_dup("");
	}
	return true;
}

static bool parse_version(struct parser *parser)
{
	struct span line, word;

	return take_line(parser, &line) && take_until(&line, ' ', &word) && span_equal(word, FIRST_WORD) &&
	       parse_number(line, VERSION_MAX, &parser->version) && parser->version > 0;
}

/* Called with the value of "config": what follows is an empty line and, in an earlier version, the config. */
static bool parse_end(struct parser *parser, struct span value)
{
	struct span line;
	uint64_t len;

	if (!parse_number(value, STATE_CONFIG_MAX, &len) || !take_line(parser, &line) || line.len != 0)
		return false;
	if (len != (size_t)(parser->end - parser->at) || (len > 0 && parser->version >= VERSION_CONFIG_FILE))
		return false;
	parser->record->config_inside = len;
	return true;
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorts a copy of the keys, so that the time is not quadratic for a hostile record with many annotations. */
static bool has_duplicate_annotation(const struct state_record *record)
{
	_cleanup_free_ const char **keys = mem_alloc(record->annotation_count * sizeof *keys);

	for (size_t i = 0; i < record->annotation_count; i++)
		keys[i] = record->annotations[i].key;
	qsort(keys, record->annotation_count, sizeof *keys, compare_keys);
	for (size_t i = 1; i < record->annotation_count; i++)
		if (str_equal(keys[i - 1], keys[i]))
			return true;
	return false;
}

static bool parse_all(struct parser *parser)
{
	struct span line, key;

	if (!parse_version(parser))
		return false;
	for (;;) {
		if (!take_line(parser, &line) || !take_until(&line, ' ', &key))
			return false;
		if (span_equal(key, "config"))
			break;
		if (!(span_equal(key, "annotation") ? parse_annotation(parser, line)
						    : parse_row(parser, key, line)))
			return false;
	}
	return parse_end(parser, line) && is_complete(parser) && !has_duplicate_annotation(parser->record);
}

int state_parse(const char *data, size_t size, struct state_record *record, struct err *err)
{
	_cleanup_record_ struct state_record parsed = {0};
	struct parser parser = {.record = &parsed};

	parser.at = size == 0 ? "" : data;
	parser.end = parser.at + size;
	*record = (struct state_record){0};
	if (!parse_all(&parser))
		return state_fail(err, EBADMSG, "the record of the container is damaged at line %u",
				  parser.line);
	*record = parsed;
	parsed = (struct state_record){0};
	return 0;
}

/* Whether the open directory still has the name id: it was not renamed or removed meanwhile. */
static bool is_directory_of(int dir_fd, const char *id)
{
	_cleanup_free_ char *path = mem_format("../%s", id);
	struct stat own, there;

	return k_fstat(dir_fd, &own) >= 0 && k_fstatat(dir_fd, path, &there, AT_SYMLINK_NOFOLLOW) >= 0 &&
	       own.st_ino == there.st_ino && own.st_dev == there.st_dev;
}

/* Sets *err if the directory was renamed or removed, or its name cannot be read; otherwise 0. */
static int check_directory(int dir_fd, struct err *err)
{
	char name[NAME_MAX + 1];
	int r = state_dir_name(dir_fd, name, sizeof name);

	if (r == -ENOENT)
		return state_fail(err, ENOENT, "container does not exist");
	if (r < 0)
		return state_fail_dir_name(err, r);
	return 0;
}

int state_read(int dir_fd, struct state_record *record, struct err *err)
{
	_cleanup_buf_ struct buf text = {0};
	int r = state_read_record(dir_fd, &text, err), checked;

	*record = (struct state_record){0};
	if (r >= 0)
		r = state_parse(text.data, text.len, record, err);
	if (r >= 0 && is_directory_of(dir_fd, record->id))
		return 0;
	state_record_done(record);
	checked = check_directory(dir_fd, err);
	if (checked < 0 || r < 0)
		return checked < 0 ? checked : r;
	return state_fail(err, EBADMSG, "the record of the container is damaged: it has the id of another one");
}

char *state_identity(const struct state_record *record)
{
	return mem_format("tare container %s, created %lld.%09u", record->id, (long long)record->created_secs,
			  record->created_nanosecs);
}
