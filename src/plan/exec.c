/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan of another process in an existing container. Its defaults come from the steps of the container's
 * plan, so the configuration need not be read again. Process: the parent.
 */
#include <errno.h>
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
	struct spec spec; /* only its process is used */
	struct plan_request request;
	const struct plan *container;
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

static void merge_env(struct exec *e, char *const *own, size_t own_count)
{
	const struct plan_exec_request *options = e->options;
	struct spec_list *env = &e->spec.process.env;

	env->count = 0;
	env->v = arena_alloc(&e->b.arena, (own_count + options->env_count + 1) * sizeof *env->v);
	for (size_t i = 0; i < own_count; i++)
		if (!is_replaced(options, own[i]))
			env->v[env->count++] = own[i];
	for (size_t i = 0; i < options->env_count; i++)
		if (is_last(options, i))
			env->v[env->count++] = options->env[i];
}

/* The environment of the container's program, without the entries that the runtime added. */
static void inherit_env(struct exec *e, const struct plan_step *program)
{
	struct plan_texts texts = {0};
	char **own;

	if (program != NULL) {
		texts = program->u.program.env;
		texts.count -= program->u.program.runtime_env_count;
	}
	own = arena_alloc(&e->b.arena, (texts.count + 1) * sizeof *own);
	for (uint32_t i = 0; i < texts.count; i++)
		own[i] = (char *)(uintptr_t)plan_item(e->container, texts, i);
	merge_env(e, own, texts.count);
}

static void inherit_user(struct exec *e, const struct plan_user *user)
{
	struct spec_process *p = &e->spec.process;
	const uint64_t sets[SPEC_CAP_SETS] = {
		[SPEC_CAP_BOUNDING] = user->bounding,       [SPEC_CAP_EFFECTIVE] = user->effective,
		[SPEC_CAP_INHERITABLE] = user->inheritable, [SPEC_CAP_PERMITTED] = user->permitted,
		[SPEC_CAP_AMBIENT] = user->ambient,
	};

	if (!p->has_capabilities)
		memcpy(p->capabilities, sets, sizeof sets);
	if (e->options->process == NULL)
		p->cwd = plan_get(e->container, user->cwd);
	if (p->has_user)
		return;
	p->user.uid = user->uid;
	p->user.gid = user->gid;
	p->user.additional_gids = (uint32_t *)(uintptr_t)plan_rows(e->container, user->groups);
	p->user.additional_gid_count = user->groups.count;
}

static const char *container_label(const struct exec *e, enum plan_label_kind kind)
{
	const struct plan_step *steps = plan_steps(e->container);

	for (uint32_t i = 0; i < e->container->step_count; i++)
		if (steps[i].kind == PLAN_LABEL && steps[i].u.label.kind == kind)
			return plan_get(e->container, steps[i].u.label.text);
	return NULL;
}

static void inherit_labels(struct exec *e)
{
	const struct plan_exec_request *options = e->options;
	struct spec_process *p = &e->spec.process;

	if (str_is_empty(p->apparmor_profile))
		p->apparmor_profile = container_label(e, PLAN_LABEL_APPARMOR);
	if (str_is_empty(p->selinux_label))
		p->selinux_label = container_label(e, PLAN_LABEL_SELINUX);
	/* An empty label is ignored, as in a configuration: an unset shell variable must not remove a label. */
	if (!str_is_empty(options->apparmor_profile))
		p->apparmor_profile = options->apparmor_profile;
	if (!str_is_empty(options->selinux_label))
		p->selinux_label = options->selinux_label;
}

static void inherit_rlimits(struct exec *e)
{
	const struct plan_step *steps = plan_steps(e->container);
	struct spec_process *p = &e->spec.process;

	p->rlimits = arena_alloc(&e->b.arena, (e->container->step_count + 1) * sizeof *p->rlimits);
	for (uint32_t i = 0; i < e->container->step_count; i++)
		if (steps[i].kind == PLAN_RLIMIT)
			p->rlimits[p->rlimit_count++] = (struct spec_rlimit){(int)steps[i].u.rlimit.resource,
									     steps[i].u.rlimit.soft,
									     steps[i].u.rlimit.hard};
}

