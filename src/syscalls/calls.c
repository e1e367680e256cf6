/* SPDX-License-Identifier: Apache-2.0 */
/* The table of recorded calls. Its size is bounded, whatever the programs do. */
#include <string.h>

#include "recorder.h"

void calls_done(struct calls *calls)
{
	mem_free(&calls->rows);
	calls->count = 0;
}

static bool is_same(const struct call *a, const struct call *b)
{
	return a->number == b->number && a->arch == b->arch && a->answer == b->answer &&
	       a->has_value == b->has_value && a->value == b->value && str_equal(a->program, b->program);
}

void calls_add(struct calls *calls, const struct call *call)
{
	for (size_t i = 0; i < calls->count; i++) {
		if (is_same(&calls->rows[i], call)) {
			calls->rows[i].count++;
			return;
		}
	}
	if (calls->count == CALLS_MAX) {
		calls->omitted++;
		return;
	}
	if (calls->rows == NULL)
		calls->rows = mem_alloc(CALLS_MAX * sizeof *calls->rows);
	calls->rows[calls->count] = *call;
	calls->rows[calls->count++].count = 1;
}
