/* SPDX-License-Identifier: Apache-2.0 */
/* Checks whether the container's cgroup, or its unit of systemd, could be made. Runs in the parent. */
#include <tare/check.h>
#include <tare/parent.h>
#include <tare/systemd.h>

#include "private.h"

static void report_at(struct check *check, struct err *finding, const char *json_pointer)
{
	err_pointer(finding, json_pointer);
	check_report(check, finding);
}

static bool check_create(struct check *check, int mount_fd, const struct plan_step *step)
{
	const struct host *host = check->host;
	struct err finding = {0};

	if (cgroup_check_create(mount_fd, plan_get(check->plan, step->u.text),
				parent_is_delegated(host) ? host->cgroup_own : NULL, &finding) >= 0)
		return true;
	report_at(check, &finding, plan_get(check->plan, step->json_pointer));
	return false;
}

/* create: the step that makes the cgroup; NULL if that fails, or if systemd makes it and enables controllers.
 */
static void check_controllers(struct check *check, int mount_fd, struct plan_texts controllers,
			      const struct plan_step *create)
{
	struct err finding = {0};
	bool is_known = true;

	for (uint32_t i = 0; i < controllers.count; i++) {
		if (cgroup_check_known(mount_fd, plan_item(check->plan, controllers, i), &finding) >= 0)
			continue;
		report_at(check, &finding, "/linux/resources");
		finding = (struct err){0};
		is_known = false;
	}
	if (is_known && create != NULL &&
	    cgroup_check_enable(mount_fd, plan_get(check->plan, create->u.text), check->plan, controllers,
				&finding) < 0)
		report_at(check, &finding, "/linux/resources");
}

static void check_hierarchy(struct check *check)
{
	const struct plan_step *create = plan_find(check->plan, PLAN_CGROUP_CREATE);
	const struct plan_step *enable = plan_find(check->plan, PLAN_CGROUP_ENABLE);
	struct err finding = {0};
	_cleanup_fd_ int mount_fd = -1;

	if (create == NULL && enable == NULL)
		return;
	mount_fd = cgroup_open_mount(check->host->cgroup_mount, &finding);
	if (mount_fd < 0) {
		report_at(check, &finding, "/linux/resources");
		return;
	}
	if (create != NULL && !check_create(check, mount_fd, create))
		create = NULL;
	if (enable != NULL)
		check_controllers(check, mount_fd, enable->u.controllers, create);
}

void check_cgroup(struct check *check)
{
	const struct plan_step *unit = plan_find(check->plan, PLAN_UNIT_START);
	const struct plan_step *devices = plan_find(check->plan, PLAN_CGROUP_DEVICES);
	struct err finding = {0};

	check_hierarchy(check);
	if (unit != NULL && unit_ask(check->plan, &unit->u.unit, &finding) < 0)
		report_at(check, &finding, plan_get(check->plan, unit->json_pointer));
	finding = (struct err){0};
	if (devices != NULL && cgroup_devices_check(plan_rows(check->plan, devices->u.devices),
						    devices->u.devices.count, &finding) < 0)
		report_at(check, &finding, plan_get(check->plan, devices->json_pointer));
}

/* A systemd of the system or of the user may have more controllers than a check without it would find. */
int check_limit(const struct host *host, const struct plan_request *request, const char *controller,
		struct err *err)
{
	_cleanup_free_ char *path = mem_format("%s/container", host->cgroup_parent);
	_cleanup_fd_ int mount_fd = -1;
	int r;

	if (request->is_cgroup_disabled || host->cgroup_mount[0] == '\0' || host->is_cgroup_readonly ||
	    (parent_is_delegated(host) && !host->is_cgroup_delegated && !request->is_systemd_cgroup))
		return err_set(err, ERR_UNSUPPORTED, 0, NULL, "the container has no cgroup");
	mount_fd = cgroup_open_mount(host->cgroup_mount, err);
	r = mount_fd < 0 ? mount_fd : cgroup_check_known(mount_fd, controller, err);
	return r < 0 || request->is_systemd_cgroup ? r
						   : cgroup_check_controller(mount_fd, path, controller, err);
}
