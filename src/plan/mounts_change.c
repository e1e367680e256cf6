/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plans of "mounts add" and "mounts remove". The steps that make a mount are those of a creation, in the
 * same order; what differs is the process that carries them out. It stays outside of the container's pid
 * namespace and cgroup: no process of the container can see it or stop it, and a frozen cgroup does not stop it
 * either. It has the mount sources open, so it must not be dumpable before it enters the container.
 *
 * Process: the parent.
 */
#include <errno.h>
#include <linux/sched.h>
#include <stdlib.h>
#include <string.h>

#include <tare/protocol.h>

#include "detail.h"
#include "options.h"

struct change {
	struct builder b;
	struct plan_request request;
	struct spec spec; /* of add: the container's, with the mounts of the request */
	const struct plan *container;
	const struct plan_mounts_request *asked;
	int32_t container_slot;
	uint64_t namespaces; /* to enter; CLONE_NEW* */
};

static void begin(struct change *c, const struct plan *container, const struct host *host,
		  const struct plan_mounts_request *asked, struct err *err)
{
	*c = (struct change){
		.b = {.host = host, .first = err, .mounts_pointer = ""},
		.request = {.id = plan_get(container, container->id), .bundle = asked->bundle},
		.container = container,
		.asked = asked,
		/* Only a child could enter a pid or time namespace, and no mount that can be added needs them.
		 */
		.namespaces = container->namespaces & ~(uint64_t)(CLONE_NEWPID | CLONE_NEWTIME),
	};
	c->b.request = &c->request;
	c->b.spec = &c->spec;
	c->b.process = &c->spec.process;
	for (int ns = 0; ns < SPEC_NS_COUNT; ns++)
		c->b.ns_slots[ns] = PLAN_NO_SLOT;
	builder_begin(&c->b);
	if ((container->namespaces & CLONE_NEWNS) == 0)
		builder_finding(&c->b, ERR_UNSUPPORTED, NULL,
				"the container has no mount namespace of its own");
	c->container_slot = builder_slot(&c->b);
	builder_step(&c->b, PLAN_PARENT, PLAN_OPEN_CONTAINER, 0)->u.container = (struct plan_container){
		.slot = c->container_slot, .root_slot = PLAN_NO_SLOT, .namespaces = container->namespaces};
	c->b.proc_slot = builder_slot(&c->b);
	builder_step(&c->b, PLAN_PARENT, PLAN_OPEN_PROC, 0)->u.slot = c->b.proc_slot;
	builder_step(&c->b, PLAN_INIT, PLAN_SET_UNDUMPABLE, 0);
}

static void add_enter(struct change *c, uint64_t namespaces)
{
	builder_step(&c->b, PLAN_INIT, PLAN_ENTER, 0)->u.container = (struct plan_container){
		.slot = c->container_slot, .root_slot = PLAN_NO_SLOT, .namespaces = namespaces};
}

/* From the start of the process to its entry in the container. */
static void add_process(struct change *c)
{
	const struct plan_process *stored = plan_process_of(c->container);

	builder_step(&c->b, PLAN_PARENT, PLAN_SPAWN, 0);
	add_enter(c, c->namespaces);
	if (stored->has_ids)
		builder_step(&c->b, PLAN_INIT, PLAN_SETUP_IDS, 0)->u.ids = stored->ids;
}

/* The process waits until the parent has stored what it has reported. */
static void add_end(struct change *c)
{
	builder_step(&c->b, PLAN_INIT, PLAN_EXPECT, 0)->u.step = STEP_COMMITTED;
	builder_step(&c->b, PLAN_INIT, PLAN_QUIT, 0);
}

static int finish(struct change *c, struct plan **ret_plan)
{
	plan_text context = builder_text(&c->b, plan_mount_context(&c->b));
	struct plan_table notes = builder_table(&c->b, c->b.notes, c->b.note_count, sizeof *c->b.notes);
	int count = c->b.finding_count;

	if (count == 0) {
		*ret_plan = builder_finish(&c->b);
		(*ret_plan)->mount_context = context;
		(*ret_plan)->notes = notes;
	}
	builder_done(&c->b);
	return count == 0 ? 0 : -EINVAL;
}

/* --- add --- */

/*
 * Other file systems have paths as source or options, as an overlay or a disk: the kernel would look them up in
 * the container, where they lead to what its processes want.
 */
static bool has_no_paths(const char *type)
{
	static const char *const names[] = {"tmpfs", "sysfs", "mqueue", "devpts", "cgroup", "cgroup2"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_equal(type, names[i]))
			return true;
	return false;
}

