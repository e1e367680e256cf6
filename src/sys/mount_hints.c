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

void mount_hint_file(int root_fd, const char *path, int r, struct err *err)
{
	char prefix[sizeof err->hint - 32];
	size_t len = strlen(path);

	for (size_t i = 1; r == -ENOTDIR && i <= len && i < sizeof prefix; i++) {
		_cleanup_fd_ int fd = -1;
		struct stat st;

		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(prefix, path, i);
		prefix[i] = '\0';
		fd = path_open_in_root(root_fd, prefix, O_PATH, 0);
		if (fd < 0 || k_fstat(fd, &st) < 0 || S_ISDIR(st.st_mode))
			continue;
		err_hint(err, "'%s' is not a directory", prefix);
		return;
	}
}

/* The end of a line in text, or NULL if the line is incomplete. */
static char *end_line(char *text)
{
	char *end = strchr(text, '\n');

	if (end != NULL)
		*end = '\0';
	return end;
}

/* Copies the line of /proc/self/mountinfo (proc_pid_mountinfo(5)) that begins with prefix. */
static bool find_mount(const char *prefix, char *ret_line, size_t size)
{
	_cleanup_fd_ int fd = k_openat(AT_FDCWD, "/proc/self/mountinfo", O_RDONLY | O_CLOEXEC, 0);
	char block[16 << 10];
	size_t used = 0;
	ssize_t len;

	while (fd >= 0 && used < sizeof block - 1 &&
	       (len = k_read(fd, block + used, sizeof block - 1 - used)) > 0) {
		char *line = block;

		block[used + (size_t)len] = '\0';
		for (char *end; (end = end_line(line)) != NULL; line = end + 1)
			if (str_has_prefix(line, prefix)) {
				str_format(ret_line, size, "%s", line);
				return true;
			}
		used = strlen(line);
		memmove(block, line, used);
	}
	return false;
}

/* Whether the mount that path is on is unbindable (mount_namespaces(7)). False also if that is unknown. */
static bool is_unbindable(int at_fd, const char *path)
{
	struct statx st = {0};
	char prefix[24], line[4096];

	if (k_statx(at_fd, path, path[0] == '\0' ? AT_EMPTY_PATH : 0, STATX_MNT_ID, &st) < 0 ||
	    (st.stx_mask & STATX_MNT_ID) == 0)
		return false;
	str_format(prefix, sizeof prefix, "%llu ", (unsigned long long)st.stx_mnt_id);
	return find_mount(prefix, line, sizeof line) && str_has_word(line, "unbindable");
}

void mount_hint_copy(const struct mount_refused_copy *refused, int r, struct err *err)
{
	const char *path = refused->at_fd >= 0 ? "" : refused->path;
	_cleanup_fd_ int fd = -1;

	if (r != -EINVAL)
		return;
	if (!refused->is_recursive)
		fd = k_open_tree(refused->at_fd, path,
				 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE |
					 (path[0] == '\0' ? AT_EMPTY_PATH : 0));
	if (fd >= 0)
		err_hint(err, "mounts inside it are locked to it, and cannot be omitted: use rbind");
	else if (is_unbindable(refused->at_fd, path))
		err_hint(err, "its mount is unbindable: mount --make-private changes that");
}

void mount_hint_remount(int fd, int r, struct err *err)
{
	struct statx st = {0};

	if (r == -EINVAL && k_statx(fd, "", AT_EMPTY_PATH, 0, &st) >= 0 &&
	    (st.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0 &&
	    (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0)
		err_hint(err, "nothing is mounted there");
}
