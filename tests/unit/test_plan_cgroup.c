/* SPDX-License-Identifier: Apache-2.0 */
/* The path of the container's cgroup, and whether there is one, by caller and configuration. */
#include <string.h>

#include <tare/host.h>
#include <tare/plan.h>
#include <tare/spec.h>

#include "unit.h"

#define LIMITS "\"resources\": {\"pids\": {\"limit\": 5}}"

static const struct row {
	const char *linux_text; /* members of "linux" */
	bool is_root, is_in_user_ns, is_delegated;
	const char *path;         /* NULL: none is made */
	const char *json_pointer; /* of the step that makes it, or NULL */
} rows[] = {
	/* root */
	{"", true, false, false, "/a/id", NULL},
	{"\"cgroupsPath\": \"/x/y\"", true, false, false, "/x/y", "/linux/cgroupsPath"},
	{"\"cgroupsPath\": \"x/y\"", true, false, false, "/a/x/y", "/linux/cgroupsPath"},
	/* no delegated cgroup: only on request, which then fails at the step */
	{"", false, false, false, NULL, NULL},
	{"", true, true, false, NULL, NULL},
	{LIMITS, false, false, false, "/a/id", "/linux/resources"},
	{"\"cgroupsPath\": \"x\"", false, false, false, "/a/x", "/linux/cgroupsPath"},
	/* a delegated one */
	{"", false, false, true, "/a/id", NULL},
	{"", true, true, true, "/a/id", NULL},
	{LIMITS, false, false, true, "/a/id", NULL},
	{"\"cgroupsPath\": \"x\"", false, false, true, "/a/x", "/linux/cgroupsPath"},
	{"\"cgroupsPath\": \"/x\"", false, false, true, "/x", "/linux/cgroupsPath"},
};

static void check_row(const struct row *row, bool is_cgroup_disabled)
{
	struct host host = {.is_privileged = row->is_root,
			    .is_in_user_ns = row->is_in_user_ns,
			    .cgroup_mount = "/sys/fs/cgroup",
			    .cgroup_parent = "/a",
			    .is_cgroup_delegated = row->is_delegated,
			    .page_size = 4096};
	const struct plan_request request = {
		.id = "id", .bundle = "/bundle", .is_cgroup_disabled = is_cgroup_disabled};
	_cleanup_free_ char *text = mem_format("{\"ociVersion\": \"1.3.0\", \"root\": {\"path\": \"r\"}, "
					       "\"linux\": {\"namespaces\": [{\"type\": \"mount\"}]%s%s}}",
					       row->linux_text[0] == '\0' ? "" : ", ", row->linux_text);
	_cleanup_spec_ struct spec *spec = NULL;
	_cleanup_free_ struct plan *plan = NULL;
	const struct plan_step *step;
	struct err err = {0};

	CHECK_INT(spec_parse(text, strlen(text), &spec, &err), 0);
	/* Also of a configuration that cannot be carried out here. */
	plan = plan_sketch(spec, &host, &request);
	step = plan_find(plan, PLAN_CGROUP_CREATE);
	CHECK((step == NULL) == (row->path == NULL || is_cgroup_disabled));
	if (step == NULL)
		return;
	CHECK_STR(plan_get(plan, step->u.text), row->path);
	CHECK_STR(plan_get(plan, step->json_pointer), row->json_pointer);
}

int main(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		check_row(&rows[i], false);
		check_row(&rows[i], true);
	}
	UNIT_MAIN_END;
}
