/* SPDX-License-Identifier: Apache-2.0 */
/* The container's process: its attributes, environment and user, and the last steps of init. Process: the
 * parent. */
#include <linux/capability.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/resource.h>

#include <tare/protocol.h>

#include "builder.h"
#include "detail.h"

static const char *env_find(const struct spec_list *env, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < env->count; i++)
		if (strncmp(env->v[i], name, len) == 0 && env->v[i][len] == '=')
			return env->v[i] + len + 1;
	return NULL;
}

/* Also if HOME is empty: programs cannot use an empty one. */
static bool needs_home(const struct builder *b)
{
	return str_is_empty(env_find(&b->process->env, "HOME"));
}

void plan_add_home(struct builder *b, enum plan_actor actor)
{
	plan_text json_pointer;

	if (!needs_home(b))
		return;
	json_pointer = builder_text(b, "/process/env");
	builder_step(b, actor, PLAN_HOME, json_pointer)->u.number = b->process->user.uid;
}

/*
 * The environment of the program: the configuration's, without the variables that the runtime sets itself.
 * *ret_own is the number of the latter, at the end of the list, without HOME.
 */
static struct plan_texts program_env(struct builder *b, uint32_t *ret_own)
{
	const struct spec_list *env = &b->process->env;
	const struct plan_request *r = b->request;
	const char *own[] = {r->listen_fds > 0 ? "LISTEN_FDS=" : NULL, r->listen_fds > 0 ? "LISTEN_PID=" : NULL,
			     r->listen_fdnames != NULL ? "LISTEN_FDNAMES=" : NULL,
			     b->notify_slot != PLAN_NO_SLOT ? "NOTIFY_SOCKET=" : NULL,
			     needs_home(b) ? "HOME=" : NULL};
	char **v = arena_alloc(&b->arena, (env->count + ARRAY_SIZE(own) + 1) * sizeof *v);
	size_t count = 0;

	for (size_t i = 0; i < env->count; i++) {
		size_t k = 0;

		while (k < ARRAY_SIZE(own) && (own[k] == NULL || !str_has_prefix(env->v[i], own[k])))
			k++;
		if (k == ARRAY_SIZE(own))
			v[count++] = env->v[i];
	}
	*ret_own = (uint32_t)count;
	if (r->listen_fds > 0) {
		v[count++] = arena_format(&b->arena, "LISTEN_FDS=%u", r->listen_fds);
		v[count++] = arena_format(&b->arena, "LISTEN_PID=1");
	}
	if (r->listen_fds > 0 && r->listen_fdnames != NULL)
		v[count++] = arena_format(&b->arena, "LISTEN_FDNAMES=%s", r->listen_fdnames);
	if (b->notify_slot != PLAN_NO_SLOT)
		v[count++] = arena_format(&b->arena, "NOTIFY_SOCKET=/run/notify/notify.sock");
	*ret_own = (uint32_t)count - *ret_own;
	return builder_texts(b, v, count);
}

struct plan_program plan_program_of(struct builder *b)
{
	const struct spec_process *p = b->process;
	struct plan_program program = {.needs_home = needs_home(b)};

	program.args = builder_texts(b, p->args.v, p->args.count);
	program.env = program_env(b, &program.runtime_env_count);
	return program;
}

/*
 * Annotation of crun: files of the host may be accessible only to a group of the caller that has no id in the
 * container.
 */
#define KEEP_GROUPS "run.oci.keep_original_groups"

/*
 * user_namespaces(7): a user namespace inherits the denial, also one to join, which must be the caller's or
 * below it. That one may also have its own. A caller without rights has to deny setgroups in a new one.
 */
static bool is_setgroups_denied(const struct builder *b)
{
	const struct spec_id_maps *gids = &b->spec->gid_mappings;

	if (b->host->is_setgroups_denied || b->host->namespaces[SPEC_NS_USER].is_setgroups_denied)
		return true;
	return b->has_new_user && !b->host->is_privileged && gids->count == 1 && gids->v[0].size == 1;
}

