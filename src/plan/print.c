/* SPDX-License-Identifier: Apache-2.0 */
/* Prints a plan as text for people and as JSON for programs, in the order of the steps. Process: the parent. */
#include <string.h>

#include "detail.h"

static const char *const actor_names[] = {"parent", "bridge", "init"};

#define IS__ 0
#define IS_P 1
#define IS_C 1
#define IS_E 1
#define IS_CE 1
#define IS_PCE 1
#define IS_B 1
#define IS_I 1
#define IS_M 1
#define IS_S 1
#define COMPLETE(kind, name, printed, parent, bridge, create, exec, ...)                                       \
	_Static_assert(sizeof printed > 1, #kind " has no name");                                              \
	_Static_assert(IS_##parent + IS_##bridge + IS_##create + IS_##exec > 0,                                \
		       "no process carries out " #kind);
PLAN_STEPS(COMPLETE)

static const char *kind_name(uint16_t kind)
{
#define NAME(kind, name, printed, ...) [PLAN_##kind] = printed,
	static const char *const names[] = {PLAN_STEPS(NAME)};

	return names[kind];
}

static void add_detail(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	switch ((enum plan_kind)step->kind) {
#define PRINT(kind, name, printed, parent, bridge, create, exec, detail, ...)                                  \
	case PLAN_##kind:                                                                                      \
		plan_detail_##detail(out, plan, step);                                                         \
		break;
		PLAN_STEPS(PRINT)
	case PLAN_KINDS:
		break;
	}
}

void plan_print_step_name(const struct plan_step *step, struct buf *out)
{
	buf_format(out, "%s%s%s", actor_names[step->actor], step->actor == PLAN_INIT ? "    " : "  ",
		   kind_name(step->kind));
}

void plan_print_step(const struct plan *plan, const struct plan_step *step, struct buf *out)
{
	plan_print_step_name(step, out);
	for (size_t len = strlen(kind_name(step->kind)); len < 17; len++)
		buf_add(out, " ", 1);
	add_detail(out, plan, step);
	while (out->data[out->len - 1] == ' ')
		out->data[--out->len] = '\0';
}

void plan_print(const struct plan *plan, struct buf *out)
{
	const struct plan_step *steps = plan_steps(plan);

	for (uint32_t i = 0; i < plan->step_count; i++) {
		plan_print_step(plan, &steps[i], out);
		buf_add(out, "\n", 1);
	}
}

void plan_print_json(const struct plan *plan, struct buf *out)
{
	const struct plan_step *steps = plan_steps(plan);
	struct json json;

	json_begin(&json, out, 2);
	json_array(&json);
	for (uint32_t i = 0; i < plan->step_count; i++) {
		_cleanup_buf_ struct buf detail = {0};

		buf_add(&detail, "", 0);
		add_detail(&detail, plan, &steps[i]);
		json_object(&json);
		json_pair(&json, "who", actor_names[steps[i].actor]);
		json_pair(&json, "step", kind_name(steps[i].kind));
		json_pair(&json, "what", detail.data);
		if (steps[i].json_pointer != 0)
			json_pair(&json, "where", plan_get(plan, steps[i].json_pointer));
		json_object_end(&json);
	}
	json_array_end(&json);
	buf_add(out, "\n", 1);
}
