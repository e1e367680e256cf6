/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mounts of the types "symlink" and "file", which are no file systems: init makes a symbolic link, or a
 * file with a content that the configuration states, in the root file system. Process: the parent.
 */
#include <stdlib.h>
#include <string.h>

#include "builder.h"
#include "detail.h"

/* --- data URLs (RFC 2397), without a media type --- */

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'                     ? c - '0'
	       : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
							: -1;
}

/* Characters that a URL would have to escape may also stand for themselves. */
static bool decode_percent(const char *text, struct buf *ret)
{
	for (; *text != '\0'; text++) {
		char byte = *text;

		if (byte == '%') {
			int high = hex_digit(text[1]), low = high < 0 ? -1 : hex_digit(text[2]);

			if (low < 0)
				return false;
			byte = (char)(high * 16 + low);
			text += 2;
		}
		buf_add(ret, &byte, 1);
	}
	return true;
}

static int base64_digit(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *found = c == '\0' ? NULL : strchr(digits, c);

	return found == NULL ? -1 : (int)(found - digits);
}

/* RFC 4648, section 4: whole groups of four characters, the last one padded. */
static bool decode_base64(const char *text, struct buf *ret)
{
	size_t len = strlen(text), padding = 0;

	if (len % 4 != 0)
		return false;
	while (padding < 2 && padding < len && text[len - padding - 1] == '=')
		padding++;
	for (size_t i = 0; i < len; i += 4) {
		size_t kept = i + 4 == len ? 4 - padding : 4;
		uint32_t bits = 0;
		char bytes[3];

		for (size_t digit = 0; digit < 4; digit++) {
			int value = digit < kept ? base64_digit(text[i + digit]) : 0;

			if (value < 0)
				return false;
			bits = bits << 6 | (uint32_t)value;
		}
		bytes[0] = (char)(bits >> 16);
		bytes[1] = (char)(bits >> 8);
		bytes[2] = (char)bits;
		buf_add(ret, bytes, kept - 1);
	}
	return true;
}

static bool decode(const char *source, struct buf *ret)
{
	const char *comma = source == NULL ? NULL : strchr(source, ',');

	buf_reserve(ret, 1);
	if (comma == NULL)
		return false;
	if (str_has_prefix(source, "data:;base64,"))
		return decode_base64(comma + 1, ret);
	return str_has_prefix(source, "data:,") && decode_percent(comma + 1, ret);
}

/* --- steps --- */

static bool parse_mode(const char *option, uint32_t *ret)
{
	const char *digits = strchr(option, '=');
	unsigned long mode;
	char *end;

	if (!str_has_prefix(option, "mode=") || digits[1] < '0' || digits[1] > '7')
		return false;
	mode = strtoul(digits + 1, &end, 8);
	*ret = (uint32_t)mode;
	return *end == '\0' && mode <= 0777;
}

static void add_mode(struct builder *b, const struct spec_mount *m, const char *json_pointer, uint32_t *mode)
{
	for (size_t i = 0; i < m->options.count; i++)
		if (!parse_mode(m->options.v[i], mode))
			builder_finding(b, ERR_CONFIG, json_pointer,
					"option '%s' is not for mounts of type file: mode=0 to mode=777 is",
					m->options.v[i]);
}

static void add_file(struct builder *b, const struct spec_mount *m, plan_text path, const char *json_pointer)
{
	_cleanup_buf_ struct buf content = {0};
	struct plan_file file = {
		.path = path, .mode = 0644, .is_replacing = b->is_root_empty || b->overlay_size > 0};

	add_mode(b, m, json_pointer, &file.mode);
	if (!decode(m->source, &content))
		builder_finding(b, ERR_CONFIG, json_pointer,
				"the source of a file must be its content as 'data:,TEXT' or "
				"'data:;base64,TEXT'");
	file.content = builder_table(b, content.data, content.len, 1);
	builder_step(b, PLAN_INIT, PLAN_FILE, builder_text(b, json_pointer))->u.file = file;
}

static void add_symlink(struct builder *b, const struct spec_mount *m, plan_text path, const char *json_pointer)
{
	struct plan_link link = {.path = path};

	if (str_is_empty(m->source))
		builder_finding(b, ERR_CONFIG, json_pointer,
				"a symlink needs a source: the path that it leads to");
	if (m->options.count > 0)
		builder_finding(b, ERR_CONFIG, json_pointer, "option '%s' is not for mounts of type symlink",
				m->options.v[0]);
	link.target = builder_text(b, m->source);
	builder_step(b, PLAN_INIT, PLAN_LINK, builder_text(b, json_pointer))->u.link = link;
}

bool plan_add_content(struct builder *b, const struct spec_mount *m)
{
	bool is_file = str_equal(m->type, "file");
	const char *json_pointer;
	char target[4096];
	plan_text path;

	if (!is_file && !str_equal(m->type, "symlink"))
		return false;
	json_pointer = builder_mount_pointer(b, m, NULL);
	(void)plan_clean_path(m->destination, target, sizeof target);
	if (target[0] == '\0' || str_equal(target, "/"))
		builder_finding(b, ERR_CONFIG, json_pointer, "'%.100s' cannot be the path of a %s",
				m->destination, m->type);
	if (path_is_below(target, "/proc"))
		builder_finding(b, ERR_CONFIG, json_pointer, "a %s cannot be inside /proc", m->type);
	path = builder_text(b, target);
	if (is_file)
		add_file(b, m, path, json_pointer);
	else
		add_symlink(b, m, path, json_pointer);
	return true;
}

/* --- printers --- */

void plan_detail_file(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	buf_format(out, "%s mode %o, %u bytes", plan_get(plan, step->u.file.path), step->u.file.mode,
		   step->u.file.content.count);
}
