/* SPDX-License-Identifier: Apache-2.0 */
/* The hooks, and what they need to be open. Process: the parent. */
#include <tare/spec.h>

#include "builder.h"
#include "detail.h"

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

/* Annotations of crun: files that hooks append their output to. */
static const char *const output_annotations[PLAN_OUTPUTS] = {"run.oci.hooks.stdout", "run.oci.hooks.stderr"};

static const char *hook_output(struct builder *b, int i)
{
	const char *path = spec_annotation(b->spec, output_annotations[i]);

	if (path != NULL && path[0] != '/')
		builder_finding(b, ERR_CONFIG,
				builder_get(b, builder_pointer(b, "/annotations/%s", output_annotations[i])),
				"must be an absolute path");
	return path;
}

void plan_add_hook_outputs(struct builder *b)
{
	size_t count = b->spec->hooks[SPEC_HOOK_CREATE_CONTAINER].count +
		       b->spec->hooks[SPEC_HOOK_START_CONTAINER].count;

	for (int i = 0; i < PLAN_OUTPUTS && count > 0; i++) {
		const char *path = hook_output(b, i);
		struct plan_step *step;

		if (path == NULL)
			continue;
		b->output_slots[i] = builder_slot(b);
		step = builder_step(b, PLAN_PARENT, PLAN_OPEN_OUTPUT,
				    builder_pointer(b, "/annotations/%s", output_annotations[i]));
		step->u.output.path = builder_text(b, path);
		step->u.output.slot = b->output_slots[i];
	}
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
	for (int i = 0; i < PLAN_OUTPUTS; i++) {
		hooks.outputs[i] = builder_text(b, hook_output(b, i));
		hooks.output_slots[i] = actor == PLAN_INIT ? b->output_slots[i] : PLAN_NO_SLOT;
	}
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

/* --- printers --- */

void plan_detail_hooks(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	const struct plan_hooks *hooks = &step->u.hooks;
	const struct plan_hook *rows = plan_rows(plan, hooks->hooks);

	buf_add_str(out, spec_hook_name((enum spec_hook_kind)hooks->kind));
	for (uint32_t i = 0; i < hooks->hooks.count; i++)
		detail_add_item(out, " ", plan_get(plan, rows[i].path));
}

void plan_detail_output(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	detail_add_item(out, "", plan_get(plan, step->u.output.path));
}
