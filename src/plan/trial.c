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

/* Steps that the request can omit while the others are still tried. */
static bool is_kept_single(const struct trial *trial, const struct plan_step *step)
{
	switch ((enum plan_kind)step->kind) {
	case PLAN_MOUNT:
		/* A remount may change a mount in the root file system, which an empty root does not have. */
		return !step->u.mount.is_remount;
	case PLAN_HOSTNAME:
	case PLAN_DOMAINNAME:
		return !trial->is_joined[SPEC_NS_UTS];
	case PLAN_SYSCTL:
		return has_sysctl_namespace(trial, plan_get(trial->plan, step->u.sysctl.key));
	case PLAN_MAKE_CWD:
		return has_cwd(trial);
	case PLAN_LOOKUP:
		return has_cwd(trial) && trial->request->has_program;
	case PLAN_OPEN_IDMAP:
	case PLAN_OPEN_SOURCE:
	case PLAN_MAKE_NODE:
	case PLAN_DEVICE:
	case PLAN_CONSOLE:
	case PLAN_READONLY_MOUNT:
	case PLAN_READONLY_PATH:
	case PLAN_MASK_PATH:
	case PLAN_PROPAGATION:
	case PLAN_LABEL:
	case PLAN_SCHEDULER:
	case PLAN_IO_PRIORITY:
	case PLAN_RLIMIT:
	case PLAN_PERSONALITY:
		return true;
	default:
		return false;
	}
}

/*
 * Not kept: cgroups, classes of service, network devices and hooks, which change the host; cpus and memory
 * nodes, which depend on the container's cgroup; oom_score_adj, which a copy of the caller has tried already;
 * the owner of the caller's standard descriptors; and all steps after COMMITTED, which is never sent.
 */
static bool is_kept(const struct trial *trial, const struct plan_step *step)
{
	switch ((enum plan_kind)step->kind) {
	case PLAN_SEND:
		return step->actor != PLAN_PARENT || step->u.step != STEP_COMMITTED;
	case PLAN_SECCOMP:
		return !step->u.filter.is_notify;
	case PLAN_CONTROLLING:
		return !is_omitted(trial, "/process/terminal");
	case PLAN_EXPECT:
	case PLAN_OPEN_PROC:
	case PLAN_OPEN_NAMESPACE:
	case PLAN_SPAWN:
	case PLAN_ID_MAPS:
	case PLAN_SET_UNDUMPABLE:
	case PLAN_JOIN:
	case PLAN_UNSHARE:
	case PLAN_TIME_OFFSETS:
	case PLAN_SETUP_IDS:
	case PLAN_KEYRING:
	case PLAN_LOOPBACK:
	case PLAN_ROOT:
	case PLAN_COPY_NODES:
	case PLAN_LINK:
	case PLAN_PIVOT:
	case PLAN_READONLY_ROOT:
	case PLAN_UMASK:
	case PLAN_NO_NEW_PRIVS:
	case PLAN_USER:
		return true;
	default:
		return is_kept_single(trial, step) &&
		       !is_omitted(trial, plan_get(trial->plan, step->json_pointer));
	}
}

/* Makes the source a read-only copy. Mounts in it do not appear on the host. */
static void alter_source(const struct trial *trial, struct plan_step *step)
{
	const struct plan_step *root = plan_find(trial->plan, PLAN_ROOT);

	step->u.source.source.propagation = MS_PRIVATE;
	step->u.source.source.is_readonly = true;
	step->u.source.source.is_empty = trial->request->has_empty_root && root != NULL &&
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
