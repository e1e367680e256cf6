/* SPDX-License-Identifier: Apache-2.0 */
/* create: makes a container; its init waits at the gate. Process: the parent. */
#include <tare/command.h>
#include <tare/parent.h>

#include "supervisor.h"

struct create {
	struct creation creation;
	struct supervision supervision;
};

static void create_done(struct create *create)
{
	supervision_done(&create->supervision);
	creation_done(&create->creation);
}

int command_create(const struct create_options *options, struct err *err)
{
	__attribute__((cleanup(create_done))) struct create create = {0};
	struct creation *creation = &create.creation;
	int r;

	creation_init(creation, options);
	supervision_init(&create.supervision, &creation->draft);
	r = state_check_id(options->common.id, err);
	if (r >= 0)
		r = parent_create(creation, err);
	if (r < 0)
		return supervision_write(&create.supervision, r, err);
	r = supervision_open(&create.supervision, creation, err);
	if (r >= 0)
		r = supervisor_start(creation, &create.supervision, false, err);
	if (r < 0)
		(void)!parent_undo(creation, err);
	return r < 0 ? supervision_write(&create.supervision, r, err) : 0;
}
