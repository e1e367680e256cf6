/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root directory: which one, and how it is opened and made. All commands choose by the same facts, which a
 * container does not change, so that they find the same directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "private.h"

#define SHARED "/tmp"

struct root {
	char *path;
	const char *user_dir; /* the value of XDG_RUNTIME_DIR, if the path is below it; or NULL */
	bool is_shared;       /* the path is in SHARED, where other users can make files, too */
};

static void root_done(struct root *root)
{
	mem_free(&root->path);
}
#define _cleanup_root_ __attribute__((cleanup(root_done)))

/* --- the choice --- */

/* -ENOENT would mean that there is no root directory, but without /proc that is unknown. */
static int refuse_proc(int r, struct err *err)
{
	err_system(err, r, "cannot read /proc to choose the root directory");
	err_hint(err, r == -ENOENT ? "a procfs has to be mounted on /proc, or give --root" : "give --root");
	return r == -ENOENT ? -ENODEV : r;
}

/* 1: not in the initial user namespace, 0, or -errno with *err. */
static int is_in_user_ns(struct err *err)
{
	struct stat stat;
	int r = k_fstatat(AT_FDCWD, "/proc/self/ns/user", &stat, 0);

	if (r >= 0)
		return stat.st_ino != USER_NS_INITIAL;
	return refuse_proc(r, err);
}

/*
 * The number of this user in the parent user namespace, so that "unshare -r" does not change the directory:
 * root there is this user.
 */
static int find_outer_uid(uint32_t *ret, struct err *err)
{
	_cleanup_buf_ struct buf map = {0};
	int r = io_read_file(AT_FDCWD, "/proc/self/uid_map", 1 << 16, &map);
	const char *at = map.data;
	struct id_map_line line;

	if (r < 0)
		return refuse_proc(r, err);
	*ret = geteuid();
	while (id_map_next(&at, &line))
		if (id_map_has(&line, geteuid()))
			*ret = (uint32_t)(line.outside + (geteuid() - line.first));
	return 0;
}

/*
 * Root of a user namespace may write to /run if that belongs to the namespace, as in a container of an engine.
 */
static bool is_run_writable(void)
{
	int r = k_faccessat2(AT_FDCWD, "/run", W_OK, AT_EACCESS);

	return r != -EACCES && r != -EPERM && r != -EROFS;
}

