/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The step PLAN_RESTORE: executes criu(8), which makes the processes of a checkpoint again, the container's
 * init as a child of this process. Process: the parent, as in child.c; "the program's process" is the one that
 * becomes criu(8), in the container's cgroup and a mount namespace of its own.
 *
 * criu(8) makes namespaces and file systems by its images. What these refer to on the host it finds by path. So
 * the sources of the plan, with their flags and id maps, are attached below a directory that only the program's
 * process sees.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tare/criu.h>
#include <tare/sys.h>

#include "steps.h"

#define PID_FILE "tare-restore.pid"
#define DESCRIPTORS_FIRST                                                                                      \
	200 /* of the container's descriptors 0 to 2, and its terminal, in the program's process */

/* A source that the program finds by its name in the staging directory. */
struct staged {
	char name[32];
	int fd;           /* a detached mount, or -1 for a mount in that of number "inside" */
	size_t inside;    /* in the list of externals */
	const char *path; /* below that one */
};

struct restoring {
	struct creation *creation;
	const struct plan *plan;
	struct criu_externals externals;
	struct staged *staged; /* for each external; fd -1 and path NULL: no mount */
	struct criu_args args;
	struct criu_dirs dirs;
	char *staging; /* the state root, which criu(8) does not use; others can look up paths below its parents
			*/
	char terminal[32]; /* path of the new terminal, or "" */
	int terminal_fd;
};

static void restoring_done(struct restoring *r)
{
	for (size_t i = 0; r->staged != NULL && i < r->externals.count; i++)
		fd_close(&r->staged[i].fd);
	mem_free(&r->staged);
	criu_externals_done(&r->externals);
	criu_args_done(&r->args);
	criu_dirs_done(&r->dirs);
	mem_free(&r->staging);
	fd_close(&r->terminal_fd);
}
#define _cleanup_restoring_ __attribute__((cleanup(restoring_done)))

/* --- the sources of mounts --- */

static const struct plan_step *find_target(const struct plan *plan, const char *point)
{
	const struct plan_step *steps = plan_steps(plan), *found = NULL;

	for (uint32_t i = 0; i < plan->step_count; i++) {
		const struct plan_step *s = &steps[i];
		const char *target = s->kind == PLAN_MOUNT && !s->u.mount.is_remount
					     ? plan_get(plan, s->u.mount.target)
				     : s->kind == PLAN_DEVICE    ? plan_get(plan, s->u.device.path)
				     : s->kind == PLAN_MASK_PATH ? plan_get(plan, s->u.text)
								 : NULL;

		if (target != NULL && str_equal(target, point))
			found = s;
	}
	return found;
}

static int copy_path(int dir_fd, const char *path, bool is_readonly, struct err *err)
{
	int fd = k_open_tree(dir_fd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH), r;

	if (fd < 0)
		return err_system(err, fd, "cannot open '%s'", path);
	r = is_readonly ? mount_set(fd, MOUNT_ATTR_RDONLY, 0, MS_PRIVATE, false) : 0;
	if (r >= 0)
		return fd;
	k_close(fd);
	return err_system(err, r, "cannot make the copy of '%s' read-only", path);
}

/* A file system that the container shares with the caller, because they are in one namespace of its kind. */
static int copy_file_system(struct restoring *r, const struct plan_mount *mount, struct err *err)
{
	static const struct {
		const char *type, *path;
	} paths[] = {{"proc", "/proc"}, {"sysfs", "/sys"}, {"mqueue", "/dev/mqueue"}};
	const char *type = plan_get(r->plan, mount->type);
	const char *path = NULL;
	int fd, error;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (str_equal(type, paths[i].type))
			path = paths[i].path;
	if (path == NULL && !mount->is_cgroup)
		return err_set(err, ERR_UNSUPPORTED, 0, NULL,
			       "cannot restore the mount at '%s': the host has the file system, too, and it is "
			       "not known where",
			       plan_get(r->plan, mount->target));
	fd = mount->is_cgroup ? copy_path(r->creation->child.cgroup_fd, "", false, err)
			      : copy_path(AT_FDCWD, path, false, err);
	error = fd < 0 ? fd : mount_set(fd, mount->attr_set, mount->attr_clear, MS_PRIVATE, false);
	if (fd >= 0 && error < 0) {
		k_close(fd);
		return err_system(err, error, "cannot set the flags of the mount at '%s'",
				  plan_get(r->plan, mount->target));
	}
	return fd;
}

