/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text as --user. An accepted text consists of digits, which the numbers yield again except for leading
 * zeros.
 */
#include <stdlib.h>
#include <string.h>

#include "../../src/cli/user.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *skip_zeros(const char *digits)
{
	while (digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9')
		digits++;
	return digits;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = mem_alloc(size + 1), *uid = NULL, *gid = NULL;
	struct user_numbers user;
	struct err err = {0};
	char *colon;

	memcpy(text, data, size);
	if (user_parse(text, &user, &err) < 0) {
		if (err.kind != ERR_USAGE || strstr(err.msg, "--user") == NULL)
			abort();
		return 0;
	}
	uid = mem_format("%u", user.uid);
	gid = mem_format("%u", user.gid);
	colon = strchr(text, ':');
	if (user.has_gid != (colon != NULL) || user.uid > USER_ID_MAX || user.gid > USER_ID_MAX)
		abort();
	if (colon != NULL && strcmp(skip_zeros(colon + 1), gid) != 0)
		abort();
	if (colon != NULL)
		*colon = '\0';
	if (strcmp(skip_zeros(text), uid) != 0)
		abort();
	return 0;
}
