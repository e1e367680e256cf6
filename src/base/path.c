/* SPDX-License-Identifier: Apache-2.0 */
/* Opens and creates files in a tree that other processes may change, without leaving it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <tare/base.h>

/*
 * openat2(2) returns EAGAIN when a rename anywhere on the system races with its check that ".." stays in the
 * tree. Another process can cause that without end, so the number of retries is limited.
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

/* --- places: a path that begins in a mount --- */

#define LINKS_MAX 40 /* path_resolution(7): as the kernel */

/* A copy of a place's path, in which follow_link replaces links by their targets. */
struct walk {
	struct path_place place;
	int links;
	char path[4096];
};

static int walk_begin(struct walk *walk, const struct path_place *place)
{
	size_t len = strlen(place->path);

	if (len >= sizeof walk->path)
		return -ENAMETOOLONG;
	memcpy(walk->path, place->path, len + 1);
	walk->place = *place;
	walk->place.path = walk->path;
	walk->links = 0;
	return 0;
}

/* Opens the first len bytes of the place's path, from the place's mount if they lead to it or below it. */
static int open_prefix(const struct path_place *place, size_t len, uint64_t flags)
{
	struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS};
	char text[4096];
	size_t from = place->base_fd >= 0 && len >= place->below ? place->below : 0;
	bool is_based = place->base_fd >= 0 && len >= place->below;
	int fd = -EXDEV;

	if (len >= sizeof text)
		return -ENAMETOOLONG;
	memcpy(text, place->path, len);
	text[len] = '\0';
	if (place->has_no_links)
		how.resolve |= RESOLVE_NO_SYMLINKS;
	if (is_based) {
		const char *rest = text + from + strspn(text + from, "/");

		how.resolve |= RESOLVE_BENEATH;
		fd = open_resolved(place->base_fd, rest[0] == '\0' ? "." : rest, &how);
		how.resolve &= ~(uint64_t)RESOLVE_BENEATH;
	}
	/* RESOLVE_BENEATH refuses a link that leads out of the mount: it is resolved from the tree's root. */
	if (fd == -EXDEV) {
		how.resolve |= RESOLVE_IN_ROOT;
		fd = open_resolved(place->root_fd, text[0] == '\0' ? "." : text, &how);
	}
	return fd;
}

int path_open(const struct path_place *place, uint64_t flags)
{
	return open_prefix(place, strlen(place->path), flags);
}

static int copy_name(const struct walk *walk, size_t from, size_t to, char ret[256])
{
	if (to - from >= 256)
		return -ENAMETOOLONG;
	memcpy(ret, walk->path + from, to - from);
	ret[to - from] = '\0';
	return 0;
}

/*
 * Replaces the component path[from..to), a symbolic link in the directory dir_fd, by the link's target, because
 * openat2(2) follows links to existing files only.
 */
static int follow_link(struct walk *walk, int dir_fd, size_t from, size_t to)
{
	size_t rest = strlen(walk->path + to), head;
	char name[256], link[4096];
	ssize_t len;
	int r = copy_name(walk, from, to, name);

	if (r < 0)
		return r;
	if (walk->place.has_no_links || ++walk->links > LINKS_MAX)
		return -ELOOP;
	len = k_readlinkat(dir_fd, name, link, sizeof link);
	if (len <= 0)
		return len < 0 ? (int)len : -ENOENT;
	head = link[0] == '/' ? 0 : from;
	if (head + (size_t)len + rest >= sizeof walk->path)
		return -ENAMETOOLONG;
	memmove(walk->path + head + len, walk->path + to, rest + 1);
	memcpy(walk->path + head, link, (size_t)len);
	if (head == 0)
		walk->place.base_fd = -1;
	return 0;
}

static bool is_link(int dir_fd, const char *name)
{
	struct stat st;

	return k_fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) >= 0 && S_ISLNK(st.st_mode);
}

/*
 * Creates and opens the directory named by the component path[from..to); another process may create it first.
 * -EAGAIN: the component was a link to a missing file, and the path now contains the link's target instead.
 */
