/* SPDX-License-Identifier: Apache-2.0 */
/* The commands create, run, plan and check, which read a bundle. */
#include <stdlib.h>
#include <unistd.h>

#include <tare/check.h>
#include <tare/host.h>
#include <tare/plan.h>
#include <tare/spec.h>

#include "cli.h"

#define OPTION(field) offsetof(struct create_options, field)
static const struct option_row bundle_rows[] = {
	{"bundle", 'b', OPTION_TEXT, OPTION(bundle), "DIR",
	 "directory of the bundle (default: the working directory)"},
	{"config", 'f', OPTION_TEXT, OPTION(config), "FILE",
	 "a config.json outside the bundle; - is standard input"},
	{"init", 0, OPTION_FLAG, OPTION(plan.is_init), NULL,
	 "start a first process that reaps orphans and forwards signals to the program"},
	{"no-pivot", 0, OPTION_FLAG, OPTION(plan.is_no_pivot), NULL,
	 "move the root to / instead of pivot_root(2)"},
	{"no-new-keyring", 0, OPTION_FLAG, OPTION(plan.is_no_new_keyring), NULL,
	 "keep the caller's session keyring"},
	{"proc", 0, OPTION_TEXT, OPTION(plan.proc), "fresh|subset|bind|auto",
	 "how to mount /proc (default: auto)"},
	{"", .kind = OPTION_TABLE, .offset = OPTION(common), .rows = cli_preserve_rows},
	{.name = NULL},
};
static const struct option_row create_rows[] = {
	{"", .kind = OPTION_TABLE, .rows = bundle_rows},
	{"", .kind = OPTION_TABLE, .offset = OPTION(common), .rows = cli_announce_rows},
	{"no-subreaper", 0, OPTION_FLAG, OPTION(is_no_subreaper), NULL, "do not become a child subreaper"},
	{.name = NULL},
};
static const struct option_row run_rows[] = {
	{"", .kind = OPTION_TABLE, .rows = create_rows},
	{"", .kind = OPTION_TABLE, .offset = OPTION(common), .rows = cli_detach_rows},
	{"", .kind = OPTION_TABLE, .offset = OPTION(supervise), .rows = cli_supervise_rows},
	{"", .kind = OPTION_TABLE, .offset = OPTION(supervise), .rows = cli_syscalls_rows},
	{"keep", 0, OPTION_FLAG, OPTION(is_keep), NULL, "do not delete the container after its program exits"},
	{.name = NULL},
};

/* Of plan and check, which load what create would load. */
struct load_options {
	struct create_options create;
	const char *format;
};

static const struct option_row load_rows[] = {
	{"", .kind = OPTION_TABLE, .offset = offsetof(struct load_options, create), .rows = bundle_rows},
	{"format", 0, OPTION_TEXT, offsetof(struct load_options, format), "text|json",
	 "format of the output (default: text)"},
	{.name = NULL},
};

int cli_add_globals(const struct cli_call *call, struct create_options *o, struct err *err)
{
	const char *manager = call->globals.cgroup_manager;

	if (call->globals.is_systemd_cgroup && manager != NULL && !str_equal(manager, "systemd"))
		return err_set(err, ERR_USAGE, 0, NULL,
			       "--systemd-cgroup and --cgroup-manager=%s contradict each other", manager);
	cli_set_common(call, &o->common);
	o->plan.is_systemd_cgroup = call->globals.is_systemd_cgroup || str_equal(manager, "systemd");
	o->plan.is_cgroup_disabled = str_equal(manager, "disabled");
	return 0;
}

static int create(struct cli_call *call, void *options, struct err *err)
{
	int r = cli_add_globals(call, options, err);

	return r < 0 ? r : command_create(options, err);
}

static const struct supervise_options *report_of(const void *options)
{
	const struct create_options *o = options;

	return &o->supervise;
}

