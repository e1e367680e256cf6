/* SPDX-License-Identifier: Apache-2.0 */
/* passwd(5) of a container, block by block: its author is not trusted. Private to the room; [free]. */
#ifndef TARE_SYS_PASSWD_H
#define TARE_SYS_PASSWD_H

#include <tare/base.h>

/* Zeroed but for uid before the first block. */
struct passwd_scan {
	uint32_t uid; /* whose line is looked for */
	char text[1024];
	size_t len;
	bool is_too_long;
};

/*
 * Takes the next block. True once the first line of uid's with an absolute home directory has ended, which is
 * then in ret; a line that does not fit into text is nobody's. The last line ends when a newline is given.
 */
bool passwd_scan(struct passwd_scan *scan, const char *block, size_t len, char *ret, size_t size);

#endif
