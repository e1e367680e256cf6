/* SPDX-License-Identifier: Apache-2.0 */
/* Checks an unprivileged caller's rights in its delegated part of the hierarchy (cgroups(7)). */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "file.h"

static bool may_write_procs(int cgroup_fd)
{
	return k_faccessat2(cgroup_fd, "cgroup.procs", W_OK, AT_EACCESS | AT_SYMLINK_NOFOLLOW) == 0;
}

/* Shortens the path to the nearest common ancestor of both. */
static void cut_to_common(struct cgroup_path *path, const struct cgroup_path *other)
{
	while (path->len > 0 && (path->len > other->len || memcmp(path->text, other->text, path->len) != 0 ||
				 (other->len > path->len && other->text[path->len] != '/')))
		cgroup_path_pop(path);
}

static int entry_fail(const struct cgroup_place *place, const struct cgroup_path *refusing, struct err *err)
{
	err_system(err, EACCES,
		   "cannot start a process in cgroup '%s': the caller has no write access to cgroup.procs of "
		   "cgroup '/%.*s'",
		   place->path, (int)refusing->len, refusing->text);
	cgroup_hint_delegation(err);
	return -EACCES;
}

/* If the caller's cgroup is outside the mount, it has no path here, and the check is left to the kernel. */
int cgroup_check_common(const struct cgroup_place *place, const char *own_path, struct err *err)
{
	struct cgroup_path path, own;
	_cleanup_fd_ int fd = -1;

	if (cgroup_path_init(&path, place->path) < 0 || cgroup_path_init(&own, own_path) < 0)
		return 0;
	cut_to_common(&path, &own);
	fd = cgroup_path_open(place->mount_fd, &path, O_PATH);
	return fd >= 0 && !may_write_procs(fd) ? entry_fail(place, &path, err) : 0;
}

int cgroup_check_entry(const struct cgroup_place *place, const char *own_path, struct err *err)
{
	struct cgroup_path path, own;

	if (cgroup_path_init(&path, place->path) < 0 || cgroup_path_init(&own, own_path) < 0)
		return 0;
	return may_write_procs(place->fd) ? cgroup_check_common(place, own_path, err)
					  : entry_fail(place, &path, err);
}

/*
 * The topmost cgroup on the way to the place with a cgroup.procs that the caller may write: the one that was
 * delegated to the caller. False if there is none.
 */
static bool find_delegated(const struct cgroup_place *place, struct cgroup_path *ret)
{
	struct cgroup_path whole;

	if (cgroup_path_init(&whole, place->path) < 0)
		return false;
	*ret = whole;
	for (size_t i = 0; i <= whole.len; i++) {
		_cleanup_fd_ int fd = -1;

		if (i > 0 && i < whole.len && whole.text[i] != '/')
			continue;
		ret->len = i;
		ret->text[i] = '\0';
		fd = cgroup_path_open(place->mount_fd, ret, O_PATH);
		if (fd >= 0 && may_write_procs(fd))
			return true;
		ret->text[i] = whole.text[i];
	}
	return false;
}

static bool is_of_type(const char *unit, const char *type)
{
	const char *dot = strrchr(unit, '.');

	return dot != NULL && str_equal(dot, type);
}

static bool is_slice(const char *unit)
{
	return is_of_type(unit, ".slice") || (str_has_prefix(unit, "user@") && is_of_type(unit, ".service"));
}

/*
 * Whether systemd decides which controllers the cgroups on the way to path have: the last of its units there is
 * a slice, or the service of a manager, and nothing that it has delegated. path itself is no unit.
 */
static bool is_managed(const char *path)
{
	bool is_below_slice = false;
	char unit[256];

	for (const char *at = path + strspn(path, "/"); *at != '\0'; at += strspn(at, "/")) {
		size_t len = strcspn(at, "/");

		str_format(unit, sizeof unit, "%.*s", (int)len, at);
		at += len;
		if (is_slice(unit))
			is_below_slice = *at != '\0';
		else if (is_of_type(unit, ".service") || is_of_type(unit, ".scope"))
			is_below_slice = false;
	}
	return is_below_slice;
}

/* Slices have the others by default: DefaultMemoryAccounting= and DefaultTasksAccounting=
 * (systemd-system.conf(5)). */
#define UNKEPT_CONTROLLERS "cpu cpuset io"

int cgroup_check_kept(const struct cgroup_place *place, const char *controller, struct err *err)
{
	if (!str_has_word(UNKEPT_CONTROLLERS, controller) || !is_managed(place->path) ||
	    may_write_procs(place->mount_fd))
		return 0;
	err_set(err, ERR_UNSUPPORTED, 0, NULL,
		"cannot keep controller '%s' for cgroup '%s': systemd manages the cgroup above it, and "
		"disables the controller there",
		controller, place->path);
	err_hint(err, "use --systemd-cgroup, or a cgroupsPath below a unit that has Delegate=yes");
	return -EOPNOTSUPP;
}

#define SYSTEMD_CONTROLLERS "cpu cpuset io memory pids" /* systemd.resource-control(5), Delegate= */

void cgroup_hint_controller(const struct cgroup_place *place, const char *controller, struct err *err)
{
	struct cgroup_path path;
	const char *unit = NULL;

	if (find_delegated(place, &path)) {
		unit = strrchr(path.text, '/');
		unit = unit == NULL ? path.text : unit + 1;
	}
	if (unit == NULL || (!is_of_type(unit, ".service") && !is_of_type(unit, ".scope")))
		err_hint(err, "the owner of that cgroup has to delegate it");
	else if (!str_has_word(SYSTEMD_CONTROLLERS, controller))
		err_hint(err,
			 "systemd cannot delegate it: root has to enable it in cgroup.subtree_control of every "
			 "cgroup above '/%.70s'",
			 path.text);
	else if (str_has_prefix(unit, "user@"))
		err_hint(err,
			 "as root: systemctl edit user@.service, add [Service] and Delegate=%s, and start that "
			 "user's session again",
			 controller);
	else
		err_hint(err, "unit %.100s has to delegate it: Delegate=%s, or systemd-run -p Delegate=yes",
			 unit, controller);
}
