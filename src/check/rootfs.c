/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks that the program, the working directory and startContainer hooks exist in the root file system. The
 * container's mounts do not exist yet: a path is resolved one component at a time, and the result is unknown as
 * soon as a component is a path at which the plan mounts or makes a file. The root file system may be hostile:
 * files are opened only with O_PATH and below its root. Runs in the parent.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "private.h"

#define PATH_SIZE 4096
#define LINKS_MAX 40
#define UNKNOWN (-EAGAIN)

struct tree {
	const struct plan *plan;
	int fd;
	char **covers; /* resolved paths at which the plan mounts or makes a file; at most plan->step_count */
	size_t count;
	bool is_unknown; /* the place of a mount is unknown, so every path may be covered */
};

struct walk {
	char real[PATH_SIZE]; /* the resolved part, without links; "" for the root */
	char rest[PATH_SIZE]; /* the part not yet resolved; begins with a slash, unless it is that of a link */
	int links;
};

static bool is_covered(const struct tree *tree, const char *path)
{
	for (size_t i = 0; i < tree->count; i++)
		if (str_equal(tree->covers[i], path))
			return true;
	return false;
}

/* Moves the next component from walk->rest to name; false if there is none. */
static bool take_component(struct walk *walk, char *name)
{
	const char *at = walk->rest + strspn(walk->rest, "/");
	size_t len = strcspn(at, "/");

	memcpy(name, at, len);
	name[len] = '\0';
	at += len;
	memmove(walk->rest, at, strlen(at) + 1);
	return len > 0;
}

static void go_up(struct walk *walk)
{
	char *slash = strrchr(walk->real, '/');

	if (slash != NULL)
		*slash = '\0';
}

/* Replaces the last component, which is the link fd, by its target. */
static int follow_link(struct walk *walk, int fd)
{
	char target[PATH_SIZE], rest[PATH_SIZE];
	ssize_t len = k_readlinkat(fd, "", target, sizeof target - 1);

	if (++walk->links > LINKS_MAX)
		return -ELOOP;
	if (len < 0 || (size_t)len + strlen(walk->rest) >= sizeof rest)
		return UNKNOWN;
	target[len] = '\0';
	str_format(rest, sizeof rest, "%s%s", target, walk->rest);
	memcpy(walk->rest, rest, sizeof rest);
	if (target[0] == '/')
		walk->real[0] = '\0';
	else
		go_up(walk);
	return 0;
}

/* Resolves one component. 0, the -errno that a lookup in the container will fail with, or UNKNOWN. */
static int step_into(const struct tree *tree, struct walk *walk, const char *name)
{
	_cleanup_fd_ int fd = -1;
	size_t len = strlen(walk->real);
	struct stat st;
	int r;

	if (str_equal(name, "."))
		return 0;
	if (str_equal(name, "..")) {
		go_up(walk);
		return 0;
	}
	if (len + strlen(name) + 2 > sizeof walk->real)
		return UNKNOWN;
	str_format(walk->real + len, sizeof walk->real - len, "/%s", name);
	if (is_covered(tree, walk->real))
		return UNKNOWN;
	fd = path_open_in_root(tree->fd, walk->real, O_PATH | O_NOFOLLOW, 0);
	r = fd < 0 ? fd : k_fstat(fd, &st);
	if (r < 0)
		return check_is_absent(r) ? r : UNKNOWN;
	if (S_ISLNK(st.st_mode))
		return follow_link(walk, fd);
	return S_ISDIR(st.st_mode) || walk->rest[0] == '\0' ? 0 : -ENOTDIR;
}

/*
 * Resolves an absolute path. 0 with *ret_stat set, the -errno that a lookup in the container will fail with, or
 * UNKNOWN.
 */
static int walk_path(const struct tree *tree, const char *path, struct walk *walk, struct stat *ret_stat)
{
	_cleanup_fd_ int fd = -1;
	char name[PATH_SIZE];
	int r = 0;

	*walk = (struct walk){.links = 0};
	if (strlen(path) >= sizeof walk->rest)
		return -ENAMETOOLONG;
	str_format(walk->rest, sizeof walk->rest, "%s", path);
	while (r == 0 && take_component(walk, name))
		r = step_into(tree, walk, name);
	if (r < 0)
		return r;
	fd = path_open_in_root(tree->fd, walk->real[0] == '\0' ? "/" : walk->real, O_PATH | O_NOFOLLOW, 0);
	return fd < 0 || k_fstat(fd, ret_stat) < 0 ? UNKNOWN : 0;
}

/* --- paths at which the plan mounts or makes a file --- */

