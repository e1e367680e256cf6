/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan of another process in an existing container. Its defaults are those that "create" stored in the
 * container's plan, so the configuration need not be read again. Process: the parent.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/resource.h>

#include <tare/protocol.h>

#include "builder.h"

#define BRIDGE_FILES 16 /* an upper limit of the descriptors that the bridge and its child open at a time */
#define CPU_WORDS 128   /* 8192 cpus, the maximum of any kernel configuration */

struct exec {
	struct builder b;
	struct spec_process process;
	struct plan_request request;
	const struct plan *container;
	const struct plan_process *stored; /* in the container's plan */
	const struct plan_exec_request *options;
	int32_t container_slot, root_slot;
	struct plan_filter filter;
};

/* --- the process: that of the container, with changes --- */

static size_t name_length(const char *entry)
{
	return strcspn(entry, "=");
}

static bool is_replaced(const struct plan_exec_request *options, const char *entry)
{
	size_t len = name_length(entry);

	for (size_t i = 0; i < options->env_count; i++)
		if (name_length(options->env[i]) == len && strncmp(options->env[i], entry, len) == 0)
			return true;
	return false;
}

/* The last of several entries with the same name counts. */
static bool is_last(const struct plan_exec_request *options, size_t at)
{
	size_t len = name_length(options->env[at]);

	for (size_t i = at + 1; i < options->env_count; i++)
		if (name_length(options->env[i]) == len && strncmp(options->env[i], options->env[at], len) == 0)
			return false;
	return true;
}

static void merge_env(struct exec *e)
{
	const struct plan_exec_request *options = e->options;
	struct spec_list own = e->process.env, *env = &e->process.env;

	env->count = 0;
	env->v = arena_alloc(&e->b.arena, (own.count + options->env_count + 1) * sizeof *env->v);
	for (size_t i = 0; i < own.count; i++)
		if (!is_replaced(options, own.v[i]))
			env->v[env->count++] = own.v[i];
	for (size_t i = 0; i < options->env_count; i++)
		if (is_last(options, i))
			env->v[env->count++] = options->env[i];
}

static struct spec_list stored_env(struct exec *e)
{
	const struct plan_texts *texts = &e->stored->env;
	struct spec_list env = {.count = texts->count};

	env.v = arena_alloc(&e->b.arena, (env.count + 1) * sizeof *env.v);
	for (uint32_t i = 0; i < texts->count; i++)
		env.v[i] = (char *)(uintptr_t)plan_item(e->container, *texts, i);
	return env;
}

/* The container's process, without its arguments and its terminal. */
static struct spec_process stored_process(struct exec *e)
{
	const struct plan *container = e->container;
	const struct plan_process *stored = e->stored;
	const struct plan_user *user = &stored->user;

	return (struct spec_process){
		.cwd = user->cwd == 0 ? "/" : plan_get(container, user->cwd),
		.env = stored_env(e),
		.rlimits = (struct spec_rlimit *)(uintptr_t)plan_rows(container, stored->rlimits),
		.rlimit_count = stored->rlimits.count,
		.capabilities = user->capabilities,
		.attributes = stored->attributes,
		.apparmor_profile = plan_get(container, stored->apparmor_profile),
		.selinux_label = plan_get(container, stored->selinux_label),
		.exec_cpu_affinity = {.is_set = stored->affinity_initial != 0 || stored->affinity_final != 0,
				      .initial = plan_get(container, stored->affinity_initial),
				      .final = plan_get(container, stored->affinity_final)},
		.user = {.uid = user->uid,
			 .gid = user->gid,
			 .additional_gids = (uint32_t *)(uintptr_t)plan_rows(container, user->groups),
			 .additional_gid_count = user->groups.count},
	};
}

/* The process of --process has what it does not state from the container's, except env, cwd and terminal. */
static struct spec_process complete_process(const struct spec_process *requested,
					    const struct spec_process *stored)
{
	struct spec_process p = *requested;

	if (!p.has_capabilities)
		p.capabilities = stored->capabilities;
	if (!p.has_user)
		p.user = stored->user;
	if (p.rlimit_count == 0) {
		p.rlimits = stored->rlimits;
		p.rlimit_count = stored->rlimit_count;
	}
	if (!p.exec_cpu_affinity.is_set)
		p.exec_cpu_affinity = stored->exec_cpu_affinity;
	if (str_is_empty(p.apparmor_profile))
		p.apparmor_profile = stored->apparmor_profile;
	if (str_is_empty(p.selinux_label))
		p.selinux_label = stored->selinux_label;
	plan_inherit_attributes(&p.attributes, &stored->attributes);
	return p;
}

