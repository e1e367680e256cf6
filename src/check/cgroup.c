/* SPDX-License-Identifier: Apache-2.0 */
/* Checks whether the container's cgroup, or its unit of systemd, could be made. Runs in the parent. */
#include <tare/parent.h>
#include <tare/systemd.h>

#include "private.h"

static void report_at(struct check *check, struct err *finding, const char *json_pointer)
{
	err_pointer(finding, json_pointer);
	check_report(check, finding);
}

static void check_create(struct check *check, const struct plan_step *step)
{
	const struct plan_step *enable = plan_find(check->plan, PLAN_CGROUP_ENABLE);
	const struct host *host = &check->parent->host;
	const char *path = plan_get(check->plan, step->u.text);
	struct err finding = {0};
	_cleanup_fd_ int mount_fd = cgroup_open_mount(host->cgroup_mount, &finding);
	int r = mount_fd;

	if (r >= 0)
		r = cgroup_check_create(mount_fd, path,
					parent_is_delegated(check->parent) ? host->cgroup_own : NULL, &finding);
	if (r < 0) {
		report_at(check, &finding, plan_get(check->plan, step->json_pointer));
		return;
	}
	/* check_controllers has already reported controllers that the host does not have. */
	if (enable == NULL || check_has_finding_at(check, "/linux/resources"))
		return;
	if (cgroup_check_enable(mount_fd, path, check->plan, enable->u.controllers, &finding) < 0)
		report_at(check, &finding, "/linux/resources");
}

void check_cgroup(struct check *check)
{
	const struct plan_step *create = plan_find(check->plan, PLAN_CGROUP_CREATE);
	const struct plan_step *unit = plan_find(check->plan, PLAN_UNIT_START);
	const struct plan_step *devices = plan_find(check->plan, PLAN_CGROUP_DEVICES);
	struct err finding = {0};

	if (create != NULL)
		check_create(check, create);
	if (unit != NULL && unit_ask(check->plan, &unit->u.unit, &finding) < 0)
		report_at(check, &finding, plan_get(check->plan, unit->json_pointer));
	finding = (struct err){0};
	if (devices != NULL && cgroup_devices_check(plan_rows(check->plan, devices->u.devices),
						    devices->u.devices.count, &finding) < 0)
		report_at(check, &finding, plan_get(check->plan, devices->json_pointer));
}