/* Whether the mount is a new file system that is empty, or has only links that stay within it. */
static bool is_new_filesystem(const struct plan *plan, const struct plan_mount *mount)
{
	static const char *const types[] = {"tmpfs", "proc", "sysfs", "devpts", "mqueue", "cgroup2"};
	const char *type = plan_get(plan, mount->type);

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (str_equal(types[i], type))
			return !mount->is_copy_up;
	return false;
}

/* Whether the mount is a bind mount of a source in which path has no symbolic links. */
static bool has_no_links(const struct plan *plan, const struct plan_mount *mount, const char *path)
{
	const struct plan_step *steps = plan_steps(plan);
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
	const char *source = NULL;

	for (uint32_t i = 0; i < plan->step_count; i++)
		if (steps[i].kind == PLAN_OPEN_SOURCE && steps[i].u.source.slot == mount->source_slot &&
		    !steps[i].u.source.source.is_inside)
			source = plan_get(plan, steps[i].u.source.source.path);
	if (mount->is_bind && source != NULL) {
		_cleanup_fd_ int dir_fd = k_openat(AT_FDCWD, source, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
		_cleanup_fd_ int fd = k_openat2(dir_fd, path[0] == '\0' ? "." : path, &how);

		return fd >= 0 || (dir_fd >= 0 && fd == -ENOENT);
	}
	return false;
}

/*
 * Whether a file that is made at path will be at path itself: the last mount before step number "before" that
 * covers path must not have symbolic links in the rest of it.
 */
static bool is_in_place(const struct tree *tree, const char *path, uint32_t before)
{
	const struct plan_step *steps = plan_steps(tree->plan);

	while (before-- > 0) {
		const struct plan_mount *mount = &steps[before].u.mount;
		const char *dir = steps[before].kind == PLAN_MOUNT ? plan_get(tree->plan, mount->target) : NULL;
		size_t len = dir == NULL ? 0 : strlen(dir);

		if (dir == NULL || mount->is_remount || !path_is_below(path, dir))
			continue;
		if (path[len] == '\0')
			return true;
		return is_new_filesystem(tree->plan, mount) || has_no_links(tree->plan, mount, path + len + 1);
	}
	return false;
}

static const char *target_of(const struct plan *plan, const struct plan_step *step)
{
	if (step->kind == PLAN_MOUNT && !step->u.mount.is_remount)
		return plan_get(plan, step->u.mount.target);
	if (step->kind == PLAN_DEVICE)
		return plan_get(plan, step->u.device.path);
	return step->kind == PLAN_LINK ? plan_get(plan, step->u.link.path) : NULL;
}

/*
 * Adds the resolved target of a step to tree->covers. A target that is missing will be made at its own path: a
 * component that does not exist is not a link to another place.
 */
static void add_cover(struct tree *tree, uint32_t index)
{
	const struct plan_step *step = &plan_steps(tree->plan)[index];
	const char *target = target_of(tree->plan, step);
	struct walk walk;
	struct stat st;
	int r;

	if (target == NULL || tree->is_unknown)
		return;
	r = walk_path(tree, target, &walk, &st);
	if (r == 0 || r == -ENOENT)
		tree->covers[tree->count++] = mem_format("%s%s", walk.real, walk.rest);
	else
		tree->is_unknown = r != UNKNOWN || !is_in_place(tree, target, index);
	tree->is_unknown |= walk.real[0] == '\0';
}

static void tree_done(struct tree *tree)
{
	for (size_t i = 0; i < tree->count; i++)
		mem_free(&tree->covers[i]);
	mem_free(&tree->covers);
	fd_close(&tree->fd);
}

/* Opens the root file system and collects tree->covers. False if the result for every path is unknown. */
static bool tree_open(struct tree *tree, const struct plan *plan)
{
	const struct plan_step *root = plan_find(plan, PLAN_ROOT);

	*tree = (struct tree){.plan = plan, .fd = -1};
	tree->covers = mem_alloc((plan->step_count + 1) * sizeof *tree->covers);
	if (root != NULL)
		tree->fd = k_openat(AT_FDCWD, plan_get(plan, root->u.root.path),
				    O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (tree->fd < 0)
		return false;
	for (uint32_t i = 0; i < plan->step_count; i++)
		add_cover(tree, i);
	return !tree->is_unknown;
}

/* --- the program --- */

#define ON_NOEXEC (-ENOEXEC) /* EACCES of execve(2) because of a mount's option */

/* The container's root keeps the option noexec of the mount that it is taken from. */
static bool is_on_noexec(const struct tree *tree, const char *path)
{
	_cleanup_fd_ int fd = path_open_in_root(tree->fd, path, O_PATH | O_NOFOLLOW, 0);
	struct statfs fs;

	return fd >= 0 && k_fstatfs(fd, &fs) == 0 && (fs.f_flags & ST_NOEXEC) != 0;
}

/*
 * 0, the -errno that execve(2) will fail with (-EISDIR for a directory, ON_NOEXEC), or UNKNOWN. Also 0 if only
 * the container's user may lack permission.
 */
static int check_executable(const struct tree *tree, const char *cwd, const char *path)
{
	_cleanup_free_ char *full = path[0] == '/' ? mem_dup(path) : mem_format("%s/%s", cwd, path);
	struct walk walk;
	struct stat st;
	int r = walk_path(tree, full, &walk, &st);

	if (r < 0)
		return r;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode) || (st.st_mode & 0111) == 0)
		return -EACCES;
	return is_on_noexec(tree, walk.real) ? ON_NOEXEC : 0;
}

