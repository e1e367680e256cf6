/* SPDX-License-Identifier: Apache-2.0 */
/* Finds out why a mount was refused if the errno has several causes. Process: init, before the pivot. */
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <string.h>
#include <sys/stat.h>

#include <tare/sys.h>

/* File systems that show a namespace: the user namespace that mounts them has to own that namespace. */
static const struct {
	const char *type, *file, *name;
	const char *covered; /* mount_namespaces(7): a new mount must not show more than the existing ones */
} shown[] = {
	{"proc", "/proc/self/ns/pid", "a pid", "a masked /proc on this host forbids"},
	{"sysfs", "/proc/self/ns/net", "a network", "a masked /sys on this host forbids"},
	{"mqueue", "/proc/self/ns/ipc", "an ipc", NULL},
	{"cgroup2", "/proc/self/ns/cgroup", "a cgroup", NULL},
};

/* Whether this user namespace owns the namespace; /proc is still the host's. 1, 0 or -errno. */
static int is_owned(const char *file)
{
	_cleanup_fd_ int fd = k_openat(AT_FDCWD, file, O_RDONLY | O_CLOEXEC, 0);
	_cleanup_fd_ int owner_fd = fd < 0 ? fd : k_ioctl(fd, NS_GET_USERNS, NULL);
	struct stat owner, own;
	int r;

	/* ioctl_ns(2), EPERM: the owner is outside of this user namespace. */
	if (fd >= 0 && owner_fd == -EPERM)
		return 0;
	r = owner_fd < 0 ? owner_fd : k_fstat(owner_fd, &owner);
	if (r >= 0)
		r = k_fstatat(AT_FDCWD, "/proc/self/ns/user", &own, 0);
	return r < 0 ? r : owner.st_dev == own.st_dev && owner.st_ino == own.st_ino;
}

static void hint_denied(const char *type, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++) {
		int r = str_equal(type, shown[i].type) ? is_owned(shown[i].file) : -ENOENT;

		if (r == 0)
			err_hint(err, "needs %s namespace that belongs to the container's user namespace",
				 shown[i].name);
		else if (r > 0 && shown[i].covered != NULL)
			err_hint(err, "%s a fresh one in a user namespace", shown[i].covered);
	}
}

void mount_hint_new(const char *type, int r, struct err *err)
{
	if (r == -EPERM)
		hint_denied(type, err);
	else if (r == -E2BIG)
		err_hint(err, "if one of its options is longer than 255 bytes, all of them together can have "
			      "at most 4095");
}

void mount_hint_file(const struct rootfs *rootfs, const char *path, int r, struct err *err)
{
	char prefix[sizeof err->hint - 32];
	size_t len = strlen(path);

	for (size_t i = 1; r == -ENOTDIR && i < len && i < sizeof prefix; i++) {
		_cleanup_fd_ int fd = -1;
		struct stat st;

		if (path[i] != '/')
			continue;
		memcpy(prefix, path, i);
		prefix[i] = '\0';
		fd = path_open_in_root(rootfs->fd, prefix, O_PATH, 0);
		if (fd < 0 || k_fstat(fd, &st) < 0 || S_ISDIR(st.st_mode))
			continue;
		err_hint(err, "'%s' is not a directory", prefix);
		return;
	}
}
