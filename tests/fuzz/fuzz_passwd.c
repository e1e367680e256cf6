/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a container's passwd, in blocks of any size. The home directory must be the one that is found in
 * the whole text at once.
 */
#include <stdlib.h>
#include <string.h>

#include "../../src/sys/passwd.h"

#define LINE_MAX_LEN 1023

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An independent implementation of passwd(5). */
static bool expect_home(const char *line, size_t len, uint32_t uid, char *ret, size_t size)
{
	size_t starts[8] = {0}, ends[8], count = 0;
	uint64_t number = 0;

	/* A NUL ends the line. */
	len = strnlen(line, len);
	for (size_t i = 0; i <= len && count < 7; i++)
		if (i == len || line[i] == ':') {
			ends[count++] = i;
			starts[count] = i + 1;
		}
	if (count < 6 || starts[2] == ends[2] || line[starts[5]] != '/' || starts[5] == ends[5])
		return false;
	for (size_t i = starts[2]; i < ends[2]; i++) {
		if (line[i] < '0' || line[i] > '9' || number > UINT32_MAX)
			return false;
		number = number * 10 + (uint64_t)(line[i] - '0');
	}
	if (number != uid)
		return false;
	/* No control characters, so that printing the name cannot affect a terminal. */
	for (size_t i = starts[5]; i < ends[5]; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			return false;
	str_format(ret, size, "%.*s", (int)(ends[5] - starts[5]), line + starts[5]);
	return true;
}

static bool expect(const char *text, size_t len, uint32_t uid, char *ret, size_t size)
{
	while (true) {
		const char *newline = len == 0 ? NULL : memchr(text, '\n', len);
		size_t line_len = newline == NULL ? len : (size_t)(newline - text);

		if (line_len <= LINE_MAX_LEN && expect_home(text, line_len, uid, ret, size))
			return true;
		if (newline == NULL)
			return false;
		text += line_len + 1;
		len -= line_len + 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char home[1024] = "", expected[1024] = "", last[1024] = "";
	struct passwd_scan scan;
	size_t block;
	bool is_found = false;
	char *text;

	if (size < 2)
		return 0;
	scan = (struct passwd_scan){.uid = data[0] & 1 ? 1000 : 0};
	block = (size_t)data[1] + 1;
	text = mem_alloc(size);
	memcpy(text, data + 2, size - 2);
	for (size_t at = 0; at < size - 2 && !is_found; at += block) {
		size_t left = size - 2 - at;

		is_found = passwd_scan(&scan, text + at, left < block ? left : block, home, sizeof home);
	}
	if (!is_found)
		is_found = passwd_scan(&scan, "\n", 1, home, sizeof home);
	memcpy(last, home, sizeof last);
	if (is_found != expect(text, size - 2, scan.uid, expected, sizeof expected) ||
	    strcmp(last, expected) != 0)
		abort();
	free(text);
	return 0;
}
