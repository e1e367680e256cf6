/* SPDX-License-Identifier: Apache-2.0 */
/* Builds the plan of a container from its parts, in the order of the steps. Process: the parent. */
#include <errno.h>

#include <tare/protocol.h>

#include "builder.h"

static bool has_hooks(const struct spec *spec, enum spec_hook_kind kind)
{
	return spec->hooks[kind].count > 0;
}

/*
 * Hooks of the parent (prestart, createRuntime) can see and change the container's mounts, so they run after
 * the mounts and before the pivot. Hooks must see no process but init in the unit, and createContainer hooks
 * themselves count against its limits, so the placeholder is ended before both.
 */
static void add_create_hooks(struct builder *b)
{
	if (has_hooks(b->spec, SPEC_HOOK_PRESTART) || has_hooks(b->spec, SPEC_HOOK_CREATE_RUNTIME) ||
	    (b->has_unit && has_hooks(b->spec, SPEC_HOOK_CREATE_CONTAINER))) {
		builder_step(b, PLAN_INIT, PLAN_SEND, 0)->u.step = STEP_MOUNTED;
		builder_step(b, PLAN_PARENT, PLAN_EXPECT, 0)->u.step = STEP_MOUNTED;
		plan_add_release_placeholder(b);
		plan_add_hooks(b, PLAN_PARENT, SPEC_HOOK_PRESTART);
		plan_add_hooks(b, PLAN_PARENT, SPEC_HOOK_CREATE_RUNTIME);
		builder_step(b, PLAN_PARENT, PLAN_SEND, 0)->u.step = STEP_HOOKS_DONE;
		builder_step(b, PLAN_INIT, PLAN_EXPECT, 0)->u.step = STEP_HOOKS_DONE;
	}
	plan_add_hooks(b, PLAN_INIT, SPEC_HOOK_CREATE_CONTAINER);
}

/* After the ids are mapped, init creates everything as the container's root. */
static void add_setup(struct builder *b)
{
	_cleanup_free_ char *keyring = NULL;

	if (b->has_new_user || b->has_bridge)
		builder_step(b, PLAN_INIT, PLAN_EXPECT, 0)->u.step = STEP_MAPPED;
	plan_add_undumpable(b, PLAN_INIT, true);
	if (b->has_user) {
		b->stored.has_ids = true;
		b->stored.ids = (struct plan_ids){b->setup_uid, b->setup_gid};
		builder_step(b, PLAN_INIT, PLAN_SETUP_IDS, 0)->u.ids = b->stored.ids;
	}
	plan_add_overlay(b);
	plan_add_own_namespaces(b);
	if (!b->request->is_no_new_keyring) {
		plan_add_key_label(b, PLAN_INIT);
		keyring = b->request->keyring != NULL ? mem_dup(b->request->keyring)
						      : mem_format("_ses.%s", b->request->id);
		b->stored.keyring = builder_text(b, keyring);
		builder_step(b, PLAN_INIT, PLAN_KEYRING, 0)->u.text = b->stored.keyring;
	}
	if (plan_is_new(b->spec, SPEC_NS_NETWORK))
		builder_step(b, PLAN_INIT, PLAN_LOOPBACK, 0);
	if (b->spec->net_device_count > 0)
		builder_step(b, PLAN_INIT, PLAN_EXPECT, 0)->u.step = STEP_NETDEVS_MOVED;
}

/* Sources that init opens come before it changes its ids: it may need the caller's ids to reach them. */
static void build(struct builder *b)
{
	builder_begin(b);
	if (!b->request->is_run)
		b->gate_slot = builder_slot(b);
	plan_add_cgroup(b);
	plan_add_environment(b);
	plan_add_hook_outputs(b);
	plan_add_recorder(b);
	plan_begin_reaper(b);
	plan_add_namespaces(b);
	plan_add_resctrl(b);
	plan_add_root(b);
	add_setup(b);
	plan_add_mounts(b);
	plan_add_devices(b);
	add_create_hooks(b);
	plan_add_late_rootfs(b);
	plan_add_process(b);
	plan_keep_bases(b);
}

static struct plan *finish(struct builder *b)
{
	plan_text context = builder_text(b, plan_mount_context(b));
	struct plan_table notes = builder_table(b, b->notes, b->note_count, sizeof *b->notes);
	uint32_t process = plan_add_stored_process(b);
	struct plan *plan = builder_finish(b);

	plan->namespaces = plan_namespaces(b->spec);
	plan->mount_context = context;
	plan->notes = notes;
	plan->process = process;
	return plan;
}

int plan_build(const struct spec *spec, const struct host *host, const struct plan_request *request,
	       struct plan **ret_plan, struct err *err)
{
	struct builder b = {
		.spec = spec, .process = &spec->process, .host = host, .request = request, .first = err};

	build(&b);
	if (b.finding_count == 0)
		*ret_plan = finish(&b);
	builder_done(&b);
	return b.finding_count == 0 ? 0 : -EINVAL;
}

int plan_check(const struct spec *spec, const struct host *host, const struct plan_request *request,
	       void (*on_finding)(void *context, const struct err *finding), void *context)
{
	struct builder b = {.spec = spec,
			    .process = &spec->process,
			    .host = host,
			    .request = request,
			    .on_finding = on_finding,
			    .context = context};

	build(&b);
	builder_done(&b);
	return b.finding_count;
}

struct plan *plan_sketch(const struct spec *spec, const struct host *host, const struct plan_request *request)
{
	struct builder b = {.spec = spec, .process = &spec->process, .host = host, .request = request};
	struct plan *plan;

	build(&b);
	plan = finish(&b);
	builder_done(&b);
	return plan;
}

struct plan *plan_build_hooks(const struct spec *spec, const struct plan_request *request, uint32_t kind,
			      const char *status)
{
	struct builder b = {.spec = spec, .process = &spec->process, .request = request};
	struct plan *plan;

	builder_begin(&b);
	plan_add_hooks_status(&b, PLAN_PARENT, (enum spec_hook_kind)kind, status);
	plan = builder_finish(&b);
	builder_done(&b);
	return plan;
}
