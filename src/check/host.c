/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks that the files, devices and sockets of the host that a start needs exist. Their names, and the JSON
 * pointers for the findings, are those in the plan. Runs in the parent.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <tare/parent.h>

#include "private.h"

bool check_is_absent(int r)
{
	return r == -ENOENT || r == -ENOTDIR || r == -ELOOP || r == -ENAMETOOLONG;
}

/* Whether init opens the file itself, in a mount namespace that is joined and that check does not enter. */
static bool is_in_joined_namespace(const struct check *check, const struct plan_step *step)
{
	return step->actor == PLAN_INIT && check->spec->namespaces[SPEC_NS_MOUNT].path != NULL;
}

/* --- root file system and mounts --- */

static void check_root(struct check *check, const struct plan_step *step)
{
	const char *path = plan_get(check->plan, step->u.root.path);
	struct err finding = {0};
	struct stat st;
	int r = k_fstatat(AT_FDCWD, path, &st, 0);

	if (r >= 0 && !S_ISDIR(st.st_mode))
		r = -ENOTDIR;
	if (!check_is_absent(r))
		return;
	err_set(&finding, ERR_SYSTEM, r, "/root/path", "cannot open the root file system '%s'", path);
	err_hint(&finding,
		 "root.path must be a directory with the container's files, such as an unpacked image");
	check_report(check, &finding);
}

/* Sources without a JSON pointer are mounts that the runtime adds; a start may make them. */
static void check_source(struct check *check, const struct plan_step *step)
{
	const char *path = plan_get(check->plan, step->u.source.source.path);
	const char *json_pointer = plan_get(check->plan, step->json_pointer);
	struct err finding = {0};
	struct stat st;
	int r;

	if (json_pointer == NULL || str_equal(json_pointer, "/root/path") ||
	    is_in_joined_namespace(check, step))
		return;
	r = k_fstatat(AT_FDCWD, path, &st, 0);
	if (!check_is_absent(r))
		return;
	err_set(&finding, ERR_SYSTEM, r, json_pointer, "cannot open mount source '%s'", path);
	if (r == -ENOENT)
		err_hint(&finding, "the source of a bind mount must exist: it is not created");
	check_report(check, &finding);
}

static void check_type(struct check *check, const struct plan_step *step)
{
	const char *type = plan_get(check->plan, step->u.mount.type);
	_cleanup_fd_ int fd = -1;
	struct err finding = {0};

	if (str_is_empty(type))
		return;
	fd = k_fsopen(type, FSOPEN_CLOEXEC);
	if (fd != -ENODEV)
		return;
	err_set(&finding, ERR_UNSUPPORTED, ENODEV, plan_get(check->plan, step->json_pointer),
		"file system '%s' is not known to this kernel", type);
	err_hint(&finding, "/proc/filesystems lists the known ones; for a bind mount add the option 'bind'");
	check_report(check, &finding);
}

/* --- single properties --- */

static void check_net_device(struct check *check, const struct plan_step *step)
{
	struct err finding = {0};

	if (netdev_check(plan_get(check->plan, step->u.net_device.name), &finding) != -ENODEV)
		return;
	err_pointer(&finding, plan_get(check->plan, step->json_pointer));
	check_report(check, &finding);
}

static void check_limit(struct check *check, const struct plan_step *step)
{
	const char *file = plan_get(check->plan, step->u.write.file);
	_cleanup_buf_ struct buf sizes = {0};
	struct err finding = {0};
	char size[32];

	host_page_size_of(file, size, sizeof size);
	if (!host_lacks_page_size(size, &sizes))
		return;
	err_set(&finding, ERR_UNSUPPORTED, 0, plan_get(check->plan, step->json_pointer),
		"this host has no huge pages of the size '%s'", size);
	err_hint(&finding, "it has: %s", sizes.data);
	check_report(check, &finding);
}

