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

static void json_escaped(struct json *json, const char *value)
{
	const unsigned char *s = (const unsigned char *)value, *end = s + strlen(value);

	buf_add(json->buf, "\"", 1);
	while (s < end) {
		size_t len = str_utf8_length((const char *)s, (size_t)(end - s));

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
	json_item(json);
	if (value == NULL)
		buf_add_str(json->buf, "null");
	else
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
	json_item(json);
	buf_add_str(json->buf, value ? "true" : "false");
}
