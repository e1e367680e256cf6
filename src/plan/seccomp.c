/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When the seccomp filter is installed. The filter must allow every system call that the process makes
 * afterwards, so a later time is better: with no_new_privs, only execve(2) remains. Without no_new_privs,
 * installing a filter needs CAP_SYS_ADMIN. Process: the parent.
 */
#include <linux/capability.h>
#include <linux/filter.h>

#include "builder.h"

enum plan_filter_time plan_filter_time(const struct plan_filter *filter, bool is_no_new_privs)
{
	if (filter->program.count == 0)
		return PLAN_FILTER_NEVER;
	if (!is_no_new_privs)
		return PLAN_FILTER_PRIVILEGED;
	return filter->is_notify ? PLAN_FILTER_NOTIFY : PLAN_FILTER_LAST;
}

void plan_add_filter(struct builder *b, struct plan_filter *ret)
{
	const struct plan_filter_program *program = b->request->filter;
	const struct spec_seccomp *seccomp = &b->spec->seccomp;

	*ret = (struct plan_filter){0};
	if (program == NULL)
		return;
	ret->program = builder_table(b, program->filter, program->count, sizeof(struct sock_filter));
	ret->flags = program->flags;
	ret->is_notify = program->is_notify;
	ret->listener_path = builder_text(b, seccomp->listener_path);
	ret->listener_metadata = builder_text(b, seccomp->listener_metadata);
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
