/* SPDX-License-Identifier: Apache-2.0 */
/* check: every finding about a configuration on this host, and what nobody asks on the way to a start. */
#include <tare/resctrl.h>

#include "check.h"
#include "parent.h"

/* What the plan cannot know: the security modules are not asked on the way to a start. */
static int check_labels(const struct spec *spec, void (*on_finding)(void *context, const struct err *finding),
			void *context)
{
	const char *profile = spec->process.apparmor_profile;
	bool has_profile = !str_is_empty(profile) && !str_equal(profile, "unconfined");
	bool has_label = !str_is_empty(spec->process.selinux_label), has_mount_label;
	struct host_details details;
	struct err finding;
	int count = 0;

	has_mount_label = !str_is_empty(spec->mount_label);
	if (!has_profile && !has_label && !has_mount_label)
		return 0;
	host_probe_details(&details);
	const struct {
		bool is_missing;
		const char *where, *module;
	} rows[] = {
		{has_profile && !details.has_apparmor, "/process/apparmorProfile", "AppArmor"},
		{has_label && !details.has_selinux, "/process/selinuxLabel", "SELinux"},
		{has_mount_label && !details.has_selinux, "/linux/mountLabel", "SELinux"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!rows[i].is_missing)
			continue;
		finding = (struct err){0};
		err_set(&finding, ERR_UNSUPPORTED, 0, rows[i].where, "%s is not enabled on this host",
			rows[i].module);
		on_finding(context, &finding);
		count++;
	}
	return count;
}

/* Nor does it ask for the controllers, which it may have to enable first. */
static int check_controllers(const struct plan *plan,
			     void (*on_finding)(void *context, const struct err *finding), void *context)
{
	const struct plan_step *step = plan_find(plan, PLAN_CGROUP_ENABLE);
	struct host_details details;
	struct err finding;
	int count = 0;

	if (step == NULL)
		return 0;
	host_probe_details(&details);
	for (uint32_t i = 0; i < step->u.controllers.count; i++) {
		const char *name = plan_item(plan, step->u.controllers, i);

		if (str_has_word(details.cgroup_controllers, name))
			continue;
		finding = (struct err){0};
		err_set(&finding, ERR_UNSUPPORTED, 0, "/linux/resources",
			"cgroup v2 has no controller '%s' on this host", name);
		on_finding(context, &finding);
		count++;
	}
	return count;
}

static int check_resctrl(const struct spec *spec, void (*on_finding)(void *context, const struct err *finding),
			 void *context)
{
	_cleanup_fd_ int root_fd = -1;
	struct err finding = {0};

	if (!spec->intel_rdt.is_set)
		return 0;
	root_fd = resctrl_open(&finding);
	if (root_fd >= 0)
		return 0;
	err_where(&finding, "/linux/intelRdt");
	on_finding(context, &finding);
	return 1;
}

struct notes {
	void (*on_finding)(void *context, const struct err *finding);
	void *context;
};

static void on_unknown_name(void *context, const char *where, const char *name)
{
	const struct notes *notes = context;
	struct err note = {.kind = ERR_NONE};

	err_set(&note, ERR_NONE, 0, where, "libseccomp does not know '%s', which the filter is made without",
		name);
	notes->on_finding(notes->context, &note);
}

int run_check(const struct run_options *options, void (*on_finding)(void *context, const struct err *finding),
	      void *context, struct err *err)
{
	_cleanup_parent_ struct parent parent;
	_cleanup_seccomp_ struct seccomp_program program = {0};
	_cleanup_buf_ struct buf text = {0};
	struct plan_filter_program filter;
	struct check check;
	struct err finding;
	int r, findings;

	parent_init(&parent, options);
	r = parent_load_request(&parent, err);
	if (r >= 0)
		r = parent_load_text(&parent, &text, err);
	if (r < 0)
		return r;
	findings =
		spec_parse_all(text.data == NULL ? "" : text.data, text.len, on_finding, context, &parent.spec);
	if (findings > 0)
		return findings;
	r = host_probe(&parent.host, err);
	if (r < 0)
		return r;
	parent_load_namespaces(&parent);
	if (parent.spec->seccomp.is_set) {
		struct notes notes = {on_finding, context};

		(void)seccomp_unknown_names(&parent.spec->seccomp, on_unknown_name, &notes);
		parent.request.filter = &filter;
		if (filter_load(&parent.spec->seccomp, -1, &program, &filter, &finding) < 0) {
			parent.request.filter = NULL;
			findings++;
			on_finding(context, &finding);
		}
	}
	findings += plan_check(parent.spec, &parent.host, &parent.request, on_finding, context);
	findings += check_labels(parent.spec, on_finding, context);
	findings += check_resctrl(parent.spec, on_finding, context);
	parent.plan = plan_sketch(parent.spec, &parent.host, &parent.request);
	findings += check_controllers(parent.plan, on_finding, context);
	check = (struct check){.spec = parent.spec, .plan = parent.plan, on_finding, context};
	check_host(&check);
	check_rootfs(&check);
	check_trial(&check);
	return findings + check.count;
}