/* setgroups(2): it needs CAP_SETGID, and must not be denied in the caller's user namespace either. */
bool plan_drops_groups_early(const struct builder *b)
{
	return b->host->namespaces[SPEC_NS_USER].is_setgroups_denied && !b->host->is_setgroups_denied &&
	       (b->host->capabilities >> CAP_SETGID & 1) != 0 &&
	       !str_equal(spec_annotation(b->spec, KEEP_GROUPS), "1");
}

void plan_check_groups(struct builder *b, const struct plan_user *user)
{
	if (!user->is_setgroups_denied || user->has_callers_groups)
		return;
	if (user->groups.count > 0)
		builder_finding(b, ERR_UNSUPPORTED, "/process/user/additionalGids",
				"cannot set any additional groups in a rootless container (setgroups is denied "
				"in this user namespace: /proc/self/setgroups)");
	else if (b->host->other_groups > 0 && !plan_drops_groups_early(b))
		builder_note(b, "/process/user/additionalGids",
			     "setgroups is denied in this user namespace: %u groups of the caller stay",
			     b->host->other_groups);
}

/* Omits what capset(2) and prctl(2) refuse: capabilities(7), "Programmatically adjusting capability sets". */
static struct spec_capabilities grant(const struct builder *b, const struct spec_capabilities *asked)
{
	int last = b->host->last_capability;
	uint64_t grantable = last >= 63 ? UINT64_MAX : (1ull << (last + 1)) - 1;
	struct spec_capabilities granted;

	/* A process in a user namespace of the container has every capability there. */
	if (!b->has_user)
		grantable &= b->host->capabilities;
	granted.bounding = asked->bounding & grantable;
	granted.permitted = asked->permitted & grantable;
	granted.effective = asked->effective & granted.permitted;
	granted.inheritable = asked->inheritable & granted.bounding;
	granted.ambient = asked->ambient & granted.permitted & granted.inheritable;
	return granted;
}

struct plan_user plan_user_of(struct builder *b)
{
	const struct spec_process *p = b->process;
	struct plan_user user = {
		.uid = p->user.uid,
		.gid = p->user.gid,
		.capabilities = grant(b, &p->capabilities),
	};

	user.cwd = builder_text(b, p->cwd);
	user.groups = builder_table(b, p->user.additional_gids, p->user.additional_gid_count, sizeof(uint32_t));
	return user;
}

void plan_inherit_attributes(struct spec_attributes *attributes, const struct spec_attributes *from)
{
	if (!attributes->umask.is_set)
		attributes->umask = from->umask;
	if (!attributes->oom_score_adj.is_set)
		attributes->oom_score_adj = from->oom_score_adj;
	if (!attributes->scheduler.is_set)
		attributes->scheduler = from->scheduler;
	if (!attributes->io_priority.is_set)
		attributes->io_priority = from->io_priority;
	if (!attributes->memory_policy.is_set)
		attributes->memory_policy = from->memory_policy;
	if (!attributes->personality.is_set)
		attributes->personality = from->personality;
}

void plan_add_umask(struct builder *b, enum plan_actor actor)
{
	const struct spec_uint *umask = &b->process->attributes.umask;

	builder_step(b, actor, PLAN_UMASK, 0)->u.number = umask->is_set ? (int64_t)umask->value : 0022;
}

void plan_add_policies(struct builder *b, enum plan_actor actor)
{
	const struct spec_attributes *attributes = &b->process->attributes;
	plan_text json_pointer;

	if (attributes->memory_policy.is_set) {
		json_pointer = builder_text(b, "/linux/memoryPolicy");
		builder_step(b, actor, PLAN_MEMORY_POLICY, json_pointer)->u.memory_policy =
			attributes->memory_policy;
	}
	if (attributes->personality.is_set) {
		json_pointer = builder_text(b, "/linux/personality");
		builder_step(b, actor, PLAN_PERSONALITY, json_pointer)->u.number =
			attributes->personality.domain;
	}
}

