/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mounts of the configuration: the steps that open bind sources, and those that mount. Process: the parent.
 */
#include <stdlib.h>
#include <string.h>

#include "detail.h"
#include "filesystem.h"
#include "idmap.h"

/*
 * Files below /proc that a mount may cover: single files that show a container its own limits instead of the
 * host's values.
 */
static bool may_cover_proc(const char *target)
{
	static const char *const names[] = {
		"/proc/cpuinfo",
		"/proc/diskstats",
		"/proc/meminfo",
		"/proc/stat",
		"/proc/swaps",
		"/proc/uptime",
		"/proc/loadavg",
		"/proc/slabinfo",
		"/proc/sys/kernel/ns_last_pid",
		"/proc/sys/crypto/fips_enabled",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_equal(names[i], target))
			return true;
	return false;
}

/*
 * The first option that a remount cannot change: mount_setattr(2) has no attribute for it. NULL if there is
 * none.
 */
static const char *find_unchangeable(const struct spec_mount *m, const struct plan_options *o)
{
	if (o->not_for_binds != NULL)
		return o->not_for_binds;
	if (o->is_copy_up)
		return "tmpcopyup";
	if (o->links != 0)
		return o->last_link;
	if (o->is_idmap)
		return o->is_idmap_recursive ? "ridmap" : "idmap";
	return m->uid_mappings.count > 0 ? "uidMappings" : m->gid_mappings.count > 0 ? "gidMappings" : NULL;
}

/* Options of the superblock, not of the mount: binds and remounts cannot change them. */
static void check_superblock(struct builder *b, const struct spec_mount *m, const struct plan_options *o,
			     const char *json_pointer)
{
	const char *option = o->not_for_binds, *advice = "";

	if (option != NULL && strchr(option, ',') != NULL)
		advice = " (write each option as an item of its own)";
	if (o->is_bind && option != NULL) {
		builder_finding(b, ERR_CONFIG, json_pointer,
				"bind mounts cannot have any filesystem-specific options applied: '%s'%s",
				option, advice);
	} else if (o->is_remount && find_unchangeable(m, o) != NULL) {
		builder_finding(b, ERR_CONFIG, json_pointer, "remount cannot change '%s'%s",
				find_unchangeable(m, o), advice);
	}
}

static void check_links(struct builder *b, const struct plan_options *o, const char *json_pointer)
{
	if (o->links != 0 && !o->is_bind && !o->is_remount)
		builder_finding(b, ERR_CONFIG, json_pointer, "option '%s' is for bind mounts", o->last_link);
	if ((o->links & OPTION_LINK_COPY) != 0 && o->links != OPTION_LINK_COPY)
		builder_finding(b, ERR_CONFIG, json_pointer,
				"option 'copy-symlink' cannot be combined with '%s'",
				(o->links & OPTION_LINK_SOURCE) != 0 ? "src-nofollow" : "dest-nofollow");
}

static void check_mount(struct builder *b, const struct spec_mount *m, const struct plan_options *o,
			const char *target)
{
	const char *json_pointer = builder_mount_pointer(b, m, NULL);

	if (o->propagation_count > PLAN_PROPAGATIONS)
		builder_finding(b, ERR_CONFIG, json_pointer, "more than %d propagation options",
				PLAN_PROPAGATIONS);
	check_superblock(b, m, o, json_pointer);
	if (o->is_bind && str_is_empty(m->source))
		builder_finding(b, ERR_CONFIG, json_pointer, "a bind mount needs a source");
	if (!o->is_bind && !o->is_remount && str_is_empty(m->type))
		builder_finding(b, ERR_CONFIG, json_pointer,
				"a mount needs a type, or the option 'bind' or 'rbind'");
	if (str_equal(target, "/") && !o->is_remount)
		builder_finding(b, ERR_CONFIG, json_pointer, "a mount cannot cover the root of the container");
	if (o->is_copy_up && !str_equal(m->type, "tmpfs"))
		builder_finding(b, ERR_CONFIG, json_pointer, "option 'tmpcopyup' is for mounts of type tmpfs");
	if (path_is_below(target, "/proc") && !str_equal(target, "/proc") && !may_cover_proc(target))
		builder_finding(b, ERR_CONFIG, json_pointer,
				"'%s' cannot be mounted because it is inside /proc", target);
	check_links(b, o, json_pointer);
	idmap_check(b, m, o, json_pointer);
	filesystem_check_owners(b, o, json_pointer);
}

