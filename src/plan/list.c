/* SPDX-License-Identifier: Apache-2.0 */
/* Parses a list of numbers such as "0-3,7" into a bit mask. Process: the parent. */
#include <errno.h>

#include "builder.h"

struct node_mask {
	uint64_t *words;
	size_t count;
	bool is_too_large;
};

static void on_nodes(void *context, uint32_t first, uint32_t last)
{
	struct node_mask *mask = context;

	for (uint64_t node = first; node <= last; node++) {
		if (node / 64 >= mask->count) {
			mask->is_too_large = true;
			return;
		}
		mask->words[node / 64] |= 1ull << (node % 64);
	}
}

int plan_node_mask(const char *list, uint64_t *words, size_t count)
{
	struct node_mask mask = {words, count, false};
	int r = spec_list_parse(list, on_nodes, &mask);

	return r < 0 ? r : mask.is_too_large ? -ERANGE : 0;
}
