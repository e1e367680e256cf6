/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Selects the mounts that later steps look up paths below ("bases"): their descriptors stay open. The root file
 * system may be shared with another container, which can rename the directory of a mount. A lookup from the
 * root then leads elsewhere, and a path to mask would look as if it did not exist and be skipped. Process: the
 * parent.
 */
#include "builder.h"

/* The column "path" of the steps: the path that the step looks up, or NULL. */
static const char *path_none(const struct builder *b, const struct plan_step *step)
{
	(void)b;
	(void)step;
	return NULL;
}

static const char *path_text(const struct builder *b, const struct plan_step *step)
{
	return builder_get(b, step->u.text);
}

static const char *path_mount(const struct builder *b, const struct plan_step *step)
{
	return builder_get(b, step->u.mount.target);
}

static const char *path_source(const struct builder *b, const struct plan_step *step)
{
	return step->u.source.source.is_inside ? builder_get(b, step->u.source.source.path) : NULL;
}

static const char *path_device(const struct builder *b, const struct plan_step *step)
{
	return builder_get(b, step->u.device.path);
}

static const char *path_link(const struct builder *b, const struct plan_step *step)
{
	return builder_get(b, step->u.link.path);
}

static const char *path_file(const struct builder *b, const struct plan_step *step)
{
	return builder_get(b, step->u.file.path);
}

static const char *path_tty(const struct builder *b, const struct plan_step *step)
{
	(void)b;
	(void)step;
	return "/dev/pts/ptmx";
}

static const char *path_of(const struct builder *b, const struct plan_step *step)
{
	switch ((enum plan_kind)step->kind) {
#define PATH(kind, name, printed, parent, bridge, create, exec, detail, trial, path)                           \
	case PLAN_##kind:                                                                                      \
		return path_##path(b, step);
		PLAN_STEPS(PATH)
	case PLAN_KINDS:
		break;
	}
	return NULL;
}

static bool is_base(const struct builder *b, uint32_t index)
{
	const char *target = builder_get(b, b->steps[index].u.mount.target);

	for (uint32_t i = index + 1; i < b->step_count; i++) {
		const char *path = path_of(b, &b->steps[i]);

		if (path != NULL && path_is_below(path, target))
			return true;
	}
	return false;
}

void plan_keep_bases(struct builder *b)
{
	for (uint32_t i = 0; i < b->step_count; i++) {
		struct plan_mount *mount = &b->steps[i].u.mount;

		if (b->steps[i].kind != PLAN_MOUNT || mount->is_remount || !is_base(b, i))
			continue;
		mount->is_base = true;
		if (!mount->is_bind && mount->keep_slot == PLAN_NO_SLOT)
			mount->keep_slot = builder_slot(b);
	}
}
