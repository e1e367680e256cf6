/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The namespaces: which process joins or creates which one, and the start of the bridge and init. Process: the
 * parent.
 */
#include <linux/sched.h>

#include <tare/protocol.h>

#include "builder.h"
#include "detail.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

static const uint64_t clone_flags[SPEC_NS_COUNT] = {
	[SPEC_NS_USER] = CLONE_NEWUSER,     [SPEC_NS_MOUNT] = CLONE_NEWNS,  [SPEC_NS_PID] = CLONE_NEWPID,
	[SPEC_NS_NETWORK] = CLONE_NEWNET,   [SPEC_NS_IPC] = CLONE_NEWIPC,   [SPEC_NS_UTS] = CLONE_NEWUTS,
	[SPEC_NS_CGROUP] = CLONE_NEWCGROUP, [SPEC_NS_TIME] = CLONE_NEWTIME,
};

uint64_t plan_namespaces(const struct spec *spec)
{
	uint64_t flags = 0;

	for (int ns = 0; ns < SPEC_NS_COUNT; ns++)
		flags |= spec->namespaces[ns].is_set ? clone_flags[ns] : 0;
	return flags;
}

static plan_text ns_pointer(struct builder *b, enum spec_ns ns)
{
	return builder_pointer(b, "/linux/namespaces/%u/path", b->spec->namespaces[ns].index);
}

static void check_joined(struct builder *b, enum spec_ns ns)
{
	const struct host_namespace *found = &b->host->namespaces[ns];
	const char *path = b->spec->namespaces[ns].path;
	char json_pointer[64];

	if (!found->is_probed)
		return;
	str_format(json_pointer, sizeof json_pointer, "/linux/namespaces/%u/path",
		   b->spec->namespaces[ns].index);
	if (found->errnum != 0) {
		builder_finding_errno(b, found->errnum, json_pointer, "cannot open namespace '%s'", path);
		return;
	}
	if ((uint64_t)found->actual_type != clone_flags[ns])
		builder_finding(b, ERR_CONFIG, json_pointer, "'%s' is not a %s namespace", path,
				spec_namespace_name(ns));
}

static void open_joined(struct builder *b)
{
	for (int ns = 0; ns < SPEC_NS_COUNT; ns++) {
		struct plan_step *step;
		plan_text json_pointer, path;

		b->ns_slots[ns] = PLAN_NO_SLOT;
		if (!plan_is_joined(b->spec, (enum spec_ns)ns))
			continue;
		check_joined(b, (enum spec_ns)ns);
		json_pointer = ns_pointer(b, (enum spec_ns)ns);
		path = builder_text(b, b->spec->namespaces[ns].path);
		b->ns_slots[ns] = builder_slot(b);
		step = builder_step(b, PLAN_PARENT, PLAN_OPEN_NAMESPACE, json_pointer);
		step->u.ns.ns = (uint32_t)ns;
		step->u.ns.slot = b->ns_slots[ns];
		step->u.ns.path = path;
	}
}

static void join(struct builder *b, enum plan_actor actor, enum spec_ns ns, bool is_tentative)
{
	struct plan_step *step;
	plan_text json_pointer;

	if (b->ns_slots[ns] == PLAN_NO_SLOT)
		return;
	json_pointer = ns_pointer(b, ns);
	step = builder_step(b, actor, PLAN_JOIN, json_pointer);
	step->u.ns.ns = (uint32_t)ns;
	step->u.ns.slot = b->ns_slots[ns];
	step->u.ns.is_tentative = is_tentative;
	step->u.ns.drops_groups = ns == SPEC_NS_USER && plan_drops_groups_early(b);
}

/*
 * A namespace that belongs to the caller's user namespace can only be entered before the container's user
 * namespace, and one that belongs to the latter only after it. The first pass ignores EPERM, the second does
 * not.
 */
static void join_all(struct builder *b, enum plan_actor actor)
{
	static const enum spec_ns order[] = {SPEC_NS_NETWORK, SPEC_NS_IPC,  SPEC_NS_UTS,  SPEC_NS_CGROUP,
					     SPEC_NS_PID,     SPEC_NS_TIME, SPEC_NS_MOUNT};
	bool has_two_passes = b->ns_slots[SPEC_NS_USER] != PLAN_NO_SLOT;

	for (size_t i = 0; has_two_passes && i < ARRAY_SIZE(order); i++)
		join(b, actor, order[i], true);
	join(b, actor, SPEC_NS_USER, false);
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		join(b, actor, order[i], false);
}