/* sched(7): what a child does not inherit. With a reaper the program is a child of the process that has it. */
static void check_inherited(struct builder *b)
{
	const struct spec_scheduler *scheduler = &b->process->attributes.scheduler;

	if (scheduler->policy == SCHED_DEADLINE)
		builder_finding(b, ERR_UNSUPPORTED, "/process/scheduler/policy",
				"a process with SCHED_DEADLINE cannot start another one, as --init has to");
	else if ((scheduler->flags & SCHED_FLAG_RESET_ON_FORK) != 0)
		builder_finding(b, ERR_UNSUPPORTED, "/process/scheduler/flags",
				"with SCHED_FLAG_RESET_ON_FORK the program, which --init starts, would not get "
				"the policy");
}

/* Attributes that the parent sets, because init may lack the privileges in its user namespace. */
void plan_add_parent_attributes(struct builder *b)
{
	const struct spec_attributes *attributes = &b->process->attributes;
	plan_text json_pointer;

	if (attributes->scheduler.is_set && b->has_reaper)
		check_inherited(b);
	if (attributes->scheduler.is_set) {
		json_pointer = builder_text(b, "/process/scheduler");
		builder_step(b, PLAN_PARENT, PLAN_SCHEDULER, json_pointer)->u.scheduler = attributes->scheduler;
	}
	if (attributes->io_priority.is_set) {
		json_pointer = builder_text(b, "/process/ioPriority");
		builder_step(b, PLAN_PARENT, PLAN_IO_PRIORITY, json_pointer)->u.number =
			(int64_t)attributes->io_priority.class_ << 13 | attributes->io_priority.priority;
	}
}

/*
 * prlimit(2) on a process of another uid needs CAP_SYS_RESOURCE over it. If the caller lacks it, init sets its
 * own limits while it still has the caller's uid.
 */
static bool is_parent_setting_rlimits(const struct builder *b)
{
	if (b->has_bridge_rlimits)
		return false;
	return b->has_user || (b->host->capabilities >> CAP_SYS_RESOURCE & 1) != 0;
}

/*
 * Whether an RLIMIT_NOFILE is too small for the descriptors that init needs at its gate and after it (accept(2)
 * for the starter, pipes for hooks), or for the listener of a filter. With it the container could never be
 * started, so it is set after these are done. *ret_floor is the limit that suffices.
 */
static bool is_late_rlimit(const struct builder *b, const struct spec_rlimit *rlimit, uint64_t *ret_floor)
{
	*ret_floor = 3 + b->request->preserve_fds + b->request->listen_fds + 16;
	return (b->gate_slot != PLAN_NO_SLOT || b->has_listener) && rlimit->resource == RLIMIT_NOFILE &&
	       rlimit->soft < *ret_floor;
}

static void add_late_rlimits(struct builder *b)
{
	const struct spec_process *p = b->process;
	uint64_t floor;

	for (size_t i = 0; i < p->rlimit_count; i++) {
		plan_text json_pointer = builder_pointer(b, "/process/rlimits/%zu", i);

		if (is_late_rlimit(b, &p->rlimits[i], &floor))
			builder_step(b, PLAN_INIT, PLAN_RLIMIT, json_pointer)->u.rlimit = p->rlimits[i];
	}
}

void plan_add_rlimits(struct builder *b, enum plan_actor actor)
{
	const struct spec_process *p = b->process;
	uint64_t floor;

	if ((actor == PLAN_PARENT) != is_parent_setting_rlimits(b))
		return;
	for (size_t i = 0; i < p->rlimit_count; i++) {
		struct spec_rlimit rlimit = p->rlimits[i];
		plan_text json_pointer = builder_pointer(b, "/process/rlimits/%zu", i);

		if (is_late_rlimit(b, &p->rlimits[i], &floor) && rlimit.hard < floor)
			continue;
		if (is_late_rlimit(b, &p->rlimits[i], &floor))
			rlimit.soft = floor;
		builder_step(b, actor, PLAN_RLIMIT, json_pointer)->u.rlimit = rlimit;
	}
}

