/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the container will find in its root file system, as far as that can be told before its mounts are there:
 * a path is walked one component at a time, and nothing is said as soon as one of them is where something is
 * going to be mounted or made. The tree may be hostile: nothing is opened but as O_PATH, and below its root.
 * Process: the parent.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "private.h"

#define PATH_SIZE 4096
#define LINKS_MAX 40
#define UNKNOWN (-EAGAIN)

struct tree {
	const struct plan *plan;
	int fd;
	char **covers; /* paths without links, where the container has something else; of plan->step_count */
	size_t count;
	bool is_unknown; /* something is mounted nobody knows where */
};

struct walk {
	char real[PATH_SIZE]; /* what was walked, without links; "" for the root */
	char rest[PATH_SIZE]; /* what is still to be walked; a slash first, but for a link's target */
	int links;
};

static bool is_covered(const struct tree *tree, const char *path)
{
	for (size_t i = 0; i < tree->count; i++)
		if (str_equal(tree->covers[i], path))
			return true;
	return false;
}

/* Cuts the next component off; false if there is none. */
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

/* The target of a link comes in the place of its name. */
static int follow(struct walk *walk, int fd)
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

/* One component. 0, -errno that the container will get, or UNKNOWN. */
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
		return follow(walk, fd);
	return S_ISDIR(st.st_mode) || walk->rest[0] == '\0' ? 0 : -ENOTDIR;
}

/* path is absolute. Fills *ret_stat; -errno that the container will get for it, or UNKNOWN. */
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

/* --- what will be mounted and made --- */

/* New file systems that are empty, or have links into themselves only. */
static bool is_fresh(const struct plan *plan, const struct plan_mount *mount)
{
	static const char *const types[] = {"tmpfs", "proc", "sysfs", "devpts", "mqueue", "cgroup2"};
	const char *type = plan_get(plan, mount->type);

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (str_equal(types[i], type))
			return !mount->is_copy_up;
	return false;
}

/* Whether no link is on the way to path in what is bound here. */
static bool is_straight(const struct plan *plan, const struct plan_mount *mount, const char *path)
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

/* Whether a place in the latest of the mounts before that covers it is where its name says. */
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
		return is_fresh(tree->plan, mount) || is_straight(tree->plan, mount, path + len + 1);
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

/* A missing target will be made where its name says, as nothing that is missing leads elsewhere. */
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

/* False if nothing can be said about any path. */
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

/* As execve(2) says it, but for -EISDIR; 0 also if it may be denied to the container's user alone. */
static int look_at_program(const struct tree *tree, const char *cwd, const char *path)
{
	_cleanup_free_ char *full = path[0] == '/' ? mem_dup(path) : mem_format("%s/%s", cwd, path);
	struct walk walk;
	struct stat st;
	int r = walk_path(tree, full, &walk, &st);

	if (r < 0)
		return r;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	return S_ISREG(st.st_mode) && (st.st_mode & 0111) != 0 ? 0 : -EACCES;
}

static const char *env_path(const struct spec_process *process)
{
	for (size_t i = 0; i < process->env.count; i++)
		if (str_has_prefix(process->env.v[i], "PATH="))
			return process->env.v[i] + 5;
	return NULL;
}

/* execvp(3): what is found but not executable does not end the search. */
static int search_program(const struct tree *tree, const struct spec_process *process, const char *name)
{
	const char *path = env_path(process);
	int worst = -ENOENT;

	while (path != NULL) {
		size_t len = strcspn(path, ":");
		_cleanup_free_ char *full = mem_format("%.*s%s%s", (int)len, path, len > 0 ? "/" : "./", name);
		int r = look_at_program(tree, process->cwd, full);

		if (r == 0 || r == UNKNOWN)
			return r;
		if (r != -ENOENT && r != -ENOTDIR && r != -EISDIR)
			worst = r;
		path = path[len] == '\0' ? NULL : path + len + 1;
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
		r = look_at_program(tree, process->cwd, name);
	else
		r = search_program(tree, process, name);
	if (r == 0 || r == UNKNOWN)
		return;
	if (r == -ENOENT && strchr(name, '/') == NULL)
		err_set(&finding, ERR_SYSTEM, r, "/process/args",
			"exec: \"%.*s\": executable file not found in $PATH", 200, name);
	else
		err_set(&finding, ERR_SYSTEM, r == -EISDIR ? EACCES : r, "/process/args", "exec: \"%.*s\"%s",
			200, name, r == -EISDIR ? ": is a directory" : "");
	if (r == -ENOENT && strchr(name, '/') == NULL && env_path(process) == NULL)
		err_hint(&finding, "process.env has no PATH");
	else if (r == -EACCES)
		err_hint(&finding, "it has to be a file, and executable");
	check_report(check, &finding);
}

/* A missing one is made. */
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
		int r = look_at_program(tree, "/", hooks->v[i].path);
		struct err finding = {0};
		char json_pointer[64];

		if (r == 0 || r == UNKNOWN)
			continue;
		str_format(json_pointer, sizeof json_pointer, "/hooks/%s/%zu",
			   spec_hook_name(SPEC_HOOK_START_CONTAINER), i);
		err_set(&finding, ERR_SYSTEM, r == -EISDIR ? EACCES : r, json_pointer,
			"cannot execute hook '%s'", hooks->v[i].path);
		err_hint(&finding,
			 "the hooks of this kind are the container's: their paths are below its root");
		check_report(check, &finding);
	}
}

void check_rootfs(struct check *check)
{
	__attribute__((cleanup(tree_done))) struct tree tree;

	if (!tree_open(&tree, check->plan) || check->has_changers || !check->spec->has_process)
		return;
	check_cwd(check, &tree);
	check_program(check, &tree);
	check_start_hooks(check, &tree);
}
