/* SPDX-License-Identifier: Apache-2.0 */
/* Parses the value of --user. */
#include "user.h"

#include <string.h>

int user_parse(const char *text, struct user_numbers *ret, struct err *err)
{
	size_t len = strcspn(text, ":");
	uint64_t number;
	char uid[24];

	*ret = (struct user_numbers){0};
	str_format(uid, sizeof uid, "%.*s", (int)(len < sizeof uid ? len : sizeof uid - 1), text);
	if (len >= sizeof uid || !str_to_u64(uid, USER_ID_MAX, &number))
		return err_set(err, ERR_USAGE, 0, NULL,
			       "invalid value '%.100s' for flag --user: must be UID or UID:GID in numbers",
			       text);
	ret->uid = (uint32_t)number;
	if (text[len] == '\0')
		return 0;
	if (!str_to_u64(text + len + 1, USER_ID_MAX, &number))
		return err_set(err, ERR_USAGE, 0, NULL,
			       "invalid value '%.100s' for flag --user: the gid is not a number", text);
	ret->has_gid = true;
	ret->gid = (uint32_t)number;
	return 0;
}
