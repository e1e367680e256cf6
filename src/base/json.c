/* SPDX-License-Identifier: Apache-2.0 */
/* Writes JSON text. */
#include <string.h>

#include <tare/base.h>

void json_begin(struct json *json, struct buf *buf, int indent)
{
	*json = (struct json){.buf = buf, .indent = indent};
}

static void json_newline(struct json *json)
{
	if (json->indent == 0)
		return;
	buf_add(json->buf, "\n", 1);
	for (int i = 0; i < json->depth * json->indent; i++)
		buf_add(json->buf, " ", 1);
}

static void json_item(struct json *json)
{
	uint32_t bit = 1u << json->depth;

	if (json->is_after_key) {
		json->is_after_key = false;
		return;
	}
	if (json->depth == 0)
		return;
	if (json->has_item & bit)
		buf_add(json->buf, ",", 1);
	json->has_item |= bit;
	json_newline(json);
}

static void json_open(struct json *json, const char *bracket)
{
	json_item(json);
	buf_add(json->buf, bracket, 1);
	json->depth++;
	json->has_item &= ~(1u << json->depth);
}

static void json_close(struct json *json, const char *bracket)
{
	bool has_item = (json->has_item & (1u << json->depth)) != 0;

	json->depth--;
	if (has_item)
		json_newline(json);
	buf_add(json->buf, bracket, 1);
}

void json_object(struct json *json)
{
	json_open(json, "{");
}

void json_object_end(struct json *json)
{
	json_close(json, "}");
}

void json_array(struct json *json)
{
	json_open(json, "[");
}

void json_array_end(struct json *json)
{
	json_close(json, "]");
}

/* The length of the UTF-8 sequence at s, or 0 if it is not valid (RFC 3629). */
static size_t utf8_length(const unsigned char *s)
{
	static const struct {
		unsigned char first, last, low, high;
		size_t length;
	} rows[] = {
		{0x01, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
		{0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
		{0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (s[0] < rows[i].first || s[0] > rows[i].last)
			continue;
		if (rows[i].length == 1)
			return 1;
		if (s[1] < rows[i].low || s[1] > rows[i].high)
			return 0;
		for (size_t k = 2; k < rows[i].length; k++)
			if (s[k] < 0x80 || s[k] > 0xbf)
				return 0;
		return rows[i].length;
	}
	return 0;
}

static void json_escaped(struct json *json, const char *value)
{
	const unsigned char *s = (const unsigned char *)value;

	buf_add(json->buf, "\"", 1);
	while (*s != '\0') {
		size_t len = utf8_length(s);

		if (len == 0) {
			buf_add_str(json->buf, "\xef\xbf\xbd");
			s++;
			continue;
		}
		if (*s == '"' || *s == '\\')
			buf_format(json->buf, "\\%c", *s);
		else if (*s == '\n')
			buf_add_str(json->buf, "\\n");
		else if (*s == '\t')
			buf_add_str(json->buf, "\\t");
		else if (*s < 0x20 || *s == 0x7f)
			buf_format(json->buf, "\\u00%c%c", "0123456789abcdef"[*s >> 4],
				   "0123456789abcdef"[*s & 15]);
		else
			buf_add(json->buf, s, len);
		s += len;
	}
	buf_add(json->buf, "\"", 1);
}

void json_key(struct json *json, const char *key)
{
	json_item(json);
	json_escaped(json, key);
	buf_add_str(json->buf, json->indent > 0 ? ": " : ":");
	json->is_after_key = true;
}

void json_string(struct json *json, const char *value)
{
	if (value == NULL) {
		json_null(json);
		return;
	}
	json_item(json);
	json_escaped(json, value);
}

void json_int(struct json *json, int64_t value)
{
	json_item(json);
	buf_format(json->buf, "%lld", (long long)value);
}

void json_uint(struct json *json, uint64_t value)
{
	json_item(json);
	buf_format(json->buf, "%llu", (unsigned long long)value);
}

void json_number(struct json *json, const char *text, size_t len)
{
	json_item(json);
	buf_add(json->buf, text, len);
}

void json_bool(struct json *json, bool value)
{
	json_item(json);
	buf_add_str(json->buf, value ? "true" : "false");
}

void json_null(struct json *json)
{
	json_item(json);
	buf_add_str(json->buf, "null");
}

void json_pair(struct json *json, const char *key, const char *value)
{
	json_key(json, key);
	json_string(json, value);
}

void json_pair_uint(struct json *json, const char *key, uint64_t value)
{
	json_key(json, key);
	json_uint(json, value);
}

void json_pair_int(struct json *json, const char *key, int64_t value)
{
	json_key(json, key);
	json_int(json, value);
}

void json_pair_bool(struct json *json, const char *key, bool value)
{
	json_key(json, key);
	json_bool(json, value);
}
