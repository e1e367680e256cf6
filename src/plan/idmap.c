/* SPDX-License-Identifier: Apache-2.0 */
/* The maps of idmapped mounts (mount_setattr(2), MOUNT_ATTR_IDMAP). Process: the parent. */
#include <errno.h>
#include <string.h>

#include <tare/host.h>

#include "idmap.h"

#define ID_END (UINT64_C(1) << 32)

/* --- the option's value --- */

/* "FIRST-HOST-SIZE" of len bytes. */
static bool parse_range(const char *text, size_t len, struct spec_id_range *ret)
{
	uint64_t numbers[3];
	const char *end = text + len;

	for (int i = 0; i < 3; i++) {
		char number[16];
		size_t digits = strspn(text, "0123456789");

		str_format(number, sizeof number, "%.*s", (int)digits, text);
		if (digits >= sizeof number || !str_to_u64(number, UINT32_MAX, &numbers[i]))
			return false;
		text += digits;
		if (i < 2 && *text++ != '-')
			return false;
	}
	*ret = (struct spec_id_range){.container_id = (uint32_t)numbers[0],
				      .host_id = (uint32_t)numbers[1],
				      .size = (uint32_t)numbers[2]};
	return text == end && ret->size > 0 && numbers[0] + ret->size <= ID_END &&
	       numbers[1] + ret->size <= ID_END;
}

/* Adds a range of ids of the container, in as many parts as its maps need. False if they lack an id. */
static bool add_relative(struct spec_id_maps *out, struct spec_id_range range,
			 const struct spec_id_maps *container)
{
	while (range.size > 0) {
		const struct spec_id_range *map = plan_find_range(container, range.host_id);
		uint32_t offset, size;

		if (map == NULL)
			return false;
		offset = range.host_id - map->container_id;
		size = map->size - offset < range.size ? map->size - offset : range.size;
		out->v[out->count++] = (struct spec_id_range){
			.container_id = range.container_id, .host_id = map->host_id + offset, .size = size};
		range.container_id += size;
		range.host_id += size;
		range.size -= size;
	}
	return true;
}

/* The most ranges that a list can become: "@" divides one at most into the number of the container's. */
static size_t count_ranges(const char *text, size_t len, const struct spec_id_maps *container)
{
	size_t count = 1;

	for (size_t i = 0; i < len; i++)
		count += text[i] == '#';
	return count * (1 + container->count);
}

static int parse_ranges(struct arena *arena, const char *text, size_t len, const struct spec_id_maps *container,
			struct spec_id_maps *ret)
{
	const char *end = text + len;

	ret->count = 0;
	ret->v = arena_alloc(arena, count_ranges(text, len, container) * sizeof *ret->v);
	while (true) {
		bool is_relative = text < end && *text == '@';
		size_t size;
		struct spec_id_range range;

		text += is_relative;
		size = strcspn(text, "#;");
		if (!parse_range(text, size, &range))
			return -EINVAL;
		if (is_relative && !add_relative(ret, range, container))
			return -ERANGE;
		if (!is_relative)
			ret->v[ret->count++] = range;
		text += size;
		if (text == end)
			return 0;
		text++;
	}
}

static int explain_value(int r, const char *value, struct err *err)
{
	if (r == -ERANGE)
		return err_set(err, ERR_CONFIG, 0, NULL,
			       "option 'idmap=%.200s': an id after '@' is not mapped in the container's user "
			       "namespace, by the configuration",
			       value);
	if (r == -ENOENT)
		return err_set(err, ERR_CONFIG, 0, NULL,
			       "option 'idmap=%.200s': uids or gids are missing, and the configuration has no "
			       "mappings to use instead",
			       value);
	return err_set(err, ERR_CONFIG, 0, NULL,
		       "option 'idmap=%.200s' is not of the form uids=FIRST-HOST-SIZE#...;gids=...", value);
}

int idmap_parse(struct arena *arena, const char *value, const struct idmap_maps *container,
		struct idmap_maps *ret, struct err *err)
{
	struct spec_id_maps *const lists[] = {&ret->uid, &ret->gid};
	const struct spec_id_maps *const defaults[] = {&container->uid, &container->gid};
	bool is_set[2] = {false, false};
	int r = 0;

	*ret = *container;
	for (const char *text = value; r >= 0 && text != NULL;) {
		const char *next = strchr(text, ';');
		size_t len = next == NULL ? strlen(text) : (size_t)(next - text);
		int i = str_has_prefix(text, "uids=") ? 0 : str_has_prefix(text, "gids=") ? 1 : -1;

		if (i < 0 || is_set[i])
			return explain_value(-EINVAL, value, err);
		is_set[i] = true;
		r = parse_ranges(arena, text + 5, len - 5, defaults[i], lists[i]);
		text = next == NULL ? NULL : next + 1;
	}
	if (r >= 0 && (ret->uid.count == 0 || ret->gid.count == 0))
		r = -ENOENT;
	return r < 0 ? explain_value(r, value, err) : 0;
}

