/* SPDX-License-Identifier: Apache-2.0 */
/* A user as flags give it. Private to the room. */
#ifndef TARE_CLI_USER_H
#define TARE_CLI_USER_H

#include <tare/base.h>

#define USER_ID_MAX 4294967294u /* the one above is "no id" for the kernel */

struct user_numbers {
	uint32_t uid, gid; /* 0-USER_ID_MAX, in the container's user namespace */
	bool has_gid;
};

/*
 * UID or UID:GID, decimal digits alone: a name would have to be looked up in the container's files, which are
 * not to be trusted with the choice of an identity. ERR_USAGE for anything else.
 */
int user_parse(const char *text, struct user_numbers *ret, struct err *err) MUST_CHECK;

#endif
