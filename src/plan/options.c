/* SPDX-License-Identifier: Apache-2.0 */
/* Parses mount options. Process: the parent. */
#include <string.h>

#include "options.h"

enum option_kind {
	OPTION_ATTR_SET,
	OPTION_ATTR_CLEAR,
	OPTION_ATIME,      /* sets one of several values of a field: clears the field first */
	OPTION_ATIME_UNDO, /* undoes only this value; without any value the kernel applies relatime */
	OPTION_PROPAGATION,
	OPTION_SUPERBLOCK, /* passed to the file system by its own name */
	OPTION_NOTHING,    /* no effect: a default, or, as iversion, left to the file system */
	OPTION_BIND,
	OPTION_REMOUNT,
	OPTION_COPY_UP,
	OPTION_IDMAP,
	OPTION_LINK, /* value: OPTION_LINK_* */
};

struct option_row {
	const char *name;
	enum option_kind kind;
	uint64_t value;
	bool is_recursive;
};

static const struct option_row rows[] = {
	{"async", OPTION_SUPERBLOCK, 0, false},
	{"atime", OPTION_ATIME_UNDO, MOUNT_ATTR_NOATIME, false},
	{"bind", OPTION_BIND, 0, false},
	{"copy-symlink", OPTION_LINK, OPTION_LINK_COPY, false},
	{"defaults", OPTION_NOTHING, 0, false},
	{"dest-nofollow", OPTION_LINK, OPTION_LINK_TARGET, false},
	{"dev", OPTION_ATTR_CLEAR, MOUNT_ATTR_NODEV, false},
	{"diratime", OPTION_ATTR_CLEAR, MOUNT_ATTR_NODIRATIME, false},
	{"dirsync", OPTION_SUPERBLOCK, 1, false},
	{"exec", OPTION_ATTR_CLEAR, MOUNT_ATTR_NOEXEC, false},
	{"idmap", OPTION_IDMAP, 0, false},
	{"iversion", OPTION_NOTHING, 0, false},
	{"lazytime", OPTION_SUPERBLOCK, 1, false},
	{"loud", OPTION_NOTHING, 0, false},
	{"mand", OPTION_NOTHING, 0, false},
	{"noatime", OPTION_ATIME, MOUNT_ATTR_NOATIME, false},
	{"nodev", OPTION_ATTR_SET, MOUNT_ATTR_NODEV, false},
	{"nodiratime", OPTION_ATTR_SET, MOUNT_ATTR_NODIRATIME, false},
	{"noexec", OPTION_ATTR_SET, MOUNT_ATTR_NOEXEC, false},
	{"noiversion", OPTION_NOTHING, 0, false},
	{"nolazytime", OPTION_SUPERBLOCK, 0, false},
	{"nomand", OPTION_NOTHING, 0, false},
	{"norelatime", OPTION_ATIME_UNDO, MOUNT_ATTR_RELATIME, false},
	{"nostrictatime", OPTION_ATIME_UNDO, MOUNT_ATTR_STRICTATIME, false},
	{"nosuid", OPTION_ATTR_SET, MOUNT_ATTR_NOSUID, false},
	{"nosymfollow", OPTION_ATTR_SET, MOUNT_ATTR_NOSYMFOLLOW, false},
	{"private", OPTION_PROPAGATION, MS_PRIVATE, false},
	{"ratime", OPTION_ATIME_UNDO, MOUNT_ATTR_NOATIME, true},
	{"rbind", OPTION_BIND, 0, true},
	{"rdev", OPTION_ATTR_CLEAR, MOUNT_ATTR_NODEV, true},
	{"rdiratime", OPTION_ATTR_CLEAR, MOUNT_ATTR_NODIRATIME, true},
	{"relatime", OPTION_ATIME, MOUNT_ATTR_RELATIME, false},
	{"remount", OPTION_REMOUNT, 0, false},
	{"rexec", OPTION_ATTR_CLEAR, MOUNT_ATTR_NOEXEC, true},
	{"ridmap", OPTION_IDMAP, 0, true},
	{"rnoatime", OPTION_ATIME, MOUNT_ATTR_NOATIME, true},
	{"rnodev", OPTION_ATTR_SET, MOUNT_ATTR_NODEV, true},
	{"rnodiratime", OPTION_ATTR_SET, MOUNT_ATTR_NODIRATIME, true},
	{"rnoexec", OPTION_ATTR_SET, MOUNT_ATTR_NOEXEC, true},
	{"rnorelatime", OPTION_ATIME_UNDO, MOUNT_ATTR_RELATIME, true},
	{"rnostrictatime", OPTION_ATIME_UNDO, MOUNT_ATTR_STRICTATIME, true},
	{"rnosuid", OPTION_ATTR_SET, MOUNT_ATTR_NOSUID, true},
	{"rnosymfollow", OPTION_ATTR_SET, MOUNT_ATTR_NOSYMFOLLOW, true},
	{"ro", OPTION_ATTR_SET, MOUNT_ATTR_RDONLY, false},
	{"rprivate", OPTION_PROPAGATION, MS_PRIVATE, true},
	{"rrelatime", OPTION_ATIME, MOUNT_ATTR_RELATIME, true},
	{"rro", OPTION_ATTR_SET, MOUNT_ATTR_RDONLY, true},
	{"rrw", OPTION_ATTR_CLEAR, MOUNT_ATTR_RDONLY, true},
	{"rshared", OPTION_PROPAGATION, MS_SHARED, true},
	{"rslave", OPTION_PROPAGATION, MS_SLAVE, true},
	{"rstrictatime", OPTION_ATIME, MOUNT_ATTR_STRICTATIME, true},
	{"rsuid", OPTION_ATTR_CLEAR, MOUNT_ATTR_NOSUID, true},
	{"rsymfollow", OPTION_ATTR_CLEAR, MOUNT_ATTR_NOSYMFOLLOW, true},
	{"runbindable", OPTION_PROPAGATION, MS_UNBINDABLE, true},
	{"rw", OPTION_ATTR_CLEAR, MOUNT_ATTR_RDONLY, false},
	{"shared", OPTION_PROPAGATION, MS_SHARED, false},
	{"silent", OPTION_NOTHING, 0, false},
	{"slave", OPTION_PROPAGATION, MS_SLAVE, false},
	{"src-nofollow", OPTION_LINK, OPTION_LINK_SOURCE, false},
	{"strictatime", OPTION_ATIME, MOUNT_ATTR_STRICTATIME, false},
	{"suid", OPTION_ATTR_CLEAR, MOUNT_ATTR_NOSUID, false},
	{"symfollow", OPTION_ATTR_CLEAR, MOUNT_ATTR_NOSYMFOLLOW, false},
	{"sync", OPTION_SUPERBLOCK, 1, false},
	{"tmpcopyup", OPTION_COPY_UP, 0, false},
	{"unbindable", OPTION_PROPAGATION, MS_UNBINDABLE, false},
};

