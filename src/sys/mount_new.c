/* SPDX-License-Identifier: Apache-2.0 */
/* Makes new file systems with the options of the plan (fsopen(2), fsconfig(2), fsmount(2)). Process: init. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <tare/sys.h>

/* Uses the file system's own message about a failure as the hint: read(2) of fsopen(2)'s descriptor. */
static void hint_fs_message(int fs_fd, struct err *err)
{
	char text[160];
	ssize_t len = k_read(fs_fd, text, sizeof text - 1);

	if (len <= 2 || text[1] != ' ')
		return;
	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	err_hint(err, "%s", text + 2);
}

int mount_set_option(int fs_fd, const char *option)
{
	const char *equals = strchr(option, '=');
	char key[256];
	size_t len;

	if (equals == NULL)
		return k_fsconfig(fs_fd, FSCONFIG_SET_FLAG, option, NULL, 0);
	len = (size_t)(equals - option);
	if (len >= sizeof key)
		return -EINVAL;
	memcpy(key, option, len);
	key[len] = '\0';
	return k_fsconfig(fs_fd, FSCONFIG_SET_STRING, key, equals + 1, 0);
}

/* Options of mount(8) without an effect, which tools and engines pass: file systems do not accept them. */
static bool is_empty_option(const char *option)
{
	return str_equal(option, "async") || str_equal(option, "nolazytime");
}

static int set_options(const struct plan *plan, const struct plan_mount *mount, int fs_fd, struct err *err)
{
	const char *type = plan_get(plan, mount->type);
	const char *source = plan_get(plan, mount->source), *context = plan_get(plan, plan->mount_context);
	int r;

	r = source == NULL ? 0 : k_fsconfig(fs_fd, FSCONFIG_SET_STRING, "source", source, 0);
	if (r < 0)
		return err_system(err, r, "cannot set the source '%s' of file system '%s'", source, type);
	r = mount->is_superblock_readonly ? k_fsconfig(fs_fd, FSCONFIG_SET_FLAG, "ro", NULL, 0) : 0;
	if (r < 0)
		return err_system(err, r, "cannot make file system '%s' read-only", type);
	for (uint32_t i = 0; i < mount->options.count; i++) {
		const char *option = plan_item(plan, mount->options, i);

		r = mount_set_option(fs_fd, option);
		if (r < 0 && !is_empty_option(option)) {
			const char *json_pointer =
				context != NULL && str_equal(option, context) ? "/linux/mountLabel" : NULL;

			r = err_set(err, ERR_SYSTEM, r, json_pointer,
				    "cannot set option '%s' of file system '%s'", option, type);
			hint_fs_message(fs_fd, err);
			return r;
		}
	}
	return 0;
}

/*
 * A tmpfs without mode= gets the mode of the directory that it covers, unless that was created for it. -1: the
 * default of the file system.
 */
static int mode_of(const struct plan_mount *mount, int target_fd, int *ret_mode)
{
	struct stat st;
	int r;

	*ret_mode = -1;
	if (!mount->is_mode_of_target || target_fd < 0)
		return 0;
	r = k_fstat(target_fd, &st);
	if (r >= 0)
		*ret_mode = (int)(st.st_mode & 07777);
	return r;
}

static int explain_mount(const struct plan *plan, const struct plan_mount *mount, int r, struct err *err)
{
	const char *type = plan_get(plan, mount->type);

	if (r == -ENODEV)
		return err_set(err, ERR_UNSUPPORTED, ENODEV, NULL,
			       "file system '%s' is not known to this kernel", type);
	err_system(err, r, "cannot mount '%s' on '%s'", type, plan_get(plan, mount->target));
	/* The files of /proc that explain it would be those of an existing container, if it has them. */
	if (plan_find(plan, PLAN_ROOT) != NULL)
		mount_hint_new(type, r, err);
	return r;
}

static int mount_by_fsconfig(const struct plan *plan, const struct plan_mount *mount, int mode, struct err *err)
{
	const char *type = plan_get(plan, mount->type), *target = plan_get(plan, mount->target);
	_cleanup_fd_ int fs_fd = k_fsopen(type, FSOPEN_CLOEXEC);
	char text[16];
	int r, fd;

	if (fs_fd < 0 && fs_fd != -EPERM)
		return explain_mount(plan, mount, fs_fd, err);
	/* What the existing mounts do not permit is refused later; only sysfs checks its namespace here. */
	if (fs_fd < 0) {
		err_system(err, fs_fd, "cannot mount '%s' on '%s'", type, target);
		if (plan_find(plan, PLAN_ROOT) != NULL)
			mount_hint_owner(type, err);
		return fs_fd;
	}
	str_format(text, sizeof text, "%o", (unsigned int)mode);
	r = mode < 0 ? 0 : k_fsconfig(fs_fd, FSCONFIG_SET_STRING, "mode", text, 0);
	if (r < 0)
		return err_system(err, r, "cannot set the mode of the mount on '%s'", target);
	r = set_options(plan, mount, fs_fd, err);
	if (r < 0)
		return r;
	r = k_fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	fd = r < 0 ? r : k_fsmount(fs_fd, FSMOUNT_CLOEXEC, (unsigned int)mount->attr_set);
	if (fd >= 0)
		return fd;
	r = explain_mount(plan, mount, fd, err);
	if (err->hint[0] == '\0')
		hint_fs_message(fs_fd, err);
	return r;
}

int mount_new(const struct rootfs *rootfs, const struct plan_mount *mount, int target_fd, struct err *err)
{
	const struct plan *plan = rootfs->plan;
	int mode, fd, r = mode_of(mount, target_fd, &mode);

	if (r < 0)
		return err_system(err, r, "cannot stat mount target '%s'", plan_get(plan, mount->target));
	if (!mount_has_long_option(plan, mount))
		return mount_by_fsconfig(plan, mount, mode, err);
	/* It would cover the root of a container that runs already, for a moment. */
	if (plan_find(plan, PLAN_ROOT) == NULL)
		return err_set(err, ERR_UNSUPPORTED, E2BIG, NULL,
			       "an existing container cannot get a mount with an option or source of more than "
			       "255 bytes");
	fd = mount_by_data(rootfs, mount, mode);
	return fd < 0 ? explain_mount(plan, mount, fd, err) : fd;
}
