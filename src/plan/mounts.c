/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mounts of the configuration: the steps that open bind sources, and those that mount. Process: the parent.
 */
#include <stdlib.h>
#include <string.h>

#include "options.h"

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

/* File systems without a device: "ro" applies to the mount only, not to the superblock. */
static bool is_pseudo(const char *type)
{
	static const char *const names[] = {"proc",   "sysfs",  "tmpfs",   "devpts",
					    "mqueue", "cgroup", "cgroup2", "devtmpfs"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_equal(names[i], type))
			return true;
	return false;
}

static bool is_mapped(const struct spec_id_maps *maps, uint64_t id)
{
	for (size_t i = 0; i < maps->count; i++)
		if (id >= maps->v[i].container_id && id - maps->v[i].container_id < maps->v[i].size)
			return true;
	return false;
}

/* The kernel only returns EINVAL for these, so the cause is found here. */
static void check_owner_options(struct builder *b, const struct plan_options *o, const char *json_pointer)
{
	if (!b->has_new_user)
		return;
	for (size_t i = 0; i < o->data.count; i++) {
		const char *text = o->data.v[i];
		bool is_uid = str_has_prefix(text, "uid="), is_gid = str_has_prefix(text, "gid=");
		uint64_t id;

		if ((!is_uid && !is_gid) || !str_to_u64(text + 4, UINT32_MAX, &id))
			continue;
		if (!is_mapped(is_uid ? &b->spec->uid_mappings : &b->spec->gid_mappings, id))
			builder_finding(b, ERR_CONFIG, json_pointer,
					"option '%s': the id is not mapped in the container's user namespace",
					text);
	}
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

static void check_mount(struct builder *b, const struct spec_mount *m, const struct plan_options *o,
			const char *target)
{
	char json_pointer[64];
	bool has_maps = m->uid_mappings.count > 0;

	str_format(json_pointer, sizeof json_pointer, "/mounts/%zu", (size_t)(m - b->spec->mounts));
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
	if (o->is_idmap && !has_maps && (!b->has_user || b->host->namespaces[SPEC_NS_USER].is_own))
		builder_finding(
			b, ERR_CONFIG, json_pointer,
			"an idmapped mount needs uidMappings and gidMappings, or a user namespace other "
			"than the caller's");
	if ((o->is_idmap || has_maps) && !b->host->is_privileged)
		builder_finding(b, ERR_UNSUPPORTED, json_pointer,
				"an unprivileged caller cannot make idmapped mounts");
	check_owner_options(b, o, json_pointer);
}

/*
 * The user namespace that gives an idmapped mount its maps: one with the maps of the mount, the joined one, or
 * one with the maps of the container.
 */
static int32_t add_idmap(struct builder *b, const struct spec_mount *m, const struct plan_options *o)
{
	const struct spec_id_maps *uid = &m->uid_mappings, *gid = &m->gid_mappings;
	struct plan_step *step;
	struct plan_maps maps;
	plan_text json_pointer;

	if (uid->count == 0 && !o->is_idmap)
		return PLAN_NO_SLOT;
	if (uid->count == 0 && b->ns_slots[SPEC_NS_USER] != PLAN_NO_SLOT)
		return b->ns_slots[SPEC_NS_USER];
	if (uid->count == 0) {
		if (b->idmap_slot != PLAN_NO_SLOT)
			return b->idmap_slot;
		uid = &b->spec->uid_mappings;
		gid = &b->spec->gid_mappings;
	}
	maps = builder_maps(b, uid, gid);
	json_pointer = builder_pointer(b, "/mounts/%zu/uidMappings", (size_t)(m - b->spec->mounts));
	step = builder_step(b, PLAN_PARENT, PLAN_OPEN_IDMAP, json_pointer);
	step->u.idmap.slot = builder_slot(b);
	step->u.idmap.maps = maps;
	if (uid == &b->spec->uid_mappings)
		b->idmap_slot = step->u.idmap.slot;
	return step->u.idmap.slot;
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
		idmap = add_idmap(b, m, &o);
		json_pointer = builder_pointer(b, "/mounts/%zu", (size_t)(m - b->spec->mounts));
		path = inner == 0 ? plan_host_path(b, m->source) : inner;
		step = builder_source(b, json_pointer);
		if (inner != 0) {
			step->actor = PLAN_INIT;
			step->u.source.source.is_locked = false;
		}
		step->u.source.source.path = path;
		step->u.source.source.is_inside = inner != 0;
		step->u.source.source.is_recursive = o.is_recursive;
		step->u.source.source.propagation = copy_propagation(b);
		step->u.source.source.idmap_slot = idmap;
		step->u.source.source.is_idmap_recursive = o.is_idmap_recursive;
		b->source_slots[m - b->spec->mounts] = step->u.source.slot;
	} else if (!o.is_remount) {
		b->idmap_slots[m - b->spec->mounts] = add_idmap(b, m, &o);
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

void plan_add_sources(struct builder *b)
{
	struct plan_step *step;
	plan_text json_pointer, path;

	b->source_slots = arena_alloc(&b->arena, (b->spec->mount_count + 1) * sizeof *b->source_slots);
	b->idmap_slots = arena_alloc(&b->arena, (b->spec->mount_count + 1) * sizeof *b->idmap_slots);
	for (size_t i = 0; i < b->spec->mount_count; i++)
		b->source_slots[i] = b->idmap_slots[i] = PLAN_NO_SLOT;
	if (!b->has_mount_ns)
		return;
	json_pointer = builder_text(b, "/root/path");
	path = plan_host_path(b, b->spec->root.path == NULL ? "" : b->spec->root.path);
	step = builder_source(b, json_pointer);
	b->root_slot = step->u.source.slot;
	step->u.source.source.path = path;
	step->u.source.source.is_recursive = true;
	step->u.source.source.propagation = copy_propagation(b);
	for (size_t i = 0; i < b->spec->mount_count; i++)
		if (inner_source(b, &b->spec->mounts[i]) == 0)
			add_bind_source(b, &b->spec->mounts[i], 0);
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
}

static bool has_option(const struct plan_options *o, const char *prefix)
{
	for (size_t i = 0; i < o->data.count; i++)
		if (str_has_prefix(o->data.v[i], prefix))
			return true;
	return false;
}

static bool has_callers_network(const struct builder *b)
{
	return !b->spec->namespaces[SPEC_NS_NETWORK].is_set || b->host->namespaces[SPEC_NS_NETWORK].is_own;
}

static bool has_callers_cgroup(const struct builder *b)
{
	return !b->spec->namespaces[SPEC_NS_CGROUP].is_set ||
	       (b->host->namespaces[SPEC_NS_CGROUP].is_own && !b->has_user);
}

/*
 * The directory of the host that shows what a new cgroup2 mount would show: the whole hierarchy without a
 * cgroup namespace, the container's own cgroup in a new one. 0: its path is unknown until init is started.
 */
static plan_text cgroup_fallback(struct builder *b)
{
	const char *own = b->has_unit ? "" : b->host->cgroup_own;
	_cleanup_free_ char *path = NULL;

	if (b->host->cgroup_mount[0] == '\0')
		return 0;
	if (has_callers_cgroup(b))
		return builder_text(b, b->host->cgroup_mount);
	if (plan_is_joined(b->spec, SPEC_NS_CGROUP))
		return 0;
	for (uint32_t i = 0; i < b->step_count; i++)
		if (b->steps[i].kind == PLAN_CGROUP_CREATE)
			own = builder_get(b, b->steps[i].u.text);
	if (str_is_empty(own))
		return 0;
	path = mem_format("%s/%s", b->host->cgroup_mount, own + strspn(own, "/"));
	return builder_text(b, path);
}

/* A read-only tmpfs stays writable until the devices and the targets of later mounts are created in it. */
static void mount_filesystem(struct builder *b, struct plan_mount *mount, const struct plan_options *o)
{
	const char *type = builder_get(b, mount->type);
	bool is_tmpfs = str_equal(type, "tmpfs");
	/* The recursive attributes are applied second and override the others. */
	uint64_t readonly = ((o->attr_set & ~o->recursive_attr_clear) | o->recursive_attr_set) &
			    MOUNT_ATTR_RDONLY;

	mount->is_real_directory = str_equal(type, "proc") || str_equal(type, "sysfs");
	mount->is_mode_of_target = is_tmpfs && !has_option(o, "mode=");
	mount->is_superblock_readonly = (o->attr_set & MOUNT_ATTR_RDONLY) != 0 && !is_pseudo(type);
	mount->is_cgroup = str_equal(type, "cgroup2");
	mount->is_host_sysfs = str_equal(type, "sysfs") && has_callers_network(b);
	mount->is_fallback_readonly = b->has_user && !b->spec->namespaces[SPEC_NS_CGROUP].is_set;
	if (mount->is_cgroup)
		mount->cgroup_path = cgroup_fallback(b);
	/*
	 * In the first cgroup namespace the options of a new cgroup2 mount replace those of the host's
	 * hierarchy (nsdelegate and others, cgroup-v2.rst "Mounting"): only one that has options is mounted
	 * there.
	 */
	mount->is_cgroup_shared = mount->is_cgroup && mount->cgroup_path != 0 && has_callers_cgroup(b) &&
				  o->data.count == 0;
	if (is_tmpfs && readonly != 0) {
		mount->attr_set &= ~(uint64_t)MOUNT_ATTR_RDONLY;
		mount->recursive_attr_set &= ~(uint64_t)MOUNT_ATTR_RDONLY;
		mount->keep_slot = builder_slot(b);
		mount->is_readonly_later = true;
	}
}

static void add_mount(struct builder *b, const struct spec_mount *m)
{
	size_t index = (size_t)(m - b->spec->mounts);
	struct plan_mount mount = {.keep_slot = PLAN_NO_SLOT};
	const char *type = m->type;
	struct plan_options o;
	char target[4096];
	plan_text json_pointer, inner;

	json_pointer = builder_pointer(b, "/mounts/%zu/destination", index);
	if (str_is_empty(plan_clean_path(m->destination, target, sizeof target)))
		builder_finding(b, ERR_CONFIG, builder_get(b, json_pointer), "the path is too long");
	plan_options_parse(&m->options, &o);
	o.is_bind |= str_equal(type, "bind");
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
		mount_filesystem(b, &mount, &o);
	}
	mount.source = builder_text(b, m->source);
	json_pointer = builder_pointer(b, "/mounts/%zu", index);
	builder_step(b, PLAN_INIT, PLAN_MOUNT, json_pointer)->u.mount = mount;
	free(o.data.v);
}

void plan_add_mounts(struct builder *b)
{
	if (!b->has_mount_ns && b->spec->mount_count > 0)
		builder_finding(b, ERR_UNSUPPORTED, "/mounts",
				"mounts need a mount namespace of the container's own");
	for (size_t i = 0; i < b->spec->mount_count; i++)
		add_mount(b, &b->spec->mounts[i]);
	add_notify_mount(b);
}
