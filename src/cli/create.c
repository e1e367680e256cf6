/* SPDX-License-Identifier: Apache-2.0 */
/* The commands create, run, plan and check, which read a bundle. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <tare/check.h>
#include <tare/host.h>
#include <tare/plan.h>
#include <tare/spec.h>

#include "cli.h"

#define OPTION(field) offsetof(struct cli_create_options, field)
#define BUNDLE_OPTIONS                                                                                         \
	{"bundle",       'b',   OPTION_TEXT,                                                                   \
	 OPTION(bundle), "DIR", "directory of the bundle (default: the working directory)"},                   \
		{"config",       'f',    OPTION_TEXT,                                                          \
		 OPTION(config), "FILE", "a config.json outside the bundle; - is standard input"},             \
		{"no-pivot",          0,    OPTION_FLAG,                                                       \
		 OPTION(is_no_pivot), NULL, "move the root to / instead of pivot_root(2)"},                    \
		{"no-new-keyring",          0,    OPTION_FLAG,                                                 \
		 OPTION(is_no_new_keyring), NULL, "keep the caller's session keyring"},                        \
	{                                                                                                      \
		"preserve-fds", 0, OPTION_NUMBER, OPTION(preserve_fds), "N",                                   \
			"pass file descriptors 3 to 2+N to the program"                                        \
	}
#define CREATE_OPTIONS                                                                                         \
	BUNDLE_OPTIONS, {"console-socket",       0,        OPTION_TEXT,                                        \
			 OPTION(console_socket), "SOCKET", "send the terminal's master to SOCKET"},            \
		{"pidfd-socket", 0, OPTION_TEXT, OPTION(pidfd_socket), "SOCKET", "send a pidfd to SOCKET"},    \
		{"pid-file", 0, OPTION_TEXT, OPTION(pid_file), "FILE", "write the pid to FILE"},               \
	{                                                                                                      \
		"no-subreaper", 0, OPTION_FLAG, OPTION(is_no_subreaper), NULL,                                 \
			"do not become a child subreaper"                                                      \
	}

static const struct option_row create_options[] = {CREATE_OPTIONS, {NULL, 0, OPTION_FLAG, 0, NULL, NULL}};
static const struct option_row run_option_rows[] = {
	CREATE_OPTIONS,
	{"detach", 'd', OPTION_FLAG, OPTION(is_detached), NULL, "return as soon as the program runs"},
	{"keep", 0, OPTION_FLAG, OPTION(is_keep), NULL, "do not delete the container after its program exits"},
	{NULL, 0, OPTION_FLAG, 0, NULL, NULL},
};
static const struct option_row plan_options[] = {
	BUNDLE_OPTIONS,
	{"format", 0, OPTION_TEXT, OPTION(format), "FORMAT", "text (default) or json"},
	{NULL, 0, OPTION_FLAG, 0, NULL, NULL},
};

int cli_run_options(const struct cli_call *call, const struct cli_create_options *o, struct create_options *ret,
		    struct err *err)
{
	const char *manager = call->globals.cgroup_manager;

	if (call->globals.is_systemd_cgroup && manager != NULL && !str_equal(manager, "systemd"))
		return err_set(err, ERR_USAGE, 0, NULL,
			       "--systemd-cgroup and --cgroup-manager=%s contradict each other", manager);
	*ret = (struct create_options){
		.id = call->id,
		.bundle = o->bundle,
		.config = o->config,
		.state_root = call->globals.root,
		.pid_file = o->pid_file,
		.console_socket = o->console_socket,
		.pidfd_socket = o->pidfd_socket,
		.preserve_fds = o->preserve_fds,
		.is_no_pivot = o->is_no_pivot,
		.is_no_new_keyring = o->is_no_new_keyring,
		.is_no_subreaper = o->is_no_subreaper,
		.is_detached = o->is_detached,
		.is_keep = o->is_keep,
		.is_systemd_cgroup = call->globals.is_systemd_cgroup || str_equal(manager, "systemd"),
		.is_cgroup_disabled = str_equal(manager, "disabled"),
	};
	return 0;
}

static int create(struct cli_call *call, const void *options, struct err *err)
{
	struct create_options o;
	int r = cli_run_options(call, options, &o, err);

	return r < 0 ? r : command_create(&o, err);
}

static int run(struct cli_call *call, const void *options, struct err *err)
{
	struct create_options o;
	int r = cli_run_options(call, options, &o, err);

	if (r >= 0)
		r = command_run(&o, &call->status, err);
	/* If command_run fails after the program has exited, the exit status is still that of the program. */
	call->failure_status = call->status;
	return r;
}

