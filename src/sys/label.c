/* SPDX-License-Identifier: Apache-2.0 */
/* AppArmor and SELinux labels. Process: init, or the bridge of an exec. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <tare/sys.h>

#define TEXT_MAX 4096 /* bytes in one write(2); a label has to be written by one: proc_pid_attr(5) */

static int open_attribute(int proc_fd, const char *name)
{
	char path[48];

	str_format(path, sizeof path, "attr/%s", name);
	return process_open_self(proc_fd, path, O_WRONLY);
}

/* Without module stacking, attr/exec belongs to the only module; with it, each has a directory of its own. */
static int open_apparmor(int proc_fd, const char **ret_name)
{
	int fd = open_attribute(proc_fd, "apparmor/exec");

	*ret_name = "apparmor/exec";
	if (fd != -ENOENT)
		return fd;
	*ret_name = "exec";
	return open_attribute(proc_fd, "exec");
}

static int explain_apparmor(const char *profile, const char *name, int r, struct err *err)
{
	bool is_off = r == -EINVAL || r == -EOPNOTSUPP;

	r = err_system(err, r, "cannot set AppArmor profile '%s' by `/proc/self/attr/%s`", profile, name);
	if (r == -ENOENT)
		err_hint(err, "load the profile with apparmor_parser(8)");
	else if (is_off)
		err_hint(err, "AppArmor is not enabled on this host");
	return r;
}

static int set_apparmor(int proc_fd, const char *profile, struct err *err)
{
	const char *name;
	_cleanup_fd_ int fd = open_apparmor(proc_fd, &name);
	char text[TEXT_MAX];
	ssize_t r = fd;
	int len = str_format(text, sizeof text, "exec %s", profile);

	if (fd >= 0)
		r = (size_t)len < sizeof text ? k_write(fd, text, (size_t)len) : -E2BIG;
	/* If AppArmor is not enabled, every process is unconfined. */
	if ((fd == -ENOENT || r == -EINVAL) && str_equal(profile, "unconfined"))
		return 0;
	return r < 0 ? explain_apparmor(profile, name, fd == -ENOENT ? -EOPNOTSUPP : (int)r, err) : 0;
}

/* The kernel registers selinuxfs only if SELinux is enabled. */
static void explain_selinux(int proc_fd, int r, struct err *err)
{
	char text[TEXT_MAX];

	if (io_read_small(proc_fd, "filesystems", 0, text, sizeof text) < 0)
		return;
	for (char *at = text; *at != '\0'; at++)
		*at = *at == '\t' || *at == '\n' ? ' ' : *at;
	if (!str_has_word(text, "selinuxfs"))
		err_hint(err, "SELinux is not enabled on this host");
	else if (r == -EINVAL)
		err_hint(err, "the loaded SELinux policy does not know the label");
	else if (r == -EACCES)
		err_hint(err, "the SELinux policy does not permit the caller's domain to set a label");
}

static int set_selinux(int proc_fd, const char *label, const char *name, struct err *err)
{
	_cleanup_fd_ int fd = open_attribute(proc_fd, name);
	ssize_t r = fd < 0 ? fd : k_write(fd, label, strlen(label));
	if (r >= 0)
		return 0;
	r = err_system(err, (int)r, "cannot set SELinux label '%s' by `/proc/self/attr/%s`", label, name);
	explain_selinux(proc_fd, (int)r, err);
	return (int)r;
}

/*
 * The label for keys is set long before the label of the program, which the runtime's hooks must not have.
 * Engines search the error for attr/exec, the file of the program's label; a wrong label fails there as well,
 * so that error is reported.
 */
static int set_selinux_keys(int proc_fd, const char *label, struct err *err)
{
	int r = set_selinux(proc_fd, label, "keycreate", err);
	int asked = r < 0 ? set_selinux(proc_fd, label, "exec", err) : 0;

	return asked < 0 ? asked : r;
}

int label_set(const struct rootfs *rootfs, const struct plan_label *label, struct err *err)
{
	const char *text = plan_get(rootfs->plan, label->text);
	int proc_fd = rootfs->slot_base + label->slot;

	switch ((enum plan_label_kind)label->kind) {
	case PLAN_LABEL_APPARMOR:
		return set_apparmor(proc_fd, text, err);
	case PLAN_LABEL_SELINUX:
		return set_selinux(proc_fd, text, "exec", err);
	case PLAN_LABEL_SELINUX_KEYS:
		return set_selinux_keys(proc_fd, text, err);
	}
	return err_set(err, ERR_PEER, EPROTO, NULL, "a label has the unknown kind %u", label->kind);
}

int label_root_directory(int mount_fd, const char *label, struct err *err)
{
	_cleanup_fd_ int fd = k_openat(mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	int r = fd < 0 ? fd : k_fsetxattr(fd, "security.selinux", label, strlen(label) + 1, 0);

	return r < 0 ? err_set(err, ERR_SYSTEM, r, "/linux/mountLabel", "cannot set SELinux label '%s'", label)
		     : 0;
}