static void inherit_scheduling(struct exec *e)
{
	const struct plan_step *scheduler = plan_find(e->container, PLAN_SCHEDULER);
	const struct plan_step *io = plan_find(e->container, PLAN_IO_PRIORITY);
	const struct plan_step *oom = plan_find(e->container, PLAN_OOM_SCORE);
	struct spec_process *p = &e->spec.process;

	if (!p->scheduler.is_set && scheduler != NULL)
		p->scheduler = (struct spec_scheduler){
			true,
			scheduler->u.scheduler.policy,
			scheduler->u.scheduler.nice,
			scheduler->u.scheduler.priority,
			scheduler->u.scheduler.flags,
			scheduler->u.scheduler.runtime,
			scheduler->u.scheduler.deadline,
			scheduler->u.scheduler.period,
		};
	if (!p->io_priority.is_set && io != NULL) {
		p->io_priority.is_set = true;
		p->io_priority.class_ = (int)(io->u.number >> 13);
		p->io_priority.priority = (int)(io->u.number & 7);
	}
	if (!p->oom_score_adj.is_set && oom != NULL)
		p->oom_score_adj = (struct spec_int){true, oom->u.number};
	if (!p->exec_cpu_affinity.is_set) {
		p->exec_cpu_affinity.initial = plan_get(e->container, e->container->exec_affinity_initial);
		p->exec_cpu_affinity.final = plan_get(e->container, e->container->exec_affinity_final);
		p->exec_cpu_affinity.is_set = p->exec_cpu_affinity.initial != NULL ||
					      p->exec_cpu_affinity.final != NULL;
	}
}

/* Options of the command line override everything else. */
static void apply_options(struct exec *e)
{
	const struct plan_exec_request *options = e->options;
	struct spec_process *p = &e->spec.process;

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
	if (options->has_groups) {
		p->user.additional_gids = (uint32_t *)(uintptr_t)options->groups;
		p->user.additional_gid_count = options->group_count;
	}
	p->terminal = p->terminal || options->is_terminal;
	p->no_new_privileges = p->no_new_privileges || options->is_no_new_privs;
	p->capabilities[SPEC_CAP_BOUNDING] |= options->capabilities;
	p->capabilities[SPEC_CAP_EFFECTIVE] |= options->capabilities;
	p->capabilities[SPEC_CAP_PERMITTED] |= options->capabilities;
	/*
	 * capabilities(7): an ambient capability must be inheritable, and exec makes none inheritable by
	 * itself.
	 */
	p->capabilities[SPEC_CAP_AMBIENT] |= options->capabilities & p->capabilities[SPEC_CAP_INHERITABLE];
}

static void make_process(struct exec *e)
{
	const struct plan_step *program = plan_find(e->container, PLAN_EXEC);
	const struct plan_step *user = plan_find(e->container, PLAN_USER);
	const struct plan_step *umask = plan_find(e->container, PLAN_UMASK);
	struct spec_process *p = &e->spec.process;

	e->spec.has_process = true;
	if (e->options->process != NULL) {
		*p = *e->options->process;
		merge_env(e, p->env.v, p->env.count);
	} else {
		p->cwd = "/";
		p->no_new_privileges = plan_find(e->container, PLAN_NO_NEW_PRIVS) != NULL;
		inherit_env(e, program);
	}
	if (user != NULL)
		inherit_user(e, &user->u.user);
	if (p->rlimit_count == 0)
		inherit_rlimits(e);
	if (!p->user.umask.is_set && umask != NULL)
		p->user.umask = (struct spec_uint){true, (uint64_t)umask->u.number};
	inherit_scheduling(e);
	inherit_labels(e);
	apply_options(e);
}

static void inherit_filter(struct exec *e)
{
	const struct plan_step *step = plan_find(e->container, PLAN_SECCOMP);
	const struct plan_filter *filter;

	if (step == NULL)
		return;
	filter = &step->u.filter;
	e->filter = *filter;
	e->b.has_listener = filter->is_notify;
	e->filter.program = builder_table(&e->b, plan_rows(e->container, filter->program),
					  filter->program.count, sizeof(struct sock_filter));
	e->filter.listener_path = builder_text(&e->b, plan_get(e->container, filter->listener_path));
	e->filter.listener_metadata = builder_text(&e->b, plan_get(e->container, filter->listener_metadata));
}

static enum plan_filter_time filter_time(const struct exec *e)
{
	return plan_filter_time(&e->filter, e->spec.process.no_new_privileges);
}

/* --- the steps --- */

struct cpu_mask {
	uint64_t words[CPU_WORDS];
};

static void on_cpus(void *context, uint32_t first, uint32_t last)
{
	struct cpu_mask *mask = context;

	for (uint64_t cpu = first; cpu <= last && cpu / 64 < CPU_WORDS; cpu++)
		mask->words[cpu / 64] |= 1ull << (cpu % 64);
}

