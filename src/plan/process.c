/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's process: its attributes, environment and user, its hooks, and the last steps of init.
 * Process: the parent.
 */
#include <linux/capability.h>
#include <string.h>
#include <sys/resource.h>

#include <tare/protocol.h>

#include "builder.h"

static struct plan_hook one_hook(struct builder *b, const struct spec_hook *hook, plan_text json_pointer)
{
	struct plan_hook row = {
		.timeout = hook->timeout, .is_env_set = hook->env.v != NULL, .json_pointer = json_pointer};
	char *path[] = {(char *)(uintptr_t)hook->path};

	row.path = builder_text(b, hook->path);
	row.args = hook->args.count > 0 ? builder_texts(b, hook->args.v, hook->args.count)
					: builder_texts(b, path, 1);
	row.env = builder_texts(b, hook->env.v, hook->env.count);
	return row;
}

/*
 * The state JSON for hooks is stored in two parts, before and after the pid: only the process that runs a hook
 * knows the pid of the container in the hook's pid namespace.
 */
static void hook_state(struct builder *b, struct plan_hooks *hooks, const char *status)
{
	_cleanup_buf_ struct buf text = {0};
	struct json json;
	size_t split;

	json_begin(&json, &text, 0);
	json_object(&json);
	json_pair(&json, "ociVersion", b->spec->oci_version);
	json_pair(&json, "id", b->request->id);
	json_pair(&json, "status", status);
	json_key(&json, "pid");
	split = text.len;
	json.is_after_key = false;
	json_pair(&json, "bundle", b->request->bundle);
	if (b->spec->annotations.count > 0) {
		json_key(&json, "annotations");
		json_object(&json);
		for (size_t i = 0; i < b->spec->annotations.count; i++)
			json_pair(&json, b->spec->annotations.v[i].key, b->spec->annotations.v[i].value);
		json_object_end(&json);
	}
	json_object_end(&json);
	hooks->state_tail = builder_text(b, text.data + split);
	text.data[split] = '\0';
	hooks->state_head = builder_text(b, text.data);
}

void plan_add_hooks_status(struct builder *b, enum plan_actor actor, enum spec_hook_kind kind,
			   const char *status)
{
	const struct spec_hooks *list = &b->spec->hooks[kind];
	_cleanup_free_ struct plan_hook *rows = NULL;
	struct plan_hooks hooks = {
		.kind = kind,
		.environment_slot = kind == SPEC_HOOK_CREATE_CONTAINER ? b->environment_slot : PLAN_NO_SLOT,
	};
	plan_text json_pointer;

	if (list->count == 0)
		return;
	rows = mem_alloc(list->count * sizeof *rows);
	for (size_t i = 0; i < list->count; i++)
		rows[i] =
			one_hook(b, &list->v[i], builder_pointer(b, "/hooks/%s/%zu", spec_hook_name(kind), i));
	hooks.hooks = builder_table(b, rows, list->count, sizeof *rows);
	hook_state(b, &hooks, status);
	json_pointer = builder_pointer(b, "/hooks/%s", spec_hook_name(kind));
	builder_step(b, actor, PLAN_HOOKS, json_pointer)->u.hooks = hooks;
}

/*
 * A file, not init's environment: the container could read that in /proc/1/environ, and in init's memory, until
 * the program is executed.
 */
void plan_add_environment(struct builder *b)
{
	const struct spec_hooks *list = &b->spec->hooks[SPEC_HOOK_CREATE_CONTAINER];
	size_t i = 0;

	while (i < list->count && list->v[i].env.v != NULL)
		i++;
	if (i == list->count)
		return;
	b->environment_slot = builder_slot(b);
	builder_step(b, PLAN_PARENT, PLAN_OPEN_ENVIRONMENT, 0)->u.slot = b->environment_slot;
}

void plan_add_hooks(struct builder *b, enum plan_actor actor, enum spec_hook_kind kind)
{
	const char *status = "creating";

	if (kind == SPEC_HOOK_START_CONTAINER)
		status = "created";
	else if (kind == SPEC_HOOK_POSTSTART)
		status = "running";
	plan_add_hooks_status(b, actor, kind, status);
}

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
	return str_is_empty(env_find(&b->spec->process.env, "HOME"));
}

void plan_add_home(struct builder *b, enum plan_actor actor)
{
	plan_text json_pointer;

	if (!needs_home(b))
		return;
	json_pointer = builder_text(b, "/process/env");
	builder_step(b, actor, PLAN_HOME, json_pointer)->u.number = b->spec->process.user.uid;
}

/*
 * The environment of the program: the configuration's, without the variables that the runtime sets itself.
 * *ret_own is the number of the latter, at the end of the list, without HOME.
 */
static struct plan_texts program_env(struct builder *b, uint32_t *ret_own)
{
	const struct spec_list *env = &b->spec->process.env;
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
	const struct spec_process *p = &b->spec->process;
	struct plan_program program = {
		.needs_home = needs_home(b),
		.preserved_fds = b->request->listen_fds + b->request->preserve_fds,
	};