const char *plan_mount_option_name(int index)
{
	return index >= 0 && (size_t)index < ARRAY_SIZE(rows) ? rows[index].name : NULL;
}

/* A later option wins: it undoes the effect of earlier ones. */
static void options_attr(struct plan_options *o, uint64_t set, uint64_t clear, bool is_recursive)
{
	uint64_t *sets = is_recursive ? &o->recursive_attr_set : &o->attr_set;
	uint64_t *clears = is_recursive ? &o->recursive_attr_clear : &o->attr_clear;

	*sets = (*sets & ~clear) | set;
	*clears = (*clears & ~set) | clear;
}

/* mount_setattr(2): the whole field must be cleared to set any of its values. */
static void options_atime(struct plan_options *o, const struct option_row *row)
{
	const uint64_t *set = row->is_recursive ? &o->recursive_attr_set : &o->attr_set;
	const uint64_t *clear = row->is_recursive ? &o->recursive_attr_clear : &o->attr_clear;
	bool is_undo = row->kind == OPTION_ATIME_UNDO;

	if (is_undo && (*clear & MOUNT_ATTR__ATIME) != 0 && (*set & MOUNT_ATTR__ATIME) != row->value)
		return;
	options_attr(o, 0, MOUNT_ATTR__ATIME, row->is_recursive);
	if (is_undo)
		return;
	if (row->is_recursive)
		o->recursive_attr_set |= row->value;
	else
		o->attr_set |= row->value;
}