/* --- the plan --- */

/* Whether b maps every id that a maps, to the same one. */
static bool is_part(const struct spec_id_maps *a, const struct spec_id_maps *b)
{
	for (size_t i = 0; i < a->count; i++) {
		struct spec_id_range left = a->v[i];

		while (left.size > 0) {
			const struct spec_id_range *map = plan_find_range(b, left.container_id);
			uint32_t offset = map == NULL ? 0 : left.container_id - map->container_id, size;

			if (map == NULL || map->host_id + offset != left.host_id)
				return false;
			size = map->size - offset < left.size ? map->size - offset : left.size;
			left.container_id += size;
			left.host_id += size;
			left.size -= size;
		}
	}
	return true;
}

/* The order of the ranges does not matter, nor whether one is written in two parts. */
static bool is_equal(const struct spec_id_maps *a, const struct spec_id_maps *b)
{
	return is_part(a, b) && is_part(b, a);
}

/* Empty maps mean: those of the container's user namespace. */
static int find_maps(struct builder *b, const struct spec_mount *m, const struct plan_options *o,
		     struct idmap_maps *ret, struct err *err)
{
	const struct idmap_maps container = {b->spec->uid_mappings, b->spec->gid_mappings};
	int r;

	*ret = (struct idmap_maps){m->uid_mappings, m->gid_mappings};
	if (o->idmap_value == NULL)
		return 0;
	r = idmap_parse(&b->arena, o->idmap_value, &container, ret, err);
	if (r >= 0 && m->uid_mappings.count > 0 &&
	    (!is_equal(&m->uid_mappings, &ret->uid) || !is_equal(&m->gid_mappings, &ret->gid)))
		return err_set(err, ERR_CONFIG, 0, NULL,
			       "option 'idmap=%.200s' contradicts the mount's uidMappings and gidMappings",
			       o->idmap_value);
	return r;
}

void idmap_check(struct builder *b, const struct spec_mount *m, const struct plan_options *o,
		 const char *json_pointer)
{
	bool is_bind = o->is_bind || str_equal(m->type, "bind");
	bool has_other_user = !plan_has_callers(b, SPEC_NS_USER);
	struct idmap_maps maps;
	struct err err;

	if (!o->is_idmap && m->uid_mappings.count == 0)
		return;
	if (find_maps(b, m, o, &maps, &err) < 0)
		builder_finding(b, err.kind, json_pointer, "%s", err.msg);
	else if (maps.uid.count == 0 && !has_other_user)
		builder_finding(b, ERR_CONFIG, json_pointer,
				"an idmapped mount needs uidMappings and gidMappings, or a user namespace "
				"other than the caller's");
	/*
	 * init makes it, and has no rights over the user namespace that has the maps (mount_setattr(2), EPERM).
	 */
	if (has_other_user && !is_bind && !o->is_remount)
		builder_finding(b, ERR_UNSUPPORTED, json_pointer,
				"in a container with another user namespace only bind mounts can be idmapped");
	if (!b->host->is_privileged)
		builder_finding(b, ERR_UNSUPPORTED, json_pointer,
				"an unprivileged caller cannot make idmapped mounts");
}

int32_t idmap_add(struct builder *b, const struct spec_mount *m, const struct plan_options *o)
{
	struct idmap_maps maps;
	struct plan_maps rows;
	struct plan_step *step;
	plan_text json_pointer;
	bool is_containers;
	struct err ignored;

	/* idmap_check has the error. */
	if ((m->uid_mappings.count == 0 && !o->is_idmap) || find_maps(b, m, o, &maps, &ignored) < 0)
		return PLAN_NO_SLOT;
	is_containers = maps.uid.count == 0;
	if (is_containers && b->ns_slots[SPEC_NS_USER] != PLAN_NO_SLOT)
		return b->ns_slots[SPEC_NS_USER];
	if (is_containers && b->idmap_slot != PLAN_NO_SLOT)
		return b->idmap_slot;
	if (is_containers)
		maps = (struct idmap_maps){b->spec->uid_mappings, b->spec->gid_mappings};
	rows = builder_maps(b, &maps.uid, &maps.gid);
	json_pointer = builder_text(
		b, builder_mount_pointer(b, m, o->idmap_value != NULL ? "options" : "uidMappings"));
	step = builder_step(b, PLAN_PARENT, PLAN_OPEN_IDMAP, json_pointer);
	step->u.idmap.slot = builder_slot(b);
	step->u.idmap.maps = rows;
	if (is_containers)
		b->idmap_slot = step->u.idmap.slot;
	return step->u.idmap.slot;
}
