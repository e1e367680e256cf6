/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's class of service (CLOS) and monitoring group in resctrl: the step PLAN_RESCTRL. Process: the
 * parent, as in parent.c.
 */
#include <errno.h>

#include <tare/resctrl.h>

#include "steps.h"

static struct resctrl_place place_of(const struct plan *plan, const struct plan_resctrl *resctrl)
{
	return (struct resctrl_place){
		.clos = plan_get(plan, resctrl->clos),
		.monitor = plan_get(plan, resctrl->monitor),
		.schemata = plan_get(plan, resctrl->schemata),
		.is_own = resctrl->is_own,
	};
}

void parent_resctrl_fill_record(struct parent *parent)
{
	const struct plan_step *step = plan_find(parent->plan, PLAN_RESCTRL);
	struct resctrl_place place = {.clos = ""};

	if (step != NULL)
		place = place_of(parent->plan, &step->u.resctrl);
	parent->record.resctrl_clos = mem_dup(place.clos);
	parent->record.resctrl_monitor = mem_dup(place.monitor == NULL ? "" : place.monitor);
	parent->record.is_resctrl_own = place.is_own;
}

int parent_resctrl_step(struct parent *parent, const struct plan_step *step, struct err *err)
{
	const struct resctrl_place place = place_of(parent->plan, &step->u.resctrl);
	_cleanup_fd_ int root_fd = resctrl_open(err);
	struct resctrl_made made = {false, false};
	int r = 0;

	if (root_fd < 0)
		return root_fd;
	if (!step->u.resctrl.is_made)
		r = resctrl_make(root_fd, &place, &made, err);
	parent->has_clos = made.has_clos;
	parent->has_monitor = made.has_monitor;
	return r < 0 ? r : resctrl_assign(root_fd, &place, parent->pid, err);
}

/* A class that closID names stays once the container is created, even if this process made it. */
void parent_resctrl_commit(struct parent *parent)
{
	parent->has_clos &= parent->record.is_resctrl_own;
}

int parent_resctrl_undo(struct parent *parent, struct err *err)
{
	const struct plan_step *step = plan_find(parent->plan, PLAN_RESCTRL);
	const struct resctrl_made made = {parent->has_clos, parent->has_monitor};
	_cleanup_fd_ int root_fd = -1;
	struct resctrl_place place;

	if (!made.has_clos && !made.has_monitor)
		return 0;
	place = place_of(parent->plan, &step->u.resctrl);
	root_fd = resctrl_open(err);
	if (root_fd == -ENODEV) /* resctrl was unmounted, which removes all groups */
		return 0;
	return root_fd < 0 ? root_fd : resctrl_remove(root_fd, &place, &made, err);
}
