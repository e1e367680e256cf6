/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trial: the part of a plan that "check" carries out. It has the same steps in the same order, without
 * those that change the host or a namespace of other processes. Its effects end with the processes that carry
 * it out.
 */
#include <linux/sched.h>
#include <string.h>

#include <tare/protocol.h>
#include <tare/spec.h>

#include "builder.h"

struct trial {
	const struct plan *plan;
	const struct plan_trial *request;
	bool is_joined[SPEC_NS_COUNT];
	bool has_mount_ns;
	plan_text root_dir; /* "/" */
};

static void find_namespaces(struct trial *trial)
{
	const struct plan_step *steps = plan_steps(trial->plan);

	for (uint32_t i = 0; i < trial->plan->step_count; i++) {
		if (steps[i].kind == PLAN_OPEN_NAMESPACE)
			trial->is_joined[steps[i].u.ns.ns] = true;
		if (steps[i].kind == PLAN_ROOT)
			trial->has_mount_ns = steps[i].u.root.has_mount_ns;
	}
}

static bool is_omitted(const struct trial *trial, const char *json_pointer)
{
	for (size_t i = 0; json_pointer != NULL && i < trial->request->without_count; i++)
		if (path_is_below(trial->request->without[i], json_pointer))
			return true;
	return false;
}

static bool has_cwd(const struct trial *trial)
{
	return trial->has_mount_ns && !trial->request->has_empty_root && !is_omitted(trial, "/process/cwd");
}

static bool has_sysctl_namespace(const struct trial *trial, const char *sysctl)
{
	int owner = spec_sysctl_owner(sysctl);

	return owner >= 0 && !trial->is_joined[owner];
}

/*
 * The column "trial" of the steps. Skipped: cgroups, classes of service, network devices and hooks, which
 * change the host; cpus and memory nodes, which depend on the container's cgroup; oom_score_adj, which a copy
 * of the caller has tried already; the owner of the caller's standard descriptors; and all steps after
 * COMMITTED, which is never sent.
 */
static bool is_kept_skip(const struct trial *trial, const struct plan_step *step)
{
	(void)trial;
	(void)step;
	return false;
}

static bool is_kept_keep(const struct trial *trial, const struct plan_step *step)
{
	(void)trial;
	(void)step;
	return true;
}

/* Steps that the request can omit while the others are still tried. */
static bool is_kept_omittable(const struct trial *trial, const struct plan_step *step)
{
	return !is_omitted(trial, plan_get(trial->plan, step->json_pointer));
}

static bool is_kept_send(const struct trial *trial, const struct plan_step *step)
{
	(void)trial;
	return step->actor != PLAN_PARENT || step->u.step != STEP_COMMITTED;
}

static bool is_kept_filter(const struct trial *trial, const struct plan_step *step)
{
	(void)trial;
	return !step->u.filter.is_notify;
}

/*
 * A remount may change a mount in the root file system, which an empty root does not have. A link cannot be
 * made in the read-only root.
 */
static bool is_kept_mount(const struct trial *trial, const struct plan_step *step)
{
	return !step->u.mount.is_remount && !step->u.mount.copies_link && is_kept_omittable(trial, step);
}

static bool is_kept_uts(const struct trial *trial, const struct plan_step *step)
{
	return !trial->is_joined[SPEC_NS_UTS] && is_kept_omittable(trial, step);
}

static bool is_kept_sysctl(const struct trial *trial, const struct plan_step *step)
{
	return has_sysctl_namespace(trial, plan_get(trial->plan, step->u.sysctl.key)) &&
	       is_kept_omittable(trial, step);
}

static bool is_kept_cwd(const struct trial *trial, const struct plan_step *step)
{
	return has_cwd(trial) && is_kept_omittable(trial, step);
}

static bool is_kept_program(const struct trial *trial, const struct plan_step *step)
{
	return trial->request->has_program && is_kept_cwd(trial, step);
}

static bool is_kept(const struct trial *trial, const struct plan_step *step)
{
	switch ((enum plan_kind)step->kind) {
#define IS_KEPT(kind, name, printed, parent, bridge, create, exec, detail, kept, ...)                          \
	case PLAN_##kind:                                                                                      \
		return is_kept_##kept(trial, step);
		PLAN_STEPS(IS_KEPT)
	case PLAN_KINDS:
		break;
	}
	return false;
}

/* Makes the source a read-only copy. Mounts in it do not appear on the host. */
static void alter_source(const struct trial *trial, struct plan_step *step)
{
	const struct plan_step *root = plan_find(trial->plan, PLAN_ROOT);

	step->u.source.source.propagation = MS_PRIVATE;
	step->u.source.source.is_readonly = true;
	step->u.source.source.is_empty |= trial->request->has_empty_root && root != NULL &&
					  step->u.source.slot == root->u.root.slot;
}

static void alter(const struct trial *trial, struct plan_step *step)
{
	if (step->kind == PLAN_OPEN_SOURCE)
		alter_source(trial, step);
	else if (step->kind == PLAN_SPAWN)
		step->u.spawn.into_cgroup = false;
	else if (step->kind == PLAN_USER && !has_cwd(trial))
		step->u.user.cwd = trial->root_dir;
	if (step->kind == PLAN_MOUNT) {
		step->u.mount.attr_clear &= ~(uint64_t)MOUNT_ATTR_RDONLY;
		step->u.mount.attr_implied_clear &= ~(uint64_t)MOUNT_ATTR_RDONLY;
		step->u.mount.recursive_attr_clear &= ~(uint64_t)MOUNT_ATTR_RDONLY;
	}
}

/* After the final join of a mount namespace of other processes, an unshare makes a copy of it. */
static bool is_entry(const struct plan_step *step)
{
	return step->kind == PLAN_JOIN && step->u.ns.ns == SPEC_NS_MOUNT && !step->u.ns.is_tentative;
}

static uint32_t select_steps(const struct trial *trial, struct plan_step *ret)
{
	const struct plan_step *steps = plan_steps(trial->plan);
	uint32_t count = 0;

	for (uint32_t i = 0; i < trial->plan->step_count; i++) {
		if (!is_kept(trial, &steps[i]))
			continue;
		ret[count] = steps[i];
		alter(trial, &ret[count++]);
		if (is_entry(&steps[i])) {
			ret[count] = (struct plan_step){.kind = PLAN_UNSHARE, .actor = steps[i].actor};
			ret[count++].u.number = CLONE_NEWNS;
		}
	}
	return count;
}

#define ALIGNED(size) (((size) + 15u) & ~15u)

/* Texts and tables keep their offsets; the kept steps are appended. */
struct plan *plan_build_trial(const struct plan *plan, const struct plan_trial *request)
{
	struct trial trial = {.plan = plan, .request = request, .root_dir = plan->size};
	uint32_t steps_at = ALIGNED(plan->size + (uint32_t)sizeof "/");
	size_t size = steps_at + ((size_t)plan->step_count + SPEC_NS_COUNT) * sizeof(struct plan_step);
	struct plan *copy = mem_alloc(ALIGNED(size));

	find_namespaces(&trial);
	memcpy(copy, plan, plan->size);
	memcpy((char *)copy + trial.root_dir, "/", sizeof "/");
	copy->steps = steps_at;
	copy->size = (uint32_t)ALIGNED(size);
	copy->step_count = select_steps(&trial, (struct plan_step *)((char *)copy + steps_at));
	return copy;
}
