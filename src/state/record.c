/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <tare/state.h>

#define RECORD_MAX (20u << 20) /* bytes: a config of the largest size, and the head */
#define CONFIG_MAX (16u << 20)
#define FIRST_LINE "tare 1"

void state_record_done(struct state_record *record)
{
	char **const strings[] = {&record->id,          &record->bundle,       &record->rootfs,
				  &record->oci_version, &record->cgroup_mount, &record->cgroup_path,
				  &record->config};

	for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
		mem_free(strings[i]);
	for (size_t i = 0; i < record->annotation_count; i++) {
		mem_free(&record->annotations[i].key);
		mem_free(&record->annotations[i].value);
	}
	mem_free(&record->annotations);
	memset(record, 0, sizeof *record);
}

/* --- writing --- */

/* A line holds a value whole: what could end it, or a key, is written as %XX. */
static void add_escaped(struct buf *out, const char *value)
{
	for (const unsigned char *c = (const unsigned char *)value; *c != '\0'; c++) {
		if (*c <= ' ' || *c == '%' || *c == 0x7f)
			buf_format(out, "%%%c%c", "0123456789abcdef"[*c >> 4], "0123456789abcdef"[*c & 15]);
		else
			buf_add(out, c, 1);
	}
}

static void add_text(struct buf *out, const char *key, const char *value)
{
	buf_format(out, "%s ", key);
	add_escaped(out, value == NULL ? "" : value);
	buf_add(out, "\n", 1);
}

static void add_number(struct buf *out, const char *key, uint64_t value)
{
	buf_format(out, "%s %llu\n", key, (unsigned long long)value);
}

void state_format(const struct state_record *record, struct buf *out)
{
	buf_add_str(out, FIRST_LINE "\n");
	add_text(out, "id", record->id);
	add_text(out, "bundle", record->bundle);
	add_text(out, "rootfs", record->rootfs);
	add_text(out, "oci-version", record->oci_version);
	add_text(out, "cgroup-mount", record->cgroup_mount);
	add_text(out, "cgroup-path", record->cgroup_path);
	add_number(out, "cgroup-created", record->cgroup_created);
	add_number(out, "pid", (uint64_t)record->pid);
	add_number(out, "pid-start", record->pid_start);
	add_number(out, "creator", (uint64_t)record->creator);
	add_number(out, "creator-start", record->creator_start);
	add_number(out, "created-secs", (uint64_t)record->created_secs);
	add_number(out, "created-nanosecs", record->created_nanosecs);
	add_number(out, "owner", record->owner);
	add_number(out, "has-gate", record->has_gate);
	add_number(out, "has-poststart", record->has_poststart);
	add_number(out, "has-poststop", record->has_poststop);
	for (size_t i = 0; i < record->annotation_count; i++) {
		buf_add_str(out, "annotation ");
		add_escaped(out, record->annotations[i].key);
		buf_add(out, " ", 1);
		add_escaped(out, record->annotations[i].value);
		buf_add(out, "\n", 1);
	}
	add_number(out, "config", record->config_len);
	buf_add(out, "\n", 1);
	buf_add(out, record->config == NULL ? "" : record->config, record->config_len);
}

int state_write(int dir_fd, const struct state_record *record, struct err *err)
{
	_cleanup_buf_ struct buf text = {0};
	int r;

	state_format(record, &text);
	r = io_replace_file(dir_fd, "record", text.data, text.len, 0600);
	return r < 0 ? err_system(err, r, "cannot write the container's record") : 0;
}

/* --- reading --- */

struct reader {
	struct state_record *record;
	uint32_t seen; /* bit n: row n was there */
	bool is_damaged;
};

struct row {
	const char *key;
	char *(*text)(struct state_record *record, char *value); /* stores, returns the old one */
	bool (*number)(struct state_record *record, uint64_t value);
};

#define TEXT_ROW(name, field)                                                                                  \
	static char *text_##name(struct state_record *record, char *value)                                     \
	{                                                                                                      \
		char *old = record->field;                                                                     \
		record->field = value;                                                                         \
		return old;                                                                                    \
	}
#define NUMBER_ROW(name, field, max)                                                                           \
	static bool number_##name(struct state_record *record, uint64_t value)                                 \
	{                                                                                                      \
		if (value > (uint64_t)(max))                                                                   \
			return false;                                                                          \
		record->field = (__typeof__(record->field))value;                                              \
		return true;                                                                                   \
	}

TEXT_ROW(id, id)
TEXT_ROW(bundle, bundle)
TEXT_ROW(rootfs, rootfs)
TEXT_ROW(oci_version, oci_version)
TEXT_ROW(cgroup_mount, cgroup_mount)
TEXT_ROW(cgroup_path, cgroup_path)
NUMBER_ROW(cgroup_created, cgroup_created, 4096)
NUMBER_ROW(pid, pid, INT32_MAX)
NUMBER_ROW(pid_start, pid_start, UINT64_MAX)
NUMBER_ROW(creator, creator, INT32_MAX)
NUMBER_ROW(creator_start, creator_start, UINT64_MAX)
NUMBER_ROW(created_secs, created_secs, INT64_MAX / 2)
NUMBER_ROW(created_nanosecs, created_nanosecs, 999999999)
NUMBER_ROW(owner, owner, UINT32_MAX)
NUMBER_ROW(has_gate, has_gate, 1)
NUMBER_ROW(has_poststart, has_poststart, 1)
NUMBER_ROW(has_poststop, has_poststop, 1)
NUMBER_ROW(config, config_len, CONFIG_MAX)