static int take_slot(struct restoring *r, int32_t slot, const char *point, struct err *err)
{
	int *fd = &r->creation->child.slots[slot], ret = *fd;

	*fd = -1;
	return ret >= 0 ? ret
			: err_set(err, ERR_UNSUPPORTED, 0, NULL,
				  "cannot restore the mount at '%s': its source "
				  "is in the container",
				  point);
}

/* A detached mount for a mount point of the plan, or -1 with *err. */
static int open_source(struct restoring *r, const struct plan_step *step, const char *point, struct err *err)
{
	if (step->kind == PLAN_MASK_PATH)
		return copy_path(AT_FDCWD, "/dev/null", true, err);
	if (step->kind == PLAN_DEVICE && step->u.device.is_bound && !step->u.device.is_node)
		return take_slot(r, step->u.device.source_slot, point, err);
	if (step->kind == PLAN_DEVICE)
		return copy_path(AT_FDCWD, point, false, err);
	if (step->u.mount.is_bind)
		return take_slot(r, step->u.mount.source_slot, point, err);
	return copy_file_system(r, &step->u.mount, err);
}

/* The longest mount point of the list that contains this one, and is no later in it. */
static bool find_outer(const struct restoring *r, size_t i, size_t *ret)
{
	bool has_found = false;

	for (size_t j = 0; j < i; j++) {
		const char *point = r->externals.v[j].text;

		if (r->externals.v[j].kind == CRIU_MOUNT && path_is_below(r->externals.v[i].text, point) &&
		    (!has_found || strlen(point) > strlen(r->externals.v[*ret].text))) {
			*ret = j;
			has_found = true;
		}
	}
	return has_found;
}

static int stage(struct restoring *r, size_t i, struct err *err)
{
	const char *point = r->externals.v[i].text;
	struct staged *staged = &r->staged[i];
	const struct plan_step *step = find_target(r->plan, point);

	criu_external_name(i, staged->name, sizeof staged->name);
	if (str_equal(point, "/dev/console") && r->terminal[0] != '\0')
		staged->fd = copy_path(AT_FDCWD, r->terminal, false, err);
	else if (step != NULL)
		staged->fd = open_source(r, step, point, err);
	else if (find_outer(r, i, &staged->inside))
		staged->path = point + strlen(r->externals.v[staged->inside].text);
	else
		return err_set(err, ERR_CONFIG, 0, "/mounts",
			       "cannot restore the mount at '%s': the configuration does not have it", point);
	if (staged->fd < 0 && staged->path == NULL)
		return -EINVAL;
	criu_args_add(&r->args, "--external");
	criu_args_add(&r->args, "mnt[%s]:%s/%s", staged->name, r->staging, staged->name);
	return 0;
}

/* --- descriptors and namespaces --- */

