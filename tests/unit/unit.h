/* SPDX-License-Identifier: Apache-2.0 */
/* What the unit tests share: checks that go on after a failure, and the exit status. */
#ifndef TARE_TESTS_UNIT_H
#define TARE_TESTS_UNIT_H

#include <stdio.h>
#include <string.h>

#define UNIT_SKIP 77 /* meson's exit status for "skipped" */

static int unit_checks, unit_failures;

#define CHECK(condition)                                                                                     \
	do {                                                                                                 \
		unit_checks++;                                                                               \
		if (!(condition)) {                                                                          \
			unit_failures++;                                                                     \
			fprintf(stderr, "%s:%d: %s: false\n", __FILE__, __LINE__, #condition);               \
		}                                                                                            \
	} while (0)

#define CHECK_INT(actual, expected)                                                                          \
	do {                                                                                                 \
		long long actual_ = (long long)(actual), expected_ = (long long)(expected);                  \
		unit_checks++;                                                                               \
		if (actual_ != expected_) {                                                                  \
			unit_failures++;                                                                     \
			fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #actual,        \
				actual_, expected_);                                                         \
		}                                                                                            \
	} while (0)

#define CHECK_STR(actual, expected)                                                                          \
	do {                                                                                                 \
		const char *actual_ = (actual), *expected_ = (expected);                                     \
		unit_checks++;                                                                               \
		if (actual_ == NULL || expected_ == NULL ? actual_ != expected_                              \
							 : strcmp(actual_, expected_) != 0) {                \
			unit_failures++;                                                                     \
			fprintf(stderr, "%s:%d: %s is '%s', not '%s'\n", __FILE__, __LINE__, #actual,        \
				actual_ == NULL ? "(null)" : actual_,                                        \
				expected_ == NULL ? "(null)" : expected_);                                   \
		}                                                                                            \
	} while (0)

/* At the end of main: return UNIT_RETURN; a test that checked nothing has failed. */
#define UNIT_RETURN                                                                                          \
	(fprintf(stderr, "%d checks, %d failed\n", unit_checks, unit_failures),                              \
	 unit_failures > 0 || unit_checks == 0)

#endif
