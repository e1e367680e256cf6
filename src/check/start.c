/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries a start, because it cannot be predicted what the kernel, a security module or a seccomp filter of the
 * caller allows of namespaces, id maps and mounts. A forked copy of the parent carries out the plan of
 * plan_build_trial, with a bridge and init as in a start, and reports the first failure. The trial is repeated
 * without the steps of the property that failed, or with an empty root, until nothing fails, no property can be
 * omitted, or it was tried TRIALS_MAX times.
 *
 * Runs in the parent and in its copy; the bridge and init of the trial die with the copy.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tare/parent.h>

#include "private.h"

#define TRIALS_MAX 64 /* one finding each */

/* --- in the copy --- */

__attribute__((noreturn)) static void carry_out(const struct check *check, struct plan *plan, int write_fd)
{
	struct err finding = {.kind = ERR_NONE};
	struct parent parent;
	int r;

	parent_init(&parent, check->parent->options);
	parent.spec = check->parent->spec;
	parent.host = check->parent->host;
	parent.request = check->parent->request;
	parent.first_fd = check->parent->first_fd;
	parent.plan = plan;
	r = parent_open_slots(&parent, &finding);
	if (r >= 0)
		r = parent_hold_signals(&parent, &finding);
	if (r >= 0)
		r = parent_walk(&parent, &finding);
	parent_undo_processes(&parent);
	if (r < 0 && finding.kind == ERR_NONE)
		err_system(&finding, r, "cannot try a start");
	(void)!io_write_all(write_fd, &finding, sizeof finding);
	k_exit(0);
}

/* --- in the parent --- */

/* Runs one trial. The kind of *ret is ERR_NONE if nothing has failed. */
static void try_plan(const struct check *check, struct plan *plan, struct err *ret)
{
	_cleanup_fd_ int read_fd = -1, write_fd = -1;
	pid_t pid, self = k_getpid();
	ssize_t len;
	int fds[2], r = k_pipe2(fds, O_CLOEXEC);

	*ret = (struct err){.kind = ERR_NONE};
	if (r < 0) {
		err_system(ret, r, "cannot make a pipe to try a start");
		return;
	}
	read_fd = fds[0];
	write_fd = fds[1];
	pid = fork();
	if (pid == 0) {
		child_die_with(self);
		carry_out(check, plan, write_fd);
	}
	if (pid < 0) {
		err_system(ret, errno, "cannot make a process to try a start");
		return;
	}
	fd_close(&write_fd);
	do
		len = k_read(read_fd, ret, sizeof *ret);
	while (len == -EINTR);
	k_waitid(P_PID, pid, NULL, WEXITED);
	if (len != (ssize_t)sizeof *ret)
		err_set(ret, ERR_PEER, 0, NULL, "the process that tries a start was killed");
}

/*
 * Whether the step failed because the root file system, or a file in it, is missing. The trial cannot make
 * files in read-only copies. A trial in an empty root shows whether the step succeeds otherwise.
 */
static bool is_missing_mount_point(const struct err *finding)
{
	return finding->errnum == EROFS ||
	       (finding->errnum == ENOENT && str_equal(finding->json_pointer, "/process/cwd")) ||
	       str_equal(finding->json_pointer, "/root/path");
}

/*
 * Whether path is on a mount that only the trial makes read-only: a bind mount that is writable in a start, or
 * the root. "before" is the number of the step that uses path.
 */
static bool is_on_writable_mount(const struct check *check, const char *path, uint32_t before)
{
	const struct plan_step *steps = plan_steps(check->plan);

	while (before-- > 0) {
		const struct plan_mount *mount = &steps[before].u.mount;

		if (steps[before].kind != PLAN_MOUNT || mount->is_remount ||
		    !path_is_below(path, plan_get(check->plan, mount->target)))
			continue;
		return mount->is_bind &&
		       ((mount->attr_set | mount->recursive_attr_set) & MOUNT_ATTR_RDONLY) == 0;
	}
	return true;
}

/* Whether the failure is EROFS only because the trial mounts read-only what is writable in a start. */
static bool is_caused_by_trial(const struct check *check, const struct err *finding)
{
	const struct plan_step *steps = plan_steps(check->plan);

	if (finding->errnum != EROFS)
		return false;
	for (uint32_t i = 0; i < check->plan->step_count; i++) {
		const char *path = steps[i].kind == PLAN_MOUNT ? plan_get(check->plan, steps[i].u.mount.target)
				   : steps[i].kind == PLAN_DEVICE
					   ? plan_get(check->plan, steps[i].u.device.path)
					   : NULL;

		if (path != NULL &&
		    str_equal(plan_get(check->plan, steps[i].json_pointer), finding->json_pointer))
			return is_on_writable_mount(check, path, i);
	}
	return true;
}

struct pointers {
	const char **v;
	size_t count;
};

static void pointers_done(struct pointers *pointers)
{
	mem_free(&pointers->v);
}

static bool has_pointer(const struct pointers *pointers, const char *json_pointer)
{
	for (size_t i = 0; i < pointers->count; i++)
		if (str_equal(pointers->v[i], json_pointer))
			return true;
	return false;
}

/* The trial omits properties with earlier findings; after a finding about the root it uses an empty root. */
static void trial_prepare(const struct check *check, struct pointers *pointers, struct plan_trial *trial)
{
	pointers->v = mem_alloc((check->pointer_count + TRIALS_MAX) * sizeof *pointers->v);
	trial->has_program = !check->has_early_hooks && check->spec->process.args.count > 0;
	for (size_t i = 0; i < check->pointer_count; i++) {
		if (str_equal(check->pointers[i], "/root/path"))
			trial->has_empty_root = true;
		else if (check->pointers[i][0] != '\0')
			pointers->v[pointers->count++] = check->pointers[i];
	}
	trial->without = pointers->v;
	trial->without_count = pointers->count;
}

void check_start(struct check *check)
{
	__attribute__((cleanup(pointers_done))) struct pointers pointers = {0};
	struct err findings[TRIALS_MAX];
	struct plan_trial trial = {0};

	if (!check->is_planned)
		return;
	trial_prepare(check, &pointers, &trial);
	for (int i = 0; i < TRIALS_MAX; i++) {
		_cleanup_free_ struct plan *plan = plan_build_trial(check->plan, &trial);
		struct err *finding = &findings[i];

		try_plan(check, plan, finding);
		if (finding->kind == ERR_NONE)
			return;
		if (!trial.has_empty_root && is_missing_mount_point(finding)) {
			if (str_equal(finding->json_pointer, "/root/path"))
				check_report(check, finding);
			trial.has_empty_root = true;
			continue;
		}
		if (!is_caused_by_trial(check, finding) && !check_has_finding_at(check, finding->json_pointer))
			check_report(check, finding);
		/* No property can be omitted for the next trial. */
		if (finding->json_pointer[0] == '\0' || has_pointer(&pointers, finding->json_pointer))
			return;
		pointers.v[pointers.count++] = finding->json_pointer;
		trial.without_count = pointers.count;
	}
}
