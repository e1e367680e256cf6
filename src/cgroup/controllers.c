/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Controllers on their way down to a cgroup (cgroup-v2.rst, "Controlling Controllers"): a cgroup has those that
 * its parent names in cgroup.subtree_control, which are at most those that the parent has.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "file.h"

#define LIST_MAX 512 /* bytes of cgroup.controllers: the kernel knows at most 16 controllers */

/* Whether the list in the cgroup's file names all of them: 1, 0, or -errno. */
static int has_all(int cgroup_fd, const char *file, const struct plan *plan, struct plan_texts names)
{
	char list[LIST_MAX];
	int r = io_read_small(cgroup_fd, file, O_NOFOLLOW, list, sizeof list);

	for (uint32_t i = 0; r >= 0 && i < names.count; i++)
		if (!str_has_word(list, plan_item(plan, names, i)))
			return 0;
	return r < 0 ? r : 1;
}

/* Calls visit for each cgroup from the mount down to the last or, is_whole, the cgroup itself. */
struct visit {
	const struct plan *plan;
	struct plan_texts names;
	int (*visit)(const struct visit *visit, int cgroup_fd, const char *path, struct err *err);
	bool is_whole;
};

static int visit_levels(const struct cgroup_place *place, const struct visit *visit, struct err *err)
{
	struct cgroup_path whole, level;
	int r = cgroup_path_init(&whole, place->path);

	if (r < 0)
		return err_system(err, r, "cannot open cgroup '%s'", place->path);
	level = whole;
	for (size_t i = 0; i < whole.len + visit->is_whole; i++) {
		_cleanup_fd_ int fd = -1;

		if (i > 0 && i < whole.len && whole.text[i] != '/')
			continue;
		level.len = i;
		level.text[i] = '\0';
		fd = cgroup_path_open(place->mount_fd, &level, O_PATH);
		if (fd < 0)
			return err_system(err, fd, "cannot open cgroup '/%s'", level.text);
		r = visit->visit(visit, fd, level.text, err);
		if (r < 0)
			return r;
		level.text[i] = whole.text[i];
	}
	return 0;
}

/* --- enabling --- */

static int hand_down(int cgroup_fd, const char *name)
{
	char text[64];
	int len = str_format(text, sizeof text, "+%s", name);

	return io_write_file(cgroup_fd, "cgroup.subtree_control", text, (size_t)len);
}

static const char *hint_of(int r)
{
	switch (r) {
	case -ENOENT:
	case -EINVAL:
		return "delegate it: cgroup.subtree_control above, or Delegate= of the systemd unit; a "
		       "mounted v1 hierarchy or cgroup_disable= takes it away";
	case -EBUSY:
		return "that cgroup has processes of its own: move them to one below it, or choose another "
		       "cgroupsPath";
	case -EACCES:
	case -EPERM:
	case -EROFS:
		return "its owner has to delegate it there; systemd does for: systemd-run --user --scope -p "
		       "Delegate=yes COMMAND";
	case -EOPNOTSUPP:
		return "that cgroup is threaded, and this controller is none for threads";
	default:
		return NULL;
	}
}

/* level is the cgroup that should have handed the controller down. */
static int enable_fail(struct err *err, int r, const char *name, const char *level)
{
	if (r == -ENOENT || r == -EINVAL)
		err_set(err, ERR_UNSUPPORTED, 0, NULL,
			"cannot use controller '%s': cgroup '/%s' does not have it", name, level);
	else
		err_system(err, r, "cannot enable controller '%s' in cgroup.subtree_control of cgroup '/%s'",
			   name, level);
	if (hint_of(r) != NULL)
		err_hint(err, "%s", hint_of(r));
	return r;
}

/* All in one write; one by one only to find out which of them is the trouble. */
static int enable_at(const struct visit *visit, int cgroup_fd, const char *path, struct err *err)
{
	_cleanup_buf_ struct buf all = {0};
	int r = has_all(cgroup_fd, "cgroup.subtree_control", visit->plan, visit->names);

	if (r > 0)
		return 0;
	if (r < 0)
		return err_system(err, r, "cannot read cgroup.subtree_control of cgroup '/%s'", path);
	for (uint32_t i = 0; i < visit->names.count; i++)
		buf_format(&all, "%s+%s", i == 0 ? "" : " ", plan_item(visit->plan, visit->names, i));
	r = io_write_file(cgroup_fd, "cgroup.subtree_control", all.data, all.len);
	for (uint32_t i = 0; r < 0 && i < visit->names.count; i++) {
		const char *name = plan_item(visit->plan, visit->names, i);
		int each = hand_down(cgroup_fd, name);

		if (each < 0)
			return enable_fail(err, each, name, path);
	}
	return 0;
}

