/* SPDX-License-Identifier: Apache-2.0 */
/* The command doctor: this process becomes the program tare-doctor. */
#include <errno.h>
#include <unistd.h>

#include "cli.h"

#define PROGRAM "tare-doctor"

struct doctor_options {
	const char *bundle, *format;
};

static const struct option_row doctor_rows[] = {
	{"bundle", 'b', OPTION_TEXT, offsetof(struct doctor_options, bundle), "DIR",
	 "also report on the bundle in DIR"},
	{"format", 0, OPTION_TEXT, offsetof(struct doctor_options, format), "text|json",
	 "format of the output (default: text)"},
	{.name = NULL},
};

static int doctor(struct cli_call *call, void *options, struct err *err)
{
	const struct doctor_options *o = options;
	const char *bundle = call->operand_count > 0 ? call->operands[0] : o->bundle;
	char program[HELPER_PATH_MAX];
	bool is_json;
	int r = cli_is_json(o->format, &is_json, err);

	if (r < 0)
		return r;
	if (call->operand_count > 0 && o->bundle != NULL)
		return err_set(err, ERR_USAGE, 0, NULL, "the bundle is given twice");
	r = cli_write(call, "", 0, err); /* the program would write to /dev/null */
	if (r < 0)
		return r;
	helper_path(PROGRAM, program, sizeof program);
	r = k_execve(program,
		     (char *const[]){(char *)(uintptr_t)PROGRAM, (char *)(uintptr_t) "report",
				     (char *)(uintptr_t)(is_json ? "json" : "text"),
				     (char *)(uintptr_t)(call->globals.root == NULL ? "" : call->globals.root),
				     (char *)(uintptr_t)(bundle == NULL ? "" : bundle), NULL},
		     environ);
	err_system(err, r, "cannot execute '%.200s'", program);
	if (r == -ENOENT)
		err_hint(err, "install " PROGRAM " beside tare: it is built with it");
	return r;
}

const struct cli_command cli_doctor = {
	.name = "doctor",
	.operands = "[BUNDLE]",
	.help = "Report what this host permits, and what to change",
	.options = doctor_rows,
	.options_size = sizeof(struct doctor_options),
	.max = 1,
	.run = doctor,
	.failure_status = 2,
};
