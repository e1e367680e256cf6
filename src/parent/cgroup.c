/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent's steps that concern the container's cgroup, and the errors that its limits cause. Process: the
 * parent, as in parent.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "scope.h"
#include "steps.h"

bool parent_is_delegated(const struct parent *parent)
{
	return !parent->host.is_privileged || parent->host.is_in_user_ns;
}

static int step_create(struct parent *parent, const struct plan_step *step, struct err *err)
{
	const struct plan_step *enable = plan_find(parent->plan, PLAN_CGROUP_ENABLE);
	const char *path = plan_get(parent->plan, step->u.text);
	_cleanup_free_ char *identity = state_identity(&parent->record);
	struct cgroup_place place = {.path = path};
	int r;

	parent->mount_fd = cgroup_open_mount(parent->host.cgroup_mount, err);
	if (parent->mount_fd < 0)
		return parent->mount_fd;
	parent->has_cgroup = true;
	parent->cgroup_fd = cgroup_create(parent->mount_fd, path, &parent->record.cgroup_created, err);
	if (parent->cgroup_fd < 0)
		return parent->cgroup_fd;
	place.mount_fd = parent->mount_fd;
	place.fd = parent->cgroup_fd;
	r = parent_is_delegated(parent) ? cgroup_check_entry(&place, parent->host.cgroup_own, err) : 0;
	if (r < 0)
		return r;
	r = cgroup_claim(&place, identity, parent->record.cgroup_created, err);
	if (r >= 0 && parent->record.cgroup_created == 0 && str_is_empty(parent->record.unit))
		r = cgroup_save_state(parent->cgroup_fd, err);
	if (r < 0)
		return r;
	r = cgroup_inode(parent->cgroup_fd, &parent->record.cgroup_inode);
	if (r < 0)
		return err_system(err, r, "cannot inspect cgroup '%s'", path);
	/* A cgroup that existed before may have counted OOM kills. */
	parent->oom_kills = parent->record.cgroup_created > 0
				    ? 0
				    : cgroup_event_count(parent->cgroup_fd, "memory.events", "oom_kill");
	return cgroup_make_threaded(&place, parent->plan,
				    enable == NULL ? (struct plan_texts){0} : enable->u.controllers, err);
}

/*
 * Enables controllers. EBUSY usually means that the caller is itself in the cgroup that is delegated to it,
 * which has processes then and cannot enable controllers for its children (cgroups(7), "no internal
 * processes"): the hint says how to move the caller.
 */
static int step_enable(const struct parent *parent, const struct cgroup_place *place,
		       const struct plan_step *step, struct err *err)
{
	const char *own = parent->host.cgroup_own;
	size_t len = strlen(own);
	int r = cgroup_enable(place, parent->plan, step->u.controllers, err);

	if (r == -EBUSY && len > 1 && str_has_prefix(place->path, own) && place->path[len] == '/')
		err_hint(err,
			 "the caller itself is in cgroup '%s': mkdir %s%s/caller, and write the pids of its "
			 "processes to cgroup.procs there",
			 own, parent->host.cgroup_mount, own);
	return r;
}

#define IN_USE "container's cgroup is not empty: another container was created in it at the same time"

int parent_cgroup_check_owner(const struct parent *parent, struct err *err)
{
	_cleanup_free_ char *identity = state_identity(&parent->record);
	int owner = parent->cgroup_fd < 0 ? CGROUP_OWNER_MATCHES
					  : cgroup_owner_compare(parent->cgroup_fd, identity, NULL);

	if (owner == CGROUP_OWNER_MATCHES)
		return 0;
	if (owner < 0)
		return err_system(err, owner, "cannot read the owner attribute of the container's cgroup");
	return err_set(err, ERR_STATE, EBUSY, NULL, IN_USE);
}