static int plan(struct cli_call *call, const void *options, struct err *err)
{
	const struct cli_create_options *o = options;
	_cleanup_free_ struct plan *built = NULL;
	_cleanup_spec_ struct spec *spec = NULL;
	struct create_options create;
	struct host host;
	bool is_json;
	int r = cli_is_json(o->format, &is_json, err);

	if (r >= 0)
		r = cli_run_options(call, o, &create, err);
	if (r >= 0)
		r = command_load(&create, &spec, &host, &built, err);
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

static const char *kind_name(int32_t kind)
{
	static const char *const names[] = {"note",        "usage",  "config", "state",
					    "unsupported", "system", "peer"};

	return kind >= 0 && (size_t)kind < ARRAY_SIZE(names) ? names[kind] : "unknown";
}

static void on_finding(void *context, const struct err *finding)
{
	struct findings *f = context;

	f->count += finding->kind != ERR_NONE;
	if (f->is_json) {
		json_object(&f->json);
		json_pair(&f->json, "kind", kind_name(finding->kind));
		json_pair(&f->json, "where", finding->json_pointer);
		json_pair(&f->json, "message", finding->msg);
		json_pair(&f->json, "hint", finding->hint);
		json_pair_int(&f->json, "errno", finding->errnum);
		json_object_end(&f->json);
		return;
	}
	buf_format(f->out, "%s%s%s: %s%s%s", f->is_coloured ? "\033[31m" : "", kind_name(finding->kind),
		   f->is_coloured ? "\033[0m" : "", finding->json_pointer,
		   finding->json_pointer[0] == '\0' ? "" : ": ", finding->msg);
	if (finding->errnum != 0)
		cli_add_errno(f->out, finding->errnum);
	buf_format(f->out, "%s%s%s\n", finding->hint[0] == '\0' ? "" : " (", finding->hint,
		   finding->hint[0] == '\0' ? "" : ")");
}

static int check(struct cli_call *call, const void *options, struct err *err)
{
	const struct cli_create_options *o = options;
	struct findings f = {.out = &call->out, .is_coloured = isatty(1) && getenv("NO_COLOR") == NULL};
	struct create_options create;
	int r = cli_is_json(o->format, &f.is_json, err);

	if (r >= 0)
		r = cli_run_options(call, o, &create, err);
	if (r < 0)
		return r;
	json_begin(&f.json, &call->out, 2);
	if (f.is_json) {
		json_object(&f.json);
		json_key(&f.json, "findings");
		json_array(&f.json);
	}
	r = check_run(&create, on_finding, &f, err);
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

const struct cli_command cli_create = {"create",
				       "ID",
				       "Create a container without executing its program yet",
				       create_options,
				       sizeof(struct cli_create_options),
				       1,
				       1,
				       false,
				       true,
				       create};
const struct cli_command cli_run = {"run",
				    "ID",
				    "Create a container, start it and wait until its program exits",
				    run_option_rows,
				    sizeof(struct cli_create_options),
				    1,
				    1,
				    false,
				    true,
				    run};
const struct cli_command cli_plan = {"plan",
				     "",
				     "Print the steps that create would carry out",
				     plan_options,
				     sizeof(struct cli_create_options),
				     0,
				     0,
				     false,
				     false,
				     plan};
const struct cli_command cli_check = {"check",
				      "",
				      "Report whether a bundle is valid and this host can honour it",
				      plan_options,
				      sizeof(struct cli_create_options),
				      0,
				      0,
				      false,
				      false,
				      check};
