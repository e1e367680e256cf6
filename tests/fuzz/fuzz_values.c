/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a duration and as a size. An accepted value equals that of strtold(3), except for rounding. */
#include <stdlib.h>
#include <string.h>

#include "tare/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Returns the length of the unit at text and stores its factor. Aborts if there is no unit. */
static size_t unit_at(const char *text, long double *ret_factor)
{
	size_t len = strspn(text, "numsh\xc2\xb5\xce\xbc");

	/* In "1m1s" each unit is followed by a digit or the end. */
	switch (text[0]) {
	case 'n':
		*ret_factor = 1;
		return len == 2 ? len : (abort(), 0);
	case 'm':
		*ret_factor = len == 2 ? 1e6L : 60e9L;
		return len;
	case 's':
		*ret_factor = 1e9L;
		return len == 1 ? len : (abort(), 0);
	case 'h':
		*ret_factor = 3600e9L;
		return len == 1 ? len : (abort(), 0);
	default:
		*ret_factor = 1e3L;
		return len == 2 || len == 3 ? len : (abort(), 0);
	}
}

static void check_near(int64_t actual, long double wanted, int parts)
{
	long double gap = wanted - (long double)actual;

	/* Each part is rounded down. */
	if (actual < 0 || gap > parts + wanted / 1e15L || gap < -1 - wanted / 1e15L)
		abort();
}

static void check_duration(const char *text)
{
	long double sum = 0, factor;
	int64_t ns = -7;
	int parts = 0;

	if (!value_duration(text, &ns)) {
		if (ns != -7)
			abort();
		return;
	}
	if (strcmp(text, "0") == 0) {
		if (ns != 0)
			abort();
		return;
	}
	for (; *text != '\0'; parts++) {
		char *end;
		long double number = strtold(text, &end);

		if (end == text)
			abort();
		text = end + unit_at(end, &factor);
		sum += number * factor;
	}
	check_near(ns, sum, parts);
}

static void check_size(const char *text)
{
	static const char letters[] = "kmgtp";
	int64_t bytes = -7;
	long double number;
	const char *letter;
	char *end;

	if (!value_size(text, &bytes)) {
		if (bytes != -7)
			abort();
		return;
	}
	if (strcmp(text, "-1") == 0 && bytes == -1)
		return;
	number = strtold(text, &end);
	letter = *end == '\0' ? NULL : strchr(letters, *end | 0x20);
	for (long i = letter == NULL ? -1 : letter - letters; i >= 0; i--)
		number *= 1024;
	check_near(bytes, number, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = mem_alloc(size + 1);

	memcpy(text, data, size);
	check_duration(text);
	check_size(text);
	return 0;
}