/* Options of the command line override everything else. */
static void apply_options(struct exec *e)
{
	const struct plan_exec_request *options = e->options;
	struct spec_process *p = &e->process;

	if (options->arg_count > 0) {
		p->args.v = (char **)(uintptr_t)options->args;
		p->args.count = options->arg_count;
	}
	if (options->cwd != NULL)
		p->cwd = options->cwd;
	if (options->has_uid)
		p->user.uid = options->uid;
	if (options->has_gid)
		p->user.gid = options->gid;
	/* An empty label is ignored, as in a configuration: an unset shell variable must not remove a label. */
	if (!str_is_empty(options->apparmor_profile))
		p->apparmor_profile = options->apparmor_profile;
	if (!str_is_empty(options->selinux_label))
		p->selinux_label = options->selinux_label;
	if (options->group_count > 0) {
		p->user.additional_gids = (uint32_t *)(uintptr_t)options->groups;
		p->user.additional_gid_count = options->group_count;
	}
	p->terminal = p->terminal || options->is_terminal;
	p->attributes.no_new_privileges = p->attributes.no_new_privileges || options->is_no_new_privs;
	p->capabilities.bounding |= options->capabilities;
	p->capabilities.effective |= options->capabilities;
	p->capabilities.permitted |= options->capabilities;
	/*
	 * capabilities(7): an ambient capability must be inheritable, and exec makes none inheritable by
	 * itself.
	 */
	p->capabilities.ambient |= options->capabilities & p->capabilities.inheritable;
}

static void make_process(struct exec *e)
{
	struct spec_process stored = stored_process(e);

	e->process = e->options->process == NULL ? stored : complete_process(e->options->process, &stored);
	merge_env(e);
	apply_options(e);
}

static void inherit_filter(struct exec *e)
{
	const struct plan_filter *filter = &e->stored->filter;

	if (filter->program.count == 0)
		return;
	e->filter = *filter;
	e->b.has_listener = filter->is_notify;
	e->filter.program = builder_table(&e->b, plan_rows(e->container, filter->program),
					  filter->program.count, sizeof(struct sock_filter));
	e->filter.listener_path = builder_text(&e->b, plan_get(e->container, filter->listener_path));
	e->filter.listener_pointer = builder_text(&e->b, plan_get(e->container, filter->listener_pointer));
	e->filter.listener_metadata = builder_text(&e->b, plan_get(e->container, filter->listener_metadata));
}

static enum plan_filter_time filter_time(const struct exec *e)
{
	return plan_filter_time(&e->filter, e->process.attributes.no_new_privileges);
}

/* --- the steps --- */

static void add_affinity(struct exec *e, enum plan_actor actor, const char *list, const char *json_pointer)
{
	uint64_t words[CPU_WORDS] = {0};
	struct plan_table table = {0};
	plan_text at = builder_text(&e->b, json_pointer);

	if (list != NULL) {
		if (spec_list_mask(list, words, CPU_WORDS) == -EINVAL)
			builder_finding(&e->b, ERR_CONFIG, json_pointer, "'%.100s' is not a list of cpus",
					list);
		table = builder_table(&e->b, words, CPU_WORDS, sizeof *words);
	}
	builder_step(&e->b, actor, PLAN_AFFINITY, at)->u.affinity = table;
}

static void add_container(struct exec *e)
{
	struct plan_container container = {.root_slot = PLAN_NO_SLOT, .namespaces = e->container->namespaces};

	container.slot = builder_slot(&e->b);
	if (e->stored->root != 0) {
		container.root_slot = builder_slot(&e->b);
		container.root = builder_text(&e->b, plan_get(e->container, e->stored->root));
	}
	builder_step(&e->b, PLAN_PARENT, PLAN_OPEN_CONTAINER, 0)->u.container = container;
	if (!str_is_empty(e->options->cgroup)) {
		plan_text path = builder_text(&e->b, e->options->cgroup);

		builder_step(&e->b, PLAN_PARENT, PLAN_OPEN_CGROUP, 0)->u.text = path;
	}
	if (e->process.attributes.oom_score_adj.is_set || plan_has_labels(&e->b)) {
		e->b.proc_slot = builder_slot(&e->b);
		builder_step(&e->b, PLAN_PARENT, PLAN_OPEN_PROC, 0)->u.slot = e->b.proc_slot;
	}
	e->container_slot = container.slot;
	e->root_slot = container.root_slot;
}

