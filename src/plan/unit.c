/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's cgroup as a unit of systemd: its name and its properties. systemd writes its properties to
 * the cgroup's files again when it reloads, so each limit that it has a property for is set there, besides
 * being written to the file. Process: the parent.
 */
#include <errno.h>
#include <string.h>

#include "builder.h"
#include "detail.h"
#include "unit.h"

#define UNIT_NAME_MAX 255 /* bytes, systemd.unit(5) */
#define CGROUPS_PATH "/linux/cgroupsPath"

/* --- names --- */

static bool is_unit_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr(":-_.\\@", c) != NULL);
}

/* systemd.unit(5): a character that a name cannot contain is written as \xNN. */
static void add_escaped(struct buf *out, const char *name)
{
	static const char digits[] = "0123456789abcdef";

	for (; *name != '\0'; name++) {
		unsigned char c = (unsigned char)*name;

		if (is_unit_char(*name))
			buf_add(out, name, 1);
		else
			buf_format(out, "\\x%c%c", digits[c >> 4], digits[c & 15]);
	}
}

/* systemd.slice(5): "a-b.slice" lies in "a.slice"; "-.slice" is the root. */
static bool is_slice(const char *name)
{
	size_t len = strlen(name), stem = len - strlen(".slice");

	if (len <= strlen(".slice") || len > UNIT_NAME_MAX || !str_equal(name + stem, ".slice"))
		return false;
	if (str_equal(name, "-.slice"))
		return true;
	for (size_t i = 0; i < len; i++)
		if (!is_unit_char(name[i]) ||
		    (name[i] == '-' && (i == 0 || i + 1 == stem || name[i + 1] == '-')))
			return false;
	return true;
}

static bool is_user(const struct builder *b)
{
	return !b->host->is_privileged || b->host->is_in_user_ns;
}

struct unit_name {
	char slice[UNIT_NAME_MAX + 1];
	struct buf name;
};

/* Splits "SLICE:PREFIX:NAME"; all but NAME may be empty. */
static bool split_path(struct builder *b, const char *path, struct unit_name *ret)
{
	const char *prefix = strchr(path, ':'), *name = prefix == NULL ? NULL : strchr(prefix + 1, ':');

	if (name == NULL || strchr(name + 1, ':') != NULL || name[1] == '\0') {
		builder_finding(b, ERR_CONFIG, CGROUPS_PATH,
				"expected cgroupsPath to be of format \"slice:prefix:name\" for systemd "
				"cgroups, got \"%s\" instead",
				path);
		return false;
	}
	if (prefix > path)
		str_format(ret->slice, sizeof ret->slice, "%.*s", (int)(prefix - path), path);
	if (name > prefix + 1)
		buf_format(&ret->name, "%.*s-", (int)(name - prefix - 1), prefix + 1);
	buf_add_str(&ret->name, name + 1);
	return true;
}

static bool name_unit(struct builder *b, struct unit_name *ret)
{
	const char *path = b->spec->cgroups_path;
	_cleanup_buf_ struct buf plain = {0};

	str_format(ret->slice, sizeof ret->slice, "%s", is_user(b) ? "user.slice" : "system.slice");
	if (str_is_empty(path))
		buf_format(&ret->name, "tare-%s", b->request->id);
	else if (!split_path(b, path, ret))
		return false;
	if (!is_slice(ret->slice)) {
		builder_finding(b, ERR_CONFIG, CGROUPS_PATH, "'%s' is not the name of a slice", ret->slice);
		return false;
	}
	plain = ret->name;
	ret->name = (struct buf){0};
	if (plain.len > 6 && str_equal(plain.data + plain.len - 6, ".slice")) {
		builder_finding(b, ERR_UNSUPPORTED, CGROUPS_PATH,
				"a slice cannot contain the container's processes (use the name of a scope)");
		return false;
	}
	add_escaped(&ret->name, plain.data);
	buf_add_str(&ret->name, ".scope");
	if (ret->name.len > UNIT_NAME_MAX) {
		builder_finding(b, ERR_CONFIG, CGROUPS_PATH, "the unit's name is longer than %d bytes",
				UNIT_NAME_MAX);
		return false;
	}
	return true;
}

/* --- properties --- */

#define PROPERTY_TEXTS 3 /* name, type, value */

struct properties {
	char **v;
	size_t count, cap; /* texts */
};

