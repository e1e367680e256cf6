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

#include <tare/parent.h>
#include <tare/probe.h>

#include "private.h"

#define TRIALS_MAX 64 /* one finding each */

/* --- in the copy --- */

struct attempt {
	const struct check *check;
	const struct plan *plan;
};

static int carry_out(const void *context, struct err *err)
{
	const struct attempt *attempt = context;
	struct child child;
	int r;

	child_init(&child);
	child.first_fd = attempt->check->first_fd;
	child.plan = attempt->plan;
	r = child_open_slots(&child, err);
	if (r >= 0)
		r = child_hold_signals(&child, err);
	if (r >= 0)
		r = parent_walk(&child, err);
	child_kill(&child);
	return r;
}

/* --- in the parent --- */

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

/*
 * Whether the failure of the root file system occurs again at another property: what both need has failed, such
 * as the mount namespace from which all sources are copied.
 */
static bool is_repeated(const struct err *findings, int count)
{
	for (int i = 0; i < count; i++)
		if (str_equal(findings[i].json_pointer, "/root/path") &&
		    findings[i].errnum == findings[count].errnum &&
		    str_equal(findings[i].msg, findings[count].msg))
			return true;
	return false;
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
		const struct probe_trial attempt = {.run = carry_out,
						    .context = &(struct attempt){check, plan}};

		(void)!probe_try(&attempt, finding);
		if (finding->kind == ERR_NONE)
			return;
		if (!trial.has_empty_root && is_missing_mount_point(finding)) {
			if (str_equal(finding->json_pointer, "/root/path"))
				check_report(check, finding);
			trial.has_empty_root = true;
			continue;
		}
		if (is_repeated(findings, i))
			return;
		if (!is_caused_by_trial(check, finding) && !check_has_finding_at(check, finding->json_pointer))
			check_report(check, finding);
		/* No property can be omitted for the next trial. */
		if (finding->json_pointer[0] == '\0' || has_pointer(&pointers, finding->json_pointer))
			return;
		pointers.v[pointers.count++] = finding->json_pointer;
		trial.without_count = pointers.count;
	}
}