/*
 * A copy that is made in the host's mount namespace is a peer of its original if that is shared: mounts of the
 * container would appear on the host. So the copy becomes a slave, unless rootfsPropagation requests that the
 * mounts of container and host are peers.
 */
static uint64_t copy_propagation(const struct builder *b)
{
	enum spec_propagation p = b->spec->rootfs_propagation;

	return p == SPEC_PROPAGATION_SHARED || p == SPEC_PROPAGATION_RSHARED ? 0 : MS_SLAVE;
}

static void clean_host_path(const struct builder *b, const char *path, char *ret, size_t size)
{
	_cleanup_free_ char *absolute = path[0] == '/' ? mem_dup(path)
						       : mem_format("%s/%s", b->request->bundle, path);

	(void)plan_clean_path(absolute, ret, size);
}

/*
 * A source in the root file system, below the target of an earlier mount: it is a path in that mount, so init
 * opens it after the earlier mount is made. Returns its path in the container, or 0 for any other source.
 * Idmapped sources are always opened by the parent.
 */
static plan_text inner_source(struct builder *b, const struct spec_mount *m)
{
	char root[4096], source[4096], target[4096];
	const char *path = b->spec->root.path;
	size_t len;

	if (path == NULL || m->source == NULL || m->uid_mappings.count > 0)
		return 0;
	clean_host_path(b, path, root, sizeof root);
	clean_host_path(b, m->source, source, sizeof source);
	len = strlen(root);
	if (len < 2 || !path_is_below(source, root))
		return 0;
	for (const struct spec_mount *earlier = b->spec->mounts; earlier < m; earlier++)
		if (path_is_below(source + len, plan_clean_path(earlier->destination, target, sizeof target)))
			return builder_text(b, source + len);
	return 0;
}

static void add_bind_source(struct builder *b, const struct spec_mount *m, plan_text inner)
{
	struct plan_options o;
	struct plan_step *step;
	plan_text json_pointer, path;
	int32_t idmap;

	plan_options_parse(&m->options, &o);
	if ((o.is_bind || str_equal(m->type, "bind")) && !o.is_remount && m->source != NULL) {
		idmap = idmap_add(b, m, &o);
		json_pointer = builder_text(b, builder_mount_pointer(b, m, NULL));
		path = inner == 0 ? plan_host_path(b, m->source) : inner;
		step = builder_source(b, json_pointer);
		if (inner != 0) {
			step->actor = PLAN_INIT;
			step->u.source.source.is_locked = false;
		}
		step->u.source.source.path = path;
		step->u.source.source.is_inside = inner != 0;
		step->u.source.source.is_recursive = o.is_recursive;
		step->u.source.source.is_link = (o.links & (OPTION_LINK_SOURCE | OPTION_LINK_COPY)) != 0;
		step->u.source.source.propagation = copy_propagation(b);
		step->u.source.source.idmap_slot = idmap;
		step->u.source.source.is_idmap_recursive = o.is_idmap_recursive;
		b->source_slots[m - b->spec->mounts] = step->u.source.slot;
	} else if (!o.is_remount) {
		b->idmap_slots[m - b->spec->mounts] = idmap_add(b, m, &o);
	}
	free(o.data.v);
}

/* Whether a mount from the host is on /dev: its nodes are the host's, and nothing is created in it. */
static bool is_dev_from_host(const struct spec *spec)
{
	for (size_t i = 0; i < spec->mount_count; i++) {
		const struct spec_mount *m = &spec->mounts[i];
		struct plan_options o;
		char target[4096];
		bool is_bind;

		if (!str_equal(plan_clean_path(m->destination, target, sizeof target), "/dev"))
			continue;
		plan_options_parse(&m->options, &o);
		is_bind = o.is_bind || str_equal(m->type, "bind") || str_equal(m->type, "devtmpfs");
		free(o.data.v);
		if (is_bind)
			return true;
	}
	return false;
}

/* A container without a mount namespace has no private place for the socket, and gets none. */
static void add_notify_source(struct builder *b)
{
	plan_text path = builder_text(b, b->request->notify_dir);
	struct plan_step *step;

	if (path == 0)
		return;
	step = builder_source(b, 0);
	b->notify_slot = step->u.source.slot;
	step->u.source.source.path = path;
	step->u.source.source.propagation = MS_PRIVATE;
}

