/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <tare/base.h>

/*
 * openat2(2) gives EAGAIN when a rename anywhere on the system races with a ".." that it has to be sure of.
 * A hostile neighbour can provoke that for as long as it likes, so the retries have an end.
 */
#define EAGAIN_RETRIES 128

static int open_resolved(int dir_fd, const char *path, struct open_how *how)
{
	int fd = -EAGAIN;

	for (int i = 0; fd == -EAGAIN && i < EAGAIN_RETRIES; i++)
		fd = k_openat2(dir_fd, path, how);
	return fd;
}

bool path_is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	while (len > 0 && dir[len - 1] == '/')
		len--;
	return strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

int path_open_in_root(int root_fd, const char *path, uint64_t flags, unsigned int mode)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.mode = mode,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};

	return open_resolved(root_fd, path, &how);
}

int path_open_beneath(int dir_fd, const char *path, uint64_t flags, unsigned int mode)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.mode = mode,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};

	return open_resolved(dir_fd, path, &how);
}

/* The longest leading part of path that is followed by more components ends here. */
static const char *component_end(const char *path)
{
	while (*path != '\0' && *path != '/')
		path++;
	return path;
}

/* Creates one directory by its own name and opens it; somebody else may have been quicker. */
static int mkdir_step(int dir_fd, const char *name, unsigned int mode)
{
	int fd, r = k_mkdirat(dir_fd, name, mode);
	struct stat st;

	if (r < 0 && r != -EEXIST)
		return r;
	fd = k_openat(dir_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd == -ENOTDIR && k_fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) >= 0 && S_ISLNK(st.st_mode))
		return -ENOLINK;
	return fd;
}

/*
 * Opens the first len bytes of path as a directory below root_fd. Every prefix is resolved from root_fd anew,
 * so that links and ".." mean what they mean in the tree; only the last component is ever created.
 */
static int open_prefix(int root_fd, int parent_fd, const char *path, size_t len, unsigned int mode)
{
	char prefix[4096], name[256];
	const char *last = path + len;
	size_t name_len;
	int fd;

	if (len >= sizeof prefix)
		return -ENAMETOOLONG;
	memcpy(prefix, path, len);
	prefix[len] = '\0';
	fd = path_open_in_root(root_fd, prefix, O_PATH | O_DIRECTORY, 0);
	if (fd != -ENOENT)
		return fd;
	while (last > path && last[-1] != '/')
		last--;
	name_len = (size_t)(path + len - last);
	if (name_len >= sizeof name)
		return -ENAMETOOLONG;
	memcpy(name, last, name_len);
	name[name_len] = '\0';
	if (str_equal(name, ".."))
		return -ENOENT;
	return mkdir_step(parent_fd, name, mode);
}

int path_mkdir_in_root(int root_fd, const char *path, unsigned int mode)
{
	const char *at = path;
	int fd;

	fd = path_open_in_root(root_fd, path[0] == '\0' ? "." : path, O_PATH | O_DIRECTORY, 0);
	if (fd != -ENOENT)
		return fd;
	fd = path_open_in_root(root_fd, ".", O_PATH | O_DIRECTORY, 0);
	while (fd >= 0) {
		_cleanup_fd_ int parent_fd = fd;

		while (*at == '/')
			at++;
		if (*at == '\0')
			return take_fd(&parent_fd);
		at = component_end(at);
		fd = open_prefix(root_fd, parent_fd, path, (size_t)(at - path), mode);
	}
	return fd;
}

int path_open_parent(int root_fd, const char *path, const char **ret_name)
{
	char parent[4096];
	const char *name = strrchr(path, '/');
	size_t len;

	name = name == NULL ? path : name + 1;
	if (str_equal(name, "") || str_equal(name, ".") || str_equal(name, ".."))
		return -EINVAL;
	len = (size_t)(name - path);
	if (len >= sizeof parent)
		return -ENAMETOOLONG;
	memcpy(parent, path, len);
	parent[len] = '\0';
	*ret_name = name;
	return path_mkdir_in_root(root_fd, parent, 0755);
}
