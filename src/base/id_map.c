/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the id maps of a user namespace. */
#include <stdlib.h>
#include <string.h>

#include <tare/base.h>

bool id_map_next(const char **at, struct id_map_line *ret)
{
	uint64_t *const fields[] = {&ret->first, &ret->outside, &ret->size};
	const char *text = *at == NULL ? "" : *at;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		char *end;

		*fields[i] = strtoull(text, &end, 10);
		if (end == text)
			return false;
		text = end;
	}
	*at = text;
	return true;
}

bool id_map_has(const struct id_map_line *line, uint64_t id)
{
	return id >= line->first && id - line->first < line->size;
}