static void add_affinity(struct exec *e, enum plan_actor actor, const char *list, const char *json_pointer)
{
	struct cpu_mask mask = {{0}};
	struct plan_table table = {0};
	plan_text at = builder_text(&e->b, json_pointer);

	if (list != NULL) {
		if (spec_list_parse(list, on_cpus, &mask) < 0)
			builder_finding(&e->b, ERR_CONFIG, json_pointer, "'%.100s' is not a list of cpus",
					list);
		table = builder_table(&e->b, mask.words, CPU_WORDS, sizeof mask.words[0]);
	}
	builder_step(&e->b, actor, PLAN_AFFINITY, at)->u.affinity = table;
}

static void add_container(struct exec *e)
{
	const struct plan_step *root = plan_find(e->container, PLAN_ROOT);
	struct plan_container container = {.root_slot = PLAN_NO_SLOT, .namespaces = e->container->namespaces};

	container.slot = builder_slot(&e->b);
	if (root != NULL && !root->u.root.has_mount_ns) {
		container.root_slot = builder_slot(&e->b);
		container.root = builder_text(&e->b, plan_get(e->container, root->u.root.path));
	}
	builder_step(&e->b, PLAN_PARENT, PLAN_OPEN_CONTAINER, 0)->u.container = container;
	if (!str_is_empty(e->options->cgroup)) {
		plan_text path = builder_text(&e->b, e->options->cgroup);

		builder_step(&e->b, PLAN_PARENT, PLAN_OPEN_CGROUP, 0)->u.text = path;
	}
	if (e->spec.process.oom_score_adj.is_set || plan_has_labels(&e->b)) {
		e->b.proc_slot = builder_slot(&e->b);
		builder_step(&e->b, PLAN_PARENT, PLAN_OPEN_PROC, 0)->u.slot = e->b.proc_slot;
	}
	e->container_slot = container.slot;
	e->root_slot = container.root_slot;
}

/*
 * Steps before the bridge enters the container, with the ids of the caller. The cpus of the cgroup already
 * apply to the bridge.
 */
static void add_spawn(struct exec *e)
{
	const struct spec_process *p = &e->spec.process;
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
	if (p->oom_score_adj.is_set) {
		plan_text json_pointer = builder_text(&e->b, "/process/oomScoreAdj");

		builder_step(&e->b, PLAN_BRIDGE, PLAN_OOM_SCORE, json_pointer)->u.number =
			p->oom_score_adj.value;
	}
	/*
	 * Labels are written through the caller's procfs, because the container can fake its own. They remain
	 * set until the program is executed.
	 */
	if (plan_find(e->container, PLAN_KEYRING) != NULL)
		plan_add_key_label(&e->b, PLAN_BRIDGE);
	plan_add_labels(&e->b, PLAN_BRIDGE);
	builder_step(&e->b, PLAN_BRIDGE, PLAN_SET_UNDUMPABLE, 0);
	step = builder_step(&e->b, PLAN_BRIDGE, PLAN_ENTER, 0);
	step->u.container.slot = e->container_slot;
	step->u.container.root_slot = e->root_slot;
	step->u.container.namespaces = e->container->namespaces;
}

static void copy_text(struct exec *e, enum plan_kind kind)
{
	const struct plan_step *step = plan_find(e->container, kind);
	plan_text text;

	if (step == NULL)
		return;
	text = builder_text(&e->b, plan_get(e->container, step->u.text));
	builder_step(&e->b, PLAN_BRIDGE, kind, 0)->u.text = text;
}

static void copy_policies(struct exec *e)
{
	const struct plan_step *policy = plan_find(e->container, PLAN_MEMORY_POLICY);
	const struct plan_step *personality = plan_find(e->container, PLAN_PERSONALITY);

	if (policy != NULL) {
		struct plan_table nodes = builder_table(&e->b,
							plan_rows(e->container, policy->u.memory_policy.nodes),
							policy->u.memory_policy.nodes.count, sizeof(uint64_t));
		struct plan_step *step = builder_step(&e->b, PLAN_BRIDGE, PLAN_MEMORY_POLICY, 0);

		step->u.memory_policy.mode = policy->u.memory_policy.mode;
		step->u.memory_policy.flags = policy->u.memory_policy.flags;
		step->u.memory_policy.nodes = nodes;
	}
	if (personality != NULL)
		builder_step(&e->b, PLAN_BRIDGE, PLAN_PERSONALITY, 0)->u.number = personality->u.number;
}

static void add_terminal(struct exec *e)
{
	const struct spec_process *p = &e->spec.process;
	plan_text json_pointer = builder_text(&e->b, "/process/terminal");
	struct plan_step *step;

	if (!p->terminal)
		return;
	step = builder_step(&e->b, PLAN_BRIDGE, PLAN_CONSOLE, json_pointer);
	step->u.console.has_size = p->console_size.is_set;
	step->u.console.height = p->console_size.height;
	step->u.console.width = p->console_size.width;
	step->u.console.uid = p->user.uid;
}

