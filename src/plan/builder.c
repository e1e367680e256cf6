/* SPDX-License-Identifier: Apache-2.0 */
/* The builder: appends texts, tables and steps to the image of a plan. Process: the parent. */
#include <string.h>

#include "builder.h"

static void builder_align(struct builder *b)
{
	static const char zeros[8];

	buf_add(&b->pool, zeros, (8 - b->pool.len % 8) % 8);
}

static void add_finding(struct builder *b, struct err *err, const char *json_pointer, const char *fmt,
			va_list args)
{
	char text[sizeof err->msg];

	str_vformat(text, sizeof text, fmt, args);
	err_set(err, err->kind, err->errnum, json_pointer, "%s", text);
	if (b->finding_count++ == 0 && b->first != NULL)
		*b->first = *err;
	if (b->on_finding != NULL)
		b->on_finding(b->context, err);
}

void builder_finding(struct builder *b, enum err_kind kind, const char *json_pointer, const char *fmt, ...)
{
	struct err err = {.kind = kind};
	va_list args;

	va_start(args, fmt);
	add_finding(b, &err, json_pointer, fmt, args);
	va_end(args);
}

void builder_finding_errno(struct builder *b, int errnum, const char *json_pointer, const char *fmt, ...)
{
	struct err err = {.kind = ERR_SYSTEM, .errnum = errnum};
	va_list args;

	va_start(args, fmt);
	add_finding(b, &err, json_pointer, fmt, args);
	va_end(args);
}

void builder_note(struct builder *b, const char *json_pointer, const char *fmt, ...)
{
	char text[sizeof((struct err *)0)->msg];
	va_list args;

	va_start(args, fmt);
	str_vformat(text, sizeof text, fmt, args);
	va_end(args);
	b->notes = mem_resize(b->notes, (b->note_count + 1) * sizeof *b->notes);
	b->notes[b->note_count].json_pointer = builder_text(b, json_pointer);
	b->notes[b->note_count++].text = builder_text(b, text);
}

plan_text builder_text(struct builder *b, const char *text)
{
	plan_text offset = (plan_text)b->pool.len;

	if (text == NULL)
		return 0;
	buf_add(&b->pool, text, strlen(text) + 1);
	return offset;
}

plan_text builder_pointer(struct builder *b, const char *fmt, ...)
{
	char json_pointer[sizeof((struct err *)0)->json_pointer];
	va_list args;

	va_start(args, fmt);
	str_vformat(json_pointer, sizeof json_pointer, fmt, args);
	va_end(args);
	return builder_text(b, json_pointer);
}

const char *builder_mount_pointer(struct builder *b, const struct spec_mount *m, const char *key)
{
	return arena_format(&b->arena, "%s/%zu%s%s", b->mounts_pointer, (size_t)(m - b->spec->mounts),
			    key == NULL ? "" : "/", key == NULL ? "" : key);
}

const char *builder_get(const struct builder *b, plan_text text)
{
	return text == 0 ? "" : b->pool.data + text;
}

struct plan_texts builder_texts(struct builder *b, char *const *v, size_t count)
{
	_cleanup_free_ uint64_t *cells = mem_alloc((count + 1) * sizeof *cells);
	struct plan_texts texts = {.count = (uint32_t)count};

	for (size_t i = 0; i < count; i++)
		cells[i] = builder_text(b, v[i]);
	builder_align(b);
	texts.offset = (uint32_t)b->pool.len;
	buf_add(&b->pool, cells, (count + 1) * sizeof *cells);
	return texts;
}

struct plan_table builder_table(struct builder *b, const void *rows, size_t count, size_t row_size)
{
	struct plan_table table = {.count = (uint32_t)count};

	builder_align(b);
	table.offset = (uint32_t)b->pool.len;
	buf_add(&b->pool, rows, count * row_size);
	return table;
}

int32_t builder_slot(struct builder *b)
{
	return b->slot_count++;
}

struct plan_step *builder_step(struct builder *b, enum plan_actor actor, enum plan_kind kind,
			       plan_text json_pointer)
{
	struct plan_step *step;

	if (b->step_count == b->step_cap) {
		b->step_cap = b->step_cap == 0 ? 24 : b->step_cap * 2;
		b->steps = mem_resize(b->steps, b->step_cap * sizeof *b->steps);
	}
	step = &b->steps[b->step_count++];
	memset(step, 0, sizeof *step);
	step->kind = (uint16_t)kind;
	step->actor = (uint8_t)actor;
	step->json_pointer = json_pointer;
	return step;
}

struct plan_step *builder_source(struct builder *b, plan_text json_pointer)
{
	bool is_parents = b->host->is_mounting;
	struct plan_step *step =
		builder_step(b, is_parents ? PLAN_PARENT : PLAN_INIT, PLAN_OPEN_SOURCE, json_pointer);

