/* SPDX-License-Identifier: Apache-2.0 */
/* A byte buffer that grows. */
#include <stdlib.h>
#include <string.h>

#include <tare/base.h>

void buf_reserve(struct buf *buf, size_t more)
{
	if (buf->cap - buf->len > more)
		return;
	buf->cap = (buf->len + more + 1) * 2;
	buf->data = mem_resize(buf->data, buf->cap);
}

void buf_add(struct buf *buf, const void *data, size_t len)
{
	buf_reserve(buf, len);
	if (len > 0)
		memcpy(buf->data + buf->len, data, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
}

void buf_add_str(struct buf *buf, const char *s)
{
	buf_add(buf, s, strlen(s));
}

void buf_format(struct buf *buf, const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = str_vformat(NULL, 0, fmt, args);
	va_end(args);
	buf_reserve(buf, (size_t)len);
	va_start(args, fmt);
	str_vformat(buf->data + buf->len, (size_t)len + 1, fmt, args);
	va_end(args);
	buf->len += (size_t)len;
}

void buf_done(struct buf *buf)
{
	free(buf->data);
	*buf = (struct buf){0};
}

void buf_add_line(struct buf *buf, const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
		if (*c < ' ' || *c == 0x7f)
			buf_format(buf, "\\x%c%c", "0123456789abcdef"[*c >> 4], "0123456789abcdef"[*c & 15]);
		else
			buf_add(buf, c, 1);
	}
}