static bool has_joined(const struct builder *b)
{
	for (int ns = 0; ns < SPEC_NS_COUNT; ns++)
		if (b->ns_slots[ns] != PLAN_NO_SLOT)
			return true;
	return false;
}

static void add_sync(struct builder *b, enum plan_actor from, enum plan_actor to, enum protocol_step what)
{
	builder_step(b, from, PLAN_SEND, 0)->u.step = what;
	builder_step(b, to, PLAN_EXPECT, 0)->u.step = what;
}

/* Engines also write mappings for a joined user namespace. */
static bool has_joined_maps(const struct spec *spec)
{
	return plan_is_joined(spec, SPEC_NS_USER) && spec->uid_mappings.count + spec->gid_mappings.count > 0;
}

static void add_maps(struct builder *b)
{
	struct plan_maps maps = builder_maps(b, &b->spec->uid_mappings, &b->spec->gid_mappings);
	plan_text json_pointer = builder_text(b, "/linux/uidMappings");

	maps.is_joined = !b->has_new_user;
	builder_step(b, PLAN_PARENT, PLAN_ID_MAPS, json_pointer)->u.maps = maps;
}

static void add_time(struct builder *b)
{
	const struct spec_time_offset *m = &b->spec->monotonic_offset, *t = &b->spec->boottime_offset;
	struct plan_step *step;
	plan_text json_pointer;

	builder_step(b, PLAN_BRIDGE, PLAN_UNSHARE, 0)->u.number = CLONE_NEWTIME;
	if (!m->is_set && !t->is_set)
		return;
	json_pointer = builder_text(b, "/linux/timeOffsets");
	step = builder_step(b, PLAN_BRIDGE, PLAN_TIME_OFFSETS, json_pointer);
	step->u.times.slot = b->proc_slot;
	step->u.times.monotonic = *m;
	step->u.times.boottime = *t;
}

/*
 * Namespaces that init must create itself. The root of a cgroup namespace is the cgroup of the process that
 * creates it, and only init is in the container's cgroup. The root of mqueue belongs to the creator of the ipc
 * namespace, which in a user namespace must have a mapped id: init after it has become the container's root.
 */
static uint64_t made_by_init(const struct builder *b)
{
	uint64_t flags = plan_is_new(b->spec, SPEC_NS_CGROUP) ? CLONE_NEWCGROUP : 0;

	if (plan_is_new(b->spec, SPEC_NS_IPC) && b->has_user)
		flags |= CLONE_NEWIPC;
	return flags;
}

void plan_add_own_namespaces(struct builder *b)
{
	uint64_t flags = made_by_init(b);

	if (flags != 0)
		builder_step(b, PLAN_INIT, PLAN_UNSHARE, 0)->u.number = (int64_t)flags;
}

/* Namespaces that clone3(2) creates for init. The time namespace is created by the bridge. */
static uint64_t clone_flags_of_init(const struct builder *b)
{
	uint64_t flags = 0;

	for (int ns = 0; ns < SPEC_NS_COUNT; ns++)
		if (plan_is_new(b->spec, (enum spec_ns)ns))
			flags |= clone_flags[ns];
	return flags & ~(made_by_init(b) | CLONE_NEWTIME);
}

static void add_spawn(struct builder *b, enum plan_actor actor, uint64_t flags, bool is_bridge)
{
	struct plan_step *step = builder_step(b, actor, PLAN_SPAWN, 0);

	step->u.spawn.flags = flags;
	step->u.spawn.is_bridge = is_bridge;
	/*
	 * clone3(2) into a cgroup fails if the cgroup is outside of the caller's cgroup namespace (nsdelegate,
	 * cgroups(7)). If the bridge joins a cgroup namespace, init can only start in the bridge's cgroup: the
	 * bridge itself is started in the container's cgroup.
	 */
	step->u.spawn.into_cgroup = is_bridge == (b->has_bridge && b->ns_slots[SPEC_NS_CGROUP] != PLAN_NO_SLOT);
}

/*
 * A process in the same pid namespace that has as many rights as init must not access init's descriptors, which
 * are those of the host. A caller that is not root, or that creates a user namespace inside of another one,
 * hides init only after the id maps are written: the files in /proc of an undumpable process belong to root, so
 * this caller could not write the maps.
 */