	program.args = builder_texts(b, p->args.v, p->args.count);
	program.env = program_env(b, &program.runtime_env_count);
	return program;
}

/*
 * Annotation of crun: files of the host may be accessible only to a group of the caller that has no id in the
 * container.
 */
#define KEEP_GROUPS "run.oci.keep_original_groups"

struct plan_user plan_user_of(struct builder *b)
{
	const struct spec_process *p = &b->spec->process;
	uint64_t known = b->host->last_capability >= 63 ? UINT64_MAX
							: (1ull << (b->host->last_capability + 1)) - 1;
	uint64_t grantable = known;
	struct plan_user user = {
		.uid = p->user.uid,
		.gid = p->user.gid,
		.is_setgroups_denied = b->has_new_user && !b->host->is_privileged &&
				       b->spec->gid_mappings.count == 1 && b->spec->gid_mappings.v[0].size == 1,
		.has_callers_groups = str_equal(spec_annotation(b->spec, KEEP_GROUPS), "1"),
	};

	/* A process in a user namespace of the container has every capability there. */
	if (!b->has_user)
		grantable &= b->host->capabilities;
	user.bounding = p->capabilities[SPEC_CAP_BOUNDING] & grantable;
	/*
	 * Omits what capset(2) and prctl(2) would refuse: capabilities(7), "Programmatically adjusting
	 * capability sets".
	 */
	user.permitted = p->capabilities[SPEC_CAP_PERMITTED] & grantable;
	user.effective = p->capabilities[SPEC_CAP_EFFECTIVE] & user.permitted;
	user.inheritable = p->capabilities[SPEC_CAP_INHERITABLE] & user.bounding;
	user.ambient = p->capabilities[SPEC_CAP_AMBIENT] & user.permitted & user.inheritable;
	user.cwd = builder_text(b, p->cwd);
	user.groups = builder_table(b, p->user.additional_gids, p->user.additional_gid_count, sizeof(uint32_t));
	if (user.is_setgroups_denied && !user.has_callers_groups && p->user.additional_gid_count > 0)
		builder_finding(b, ERR_UNSUPPORTED, "/process/user/additionalGids",
				"cannot set any additional groups in a rootless container");
	return user;
}

static void add_memory_policy(struct builder *b)
{
	uint64_t words[16] = {0};
	struct plan_step *step;
	struct plan_table nodes;
	plan_text json_pointer;

	if (!b->spec->memory_policy.is_set)
		return;
	if (b->spec->memory_policy.nodes != NULL &&
	    plan_node_mask(b->spec->memory_policy.nodes, words, ARRAY_SIZE(words)) < 0)
		builder_finding(b, ERR_CONFIG, "/linux/memoryPolicy/nodes", "a node number is 1024 or larger");
	nodes = builder_table(b, words, ARRAY_SIZE(words), sizeof *words);
	json_pointer = builder_text(b, "/linux/memoryPolicy");
	step = builder_step(b, PLAN_INIT, PLAN_MEMORY_POLICY, json_pointer);
	step->u.memory_policy.mode = b->spec->memory_policy.mode;
	step->u.memory_policy.flags = b->spec->memory_policy.flags;
	step->u.memory_policy.nodes = nodes;
}

