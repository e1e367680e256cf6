/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removes containers that their command could not remove, because it was killed. Their ids name the process of
 * that command. Process: the command that was called.
 */
#include <errno.h>
#include <string.h>

#include <tare/command.h>
#include <tare/state.h>

struct leftovers {
	const char *state_root, *prefix;
};

/*
 * The pid in the id is only a hint which containers to examine: in another pid namespace it means another
 * process. delete finds that out from the record, and fails then.
 */
static bool is_abandoned(const char *id, const char *prefix)
{
	const char *digits = id + strlen(prefix);
	char text[16];
	uint64_t pid;

	if (!str_has_prefix(id, prefix))
		return false;
	str_format(text, sizeof text, "%.*s", (int)strcspn(digits, "-"), digits);
	return str_to_u64(text, INT32_MAX, &pid) && pid > 0 && k_kill((pid_t)pid, 0) == -ESRCH;
}

static void on_id(void *context, const char *id)
{
	const struct leftovers *leftovers = context;
	struct err err = {.kind = ERR_NONE};

	if (is_abandoned(id, leftovers->prefix) && command_delete(leftovers->state_root, id, true, &err) < 0)
		log_line(LOG_WARNING, "cannot remove the leftover container %s: %s", id, err.msg);
}

void command_remove_leftovers(const char *state_root, const char *prefix)
{
	struct leftovers leftovers = {state_root, prefix};
	struct err ignored;
	_cleanup_fd_ int root_fd = state_open_root(state_root, false, &ignored);

	if (root_fd >= 0)
		(void)!state_list(root_fd, on_id, &leftovers, &ignored);
}
