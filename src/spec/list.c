/* SPDX-License-Identifier: Apache-2.0 */
/* Parses lists of cpus and memory nodes into bit masks. */
#include <errno.h>
#include <string.h>

#include <tare/spec.h>

/* More than the kernel supports (8,192 CPUs, 1,024 nodes), and small enough for the bit sets of callers. */
#define NUMBER_MAX 65535

static bool read_number(const char **text, uint32_t *ret)
{
	uint32_t value = 0;
	const char *at = *text;

	for (; *at >= '0' && *at <= '9'; at++) {
		value = value * 10 + (uint32_t)(*at - '0');
		if (value > NUMBER_MAX)
			return false;
	}
	if (at == *text)
		return false;
	*text = at;
	*ret = value;
	return true;
}

static const char *skip_blanks(const char *text)
{
	return text + strspn(text, " \t\n");
}

/* Sets the bits of a range; false if the range does not fit. */
static bool set_range(uint64_t *words, size_t count, uint32_t first, uint32_t last)
{
	for (size_t i = first; i <= last && i / 64 < count; i++)
		words[i / 64] |= UINT64_C(1) << (i % 64);
	return last / 64 < count;
}

int spec_list_mask(const char *text, uint64_t *words, size_t count)
{
	int r = 0;

	text = skip_blanks(text);
	if (*text == '\0')
		return 0;
	for (;;) {
		uint32_t first, last;

		if (!read_number(&text, &first))
			return -EINVAL;
		last = first;
		if (*text == '-') {
			text++;
			if (!read_number(&text, &last) || last < first)
				return -EINVAL;
		}
		if (!set_range(words, count, first, last))
			r = -ERANGE;
		text = skip_blanks(text);
		if (*text == '\0')
			return r;
		if (*text != ',')
			return -EINVAL;
		text = skip_blanks(text + 1);
	}
}