/* A new terminal in the caller's devpts: the container's own does not exist before the restore. */
static int open_terminal(struct restoring *r, struct err *err)
{
	int number, unlock = 0, master;

	if (r->terminal[0] != '\0')
		return 0;
	master = k_openat(AT_FDCWD, "/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC, 0);
	if (master < 0)
		return err_system(err, master, "cannot open a terminal");
	r->creation->child.console_fd = master;
	if (ioctl(master, TIOCSPTLCK, &unlock) < 0 || ioctl(master, TIOCGPTN, &number) < 0)
		return err_system(err, errno, "cannot open a terminal");
	str_format(r->terminal, sizeof r->terminal, "/dev/pts/%d", number);
	r->terminal_fd = k_openat(AT_FDCWD, r->terminal, O_RDWR | O_NOCTTY | O_CLOEXEC, 0);
	return r->terminal_fd < 0 ? err_system(err, r->terminal_fd, "cannot open '%s'", r->terminal) : 0;
}

/* criu(8) takes each descriptor once, and uses it for all that have its name. */
static bool is_repeated(const struct criu_externals *externals, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (externals->v[j].kind == CRIU_DESCRIPTOR &&
		    str_equal(externals->v[j].text, externals->v[i].text))
			return true;
	return false;
}

static int add_descriptor(struct restoring *r, size_t i, struct err *err)
{
	const struct criu_external *e = &r->externals.v[i];
	int fd = DESCRIPTORS_FIRST + e->number;

	if (is_repeated(&r->externals, i))
		return 0;
	if (str_has_prefix(e->text, "tty[")) {
		int error = open_terminal(r, err);

		if (error < 0)
			return error;
		fd = DESCRIPTORS_FIRST + 3;
	}
	criu_args_add(&r->args, "--inherit-fd");
	criu_args_add(&r->args, "fd[%d]:%s", fd, e->text);
	return 0;
}

static int add_namespace(struct restoring *r, size_t i, struct err *err)
{
	const char *name = r->externals.v[i].text;
	int ns = str_equal(name, "net") ? SPEC_NS_NETWORK : SPEC_NS_PID;
	const struct plan_step *steps = plan_steps(r->plan);
	char external[32];

	criu_external_name(i, external, sizeof external);
	for (uint32_t j = 0; j < r->plan->step_count; j++) {
		if (steps[j].kind != PLAN_OPEN_NAMESPACE || (int)steps[j].u.ns.ns != ns)
			continue;
		criu_args_add(&r->args, "--inherit-fd");
		criu_args_add(&r->args, "fd[%d]:%s", r->creation->child.slots[steps[j].u.ns.slot], external);
		return 0;
	}
	return err_set(err, ERR_CONFIG, 0, "/linux/namespaces",
		       "cannot restore: the container was in a %s namespace of other processes, and the "
		       "configuration gives no path of one",
		       name);
}

static int add_externals(struct restoring *r, struct err *err)
{
	int error = 0;

	r->staged = mem_alloc((r->externals.count + 1) * sizeof *r->staged);
	for (size_t i = 0; i < r->externals.count; i++)
		r->staged[i].fd = -1;
	/* A terminal is opened first: mounts may refer to it. */
	for (size_t i = 0; error >= 0 && i < r->externals.count; i++)
		if (r->externals.v[i].kind == CRIU_DESCRIPTOR)
			error = add_descriptor(r, i, err);
	for (size_t i = 0; error >= 0 && i < r->externals.count; i++)
		if (r->externals.v[i].kind == CRIU_MOUNT)
			error = stage(r, i, err);
		else if (r->externals.v[i].kind == CRIU_NAMESPACE)
			error = add_namespace(r, i, err);
	return error;
}

/* --- the program's process --- */

static int make_target(int fd, const char *name)
{
	struct stat st;
	int r = k_fstat(fd, &st), target;

	if (r >= 0 && S_ISDIR(st.st_mode))
		return k_mkdirat(AT_FDCWD, name, 0700);
	target = r < 0 ? r : k_openat(AT_FDCWD, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (target >= 0)
		k_close(target);
	return target < 0 ? target : 0;
}

/* A mount in another source is copied once that one is attached. */
static int open_inside(const struct restoring *r, const struct staged *staged)
{
	_cleanup_fd_ int outer = k_openat(AT_FDCWD, r->staged[staged->inside].name, O_PATH | O_CLOEXEC, 0);
	_cleanup_fd_ int inner = outer < 0 ? outer : path_open_in_root(outer, staged->path, O_PATH, 0);

	return inner < 0 ? inner : k_open_tree(inner, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
}

static int attach(const struct restoring *r, const struct staged *staged)
{
	_cleanup_fd_ int inside = staged->path == NULL ? -1 : open_inside(r, staged);
	int fd = staged->path == NULL ? staged->fd : inside;
	int error = fd < 0 ? fd : make_target(fd, staged->name);

	return error < 0 ? error : k_move_mount(fd, "", AT_FDCWD, staged->name, MOVE_MOUNT_F_EMPTY_PATH);
}

/* criu(8) needs the root file system to be a mount. */
static int attach_all(const struct restoring *r)
{
	const char *root = r->creation->record.rootfs;
	int error = k_mount(root, root, NULL, MS_BIND | MS_REC, NULL);

	if (error >= 0)
		error = k_mount("tmpfs", r->staging, "tmpfs", 0, "mode=711");
	if (error >= 0 && chdir(r->staging) < 0)
		error = -errno;
	for (size_t i = 0; error >= 0 && i < r->externals.count; i++)
		if (r->externals.v[i].kind == CRIU_MOUNT)
			error = attach(r, &r->staged[i]);
	return error;
}

static int keep_descriptors(const struct restoring *r)
{
	const struct plan_step *steps = plan_steps(r->plan);
	int error = 0;

	for (int number = 0; number < 3; number++)
		if (error >= 0 && k_fcntl(number, F_GETFD, 0) >= 0)
			error = dup2(number, DESCRIPTORS_FIRST + number) < 0 ? -errno : 0;
	if (error >= 0 && r->terminal_fd >= 0)
		error = dup2(r->terminal_fd, DESCRIPTORS_FIRST + 3) < 0 ? -errno : 0;
	for (uint32_t i = 0; error >= 0 && i < r->plan->step_count; i++)
		if (steps[i].kind == PLAN_OPEN_NAMESPACE)
			error = k_fcntl(r->creation->child.slots[steps[i].u.ns.slot], F_SETFD, 0);
	return error;
}

static int prepare(const void *context)
{
	int error = attach_all(context);

	return error < 0 ? error : keep_descriptors(context);
}

/* --- mount points --- */

/* Whether an earlier mount of the plan contains the target, which that mount has or the images have then. */
static bool is_covered(const struct plan *plan, uint32_t i, const char *target)
{
	const struct plan_step *steps = plan_steps(plan);

	for (uint32_t j = 0; j < i; j++)
		if (steps[j].kind == PLAN_MOUNT &&
		    path_is_below(target, plan_get(plan, steps[j].u.mount.target)))
			return true;
	return false;
}

static int make_mount_point(const struct restoring *r, int root_fd, const struct plan_mount *mount)
{
	const struct path_place place = {
		.root_fd = root_fd, .path = plan_get(r->plan, mount->target), .base_fd = -1};
	const struct path_making making = {.mode = 0755};
	int fd = path_open(&place, O_PATH);
	struct stat st = {.st_mode = S_IFDIR};

	if (fd == -ENOENT && mount->is_bind && mount->source_slot != PLAN_NO_SLOT)
		(void)!k_fstat(r->creation->child.slots[mount->source_slot], &st);
	if (fd == -ENOENT)
		fd = S_ISDIR(st.st_mode) ? path_mkdir(&place, &making) : path_make_file(&place, 0644);
	if (fd < 0)
		return fd;
	k_close(fd);
	return 0;
}

/* The root file system may be a new one, without the mount points that the creation made in the earlier one. */
static int make_mount_points(const struct restoring *r, struct err *err)
{
	const char *path = r->creation->record.rootfs;
	_cleanup_fd_ int root_fd = k_openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	const struct plan_step *steps = plan_steps(r->plan);

	if (root_fd < 0)
		return err_system(err, root_fd, "cannot open the root file system '%s'", path);
	for (uint32_t i = 0; i < r->plan->step_count; i++) {
		const char *target = steps[i].kind == PLAN_MOUNT ? plan_get(r->plan, steps[i].u.mount.target)
								 : NULL;
		int error = target == NULL || is_covered(r->plan, i, target)
				    ? 0
				    : make_mount_point(r, root_fd, &steps[i].u.mount);

		if (error < 0)
			return err_set(err, ERR_SYSTEM, error, plan_get(r->plan, steps[i].json_pointer),
				       "cannot make the mount point '%s'", target);
	}
	return 0;
}

/* --- the step --- */

/* What the images contain of such a root could not be told from what the program has written to it. */
static bool is_root_in_memory(const struct plan *plan)
{
	const struct plan_step *steps = plan_steps(plan), *root = plan_find(plan, PLAN_ROOT);

	for (uint32_t i = 0; root != NULL && i < plan->step_count; i++)
		if (steps[i].kind == PLAN_OPEN_SOURCE && steps[i].u.source.slot == root->u.root.slot &&
		    steps[i].u.source.source.is_empty)
			return true;
	return plan_find(plan, PLAN_OVERLAY) != NULL;
}

static int begin(struct restoring *r, struct err *err)
{
	const struct criu_options *o = r->creation->draft.options->restore;
	int error = criu_check(err);

	if (error >= 0 && is_root_in_memory(r->plan))
		return err_set(err, ERR_UNSUPPORTED, 0, "/annotations/org.tare.root",
			       "cannot restore a container with a root in memory");
	if (error >= 0 &&
	    (plan_find(r->plan, PLAN_LISTENER) != NULL || plan_find(r->plan, PLAN_RECORDER) != NULL)) {
		err_set(err, ERR_UNSUPPORTED, 0, "/linux/seccomp",
			"cannot restore a container of which an agent or a recorder answers system calls: criu "
			"cannot");
		return -EOPNOTSUPP;
	}
	if (error >= 0)
		error = criu_dirs_open(o, false, &r->dirs, err);
	if (error >= 0)
		error = criu_externals_read(r->dirs.images, &r->externals, err);
	if (error >= 0)
		error = state_root_path(r->creation->draft.options->common.state_root, &r->staging, err);
	if (error < 0)
		return error;
	criu_args_begin(&r->args, "restore", o, &r->dirs);
	criu_args_add(&r->args, "--restore-detached");
	criu_args_add(&r->args, "--restore-sibling");
	criu_args_add(&r->args, "--root");
	criu_args_add(&r->args, "%s", r->creation->record.rootfs);
	criu_args_add(&r->args, "--pidfile");
	criu_args_add(&r->args, PID_FILE);
	if (o->lsm_profile != NULL)
		criu_args_add(&r->args, "--lsm-profile=%s", o->lsm_profile);
	if (o->lsm_mount_context != NULL)
		criu_args_add(&r->args, "--lsm-mount-context=%s", o->lsm_mount_context);
	error = make_mount_points(r, err);
	return error < 0 ? error : add_externals(r, err);
}

static int read_pid(struct restoring *r, struct err *err)
{
	_cleanup_free_ char *path = mem_format("%s/" PID_FILE, r->dirs.work);
	struct child *child = &r->creation->child;
	char text[24];
	uint64_t pid;
	int error = io_read_small(AT_FDCWD, path, O_NOFOLLOW, text, sizeof text);

	(void)!unlink(path);
	if (error < 0)
		return err_system(err, error, "cannot read the pid of the restored process");
	text[strcspn(text, "\n")] = '\0';
	if (!str_to_u64(text, INT32_MAX, &pid) || pid == 0)
		return err_set(err, ERR_PEER, EPROTO, NULL, "criu has written no pid");
	child->pid = (pid_t)pid;
	child->pidfd = k_pidfd_open(child->pid, 0);
	return child->pidfd < 0 ? err_system(err, child->pidfd, "cannot watch the restored process") : 0;
}

int parent_create_restore(struct creation *creation, const struct plan_step *step, struct err *err)
{
	_cleanup_restoring_ struct restoring r = {
		.creation = creation, .plan = creation->draft.plan, .terminal_fd = -1};
	struct criu_call call = {.args = &r.args,
				 .dirs = &r.dirs,
				 .action = "restore",
				 .goal = "restore the container",
				 .cgroup_fd = creation->child.cgroup_fd,
				 .has_cgroup_ns = (r.plan->namespaces & CLONE_NEWCGROUP) != 0,
				 .prepare = prepare,
				 .context = &r};
	int error = begin(&r, err);

	(void)step;
	if (error >= 0) {
		_cleanup_free_ char *path = mem_format("%s/" PID_FILE, r.dirs.work);

		(void)!unlink(path);
		error = criu_run(&call, err);
	}
	sources_close(&creation->child.sources);
	return error < 0 ? error : read_pid(&r, err);
}
