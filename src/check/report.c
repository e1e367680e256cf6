/* SPDX-License-Identifier: Apache-2.0 */
/* Reports findings, and keeps their JSON pointers. */
#include <tare/base.h>

#include "private.h"

void check_report(void *context, const struct err *finding)
{
	struct check *check = context;

	check->on_finding(check->context, finding);
	if (finding->kind == ERR_NONE)
		return;
	check->count++;
	check->pointers = mem_resize(check->pointers, (check->pointer_count + 1) * sizeof *check->pointers);
	check->pointers[check->pointer_count++] = mem_dup(finding->json_pointer);
}

bool check_has_finding_at(const struct check *check, const char *json_pointer)
{
	for (size_t i = 0; i < check->pointer_count; i++)
		if (str_equal(check->pointers[i], json_pointer))
			return true;
	return false;
}

void check_done(struct check *check)
{
	while (check->pointer_count > 0)
		mem_free(&check->pointers[--check->pointer_count]);
	mem_free(&check->pointers);
}