/*
 * The bridge sets the limits while it has all rights of the caller, so that its child need not wait for the
 * parent. Exceptions: limits that the next steps of the bridge would exceed, and a user namespace, in which the
 * caller's rights are lost.
 */
static bool can_limit_bridge(const struct exec *e)
{
	const struct spec_process *p = &e->spec.process;
	uint64_t files = 3ull + e->request.preserve_fds + e->request.listen_fds + BRIDGE_FILES;

	for (size_t i = 0; i < p->rlimit_count; i++)
		if (p->rlimits[i].resource == RLIMIT_NPROC ||
		    (p->rlimits[i].resource == RLIMIT_NOFILE && p->rlimits[i].soft < files))
			return false;
	return !e->b.has_user;
}

/* Groups of the command line are set even if the container keeps the groups of its caller. */
static void inherit_groups(const struct exec *e, const struct plan_step *container_user, struct plan_user *user)
{
	if (container_user == NULL)
		return;
	user->is_setgroups_denied = container_user->u.user.is_setgroups_denied;
	user->has_callers_groups = container_user->u.user.has_callers_groups && !e->options->has_groups;
}

/*
 * Plans what the bridge sets on itself once it has entered the container, for its child to inherit: session
 * keyring, terminal, umask, policies, rlimits, seccomp filter, ids and capabilities. Only the child is in the
 * container's pid namespace.
 */
static void add_identity(struct exec *e)
{
	const struct plan_step *ids = plan_find(e->container, PLAN_SETUP_IDS);
	const struct plan_step *container_user = plan_find(e->container, PLAN_USER);
	const struct spec_process *p = &e->spec.process;
	struct plan_user user;
	plan_text json_pointer;

	if (ids != NULL)
		builder_step(&e->b, PLAN_BRIDGE, PLAN_SETUP_IDS, 0)->u.ids = ids->u.ids;
	copy_text(e, PLAN_KEYRING);
	plan_add_home(&e->b, PLAN_BRIDGE);
	add_terminal(e);
	builder_step(&e->b, PLAN_BRIDGE, PLAN_UMASK, 0)->u.number =
		p->user.umask.is_set ? (int64_t)p->user.umask.value : 0022;
	copy_policies(e);
	if (p->no_new_privileges)
		builder_step(&e->b, PLAN_BRIDGE, PLAN_NO_NEW_PRIVS, 0);
	builder_step(&e->b, PLAN_BRIDGE, PLAN_STDIO_OWNER, 0)->u.number = p->user.uid;
	e->b.has_bridge_rlimits = can_limit_bridge(e);
	plan_add_rlimits(&e->b, PLAN_BRIDGE);
	if (filter_time(e) == PLAN_FILTER_PRIVILEGED)
		plan_add_seccomp(&e->b, PLAN_BRIDGE, &e->filter);
	user = plan_user_of(&e->b);
	inherit_groups(e, container_user, &user);
	if (user.is_setgroups_denied && !user.has_callers_groups && p->user.additional_gid_count > 0)
		builder_finding(&e->b, ERR_UNSUPPORTED, "/process/user/additionalGids",
				"cannot set any additional groups in a rootless container");
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
	bool is_waiting = e->options->is_announced || e->spec.process.terminal;

	builder_step(b, PLAN_BRIDGE, PLAN_LOOKUP, json_pointer)->u.program = program;
	builder_step(b, PLAN_BRIDGE, PLAN_SPAWN, 0);
	builder_step(b, PLAN_PARENT, PLAN_EXPECT, 0)->u.step = STEP_INIT_STARTED;
	if (e->spec.process.terminal)
		builder_step(b, PLAN_INIT, PLAN_CONTROLLING, 0);
	if (add_attributes(e))
		is_waiting = true;
	if (filter_time(e) == PLAN_FILTER_NOTIFY)
		plan_add_seccomp(b, PLAN_INIT, &e->filter);
	if (is_waiting) {
		builder_step(b, PLAN_PARENT, PLAN_SEND, 0)->u.step = STEP_COMMITTED;
		builder_step(b, PLAN_INIT, PLAN_EXPECT, 0)->u.step = STEP_COMMITTED;
	}
	plan_add_exec(b, &program, &e->filter);
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
		.options = request,
	};

	e.b.spec = &e.spec;
	e.b.request = &e.request;
	e.b.has_user = (container->namespaces & CLONE_NEWUSER) != 0;
	e.b.has_bridge = true;
	builder_begin(&e.b);
	make_process(&e);
	inherit_filter(&e);
	if (e.spec.process.args.count == 0)
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