/* Attributes that the parent sets, because init may lack the privileges in its user namespace. */
void plan_add_parent_attributes(struct builder *b)
{
	const struct spec_process *p = &b->spec->process;
	plan_text json_pointer;

	if (p->scheduler.is_set) {
		struct plan_step *step;

		json_pointer = builder_text(b, "/process/scheduler");
		step = builder_step(b, PLAN_PARENT, PLAN_SCHEDULER, json_pointer);
		step->u.scheduler.policy = p->scheduler.policy;
		step->u.scheduler.priority = p->scheduler.priority;
		step->u.scheduler.nice = p->scheduler.nice;
		step->u.scheduler.flags = p->scheduler.flags;
		step->u.scheduler.runtime = p->scheduler.runtime;
		step->u.scheduler.deadline = p->scheduler.deadline;
		step->u.scheduler.period = p->scheduler.period;
	}
	if (p->io_priority.is_set) {
		json_pointer = builder_text(b, "/process/ioPriority");
		builder_step(b, PLAN_PARENT, PLAN_IO_PRIORITY, json_pointer)->u.number =
			(int64_t)p->io_priority.class_ << 13 | p->io_priority.priority;
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
	const struct spec_process *p = &b->spec->process;
	uint64_t floor;

	for (size_t i = 0; i < p->rlimit_count; i++) {
		plan_text json_pointer = builder_pointer(b, "/process/rlimits/%zu", i);

		if (is_late_rlimit(b, &p->rlimits[i], &floor))
			builder_step(b, PLAN_INIT, PLAN_RLIMIT, json_pointer)->u.rlimit = (struct plan_rlimit){
				(uint32_t)p->rlimits[i].resource, p->rlimits[i].soft, p->rlimits[i].hard};
	}
}

void plan_add_rlimits(struct builder *b, enum plan_actor actor)
{
	const struct spec_process *p = &b->spec->process;
	uint64_t floor;

	if ((actor == PLAN_PARENT) != is_parent_setting_rlimits(b))
		return;
	for (size_t i = 0; i < p->rlimit_count; i++) {
		struct plan_rlimit rlimit = {(uint32_t)p->rlimits[i].resource, p->rlimits[i].soft,
					     p->rlimits[i].hard};
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
	const struct spec_process *p = &b->spec->process;
	plan_text json_pointer;

	builder_step(b, PLAN_INIT, PLAN_UMASK, 0)->u.number =
		p->user.umask.is_set ? (int64_t)p->user.umask.value : 0022;
	builder_step(b, PLAN_INIT, PLAN_AFFINITY, 0);
	add_memory_policy(b);
	if (b->spec->personality.is_set) {
		json_pointer = builder_text(b, "/linux/personality");
		builder_step(b, PLAN_INIT, PLAN_PERSONALITY, json_pointer)->u.number =
			b->spec->personality.domain;
	}
	plan_add_labels(b, PLAN_INIT);
	if (p->no_new_privileges) {
		json_pointer = builder_text(b, "/process/noNewPrivileges");
		builder_step(b, PLAN_INIT, PLAN_NO_NEW_PRIVS, json_pointer);
	}
}

void plan_add_exec(struct builder *b, const struct plan_program *program, const struct plan_filter *filter)
{
	bool has_hooks = b->spec->hooks[SPEC_HOOK_START_CONTAINER].count > 0;
	bool is_last = plan_filter_time(filter, b->spec->process.no_new_privileges) == PLAN_FILTER_LAST;
	plan_text json_pointer = builder_text(b, "/process/args");

	/*
	 * startContainer hooks are programs of the container: the filter applies to them as to its own program.
	 */
	if (is_last && has_hooks)
		plan_add_seccomp(b, PLAN_INIT, filter);
	plan_add_hooks(b, PLAN_INIT, SPEC_HOOK_START_CONTAINER);
	add_late_rlimits(b);
	builder_step(b, PLAN_INIT, PLAN_HANDOVER, json_pointer)->u.program = *program;
	if (is_last && !has_hooks)
		plan_add_seccomp(b, PLAN_INIT, filter);
	builder_step(b, PLAN_INIT, PLAN_EXEC, json_pointer)->u.program = *program;
}

void plan_add_process(struct builder *b)
{
	const struct spec_process *p = &b->spec->process;
	enum plan_filter_time filter_time;
	struct plan_program program;
	struct plan_filter filter;
	struct plan_user user;
	plan_text json_pointer;

	plan_add_filter(b, &filter);
	filter_time = plan_filter_time(&filter, p->no_new_privileges);
	b->has_listener = filter.is_notify;
	if (b->spec->has_process) {
		add_init_attributes(b);
		if (p->args.count > 0)
			plan_add_home(b, PLAN_INIT);
		builder_step(b, PLAN_INIT, PLAN_STDIO_OWNER, 0)->u.number = p->user.uid;
		plan_add_rlimits(b, PLAN_INIT);
		if (filter_time == PLAN_FILTER_PRIVILEGED)
			plan_add_seccomp(b, PLAN_INIT, &filter);
		json_pointer = builder_text(b, "/process/user");
		user = plan_user_of(b);
		builder_step(b, PLAN_INIT, PLAN_USER, json_pointer)->u.user = user;
		program = plan_program_of(b);
		json_pointer = builder_text(b, "/process/args");
		if (p->args.count > 0)
			builder_step(b, PLAN_INIT, PLAN_LOOKUP, json_pointer)->u.program = program;
		if (filter_time == PLAN_FILTER_NOTIFY)
			plan_add_seccomp(b, PLAN_INIT, &filter);
	}
	builder_step(b, PLAN_INIT, PLAN_SEND, 0)->u.step = STEP_READY;
	builder_step(b, PLAN_PARENT, PLAN_EXPECT, 0)->u.step = STEP_READY;
	plan_add_release_placeholder(b);
	if (b->spec->has_process)
		plan_add_parent_attributes(b);
	if (b->spec->has_process)
		plan_add_rlimits(b, PLAN_PARENT);
	plan_add_late_limits(b);
	plan_add_watch(b);
	builder_step(b, PLAN_PARENT, PLAN_SEND, 0)->u.step = STEP_COMMITTED;
	builder_step(b, PLAN_INIT, PLAN_EXPECT, 0)->u.step = STEP_COMMITTED;
	builder_step(b, PLAN_INIT, PLAN_GATE, 0)->u.slot = b->gate_slot;
	if (b->spec->has_process && p->args.count > 0) {
		plan_add_exec(b, &program, &filter);
	} else {
		if (b->request->is_run)
			builder_finding(b, ERR_CONFIG, b->spec->has_process ? "/process/args" : "/process",
					"is missing");
		/* init never reaches this step, but an exec copies the filter from it. */
		if (filter.program.count > 0)
			plan_add_seccomp(b, PLAN_INIT, &filter);
	}
	plan_add_hooks(b, PLAN_PARENT, SPEC_HOOK_POSTSTART);
}