/*
 * Where setgroups is denied, a caller with CAP_SETGID can drop its groups only before it enters, unless it is
 * denied in the caller's own user namespace, too.
 */
static bool drops_groups(const struct exec *e)
{
	const struct host *host = e->b.host;

	return e->stored->user.is_setgroups_denied && !e->stored->user.has_callers_groups &&
	       !host->is_setgroups_denied && (host->capabilities >> CAP_SETGID & 1) != 0;
}

/*
 * Steps before the bridge enters the container, with the ids of the caller. The cpus of the cgroup already
 * apply to the bridge.
 */
static void add_spawn(struct exec *e)
{
	const struct spec_process *p = &e->process;
	struct plan_step *step;

	if (p->exec_cpu_affinity.initial != NULL)
		add_affinity(e, PLAN_PARENT, p->exec_cpu_affinity.initial, "/process/execCPUAffinity/initial");
	step = builder_step(&e->b, PLAN_PARENT, PLAN_SPAWN, 0);
	step->u.spawn.is_bridge = true;
	step->u.spawn.into_cgroup = true;
	if (p->exec_cpu_affinity.final != NULL)
		add_affinity(e, PLAN_BRIDGE, p->exec_cpu_affinity.final, "/process/execCPUAffinity/final");
	else if (!p->exec_cpu_affinity.is_set)
		add_affinity(e, PLAN_BRIDGE, NULL, NULL);
	if (p->attributes.oom_score_adj.is_set) {
		plan_text json_pointer = builder_text(&e->b, "/process/oomScoreAdj");

		builder_step(&e->b, PLAN_BRIDGE, PLAN_OOM_SCORE, json_pointer)->u.number =
			p->attributes.oom_score_adj.value;
	}
	/*
	 * Labels are written through the caller's procfs, because the container can fake its own. They remain
	 * set until the program is executed.
	 */
	if (e->stored->keyring != 0)
		plan_add_key_label(&e->b, PLAN_BRIDGE);
	plan_add_labels(&e->b, PLAN_BRIDGE);
	builder_step(&e->b, PLAN_BRIDGE, PLAN_SET_UNDUMPABLE, 0);
	step = builder_step(&e->b, PLAN_BRIDGE, PLAN_ENTER, 0);
	step->u.container.slot = e->container_slot;
	step->u.container.root_slot = e->root_slot;
	step->u.container.namespaces = e->container->namespaces;
	step->u.container.drops_groups = drops_groups(e);
}

static void add_keyring(struct exec *e)
{
	plan_text name = builder_text(&e->b, plan_get(e->container, e->stored->keyring));

	if (name != 0)
		builder_step(&e->b, PLAN_BRIDGE, PLAN_KEYRING, 0)->u.text = name;
}

static void add_terminal(struct exec *e)
{
	const struct spec_process *p = &e->process;
	plan_text json_pointer = builder_text(&e->b, "/process/terminal");
	struct plan_step *step;

	if (!p->terminal)
		return;
	step = builder_step(&e->b, PLAN_BRIDGE, PLAN_CONSOLE, json_pointer);
	step->u.console.size = p->console_size;
	step->u.console.uid = p->user.uid;
}

/*
 * The bridge sets the limits while it has all rights of the caller, so that its child need not wait for the
 * parent. Exceptions: limits that the next steps of the bridge would exceed, and a user namespace, in which the
 * caller's rights are lost.
 */
static bool can_limit_bridge(const struct exec *e)
{
	const struct spec_process *p = &e->process;
	uint64_t files = 3ull + e->request.preserve_fds + e->request.listen_fds + BRIDGE_FILES;

	for (size_t i = 0; i < p->rlimit_count; i++)
		if (p->rlimits[i].resource == RLIMIT_NPROC ||
		    (p->rlimits[i].resource == RLIMIT_NOFILE && p->rlimits[i].soft < files))
			return false;
	return !e->b.has_user;
}

/*
 * Plans what the bridge sets on itself once it has entered the container, for its child to inherit: session
 * keyring, terminal, umask, policies, rlimits, seccomp filter, ids and capabilities. Only the child is in the
 * container's pid namespace.
 */
