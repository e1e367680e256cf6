/* SPDX-License-Identifier: Apache-2.0 */
/* user: parses the value of --user. Private to the room. */
#ifndef TARE_CLI_USER_H
#define TARE_CLI_USER_H

#include <tare/base.h>

#define USER_ID_MAX 4294967294u /* to the kernel 2^32-1 means "no id" */

struct user_numbers {
	uint32_t uid, gid; /* 0-USER_ID_MAX, in the container's user namespace */
	bool has_gid;
};

/*
 * Parses UID or UID:GID, decimal digits only. Names are refused: they would be looked up in files of the
 * container, which could then choose the identity of the process. Fails with ERR_USAGE for anything else.
 */
int user_parse(const char *text, struct user_numbers *ret, struct err *err) MUST_CHECK;

#endif