/*
 * Engines rely on the effect of mount(2) with MS_BIND | MS_REMOUNT: the first option about flags of the mount
 * clears those flags of the source that no option sets. Flags of the access time are kept until an option sets
 * one of them. Options with the prefix "r" have no such effect.
 */
static void options_implied(struct plan_options *o, const struct option_row *row)
{
	bool is_flag = row->kind == OPTION_ATTR_SET || row->kind == OPTION_ATTR_CLEAR ||
		       row->kind == OPTION_ATIME || row->kind == OPTION_ATIME_UNDO;
	bool is_time = row->kind == OPTION_ATIME ||
		       (row->kind == OPTION_ATTR_SET && row->value == MOUNT_ATTR_NODIRATIME);

	if (!is_flag || row->is_recursive)
		return;
	o->attr_implied_clear |= MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC |
				 MOUNT_ATTR_NOSYMFOLLOW;
	if (is_time)
		o->attr_implied_clear |= MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME;
}

static void options_propagation(struct plan_options *o, const struct option_row *row)
{
	if (o->propagation_count < PLAN_PROPAGATIONS) {
		o->propagation[o->propagation_count].type = row->value;
		o->propagation[o->propagation_count].is_recursive = row->is_recursive;
	}
	o->propagation_count++;
}

static void options_data(struct plan_options *o, char *text, bool has_effect)
{
	o->data.v[o->data.count++] = text;
	if (has_effect && o->not_for_binds == NULL)
		o->not_for_binds = text;
}

static void options_apply(struct plan_options *o, const struct option_row *row, char *text)
{
	switch (row->kind) {
	case OPTION_ATTR_SET:
		options_attr(o, row->value, 0, row->is_recursive);
		break;
	case OPTION_ATTR_CLEAR:
		options_attr(o, 0, row->value, row->is_recursive);
		break;
	case OPTION_ATIME:
	case OPTION_ATIME_UNDO:
		options_atime(o, row);
		break;
	case OPTION_PROPAGATION:
		options_propagation(o, row);
		break;
	case OPTION_SUPERBLOCK:
		options_data(o, text, row->value != 0);
		break;
	case OPTION_BIND:
		o->is_bind = true;
		o->is_recursive |= row->is_recursive;
		break;
	case OPTION_REMOUNT:
		o->is_remount = true;
		break;
	case OPTION_COPY_UP:
		o->is_copy_up = true;
		break;
	case OPTION_IDMAP:
		o->is_idmap = true;
		o->idmap_value = strchr(text, '=') == NULL ? NULL : strchr(text, '=') + 1;
		o->is_idmap_recursive |= row->is_recursive;
		break;
	case OPTION_LINK:
		o->links |= row->value;
		o->last_link = text;
		break;
	case OPTION_NOTHING:
		break;
	}
}

static const struct option_row *options_find(const char *text)
{
	size_t len = strcspn(text, "=");

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool is_same = strlen(rows[i].name) == len && strncmp(rows[i].name, text, len) == 0;

		/* Only idmap may have a value. */
		if (is_same && (text[len] == '\0' || rows[i].kind == OPTION_IDMAP))
			return &rows[i];
	}
	return NULL;
}

void plan_options_parse(const struct spec_list *options, struct plan_options *ret)
{
	memset(ret, 0, sizeof *ret);
	ret->data.v = mem_alloc((options->count + 1) * sizeof *ret->data.v);
	for (size_t i = 0; i < options->count; i++) {
		const struct option_row *row = options_find(options->v[i]);

		if (row != NULL) {
			options_apply(ret, row, options->v[i]);
			options_implied(ret, row);
		} else if (options->v[i][0] != '\0')
			options_data(ret, options->v[i], true);
	}
	ret->attr_implied_clear &= ~(ret->attr_set | ret->attr_clear);
}