static void add_init_attributes(struct builder *b)
{
	plan_text json_pointer;

	plan_add_umask(b, PLAN_INIT);
	builder_step(b, PLAN_INIT, PLAN_AFFINITY, 0);
	plan_add_policies(b, PLAN_INIT);
	plan_add_labels(b, PLAN_INIT);
	if (b->process->attributes.no_new_privileges) {
		json_pointer = builder_text(b, "/process/noNewPrivileges");
		builder_step(b, PLAN_INIT, PLAN_NO_NEW_PRIVS, json_pointer);
	}
}

static enum plan_filter_time filter_time(const struct builder *b, const struct plan_filter *filter)
{
	return plan_filter_time(filter, b->process->attributes.no_new_privileges);
}

void plan_add_exec(struct builder *b, const struct plan_program *program, const struct plan_filter *filter)
{
	plan_text json_pointer = builder_text(b, "/process/args");

	add_late_rlimits(b);
	builder_step(b, PLAN_INIT, PLAN_HANDOVER, json_pointer)->u.program = *program;
	if (filter != NULL)
		plan_add_seccomp(b, PLAN_INIT, filter);
	builder_step(b, PLAN_INIT, PLAN_EXEC, json_pointer)->u.program = *program;
}

/* startContainer hooks are programs of the container: the filter applies to them as to its own program. */
static void add_start(struct builder *b, const struct plan_program *program)
{
	bool has_hooks = b->spec->hooks[SPEC_HOOK_START_CONTAINER].count > 0;
	const struct plan_filter *filter = &b->filter;

	if (filter_time(b, filter) != PLAN_FILTER_LAST)
		filter = NULL;
	plan_add_death_signal(b);
	if (filter != NULL && has_hooks)
		plan_add_seccomp(b, PLAN_INIT, filter);
	plan_add_hooks(b, PLAN_INIT, SPEC_HOOK_START_CONTAINER);
	if (has_hooks)
		filter = NULL;
	/* Labels apply from execve(2) on, so not to the reaper. */
	plan_add_reaper(b, filter != NULL || plan_has_labels(b));
	plan_add_exec(b, program, filter);
}

/* What init sets on itself, and where it finds its program. */
static void add_identity(struct builder *b, const struct plan_program *program)
{
	const struct plan_filter *filter = &b->filter;
	plan_text json_pointer;

	add_init_attributes(b);
	if (program->args.count > 0)
		plan_add_home(b, PLAN_INIT);
	builder_step(b, PLAN_INIT, PLAN_STDIO_OWNER, 0)->u.number = b->process->user.uid;
	plan_add_rlimits(b, PLAN_INIT);
	if (filter_time(b, filter) == PLAN_FILTER_PRIVILEGED)
		plan_add_seccomp(b, PLAN_INIT, filter);
	json_pointer = builder_text(b, "/process/user");
	plan_check_groups(b, &b->stored.user);
	builder_step(b, PLAN_INIT, PLAN_USER, json_pointer)->u.user = b->stored.user;
	json_pointer = builder_text(b, "/process/args");
	if (program->args.count > 0)
		builder_step(b, PLAN_INIT, PLAN_LOOKUP, json_pointer)->u.program = *program;
	if (filter_time(b, filter) == PLAN_FILTER_NOTIFY)
		plan_add_seccomp(b, PLAN_INIT, filter);
}

/* What the parent does once init has done everything but to wait for its start. */
static void add_commit(struct builder *b)
{
	builder_step(b, PLAN_INIT, PLAN_SEND, 0)->u.step = STEP_READY;
	builder_step(b, PLAN_PARENT, PLAN_EXPECT, 0)->u.step = STEP_READY;
	plan_add_release_placeholder(b);
	if (b->spec->has_process) {
		plan_add_parent_attributes(b);
		plan_add_rlimits(b, PLAN_PARENT);
	}
	plan_add_delegate(b);
	plan_add_late_limits(b);
	plan_add_watch(b);
	builder_step(b, PLAN_PARENT, PLAN_SEND, 0)->u.step = STEP_COMMITTED;
	builder_step(b, PLAN_INIT, PLAN_EXPECT, 0)->u.step = STEP_COMMITTED;
	builder_step(b, PLAN_INIT, PLAN_GATE, 0)->u.slot = b->gate_slot;
}

