/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When the seccomp filter is installed. The filter must allow every system call that the process makes
 * afterwards, so a later time is better: with no_new_privs, only execve(2) remains. Without no_new_privs,
 * installing a filter needs CAP_SYS_ADMIN. Process: the parent.
 */
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "builder.h"
#include "detail.h"

enum plan_filter_time plan_filter_time(const struct plan_filter *filter, bool is_no_new_privs)
{
	if (filter->program.count == 0)
		return PLAN_FILTER_NEVER;
	if (!is_no_new_privs)
		return PLAN_FILTER_PRIVILEGED;
	return filter->is_notify ? PLAN_FILTER_NOTIFY : PLAN_FILTER_LAST;
}

void plan_add_recorder(struct builder *b)
{
	if (b->request->observer == NULL)
		return;
	b->recorder_slot = builder_slot(b);
	builder_step(b, PLAN_PARENT, PLAN_RECORDER, 0)->u.slot = b->recorder_slot;
}

static struct plan_filter add_program(struct builder *b, const struct plan_filter_program *program)
{
	struct plan_filter filter = {.recorder_slot = PLAN_NO_SLOT};

	if (program == NULL)
		return filter;
	filter.program = builder_table(b, program->filter, program->count, sizeof(struct sock_filter));
	filter.flags = program->flags;
	filter.is_notify = program->is_notify;
	filter.may_fake_success = program->may_fake_success;
	return filter;
}

/* Only what init starts is observed: a later exec has no recorder, and gets the filter itself. */
void plan_add_filter(struct builder *b)
{
	const struct spec_seccomp *seccomp = &b->spec->seccomp;

	b->stored.filter = add_program(b, b->request->filter);
	if (b->request->filter != NULL) {
		b->stored.filter.listener_path = builder_text(b, seccomp->listener_path);
		b->stored.filter.listener_pointer = builder_text(b, seccomp->listener_pointer);
		b->stored.filter.listener_metadata = builder_text(b, seccomp->listener_metadata);
	}
	b->filter = b->stored.filter;
	if (b->request->observer == NULL)
		return;
	b->filter = add_program(b, b->request->observer);
	b->filter.recorder_slot = b->recorder_slot;
}

void plan_add_seccomp(struct builder *b, enum plan_actor actor, const struct plan_filter *filter)
{
	plan_text json_pointer = builder_text(b, "/linux/seccomp");
	struct plan_step *step = builder_step(b, actor, PLAN_SECCOMP, json_pointer);

	step->u.filter = *filter;
	step->u.filter.is_parent_limited = (b->host->capabilities >> CAP_SYS_PTRACE & 1) == 0;
	if (filter->is_notify)
		builder_step(b, PLAN_PARENT, PLAN_LISTENER, json_pointer)->u.filter = *filter;
}

/* --- printers --- */

void plan_detail_filter(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	static const struct detail_bit filter_bits[] = {
		{SECCOMP_FILTER_FLAG_TSYNC, "tsync"},
		{SECCOMP_FILTER_FLAG_LOG, "log"},
		{SECCOMP_FILTER_FLAG_SPEC_ALLOW, "spec-allow"},
		{SECCOMP_FILTER_FLAG_NEW_LISTENER, "new-listener"},
		{1u << 5, "wait-killable-recv"}, /* Linux 5.19, missing in older headers */
	};
	const struct plan_filter *filter = &step->u.filter;

	(void)plan;
	buf_add_str(out, filter->flags == 0 ? "no flags" : "");
	detail_add_bits(out, filter->flags, filter_bits, ARRAY_SIZE(filter_bits), ",");
}

void plan_detail_listener(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	detail_add_item(out, "", plan_get(plan, step->u.filter.listener_path));
}
