/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parses numbers as the kernel does in files of a cgroup (lib/kstrtox.c, mm/page_counter.c). Process: the
 * parent.
 */
#include <string.h>

#include "unit.h"

#define BLANKS " \t\n\v\f\r"

/*
 * The base of the digits, from their prefix (lib/kstrtox.c, _parse_integer_fixup_radix); advances *at past it.
 */
static unsigned int take_base(const char **at)
{
	if ((*at)[0] != '0')
		return 10;
	if (((*at)[1] | 0x20) != 'x')
		return 8;
	*at += 2;
	return 16;
}

static unsigned int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? (unsigned int)(c - 'a') + 10 : 16;
}

bool number_parse(const char *value, uint64_t *ret)
{
	static const char suffixes[] = "kmgtpe";
	const char *digits, *suffix;
	unsigned int base, digit, shift = 0;
	uint64_t number = 0;

	value += strspn(value, BLANKS);
	value += value[0] == '+';
	base = take_base(&value);
	for (digits = value; (digit = digit_of(*value)) < base; value++) {
		if (number > (UINT64_MAX - digit) / base)
			return false;
		number = number * base + digit;
	}
	if (value == digits)
		return false;
	suffix = *value == '\0' ? NULL : strchr(suffixes, *value | 0x20);
	if (suffix != NULL && *suffix != '\0') {
		shift = 10 * (unsigned int)(suffix - suffixes + 1);
		value++;
	}
	if (value[strspn(value, BLANKS)] != '\0' || number > (UINT64_MAX - 1) >> shift)
		return false;
	*ret = number << shift;
	return true;
}