void plan_add_process(struct builder *b)
{
	struct plan_process *stored = &b->stored;
	struct plan_program program = plan_program_of(b);

	plan_add_filter(b);
	b->has_listener = b->filter.is_notify || b->filter.recorder_slot != PLAN_NO_SLOT;
	stored->user = plan_user_of(b);
	stored->user.is_setgroups_denied = is_setgroups_denied(b);
	stored->user.has_callers_groups = str_equal(spec_annotation(b->spec, KEEP_GROUPS), "1");
	stored->env = program.env;
	stored->env.count -= program.runtime_env_count;
	if (b->spec->has_process)
		add_identity(b, &program);
	add_commit(b);
	if (program.args.count > 0) {
		add_start(b, &program);
	} else if (b->request->is_run) {
		builder_finding(b, ERR_CONFIG, b->spec->has_process ? "/process/args" : "/process",
				"is missing");
	}
	plan_add_hooks(b, PLAN_PARENT, SPEC_HOOK_POSTSTART);
}

uint32_t plan_add_stored_process(struct builder *b)
{
	const struct spec_process *p = b->process;
	struct plan_process *stored = &b->stored;

	stored->attributes = p->attributes;
	stored->rlimits = builder_table(b, p->rlimits, p->rlimit_count, sizeof *p->rlimits);
	stored->apparmor_profile = builder_text(b, p->apparmor_profile);
	stored->selinux_label = builder_text(b, p->selinux_label);
	stored->affinity_initial = builder_text(b, p->exec_cpu_affinity.initial);
	stored->affinity_final = builder_text(b, p->exec_cpu_affinity.final);
	return builder_table(b, stored, 1, sizeof *stored).offset;
}

/* --- printers --- */

void plan_detail_umask(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	(void)plan;
	buf_format(out, "%o", (unsigned int)step->u.number);
}

void plan_detail_rlimit(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	(void)plan;
	buf_format(out, "%s soft %llu hard %llu", spec_rlimit_name(step->u.rlimit.resource),
		   (unsigned long long)step->u.rlimit.soft, (unsigned long long)step->u.rlimit.hard);
}

void plan_detail_scheduler(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	(void)plan;
	buf_format(out, "policy %u nice %d priority %u", step->u.scheduler.policy, step->u.scheduler.nice,
		   step->u.scheduler.priority);
}

void plan_detail_memory_policy(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	(void)plan;
	buf_format(out, "mode %d flags %x", step->u.memory_policy.mode, step->u.memory_policy.flags);
}

static void add_set(struct buf *out, const char *before, uint64_t set)
{
	buf_add_str(out, before);
	capability_set_add(out, set);
}

void plan_detail_user(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	const struct plan_user *user = &step->u.user;
	const uint32_t *groups = plan_rows(plan, user->groups);
	bool is_callers = user->is_setgroups_denied || user->has_callers_groups;
	uint32_t count = is_callers ? 0 : user->groups.count;

	buf_format(out, "uid %u gid %u groups", user->uid, user->gid);
	for (uint32_t i = 0; i < count; i++)
		buf_format(out, "%s%u", i == 0 ? " " : ",", groups[i]);
	if (count == 0)
		buf_add_str(out, is_callers ? " the caller's" : " none");
	add_set(out, " bounding ", user->capabilities.bounding);
	add_set(out, " effective ", user->capabilities.effective);
	add_set(out, " permitted ", user->capabilities.permitted);
	add_set(out, " inheritable ", user->capabilities.inheritable);
	add_set(out, " ambient ", user->capabilities.ambient);
	detail_add_item(out, " cwd ", plan_get(plan, user->cwd));
}

void plan_detail_program(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	for (uint32_t i = 0; i < step->u.program.args.count; i++)
		detail_add_item(out, i == 0 ? "" : " ", plan_item(plan, step->u.program.args, i));
}
