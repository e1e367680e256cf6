/* SPDX-License-Identifier: Apache-2.0 */
/* Parses durations and sizes. */
#include <string.h>

#include <tare/base.h>

#define NS_PER_S INT64_C(1000000000)

struct unit {
	const char *name;
	int64_t factor;
};

/* --- decimal numbers --- */

struct decimal {
	uint64_t digits; /* the number times 10 ^ places */
	unsigned int places;
};

/* Parses the number at *at and moves *at past it. Decimal places that do not fit into 64 bits are cut off. */
static bool read_decimal(const char **at, struct decimal *ret)
{
	struct decimal d = {0, 0};
	bool is_fraction = false, has_digit = false;

	for (; (**at >= '0' && **at <= '9') || (**at == '.' && !is_fraction); (*at)++) {
		bool is_full = d.digits > (UINT64_MAX - 9) / 10;

		if (**at == '.') {
			is_fraction = true;
			continue;
		}
		has_digit = true;
		if (is_full && is_fraction)
			continue;
		if (is_full)
			return false;
		d.digits = d.digits * 10 + (uint64_t)(**at - '0');
		d.places += is_fraction;
	}
	*ret = d;
	return has_digit;
}

static bool multiply(struct decimal d, int64_t factor, int64_t *ret)
{
	__extension__ typedef unsigned __int128 wide;
	wide value = (wide)d.digits * (wide)factor;

	for (; d.places > 0; d.places--)
		value /= 10;
	if (value > INT64_MAX)
		return false;
	*ret = (int64_t)value;
	return true;
}

/* --- durations --- */

bool value_duration(const char *text, int64_t *ret_ns)
{
	/* The first match is used: a unit that begins like a shorter one ("ms", "m") comes before it. */
	static const struct unit units[] = {
		{"ns", 1},       {"us", 1000},    {"\xc2\xb5s", 1000}, {"\xce\xbcs", 1000},
		{"ms", 1000000}, {"s", NS_PER_S}, {"m", 60000000000},  {"h", 3600000000000},
	};
	int64_t total = 0;

	if (str_equal(text, "0"))
		return *ret_ns = 0, true;
	if (str_is_empty(text))
		return false;
	while (*text != '\0') {
		const struct unit *unit = NULL;
		struct decimal number;
		int64_t part;

		if (!read_decimal(&text, &number))
			return false;
		for (size_t i = 0; i < ARRAY_SIZE(units) && unit == NULL; i++)
			if (str_has_prefix(text, units[i].name))
				unit = &units[i];
		if (unit == NULL || !multiply(number, unit->factor, &part) ||
		    __builtin_add_overflow(total, part, &total))
			return false;
		text += strlen(unit->name);
	}
	*ret_ns = total;
	return true;
}

bool value_seconds(const char *text, int64_t *ret_ns)
{
	const char *end = text;
	struct decimal number;

	if (str_is_empty(text) || !read_decimal(&end, &number) || *end != '\0')
		return value_duration(text, ret_ns);
	return multiply(number, NS_PER_S, ret_ns);
}

/* --- sizes --- */

bool value_size(const char *text, int64_t *ret_bytes)
{
	static const char letters[] = "kmgtp";
	struct decimal number;
	const char *letter;
	int64_t factor = 1;

	if (str_equal(text, "-1"))
		return *ret_bytes = -1, true;
	if (str_is_empty(text) || !read_decimal(&text, &number))
		return false;
	letter = *text == '\0' ? NULL : strchr(letters, *text | 0x20);
	if (letter != NULL) {
		factor <<= 10 * (letter - letters + 1);
		text++;
		text += *text == 'i' && (text[1] | 0x20) == 'b';
	}
	text += (*text | 0x20) == 'b';
	return *text == '\0' && multiply(number, factor, ret_bytes);
}
