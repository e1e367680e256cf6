/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <tare/state.h>

#define ID_MAX 1024
#define REMOVED '~' /* in front of the names of what is being removed; no id begins with it */

int state_check_id(const char *id, struct err *err)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+.-";

	if (str_is_empty(id))
		return err_set(err, ERR_USAGE, 0, NULL, "container id cannot be empty");
	if (strspn(id, allowed) != strlen(id) || strlen(id) > ID_MAX || str_equal(id, ".") ||
	    str_equal(id, ".."))
		return err_set(err, ERR_USAGE, 0, NULL, "invalid container ID format: '%.*s'", 100, id);
	return 0;
}

/* --- the root --- */

static bool is_in_user_ns(void)
{
	struct stat st;

	return k_fstatat(AT_FDCWD, "/proc/self/ns/user", &st, 0) == 0 && st.st_ino != 4026531837ull;
}

/* NULL if there is no place. The caller frees. */
static char *default_root(void)
{
	const char *runtime_dir = getenv("XDG_RUNTIME_DIR");
	_cleanup_free_ char *usual = NULL;

	if (geteuid() == 0 && (str_is_empty(runtime_dir) || !is_in_user_ns()))
		return mem_dup("/run/tare");
	if (!str_is_empty(runtime_dir))
		return mem_format("%s/tare", runtime_dir);
	usual = mem_format("/run/user/%u", geteuid());
	return k_faccessat2(AT_FDCWD, usual, W_OK | X_OK, 0) == 0 ? mem_format("%s/tare", usual) : NULL;
}

/* The path is the caller's own and trusted: links in it are followed. */
static int make_root(const char *path)
{
	_cleanup_free_ char *copy = mem_dup(path);
	int r = 0;

	for (char *slash = strchr(copy + 1, '/'); slash != NULL && r >= 0; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		r = k_mkdirat(AT_FDCWD, copy, 0755);
		r = r == -EEXIST ? 0 : r;
		*slash = '/';
	}
	if (r >= 0)
		r = k_mkdirat(AT_FDCWD, copy, 0700);
	return r == -EEXIST ? 0 : r;
}

int state_open_root(const char *path, bool is_creating, struct err *err)
{
	_cleanup_free_ char *root = path == NULL ? default_root() : mem_dup(path);
	int fd, r;

	if (root == NULL)
		return err_set(err, ERR_USAGE, 0, NULL,
			       "no directory for state: XDG_RUNTIME_DIR is unset, use --root");
	if (root[0] == '\0' || root[strspn(root, "/")] == '\0')
		return err_set(err, ERR_USAGE, 0, NULL, "Option --root argument should not be set to %s",
			       root[0] == '\0' ? "nothing" : "/");
	fd = k_openat(AT_FDCWD, root, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd != -ENOENT || !is_creating)
		return fd < 0 ? err_system(err, fd, "cannot open state directory '%s'", root) : fd;
	r = make_root(root);
	fd = r < 0 ? r : k_openat(AT_FDCWD, root, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	return fd < 0 ? err_system(err, fd, "cannot make state directory '%s'", root) : fd;
}

/* --- one container's directory --- */

int state_create_dir(int root_fd, const char *id, struct err *err)
{
	_cleanup_fd_ int fd = -1;
	int r = k_mkdirat(root_fd, id, 0700);

	if (r == -EEXIST)
		return err_set(err, ERR_STATE, 0, NULL, "container with given ID already exists: '%s'", id),
		       -EEXIST;
	if (r < 0)
		return err_system(err, r, "cannot make the container's state directory");
	fd = path_open_beneath(root_fd, id, O_RDONLY | O_DIRECTORY, 0);
	r = fd < 0 ? fd : k_flock(fd, LOCK_EX | LOCK_NB);
	return r < 0 ? err_system(err, r, "cannot lock the container's state directory") : take_fd(&fd);
}

int state_open_dir(int root_fd, const char *id, struct err *err)
{
	int fd = path_open_beneath(root_fd, id, O_RDONLY | O_DIRECTORY, 0);

	if (fd == -ENOENT)
		return err_set(err, ERR_STATE, 0, NULL, "container does not exist: '%s'", id), -ENOENT;
	return fd < 0 ? err_system(err, fd, "cannot open the container's state directory") : fd;
}

int state_lock(int dir_fd, int timeout_ms, struct err *err)
{
	int r;

	while ((r = k_flock(dir_fd, LOCK_EX | LOCK_NB)) == -EWOULDBLOCK && timeout_ms > 0) {
		struct timespec pause = {.tv_nsec = 5000000};

		nanosleep(&pause, NULL);
		timeout_ms -= 5;
	}
	if (r == -EWOULDBLOCK)
		return err_set(err, ERR_STATE, EBUSY, NULL, "another command is working on the container");
	return r < 0 ? err_system(err, r, "cannot lock the container's state directory") : 0;
}

/* --- removal --- */

static void remove_names(int dir_fd)
{
	static const char *const names[] = {"record", "gate", "notify/notify.sock"};
	struct dirent *entry;
	DIR *dir;
	int copy;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		k_unlinkat(dir_fd, names[i], 0);
	k_unlinkat(dir_fd, "notify", AT_REMOVEDIR);
	copy = k_openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	dir = copy < 0 ? NULL : fdopendir(copy);
	if (dir == NULL) {
		fd_close(&copy);
		return;
	}
	/* Half-written records of commands that were killed. */
	while ((entry = readdir(dir)) != NULL)
		if (str_has_prefix(entry->d_name, ".record."))
			k_unlinkat(dir_fd, entry->d_name, 0);
	closedir(dir);
}

static int remove_dir(int root_fd, const char *name)
{
	_cleanup_fd_ int fd = path_open_beneath(root_fd, name, O_RDONLY | O_DIRECTORY, 0);

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	remove_names(fd);
	return k_unlinkat(root_fd, name, AT_REMOVEDIR);
}

int state_remove(int root_fd, const char *id, struct err *err)
{
	/* The id may be as long as a name can be, so it is no part of the new one. */
	_cleanup_free_ char *name = NULL;
	struct timespec now;
	int r;

	clock_gettime(CLOCK_MONOTONIC, &now);
	name = mem_format("%c%d.%lld.%ld", REMOVED, k_getpid(), (long long)now.tv_sec, now.tv_nsec);
	r = k_renameat2(root_fd, id, root_fd, name, 0);
	if (r == -ENOENT)
		return 0;
	if (r >= 0)
		r = remove_dir(root_fd, name);
	return r < 0 ? err_system(err, r, "cannot remove the container's state directory") : 0;
}

/* --- list --- */

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int state_list(int root_fd, void (*on_id)(void *context, const char *id), void *context, struct err *err)
{
	int copy = k_openat(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	size_t count = 0, cap = 0;
	struct dirent *entry;
	char **names = NULL;

	if (dir == NULL) {
		fd_close(&copy);
		return err_system(err, copy < 0 ? copy : ENOMEM, "cannot list the state directory");
	}
	while ((entry = readdir(dir)) != NULL) {
		struct err ignored;

		if (state_check_id(entry->d_name, &ignored) < 0)
			continue;
		if (count == cap) {
			cap = cap * 2 + 16;
			names = mem_resize(names, cap * sizeof *names);
		}
		names[count++] = mem_dup(entry->d_name);
	}
	closedir(dir);
	if (count > 0)
		qsort(names, count, sizeof *names, compare_names);
	for (size_t i = 0; i < count; i++) {
		on_id(context, names[i]);
		free(names[i]);
	}
	free(names);
	return 0;
}