static void check_listener(struct check *check, const struct plan_step *step)
{
	const char *path = plan_get(check->plan, step->u.filter.listener_path);
	struct err finding = {0};
	struct stat st;
	int r;

	if (path == NULL || check->has_early_hooks)
		return;
	r = k_fstatat(AT_FDCWD, path, &st, 0);
	if (!check_is_absent(r) && (r < 0 || S_ISSOCK(st.st_mode)))
		return;
	err_set(&finding, ERR_SYSTEM, r < 0 ? r : ECONNREFUSED,
		plan_get(check->plan, step->u.filter.listener_pointer), "cannot connect to socket '%s'", path);
	err_hint(&finding,
		 r < 0 ? "the agent that receives the notifications must listen there before the start"
		       : "it is not a socket");
	check_report(check, &finding);
}

/* --- hooks of the runtime --- */

/* 0 if the hook may be executable, or -errno. The rights of init are unknown here: only the mode is checked. */
static int check_hook_file(const char *path, bool runs_in_init)
{
	struct stat st;
	int r = k_fstatat(AT_FDCWD, path, &st, 0);

	if (r < 0)
		return check_is_absent(r) ? r : 0;
	if (!S_ISREG(st.st_mode) || (st.st_mode & 0111) == 0)
		return -EACCES;
	return runs_in_init || k_faccessat2(AT_FDCWD, path, X_OK, AT_EACCESS) != -EACCES ? 0 : -EACCES;
}

/*
 * Whether init may find another file at path than check does: init runs createContainer hooks before
 * pivot_root, with the host's root but in its own mount namespace, in which the container's mounts cover files.
 */
static bool is_hook_hidden(const struct check *check, const char *path)
{
	const struct plan_step *root = plan_find(check->plan, PLAN_ROOT);
	const char *dir = root == NULL ? NULL : plan_get(check->plan, root->u.root.path);

	return check->spec->namespaces[SPEC_NS_MOUNT].path != NULL || dir == NULL || str_has_prefix(path, dir);
}

static void check_hooks(struct check *check, enum spec_hook_kind kind)
{
	bool runs_in_init = kind == SPEC_HOOK_CREATE_CONTAINER;
	bool runs_before_program = runs_in_init || kind == SPEC_HOOK_PRESTART ||
				   kind == SPEC_HOOK_CREATE_RUNTIME;

	for (size_t i = 0; i < check->spec->hooks[kind].count; i++) {
		const char *path = check->spec->hooks[kind].v[i].path;
		int r = runs_in_init && is_hook_hidden(check, path) ? 0 : check_hook_file(path, runs_in_init);
		struct err finding = {0};
		char json_pointer[64];

		if (r == 0) {
			check->has_early_hooks |= runs_before_program;
			continue;
		}
		str_format(json_pointer, sizeof json_pointer, "/hooks/%s/%zu", spec_hook_name(kind), i);
		err_set(&finding, ERR_SYSTEM, r, json_pointer, "cannot execute hook '%s'", path);
		if (r == -EACCES)
			err_hint(&finding, "it must be an executable file");
		check_report(check, &finding);
	}
}

void check_host(struct check *check)
{
	const struct plan_step *steps = plan_steps(check->plan);

	for (int kind = 0; kind < SPEC_HOOK_KINDS; kind++)
		if (kind != SPEC_HOOK_START_CONTAINER)
			check_hooks(check, kind);
	for (uint32_t i = 0; i < check->plan->step_count; i++) {
		if (steps[i].kind == PLAN_ROOT)
			check_root(check, &steps[i]);
		else if (steps[i].kind == PLAN_OPEN_SOURCE && !steps[i].u.source.source.is_inside)
			check_source(check, &steps[i]);
		else if (steps[i].kind == PLAN_MOUNT)
			check_type(check, &steps[i]);
		else if (steps[i].kind == PLAN_NET_DEVICE)
			check_net_device(check, &steps[i]);
		else if (steps[i].kind == PLAN_CGROUP_WRITE)
			check_limit(check, &steps[i]);
		else if (steps[i].kind == PLAN_LISTENER)
			check_listener(check, &steps[i]);
	}
}
