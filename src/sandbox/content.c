/* SPDX-License-Identifier: Apache-2.0 */
/* Files with a content that is part of the configuration: mounts of type file, with a data URL (RFC 2397).
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <tare/spec.h>

#include "private.h"

/* A configuration of which half is text in base64. */
#define CONTENT_MAX (SPEC_SIZE_MAX / 2)

bool content_is_text(const char *data, size_t len)
{
	size_t at = 0;

	while (at < len) {
		size_t part = str_utf8_length(data + at, len - at);

		if (part == 0 || data[at] == '\0')
			return false;
		at += part;
	}
	return true;
}

int content_check_text(const char *text, const char *name, struct err *err)
{
	if (text == NULL || content_is_text(text, strlen(text)))
		return 0;
	return err_set(err, ERR_USAGE, 0, NULL,
		       "cannot pass on %s: it is not UTF-8, which the configuration of a sandbox must be",
		       name);
}

static void add_base64(struct buf *out, const unsigned char *data, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len; i += 3) {
		size_t left = len - i;
		uint32_t bits = (uint32_t)data[i] << 16 | (left > 1 ? (uint32_t)data[i + 1] << 8 : 0) |
				(left > 2 ? data[i + 2] : 0);
		char text[4] = {digits[bits >> 18], digits[bits >> 12 & 63], digits[bits >> 6 & 63],
				digits[bits & 63]};

		if (left < 3)
			text[3] = '=';
		if (left < 2)
			text[2] = '=';
		buf_add(out, text, sizeof text);
	}
}

void content_add(struct json *json, const char *target, const void *data, size_t len, unsigned int mode)
{
	_cleanup_buf_ struct buf url = {0};
	const char *text = data;
	char option[16];

	if (content_is_text(data, len)) {
		buf_add_str(&url, "data:,");
		for (size_t i = 0; i < len; i++) {
			if (text[i] == '%')
				buf_add_str(&url, "%25");
			else
				buf_add(&url, &text[i], 1);
		}
	} else {
		buf_add_str(&url, "data:;base64,");
		add_base64(&url, data, len);
	}
	str_format(option, sizeof option, "mode=%o", mode);
	mount_add(json, target, "file", url.data, LIST(option));
}

int content_add_option(struct json *json, const struct sandbox_mount *mount, struct err *err)
{
	_cleanup_buf_ struct buf content = {0};
	uint64_t fd = 0;
	struct stat st = {.st_mode = 0};
	int r;

	if (mount->source[0] != '@') {
		content_add(json, mount->target, mount->source, strlen(mount->source), 0644);
		return 0;
	}
	if (!str_to_u64(mount->source + 1, INT32_MAX, &fd))
		return err_set(err, ERR_USAGE, 0, NULL,
			       "invalid value '%.100s' for flag --file: a descriptor must follow the '@'",
			       mount->source);
	buf_reserve(&content, 1);
	r = k_fstat((int)fd, &st);
	if (r >= 0)
		r = io_read_fd((int)fd, CONTENT_MAX, &content);
	if (r < 0)
		return err_set(err, ERR_SYSTEM, r, NULL, "cannot read descriptor %llu for '%.200s'",
			       (unsigned long long)fd, mount->target);
	content_add(json, mount->target, content.data, content.len,
		    S_ISREG(st.st_mode) ? (st.st_mode & 0777) | 0400 : 0644);
	return 0;
}
