/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's class of service (CLOS) and monitoring group in resctrl: the step PLAN_RESCTRL. Process: the
 * parent, as in child.c.
 */
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

void parent_resctrl_fill_record(const struct plan *plan, struct state_record *record)
{
	const struct plan_step *step = plan_find(plan, PLAN_RESCTRL);
	struct resctrl_place place = {.clos = ""};

	if (step != NULL)
		place = place_of(plan, &step->u.resctrl);
	record->resctrl_clos = mem_dup(place.clos);
	record->resctrl_monitor = mem_dup(place.monitor == NULL ? "" : place.monitor);
	record->is_resctrl_own = place.is_own;
}

static int assign(const struct child *child, const struct plan_resctrl *resctrl, struct resctrl_made *ret_made,
		  struct err *err)
{
	const struct resctrl_place place = place_of(child->plan, resctrl);
	_cleanup_fd_ int root_fd = resctrl_open(err);
	int r = 0;

	if (root_fd < 0)
		return root_fd;
	if (!resctrl->is_made)
		r = resctrl_make(root_fd, &place, ret_made, err);
	return r < 0 ? r : resctrl_assign(root_fd, &place, child->pid, err);
}

int parent_create_resctrl(struct creation *creation, const struct plan_step *step, struct err *err)
{
	return assign(&creation->child, &step->u.resctrl, &creation->resctrl, err);
}

int parent_exec_resctrl(struct exec *exec, const struct plan_step *step, struct err *err)
{
	struct resctrl_made nothing = {false, false};

	return assign(&exec->child, &step->u.resctrl, &nothing, err);
}

int parent_resctrl_undo(const struct plan *plan, const struct resctrl_made *made, struct err *err)
{
	const struct plan_step *step = plan_find(plan, PLAN_RESCTRL);
	struct resctrl_place place;

	if (step == NULL)
		return 0;
	place = place_of(plan, &step->u.resctrl);
	return resctrl_clean(&place, made, err);
}
