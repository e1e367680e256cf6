/* SPDX-License-Identifier: Apache-2.0 */
/* Finds a home directory in a passwd file. Process: init, as the container's user. */
#include <string.h>

#include "passwd.h"

/* name:password:uid:gid:gecos:home:shell */
static bool line_home(struct passwd_scan *scan, char *ret, size_t size)
{
	char *field = scan->text;
	uint64_t found;

	scan->text[scan->len] = '\0';
	for (int i = 0; i < 5; i++) {
		char *colon = strchr(field, ':');

		if (colon == NULL)
			return false;
		*colon = '\0';
		if (i == 2 && (!str_to_u64(field, UINT32_MAX, &found) || found != scan->uid))
			return false;
		field = colon + 1;
	}
	if (strchr(field, ':') != NULL)
		*strchr(field, ':') = '\0';
	if (field[0] != '/')
		return false;
	/* Programs print HOME on terminals, so control characters are refused. */
	for (const unsigned char *c = (const unsigned char *)field; *c != '\0'; c++)
		if (*c < ' ' || *c == 0x7f)
			return false;
	str_format(ret, size, "%s", field);
	return true;
}

static bool line_add(struct passwd_scan *scan, char c, char *ret, size_t size)
{
	bool is_found;

	if (c != '\n') {
		if (scan->len < sizeof scan->text - 1)
			scan->text[scan->len++] = c;
		else
			scan->is_too_long = true;
		return false;
	}
	is_found = !scan->is_too_long && line_home(scan, ret, size);
	scan->len = 0;
	scan->is_too_long = false;
	return is_found;
}

bool passwd_scan(struct passwd_scan *scan, const char *block, size_t len, char *ret, size_t size)
{
	for (size_t i = 0; i < len; i++)
		if (line_add(scan, block[i], ret, size))
			return true;
	return false;
}
