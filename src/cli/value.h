/* SPDX-License-Identifier: Apache-2.0 */
/* Values of flags as people and engines write them. Private to the room. */
#ifndef TARE_CLI_VALUES_H
#define TARE_CLI_VALUES_H

#include <tare/base.h>

/*
 * A duration as Go writes it: numbers, maybe with a fraction, each with a unit of ns, us, ms, s, m or h, summed
 * up ("1m30s", "1.5h", "500ms"); "0" needs no unit. In nanoseconds, 0 to INT64_MAX. False for anything else.
 */
bool value_duration(const char *text, int64_t *ret_ns) MUST_CHECK;

/*
 * A number of bytes: a number, maybe with a fraction, and maybe k, m, g, t or p (powers of 1024, either case)
 * with "b" or "ib" behind it; or -1 for no limit. False for anything else, and above INT64_MAX.
 */
bool value_size(const char *text, int64_t *ret_bytes) MUST_CHECK;

#endif
