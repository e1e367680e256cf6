/* SPDX-License-Identifier: Apache-2.0 */
/* The flag --regex: a command for each container with a matching id. */
#include <errno.h>
#include <regex.h>

#include <tare/state.h>

#include "cli.h"

struct matching {
	struct cli_call *call;
	cli_function run;
	void *options;
	regex_t regex;
	struct err first; /* the error of the first container that has one */
	char *failed_id;  /* of that container */
	size_t failures;
};

static void on_id(void *context, const char *id)
{
	struct matching *m = context;
	struct err err = {.kind = ERR_NONE};

	if (regexec(&m->regex, id, 0, NULL, 0) != 0)
		return;
	m->call->id = id;
	if (m->run(m->call, m->options, &err) >= 0)
		return;
	if (m->failures++ > 0)
		return;
	m->first = err;
	m->failed_id = arena_format(&m->call->arena, "%s", id);
}

/* The error line names the first container that has failed. */
static int result(struct matching *m, struct err *err)
{
	m->call->id = m->failed_id;
	if (m->failures == 0)
		return 0;
	*err = m->first;
	if (m->failures > 1)
		err_hint(err, "%zu more containers failed: call the command for each to see why",
			 m->failures - 1);
	return -EINVAL;
}

static int run_all(struct matching *m, struct err *err)
{
	_cleanup_fd_ int root_fd = state_open_root(m->call->globals.root, false, err);
	int r = root_fd == -ENOENT ? 0 : root_fd;

	if (root_fd >= 0)
		r = state_list(root_fd, on_id, m, err);
	return r < 0 ? r : result(m, err);
}

int cli_run_matching(struct cli_call *call, const char *regex, cli_function run, void *options, struct err *err)
{
	struct matching m = {.call = call, .run = run, .options = options};
	char why[128];
	int r = regcomp(&m.regex, regex, REG_EXTENDED | REG_NOSUB);

	if (r != 0) {
		regerror(r, &m.regex, why, sizeof why);
		return err_set(err, ERR_USAGE, 0, NULL, "invalid value '%.100s' for flag --regex: %s", regex,
			       why);
	}
	r = run_all(&m, err);
	regfree(&m.regex);
	return r;
}
