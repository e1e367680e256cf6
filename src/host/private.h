/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the room host. */
#ifndef TARE_HOST_PRIVATE_H
#define TARE_HOST_PRIVATE_H

#include <tare/host.h>

/*
 * Fills host->cgroup_mount on a host that has cgroup2 at an unusual place: asks the program tare-doctor, which
 * reads mount tables with libmount. If no cgroup2 is mounted, the member stays empty and nothing is executed.
 * -errno with *err if that cannot be found out.
 */
int host_search_cgroup2(struct host *host, struct err *err) MUST_CHECK;

/* Whether a cgroup2 is at path; ret_is_readonly may be NULL. */
bool host_is_cgroup2(const char *path, bool *ret_is_readonly);

#endif