static bool is_hidden_late(const struct builder *b)
{
	return b->host->euid != 0 || (b->has_new_user && b->host->is_in_user_ns);
}

void plan_add_undumpable(struct builder *b, enum plan_actor actor, bool is_late)
{
	if (is_late == is_hidden_late(b))
		builder_step(b, actor, PLAN_SET_UNDUMPABLE, 0);
}

static void add_oom_score(struct builder *b)
{
	plan_text json_pointer = builder_text(b, "/process/oomScoreAdj");

	if (b->process->attributes.oom_score_adj.is_set)
		builder_step(b, PLAN_PARENT, PLAN_OOM_SCORE, json_pointer)->u.number =
			b->process->attributes.oom_score_adj.value;
}

static void add_bridge(struct builder *b)
{
	uint64_t flags = clone_flags_of_init(b);

	add_spawn(b, PLAN_PARENT, 0, true);
	plan_add_undumpable(b, PLAN_BRIDGE, false);
	join_all(b, PLAN_BRIDGE);
	if (b->is_user_early) {
		/* The clock offsets belong to the new user namespace, so that namespace is created first. */
		flags &= ~(uint64_t)CLONE_NEWUSER;
		builder_step(b, PLAN_BRIDGE, PLAN_UNSHARE, 0)->u.number = CLONE_NEWUSER;
		add_sync(b, PLAN_BRIDGE, PLAN_PARENT, STEP_UNSHARED);
		add_maps(b);
		add_sync(b, PLAN_PARENT, PLAN_BRIDGE, STEP_MAPPED);
	}
	if (plan_is_new(b->spec, SPEC_NS_TIME))
		add_time(b);
	add_spawn(b, PLAN_BRIDGE, flags, false);
	builder_step(b, PLAN_PARENT, PLAN_EXPECT, 0)->u.step = STEP_INIT_STARTED;
	if ((b->has_new_user && !b->is_user_early) || has_joined_maps(b->spec))
		add_maps(b);
	add_oom_score(b);
	/*
	 * Sent even without maps: the bridge and init write to the same socket, and init's next message must be
	 * the later one.
	 */
	builder_step(b, PLAN_PARENT, PLAN_SEND, 0)->u.step = STEP_MAPPED;
}

static void add_processes(struct builder *b)
{
	if (b->has_bridge) {
		add_bridge(b);
	} else {
		add_spawn(b, PLAN_PARENT, clone_flags_of_init(b), false);
		plan_add_undumpable(b, PLAN_INIT, false);
		if (b->has_new_user)
			add_maps(b);
		add_oom_score(b);
		if (b->has_new_user)
			builder_step(b, PLAN_PARENT, PLAN_SEND, 0)->u.step = STEP_MAPPED;
	}
	if (!b->has_bridge)
		join_all(b, PLAN_INIT);
}

static uint32_t mapped_root(const struct spec_id_maps *maps)
{
	for (size_t i = 0; i < maps->count; i++)
		if (maps->v[i].container_id == 0)
			return 0;
	return maps->count > 0 ? maps->v[0].container_id : 0;
}

/* As soon as init, or the namespace that it joins, exists: no code of the container has run yet. */
static void add_net_devices(struct builder *b)
{
	const struct spec *spec = b->spec;

	if (spec->net_device_count == 0)
		return;
	if (plan_has_callers(b, SPEC_NS_NETWORK))
		builder_finding(b, ERR_CONFIG, "/linux/netDevices",
				"the container needs a network namespace of its own");
	if (!b->host->is_privileged)
		builder_finding(b, ERR_UNSUPPORTED, "/linux/netDevices",
				"an unprivileged caller cannot move network devices");
	for (size_t i = 0; i < spec->net_device_count; i++) {
		const struct spec_net_device *device = &spec->net_devices[i];
		const char *name = device->container_name;
		plan_text json_pointer = builder_pointer(b, "/linux/netDevices/%s", device->host_name);
		plan_text names[2] = {builder_text(b, device->host_name),
				      builder_text(b, name == NULL ? device->host_name : name)};
		struct plan_step *step = builder_step(b, PLAN_PARENT, PLAN_NET_DEVICE, json_pointer);

		step->u.net_device = (struct plan_net_device){
			.name = names[0], .new_name = names[1], .slot = b->ns_slots[SPEC_NS_NETWORK]};
	}
	builder_step(b, PLAN_PARENT, PLAN_SEND, 0)->u.step = STEP_NETDEVS_MOVED;
}

