/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a kernel, a security module or a filter around tare makes of namespaces, id maps and mounts cannot be
 * told beforehand: it is tried. A copy of this process carries out plan_build_trial's part of the plan, with an
 * init like that of a start, and says what has failed; then the same without that, until nothing fails any
 * more.
 *
 * Process: the parent; and its copy, with which the bridge and init of the trial end.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tare/parent.h>

#include "private.h"

#define TRIALS_MAX 64 /* places that are found one after the other */

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

/* *ret is of kind ERR_NONE where nothing has failed. */
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

/* In read-only copies nothing can be made: what it was is told by a trial in an empty root. */
static bool is_missing_place(const struct err *finding)
{
	return finding->errnum == EROFS ||
	       (finding->errnum == ENOENT && str_equal(finding->json_pointer, "/process/cwd")) ||
	       str_equal(finding->json_pointer, "/root/path");
}

/* The bind mount that the path is in, as the plan has it: one that a start can write to? */
static bool is_below_writable(const struct check *check, const char *path, uint32_t before)
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

/* EROFS of a trial says nothing about a place that a start could write to. */
static bool is_of_trial(const struct check *check, const struct err *finding)
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
			return is_below_writable(check, path, i);
	}
	return true;
}

struct places {
	const char **v;
	size_t count;
};

static void places_done(struct places *places)
{
	mem_free(&places->v);
}

static bool has_place(const struct places *places, const char *json_pointer)
{
	for (size_t i = 0; i < places->count; i++)
		if (str_equal(places->v[i], json_pointer))
			return true;
	return false;
}

/* What an earlier look has found is left out from the beginning, but for the root, which is empty then. */
static void begin(const struct check *check, struct places *places, struct plan_trial *trial)
{
	places->v = mem_alloc((check->place_count + TRIALS_MAX) * sizeof *places->v);
	trial->has_program = !check->has_changers && check->spec->process.args.count > 0;
	for (size_t i = 0; i < check->place_count; i++) {
		if (str_equal(check->places[i], "/root/path"))
			trial->has_empty_root = true;
		else if (check->places[i][0] != '\0')
			places->v[places->count++] = check->places[i];
	}
	trial->without = places->v;
	trial->without_count = places->count;
}

void check_start(struct check *check)
{
	__attribute__((cleanup(places_done))) struct places places = {0};
	struct err findings[TRIALS_MAX];
	struct plan_trial trial = {0};

	if (!check->is_planned)
		return;
	begin(check, &places, &trial);
	for (int i = 0; i < TRIALS_MAX; i++) {
		_cleanup_free_ struct plan *plan = plan_build_trial(check->plan, &trial);
		struct err *finding = &findings[i];

		try_plan(check, plan, finding);
		if (finding->kind == ERR_NONE)
			return;
		if (!trial.has_empty_root && is_missing_place(finding)) {
			if (str_equal(finding->json_pointer, "/root/path"))
				check_report(check, finding);
			trial.has_empty_root = true;
			continue;
		}
		if (!is_of_trial(check, finding) && !check_has_place(check, finding->json_pointer))
			check_report(check, finding);
		/* Nothing that could be left out. */
		if (finding->json_pointer[0] == '\0' || has_place(&places, finding->json_pointer))
			return;
		places.v[places.count++] = finding->json_pointer;
		trial.without_count = places.count;
	}
}
