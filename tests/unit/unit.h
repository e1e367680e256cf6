/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared by the unit tests: checks that continue after a failure, and the exit status. A failed check is
 * printed with its place and its values.
 */
#ifndef TARE_TESTS_UNIT_H
#define TARE_TESTS_UNIT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define UNIT_SKIP 77 /* meson's exit status for "skipped" */

static int unit_checks, unit_failures;

/* text names the checked expression, and the place is the caller's. Returns true if the check holds. */
static inline bool unit_result(bool is_good, const char *text, const char *file, int line)
{
	unit_checks++;
	unit_failures += !is_good;
	if (!is_good)
		fprintf(stderr, "%s:%d: %s: ", file, line, text);
	return is_good;
}

static inline bool unit_true(bool is_good, const char *text, const char *file, int line)
{
	if (!unit_result(is_good, text, file, line))
		fprintf(stderr, "false\n");
	return is_good;
}

static inline bool unit_str(const char *actual, const char *expected, const char *text, const char *file,
			    int line)
{
	bool is_good = actual == NULL || expected == NULL ? actual == expected : strcmp(actual, expected) == 0;

	if (!unit_result(is_good, text, file, line))
		fprintf(stderr, "'%s', not '%s'\n", actual == NULL ? "(null)" : actual,
			expected == NULL ? "(null)" : expected);
	return is_good;
}

static inline bool unit_int(long long actual, long long expected, const char *text, const char *file, int line)
{
	if (!unit_result(actual == expected, text, file, line))
		fprintf(stderr, "%lld (%#llx), not %lld (%#llx)\n", actual, (unsigned long long)actual,
			expected, (unsigned long long)expected);
	return actual == expected;
}

#define CHECK(condition) unit_true((condition), #condition, __FILE__, __LINE__)
#define CHECK_STR(actual, expected) unit_str((actual), (expected), #actual, __FILE__, __LINE__)
#define CHECK_INT(actual, expected)                                                                            \
	unit_int((long long)(actual), (long long)(expected), #actual, __FILE__, __LINE__)

/* At the end of main: return UNIT_RETURN. A test that checked nothing has failed. */
#define UNIT_RETURN                                                                                            \
	(fprintf(stderr, "%d checks, %d failed\n", unit_checks, unit_failures),                                \
	 unit_failures > 0 || unit_checks == 0)
#define UNIT_MAIN_END return UNIT_RETURN

#endif
