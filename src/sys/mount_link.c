/* SPDX-License-Identifier: Apache-2.0 */
/* Symbolic links in place of binds. Process: init, before the pivot. */
#include <errno.h>
#include <linux/limits.h>
#include <string.h>
#include <sys/stat.h>

#include <tare/sys.h>

struct link_text {
	char text[PATH_MAX];
};

/* With an empty name: of the link that fd is open on. */
static int read_link(int fd, const char *name, struct link_text *ret)
{
	ssize_t len = k_readlinkat(fd, name, ret->text, sizeof ret->text);

	if (len < 0 || len == (ssize_t)sizeof ret->text)
		return len < 0 ? (int)len : -ENAMETOOLONG;
	ret->text[len] = '\0';
	return 0;
}

static bool is_same_link(int dir_fd, const char *name, const struct link_text *wanted)
{
	struct link_text existing;

	return read_link(dir_fd, name, &existing) >= 0 && str_equal(existing.text, wanted->text);
}

static int make_link(struct rootfs *rootfs, const char *target, const struct link_text *link, struct err *err)
{
	const char *name;
	_cleanup_fd_ int dir_fd = bind_check_open_own_parent(rootfs, target, &name, err);
	int r = dir_fd < 0 ? dir_fd : bind_check_own(rootfs, dir_fd, target, err);

	if (r < 0)
		return r;
	r = k_symlinkat(link->text, dir_fd, name);
	if (r >= 0 || (r == -EEXIST && is_same_link(dir_fd, name, link)))
		return 1;
	err_system(err, r, "cannot make the link '%s' to '%.200s'", target, link->text);
	if (r == -EEXIST)
		err_hint(err, "copy-symlink replaces nothing: remove it from the root file system");
	return r;
}

int mount_copy_link(struct rootfs *rootfs, const struct plan_mount *mount, struct err *err)
{
	int fd = rootfs->slot_base + mount->source_slot, r;
	struct link_text link;
	struct stat st;

	r = k_fstat(fd, &st);
	if (r >= 0 && !S_ISLNK(st.st_mode))
		return 0;
	if (r >= 0)
		r = read_link(fd, "", &link);
	if (r < 0)
		return err_system(err, r, "cannot read the link '%s'", plan_get(rootfs->plan, mount->source));
	return make_link(rootfs, plan_get(rootfs->plan, mount->target), &link, err);
}
