/* SPDX-License-Identifier: Apache-2.0 */
/* The parent's steps that concern the container's cgroup. Process: the parent, as in child.c. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "steps.h"

bool parent_is_delegated(const struct host *host)
{
	return !host->is_privileged || host->is_in_user_ns;
}

/* Claims the cgroup for this container and keeps what it needs of its earlier state. */
static int claim(struct creation *creation, const struct cgroup_place *place, struct err *err)
{
	struct state_record *record = &creation->record;
	_cleanup_free_ char *identity = state_identity(record);
	int r = cgroup_claim(place, identity, record->cgroup_created, err);

	if (r >= 0 && record->cgroup_created == 0 && str_is_empty(record->unit))
		r = cgroup_save_state(place->fd, err);
	if (r < 0)
		return r;
	r = cgroup_inode(place->fd, &record->cgroup_inode);
	if (r < 0)
		return err_system(err, r, "cannot inspect cgroup '%s'", place->path);
	if (record->cgroup_created > 0)
		return 0;
	/* A cgroup that existed before may have counted events. */
	creation->child.oom_kills = cgroup_event_count(place->fd, "memory.events", "oom_kill");
	creation->child.memory_hits = cgroup_event_count(place->fd, "memory.events", "max");
	return 0;
}

int parent_create_cgroup_create(struct creation *creation, const struct plan_step *step, struct err *err)
{
	const struct host *host = &creation->draft.host;
	const struct plan *plan = creation->draft.plan;
	const struct plan_step *enable = plan_find(plan, PLAN_CGROUP_ENABLE);
	struct cgroup_place place = {.path = plan_get(plan, step->u.text)};
	int r;

	place.mount_fd = creation->mount_fd;
	creation->has_cgroup = true;
	place.fd = creation->child.cgroup_fd =
		cgroup_create(place.mount_fd, place.path, &creation->record.cgroup_created, err);
	if (place.fd < 0)
		return place.fd;
	r = parent_is_delegated(host) ? cgroup_check_entry(&place, host->cgroup_own, err) : 0;
	if (r >= 0)
		r = claim(creation, &place, err);
	if (r < 0)
		return r;
	return cgroup_make_threaded(&place, plan,
				    enable == NULL ? (struct plan_texts){0} : enable->u.controllers, err);
}

/*
 * Enables controllers. EBUSY usually means that the caller is itself in the cgroup that is delegated to it,
 * which has processes then and cannot enable controllers for its children (cgroups(7), "no internal
 * processes"): the hint says how to move the caller.
 */
int parent_create_cgroup_enable(struct creation *creation, const struct plan_step *step, struct err *err)
{
	const struct cgroup_place place = {creation->mount_fd, creation->child.cgroup_fd,
					   creation->record.cgroup_path};
	const struct host *host = &creation->draft.host;
	const char *own = host->cgroup_own;
	size_t len = strlen(own);
	int r = cgroup_enable(&place, creation->draft.plan, step->u.controllers, err);

	if (r == -EBUSY && len > 1 && str_has_prefix(place.path, own) && place.path[len] == '/')
		err_hint(err,
			 "the caller itself is in cgroup '%s': mkdir %s%s/caller, and write the pids of its "
			 "processes to cgroup.procs there",
			 own, host->cgroup_mount, own);
	return r;
}

int parent_step_cgroup_owner(struct child *child, const struct plan_step *step, struct err *err)
{
	return cgroup_chown(child->cgroup_fd, (uid_t)step->u.number, err);
}

int parent_step_cgroup_delegate(struct child *child, const struct plan_step *step, struct err *err)
{
	const char *name = plan_get(child->plan, step->u.delegate.name);
	_cleanup_fd_ int fd = -1;
	char pid[16];
	int len, r = k_mkdirat(child->cgroup_fd, name, 0755);

	if (r >= 0)
		r = fd = k_openat(child->cgroup_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (r < 0)
		return err_system(err, r, "cannot make cgroup '%s' in the container's cgroup", name);
	if (step->u.delegate.has_owner)
		r = cgroup_chown(fd, step->u.delegate.uid, err);
	if (r < 0)
		return r;
	len = str_format(pid, sizeof pid, "%lld", (long long)child->pid);
	r = io_write_file(fd, "cgroup.procs", pid, (size_t)len);
	return r < 0 ? err_system(err, r, "cannot move init to cgroup '%s'", name) : 0;
}

int parent_step_cgroup_devices(struct child *child, const struct plan_step *step, struct err *err)
{
	return cgroup_devices_set(child->cgroup_fd, plan_rows(child->plan, step->u.devices),
				  step->u.devices.count, err);
}

int parent_step_cgroup_usage(struct child *child, const struct plan_step *step, struct err *err)
{
	return cgroup_check_usage(child->cgroup_fd, child->plan, &step->u.usage, err);
}

int parent_step_cgroup_write(struct child *child, const struct plan_step *step, struct err *err)
{
	return cgroup_write(child->cgroup_fd, child->plan, &step->u.write, err);
}

int parent_cgroup_check_owner(int cgroup_fd, const struct state_record *record, struct err *err)
{
	_cleanup_free_ char *identity = state_identity(record);
	int owner = cgroup_fd < 0 ? CGROUP_OWNER_MATCHES : cgroup_owner_compare(cgroup_fd, identity, NULL);

	if (owner == CGROUP_OWNER_MATCHES)
		return 0;
	if (owner < 0)
		return err_system(err, owner, "cannot read the owner attribute of the container's cgroup");
	return err_set(err, ERR_STATE, EBUSY, NULL, PARENT_CGROUP_IN_USE);
}
