/* SPDX-License-Identifier: Apache-2.0 */
/* Mount options (runtime-spec config.md "Linux mount options"). Private to the room. */
#ifndef TARE_PLAN_OPTIONS_H
#define TARE_PLAN_OPTIONS_H

#include "builder.h"

/* What a list of options comes to. */
struct plan_options {
	uint64_t attr_set, attr_clear, recursive_attr_set, recursive_attr_clear; /* MOUNT_ATTR_* */
	struct {
		uint64_t type; /* MS_SHARED ... */
		bool is_recursive;
	} propagation[PLAN_PROPAGATIONS];
	int propagation_count; /* may pass PLAN_PROPAGATIONS: then there were too many */
	bool is_bind, is_recursive, is_remount, is_copy_up, is_idmap, is_idmap_recursive;
	/* mount(2): of a bind, what is not asked for is cleared, once something is; MOUNT_ATTR_*. */
	uint64_t attr_implied_clear;
	const char *not_for_binds; /* the first that changes a superblock, or NULL */
	struct spec_list data;     /* the rest, for the file system; the strings are the options' own */
};

/* Sorts the options; data.v is allocated, the caller frees it. */
void plan_options_parse(const struct spec_list *options, struct plan_options *ret);

#endif