static int errno_of(int r)
{
	return r == -EISDIR || r == ON_NOEXEC ? EACCES : r;
}

static const char *env_path(const struct spec_process *process)
{
	for (size_t i = 0; i < process->env.count; i++)
		if (str_has_prefix(process->env.v[i], "PATH="))
			return process->env.v[i] + 5;
	return NULL;
}

/* Searches PATH as execvp(3) does: a file that is not executable does not end the search. */
static int search_program(const struct tree *tree, const struct spec_process *process, const char *name)
{
	const char *list = env_path(process);
	char path[PATH_MAX];
	int worst = -ENOENT;

	while (list != NULL) {
		int r = path_next_candidate(&list, name, path, sizeof path)
				? check_executable(tree, process->cwd, path)
				: -ENOENT;

		if (r == 0 || r == UNKNOWN)
			return r;
		if (r != -ENOENT && r != -ENOTDIR && r != -EISDIR)
			worst = r;
	}
	return worst;
}

static void check_program(struct check *check, const struct tree *tree)
{
	const struct spec_process *process = &check->spec->process;
	const char *name = process->args.count > 0 ? process->args.v[0] : NULL;
	struct err finding = {0};
	int r;

	if (name == NULL)
		return;
	if (name[0] == '\0')
		r = -ENOENT;
	else if (strchr(name, '/') != NULL)
		r = check_executable(tree, process->cwd, name);
	else
		r = search_program(tree, process, name);
	if (r == 0 || r == UNKNOWN)
		return;
	if (r == -ENOENT && strchr(name, '/') == NULL)
		err_set(&finding, ERR_SYSTEM, r, "/process/args",
			"exec: \"%.*s\": executable file not found in $PATH", 200, name);
	else
		err_set(&finding, ERR_SYSTEM, errno_of(r), "/process/args", "exec: \"%.*s\"%s", 200, name,
			r == -EISDIR ? ": is a directory" : "");
	if (r == -ENOENT && strchr(name, '/') == NULL && env_path(process) == NULL)
		err_hint(&finding, "process.env has no PATH");
	else if (r == -EACCES)
		err_hint(&finding, "it must be an executable file");
	else if (r == ON_NOEXEC)
		err_hint(&finding, "it is on a mount with the option noexec");
	check_report(check, &finding);
}

/* A missing working directory is not a finding: a start makes it. */
static void check_cwd(struct check *check, const struct tree *tree)
{
	const char *cwd = check->spec->process.cwd;
	struct err finding = {0};
	struct walk walk;
	struct stat st;
	int r = walk_path(tree, cwd, &walk, &st);

	if (r == 0 && !S_ISDIR(st.st_mode))
		r = -ENOTDIR;
	if (r != -ENOTDIR && r != -ELOOP && r != -ENAMETOOLONG)
		return;
	err_set(&finding, ERR_SYSTEM, r, "/process/cwd", "cannot use '%s' as the working directory", cwd);
	check_report(check, &finding);
}

static void check_start_hooks(struct check *check, const struct tree *tree)
{
	const struct spec_hooks *hooks = &check->spec->hooks[SPEC_HOOK_START_CONTAINER];

	for (size_t i = 0; i < hooks->count; i++) {
		int r = check_executable(tree, "/", hooks->v[i].path);
		struct err finding = {0};
		char json_pointer[64];

		if (r == 0 || r == UNKNOWN)
			continue;
		str_format(json_pointer, sizeof json_pointer, "/hooks/%s/%zu",
			   spec_hook_name(SPEC_HOOK_START_CONTAINER), i);
		err_set(&finding, ERR_SYSTEM, errno_of(r), json_pointer, "cannot execute hook '%s'",
			hooks->v[i].path);
		err_hint(&finding, "startContainer hooks run in the container: the path is below its root");
		check_report(check, &finding);
	}
}

void check_rootfs(struct check *check)
{
	__attribute__((cleanup(tree_done))) struct tree tree;

	if (!tree_open(&tree, check->plan) || check->has_early_hooks || !check->spec->has_process)
		return;
	check_cwd(check, &tree);
	check_program(check, &tree);
	check_start_hooks(check, &tree);
}
