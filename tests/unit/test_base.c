/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The room's own formatting, which init needs because it has no C library: it must print the same as printf(3).
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <tare/base.h>

#include "unit.h"

#define SAME(...)                                                                                              \
	do {                                                                                                   \
		char own[256], library[256];                                                                   \
		int own_len = str_format(own, sizeof own, __VA_ARGS__);                                        \
		int library_len = snprintf(library, sizeof library, __VA_ARGS__);                              \
                                                                                                               \
		CHECK(own_len == library_len && strcmp(own, library) == 0);                                    \
	} while (0)

static void test_conversions(void)
{
	SAME("plain");
	SAME("100%%");
	SAME("%s and %s", "one", "");
	SAME("'%.3s' '%.0s' '%.100s' '%.10s'", "abcdef", "abc", "abc", "0123456789");
	SAME("%.*s|%.*s|%.*s", 2, "abc", 0, "abc", -1, "abc");
	SAME("%c%c", 'x', '\n');
	SAME("%d %d %d", 0, INT_MIN, INT_MAX);
	SAME("%u %x %o", UINT_MAX, 0xdeadbeefu, 0755u);
	SAME("%ld %lld", LONG_MIN, LLONG_MAX);
	SAME("%lu %llu %zu %lx", ULONG_MAX, ULLONG_MAX, (size_t)-1, ULONG_MAX);
}

static void test_truncation(void)
{
	char text[4] = "xyz";

	CHECK(str_format(text, sizeof text, "%s", "abcdef") == 6 && strcmp(text, "abc") == 0);
	CHECK(str_format(text, 1, "%d", 77) == 2 && text[0] == '\0');
	CHECK(str_format(NULL, 0, "%d", 12345) == 5);
}

static void test_numbers(void)
{
	uint64_t number = 7;

	CHECK(str_to_u64("18446744073709551615", UINT64_MAX, &number) && number == UINT64_MAX);
	CHECK(!str_to_u64("18446744073709551616", UINT64_MAX, &number) && number == UINT64_MAX);
	CHECK(str_to_u64("0", 0, &number) && number == 0);
	CHECK(!str_to_u64("1", 0, &number) && !str_to_u64("", 9, &number) && !str_to_u64(" 1", 9, &number));
	CHECK(!str_to_u64("+1", 9, &number) && !str_to_u64("-1", 9, &number) && !str_to_u64("1x", 9, &number));
}

static void test_keyed_numbers(void)
{
	static const char text[] = "low 0\noom_kill_group 3\noom 1\noom_kill 18446744073709551615\nmax 2";
	uint64_t number = 7;

	CHECK(str_keyed_u64(text, "low", &number) && number == 0);
	CHECK(str_keyed_u64(text, "oom", &number) && number == 1);
	CHECK(str_keyed_u64(text, "oom_kill", &number) && number == UINT64_MAX);
	CHECK(str_keyed_u64(text, "max", &number) && number == 2);
	CHECK(!str_keyed_u64(text, "kill", &number) && !str_keyed_u64(text, "ma", &number) && number == 2);
	CHECK(!str_keyed_u64("", "max", &number) && !str_keyed_u64("max", "max", &number));
	CHECK(!str_keyed_u64("max max\n", "max", &number) && !str_keyed_u64("max \nlow 1\n", "max", &number));
	CHECK(!str_keyed_u64("max 18446744073709551616\n", "max", &number) && number == 2);
	CHECK(!str_keyed_u64("max 000000000000000000000001\n", "max", &number) && number == 2);
}

/*
 * Every bit counts, including those of an incomplete last word, and so does the division of a sequence into
 * parts.
 */
static void test_sum(void)
{
	unsigned char bytes[21] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21};
	uint64_t sum = sum_add(SUM_BEGIN, bytes, sizeof bytes);

	CHECK(sum_add(SUM_BEGIN, bytes, 0) == SUM_BEGIN);
	CHECK(sum_add(sum_add(SUM_BEGIN, bytes, 8), bytes + 8, 13) == sum);
	for (size_t bit = 0; bit < sizeof bytes * 8; bit++) {
		bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
		CHECK(sum_add(SUM_BEGIN, bytes, sizeof bytes) != sum);
		bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
}

int main(void)
{
	test_sum();
	test_conversions();
	test_truncation();
	test_numbers();
	test_keyed_numbers();
	UNIT_MAIN_END;
}
