/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Enables controllers for a cgroup (cgroup-v2.rst, "Controlling Controllers"). A cgroup has the controllers
 * that its parent lists in cgroup.subtree_control; a parent can list only controllers that it has.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "file.h"

#define LIST_MAX 512 /* bytes of cgroup.controllers: the kernel has at most 16 controllers */

/* Whether the cgroup's file lists all of names: 1, 0, or -errno. */
static int has_all(int cgroup_fd, const char *file, const struct plan *plan, struct plan_texts names)
{
	char list[LIST_MAX];
	int r = io_read_small(cgroup_fd, file, O_NOFOLLOW, list, sizeof list);

	for (uint32_t i = 0; r >= 0 && i < names.count; i++)
		if (!str_has_word(list, plan_item(plan, names, i)))
			return 0;
	return r < 0 ? r : 1;
}

/* One of the cgroups on the way to the place. */
struct level {
	const struct cgroup_place *place;
	int fd;
	const char *path;
};

struct visit {
	const struct plan *plan;
	struct plan_texts names; /* of controllers */
	int (*visit)(const struct visit *visit, const struct level *level, struct err *err);
	bool has_last; /* the cgroup itself is visited, too */
};

/* Calls visit->visit for each ancestor of the cgroup, from the mount down, and for the cgroup if has_last. */
static int visit_levels(const struct cgroup_place *place, const struct visit *visit, struct err *err)
{
	struct cgroup_path whole, level;
	int r = cgroup_path_init(&whole, place->path);

	if (r < 0)
		return err_system(err, r, "cannot open cgroup '%s'", place->path);
	level = whole;
	for (size_t i = 0; i < whole.len + visit->has_last; i++) {
		_cleanup_fd_ int fd = -1;

		if (i > 0 && i < whole.len && whole.text[i] != '/')
			continue;
		level.len = i;
		level.text[i] = '\0';
		fd = cgroup_path_open(place->mount_fd, &level, O_PATH);
		if (fd < 0)
			return err_system(err, fd, "cannot open cgroup '/%s'", level.text);
		r = visit->visit(visit, &(struct level){place, fd, level.text}, err);
		if (r < 0)
			return r;
		level.text[i] = whole.text[i];
	}
	return 0;
}

/* --- enabling --- */

static int enable_one(int cgroup_fd, const char *name)
{
	char text[64];
	int len = str_format(text, sizeof text, "+%s", name);

	return io_write_file(cgroup_fd, "cgroup.subtree_control", text, (size_t)len);
}

static const char *hint_of(int r)
{
	switch (r) {
	case -EBUSY:
		return "that cgroup has processes of its own: move them to a cgroup below it, or choose "
		       "another cgroupsPath";
	case -EOPNOTSUPP:
		return "that cgroup is threaded, and this controller does not support threads";
	default:
		return NULL;
	}
}

/* False if the cgroup does not have the controller: no caller can enable it then. */
static bool may_have(int cgroup_fd, const char *name)
{
	char list[LIST_MAX];

	return io_read_small(cgroup_fd, "cgroup.controllers", O_NOFOLLOW, list, sizeof list) < 0 ||
	       str_has_word(list, name);
}

/* level: the cgroup that cannot enable the controller for its children. */
static int enable_fail(const struct level *level, int r, const char *name, struct err *err)
{
	if (!may_have(level->fd, name))
		r = -ENOENT;
	if (r == -ENOENT || r == -EINVAL)
		err_set(err, ERR_UNSUPPORTED, 0, NULL,
			"cannot use controller '%s': cgroup '/%s' does not have it", name, level->path);
	else
		err_system(err, r, "cannot enable controller '%s' in cgroup.subtree_control of cgroup '/%s'",
			   name, level->path);
	if (r == -ENOENT || r == -EINVAL)
		cgroup_hint_no_controller(level->fd, name, err);
	else if (r == -EACCES || r == -EPERM || r == -EROFS)
		cgroup_hint_controller(level->place, name, err);
	else if (hint_of(r) != NULL)
		err_hint(err, "%s", hint_of(r));
	return r;
}

/* Enables all controllers by one write. If that fails, writes them one by one to find out which one fails. */
static int enable_at(const struct visit *visit, const struct level *level, struct err *err)
{
	_cleanup_buf_ struct buf all = {0};
	int r = has_all(level->fd, "cgroup.subtree_control", visit->plan, visit->names);

	if (r > 0)
		return 0;
	if (r < 0)
		return err_system(err, r, "cannot read cgroup.subtree_control of cgroup '/%s'", level->path);
	for (uint32_t i = 0; i < visit->names.count; i++)
		buf_format(&all, "%s+%s", i == 0 ? "" : " ", plan_item(visit->plan, visit->names, i));
	r = io_write_file(level->fd, "cgroup.subtree_control", all.data, all.len);
	for (uint32_t i = 0; r < 0 && i < visit->names.count; i++) {
		const char *name = plan_item(visit->plan, visit->names, i);
		int each = enable_one(level->fd, name);

		if (each < 0)
			return enable_fail(level, each, name, err);
	}
	return 0;
}

int cgroup_enable(const struct cgroup_place *place, const struct plan *plan, struct plan_texts names,
		  struct err *err)
{
	const struct visit visit = {.plan = plan, .names = names, .visit = enable_at};
	int r = 0;

	for (uint32_t i = 0; r >= 0 && i < names.count; i++)
		r = cgroup_check_kept(place, plan_item(plan, names, i), err);
	if (r < 0)
		return r;
	r = has_all(place->fd, "cgroup.controllers", plan, names);
	if (r < 0)
		return err_system(err, r, "cannot read the controllers of cgroup '%s'", place->path);
	return r > 0 ? 0 : visit_levels(place, &visit, err);
}

