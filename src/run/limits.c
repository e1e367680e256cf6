/* SPDX-License-Identifier: Apache-2.0 */
/* The parent's steps that concern the container's cgroup. Process: the parent, as in parent.c. */
#include <errno.h>

#include "parent.h"

static int step_create(struct parent *parent, const struct plan_step *step, struct err *err)
{
	const char *path = plan_get(parent->plan, step->u.text);

	parent->mount_fd = cgroup_open_mount(parent->host.cgroup_mount, err);
	if (parent->mount_fd < 0)
		return parent->mount_fd;
	parent->cgroup_fd = cgroup_create(parent->mount_fd, path, &parent->record.cgroup_created, err);
	if (parent->cgroup_fd < 0)
		return parent->cgroup_fd;
	/* One that was there before may have seen some. */
	parent->oom_kills = parent->record.cgroup_created > 0 ? 0 : cgroup_oom_kills(parent->cgroup_fd);
	return 0;
}

int limits_step(struct parent *parent, const struct plan_step *step, struct err *err)
{
	const struct plan *plan = parent->plan;
	const struct cgroup_place place = {parent->mount_fd, parent->cgroup_fd, parent->record.cgroup_path};

	switch ((enum plan_kind)step->kind) {
	case PLAN_CGROUP_CREATE:
		return step_create(parent, step, err);
	case PLAN_CGROUP_ENABLE:
		return cgroup_enable(&place, plan, step->u.controllers, err);
	case PLAN_CGROUP_OWNER:
		return cgroup_set_owner(place.fd, (uid_t)step->u.number, err);
	case PLAN_CGROUP_DEVICES:
		return cgroup_devices_set(place.fd, plan_rows(plan, step->u.devices), step->u.devices.count,
					  err);
	case PLAN_CGROUP_USAGE:
		return cgroup_check_usage(place.fd, plan, &step->u.usage, err);
	case PLAN_CGROUP_WRITE:
		return cgroup_write(place.fd, plan, &step->u.write, err);
	default:
		return err_set(err, ERR_PEER, EPROTO, NULL, "the parent has no step %u", step->kind);
	}
}

bool limits_was_oom_killed(const struct parent *parent)
{
	return parent->cgroup_fd >= 0 && cgroup_oom_kills(parent->cgroup_fd) > parent->oom_kills;
}