static void check_type(struct builder *b, const struct spec_mount *m, const struct plan_options *o,
		       const char *json_pointer)
{
	bool is_bind = o->is_bind || o->is_remount || str_is_empty(m->type) || str_equal(m->type, "bind");

	if (str_equal(m->type, "symlink") || str_equal(m->type, "file"))
		builder_finding(b, ERR_UNSUPPORTED, json_pointer,
				"type '%s' is no mount, so it cannot be added to an existing container",
				m->type);
	else if (!is_bind && str_equal(m->type, "proc"))
		builder_finding(b, ERR_UNSUPPORTED, json_pointer,
				"a procfs cannot be added to an existing container: tare is outside of its pid "
				"namespace");
	else if (!is_bind && !has_no_paths(m->type))
		builder_finding(
			b, ERR_UNSUPPORTED, json_pointer,
			"file system '%.100s' cannot be added to an existing container: mount it on the "
			"host, and add a bind of it",
			m->type);
}

static void check_option(struct builder *b, bool is_set, const char *option, const char *json_pointer)
{
	if (is_set)
		builder_finding(b, ERR_UNSUPPORTED, json_pointer,
				"option '%s' is for the mounts of a configuration", option);
}

/*
 * What cannot be undone, or is not safe while the container's processes run: the process that mounts is not
 * subject to the container's device rules, so a file that tmpcopyup copies could be exchanged for a device.
 */
static void check(struct builder *b, const struct spec_mount *m)
{
	const char *json_pointer = builder_mount_pointer(b, m, NULL);
	struct plan_options o;

	plan_options_parse(&m->options, &o);
	check_type(b, m, &o, json_pointer);
	check_option(b, (o.links & OPTION_LINK_COPY) != 0, "copy-symlink", json_pointer);
	check_option(b, o.is_remount, "remount", json_pointer);
	check_option(b, o.is_copy_up, "tmpcopyup", json_pointer);
	if (o.is_idmap && o.idmap_value == NULL && m->uid_mappings.count == 0 &&
	    b->spec->uid_mappings.count == 0)
		builder_finding(b, ERR_UNSUPPORTED, json_pointer,
				"option 'idmap' needs uidMappings and gidMappings: the configuration of the "
				"container has none");
	free(o.data.v);
}

/*
 * init of a caller that must not mount opens the sources in a copy of the caller's mount namespace, with the
 * rights that it has in the container's user namespace, which may be the caller's.
 */
static void add_copy_of_mounts(struct change *c)
{
	if (c->b.host->is_mounting)
		return;
	if ((c->namespaces & CLONE_NEWUSER) != 0)
		add_enter(c, CLONE_NEWUSER);
	builder_step(&c->b, PLAN_INIT, PLAN_UNSHARE, 0)->u.number = CLONE_NEWNS;
	c->namespaces &= ~(uint64_t)CLONE_NEWUSER;
}

/* A way that copies a mount of the caller would copy one of the container here, which may show anything. */
static void restrict_ways(struct builder *b, struct plan_step *step)
{
	struct plan_mount *mount = &step->u.mount;

	if (mount->is_cgroup_shared)
		builder_finding(b, ERR_UNSUPPORTED, builder_get(b, step->json_pointer),
				"a container in the caller's cgroup namespace cannot get a cgroup mount");
	mount->ways = PLAN_WAY_NEW;
	mount->is_cgroup = mount->is_cgroup_shared = false;
	mount->cgroup_path = 0;
	if (!mount->is_bind && mount->keep_slot == PLAN_NO_SLOT)
		mount->keep_slot = builder_slot(b);
}

static void add_mounts(struct builder *b)
{
	uint32_t from = b->step_count;

	plan_add_mounts(b);
	for (uint32_t i = from; i < b->step_count; i++)
		if (b->steps[i].kind == PLAN_MOUNT)
			restrict_ways(b, &b->steps[i]);
	plan_keep_bases(b);
}

/*
 * Puts a step PLAN_REPORT_MOUNT after each mount: a later mount on the same target replaces the descriptor in
 * the slot.
 */