static void add_notify_mount(struct builder *b)
{
	struct plan_mount mount = {
		.source_slot = b->notify_slot,
		.keep_slot = PLAN_NO_SLOT,
		.idmap_slot = PLAN_NO_SLOT,
		.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
		.is_bind = true,
	};

	if (b->notify_slot == PLAN_NO_SLOT)
		return;
	mount.target = builder_text(b, "/run/notify");
	mount.source = builder_text(b, b->request->notify_dir);
	builder_step(b, PLAN_INIT, PLAN_MOUNT, 0)->u.mount = mount;
}

void plan_add_bind_sources(struct builder *b)
{
	b->source_slots = arena_alloc(&b->arena, (b->spec->mount_count + 1) * sizeof *b->source_slots);
	b->idmap_slots = arena_alloc(&b->arena, (b->spec->mount_count + 1) * sizeof *b->idmap_slots);
	for (size_t i = 0; i < b->spec->mount_count; i++)
		b->source_slots[i] = b->idmap_slots[i] = PLAN_NO_SLOT;
	for (size_t i = 0; b->has_mount_ns && i < b->spec->mount_count; i++)
		if (inner_source(b, &b->spec->mounts[i]) == 0)
			add_bind_source(b, &b->spec->mounts[i], 0);
}

void plan_add_sources(struct builder *b)
{
	if (b->has_mount_ns)
		plan_open_root(b, copy_propagation(b));
	plan_add_bind_sources(b);
	if (!b->has_mount_ns)
		return;
	add_notify_source(b);
	b->is_dev_bound = is_dev_from_host(b->spec);
	plan_add_device_sources(b);
}

static void apply_options(struct plan_mount *mount, const struct plan_options *o)
{
	mount->attr_set = o->attr_set;
	mount->attr_clear = o->attr_clear;
	mount->attr_implied_clear = o->is_bind && !o->is_remount ? o->attr_implied_clear : 0;
	mount->recursive_attr_set = o->recursive_attr_set;
	mount->recursive_attr_clear = o->recursive_attr_clear;
	for (int i = 0; i < o->propagation_count && i < PLAN_PROPAGATIONS; i++) {
		mount->propagation[i].type = o->propagation[i].type;
		mount->propagation[i].is_recursive = o->propagation[i].is_recursive;
	}
	mount->is_bind = o->is_bind;
	mount->is_remount = o->is_remount;
	mount->is_copy_up = o->is_copy_up;
	mount->is_link_target = (o->links & OPTION_LINK_TARGET) != 0;
	mount->copies_link = (o->links & OPTION_LINK_COPY) != 0;
}

static void add_mount(struct builder *b, const struct spec_mount *m)
{
	size_t index = (size_t)(m - b->spec->mounts);
	struct plan_mount mount = {.keep_slot = PLAN_NO_SLOT};
	const char *type = m->type;
	struct plan_options o;
	char target[4096];
	plan_text json_pointer, inner;

	json_pointer = builder_text(b, builder_mount_pointer(b, m, "destination"));
	if (str_is_empty(plan_clean_path(m->destination, target, sizeof target)))
		builder_finding(b, ERR_CONFIG, builder_get(b, json_pointer), "the path is too long");
	plan_options_parse(&m->options, &o);
	o.is_bind |= str_equal(type, "bind");
	filesystem_drop_group(b, m, &o);
	check_mount(b, m, &o, target);
	apply_options(&mount, &o);
	inner = b->has_mount_ns ? inner_source(b, m) : 0;
	if (inner != 0)
		add_bind_source(b, m, inner);
	mount.source_slot = b->source_slots[index];
	mount.idmap_slot = b->idmap_slots[index];
	mount.target = builder_text(b, target);
	mount.is_inside_proc = may_cover_proc(target);
	if (!o.is_bind && !o.is_remount) {
		if (str_equal(type, "cgroup"))
			type = "cgroup2";
		mount.type = builder_text(b, type == NULL ? "" : type);
		mount.options = builder_texts(b, o.data.v, o.data.count);
		plan_label_mount(b, &mount, &o.data);
		filesystem_plan(b, &mount, &o, builder_mount_pointer(b, m, NULL));
	}
	mount.source = builder_text(b, m->source);
	json_pointer = builder_text(b, builder_mount_pointer(b, m, NULL));
	builder_step(b, PLAN_INIT, PLAN_MOUNT, json_pointer)->u.mount = mount;
	free(o.data.v);
}

