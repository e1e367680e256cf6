/* SPDX-License-Identifier: Apache-2.0 */
/*
 * own_mounts, a builtin command of bash (enable -f ownmounts.so own_mounts): moves the shell to a new mount
 * namespace with private propagation, so that mounts do not propagate to it or from it. A shell could otherwise
 * only do that by executing itself again in the namespace. Then the shell of bats that runs a case would start
 * again, with one more process and file to parse for each case, which costs much in an emulated machine. The
 * structure is the documented interface of loadable builtins (bash(1), "enable -f"; builtins.h of bash),
 * unchanged since bash 2.0.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#define BUILTIN_ENABLED 1

struct word_list;

struct builtin {
	const char *name;
	int (*function)(struct word_list *arguments);
	int flags;
	const char *const *long_doc;
	const char *short_doc;
	char *handle;
};

static int own_mounts(struct word_list *arguments)
{
	(void)arguments;
	if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
		return 0;
	fprintf(stderr, "own_mounts: cannot make a mount namespace: %s\n", strerror(errno));
	return 1;
}

static const char *const long_doc[] = {"Move the shell to a mount namespace of its own.", NULL};

extern struct builtin own_mounts_struct;

/* bash stores its own flags and the library's handle here. */
__attribute__((visibility("default"))) struct builtin own_mounts_struct = {
	.name = "own_mounts",
	.function = own_mounts,
	.flags = BUILTIN_ENABLED,
	.long_doc = long_doc,
	.short_doc = "own_mounts",
};
