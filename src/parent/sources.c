/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mount sources of a container in another user namespace. The kernel locks a mount's flags, and the mounts that
 * cover parts of it, when it copies a mount namespace for a less privileged user namespace
 * (mount_namespaces(7)). A copy by open_tree(2) from the caller's own mount namespace has no such locks: root
 * of the container could make a read-only source writable, or unmount what the host has hidden. So the source
 * is copied from a mount namespace that was made for a user namespace without any ids.
 *
 * Process: the parent. It is in the other mount namespace only for the steps that follow each other and open
 * such sources.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <tare/probe.h>
#include <tare/sys.h>

#include "steps.h"

/* A mount namespace, and root and working directory of a process in it. */
struct place {
	int ns_fd, root_fd, cwd_fd;
};

struct sources {
	struct place own, locked;
	bool is_inside; /* this process is in the locked one */
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

/* What the child that is in the copy does, and its result. */
struct opening {
	int proc_fd, r;
	struct place *place;
};

static int open_own(void *arg)
{
	struct opening *opening = arg;

	opening->r = place_open(opening->proc_fd, "self", opening->place);
	return 0;
}

#define STACK_SIZE (16 << 10)

/*
 * The copy of this process's mount namespace, with everything in it locked. A child opens it. It shares this
 * process's memory and descriptors, which waits meanwhile: no page tables are copied, and nothing is to be sent
 * or killed.
 */
static int make_locked(int proc_fd, struct place *ret)
{
	static _Alignas(16) char stack[STACK_SIZE];
	struct opening opening = {.proc_fd = proc_fd, .r = -ECHILD, .place = ret};
	const struct clone_call call = {
		__NR_clone,
		{CLONE_NEWUSER | CLONE_NEWNS | CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD,
		 (long)(stack + STACK_SIZE)}};
	long pid = clone_onto_stack(&call, open_own, &opening);

	if (pid < 0)
		return (int)pid;
	k_waitid(P_PID, (pid_t)pid, NULL, WEXITED);
	return opening.r;
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

static int open_places(struct sources **ret, struct err *err)
{
	_cleanup_fd_ int proc_fd = mount_open_proc(err);
	int r;

	if (proc_fd < 0)
		return proc_fd;
	*ret = mem_alloc(sizeof **ret);
	**ret = (struct sources){{-1, -1, -1}, {-1, -1, -1}, false};
	r = place_open(proc_fd, "self", &(*ret)->own);
	if (r >= 0)
		r = make_locked(proc_fd, &(*ret)->locked);
	if (r < 0)
		err_system(err, r, "cannot copy the mount namespace for mount sources");
	if (r < 0)
		probe_hint_namespaces(r, CLONE_NEWUSER | CLONE_NEWNS, err);
	return r;
}

static void place_done(struct place *place)
{
	fd_close(&place->cwd_fd);
	fd_close(&place->root_fd);
	fd_close(&place->ns_fd);
}

void sources_close(struct sources **sources)
{
	if (*sources == NULL)
		return;
	place_done(&(*sources)->own);
	place_done(&(*sources)->locked);
	mem_free(sources);
}

static int enter_locked(struct sources *sources, struct err *err)
{
	int r = sources->is_inside ? 0 : place_enter(&sources->locked);

	/* A failure may have changed the namespace, or the root. */
	sources->is_inside = true;
	if (r >= 0)
		return 0;
	err_system(err, r, "cannot enter the mount namespace for mount sources");
	chroot_hint_setns(r, err);
	return r;
}

int sources_open_locked(struct sources **sources, const struct plan *plan, const struct sources_wanted *wanted,
			struct err *err)
{
	_cleanup_fd_ int fd = -1;
	int r = *sources == NULL ? open_places(sources, err) : 0, left = 0;

	if (r < 0)
		return r;
	r = enter_locked(*sources, err);
	if (r >= 0)
		r = fd = mount_open_source(plan, wanted->source, AT_FDCWD, wanted->slot_base, err);
	if (r < 0 || !wanted->is_followed) {
		left = place_enter(&(*sources)->own);
		(*sources)->is_inside = false;
	}
	if (r >= 0 && left < 0)
		r = err_system(err, left, "cannot return to the caller's mount namespace");
	return r < 0 ? r : take_fd(&fd);
}