int cgroup_enable(const struct cgroup_place *place, const struct plan *plan, struct plan_texts names,
		  struct err *err)
{
	const struct visit visit = {plan, names, enable_at, false};
	int r = has_all(place->fd, "cgroup.controllers", plan, names);

	if (r < 0)
		return err_system(err, r, "cannot read the controllers of cgroup '%s'", place->path);
	return r > 0 ? 0 : visit_levels(place, &visit, err);
}

/* --- what enabling would come to --- */

#define OF_THREADS "cpu cpuset perf_event pids" /* cgroups(7), "Thread mode" */

/* As the kernel answers a "+name" there, as far as it can be told; 0 where it cannot. */
static int may_hand_down(int cgroup_fd, const char *name)
{
	char procs[32];
	int r = k_faccessat2(cgroup_fd, "cgroup.subtree_control", W_OK, AT_EACCESS | AT_SYMLINK_NOFOLLOW);

	if (r < 0)
		return r;
	/* The hierarchy's root alone has no cgroup.type, and may have processes of its own. */
	if (str_has_word(OF_THREADS, name) || k_faccessat2(cgroup_fd, "cgroup.type", 0 /* F_OK */, 0) < 0)
		return 0;
	r = io_read_small(cgroup_fd, "cgroup.procs", O_NOFOLLOW, procs, sizeof procs);
	return r > 0 || r == -EFBIG ? -EBUSY : 0;
}

/* What the topmost one does not have cannot be handed down. */
static int check_level(int cgroup_fd, const struct visit *visit, const char *path, struct err *err)
{
	char has[LIST_MAX], given[LIST_MAX];

	if (io_read_small(cgroup_fd, "cgroup.controllers", O_NOFOLLOW, has, sizeof has) < 0 ||
	    io_read_small(cgroup_fd, "cgroup.subtree_control", O_NOFOLLOW, given, sizeof given) < 0)
		return 0;
	for (uint32_t i = 0; i < visit->names.count; i++) {
		const char *name = plan_item(visit->plan, visit->names, i);
		int r;

		if (str_has_word(given, name))
			continue;
		r = path[0] == '\0' && !str_has_word(has, name) ? -ENOENT : may_hand_down(cgroup_fd, name);
		if (r < 0)
			return enable_fail(err, r, name, path);
	}
	return 0;
}

int cgroup_check_enable(int mount_fd, const char *path, const struct plan *plan, struct plan_texts names,
			struct err *err)
{
	const struct visit visit = {.plan = plan, .names = names};
	struct cgroup_path whole, level;
	int r = cgroup_path_init(&whole, path);

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
		r = check_level(fd, &visit, level.text, err);
		level.text[i] = whole.text[i];
	}
	return r;
}

/* --- threaded cgroups --- */

/* The word in cgroup.type; -errno otherwise. */
static int is_of_type(int cgroup_fd, const char *type)
{
	char text[32];
	int r = io_read_small(cgroup_fd, "cgroup.type", O_NOFOLLOW, text, sizeof text);

	if (r < 0)
		return is_gone(r) ? 0 : r; /* the root has no type */
	text[strcspn(text, "\n")] = '\0';
	return str_equal(text, type);
}

static int check_threaded(const struct plan *plan, struct plan_texts names, const char *path, struct err *err)
{
	for (uint32_t i = 0; i < names.count; i++) {
		const char *name = plan_item(plan, names, i);

		if (str_has_word(OF_THREADS, name))
			continue;
		err_set(err, ERR_UNSUPPORTED, 0, NULL,
			"cannot use controller '%s' in cgroup '%s': it is part of a threaded domain", name,
			path);
		err_hint(err,
			 "choose a cgroupsPath elsewhere, or leave out all limits but those of cpu, cpuset and "
			 "pids");
		return -EOPNOTSUPP;
	}
	return 0;
}

static int make_threaded(const struct visit *visit, int cgroup_fd, const char *path, struct err *err)
{
	int r = is_of_type(cgroup_fd, "domain invalid");

	(void)visit;
	if (r > 0)
		r = io_write_file(cgroup_fd, "cgroup.type", "threaded", 8);
	return r < 0 ? err_system(err, r, "cannot make cgroup '/%s' threaded", path) : 0;
}

int cgroup_make_threaded(const struct cgroup_place *place, const struct plan *plan, struct plan_texts names,
			 struct err *err)
{
	const struct visit visit = {plan, names, make_threaded, true};
	int r = is_of_type(place->fd, "domain invalid");

	if (r < 0)
		return err_system(err, r, "cannot read cgroup.type of cgroup '%s'", place->path);
	if (r == 0)
		return 0;
	r = check_threaded(plan, names, place->path, err);
	return r < 0 ? r : visit_levels(place, &visit, err);
}