int parent_cgroup_step(struct parent *parent, const struct plan_step *step, struct err *err)
{
	const struct plan *plan = parent->plan;
	const struct cgroup_place place = {parent->mount_fd, parent->cgroup_fd, parent->record.cgroup_path};

	switch ((enum plan_kind)step->kind) {
	case PLAN_CGROUP_CREATE:
		return step_create(parent, step, err);
	case PLAN_UNIT_START:
	case PLAN_RELEASE_PLACEHOLDER:
	case PLAN_UNIT_SET:
	case PLAN_UNIT_WATCH:
		return scope_step(parent, step, err);
	case PLAN_RESCTRL:
		return parent_resctrl_step(parent, step, err);
	case PLAN_CGROUP_ENABLE:
		return step_enable(parent, &place, step, err);
	case PLAN_CGROUP_OWNER:
		return cgroup_chown(place.fd, (uid_t)step->u.number, err);
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

uint64_t parent_count_oom_kills(const struct parent *parent, uint64_t seen)
{
	uint64_t count =
		parent->cgroup_fd < 0 ? 0 : cgroup_event_count(parent->cgroup_fd, "memory.events", "oom_kill");

	count = count > seen ? count : seen;
	return count > parent->oom_kills ? count - parent->oom_kills : 0;
}

static bool has_event(const struct parent *parent, const char *file, const char *key)
{
	return cgroup_event_count(parent->cgroup_fd, file, key) > 0;
}

static bool has_memory_limit(const struct plan *plan)
{
	const struct plan_step *steps = plan_steps(plan);

	for (uint32_t i = 0; i < plan->step_count; i++)
		if (steps[i].kind == PLAN_CGROUP_WRITE &&
		    str_equal(plan_get(plan, steps[i].u.write.file), "memory.max"))
			return true;
	return false;
}

/*
 * Whether the cgroup was removed: another creator takes an empty cgroup for one that an earlier container left,
 * and removes and creates it again.
 */
static bool is_removed(const struct parent *parent)
{
	return k_faccessat2(parent->cgroup_fd, "cgroup.procs", 0 /* F_OK */, AT_SYMLINK_NOFOLLOW) < 0;
}

static void explain_processes(const struct parent *parent, struct err *err)
{
	char path[120];
	uint64_t max;

	if (cgroup_find_full(parent->cgroup_fd, &max, path, sizeof path))
		err_hint(err, "pids.max of cgroup '%s' is %llu: starting a process needs up to two more", path,
			 (unsigned long long)max);
}

/* The counters of an exec's cgroup include events from before the exec, so its hints are questions. */
void parent_explain_limits(const struct parent *parent, struct err *err)
{
	bool is_exec = parent->exec != NULL;
	bool is_init_death = err->kind == ERR_PEER || (err->kind == ERR_STATE && err->hint[0] == '\0');

	if (parent->cgroup_fd < 0)
		return;
	if (!is_exec && (err->errnum == ENOENT || err->errnum == ENODEV) && is_removed(parent)) {
		err_set(err, ERR_STATE, EBUSY, NULL, IN_USE);
		return;
	}
	/* An error of execve(2) has its own hint. */
	if (err->errnum == EAGAIN && err->hint[0] == '\0')
		explain_processes(parent, err);
	else if (err->errnum == E2BIG && err->hint[0] == '\0' && has_memory_limit(parent->plan))
		/* execve(2) also returns E2BIG if the arguments' pages cannot be charged to the cgroup. */
		err_hint(err, "memory limit too low?");
	else if (err->errnum == ENOMEM &&
		 (has_memory_limit(parent->plan) || has_event(parent, "memory.events", "oom")))
		err_hint(err, "memory limit too low?");
	else if (is_init_death && is_exec && has_event(parent, "memory.events", "oom_kill"))
		err_hint(err, "memory limit too low?");
	else if (err->kind == ERR_PEER && !is_exec && parent_count_oom_kills(parent, 0) > 0)
		err_set(err, ERR_PEER, 0, "/linux/resources",
			"container init was OOM-killed (memory limit too low?)");
}