static void properties_done(struct properties *p)
{
	for (size_t i = 0; i < p->count; i++)
		mem_free(&p->v[i]);
	mem_free(&p->v);
}

static void add(void *context, const char *name, const char *type, const char *value)
{
	struct properties *p = context;
	const char *const triple[PROPERTY_TEXTS] = {name, type, value};

	/* A later value replaces an earlier one: systemd would receive both. */
	for (size_t i = 0; i < p->count; i += PROPERTY_TEXTS) {
		if (!str_equal(p->v[i], name))
			continue;
		mem_free(&p->v[i + 1]);
		mem_free(&p->v[i + 2]);
		p->v[i + 1] = mem_dup(type);
		p->v[i + 2] = mem_dup(value);
		return;
	}
	if (p->count + PROPERTY_TEXTS > p->cap) {
		p->cap = p->cap == 0 ? (size_t)32 * PROPERTY_TEXTS : p->cap * 2;
		p->v = mem_resize(p->v, p->cap * sizeof *p->v);
	}
	for (size_t i = 0; i < ARRAY_SIZE(triple); i++)
		p->v[p->count++] = mem_dup(triple[i]);
}

static void add_own(const char *slice, struct properties *p)
{
	add(p, "Slice", "s", slice);
	add(p, "Delegate", "b", "true");
	add(p, "DefaultDependencies", "b", "false");
	add(p, "MemoryAccounting", "b", "true");
	add(p, "CPUAccounting", "b", "true");
	add(p, "IOAccounting", "b", "true");
	add(p, "TasksAccounting", "b", "true");
	/* Otherwise a failed unit would remain loaded, and its name in use. */
	add(p, "CollectMode", "?s", "inactive-or-failed");
}

#define ANNOTATION "org.systemd.property."

static bool is_own(const char *name)
{
	static const char *const own[] = {"PIDs", "Description", "Slice", "Delegate", "ControlGroup"};

	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (str_equal(name, own[i]))
			return true;
	return false;
}

static void add_annotations(struct builder *b, struct properties *p)
{
	for (size_t i = 0; i < b->spec->annotations.count; i++) {
		const char *key = b->spec->annotations.v[i].key, *value = b->spec->annotations.v[i].value;
		_cleanup_free_ char *json_pointer = NULL;
		const char *reason;

		if (!str_has_prefix(key, ANNOTATION))
			continue;
		json_pointer = mem_format("/annotations/%s", key);
		reason = is_own(key + strlen(ANNOTATION))
				 ? "the runtime sets this property itself"
				 : property_annotation(key + strlen(ANNOTATION), value, add, p);
		if (reason != NULL)
			builder_finding(b, ERR_CONFIG, json_pointer, "cannot set this property of the unit: %s",
					reason);
	}
}

/*
 * Reports the properties of a PLAN_CGROUP_WRITE step; false if its value cannot be expressed as a property. The
 * offsets in the step count from texts.
 */
static bool report_limit(const struct plan_step *step, const char *texts, struct plan_cpu *cpu,
			 plan_property on_property, void *context)
{
	const struct plan_cgroup_write *write = &step->u.write;
	struct unit_write first, other;

	if (step->kind != PLAN_CGROUP_WRITE)
		return true;
	first = (struct unit_write){texts + write->file, texts + write->value};
	other = (struct unit_write){texts + write->other_file, texts + write->other_value};
	return property_limit(&first, cpu, on_property, context) &&
	       (write->other_file == 0 || property_limit(&other, cpu, on_property, context));
}

static void add_limits(struct builder *b, uint32_t from, struct properties *p)
{
	struct plan_cpu cpu = {PLAN_CPU_PERIOD, PLAN_CPU_WEIGHT}; /* the cgroup is new */

	for (uint32_t i = from; i < b->step_count; i++) {
		const struct plan_step *step = &b->steps[i];

		if (!report_limit(step, b->pool.data, &cpu, add, p))
			builder_finding(b, ERR_UNSUPPORTED, builder_get(b, step->json_pointer),
					PLAN_NO_PROPERTY, builder_get(b, step->u.write.value),
					builder_get(b, step->u.write.file));
	}
}

const struct plan_step *plan_unit_limits(const struct plan *plan, struct plan_cpu cpu,
					 plan_property on_property, void *context)
{
	const struct plan_step *steps = plan_steps(plan);

	for (uint32_t i = 0; i < plan->step_count; i++)
		if (!report_limit(&steps[i], (const char *)plan, &cpu, on_property, context))
			return &steps[i];
	return NULL;
}

