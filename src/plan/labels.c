/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Security labels of AppArmor and SELinux. The label of the program is set as the last one, so that the
 * runtime's own hooks do not run with it. Process: the parent.
 */
#include <string.h>

#include "builder.h"
#include "detail.h"

#define LABEL_MAX 4000 /* bytes; the kernel accepts a page, with a keyword before the label */

static void check_label(struct builder *b, const char *json_pointer, const char *label)
{
	if (strlen(label) > LABEL_MAX)
		builder_finding(b, ERR_CONFIG, json_pointer, "is longer than %d characters", LABEL_MAX);
	if (strpbrk(label, "\n\r\t ") != NULL && str_equal(json_pointer, "/process/apparmorProfile"))
		builder_finding(b, ERR_CONFIG, json_pointer,
				"'%.100s' is not a valid profile name (it contains white space)", label);
}

static void add_label(struct builder *b, enum plan_actor actor, enum plan_label_kind kind, const char *text)
{
	const char *at = kind == PLAN_LABEL_APPARMOR ? "/process/apparmorProfile" : "/process/selinuxLabel";
	struct plan_label label = {.kind = kind, .slot = b->proc_slot};
	plan_text json_pointer;

	if (str_is_empty(text))
		return;
	check_label(b, at, text);
	label.text = builder_text(b, text);
	json_pointer = builder_text(b, at);
	builder_step(b, actor, PLAN_LABEL, json_pointer)->u.label = label;
}

bool plan_has_labels(const struct builder *b)
{
	return !str_is_empty(b->process->apparmor_profile) || !str_is_empty(b->process->selinux_label);
}

void plan_add_key_label(struct builder *b, enum plan_actor actor)
{
	add_label(b, actor, PLAN_LABEL_SELINUX_KEYS, b->process->selinux_label);
}

void plan_add_labels(struct builder *b, enum plan_actor actor)
{
	add_label(b, actor, PLAN_LABEL_APPARMOR, b->process->apparmor_profile);
	add_label(b, actor, PLAN_LABEL_SELINUX, b->process->selinux_label);
}

/*
 * File systems without a label option: proc and sysfs have one label for all mounts, cgroup2 has that of the
 * policy, and the label of mqueue is set on its root directory.
 */
static bool has_context(const char *type)
{
	static const char *const without[] = {"proc", "sysfs", "mqueue", "cgroup2"};

	for (size_t i = 0; i < ARRAY_SIZE(without); i++)
		if (str_equal(type, without[i]))
			return false;
	return true;
}

/*
 * mount(8) "context=": the annotation selects one of the four options, for policies that need another one than
 * the first.
 */
static const char *context_option(struct builder *b)
{
	static const char *const names[] = {"context", "fscontext", "defcontext", "rootcontext"};
	const char *requested = spec_annotation(b->spec, "run.oci.mount_context_type");

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (requested == NULL || str_equal(requested, names[i]))
			return names[i];
	builder_finding(b, ERR_CONFIG, "/annotations/run.oci.mount_context_type",
			"'%.40s' is none of context, fscontext, defcontext, rootcontext", requested);
	return names[0];
}

char *plan_mount_context(struct builder *b)
{
	const char *label = b->spec->mount_label;

	if (str_is_empty(label))
		return NULL;
	check_label(b, "/linux/mountLabel", label);
	return arena_format(&b->arena, "%s=%s", context_option(b), label);
}

void plan_label_mount(struct builder *b, struct plan_mount *mount, const struct spec_list *options)
{
	const char *type = builder_get(b, mount->type), *context = plan_mount_context(b);
	char **v;

	if (context == NULL)
		return;
	if (str_equal(type, "mqueue"))
		mount->label = builder_text(b, b->spec->mount_label);
	if (!has_context(type))
		return;
	for (size_t i = 0; i < options->count; i++)
		if (strncmp(options->v[i], context, strcspn(context, "=") + 1) == 0)
			return;
	v = arena_alloc(&b->arena, (options->count + 1) * sizeof *v);
	if (options->count > 0)
		memcpy(v, options->v, options->count * sizeof *v);
	v[options->count] = (char *)(uintptr_t)context;
	mount->options = builder_texts(b, v, options->count + 1);
}

/* --- printers --- */

void plan_detail_label(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	static const char *const names[] = {
		[PLAN_LABEL_APPARMOR] = "apparmor",
		[PLAN_LABEL_SELINUX] = "selinux",
		[PLAN_LABEL_SELINUX_KEYS] = "selinux keys",
	};

	buf_format(out, "%s %s", names[step->u.label.kind], plan_get(plan, step->u.label.text));
}
