/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A first process that is not the program (--init, or an annotation), and the death of the parent. Process: the
 * parent.
 */
#include "builder.h"
#include "detail.h"

#define INIT_ANNOTATION "org.tare.init"
#define INIT_POINTER "/annotations/" INIT_ANNOTATION

/* Whether the annotation asks for it. */
static bool is_annotated(struct builder *b)
{
	const char *value = spec_annotation(b->spec, INIT_ANNOTATION);

	if (value == NULL || str_equal(value, "false"))
		return false;
	if (!str_equal(value, "true"))
		builder_finding(b, ERR_CONFIG, INIT_POINTER, "'%.40s' is neither true nor false", value);
	return true;
}

void plan_begin_reaper(struct builder *b)
{
	b->end_slot = PLAN_NO_SLOT;
	b->has_reaper = is_annotated(b) || b->request->is_init || b->request->is_dying_with_parent;
	if (!b->has_reaper || !b->request->is_waited)
		return;
	b->end_slot = builder_slot(b);
	builder_step(b, PLAN_PARENT, PLAN_OPEN_END, 0)->u.slot = b->end_slot;
}

/*
 * prctl(2), PR_SET_PDEATHSIG: a program could remove its own death signal, and loses it if it gains rights at
 * its start. The reaper keeps it, and the program dies with the reaper.
 */
void plan_add_death_signal(struct builder *b)
{
	if (b->request->is_dying_with_parent)
		builder_step(b, PLAN_INIT, PLAN_DEATH_SIGNAL, 0);
}

/* The program begins a session of its own, and so gets the terminal only there. */
void plan_add_reaper(struct builder *b, bool is_limited)
{
	plan_text json_pointer;
	struct plan_step *step;

	if (!b->has_reaper)
		return;
	step = builder_step(b, PLAN_INIT, PLAN_REAPER, 0);
	step->u.reaper.slot = b->end_slot;
	step->u.reaper.is_subreaper = !plan_is_new(b->spec, SPEC_NS_PID);
	step->u.reaper.is_limited = is_limited;
	if (!b->process->terminal)
		return;
	json_pointer = builder_text(b, "/process/terminal");
	builder_step(b, PLAN_INIT, PLAN_CONTROLLING, json_pointer);
}

/* --- printers --- */

void plan_detail_reaper(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	(void)plan;
	buf_add_str(out, step->u.reaper.is_subreaper ? "of a subtree" : "of a pid namespace");
	buf_add_str(out, step->u.reaper.is_limited ? ", with a filter of its own" : "");
	buf_add_str(out, step->u.reaper.slot != PLAN_NO_SLOT ? ", reports the end" : "");
}
