/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Creates file systems by mount(2). fsconfig(2) accepts at most 255 bytes of a string, and the options of an
 * overlay with a few layers are longer. mount(2) accepts a page of options, but attaches the new mount. So its
 * target is a directory of an empty tmpfs that covers the container's root for this time; no lookup enters it,
 * because a lookup from the root's descriptor begins below it. From there the mount is copied as a detached
 * one.
 *
 * Process: init, before the pivot.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <tare/sys.h>

#ifndef MNT_DETACH
#define MNT_DETACH 2
#endif

#define FSCONFIG_MAX 255 /* fsconfig(2): bytes of a name, and of a value */
#define MOUNT_DATA 4096  /* mount(2): bytes of all options, with the NUL, for any page size */
#define MOUNT_NAME "mount"

static bool is_long(const char *option)
{
	size_t key = strcspn(option, "=");

	return key > FSCONFIG_MAX || (option[key] != '\0' && strlen(option + key + 1) > FSCONFIG_MAX);
}

bool mount_has_long_option(const struct plan *plan, const struct plan_mount *mount)
{
	const char *source = plan_get(plan, mount->source);

	if (source != NULL && strlen(source) > FSCONFIG_MAX)
		return true;
	for (uint32_t i = 0; i < mount->options.count; i++)
		if (is_long(plan_item(plan, mount->options, i)))
			return true;
	return false;
}

/* --- options in the form of mount(2) --- */

struct data {
	unsigned long flags; /* MS_*, of the superblock */
	size_t len;
	char text[MOUNT_DATA];
};

static bool add_flag(struct data *data, const char *option)
{
	static const struct {
		const char *name;
		unsigned long set, clear;
	} rows[] = {
		{"sync", MS_SYNCHRONOUS, 0},  {"async", 0, MS_SYNCHRONOUS},   {"dirsync", MS_DIRSYNC, 0},
		{"lazytime", MS_LAZYTIME, 0}, {"nolazytime", 0, MS_LAZYTIME},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (str_equal(option, rows[i].name)) {
			data->flags = (data->flags & ~rows[i].clear) | rows[i].set;
			return true;
		}
	return false;
}

static int add_text(struct data *data, const char *text, size_t len)
{
	if (data->len + len >= sizeof data->text)
		return -E2BIG;
	memcpy(data->text + data->len, text, len);
	data->len += len;
	data->text[data->len] = '\0';
	return 0;
}

/* Options are separated by commas. A label can contain commas, so it is quoted for the security module. */
static int add_option(struct data *data, const char *option, bool is_label)
{
	size_t key = strcspn(option, "="), len = strlen(option);
	bool is_quoted = is_label && option[key] == '=' && option[key + 1] != '"';
	int r = data->len > 0 ? add_text(data, ",", 1) : 0;

	if (r >= 0 && is_quoted)
		r = add_text(data, option, key + 1);
	if (r >= 0 && is_quoted)
		r = add_text(data, "\"", 1);
	if (r >= 0)
		r = is_quoted ? add_text(data, option + key + 1, len - key - 1) : add_text(data, option, len);
	return r >= 0 && is_quoted ? add_text(data, "\"", 1) : r;
}

static int collect(struct data *data, const struct plan *plan, const struct plan_mount *mount, int mode)
{
	const char *context = plan_get(plan, plan->mount_context);
	char text[16];
	int r = 0;

	data->len = 0;
	data->text[0] = '\0';
	data->flags = mount->is_superblock_readonly ? MS_RDONLY : 0;
	if (mode >= 0) {
		str_format(text, sizeof text, "mode=%o", (unsigned int)mode);
		r = add_option(data, text, false);
	}
	for (uint32_t i = 0; r >= 0 && i < mount->options.count; i++) {
		const char *option = plan_item(plan, mount->options, i);

		if (!add_flag(data, option))
			r = add_option(data, option, context != NULL && str_equal(option, context));
	}
	return r;
}

/* --- the stage --- */

static int make_stage(int *ret_fd)
{
	_cleanup_fd_ int fs_fd = k_fsopen("tmpfs", FSOPEN_CLOEXEC), fd = -1;
	int r = fs_fd < 0 ? fs_fd : k_fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0);

	fd = r < 0 ? r
		   : k_fsmount(fs_fd, FSMOUNT_CLOEXEC,
			       MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	r = fd < 0 ? fd : k_mkdirat(fd, MOUNT_NAME, 0700);
	if (r >= 0)
		*ret_fd = take_fd(&fd);
	return r;
}

int mount_stage_enter(struct mount_stage *stage, int root_fd, int fd)
{
	int r;

	stage->is_attached = false;
	stage->cwd_fd = k_openat(AT_FDCWD, ".", O_PATH | O_CLOEXEC, 0);
	/* The container's root user may have no search permission for the working directory. */
	if (stage->cwd_fd == -EACCES)
		stage->cwd_fd = k_fcntl(root_fd, F_DUPFD_CLOEXEC, 0);
	if (stage->cwd_fd < 0)
		return stage->cwd_fd;
	r = k_move_mount(fd, "", root_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
	if (r >= 0)
		r = k_fchdir(fd);
	stage->is_attached = r >= 0;
	return r;
}

int mount_stage_leave(struct mount_stage *stage)
{
	int r = 0;

	if (stage->is_attached) {
		r = k_umount2(".", MNT_DETACH);
		if (r >= 0)
			r = k_fchdir(stage->cwd_fd);
	}
	fd_close(&stage->cwd_fd);
	return r;
}

/* The working directory is the stage: a relative path in the options or the source does not lead to a file. */
int mount_by_data(const struct rootfs *rootfs, const struct plan_mount *mount, int mode)
{
	const struct plan *plan = rootfs->plan;
	_cleanup_fd_ int fd = -1, stage_fd = -1;
	struct mount_stage stage;
	struct data data;
	int r = collect(&data, plan, mount, mode), left;

	if (r >= 0)
		r = make_stage(&stage_fd);
	if (r < 0)
		return r;
	r = mount_stage_enter(&stage, rootfs->fd, stage_fd);
	if (r >= 0)
		r = k_mount(plan_get(plan, mount->source), MOUNT_NAME, plan_get(plan, mount->type), data.flags,
			    data.text);
	fd = r < 0 ? r : k_open_tree(stage_fd, MOUNT_NAME, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	r = fd < 0 ? fd : mount_set(fd, mount->attr_set, mount->attr_clear, 0, false);
	left = mount_stage_leave(&stage);
	if (r < 0 || left < 0)
		return r < 0 ? r : left;
	return take_fd(&fd);
}
