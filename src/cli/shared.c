/* SPDX-License-Identifier: Apache-2.0 */
/* What several commands have in common: options, and output. */
#include <errno.h>

#include "cli.h"

#define OPTION(field) offsetof(struct common_options, field)
const struct option_row cli_announce_rows[] = {
	{"console-socket", 0, OPTION_TEXT, OPTION(console_socket), "SOCKET",
	 "send the terminal's master to SOCKET"},
	{"pidfd-socket", 0, OPTION_TEXT, OPTION(pidfd_socket), "SOCKET", "send a pidfd to SOCKET"},
	{"pid-file", 0, OPTION_TEXT, OPTION(pid_file), "FILE", "write the pid to FILE"},
	{.name = NULL},
};
const struct option_row cli_preserve_rows[] = {
	{"preserve-fds", 0, OPTION_COUNT, OPTION(preserve_fds), "N",
	 "pass file descriptors 3 to 2+N to the program"},
	{.name = NULL},
};
const struct option_row cli_detach_rows[] = {
	{"detach", 'd', OPTION_FLAG, OPTION(is_detached), NULL, "return as soon as the program runs"},
	{.name = NULL},
};

void cli_set_common(const struct cli_call *call, struct common_options *common)
{
	common->id = call->id;
	common->state_root = call->globals.root;
}

int cli_write(const struct cli_call *call, const char *data, size_t len, struct err *err)
{
	int r = call->is_output_closed ? -EBADF : io_write_all(1, data, len);

	return r < 0 ? err_system(err, r, "cannot write to standard output") : 0;
}

int cli_is_json(const char *text, bool *ret_is_json, struct err *err)
{
	*ret_is_json = str_equal(text, "json");
	if (text == NULL || *ret_is_json || str_equal(text, "text") || str_equal(text, "table"))
		return 0;
	return err_set(err, ERR_USAGE, 0, NULL, "invalid format '%s'", text);
}
