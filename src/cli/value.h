/* SPDX-License-Identifier: Apache-2.0 */
/* value: parses durations and sizes in the values of flags. Private to the room. */
#ifndef TARE_CLI_VALUES_H
#define TARE_CLI_VALUES_H

#include <tare/base.h>

/*
 * Parses a duration in the syntax of Go: the sum of numbers, with or without a fraction, each with a unit ns,
 * us, ms, s, m or h ("1m30s", "1.5h", "500ms"); "0" needs no unit. *ret_ns is in nanoseconds, 0 to INT64_MAX.
 * Returns false, with *ret_ns unchanged, for anything else.
 */
bool value_duration(const char *text, int64_t *ret_ns) MUST_CHECK;

/*
 * Parses a size in bytes: a number, with or without a fraction, and optionally a unit k, m, g, t or p (powers
 * of 1024, upper or lower case), which "b" or "ib" may follow; or -1 for no limit. Returns false, with
 * *ret_bytes unchanged, for anything else and for sizes above INT64_MAX.
 */
bool value_size(const char *text, int64_t *ret_bytes) MUST_CHECK;

#endif
