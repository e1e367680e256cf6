/* SPDX-License-Identifier: Apache-2.0 */
/* Mount options (runtime-spec config.md "Linux mount options"). Private to the room. */
#ifndef TARE_PLAN_OPTIONS_H
#define TARE_PLAN_OPTIONS_H

#include "builder.h"

/* Options of crun for binds: what happens if the source or the target is a symbolic link. */
#define OPTION_LINK_SOURCE 1u /* src-nofollow: bind the link itself */
#define OPTION_LINK_TARGET 2u /* dest-nofollow: cover the link itself */
#define OPTION_LINK_COPY 4u   /* copy-symlink: make a link with the same text as the source */

/* The combined effect of a list of options. */
struct plan_options {
	uint64_t attr_set, attr_clear, recursive_attr_set, recursive_attr_clear; /* MOUNT_ATTR_* */
	struct {
		uint64_t type; /* MS_SHARED ... */
		bool is_recursive;
	} propagation[PLAN_PROPAGATIONS];
	int propagation_count; /* greater than PLAN_PROPAGATIONS if there are too many */
	bool is_bind, is_recursive, is_remount, is_copy_up, is_idmap, is_idmap_recursive;
	uint64_t links;          /* OPTION_LINK_* */
	const char *last_link;   /* the last of these options, or NULL; in the list */
	const char *idmap_value; /* of "idmap=" or "ridmap=" (idmap.h), or NULL; in the list */
	/* MOUNT_ATTR_* that a bind clears because options set others, as in mount(2). */
	uint64_t attr_implied_clear;
	const char *not_for_binds; /* the first option that changes a superblock, or NULL */
	struct spec_list data;     /* other options, for the file system; the strings are those of the list */
};

/* Parses the options. data.v is allocated; the caller frees it. */
void plan_options_parse(const struct spec_list *options, struct plan_options *ret);

#endif
