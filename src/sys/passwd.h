/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a container's passwd(5) file, which is not trusted, block by block. Private to the room; [free]. */
#ifndef TARE_SYS_PASSWD_H
#define TARE_SYS_PASSWD_H

#include <tare/base.h>

/* The caller sets uid and zeroes the rest before the first block. */
struct passwd_scan {
	uint32_t uid; /* the user to find */
	char text[1024];
	size_t len;
	bool is_too_long;
};

/*
 * Scans the next block. True once it has found a line with uid and an absolute home directory, which is then in
 * ret, truncated to size bytes. A line that does not fit into scan->text is ignored. After the last block the
 * caller passes "\n", in case the last line has no newline.
 */
bool passwd_scan(struct passwd_scan *scan, const char *block, size_t len, char *ret, size_t size);

#endif