static int mkdir_step(struct walk *walk, int dir_fd, size_t from, size_t to, const struct path_making *making)
{
	char name[256];
	int r = copy_name(walk, from, to, name);

	if (r < 0)
		return r;
	if (str_equal(name, ".."))
		return -ENOENT;
	if (is_link(dir_fd, name)) {
		r = follow_link(walk, dir_fd, from, to);
		return r < 0 ? r : -EAGAIN;
	}
	if (making->check != NULL)
		r = making->check(making->context, dir_fd);
	if (r >= 0)
		r = k_mkdirat(dir_fd, name, making->mode);
	if (r < 0 && r != -EEXIST)
		return r;
	return k_openat(dir_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
}

/*
 * Creates the missing directories of the path up to the offset end. Each prefix of the path is resolved from
 * the beginning, so that links and ".." are resolved inside the tree; only the last component of a prefix is
 * created.
 */
static int make_missing(struct walk *walk, size_t end, const struct path_making *making)
{
	size_t at = walk->place.base_fd >= 0 ? walk->place.below : 0;
	int fd = open_prefix(&walk->place, at, O_PATH | O_DIRECTORY);

	while (fd >= 0) {
		_cleanup_fd_ int dir_fd = fd;
		size_t from;

		while (at < end && walk->path[at] == '/')
			at++;
		if (at >= end)
			return take_fd(&dir_fd);
		from = at;
		while (at < end && walk->path[at] != '/')
			at++;
		fd = open_prefix(&walk->place, at, O_PATH | O_DIRECTORY);
		if (fd == -ENOENT)
			fd = mkdir_step(walk, dir_fd, from, at, making);
	}
	return fd;
}

/* Opens the directory that the path without its last tail bytes names, and creates it if it is missing. */
static int mkdir_before(struct walk *walk, size_t tail, const struct path_making *making)
{
	int fd = open_prefix(&walk->place, strlen(walk->path) - tail, O_PATH | O_DIRECTORY);

	if (fd != -ENOENT)
		return fd;
	do
		fd = make_missing(walk, strlen(walk->path) - tail, making);
	while (fd == -EAGAIN);
	return fd;
}

int path_mkdir(const struct path_place *place, const struct path_making *making)
{
	struct walk walk;
	int r = walk_begin(&walk, place);

	return r < 0 ? r : mkdir_before(&walk, 0, making);
}

static const char *last_name(const char *path)
{
	const char *name = strrchr(path, '/');

	name = name == NULL ? path : name + 1;
	return str_equal(name, "") || str_equal(name, ".") || str_equal(name, "..") ? NULL : name;
}

int path_open_parent(const struct path_place *place, const struct path_making *making, const char **ret_name)
{
	const char *name = last_name(place->path);
	struct walk walk;
	int r = name == NULL ? -EINVAL : walk_begin(&walk, place);

	if (r < 0)
		return r;
	*ret_name = name;
	return mkdir_before(&walk, strlen(name), making);
}

int path_make_file(const struct path_place *place, unsigned int mode)
{
	const struct path_making parents = {.mode = 0755};
	struct walk walk;
	int r = walk_begin(&walk, place);

	while (r >= 0) {
		_cleanup_fd_ int dir_fd = -1, fd = -1;
		const char *name = last_name(walk.path);

		if (name == NULL)
			return -EINVAL;
		dir_fd = mkdir_before(&walk, strlen(name), &parents);
		if (dir_fd < 0)
			return dir_fd;
		/* mkdir_before may have replaced links in the path, and moved the name. */
		name = last_name(walk.path);
		fd = k_openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
		if (fd < 0 && fd != -EEXIST)
			return fd;
		if (fd >= 0 || !is_link(dir_fd, name))
			return k_openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
		r = follow_link(&walk, dir_fd, (size_t)(name - walk.path), strlen(walk.path));
	}
	return r;
}

bool path_next_candidate(const char **list, const char *name, char *buf, size_t size)
{
	const char *dir = *list;
	size_t len = strcspn(dir, ":");

	*list = dir[len] == '\0' ? NULL : dir + len + 1;
	if (len + strlen(name) + 2 >= size)
		return false;
	str_format(buf, size, "%.*s%s%s", (int)len, dir, len > 0 ? "/" : "./", name);
	return true;
}
