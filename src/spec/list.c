/* SPDX-License-Identifier: Apache-2.0 */
/* Parses lists of cpus and memory nodes. */
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

int spec_list_parse(const char *text, void (*on_range)(void *context, uint32_t first, uint32_t last),
		    void *context)
{
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
		on_range(context, first, last);
		text = skip_blanks(text);
		if (*text == '\0')
			return 0;
		if (*text != ',')
			return -EINVAL;
		text = skip_blanks(text + 1);
	}
}
