/* SPDX-License-Identifier: Apache-2.0 */
/* Errors as values. */
#include <errno.h>

#include <tare/base.h>

static int err_negative(int errnum)
{
	if (errnum == 0)
		return -EINVAL;
	return errnum > 0 ? -errnum : errnum;
}

int err_set(struct err *err, enum err_kind kind, int errnum, const char *json_pointer, const char *fmt, ...)
{
	va_list args;

	err->kind = (int32_t)kind;
	err->errnum = errnum == 0 ? 0 : -err_negative(errnum);
	str_format(err->json_pointer, sizeof err->json_pointer, "%s", json_pointer == NULL ? "" : json_pointer);
	err->hint[0] = '\0';
	va_start(args, fmt);
	str_vformat(err->msg, sizeof err->msg, fmt, args);
	va_end(args);
	return err_negative(errnum);
}

void err_hint(struct err *err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	str_vformat(err->hint, sizeof err->hint, fmt, args);
	va_end(args);
}

void err_pointer(struct err *err, const char *json_pointer)
{
	if (err->json_pointer[0] == '\0' && !str_is_empty(json_pointer))
		str_format(err->json_pointer, sizeof err->json_pointer, "%s", json_pointer);
}

void err_prefix(struct err *err, const char *fmt, ...)
{
	char text[sizeof err->msg];
	va_list args;
	int len;

	va_start(args, fmt);
	len = str_vformat(text, sizeof text, fmt, args);
	va_end(args);
	if (len < 0 || (size_t)len >= sizeof text)
		return;
	str_format(text + len, sizeof text - (size_t)len, ": %s", err->msg);
	str_format(err->msg, sizeof err->msg, "%s", text);
}
