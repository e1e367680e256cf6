/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the room has of its own because init has no C library: formatting, which must print the same as
 * printf(3), directories, the search of a program; and UTF-8.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

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

/* RFC 3629, by decoding: no value in more bytes than it needs, no surrogate, nothing above U+10FFFF. */
static size_t decoded_length(const unsigned char *s, size_t left)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = s[0] < 0x80   ? 1
		     : s[0] < 0xc0 ? 0
		     : s[0] < 0xe0 ? 2
		     : s[0] < 0xf0 ? 3
		     : s[0] < 0xf8 ? 4
				   : 0;
	uint32_t code = s[0] & 0xffu >> (len + 1);

	if (len <= 1 || left < len)
		return len == 1 ? 1 : 0;
	for (size_t i = 1; i < len; code = code << 6 | (s[i++] & 0x3fu))
		if (s[i] >> 6 != 2)
			return 0;
	return code < least[len] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0 : len;
}

static void test_utf8(void)
{
	static const unsigned char ends[] = {0x00, 0x7f, 0x80, 0x9f, 0xbf, 0xc0, 0xff};
	size_t wrong = 0, valid = 0;

	for (unsigned int start = 0; start < 0x10000; start++) {
		for (size_t i = 0; i < sizeof ends * sizeof ends * 4; i++) {
			const unsigned char s[] = {(unsigned char)(start >> 8), (unsigned char)start,
						   ends[i / 4 % sizeof ends], ends[i / 4 / sizeof ends]};
			size_t len = str_utf8_length((const char *)s, 1 + i % 4);

			wrong += len != decoded_length(s, 1 + i % 4);
			valid += len > 1;
		}
	}
	CHECK_INT(wrong, 0);
	CHECK(valid > 0);
}

/* --- directories --- */

static int read_all(int fd, size_t size, char *ret)
{
	_Alignas(struct dir_entry) char block[512];
	struct dir_reader reader = {.fd = fd, .block = block, .size = size};
	const struct dir_entry *entry;
	int r, count = 0;

	ret[0] = '\0';
	while ((r = dir_next(&reader, &entry)) > 0) {
		CHECK(strchr(entry->name, 'f') == entry->name && strlen(entry->name) == 3);
		strcat(ret, entry->name + 1);
		count++;
	}
	return r < 0 ? r : count;
}

static void test_dir(void)
{
	char top[] = "/tmp/tare-base-XXXXXX", text[256], name[8];
	_cleanup_fd_ int fd = -1;

	CHECK(mkdtemp(top) != NULL);
	fd = k_openat(AT_FDCWD, top, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	CHECK_INT(read_all(fd, 512, text), 0);
	for (int i = 10; i < 60; i++) {
		str_format(name, sizeof name, "f%d", i);
		CHECK_INT(k_mkdirat(fd, name, 0700), 0);
	}
	CHECK(k_lseek(fd, 0, SEEK_SET) == 0);
	CHECK_INT(read_all(fd, 80, text), 50); /* in many blocks */
	for (int i = 10; i < 60; i++) {
		str_format(name, sizeof name, "f%d", i);
		CHECK(strstr(text, name + 1) != NULL);
		CHECK_INT(k_unlinkat(fd, name, AT_REMOVEDIR), 0);
	}
	CHECK_INT(read_all(fd, 512, text), 0); /* the position is at the end */
	CHECK_INT(read_all(-1, 512, text), -EBADF);
	CHECK_INT(k_unlinkat(AT_FDCWD, top, AT_REMOVEDIR), 0);
}

/* --- the search of a program --- */

static void test_candidates(void)
{
	static const char *const expected[] = {"/bin/x", "./x", "usr/x", "/a//x", "./x"};
	const char *list = "/bin::usr:/a/:";
	char path[8];

	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		CHECK(list != NULL && path_next_candidate(&list, "x", path, sizeof path));
		CHECK_STR(path, expected[i]);
	}
	CHECK(list == NULL);
	list = "/123456:/12345";
	CHECK(!path_next_candidate(&list, "x", path, sizeof path));
	CHECK_STR(list, "/12345");
	CHECK(!path_next_candidate(&list, "xy", path, sizeof path));
	CHECK(list == NULL);
	list = "";
	CHECK(path_next_candidate(&list, "x", path, sizeof path));
	CHECK_STR(path, "./x");
	CHECK(list == NULL);
}

