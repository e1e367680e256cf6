/* SPDX-License-Identifier: Apache-2.0 */
/* The command mounts, which adds mounts to a container that exists, or removes them. */
#include "cli.h"

#define DOCUMENT_MAX ((size_t)16 << 20)

static int mounts(struct cli_call *call, void *options, struct err *err)
{
	const char *action = call->operands[0], *path = call->operands[2];
	_cleanup_buf_ struct buf document = {0};
	struct mounts_options o = {.state_root = call->globals.root,
				   .id = call->operands[1],
				   .document = &document,
				   .name = IO_INPUT_NAME(path),
				   .is_remove = str_equal(action, "remove")};
	int r;

	(void)options;
	if (!o.is_remove && !str_equal(action, "add"))
		return err_set(err, ERR_USAGE, 0, NULL, "unknown action '%.100s': must be add or remove",
			       action);
	call->id = o.id;
	buf_add(&document, "", 0);
	r = io_read_input(path, DOCUMENT_MAX, &document);
	if (r < 0)
		return err_system(err, r, "cannot read mounts from '%s'", IO_INPUT_NAME(path));
	return command_mounts(&o, err);
}

const struct cli_command cli_mounts = {
	.name = "mounts",
	.operands = "add|remove ID FILE",
	.help = "Add mounts to a container that exists, or remove them",
	.min = 3,
	.max = 3,
	.run = mounts,
};
