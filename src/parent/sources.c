/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mount sources of a container in another user namespace. The kernel locks a mount's flags, and the mounts that
 * cover parts of it, when it copies a mount namespace for a less privileged user namespace
 * (mount_namespaces(7)). A copy by open_tree(2) from the caller's own mount namespace has no such locks: root
 * of the container could make a read-only source writable, or unmount what the host has hidden. So the source
 * is copied from a mount namespace that was made for a user namespace without any ids.
 *
 * Process: the parent. It is in the other mount namespace for a few system calls only.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <stdlib.h>

#include <tare/sys.h>

#include "steps.h"

/* A mount namespace, and root and working directory of a process in it. */
struct place {
	int ns_fd, root_fd, cwd_fd;
};

struct sources {
	struct place own, locked;
};

static int open_of(int proc_fd, const char *process, const char *name, int flags)
{
	char path[48];

	str_format(path, sizeof path, "%s/%s", process, name);
	return k_openat(proc_fd, path, flags | O_CLOEXEC, 0);
}

static int place_open(int proc_fd, const char *process, struct place *ret)
{
	ret->ns_fd = open_of(proc_fd, process, "ns/mnt", O_RDONLY);
	if (ret->ns_fd >= 0)
		ret->root_fd = open_of(proc_fd, process, "root", O_PATH | O_DIRECTORY);
	if (ret->root_fd >= 0)
		ret->cwd_fd = open_of(proc_fd, process, "cwd", O_PATH | O_DIRECTORY);
	return ret->ns_fd < 0 ? ret->ns_fd : ret->root_fd < 0 ? ret->root_fd : ret->cwd_fd;
}

/* The copy of this process's mount namespace, with everything in it locked. */
static int make_locked(int proc_fd, struct place *ret)
{
	int pidfd = -1, r;
	long pid = idmap_start_holder(CLONE_NEWUSER | CLONE_NEWNS, &pidfd);
	char process[16];

	if (pid < 0)
		return (int)pid;
	str_format(process, sizeof process, "%ld", pid);
	r = place_open(proc_fd, process, ret);
	idmap_end_holder(pidfd);
	return r;
}

static int place_enter(const struct place *place)
{
	int r = k_setns(place->ns_fd, CLONE_NEWNS);

	if (r >= 0)
		r = k_fchdir(place->root_fd);
	if (r >= 0)
		r = k_chroot(".");
	return r < 0 ? r : k_fchdir(place->cwd_fd);
}

static int open_places(struct parent *parent, struct err *err)
{
	_cleanup_fd_ int proc_fd = mount_open_proc(err);
	int r;

	if (proc_fd < 0)
		return proc_fd;
	parent->sources = mem_alloc(sizeof *parent->sources);
	*parent->sources = (struct sources){{-1, -1, -1}, {-1, -1, -1}};
	r = place_open(proc_fd, "self", &parent->sources->own);
	if (r >= 0)
		r = make_locked(proc_fd, &parent->sources->locked);
	if (r < 0)
		err_system(err, r, "cannot copy the mount namespace for mount sources");
	if (r == -EPERM)
		hints_no_user_namespace(err);
	return r;
}

static void place_done(struct place *place)
{
	fd_close(&place->cwd_fd);
	fd_close(&place->root_fd);
	fd_close(&place->ns_fd);
}

void sources_done(struct parent *parent)
{
	if (parent->sources == NULL)
		return;
	place_done(&parent->sources->own);
	place_done(&parent->sources->locked);
	mem_free(&parent->sources);
}

int sources_open_locked(struct parent *parent, const struct plan_source *source, int slot_base, struct err *err)
{
	_cleanup_fd_ int fd = -1;
	int r = parent->sources == NULL ? open_places(parent, err) : 0, left;

	if (r < 0)
		return r;
	r = place_enter(&parent->sources->locked);
	if (r < 0)
		r = err_system(err, r, "cannot enter the mount namespace for mount sources");
	else
		r = fd = mount_open_source(parent->plan, source, AT_FDCWD, slot_base, err);
	left = place_enter(&parent->sources->own);
	if (r >= 0 && left < 0)
		r = err_system(err, left, "cannot return to the caller's mount namespace");
	return r < 0 ? r : take_fd(&fd);
}
