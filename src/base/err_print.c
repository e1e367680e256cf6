/* SPDX-License-Identifier: Apache-2.0 */
/* Errors as text, for people. Not in the free-standing programs, which send their errors to the parent. */
#include <ctype.h>
#include <string.h>

#include <tare/base.h>

const char *err_errno(int errnum, char text[static ERRNO_TEXT_MAX])
{
	str_format(text, ERRNO_TEXT_MAX, "%s", errnum == 0 ? "" : strerror(errnum < 0 ? -errnum : errnum));
	/* Not "RPC program not available". */
	if (text[0] != '\0' && islower((unsigned char)text[1]))
		text[0] = (char)tolower((unsigned char)text[0]);
	return text;
}

const char *err_kind_name(int32_t kind)
{
	static const char *const names[] = {"note",        "usage",  "config", "state",
					    "unsupported", "system", "peer"};

	return kind >= 0 && (size_t)kind < ARRAY_SIZE(names) ? names[kind] : "unknown";
}

void err_print(const struct err *err, struct buf *out)
{
	const char *errno_text = ERRNO_TEXT(err->errnum);

	if (err->json_pointer[0] != '\0')
		buf_format(out, "%s: ", err->json_pointer);
	buf_add_str(out, err->msg);
	if (errno_text[0] != '\0')
		buf_format(out, ": %s", errno_text);
	if (err->hint[0] != '\0')
		buf_format(out, " (%s)", err->hint);
}