static const struct row rows[] = {
	{"id", text_id, NULL},
	{"bundle", text_bundle, NULL},
	{"rootfs", text_rootfs, NULL},
	{"oci-version", text_oci_version, NULL},
	{"cgroup-mount", text_cgroup_mount, NULL},
	{"cgroup-path", text_cgroup_path, NULL},
	{"cgroup-created", NULL, number_cgroup_created},
	{"pid", NULL, number_pid},
	{"pid-start", NULL, number_pid_start},
	{"creator", NULL, number_creator},
	{"creator-start", NULL, number_creator_start},
	{"created-secs", NULL, number_created_secs},
	{"created-nanosecs", NULL, number_created_nanosecs},
	{"owner", NULL, number_owner},
	{"has-gate", NULL, number_has_gate},
	{"has-poststart", NULL, number_has_poststart},
	{"has-poststop", NULL, number_has_poststop},
	{"config", NULL, number_config},
};

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* NULL if the escapes are not those that add_escaped writes. The caller frees. */
static char *unescape(const char *value, size_t len)
{
	_cleanup_free_ char *text = mem_alloc(len + 1);
	size_t out = 0;

	for (size_t i = 0; i < len; i++) {
		int high, low;

		if (value[i] != '%') {
			text[out++] = value[i];
			continue;
		}
		if (i + 2 >= len)
			return NULL;
		high = hex_digit(value[i + 1]);
		low = hex_digit(value[i + 2]);
		if (high < 0 || low < 0 || high * 16 + low == 0)
			return NULL;
		text[out++] = (char)(high * 16 + low);
		i += 2;
	}
	text[out] = '\0';
	return take_ptr(text);
}

static bool read_annotation(struct state_record *record, const char *value)
{
	size_t key_len = strcspn(value, " ");
	_cleanup_free_ char *key = NULL, *text = NULL;

	if (value[key_len] != ' ')
		return false;
	key = unescape(value, key_len);
	text = unescape(value + key_len + 1, strlen(value + key_len + 1));
	if (key == NULL || text == NULL)
		return false;
	if ((record->annotation_count & (record->annotation_count - 1)) == 0)
		record->annotations = mem_resize(record->annotations, (record->annotation_count * 2 + 1) *
									      sizeof *record->annotations);
	record->annotations[record->annotation_count].key = take_ptr(key);
	record->annotations[record->annotation_count++].value = take_ptr(text);
	return true;
}

static bool read_row(struct reader *reader, size_t index, const char *value)
{
	uint64_t number;
	char *text;

	if (reader->seen >> index & 1)
		return false;
	reader->seen |= 1u << index;
	if (rows[index].number != NULL)
		return str_to_u64(value, UINT64_MAX, &number) && rows[index].number(reader->record, number);
	text = unescape(value, strlen(value));
	if (text == NULL)
		return false;
	free(rows[index].text(reader->record, text));
	return true;
}

static bool read_line(struct reader *reader, const char *line)
{
	size_t len = strcspn(line, " ");

	if (line[len] != ' ')
		return false;
	if (len == strlen("annotation") && strncmp(line, "annotation", len) == 0)
		return read_annotation(reader->record, line + len + 1);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strlen(rows[i].key) == len && strncmp(rows[i].key, line, len) == 0)
			return read_row(reader, i, line + len + 1);
	return false;
}

/* Returns where the config begins, or NULL. */
static const char *read_head(struct reader *reader, const char *data, size_t size)
{
	const char *at = data, *end = data + size;

	for (bool is_first = true;; is_first = false) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		_cleanup_free_ char *line = NULL;

		if (newline == NULL || memchr(at, '\0', (size_t)(newline - at)) != NULL)
			return NULL;
		line = mem_format("%.*s", (int)(newline - at), at);
		at = newline + 1;
		if (line[0] == '\0')
			return is_first ? NULL : at;
		if (is_first ? !str_equal(line, FIRST_LINE) : !read_line(reader, line))
			return NULL;
	}
}

int state_parse(const char *data, size_t size, struct state_record *record, struct err *err)
{
	struct reader reader = {.record = record};
	const char *config;

	memset(record, 0, sizeof *record);
	config = size > RECORD_MAX || size == 0 ? NULL : read_head(&reader, data, size);
	if (config == NULL || reader.seen != (1u << ARRAY_SIZE(rows)) - 1 ||
	    (size_t)(data + size - config) != record->config_len) {
		record->config_len = 0;
		state_record_done(record);
		return err_set(err, ERR_STATE, EBADMSG, NULL, "the container's record is damaged");
	}
	record->config = mem_alloc(record->config_len + 1);
	memcpy(record->config, config, record->config_len);
	return 0;
}

int state_read(int dir_fd, struct state_record *record, struct err *err)
{
	_cleanup_buf_ struct buf text = {0};
	int r;

	memset(record, 0, sizeof *record);
	r = io_read_file(dir_fd, "record", RECORD_MAX, &text);
	if (r < 0)
		return err_set(err, ERR_STATE, r, NULL, "cannot read the container's record");
	return state_parse(text.data, text.len, record, err);
}
