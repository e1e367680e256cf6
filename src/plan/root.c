/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kinds of root file systems: the directory root.path, a tmpfs without any directory of the host, or an
 * overlay of a tmpfs over root.path, so that the container may write anything and nothing of it stays. Process:
 * the parent.
 */
#include <errno.h>
#include <string.h>

#include "detail.h"
#include "idmap.h"

#define ANNOTATION "org.tare.root"
#define OVERLAY_SIZE (UINT64_C(256) << 20)

struct root_kind {
	bool is_tmpfs, is_overlay;
	uint64_t size;     /* of the tmpfs of an overlay, in bytes */
	const char *idmap; /* of root.path below an overlay, in the form of idmap_parse; or NULL */
};

/* "tmpfs", or "overlay" with the options size= and, as the last one, idmap=. */
static bool parse(struct arena *arena, const char *value, struct root_kind *ret)
{
	*ret = (struct root_kind){.size = OVERLAY_SIZE};
	ret->is_tmpfs = str_equal(value, "tmpfs");
	if (value == NULL || ret->is_tmpfs)
		return true;
	ret->is_overlay = str_has_prefix(value, "overlay");
	value += ret->is_overlay ? strlen("overlay") : 0;
	if (str_has_prefix(value, ",size=")) {
		size_t len = strcspn(value + 6, ",");

		if (!str_to_u64(arena_dup(arena, value + 6, len), INT64_MAX, &ret->size) || ret->size == 0)
			return false;
		value += 6 + len;
	}
	if (str_has_prefix(value, ",idmap=")) {
		ret->idmap = value + 7;
		return ret->is_overlay;
	}
	return ret->is_overlay && value[0] == '\0';
}

static int32_t add_idmap(struct builder *b, const char *value, plan_text json_pointer)
{
	const struct idmap_maps container = {b->spec->uid_mappings, b->spec->gid_mappings};
	struct idmap_maps maps;
	struct plan_maps rows;
	struct plan_step *step;
	struct err err;

	if (idmap_parse(&b->arena, value, &container, &maps, &err) < 0) {
		builder_finding(b, err.kind, builder_get(b, json_pointer), "%s", err.msg);
		return PLAN_NO_SLOT;
	}
	if (!b->host->is_privileged)
		builder_finding(b, ERR_UNSUPPORTED, builder_get(b, json_pointer),
				"an unprivileged caller cannot make idmapped mounts");
	rows = builder_maps(b, &maps.uid, &maps.gid);
	step = builder_step(b, PLAN_PARENT, PLAN_OPEN_IDMAP, json_pointer);
	step->u.idmap.slot = builder_slot(b);
	step->u.idmap.maps = rows;
	return step->u.idmap.slot;
}

static void open_root(struct builder *b, const struct root_kind *kind, int32_t idmap_slot, uint64_t propagation)
{
	plan_text json_pointer = builder_text(b, "/root/path");
	plan_text path = plan_host_path(b, b->spec->root.path == NULL ? "" : b->spec->root.path);
	struct plan_step *step = builder_source(b, json_pointer);
	struct plan_source *source = &step->u.source.source;

	b->root_slot = step->u.source.slot;
	source->path = path;
	source->propagation = propagation;
	source->idmap_slot = idmap_slot;
	/* The layers of an overlay do not contain mounts. */
	source->is_recursive = !kind->is_tmpfs && !kind->is_overlay;
	if (!kind->is_tmpfs)
		return;
	/* The user namespace of init owns it. */
	step->actor = PLAN_INIT;
	source->is_empty = true;
	source->is_locked = false;
}

void plan_open_root(struct builder *b, uint64_t propagation)
{
	const char *value = spec_annotation(b->spec, ANNOTATION);
	plan_text json_pointer = builder_text(b, "/annotations/" ANNOTATION);
	int32_t idmap_slot = PLAN_NO_SLOT;
	struct root_kind kind;

	if (!parse(&b->arena, value, &kind))
		builder_finding(b, ERR_CONFIG, builder_get(b, json_pointer),
				"'%.100s' is no kind of root file system: tmpfs, or "
				"overlay[,size=BYTES][,idmap=MAPS]",
				value);
	if (kind.idmap != NULL)
		idmap_slot = add_idmap(b, kind.idmap, json_pointer);
	open_root(b, &kind, idmap_slot, propagation);
	b->is_root_empty = kind.is_tmpfs;
	b->overlay_size = kind.is_overlay ? kind.size : 0;
}

void plan_add_overlay(struct builder *b)
{
	struct plan_step *step;

	if (b->overlay_size == 0)
		return;
	step = builder_step(b, PLAN_INIT, PLAN_OVERLAY, builder_text(b, "/annotations/" ANNOTATION));
	step->u.overlay.size = b->overlay_size;
	step->u.overlay.is_in_user_ns = b->has_user || b->host->is_in_user_ns;
}

void plan_detail_overlay(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	(void)plan;
	buf_format(out, "%llu bytes%s", (unsigned long long)step->u.overlay.size,
		   step->u.overlay.is_in_user_ns ? " user-xattrs" : "");
}