static bool is_own_directory(const char *path)
{
	struct stat stat;

	return k_fstatat(AT_FDCWD, path, &stat, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(stat.st_mode) &&
	       stat.st_uid == geteuid() && (stat.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* For a user without XDG_RUNTIME_DIR: the directory that systemd would set it to, or one in SHARED. */
static int choose_unset(struct root *ret, struct err *err)
{
	_cleanup_free_ char *user_dir = NULL;
	uint32_t uid = 0;
	int r = find_outer_uid(&uid, err);

	if (r < 0)
		return r;
	user_dir = mem_format("/run/user/%u", uid);
	ret->is_shared = !is_own_directory(user_dir);
	ret->path = ret->is_shared ? mem_format(SHARED "/tare-%u", uid) : mem_format("%s/tare", user_dir);
	return 0;
}

/* Chooses the root directory for this user; root_done frees *ret. */
static int choose_default(struct root *ret, struct err *err)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");
	bool is_root = geteuid() == 0;
	int is_inner = is_root ? is_in_user_ns(err) : 0;

	if (is_inner < 0)
		return is_inner;
	if (is_root && (!is_inner || (str_is_empty(dir) && is_run_writable()))) {
		ret->path = mem_dup("/run/tare");
		return 0;
	}
	if (str_is_empty(dir))
		return choose_unset(ret, err);
	if (dir[0] != '/') {
		err_set(err, ERR_USAGE, 0, NULL, "cannot use XDG_RUNTIME_DIR '%s': it is not an absolute path",
			dir);
		err_hint(err, "set it to an absolute path, or give --root");
		return -EINVAL;
	}
	ret->user_dir = dir;
	ret->path = mem_format("%s/tare", dir);
	return 0;
}

static int choose(const char *path, struct root *ret, struct err *err)
{
	if (path == NULL)
		return choose_default(ret, err);
	if (path[0] == '\0')
		return err_set(err, ERR_USAGE, 0, NULL, "Option --root argument should not be empty");
	ret->path = mem_dup(path);
	return 0;
}

int state_root_path(const char *path, char **ret_path, struct err *err)
{
	_cleanup_root_ struct root root = {NULL};
	_cleanup_free_ char *here = NULL;
	int r = choose(path, &root, err);

	if (r < 0)
		return r;
	if (root.path[0] == '/') {
		*ret_path = take_ptr(root.path);
		return 0;
	}
	here = getcwd(NULL, 0);
	if (here == NULL)
		return err_system(err, errno, "cannot find the working directory");
	*ret_path = mem_format("%s/%s", here, root.path);
	return 0;
}

/* --- a directory that only this user can write to --- */

/* mkdir -p of the parents. The path is the caller's own argument, so symbolic links in it are followed. */
static int make_parents(const char *path)
{
	_cleanup_free_ char *copy = mem_dup(path);

	for (char *slash = copy + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
		int r;

		*slash = '\0';
		r = k_mkdirat(AT_FDCWD, copy, 0755);
		if (r < 0 && r != -EEXIST)
			return r;
		*slash = '/';
	}
	return 0;
}

static int open_directory(const char *path)
{
	return k_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
}

static int create_root(const char *path)
{
	_cleanup_free_ char *copy = mem_dup(path);
	int r;

	for (size_t len = strlen(copy); len > 1 && copy[len - 1] == '/'; len--)
		copy[len - 1] = '\0';
	r = k_mkdirat(AT_FDCWD, copy, 0700);
	if (r == -ENOENT) {
		r = make_parents(copy);
		if (r == 0)
			r = k_mkdirat(AT_FDCWD, copy, 0700);
	}
	return r < 0 && r != -EEXIST ? r : open_directory(copy);
}

/* A user who can write to the root could add a record, and so make tare kill and remove what it names. */
static int check_root(int fd, const char *path, struct err *err)
{
	struct stat root, top;
	int r = k_fstat(fd, &root);

	if (r == 0)
		r = k_fstatat(AT_FDCWD, "/", &top, 0);
	if (r < 0)
		return err_system(err, r, "cannot inspect the root directory '%s'", path);
	if (root.st_dev == top.st_dev && root.st_ino == top.st_ino)
		return err_set(err, ERR_USAGE, 0, NULL, "Option --root argument should not be set to /");
	if (root.st_uid != geteuid() && root.st_uid != 0)
		return err_set(err, ERR_USAGE, 0, NULL,
			       "cannot use the root directory '%s': it belongs to uid %u", path, root.st_uid);
	if ((root.st_mode & (S_IWGRP | S_IWOTH)) == 0)
		return 0;
	err_set(err, ERR_USAGE, 0, NULL, "cannot use the root directory '%s': %s may write to it", path,
		(root.st_mode & S_IWOTH) != 0 ? "everybody" : "its group");
	/* Never advise chmod for a directory that users share, such as /tmp. */
	if ((root.st_mode & S_ISVTX) != 0 || root.st_uid != geteuid())
		err_hint(err, "name a directory below it that does not exist yet: --root %s/tare", path);
	else
		err_hint(err, "chmod go-w %s", path);
	return -EINVAL;
}

/* With "su", the variable may be that of the caller's caller. */
static void hint_user_dir(const struct root *root, int r, struct err *err)
{
	struct stat stat;

	if (root->user_dir != NULL && (r == -EACCES || r == -EPERM) &&
	    k_fstatat(AT_FDCWD, root->user_dir, &stat, 0) == 0 && stat.st_uid != geteuid())
		err_hint(err, "XDG_RUNTIME_DIR is a directory of uid %u: unset it, or give --root",
			 stat.st_uid);
}

static int open_own(const struct root *root, bool is_creating, struct err *err)
{
	_cleanup_fd_ int fd = open_directory(root->path);
	int r;

	if (fd == -ENOENT && is_creating)
		fd = create_root(root->path);
	if (fd < 0) {
		err_system(err, fd, "cannot open the root directory '%s'", root->path);
		hint_user_dir(root, fd, err);
		return fd;
	}
	r = check_root(fd, root->path, err);
	return r < 0 ? r : take_fd(&fd);
}

/* --- a directory of this user among those of others --- */

/* In a directory without the sticky bit, another user could exchange this user's directories. */
static int open_shared(struct err *err)
{
	_cleanup_fd_ int fd = k_openat(AT_FDCWD, SHARED, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	struct stat stat;
	int r = fd < 0 ? fd : k_fstat(fd, &stat);

	if (r < 0) {
		err_system(err, r, "cannot open '" SHARED "' for the root directory");
		err_hint(err, "set XDG_RUNTIME_DIR, or give --root");
		return r;
	}
	if ((stat.st_mode & (S_IWGRP | S_IWOTH)) == 0 || (stat.st_mode & S_ISVTX) != 0)
		return take_fd(&fd);
	err_set(err, ERR_USAGE, 0, NULL,
		"cannot use '" SHARED "' for the root directory: other users can rename files in it");
	err_hint(err, "chmod +t " SHARED ", set XDG_RUNTIME_DIR, or give --root");
	return -EINVAL;
}

static int refuse(const struct root *root, const char *reason, struct err *err)
{
	err_set(err, ERR_USAGE, 0, NULL, "cannot use the root directory '%s': %s", root->path, reason);
	err_hint(err, "set XDG_RUNTIME_DIR to a directory of this user, or give --root");
	return -EINVAL;
}

/*
 * Opens the entry of SHARED that has the root's name: another user may have made it. A mount point is refused
 * before any access, because a file system that another user has mounted can report any owner.
 */
static int open_entry(int shared_fd, const struct root *root, struct err *err)
{
	const char *name = root->path + sizeof SHARED;
	struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
			       .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV};
	_cleanup_fd_ int fd = k_openat2(shared_fd, name, &how);
	struct stat stat;
	char owner[40];
	int r;

	if (fd == -EXDEV)
		return refuse(root, "it is a mount point", err);
	r = fd < 0 ? k_fstatat(shared_fd, name, &stat, AT_SYMLINK_NOFOLLOW) : k_fstat(fd, &stat);
	if (r >= 0 && stat.st_uid != geteuid()) {
		str_format(owner, sizeof owner, "it belongs to uid %u", stat.st_uid);
		return refuse(root, owner, err);
	}
	if (r >= 0 && !S_ISDIR(stat.st_mode))
		return refuse(root, "it is not a directory", err);
	if (r < 0 || fd < 0)
		return err_system(err, r < 0 ? r : fd, "cannot open the root directory '%s'", root->path);
	if ((stat.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return refuse(root, "other users have access to it", err);
	return take_fd(&fd);
}

/* Makes the directory first, if is_creating and the name does not exist. */
static int open_among_others(const struct root *root, bool is_creating, struct err *err)
{
	_cleanup_fd_ int shared_fd = open_shared(err);
	int r;

	if (shared_fd < 0)
		return shared_fd;
	r = is_creating ? k_mkdirat(shared_fd, root->path + sizeof SHARED, 0700) : 0;
	if (r < 0 && r != -EEXIST)
		return err_system(err, r, "cannot make the root directory '%s'", root->path);
	return open_entry(shared_fd, root, err);
}

int state_open_root(const char *path, bool is_creating, struct err *err)
{
	_cleanup_root_ struct root root = {NULL};
	int r = choose(path, &root, err);

	if (r < 0)
		return r;
	if (!root.is_shared)
		return open_own(&root, is_creating, err);
	r = open_among_others(&root, is_creating, err);
	if (r >= 0 && is_creating)
		log_line(LOG_WARNING,
			 "the state of the container is in '%s': XDG_RUNTIME_DIR is not set, and there is no "
			 "--root",
			 root.path);
	return r;
}
