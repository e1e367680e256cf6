/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removes the container's class of service and monitoring group in resctrl. Process: a command that deletes, or
 * the parent that undoes.
 */
#include <errno.h>

#include <tare/container.h>
#include <tare/resctrl.h>

/* A class that closID names stays: another container may use it. */
int container_remove_resctrl(const struct state_record *record, struct err *err)
{
	const struct resctrl_place place = {.clos = record->resctrl_clos, .monitor = record->resctrl_monitor};
	const struct resctrl_made made = {record->is_resctrl_own, !str_is_empty(record->resctrl_monitor)};
	_cleanup_fd_ int root_fd = -1;

	if (!made.has_clos && !made.has_monitor)
		return 0;
	root_fd = resctrl_open(err);
	if (root_fd == -ENODEV) /* resctrl was unmounted, which removes all groups */
		return 0;
	return root_fd < 0 ? root_fd : resctrl_remove(root_fd, &place, &made, err);
}
