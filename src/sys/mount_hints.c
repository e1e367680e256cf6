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
	const char *path; /* mount_namespaces(7): a new mount must not show more than the existing one */
} shown[] = {
	{"proc", "/proc/self/ns/pid", "a pid", "/proc"},
	{"sysfs", "/proc/self/ns/net", "a network", "/sys"},
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

/*
 * Directories that the kernel keeps empty as mount points: a mount on one of them hides nothing, so it does not
 * prevent a fresh procfs or sysfs (mount_namespaces(7)).
 */
static const char empty_directories[] = "/proc/sys/fs/binfmt_misc /proc/fs/nfsd /sys/fs/cgroup /sys/fs/bpf "
					"/sys/fs/pstore /sys/fs/fuse/connections "
					"/sys/fs/selinux /sys/fs/smackfs /sys/fs/resctrl /sys/kernel/debug "
					"/sys/kernel/tracing /sys/kernel/config "
					"/sys/kernel/security /sys/firmware/efi/efivars";

bool mount_hides(const char *target)
{
	return !str_has_word(empty_directories, target);
}

/* The rest of a line after count fields, each of which ends with a blank. */
static const char *skip_fields(const char *line, int count)
{
	while (count-- > 0 && *line != '\0') {
		line += strcspn(line, " ");
		line += *line == ' ';
	}
	return line;
}

static bool has_id(const char *line, const char *id)
{
	return str_has_prefix(line, id);
}

/* Whether the mount is over a part of the mount with this id. */
static bool is_over(const char *line, const char *id)
{
	char target[64];
	const char *at = skip_fields(line, 4);

	str_format(target, sizeof target, "%.*s", (int)strcspn(at, " "), at);
	return str_has_prefix(skip_fields(line, 1), id) && mount_hides(target);
}

/* The end of a line in text, or NULL if the line is incomplete. */
static char *end_line(char *text)
{
	char *end = strchr(text, '\n');

	if (end != NULL)
		*end = '\0';
	return end;
}

typedef bool (*line_test)(const char *line, const char *id);

/* Copies the first line of /proc/self/mountinfo (proc_pid_mountinfo(5)) that passes the test. */
static bool find_line(line_test test, const char *id, char *ret_line, size_t size)
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
			if (test(line, id)) {
				str_format(ret_line, size, "%s", line);
				return true;
			}
		used = strlen(line);
		memmove(block, line, used);
	}
	return false;
}

/* The same with the id of the mount that path is on, and a blank. False also if that is unknown. */
static bool find_mount(int at_fd, const char *path, line_test test, char *ret_line, size_t size)
{
	struct statx st = {0};
	char id[24];

	if (k_statx(at_fd, path, path[0] == '\0' ? AT_EMPTY_PATH : 0, STATX_MNT_ID, &st) < 0 ||
	    (st.stx_mask & STATX_MNT_ID) == 0)
		return false;
	str_format(id, sizeof id, "%llu ", (unsigned long long)st.stx_mnt_id);
	return find_line(test, id, ret_line, size);
}

/* Names a mount that hides a part of the existing file system at path, of which the kernel allows no other one.
 */
static void hint_covered(const char *path, struct err *err)
{
	char line[4096];
	const char *at;

	if (!find_mount(AT_FDCWD, path, is_over, line, sizeof line))
		return;
	at = skip_fields(line, 4);
	err_hint(err, "the mount on %.*s forbids a fresh one in a user namespace%s", (int)strcspn(at, " "), at,
		 str_equal(path, "/proc") ? ": --proc bind shows the caller's" : "");
}

void mount_hint_owner(const char *type, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
		if (str_equal(type, shown[i].type) && is_owned(shown[i].file) == 0)
			err_hint(err, "needs %s namespace that belongs to the container's user namespace",
				 shown[i].name);
}

static void hint_denied(const char *type, struct err *err)
{
	mount_hint_owner(type, err);
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
		if (str_equal(type, shown[i].type) && shown[i].path != NULL && is_owned(shown[i].file) > 0)
			hint_covered(shown[i].path, err);
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

/* Whether the mount that path is on is unbindable (mount_namespaces(7)). False also if that is unknown. */
static bool is_unbindable(int at_fd, const char *path)
{
	char line[4096];

	return find_mount(at_fd, path, has_id, line, sizeof line) && str_has_word(line, "unbindable");
}

/* Whether the mount has the option, one of those that commas separate in the sixth field. */
static bool has_option(const char *line, const char *option)
{
	const char *at = skip_fields(line, 5);
	size_t len = strcspn(at, ", ");

	while (len != strlen(option) || strncmp(at, option, len) != 0) {
		if (at[len] != ',')
			return false;
		at += len + 1;
		len = strcspn(at, ", ");
	}
	return true;
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

/* mount_setattr(2): for a new copy of a mount EPERM has only these two causes. */
static void hint_not_permitted(const struct mount_refused_idmap *refused, struct err *err)
{
	char line[4096];

	if (!find_mount(refused->at_fd, refused->at_fd >= 0 ? "" : refused->path, has_id, line, sizeof line))
		return;
	if (has_option(line, "idmapped"))
		err_hint(err, "its mount is idmapped already");
	else
		err_hint(err, "its file system was mounted in another user namespace, where the caller has no "
			      "rights");
}

void mount_hint_idmap(const struct mount_refused_idmap *refused, int r, struct err *err)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)refused->userns_fd};
	bool is_inside = refused->is_recursive && k_mount_setattr(refused->fd, "", AT_EMPTY_PATH, &attr) == 0;

	/*
	 * mount_setattr(2): for a new copy of a mount, and an open user namespace, EINVAL has no other cause.
	 */
	if (r == -EINVAL)
		err_hint(err, "%s does not support idmapped mounts",
			 is_inside ? "the file system of a mount inside it" : "its file system");
	else if (r == -EPERM && !is_inside && refused->path != NULL)
		hint_not_permitted(refused, err);
}

void mount_hint_remount(int fd, int r, struct err *err)
{
	struct statx st = {0};

	if (r == -EINVAL && k_statx(fd, "", AT_EMPTY_PATH, 0, &st) >= 0 &&
	    (st.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0 &&
	    (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0)
		err_hint(err, "nothing is mounted there");
}