static void add_reports(struct builder *b, uint32_t from)
{
	uint32_t count = b->step_count - from;
	_cleanup_free_ struct plan_step *steps = mem_alloc((count + 1) * sizeof *steps);

	memcpy(steps, b->steps + from, count * sizeof *steps);
	b->step_count = from;
	for (uint32_t i = 0; i < count; i++) {
		const struct plan_mount *mount = &steps[i].u.mount;
		struct plan_step *step = builder_step(b, steps[i].actor, steps[i].kind, steps[i].json_pointer);

		*step = steps[i];
		if (step->kind != PLAN_MOUNT)
			continue;
		step = builder_step(b, PLAN_INIT, PLAN_REPORT_MOUNT, step->json_pointer);
		step->u.added.mount_slot = mount->is_bind ? mount->source_slot : mount->keep_slot;
		step->u.added.slot = builder_slot(b);
		builder_step(b, PLAN_PARENT, PLAN_EXPECT, 0)->u.step = STEP_MOUNTED;
	}
}

int plan_build_mounts(const struct spec *spec, const struct plan *container, const struct host *host,
		      const struct plan_mounts_request *request, struct plan **ret_plan, struct err *err)
{
	struct change c;
	uint32_t from;

	begin(&c, container, host, request, err);
	c.spec = *spec;
	c.spec.mounts = (struct spec_mount *)(uintptr_t)request->mounts;
	c.spec.mount_count = request->count;
	/* All sources are the caller's: none is a path in a mount that an earlier one of the array makes. */
	c.spec.root.path = NULL;
	c.b.has_mount_ns = true;
	c.b.has_user = (container->namespaces & CLONE_NEWUSER) != 0;
	c.b.has_new_user = plan_is_new(spec, SPEC_NS_USER);
	for (size_t i = 0; i < request->count; i++)
		check(&c.b, &request->mounts[i]);
	if (c.b.finding_count == 0) {
		add_copy_of_mounts(&c);
		plan_add_bind_sources(&c.b);
		add_process(&c);
		from = c.b.step_count;
		add_mounts(&c.b);
		add_reports(&c.b, from);
		plan_add_late_readonly(&c.b);
		add_end(&c);
	}
	return finish(&c, ret_plan);
}

/* --- remove --- */

static bool is_repeated(const struct plan_mounts_request *request, size_t index)
{
	char target[4096], other[4096];

	(void)plan_clean_path(request->mounts[index].destination, target, sizeof target);
	for (size_t i = 0; i < index; i++)
		if (str_equal(target, plan_clean_path(request->mounts[i].destination, other, sizeof other)))
			return true;
	return false;
}

static void add_find(struct change *c, size_t index, struct plan_table ids)
{
	const struct spec_mount *m = &c->asked->mounts[index];
	plan_text json_pointer = builder_text(&c->b, builder_mount_pointer(&c->b, m, "destination"));
	struct plan_removed removed = {.ids = ids, .slot = builder_slot(&c->b)};
	struct plan_options o;
	char target[4096];

	if (str_is_empty(plan_clean_path(m->destination, target, sizeof target)))
		builder_finding(&c->b, ERR_CONFIG, builder_get(&c->b, json_pointer), "the path is too long");
	if (is_repeated(c->asked, index))
		builder_finding(&c->b, ERR_CONFIG, builder_get(&c->b, json_pointer),
				"destination '%.200s' is given twice", target);
	plan_options_parse(&m->options, &o);
	removed.is_link_target = (o.links & OPTION_LINK_TARGET) != 0;
	free(o.data.v);
	removed.target = builder_text(&c->b, target);
	builder_step(&c->b, PLAN_INIT, PLAN_FIND_MOUNT, json_pointer)->u.removed = removed;
}

int plan_build_unmounts(const struct plan *container, const struct host *host,
			const struct plan_mounts_request *request, struct plan **ret_plan, struct err *err)
{
	struct plan_table ids;
	struct change c;
	uint32_t count;

	begin(&c, container, host, request, err);
	c.spec.mounts = (struct spec_mount *)(uintptr_t)request->mounts;
	c.spec.mount_count = request->count;
	ids = builder_table(&c.b, request->ids, request->id_count, sizeof *request->ids);
	add_process(&c);
	for (size_t i = 0; i < request->count; i++)
		add_find(&c, i, ids);
	count = c.b.step_count;
	for (uint32_t i = count; i-- > 0;) {
		int32_t slot = c.b.steps[i].u.removed.slot;
		plan_text json_pointer = c.b.steps[i].json_pointer;

		if (c.b.steps[i].kind != PLAN_FIND_MOUNT)
			continue;
		builder_step(&c.b, PLAN_INIT, PLAN_UNMOUNT, json_pointer)->u.slot = slot;
		builder_step(&c.b, PLAN_PARENT, PLAN_EXPECT, 0)->u.step = STEP_MOUNTED;
	}
	add_end(&c);
	return finish(&c, ret_plan);
}

void plan_detail_found(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	detail_add_item(out, "", plan_get(plan, step->u.removed.target));
}
