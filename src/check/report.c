/* SPDX-License-Identifier: Apache-2.0 */
/* The findings so far. */
#include <tare/base.h>

#include "private.h"

void check_report(void *context, const struct err *finding)
{
	struct check *check = context;

	check->on_finding(check->context, finding);
	if (finding->kind == ERR_NONE)
		return;
	check->count++;
	check->places = mem_resize(check->places, (check->place_count + 1) * sizeof *check->places);
	check->places[check->place_count++] = mem_dup(finding->json_pointer);
}

bool check_has_place(const struct check *check, const char *json_pointer)
{
	for (size_t i = 0; i < check->place_count; i++)
		if (str_equal(check->places[i], json_pointer))
			return true;
	return false;
}

void check_done(struct check *check)
{
	while (check->place_count > 0)
		mem_free(&check->places[--check->place_count]);
	mem_free(&check->places);
}