/* Compares with the C library at the first and the last second of each day until 2110, and of others later. */
static void check_date(int64_t secs, const char *expected)
{
	_cleanup_free_ char *text = date_text(secs);

	CHECK_STR(text, expected);
}

static void test_dates(void)
{
	char expected[64];

	for (int64_t day = 0; day <= DATE_SECS_MAX / 86400; day += day < 51500 ? 1 : 59)
		for (int end = 0; end < 2; end++) {
			time_t secs = day * 86400 + (end ? 86399 : 0);
			struct tm tm;

			strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S", gmtime_r(&secs, &tm));
			check_date(secs, expected);
		}
	check_date(45296, "1970-01-01T12:34:56");
	check_date(951782399, "2000-02-28T23:59:59");
	check_date(951782400, "2000-02-29T00:00:00");
	check_date(-1, "1970-01-01T00:00:00");
	check_date(INT64_MAX, "9999-12-31T23:59:59");
}

static void test_errno_text(void)
{
	CHECK_STR(ERRNO_TEXT(0), "");
	CHECK_STR(ERRNO_TEXT(ENOENT), "no such file or directory");
	CHECK_STR(ERRNO_TEXT(-EPERM), "operation not permitted");
	CHECK_STR(ERRNO_TEXT(EXDEV), "invalid cross-device link");
	for (int errnum = 1; errnum < 134; errnum++) {
		const char *text = ERRNO_TEXT(errnum);

		/* Not before ERRNO_TEXT: its strerror(3) may free the text of this one. */
		CHECK_INT(strcasecmp(text, strerror(errnum)), 0);
	}
}

static void check_print(const struct err *err, const char *expected)
{
	_cleanup_buf_ struct buf text = {0};

	err_print(err, &text);
	CHECK_STR(text.data, expected);
}

static void test_error_text(void)
{
	struct err err;

	err_set(&err, ERR_STATE, 0, NULL, "cannot do it");
	check_print(&err, "cannot do it");
	err_hint(&err, "a hint");
	check_print(&err, "cannot do it (a hint)");
	err_set(&err, ERR_CONFIG, EINVAL, "/a/0", "cannot do %s", "this");
	check_print(&err, "/a/0: cannot do this: invalid argument");
	err_hint(&err, "try that");
	check_print(&err, "/a/0: cannot do this: invalid argument (try that)");
}

static void test_id_map(void)
{
	const char *at = "         0       1000          1\n         1     100000 4294867295\n";
	struct id_map_line line;

	CHECK(id_map_next(&at, &line));
	CHECK(line.first == 0 && line.outside == 1000 && line.size == 1);
	CHECK(id_map_has(&line, 0) && !id_map_has(&line, 1));
	CHECK(id_map_next(&at, &line));
	CHECK(line.first == 1 && line.outside == 100000 && line.size == 4294867295);
	CHECK(!id_map_has(&line, 0) && id_map_has(&line, 4294867295) && !id_map_has(&line, 4294867296));
	CHECK(!id_map_next(&at, &line));
	at = NULL;
	CHECK(!id_map_next(&at, &line));
	at = "0 1000";
	CHECK(!id_map_next(&at, &line));
}

int main(void)
{
	test_sum();
	test_conversions();
	test_truncation();
	test_numbers();
	test_keyed_numbers();
	test_utf8();
	test_dir();
	test_candidates();
	test_dates();
	test_errno_text();
	test_error_text();
	test_id_map();
	UNIT_MAIN_END;
}
