/* SPDX-License-Identifier: Apache-2.0 */
/* Converts nodes of the tree as tables describe, and reports what is wrong with them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "field.h"

/* --- findings -------------------------------------------------------------------------------------------- */

struct location {
	const struct dom_node *node;
	const char *key, *hint;
};

static void refuse(struct reader *reader, const struct location *location, const char *fmt, va_list args)
{
	struct err err;
	char json_pointer[sizeof err.json_pointer], msg[sizeof err.msg];

	if (++reader->findings > reader->max_findings)
		return;
	dom_pointer(location->node, location->key, json_pointer, sizeof json_pointer);
	str_vformat(msg, sizeof msg, fmt, args);
	err_set(&err, ERR_CONFIG, 0, json_pointer, "%s", msg);
	if (location->hint != NULL)
		err_hint(&err, "%s", location->hint);
	reader->on_finding(reader->context, &err);
}

void reader_refuse(struct reader *reader, const struct dom_node *node, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	refuse(reader, &(struct location){.node = node}, fmt, args);
	va_end(args);
}

void reader_refuse_hint(struct reader *reader, const struct dom_node *node, const char *hint, const char *fmt,
			...)
{
	va_list args;

	va_start(args, fmt);
	refuse(reader, &(struct location){.node = node, .hint = hint}, fmt, args);
	va_end(args);
}

void reader_refuse_key(struct reader *reader, const struct dom_node *object, const char *key, const char *fmt,
		       ...)
{
	va_list args;

	va_start(args, fmt);
	refuse(reader, &(struct location){.node = object, .key = key}, fmt, args);
	va_end(args);
}

void reader_warn(struct reader *reader, const struct dom_node *node, const char *fmt, ...)
{
	struct spec_list *warnings = &reader->spec->warnings;
	char json_pointer[sizeof(struct err){0}.json_pointer], text[sizeof(struct err){0}.msg];
	va_list args;

	dom_pointer(node, NULL, json_pointer, sizeof json_pointer);
	va_start(args, fmt);
	str_vformat(text, sizeof text, fmt, args);
	va_end(args);
	if (warnings->count + 1 >= reader->warning_cap) {
		size_t cap = reader->warning_cap == 0 ? 8 : 2 * reader->warning_cap;
		char **v = arena_alloc(reader->arena, cap * sizeof *v);

		if (warnings->count > 0)
			memcpy(v, warnings->v, warnings->count * sizeof *v);
		warnings->v = v;
		reader->warning_cap = cap;
	}
	warnings->v[warnings->count++] = arena_format(reader->arena, "%s: %s", json_pointer, text);
	if (reader->notes_left > 0) {
		struct err note;

		reader->notes_left--;
		err_set(&note, ERR_NONE, 0, json_pointer, "%s", text);
		reader->on_finding(reader->context, &note);
	}
}

#define QUOTE_MAX 60

