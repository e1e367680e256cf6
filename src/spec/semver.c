/* SPDX-License-Identifier: Apache-2.0 */
/* Checks the syntax of ociVersion. */
#include <string.h>

#include "rows.h"

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-"

/* Moves *text past a number. False if there is none, or if it has leading zeros. */
static bool skip_number(const char **text)
{
	size_t len = strspn(*text, DIGITS);
	bool is_valid = len == 1 || (len > 1 && (*text)[0] != '0');

	*text += len;
	return is_valid;
}

static bool skip_char(const char **text, char c)
{
	if (**text != c)
		return false;
	(*text)++;
	return true;
}

/* Identifiers separated by dots; numeric identifiers of a pre-release have no leading zeros. */
static bool skip_identifiers(const char **text, bool is_prerelease)
{
	do {
		size_t digits = strspn(*text, DIGITS), len = strspn(*text, DIGITS LETTERS);

		if (len == 0 || (is_prerelease && digits == len && len > 1 && (*text)[0] == '0'))
			return false;
		*text += len;
	} while (skip_char(text, '.'));
	return true;
}

bool spec_is_semver(const char *text, uint64_t *ret_major)
{
	char major[24];

	str_format(major, sizeof major, "%.*s", (int)strcspn(text, "."), text);
	if (!str_to_u64(major, UINT64_MAX, ret_major))
		return false;
	if (!skip_number(&text) || !skip_char(&text, '.') || !skip_number(&text) || !skip_char(&text, '.') ||
	    !skip_number(&text))
		return false;
	if (skip_char(&text, '-') && !skip_identifiers(&text, true))
		return false;
	if (skip_char(&text, '+') && !skip_identifiers(&text, false))
		return false;
	return *text == '\0';
}
