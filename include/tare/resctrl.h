/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resctrl: classes of service of the processor's caches and memory bandwidth, which are directories
 * (resctrl.rst of the kernel's documentation; linux.intelRdt of runtime-spec). All of it runs in the parent, or
 * in a later command, in the host's namespaces. Part of the room cgroup.
 */
#ifndef TARE_RESCTRL_H
#define TARE_RESCTRL_H

#include <tare/base.h>

/* Where a container belongs. */
struct resctrl_place {
	const char *clos;     /* name of the class's directory; "": the default class, at the root */
	const char *monitor;  /* name of a monitoring group that is made in it, or NULL */
	const char *schemata; /* lines, each with its line feed, or NULL */
	bool is_own;          /* the class is the container's alone: it must not exist, and goes with it */
};

/* What was made of it, and is to be removed. */
struct resctrl_made {
	bool has_clos, has_monitor;
};

/* Opens the mounted resctrl file system; ERR_UNSUPPORTED if there is none. */
int resctrl_open(struct err *err) MUST_CHECK;

/*
 * Makes the class if it is the container's own, or if it is missing and there are schemata for it; then these
 * are written. In a class that was there before they are compared (ERR_CONFIG if they differ, EEXIST if it
 * should have been the container's own), and nothing is written. Makes the monitoring group, which must not
 * exist. *ret_made is valid on failure, too.
 */
int resctrl_make(int root_fd, const struct resctrl_place *place, struct resctrl_made *ret_made,
		 struct err *err) MUST_CHECK;

/* Puts a process into the class, and the monitoring group; its children will be in both. */
int resctrl_assign(int root_fd, const struct resctrl_place *place, pid_t pid, struct err *err) MUST_CHECK;

/* Removes what was made; what is gone already is a success. */
int resctrl_remove(int root_fd, const struct resctrl_place *place, const struct resctrl_made *made,
		   struct err *err) MUST_CHECK;

#endif
