/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose a cgroup is. Its path says nothing of that: one that is empty may become another container's, who may
 * be in another state root. So it says it itself, in an extended attribute (cgroup2 keeps those, xattr(7)): of
 * the kind that nobody in a user namespace can write, unless the caller is there, too.
 */
#include <errno.h>
#include <string.h>

#include "file.h"

#define MARK_MAX 2048

static const char *const names[] = {"trusted.tare", "user.tare"};

void cgroup_mark(int cgroup_fd, const char *owner)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (k_fsetxattr(cgroup_fd, names[i], owner, strlen(owner), 0) >= 0)
			return;
}

enum cgroup_owner cgroup_owner(int cgroup_fd, const char *owner)
{
	char mark[MARK_MAX];
	size_t len = strlen(owner);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		ssize_t got = k_fgetxattr(cgroup_fd, names[i], mark, sizeof mark);

		if (got == -ERANGE || got >= 0)
			return got == (ssize_t)len && memcmp(mark, owner, len) == 0 ? CGROUP_OURS
										    : CGROUP_ANOTHERS;
	}
	return CGROUP_UNMARKED;
}
