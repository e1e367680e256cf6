/* SPDX-License-Identifier: Apache-2.0 */
/* Comparison, parsing and formatting of text without the C library's locale and errno. */
#include <string.h>

#include <tare/base.h>

bool str_equal(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

bool str_has_prefix(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_has_word(const char *list, const char *word)
{
	size_t len = strlen(word), at = 0;

	while (*list != '\0') {
		while (list[at] != '\0' && list[at] != ' ' && list[at] != '\n')
			at++;
		if (at == len && strncmp(list, word, len) == 0)
			return true;
		list += at + (list[at] != '\0');
		at = 0;
	}
	return false;
}

bool str_to_u64(const char *s, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;

	if (str_is_empty(s))
		return false;
	for (; *s != '\0'; s++) {
		uint64_t digit = (uint64_t)(*s - '0');

		if (*s < '0' || *s > '9')
			return false;
		if (value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	if (value > max)
		return false;
	*ret = value;
	return true;
}

bool str_keyed_u64(const char *text, const char *key, uint64_t *ret)
{
	size_t len = strlen(key), digits_len = 0;
	char digits[24];

	while (strncmp(text, key, len) != 0 || text[len] != ' ') {
		while (*text != '\0' && *text != '\n')
			text++;
		if (*text++ == '\0')
			return false;
	}
	for (text += len + 1; *text != '\0' && *text != '\n' && digits_len < sizeof digits - 1; text++)
		digits[digits_len++] = *text;
	digits[digits_len] = '\0';
	return (*text == '\0' || *text == '\n') && str_to_u64(digits, UINT64_MAX, ret);
}

struct out {
	char *buf;
	size_t size, len;
};

static void out_add(struct out *out, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++, out->len++)
		if (out->len + 1 < out->size)
			out->buf[out->len] = s[i];
}

static void out_number(struct out *out, uint64_t value, unsigned int base, bool is_negative)
{
	char digits[24];
	size_t at = sizeof digits;

	do {
		digits[--at] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value != 0);
	if (is_negative)
		digits[--at] = '-';
	out_add(out, digits + at, sizeof digits - at);
}

/* On LP64 the length modifiers "l", "ll" and "z" mean 64 bits; without one an integer has 32. */
static void out_integer(struct out *out, char conversion, bool is_long, va_list *args)
{
	if (conversion == 'd') {
		int64_t value = is_long ? va_arg(*args, long) : va_arg(*args, int);

		out_number(out, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10, value < 0);
		return;
	}
	out_number(out, is_long ? va_arg(*args, unsigned long) : va_arg(*args, unsigned int),
		   conversion == 'x'   ? 16
		   : conversion == 'o' ? 8
				       : 10,
		   false);
}

static void out_string(struct out *out, const char *s, size_t max)
{
	if (s == NULL)
		s = "(null)";
	out_add(out, s, strnlen(s, max));
}

/* Writes one conversion; fmt points at the character after its "%". Returns the rest of the format. */
static const char *out_conversion(struct out *out, const char *fmt, va_list *args)
{
	size_t max = SIZE_MAX;
	bool is_long = false;
	char c;

	if (fmt[0] == '.' && fmt[1] == '*') {
		int precision = va_arg(*args, int);

		max = precision < 0 ? SIZE_MAX : (size_t)precision;
		fmt += 2;
	} else if (fmt[0] == '.') {
		max = 0;
		for (fmt++; *fmt >= '0' && *fmt <= '9'; fmt++)
			max = max * 10 + (size_t)(*fmt - '0');
	}
	for (; *fmt == 'l' || *fmt == 'z'; fmt++)
		is_long = true;
	switch (*fmt) {
	case 's':
		out_string(out, va_arg(*args, const char *), max);
		break;
	case 'c':
		c = (char)va_arg(*args, int);
		out_add(out, &c, 1);
		break;
	case 'd':
	case 'u':
	case 'x':
	case 'o':
		out_integer(out, *fmt, is_long, args);
		break;
	case '\0':
		return fmt;
	default:
		out_add(out, fmt, 1);
	}
	return fmt + 1;
}

int str_vformat(char *buf, size_t size, const char *fmt, va_list args)
{
	struct out out = {.buf = buf, .size = size};
	va_list copy;

	va_copy(copy, args);
	while (*fmt != '\0') {
		if (*fmt == '%')
			fmt = out_conversion(&out, fmt + 1, &copy);
		else
			out_add(&out, fmt++, 1);
	}
	va_end(copy);
	if (size > 0)
		buf[out.len < size ? out.len : size - 1] = '\0';
	return (int)out.len;
}

int str_format(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = str_vformat(buf, size, fmt, args);
	va_end(args);
	return len;
}

size_t str_utf8_sequence(const char *text, size_t left)
{
	static const struct {
		unsigned char first, last, low, high; /* of the first byte, and of the second one */
		size_t length;
	} rows[] = {
		{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
		{0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
		{0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
	};
	const unsigned char *s = (const unsigned char *)text;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (s[0] < rows[i].first || s[0] > rows[i].last)
			continue;
		if (left < rows[i].length || s[1] < rows[i].low || s[1] > rows[i].high)
			return 0;
		for (size_t k = 2; k < rows[i].length; k++)
			if (s[k] < 0x80 || s[k] > 0xbf)
				return 0;
		return rows[i].length;
	}
	return 0;
}
