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

/* Whether name is one of the blank-separated words of list. */
static bool has_word(const char *list, const char *name)
{
	size_t len = strlen(name);

	while (*list != '\0') {
		size_t word = strcspn(list, " \n");

		if (word == len && memcmp(list, name, len) == 0)
			return true;
		list += word + (list[word] != '\0');
	}
	return false;
}

/* Whether the list in the cgroup's file names all of them: 1, 0, or -errno. */
static int has_all(int cgroup_fd, const char *file, const struct plan *plan, struct plan_texts names)
{
	char list[LIST_MAX];
	int r = io_read_small(cgroup_fd, file, O_NOFOLLOW, list, sizeof list);

	for (uint32_t i = 0; r >= 0 && i < names.count; i++)
		if (!has_word(list, plan_item(plan, names, i)))
			return 0;
	return r < 0 ? r : 1;
}

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
		return "its owner has to delegate it there, or Delegate= of the systemd unit";
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
static int enable_at(int cgroup_fd, const char *level, const struct plan *plan, struct plan_texts names,
		     struct err *err)
{
	_cleanup_buf_ struct buf all = {0};
	int r = has_all(cgroup_fd, "cgroup.subtree_control", plan, names);

	if (r > 0)
		return 0;
	if (r < 0)
		return err_system(err, r, "cannot read cgroup.subtree_control of cgroup '/%s'", level);
	for (uint32_t i = 0; i < names.count; i++)
		buf_format(&all, "%s+%s", i == 0 ? "" : " ", plan_item(plan, names, i));
	r = io_write_file(cgroup_fd, "cgroup.subtree_control", all.data, all.len);
	for (uint32_t i = 0; r < 0 && i < names.count; i++) {
		int each = hand_down(cgroup_fd, plan_item(plan, names, i));

		if (each < 0)
			return enable_fail(err, each, plan_item(plan, names, i), level);
	}
	return 0;
}

/* From the mount down to the parent of the cgroup. */
int cgroup_enable(const struct cgroup_place *place, const struct plan *plan, struct plan_texts names,
		  struct err *err)
{
	struct cgroup_path whole, level;
	int r = has_all(place->fd, "cgroup.controllers", plan, names);

	if (r > 0)
		return 0;
	if (r >= 0)
		r = cgroup_path_init(&whole, place->path);
	if (r < 0)
		return err_system(err, r, "cannot read the controllers of cgroup '%s'", place->path);
	level = whole;
	for (size_t i = 0; i < whole.len; i++) {
		_cleanup_fd_ int fd = -1;

		if (i > 0 && whole.text[i] != '/')
			continue;
		level.len = i;
		level.text[i] = '\0';
		fd = cgroup_path_open(place->mount_fd, &level, O_PATH);
		if (fd < 0)
			return err_system(err, fd, "cannot open cgroup '/%s'", level.text);
		r = enable_at(fd, level.text, plan, names, err);
		if (r < 0)
			return r;
		level.text[i] = whole.text[i];
	}
	return 0;
}