void plan_add_mounts(struct builder *b)
{
	if (!b->has_mount_ns && b->spec->mount_count > 0)
		builder_finding(b, ERR_UNSUPPORTED, "/mounts",
				"mounts need a mount namespace of the container's own");
	for (size_t i = 0; i < b->spec->mount_count; i++)
		if (!plan_add_content(b, &b->spec->mounts[i]))
			add_mount(b, &b->spec->mounts[i]);
	add_notify_mount(b);
}

/* --- printers --- */

static void add_attributes(struct buf *out, uint64_t attributes)
{
	static const struct detail_bit attr_bits[] = {
		{MOUNT_ATTR_RDONLY, "ro"},
		{MOUNT_ATTR_NOSUID, "nosuid"},
		{MOUNT_ATTR_NODEV, "nodev"},
		{MOUNT_ATTR_NOEXEC, "noexec"},
		{MOUNT_ATTR_NOATIME, "noatime"},
		{MOUNT_ATTR_STRICTATIME, "strictatime"},
		{MOUNT_ATTR_NODIRATIME, "nodiratime"},
		{MOUNT_ATTR_NOSYMFOLLOW, "nosymfollow"},
	};

	detail_add_bits(out, attributes, attr_bits, ARRAY_SIZE(attr_bits), ",");
}

void plan_detail_mount(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	const struct plan_mount *m = &step->u.mount;

	if (m->is_remount)
		buf_format(out, "remount %s", plan_get(plan, m->target));
	else if (m->is_bind)
		buf_format(out, "bind %s on %s", plan_get(plan, m->source), plan_get(plan, m->target));
	else
		buf_format(out, "%s on %s", plan_get(plan, m->type), plan_get(plan, m->target));
	for (uint32_t i = 0; i < m->options.count; i++)
		detail_add_item(out, i == 0 ? " with " : ",", plan_item(plan, m->options, i));
	if (m->attr_set != 0) {
		buf_add_str(out, " set ");
		add_attributes(out, m->attr_set);
	}
	if ((m->attr_clear & ~(uint64_t)MOUNT_ATTR__ATIME) != 0) {
		buf_add_str(out, " clear ");
		add_attributes(out, m->attr_clear & ~(uint64_t)MOUNT_ATTR__ATIME);
	}
	if (m->attr_implied_clear != 0) {
		buf_add_str(out, " clear-implied ");
		add_attributes(out, m->attr_implied_clear & ~(uint64_t)MOUNT_ATTR__ATIME);
		buf_add_str(out, (m->attr_implied_clear & MOUNT_ATTR__ATIME) != 0 ? ",atime" : "");
	}
	if (m->recursive_attr_set != 0) {
		buf_add_str(out, " set-recursive ");
		add_attributes(out, m->recursive_attr_set);
	}
	for (int i = 0; i < PLAN_PROPAGATIONS && m->propagation[i].type != 0; i++) {
		buf_add_str(out, m->propagation[i].is_recursive ? " r" : " ");
		detail_add_propagation(out, m->propagation[i].type);
	}
	buf_add_str(out, m->is_copy_up ? " copy-up" : "");
	buf_add_str(out, m->is_link_target ? " on-link" : "");
	buf_add_str(out, m->copies_link ? " copy-link" : "");
	buf_add_str(out, m->is_cgroup_shared || m->ways == PLAN_WAY_COPY ? " bind-host" : "");
	buf_add_str(out, m->ways == PLAN_WAY_SUBSET ? " subset" : "");
	buf_add_str(out, m->is_readonly_later ? " read-only-later" : "");
	buf_add_str(out, m->is_base ? " keep-fd" : "");
	if (m->label != 0)
		detail_add_item(out, " labelled ", plan_get(plan, m->label));
}

void plan_detail_source(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	if (step->u.source.source.is_empty) {
		buf_add_str(out, "a new tmpfs");
		return;
	}
	buf_format(out, "%s%s%s%s%s%s", plan_get(plan, step->u.source.source.path),
		   step->u.source.source.is_link ? " link" : "",
		   step->u.source.source.is_inside ? " in the root" : "",
		   step->u.source.source.is_recursive ? " recursive" : "",
		   step->u.source.source.is_locked ? " locked" : "",
		   step->u.source.source.idmap_slot != PLAN_NO_SLOT ? " idmapped" : "");
}