static int run(struct cli_call *call, void *options, struct err *err)
{
	int r = cli_add_globals(call, options, err);

	call->is_reported = r >= 0;
	if (r >= 0)
		r = command_run(options, &call->status, err);
	/* If command_run fails after the program has exited, the exit status is still that of the program. */
	call->failure_status = call->status;
	return r;
}

static int plan(struct cli_call *call, void *options, struct err *err)
{
	struct load_options *o = options;
	_cleanup_free_ struct plan *built = NULL;
	_cleanup_spec_ struct spec *spec = NULL;
	struct host host;
	bool is_json;
	int r = cli_is_json(o->format, &is_json, err);

	if (r >= 0)
		r = cli_add_globals(call, &o->create, err);
	if (r >= 0)
		r = command_load(&o->create, &spec, &host, &built, err);
	if (r < 0)
		return r;
	if (is_json)
		plan_print_json(built, &call->out);
	else
		plan_print(built, &call->out);
	return 0;
}

/* --- check --- */

struct findings {
	struct buf *out;
	struct json json;
	bool is_json, is_coloured;
	int count;
};

static void on_finding(void *context, const struct err *finding)
{
	struct findings *f = context;

	f->count += finding->kind != ERR_NONE;
	if (f->is_json) {
		json_object(&f->json);
		json_pair(&f->json, "kind", err_kind_name(finding->kind));
		json_pair(&f->json, "where", finding->json_pointer);
		json_pair(&f->json, "message", finding->msg);
		json_pair(&f->json, "hint", finding->hint);
		json_pair_int(&f->json, "errno", finding->errnum);
		json_object_end(&f->json);
		return;
	}
	buf_format(f->out, "%s%s%s: ", f->is_coloured ? "\033[31m" : "", err_kind_name(finding->kind),
		   f->is_coloured ? "\033[0m" : "");
	err_print(finding, f->out);
	buf_add(f->out, "\n", 1);
}

static int check(struct cli_call *call, void *options, struct err *err)
{
	struct load_options *o = options;
	struct findings f = {.out = &call->out, .is_coloured = isatty(1) && getenv("NO_COLOR") == NULL};
	int r = cli_is_json(o->format, &f.is_json, err);

	if (r >= 0)
		r = cli_add_globals(call, &o->create, err);
	if (r < 0)
		return r;
	json_begin(&f.json, &call->out, 2);
	if (f.is_json) {
		json_object(&f.json);
		json_key(&f.json, "findings");
		json_array(&f.json);
	}
	r = check_run(&o->create, on_finding, &f, err);
	if (r < 0)
		return r;
	if (f.is_json) {
		json_array_end(&f.json);
		json_pair_bool(&f.json, "valid", f.count == 0);
		json_object_end(&f.json);
		buf_add(&call->out, "\n", 1);
	} else if (f.count == 0) {
		buf_add_str(&call->out, "valid, and this host can honour all of it\n");
	} else {
		buf_format(&call->out, "%d finding%s\n", f.count, f.count == 1 ? "" : "s");
	}
	call->status = f.count > 0;
	return 0;
}

const struct cli_command cli_create = {
	.name = "create",
	.operands = "ID",
	.help = "Create a container without executing its program yet",
	.options = create_rows,
	.options_size = sizeof(struct create_options),
	.min = 1,
	.max = 1,
	.has_id = true,
	.run = create,
};
const struct cli_command cli_run = {
	.name = "run",
	.operands = "ID",
	.help = "Create a container, start it and wait until its program exits",
	.options = run_rows,
	.options_size = sizeof(struct create_options),
	.min = 1,
	.max = 1,
	.has_id = true,
	.run = run,
	.report_of = report_of,
};
const struct cli_command cli_plan = {
	.name = "plan",
	.operands = "",
	.help = "Print the steps that create would carry out",
	.options = load_rows,
	.options_size = sizeof(struct load_options),
	.run = plan,
};
const struct cli_command cli_check = {
	.name = "check",
	.operands = "",
	.help = "Report whether a bundle is valid and this host can honour it",
	.options = load_rows,
	.options_size = sizeof(struct load_options),
	.run = check,
};
