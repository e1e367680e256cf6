/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resctrl: classes of service for the processor's caches and memory bandwidth. A class is a directory of the
 * resctrl file system (resctrl.rst of the kernel's documentation; linux.intelRdt of runtime-spec). All
 * functions run in the parent or in a later command, in the host's namespaces. Part of the room cgroup.
 */
#ifndef TARE_RESCTRL_H
#define TARE_RESCTRL_H

#include <tare/base.h>

/* The class and monitoring group of a container. The strings are owned by the caller. */
struct resctrl_place {
	const char *clos;     /* name of the class's directory; "": the default class, at the root */
	const char *monitor;  /* name of a monitoring group to be made in the class, or NULL */
	const char *schemata; /* lines, each with its line feed, or NULL */
	bool is_own; /* the class is for this container only: it must not exist before, and is removed after */
};

/* What resctrl_make has made, and resctrl_remove has to remove. */
struct resctrl_made {
	bool has_clos, has_monitor;
};

/* Opens /sys/fs/resctrl; ERR_UNSUPPORTED if resctrl is not mounted there. */
int resctrl_open(struct err *err) MUST_CHECK;

/*
 * Makes the class if is_own, or if it does not exist and there is a schemata; then writes the schemata. If the
 * class exists, compares the schemata and writes nothing: ERR_CONFIG if it differs, EEXIST if is_own. Makes the
 * monitoring group, which must not exist. *ret_made is also valid on failure.
 */
int resctrl_make(int root_fd, const struct resctrl_place *place, struct resctrl_made *ret_made,
		 struct err *err) MUST_CHECK;

/* Adds a process to the class and the monitoring group; its future children inherit both. */
int resctrl_assign(int root_fd, const struct resctrl_place *place, pid_t pid, struct err *err) MUST_CHECK;

/* Removes the class and the monitoring group that were made; one that does not exist any more is a success. */
int resctrl_remove(int root_fd, const struct resctrl_place *place, const struct resctrl_made *made,
		   struct err *err) MUST_CHECK;
/*
 * The same in /sys/fs/resctrl, if anything was made. If resctrl was unmounted, all groups are removed already.
 */
int resctrl_clean(const struct resctrl_place *place, const struct resctrl_made *made,
		  struct err *err) MUST_CHECK;

#endif
