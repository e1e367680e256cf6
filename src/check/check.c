/* SPDX-License-Identifier: Apache-2.0 */
/* The order of all checks, and those of facts that a start does not query. Runs in the draft. */

#include <signal.h>

#include <tare/check.h>
#include <tare/parent.h>
#include <tare/probe.h>
#include <tare/resctrl.h>
#include <tare/state.h>

#include "private.h"

/* --- facts that a start does not query --- */

/* The plan does not depend on security modules: a start does not probe them, it only writes the labels. */
static void check_labels(struct check *check)
{
	const struct spec *spec = check->spec;
	const char *profile = spec->process.apparmor_profile;
	bool has_profile = !str_is_empty(profile) && !str_equal(profile, "unconfined");
	bool has_label = !str_is_empty(spec->process.selinux_label);
	bool has_mount_label = !str_is_empty(spec->mount_label);
	struct host_details details;
	struct err finding;

	if (!has_profile && !has_label && !has_mount_label)
		return;
	host_probe_details(&details);
	const struct {
		bool is_missing;
		const char *json_pointer, *module;
	} rows[] = {
		{has_profile && !details.has_apparmor, "/process/apparmorProfile", "AppArmor"},
		{has_label && !details.has_selinux, "/process/selinuxLabel", "SELinux"},
		{has_mount_label && !details.has_selinux, "/linux/mountLabel", "SELinux"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!rows[i].is_missing)
			continue;
		finding = (struct err){0};
		err_set(&finding, ERR_UNSUPPORTED, 0, rows[i].json_pointer, "%s is not enabled on this host",
			rows[i].module);
		check_report(check, &finding);
	}
}

static void check_resctrl(struct check *check)
{
	_cleanup_fd_ int root_fd = -1;
	struct err finding = {0};

	if (!check->spec->intel_rdt.is_set)
		return;
	root_fd = resctrl_open(&finding);
	if (root_fd >= 0)
		return;
	err_pointer(&finding, "/linux/intelRdt");
	check_report(check, &finding);
}

/* A start records start times of processes, for which it needs the procfs of its pid namespace. */
static void check_procfs(struct check *check)
{
	struct state_record record = {0};
	struct err finding = {0};

	if (state_set_creator(&record, &finding) < 0)
		check_report(check, &finding);
}

static void on_unknown_name(void *context, const char *json_pointer, const char *name)
{
	struct check *check = context;
	bool is_refused = check->spec->seccomp.refuses_unknown_names;
	struct err finding = {.kind = ERR_NONE};

	err_set(&finding, is_refused ? ERR_CONFIG : ERR_NONE, 0, json_pointer,
		"libseccomp does not know '%s'%s", name, is_refused ? "" : ", so the filter omits it");
	check_report(check, &finding);
}

static void check_filter(struct check *check, struct draft *draft, struct seccomp_program *program,
			 struct plan_filter_program *filter)
{
	struct err finding = {0};

	if (!check->spec->seccomp.is_set)
		return;
	if (seccomp_unknown_names(&check->spec->seccomp, on_unknown_name, check) > 0 &&
	    check->spec->seccomp.refuses_unknown_names)
		return;
	if (filter_load(&check->spec->seccomp, -1, program, filter, &finding) >= 0)
		draft->request.filter = filter;
	else
		check_report(check, &finding);
	finding = (struct err){0};
	if (seccomp_is_notify(&check->spec->seccomp) && probe_listener(&finding) < 0) {
		err_pointer(&finding, "/linux/seccomp");
		check_report(check, &finding);
	}
}

static void on_refused(void *context, const char *capability, const char *why)
{
	struct err note = {.kind = ERR_NONE};

	err_set(&note, ERR_NONE, 0, "/process/capabilities", "%s %s", capability, why);
	check_report(context, &note);
}

static void report_notes(struct check *check)
{
	const struct plan_note *notes = plan_rows(check->plan, check->plan->notes);

	for (uint32_t i = 0; i < check->plan->notes.count; i++) {
		struct err note = {.kind = ERR_NONE};

		err_set(&note, ERR_NONE, 0, plan_get(check->plan, notes[i].json_pointer), "%s",
			plan_get(check->plan, notes[i].text));
		check_report(check, &note);
	}
}

/* runtime-spec allows create without process.args, but start and run then fail. */
static void check_args(struct check *check)
{
	struct err finding = {0};

	if (check->spec->process.args.count > 0)
		return;
	if (check->spec->has_process)
		err_set(&finding, ERR_CONFIG, 0, "/process/args", "is missing");
	else
		err_set(&finding, ERR_CONFIG, 0, "/process", "is missing");
	check_report(check, &finding);
}

/* --- the command --- */

/*
 * Loads the request as for a start. is_changing makes draft_load_request choose a name for the session
 * keyring, which the trial of a start joins. notify_dir is unset, because only a start makes that directory.
 */
static int prepare_request(struct draft *draft, struct err *err)
{
	int r;

	draft->is_changing = true;
	r = draft_load_request(draft, err);
	draft->is_changing = false;
	draft->request.notify_dir = NULL;
	return r;
}

int check_run(const struct create_options *options,
	      void (*on_finding)(void *context, const struct err *finding), void *context, struct err *err)
{
	_cleanup_check_ struct check check = {.on_finding = on_finding, .context = context};
	_cleanup_draft_ struct draft draft;
	_cleanup_seccomp_ struct seccomp_program program = {0};
	_cleanup_buf_ struct buf text = {0};
	struct plan_filter_program filter;
	int r;

	draft_init(&draft, options);
	r = prepare_request(&draft, err);
	if (r >= 0)
		r = draft_load_text(&draft, &text, err);
	if (r < 0)
		return r;
	if (spec_parse_all(text.data == NULL ? "" : text.data, text.len, check_report, &check, &draft.spec) > 0)
		return check.count;
	r = host_probe(&draft.host, err);
	if (r < 0)
		return r;
	draft_load_namespaces(&draft);
	check.host = &draft.host;
	check.first_fd = draft.first_fd;
	check.spec = draft.spec;
	check_filter(&check, &draft, &program, &filter);
	(void)plan_check(draft.spec, &draft.host, &draft.request, check_report, &check);
	check.is_planned = check.count == 0;
	check_args(&check);
	check_procfs(&check);
	check_labels(&check);
	check_resctrl(&check);
	draft.plan = plan_sketch(draft.spec, &draft.host, &draft.request);
	check.plan = draft.plan;
	parent_load_refused(check.plan, &check.spec->process.capabilities, on_refused, &check);
	report_notes(&check);
	check_cgroup(&check);
	check_host(&check);
	check_rootfs(&check);
	check_process(&check);
	check_start(&check);
	return check.count;
}