	step->u.source.slot = builder_slot(b);
	step->u.source.source.idmap_slot = PLAN_NO_SLOT;
	step->u.source.source.is_locked = is_parents && !plan_has_callers(b, SPEC_NS_USER);
	return step;
}

void builder_begin(struct builder *b)
{
	static const struct plan empty;
	plan_text id;

	buf_add(&b->pool, &empty, sizeof empty);
	id = builder_text(b, b->request == NULL ? NULL : b->request->id);
	if (b->mounts_pointer == NULL)
		b->mounts_pointer = "/mounts";
	((struct plan *)(void *)b->pool.data)->id = id;
	b->proc_slot = b->idmap_slot = b->root_slot = b->gate_slot = b->notify_slot = PLAN_NO_SLOT;
	for (int i = 0; i < PLAN_OUTPUTS; i++)
		b->output_slots[i] = PLAN_NO_SLOT;
	b->environment_slot = b->nodes_slot = b->recorder_slot = PLAN_NO_SLOT;
}

struct plan *builder_finish(struct builder *b)
{
	struct plan *plan;
	size_t steps_at, size;

	builder_align(b);
	steps_at = b->pool.len;
	/* Nothing is appended after the steps, so the buffer gets no spare capacity. */
	size = steps_at + b->step_count * sizeof *b->steps;
	b->pool.data = mem_resize(b->pool.data, size);
	if (b->step_count > 0)
		memcpy(b->pool.data + steps_at, b->steps, size - steps_at);
	plan = (struct plan *)(void *)b->pool.data;
	plan->magic = PLAN_MAGIC;
	plan->size = (uint32_t)size;
	plan->slot_count = (uint32_t)b->slot_count;
	plan->steps = (uint32_t)steps_at;
	plan->step_count = b->step_count;
	plan->has_bridge = b->has_bridge;
	b->pool = (struct buf){0};
	return plan;
}

void builder_done(struct builder *b)
{
	buf_done(&b->pool);
	mem_free(&b->notes);
	arena_done(&b->arena);
	mem_free(&b->steps);
}

bool plan_is_new(const struct spec *spec, enum spec_ns ns)
{
	return spec->namespaces[ns].is_set && spec->namespaces[ns].path == NULL;
}

bool plan_is_joined(const struct spec *spec, enum spec_ns ns)
{
	return spec->namespaces[ns].is_set && spec->namespaces[ns].path != NULL;
}

bool plan_has_callers(const struct builder *b, enum spec_ns ns)
{
	return !b->spec->namespaces[ns].is_set || b->host->namespaces[ns].is_own;
}

const struct spec_id_range *plan_find_range(const struct spec_id_maps *maps, uint64_t id)
{
	for (size_t i = 0; i < maps->count; i++)
		if (id >= maps->v[i].container_id && id - maps->v[i].container_id < maps->v[i].size)
			return &maps->v[i];
	return NULL;
}

struct plan_maps builder_maps(struct builder *b, const struct spec_id_maps *uid, const struct spec_id_maps *gid)
{
	struct plan_maps maps;

	maps.uid = builder_table(b, uid->v, uid->count, sizeof *uid->v);
	maps.gid = builder_table(b, gid->v, gid->count, sizeof *gid->v);
	/* user_namespaces(7): without CAP_SETGID over the parent, gid_map needs setgroups denied first. */
	maps.deny_setgroups = !b->host->is_privileged && gid->count == 1 && gid->v[0].size == 1 &&
			      gid->v[0].host_id == b->host->egid;
	return maps;
}

const char *plan_clean_path(const char *path, char *ret, size_t size)
{
	size_t len = 0;

	while (*path != '\0') {
		size_t part;

		path += strspn(path, "/");
		part = strcspn(path, "/");
		if (part == 2 && path[0] == '.' && path[1] == '.') {
			while (len > 0 && ret[--len] != '/')
				;
		} else if (part > 0 && !(part == 1 && path[0] == '.')) {
			/* A truncated path would be a different path. */
			if (len + part + 2 >= size) {
				ret[0] = '\0';
				return ret;
			}
			ret[len++] = '/';
			memcpy(ret + len, path, part);
			len += part;
		}
		path += part;
	}
	if (len == 0)
		ret[len++] = '/';
	ret[len] = '\0';
	return ret;
}

plan_text plan_host_path(struct builder *b, const char *path)
{
	_cleanup_free_ char *absolute = NULL;

	if (path[0] == '/')
		return builder_text(b, path);
	absolute = mem_format("%s/%s", b->request->bundle, path);
	return builder_text(b, absolute);
}