/* --- steps --- */

/*
 * Annotation of crun: the container's processes are in a cgroup of this name in the scope, because crun writes
 * limits to files, which systemd permits only below the scope. tare sets properties of the scope. "" requests
 * that, too: configurations of CRI-O often do.
 */
#define SUBGROUP "run.oci.systemd.subgroup"

static void check_subgroup(struct builder *b)
{
	const char *name = spec_annotation(b->spec, SUBGROUP);

	if (!str_is_empty(name))
		builder_finding(
			b, ERR_UNSUPPORTED, "/annotations/" SUBGROUP,
			"cannot place the program in the cgroup '%.40s' of the scope: it is in the scope "
			"itself (set the annotation to \"\", or use run.oci.delegate-cgroup)",
			name);
}

bool plan_begin_unit(struct builder *b)
{
	struct unit_name name = {.slice = ""};
	bool is_named = name_unit(b, &name);
	plan_text json_pointer, text, slice;
	struct plan_step *step;

	check_subgroup(b);
	if (is_named) {
		json_pointer = builder_text(b, str_is_empty(b->spec->cgroups_path) ? NULL : CGROUPS_PATH);
		text = builder_text(b, name.name.data);
		slice = builder_text(b, name.slice);
		b->scope_step = b->step_count;
		b->has_unit = true;
		step = builder_step(b, PLAN_PARENT, PLAN_UNIT_START, json_pointer);
		step->u.unit.name = text;
		step->u.unit.slice = slice;
		step->u.unit.is_user = is_user(b);
	}
	buf_done(&name.name);
	return is_named;
}

void plan_end_unit(struct builder *b)
{
	__attribute__((cleanup(properties_done))) struct properties properties = {.count = 0};
	struct plan_texts texts;

	add_own(builder_get(b, b->steps[b->scope_step].u.unit.slice), &properties);
	add_limits(b, b->scope_step, &properties);
	add_annotations(b, &properties);
	texts = builder_texts(b, properties.v, properties.count);
	b->steps[b->scope_step].u.unit.properties = texts;
}

void plan_add_release_placeholder(struct builder *b)
{
	if (b->has_unit && !b->is_placeholder_released)
		builder_step(b, PLAN_PARENT, PLAN_RELEASE_PLACEHOLDER, 0);
	b->is_placeholder_released = true;
}

/*
 * After the writes of the files, as in an update: systemd writes the files as well, and the parent then writes
 * them again.
 */
void plan_add_unit_set(struct builder *b, uint32_t from)
{
	__attribute__((cleanup(properties_done))) struct properties properties = {.count = 0};
	struct plan_unit unit = b->steps[b->scope_step].u.unit;

	add_limits(b, from, &properties);
	unit.properties = builder_texts(b, properties.v, properties.count);
	builder_step(b, PLAN_PARENT, PLAN_UNIT_SET, 0)->u.unit = unit;
}

/*
 * systemd removes the cgroup of a scope, and its counters, when the last process has exited. If memory is
 * limited, the counter of OOM kills is needed to report why the container exited, so a watcher reads it in
 * time.
 */
void plan_add_watch(struct builder *b)
{
	bool is_limited = false;

	for (uint32_t i = 0; i < b->step_count && b->has_unit && !b->request->is_waited; i++) {
		const struct plan_step *step = &b->steps[i];

		if (step->kind == PLAN_CGROUP_WRITE &&
		    str_equal(builder_get(b, step->u.write.file), "memory.max"))
			is_limited = !str_equal(builder_get(b, step->u.write.value), "max");
	}
	if (is_limited)
		builder_step(b, PLAN_PARENT, PLAN_UNIT_WATCH, 0);
}

/* --- printers --- */

void plan_detail_unit(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	const struct plan_unit *unit = &step->u.unit;

	buf_format(out, "%s%s", plan_get(plan, unit->name), unit->is_user ? " of the user" : "");
	for (uint32_t i = 0; i + 2 < unit->properties.count; i += 3) {
		detail_add_item(out, " ", plan_item(plan, unit->properties, i));
		detail_add_item(out, "=", "");
		/* A list has one string on each line: print them with commas. */
		for (const char *c = plan_item(plan, unit->properties, i + 2); *c != '\0'; c++)
			if (*c != '\n' || c[1] != '\0')
				buf_add(out, *c == '\n' ? "," : c, 1);
	}
}