const char *reader_quote(struct reader *reader, const char *text)
{
	size_t len = strnlen(text, QUOTE_MAX + 1);
	const char *end = "'";
	char *quoted;

	if (reader->findings >= reader->max_findings)
		return "";
	if (len > QUOTE_MAX) {
		end = "...'";
		/* Do not cut a UTF-8 sequence. */
		for (len = QUOTE_MAX; len > 0 && (text[len] & 0xc0) == 0x80; len--)
			;
	}
	quoted = arena_format(reader->scratch, "'%.*s%s", (int)len, text, end);
	for (char *c = quoted; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	return quoted;
}

/* --- single values --------------------------------------------------------------------------------------- */

bool reader_expect(struct reader *reader, const struct dom_node *node, enum dom_type type)
{
	if (node->type == type)
		return true;
	reader_refuse(reader, node, "must be %s, not %s", dom_type_name(type), dom_type_name(node->type));
	return false;
}

static bool is_integer(const char *text)
{
	return text[strspn(text, "-0123456789")] == '\0';
}

/* JSON allows numbers of any length; a message shows only the beginning of a long one. */
static const char *short_number(struct reader *reader, const char *text)
{
	return strlen(text) <= 24 ? text : reader_quote(reader, text);
}

bool reader_int(struct reader *reader, const struct dom_node *node, struct range range, int64_t *ret)
{
	uint64_t magnitude = 0;
	bool is_negative, is_in_range;
	int64_t value;

	if (!reader_expect(reader, node, DOM_NUMBER))
		return false;
	if (!is_integer(node->text)) {
		reader_refuse(reader, node, "must be an integer, not %s", short_number(reader, node->text));
		return false;
	}
	is_negative = node->text[0] == '-';
	is_in_range = str_to_u64(node->text + is_negative, (uint64_t)INT64_MAX + is_negative, &magnitude);
	value = is_negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
	if (!is_in_range || value < range.min || value > (int64_t)range.max) {
		reader_refuse(reader, node, "must be from %lld to %llu, not %s", (long long)range.min,
			      (unsigned long long)range.max, short_number(reader, node->text));
		return false;
	}
	*ret = value;
	return true;
}

bool reader_uint(struct reader *reader, const struct dom_node *node, struct range range, uint64_t *ret)
{
	const char *text = node->text;
	uint64_t value;

	if (!reader_expect(reader, node, DOM_NUMBER))
		return false;
	if (!is_integer(text)) {
		reader_refuse(reader, node, "must be an integer, not %s", short_number(reader, text));
		return false;
	}
	if (str_equal(text, "-0"))
		text++;
	if (!str_to_u64(text, range.max, &value) || value < (uint64_t)range.min) {
		reader_refuse(reader, node, "must be from %lld to %llu, not %s", (long long)range.min,
			      (unsigned long long)range.max, short_number(reader, text));
		return false;
	}
	*ret = value;
	return true;
}

/* The names of a table as a hint; NULL if they do not fit into one. */
static const char *name_hint(struct reader *reader, const struct name_table *names)
{
	_cleanup_buf_ struct buf buf = {0};

	for (size_t i = 0; i < names->count; i++)
		buf_format(&buf, "%s%s", i == 0 ? "known: " : ", ", names->v[i].name);
	return buf.len < sizeof(struct err){0}.hint ? arena_dup(reader->scratch, buf.data, buf.len) : NULL;
}

bool reader_name(struct reader *reader, const struct dom_node *node, const struct name_table *names,
		 uint64_t *ret)
{
	if (!reader_expect(reader, node, DOM_STRING))
		return false;
	for (size_t i = 0; i < names->count; i++) {
		if (str_equal(names->v[i].name, node->text)) {
			*ret = names->v[i].value;
			return true;
		}
	}
	if (reader->findings < reader->max_findings)
		reader_refuse_hint(reader, node, name_hint(reader, names), "unknown %s %s", names->what,
				   reader_quote(reader, node->text));
	else
		reader->findings++;
	return false;
}

int reader_list(struct reader *reader, const struct dom_node *node, uint64_t *words, size_t count)
{
	int r = spec_list_mask(node->text, words, count);

	if (r == -EINVAL)
		reader_refuse(reader, node, "must be a list like \"0-3,7\", not %s",
			      reader_quote(reader, node->text));
	return r;
}

bool reader_strings(struct reader *reader, const struct dom_node *node, string_check check, const void *detail,
		    struct spec_list *ret)
{
	struct spec_list list = {0};
	bool is_valid = true;

	if (!reader_expect(reader, node, DOM_ARRAY))
		return false;
	list.v = arena_alloc(reader->arena, (node->count + (size_t)1) * sizeof *list.v);
	for (const struct dom_node *item = node->first; item != NULL; item = item->next) {
		if (!reader_expect(reader, item, DOM_STRING)) {
			is_valid = false;
			continue;
		}
		if (check != NULL && !check(reader, item, detail))
			is_valid = false;
		/* The cast removes const: a spec_list is also used as an argv. */
		list.v[list.count++] = (char *)item->text;
	}
	if (is_valid)
		*ret = list;
	return is_valid;
}

/* --- objects --------------------------------------------------------------------------------------------- */

/* Keys of config.md for other platforms or for engines: valid, and therefore not reported. */
static const char *const ignored_keys[] = {"solaris", "windows",     "vm",      "zos",
					   "freebsd", "commandLine", "username"};

#define UNKNOWN "is an unknown key and has no effect"

static void report_unknown(struct reader *reader, const struct dom_node *node, const struct table *table)
{
	const char *nearest = nearest_key(node->key, table);
	struct err note;
	char json_pointer[sizeof note.json_pointer];

	for (size_t i = 0; i < ARRAY_SIZE(ignored_keys); i++)
		if (str_equal(node->key, ignored_keys[i]))
			return;
	if (reader->is_warning) {
		reader_warn(reader, node, UNKNOWN "%s%s%s",
			    nearest == NULL ? "" : " (the nearest known key is '",
			    nearest == NULL ? "" : nearest, nearest == NULL ? "" : "')");
		return;
	}
	reader->notes_left--;
	dom_pointer(node, NULL, json_pointer, sizeof json_pointer);
	err_set(&note, ERR_NONE, 0, json_pointer, UNKNOWN);
	if (nearest != NULL)
		err_hint(&note, "the nearest known key is '%s'", nearest);
	reader->on_finding(reader->context, &note);
}

/* Converts one member by its row. A key without a row is ignored, at most reported as a note. */
static void read_member(struct reader *reader, const struct dom_node *node, const struct table *table,
			void *target)
{
	if (node->type == DOM_NULL)
		return;
	for (size_t i = 0; i < table->count; i++) {
		const struct field *field = &table->fields[i];

		if (!str_equal(field->key, node->key))
			continue;
		if (field->set_offset != 0)
			*(bool *)((char *)target + field->set_offset) = true;
		field->parse(reader, node, field, target);
		return;
	}
	if (reader->notes_left > 0)
		report_unknown(reader, node, table);
}

bool reader_object(struct reader *reader, const struct dom_node *node, const struct table *table, void *target)
{
	int findings = reader->findings;

	if (!reader_expect(reader, node, DOM_OBJECT))
		return false;
	for (const struct dom_node *member = node->first; member != NULL; member = member->next)
		read_member(reader, member, table, target);
	for (size_t i = 0; i < table->count; i++)
		if (table->fields[i].is_required && dom_member(node, table->fields[i].key) == NULL)
			reader_refuse_key(reader, node, table->fields[i].key, "is required");
	if (reader->findings == findings && table->check != NULL)
		table->check(reader, node, target);
	return reader->findings == findings;
}

/* --- duplicates ------------------------------------------------------------------------------------------ */

static int compare_names(const struct named *a, const struct named *b)
{
	int order = memcmp(a->name, b->name, a->len < b->len ? a->len : b->len);

	if (order != 0)
		return order;
	return a->len < b->len ? -1 : a->len > b->len;
}

static int compare_named(const void *left, const void *right)
{
	const struct named *a = left, *b = right;
	int order = compare_names(a, b);

	return order != 0 ? order : a->index < b->index ? -1 : 1;
}

void reader_named_sort(struct named *v, size_t count)
{
	qsort(v, count, sizeof *v, compare_named);
}

bool reader_named_equal(const struct named *a, const struct named *b)
{
	return compare_names(a, b) == 0;
}

void reader_refuse_duplicates(struct reader *reader, struct named *v, size_t count, const char *what)
{
	reader_named_sort(v, count);
	for (size_t i = 1; i < count; i++)
		if (reader_named_equal(&v[i - 1], &v[i]))
			reader_refuse(reader, v[i].node, "%s %s given twice", what,
				      reader_quote(reader, v[i].name));
}