/* --- checking whether controllers could be enabled --- */

#define THREADED_CONTROLLERS "cpu cpuset perf_event pids" /* cgroups(7), "Thread mode" */

/* The errno that writing "+name" would fail with; 0 if it would succeed, or if that cannot be determined. */
static int check_enable_one(int cgroup_fd, const char *name)
{
	char procs[32];
	int r = k_faccessat2(cgroup_fd, "cgroup.subtree_control", W_OK, AT_EACCESS | AT_SYMLINK_NOFOLLOW);

	if (r < 0)
		return r;
	/* Only the root has no cgroup.type; it may have processes and children with controllers. */
	if (str_has_word(THREADED_CONTROLLERS, name) ||
	    k_faccessat2(cgroup_fd, "cgroup.type", 0 /* F_OK */, 0) < 0)
		return 0;
	r = io_read_small(cgroup_fd, "cgroup.procs", O_NOFOLLOW, procs, sizeof procs);
	return r > 0 || r == -EFBIG ? -EBUSY : 0;
}

/* Only the topmost cgroup must have the controller already: the others get it when it is enabled. */
static int check_level(const struct level *level, const char *name, struct err *err)
{
	char available[LIST_MAX], enabled[LIST_MAX];
	int r;

	if (io_read_small(level->fd, "cgroup.controllers", O_NOFOLLOW, available, sizeof available) < 0 ||
	    io_read_small(level->fd, "cgroup.subtree_control", O_NOFOLLOW, enabled, sizeof enabled) < 0 ||
	    str_has_word(enabled, name))
		return 0;
	r = level->path[0] == '\0' && !str_has_word(available, name) ? -ENOENT
								     : check_enable_one(level->fd, name);
	return r < 0 ? enable_fail(level, r, name, err) : 0;
}

int cgroup_check_known(int mount_fd, const char *name, struct err *err)
{
	const struct cgroup_place place = {.mount_fd = mount_fd, .fd = -1, .path = ""};
	char available[LIST_MAX];
	int r = io_read_small(mount_fd, "cgroup.controllers", O_NOFOLLOW, available, sizeof available);

	if (r < 0)
		return err_system(err, r, "cannot read cgroup.controllers");
	return str_has_word(available, name)
		       ? 0
		       : enable_fail(&(struct level){&place, mount_fd, ""}, -ENOENT, name, err);
}

int cgroup_check_controller(int mount_fd, const char *path, const char *name, struct err *err)
{
	const struct cgroup_place place = {.mount_fd = mount_fd, .fd = -1, .path = path};
	struct cgroup_path whole, level;
	int r = cgroup_path_init(&whole, path);

	if (r >= 0)
		r = cgroup_check_kept(&place, name, err);
	level = whole;
	for (size_t i = 0; r >= 0 && i < whole.len; i++) {
		_cleanup_fd_ int fd = -1;

		if (i > 0 && whole.text[i] != '/')
			continue;
		level.len = i;
		level.text[i] = '\0';
		fd = cgroup_path_open(mount_fd, &level, O_PATH);
		if (fd < 0)
			break;
		r = check_level(&(struct level){&place, fd, level.text}, name, err);
		level.text[i] = whole.text[i];
	}
	return r;
}

int cgroup_check_enable(int mount_fd, const char *path, const struct plan *plan, struct plan_texts names,
			struct err *err)
{
	int r = 0;

	for (uint32_t i = 0; r >= 0 && i < names.count; i++)
		r = cgroup_check_controller(mount_fd, path, plan_item(plan, names, i), err);
	return r;
}

/* --- threaded cgroups --- */

/* Whether cgroup.type is this type: 1, 0, or -errno. */
static int has_type(int cgroup_fd, const char *type)
{
	char text[32];
	int r = io_read_small(cgroup_fd, "cgroup.type", O_NOFOLLOW, text, sizeof text);

	if (r < 0)
		return is_gone(r) ? 0 : r; /* the root of the hierarchy has no cgroup.type */
	text[strcspn(text, "\n")] = '\0';
	return str_equal(text, type);
}

static int check_threaded(const struct plan *plan, struct plan_texts names, const char *path, struct err *err)
{
	for (uint32_t i = 0; i < names.count; i++) {
		const char *name = plan_item(plan, names, i);

		if (str_has_word(THREADED_CONTROLLERS, name))
			continue;
		err_set(err, ERR_UNSUPPORTED, 0, NULL,
			"cannot use controller '%s' in cgroup '%s': it is part of a threaded domain", name,
			path);
		err_hint(err,
			 "choose a cgroupsPath elsewhere, or remove all limits except those of cpu, cpuset and "
			 "pids");
		return -EOPNOTSUPP;
	}
	return 0;
}

static int make_threaded(const struct visit *visit, const struct level *level, struct err *err)
{
	int r = has_type(level->fd, "domain invalid");

	(void)visit;
	if (r > 0)
		r = io_write_file(level->fd, "cgroup.type", "threaded", 8);
	return r < 0 ? err_system(err, r, "cannot make cgroup '/%s' threaded", level->path) : 0;
}

int cgroup_make_threaded(const struct cgroup_place *place, const struct plan *plan, struct plan_texts names,
			 struct err *err)
{
	const struct visit visit = {.plan = plan, .names = names, .visit = make_threaded, .has_last = true};
	int r = has_type(place->fd, "domain invalid");

	if (r < 0)
		return err_system(err, r, "cannot read cgroup.type of cgroup '%s'", place->path);
	if (r == 0)
		return 0;
	r = check_threaded(plan, names, place->path, err);
	return r < 0 ? r : visit_levels(place, &visit, err);
}
