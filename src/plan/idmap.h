/* SPDX-License-Identifier: Apache-2.0 */
/* The maps of idmapped mounts. Private to the room. */
#ifndef TARE_PLAN_IDMAP_H
#define TARE_PLAN_IDMAP_H

#include "builder.h"
#include "options.h"

struct idmap_maps {
	struct spec_id_maps uid, gid;
};

/*
 * Parses the value of "idmap=" and "ridmap=", an option of crun that podman-run(1) documents:
 *
 *	uids=0-1000-10#10-5000-1;gids=@0-0-5
 *
 * A range is the first id in the file system, the first id that it becomes on the host, and their number. After
 * "@" the second one is an id in the container's user namespace, which container maps to the host. If uids or
 * gids are missing, they are those of container. ERR_CONFIG if the text is not of that form, or an id is not
 * mapped.
 */
int idmap_parse(struct arena *arena, const char *value, const struct idmap_maps *container,
		struct idmap_maps *ret, struct err *err) MUST_CHECK;

/* Findings about the maps of a mount. */
void idmap_check(struct builder *b, const struct spec_mount *m, const struct plan_options *o,
		 const char *json_pointer);

/*
 * The slot of the user namespace that gives the mount its maps: one with the maps of the mount, the joined one,
 * or one with the maps of the container. PLAN_NO_SLOT if the mount is not idmapped.
 */
int32_t idmap_add(struct builder *b, const struct spec_mount *m, const struct plan_options *o);

#endif