static void add_proc(struct builder *b)
{
	bool is_needed = b->spec->sysctl.count > 0 || plan_is_new(b->spec, SPEC_NS_TIME) || b->has_new_user ||
			 b->process->attributes.oom_score_adj.is_set || plan_has_labels(b) ||
			 has_joined_maps(b->spec) || b->request->is_no_pivot;

	if (!is_needed)
		return;
	b->proc_slot = builder_slot(b);
	builder_step(b, PLAN_PARENT, PLAN_OPEN_PROC, 0)->u.slot = b->proc_slot;
}

void plan_add_namespaces(struct builder *b)
{
	const struct spec *spec = b->spec;

	b->has_new_user = plan_is_new(spec, SPEC_NS_USER);
	b->has_user = spec->namespaces[SPEC_NS_USER].is_set;
	b->has_mount_ns = !plan_has_callers(b, SPEC_NS_MOUNT);
	b->setup_uid = mapped_root(&spec->uid_mappings);
	b->setup_gid = mapped_root(&spec->gid_mappings);
	if (!b->host->is_privileged && !b->has_user)
		builder_finding(
			b, ERR_UNSUPPORTED, "/linux/namespaces",
			"an unprivileged caller needs a user namespace (tare spec --rootless writes one)");
	add_proc(b);
	open_joined(b);
	/* setns(2): a process cannot move itself into a pid or time namespace, only its children. */
	b->has_bridge = b->ns_slots[SPEC_NS_PID] != PLAN_NO_SLOT || spec->namespaces[SPEC_NS_TIME].is_set ||
			b->ns_slots[SPEC_NS_USER] != PLAN_NO_SLOT || (b->has_new_user && has_joined(b));
	b->is_user_early = b->has_new_user && plan_is_new(spec, SPEC_NS_TIME);
	plan_add_sources(b);
	add_processes(b);
	add_net_devices(b);
}

/* --- printers --- */

void plan_detail_namespace(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	buf_format(out, "%s %s", spec_namespace_name((enum spec_ns)step->u.ns.ns),
		   plan_get(plan, step->u.ns.path));
}

void plan_detail_join(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	(void)plan;
	buf_format(out, "%s%s%s", spec_namespace_name((enum spec_ns)step->u.ns.ns),
		   step->u.ns.is_tentative ? " if allowed" : "",
		   step->u.ns.drops_groups ? " without the caller's groups" : "");
}

void plan_detail_enter(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	(void)plan;
	detail_add_namespaces(out, step->u.container.namespaces);
}

void plan_detail_spawn(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	(void)plan;
	buf_format(out, "%s%s", step->u.spawn.is_bridge ? "bridge" : "init",
		   step->u.spawn.flags != 0 ? " in new " : "");
	detail_add_namespaces(out, step->u.spawn.flags);
}

void plan_detail_unshare(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	(void)plan;
	detail_add_namespaces(out, (uint64_t)step->u.number);
}

static void add_ranges(struct buf *out, const struct plan *plan, const char *name, struct plan_table table)
{
	const struct spec_id_range *ranges = plan_rows(plan, table);

	buf_format(out, "%s", name);
	for (uint32_t i = 0; i < table.count; i++)
		buf_format(out, " %u:%u:%u", ranges[i].container_id, ranges[i].host_id, ranges[i].size);
}

void plan_detail_maps(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	buf_add_str(out, step->u.maps.is_joined ? "must be " : "");
	add_ranges(out, plan, "uid", step->u.maps.uid);
	add_ranges(out, plan, " gid", step->u.maps.gid);
}

void plan_detail_idmap(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	add_ranges(out, plan, "uid", step->u.idmap.maps.uid);
	add_ranges(out, plan, " gid", step->u.idmap.maps.gid);
}

void plan_detail_times(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	(void)plan;
	buf_format(out, "monotonic %lld.%u boottime %lld.%u", (long long)step->u.times.monotonic.secs,
		   step->u.times.monotonic.nanosecs, (long long)step->u.times.boottime.secs,
		   step->u.times.boottime.nanosecs);
}

void plan_detail_ids(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	(void)plan;
	buf_format(out, "uid %u gid %u", step->u.ids.uid, step->u.ids.gid);
}

void plan_detail_net_device(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	buf_format(out, "%s as %s", plan_get(plan, step->u.net_device.name),
		   plan_get(plan, step->u.net_device.new_name));
}
