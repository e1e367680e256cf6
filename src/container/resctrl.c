/* SPDX-License-Identifier: Apache-2.0 */
/* The container's class of service in resctrl goes. Process: a command that deletes, or an undo. */
#include <errno.h>

#include <tare/container.h>
#include <tare/resctrl.h>

/* Only what was made for this container alone: another may be in a class that closID names. */
int container_remove_resctrl(const struct state_record *record, struct err *err)
{
	const struct resctrl_place place = {.clos = record->resctrl_clos, .monitor = record->resctrl_monitor};
	const struct resctrl_made made = {record->is_resctrl_own, !str_is_empty(record->resctrl_monitor)};
	_cleanup_fd_ int root_fd = -1;

	if (!made.has_clos && !made.has_monitor)
		return 0;
	root_fd = resctrl_open(err);
	if (root_fd == -ENODEV) /* unmounted meanwhile, and with it all that was in it */
		return 0;
	return root_fd < 0 ? root_fd : resctrl_remove(root_fd, &place, &made, err);
}