static void add_identity(struct exec *e)
{
	const struct spec_process *p = &e->process;
	struct plan_user user;
	plan_text json_pointer;

	if (e->stored->has_ids)
		builder_step(&e->b, PLAN_BRIDGE, PLAN_SETUP_IDS, 0)->u.ids = e->stored->ids;
	add_keyring(e);
	plan_add_home(&e->b, PLAN_BRIDGE);
	add_terminal(e);
	plan_add_umask(&e->b, PLAN_BRIDGE);
	plan_add_policies(&e->b, PLAN_BRIDGE);
	if (p->attributes.no_new_privileges)
		builder_step(&e->b, PLAN_BRIDGE, PLAN_NO_NEW_PRIVS, 0);
	builder_step(&e->b, PLAN_BRIDGE, PLAN_STDIO_OWNER, 0)->u.number = p->user.uid;
	e->b.has_bridge_rlimits = can_limit_bridge(e);
	plan_add_rlimits(&e->b, PLAN_BRIDGE);
	if (filter_time(e) == PLAN_FILTER_PRIVILEGED)
		plan_add_seccomp(&e->b, PLAN_BRIDGE, &e->filter);
	user = plan_user_of(&e->b);
	/* Groups of the command line are set even if the container keeps the groups of its caller. */
	user.is_setgroups_denied = e->stored->user.is_setgroups_denied;
	user.has_callers_groups = e->stored->user.has_callers_groups && e->options->group_count == 0;
	plan_check_groups(&e->b, &user);
	json_pointer = builder_text(&e->b, "/process/user");
	builder_step(&e->b, PLAN_BRIDGE, PLAN_USER, json_pointer)->u.user = user;
}

/* Steps of the parent between the start of init and the program. Returns whether there are any. */
static bool add_attributes(struct exec *e)
{
	uint32_t before = e->b.step_count;

	plan_copy_resctrl(&e->b, e->container);
	plan_add_parent_attributes(&e->b);
	plan_add_rlimits(&e->b, PLAN_PARENT);
	return e->b.step_count > before;
}

static void add_program(struct exec *e)
{
	struct builder *b = &e->b;
	struct plan_program program = plan_program_of(b);
	plan_text json_pointer = builder_text(b, "/process/args");
	bool is_waiting = e->options->is_announced || e->process.terminal;

	builder_step(b, PLAN_BRIDGE, PLAN_LOOKUP, json_pointer)->u.program = program;
	builder_step(b, PLAN_BRIDGE, PLAN_SPAWN, 0);
	builder_step(b, PLAN_PARENT, PLAN_EXPECT, 0)->u.step = STEP_INIT_STARTED;
	if (e->process.terminal)
		builder_step(b, PLAN_INIT, PLAN_CONTROLLING, 0);
	if (add_attributes(e))
		is_waiting = true;
	if (filter_time(e) == PLAN_FILTER_NOTIFY)
		plan_add_seccomp(b, PLAN_INIT, &e->filter);
	if (is_waiting) {
		builder_step(b, PLAN_PARENT, PLAN_SEND, 0)->u.step = STEP_COMMITTED;
		builder_step(b, PLAN_INIT, PLAN_EXPECT, 0)->u.step = STEP_COMMITTED;
	}
	plan_add_exec(b, &program, filter_time(e) == PLAN_FILTER_LAST ? &e->filter : NULL);
}

int plan_build_exec(const struct plan *container, const struct host *host,
		    const struct plan_exec_request *request, struct plan **ret_plan, struct err *err)
{
	struct exec e = {
		.b = {.host = host, .first = err},
		.request = {.id = plan_get(container, container->id),
			    .preserve_fds = request->preserve_fds,
			    .listen_fds = request->listen_fds,
			    .listen_fdnames = request->listen_fdnames},
		.container = container,
		.stored = plan_process_of(container),
		.options = request,
	};

	e.b.process = &e.process;
	e.b.request = &e.request;
	e.b.has_user = (container->namespaces & CLONE_NEWUSER) != 0;
	e.b.has_bridge = true;
	builder_begin(&e.b);
	make_process(&e);
	inherit_filter(&e);
	if (e.process.args.count == 0)
		builder_finding(&e.b, ERR_USAGE, NULL, "there is no program to execute");
	add_container(&e);
	add_spawn(&e);
	add_identity(&e);
	add_program(&e);
	if (e.b.finding_count == 0)
		*ret_plan = builder_finish(&e.b);
	builder_done(&e.b);
	return e.b.finding_count == 0 ? 0 : -EINVAL;
}
