/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root file system: devices, links, console, and the steps from the pivot to the read-only root. Process:
 * the parent.
 */
#include <linux/capability.h>
#include <string.h>
#include <sys/stat.h>

#include "builder.h"
#include "detail.h"

static const struct {
	const char *path;
	uint32_t major, minor;
} default_devices[] = {
	{"/dev/null", 1, 3},   {"/dev/zero", 1, 5},    {"/dev/full", 1, 7},
	{"/dev/random", 1, 8}, {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0},
};

static struct plan_root root_of(struct builder *b)
{
	enum spec_propagation p = b->spec->rootfs_propagation;
	struct plan_root root = {
		.slot = b->has_mount_ns ? b->root_slot : PLAN_NO_SLOT,
		.proc_slot = b->proc_slot,
		.is_readonly = b->spec->root.is_readonly,
		.is_no_pivot = b->request->is_no_pivot,
		.has_mount_ns = b->has_mount_ns,
		.may_be_in_chroot = b->has_mount_ns && !b->has_new_user,
		.is_empty = b->is_root_empty,
		.is_slave = p == SPEC_PROPAGATION_SLAVE || p == SPEC_PROPAGATION_RSLAVE,
	};

	root.path = plan_host_path(b, b->spec->root.path == NULL ? "" : b->spec->root.path);
	return root;
}

void plan_add_root(struct builder *b)
{
	struct plan_root root = root_of(b);
	plan_text json_pointer = builder_text(b, "/root/path");

	if (b->spec->root.path == NULL)
		builder_finding(b, ERR_CONFIG, "/root", "is required on Linux");
	if (!b->has_mount_ns && root.is_readonly)
		builder_finding(b, ERR_UNSUPPORTED, "/root/readonly",
				"a read-only root needs a mount namespace of the container's own");
	builder_step(b, PLAN_INIT, PLAN_ROOT, json_pointer)->u.root = root;
	b->stored.root = b->has_mount_ns ? 0 : root.path;
}

/* A device that cannot be created in a user namespace is a bind mount of the host's device. */
static int32_t add_device_source(struct builder *b, const struct plan_device *device, plan_text json_pointer)
{
	struct plan_step *step = builder_source(b, json_pointer);
	struct plan_source *source = &step->u.source.source;

	source->path = device->path;
	source->is_bind_of_device = true;
	source->major = device->major;
	source->minor = device->minor;
	source->propagation = MS_PRIVATE;
	return step->u.source.slot;
}

/* The id on the host of an id of the container; if it is not set, that of the container's root. */
static uint32_t host_id(struct builder *b, const struct spec_id_maps *maps, const struct spec_uint *requested,
			uint32_t root_id, const char *json_pointer)
{
	uint64_t id = requested->is_set ? requested->value : root_id;
	const struct spec_id_range *range = plan_find_range(maps, id);

	if (range != NULL)
		return range->host_id + (uint32_t)(id - range->container_id);
	if (requested->is_set && maps->count == 0)
		builder_finding(b, ERR_CONFIG, json_pointer,
				"needs the mappings of the joined user namespace (set uidMappings and "
				"gidMappings in /linux)");
	else if (requested->is_set)
		builder_finding(b, ERR_CONFIG, json_pointer,
				"%llu is not mapped in the container's user namespace", (unsigned long long)id);
	return 0;
}

/*
 * A process in a user namespace cannot create a device: the parent creates it for init, if it has the
 * privileges.
 */
static void add_node(struct builder *b, struct plan_device *device, size_t index)
{
	const struct spec_device *d = &b->spec->devices[index];
	char json_pointer[64];
	struct plan_step *step;
	plan_text text;

	str_format(json_pointer, sizeof json_pointer, "/linux/devices/%zu/uid", index);
	device->host_uid = host_id(b, &b->spec->uid_mappings, &d->uid, b->setup_uid, json_pointer);
	str_format(json_pointer, sizeof json_pointer, "/linux/devices/%zu/gid", index);
	device->host_gid = host_id(b, &b->spec->gid_mappings, &d->gid, b->setup_gid, json_pointer);
	device->is_node = true;
	device->source_slot = builder_slot(b);
	if (b->nodes_slot == PLAN_NO_SLOT)
		b->nodes_slot = builder_slot(b);
	text = builder_pointer(b, "/linux/devices/%zu", index);
	step = builder_step(b, PLAN_PARENT, PLAN_MAKE_NODE, text);
	step->u.node.slot = b->nodes_slot;
	step->u.node.device = *device;
}

static struct plan_device configured_device(struct builder *b, const struct spec_device *d)
{
	struct plan_device device = {
		.type = d->type,
		.major = (uint32_t)d->major,
		.minor = (uint32_t)d->minor,
		.mode = d->file_mode.is_set ? (uint32_t)d->file_mode.value : 0666,
		.uid = (uint32_t)d->uid.value,
		.gid = (uint32_t)d->gid.value,
		.has_mode = d->file_mode.is_set,
		.has_uid = d->uid.is_set,
		.has_gid = d->gid.is_set,
		.source_slot = PLAN_NO_SLOT,
	};
	char path[4096];

	device.path = builder_text(b, d->path);
	device.is_found = b->is_dev_bound && path_is_below(plan_clean_path(d->path, path, sizeof path), "/dev");
	return device;
}

static bool is_configured(const struct spec *spec, const char *path)
{
	for (size_t i = 0; i < spec->device_count; i++)
		if (str_equal(spec->devices[i].path, path))
			return true;
	return false;
}

/*
 * Default and configured devices: their sources are opened before init starts, and init makes the devices
 * later.
 */
static void collect_devices(struct builder *b)
{
	size_t max = b->spec->device_count + ARRAY_SIZE(default_devices);
	bool can_make = (b->host->capabilities >> CAP_MKNOD & 1) != 0;
	bool is_bound = b->has_user || b->host->is_in_user_ns || !can_make;
	bool is_made = b->host->is_privileged && !b->host->is_in_user_ns && can_make;

	b->devices = arena_alloc(&b->arena, max * sizeof *b->devices);
	b->device_pointers = arena_alloc(&b->arena, max * sizeof *b->device_pointers);
	for (size_t i = 0; i < ARRAY_SIZE(default_devices); i++) {
		struct plan_device *d = &b->devices[b->device_count];

		if (b->is_dev_bound || is_configured(b->spec, default_devices[i].path))
			continue;
		*d = (struct plan_device){.type = 'c', .mode = 0666, .source_slot = PLAN_NO_SLOT};
		d->path = builder_text(b, default_devices[i].path);
		d->major = default_devices[i].major;
		d->minor = default_devices[i].minor;
		d->is_bound = is_bound;
		b->device_count++;
	}
	for (size_t i = 0; i < b->spec->device_count; i++) {
		struct plan_device *device = &b->devices[b->device_count];

		if (b->spec->devices[i].is_repeated)
			continue;
		*device = configured_device(b, &b->spec->devices[i]);
		device->is_bound = is_bound && device->type != 'p' && !device->is_found;
		if (device->is_bound && is_made)
			add_node(b, device, i);
		b->device_pointers[b->device_count] = builder_pointer(b, "/linux/devices/%zu", i);
		b->device_count++;
	}
}

void plan_add_device_sources(struct builder *b)
{
	if (!b->has_mount_ns)
		return;
	collect_devices(b);
	for (size_t i = 0; i < b->device_count; i++)
		if (b->devices[i].is_bound && !b->devices[i].is_node)
			b->devices[i].source_slot = add_device_source(b, &b->devices[i], b->device_pointers[i]);
}

static void add_link(struct builder *b, const char *path, const char *target, const char *needs)
{
	struct plan_link link = {.is_replacing = str_equal(path, "/dev/ptmx")};

	link.path = builder_text(b, path);
	link.target = builder_text(b, target);
	link.needs = builder_text(b, needs);
	builder_step(b, PLAN_INIT, PLAN_LINK, 0)->u.link = link;
}

void plan_add_devices(struct builder *b)
{
	if (!b->has_mount_ns) {
		if (b->spec->device_count > 0)
			builder_finding(b, ERR_UNSUPPORTED, "/linux/devices",
					"devices need a mount namespace of the container's own");
		return;
	}
	if (b->nodes_slot != PLAN_NO_SLOT)
		builder_step(b, PLAN_INIT, PLAN_COPY_NODES, 0)->u.slot = b->nodes_slot;
	for (size_t i = 0; i < b->device_count; i++)
		builder_step(b, PLAN_INIT, PLAN_DEVICE, b->device_pointers[i])->u.device = b->devices[i];
	if (b->is_dev_bound)
		return;
	add_link(b, "/dev/fd", "/proc/self/fd", "/proc/self/fd");
	add_link(b, "/dev/stdin", "/proc/self/fd/0", "/proc/self/fd");
	add_link(b, "/dev/stdout", "/proc/self/fd/1", "/proc/self/fd");
	add_link(b, "/dev/stderr", "/proc/self/fd/2", "/proc/self/fd");
	add_link(b, "/dev/core", "/proc/kcore", "/proc/kcore");
	add_link(b, "/dev/ptmx", "pts/ptmx", NULL);
}

static void add_console(struct builder *b)
{
	const struct spec_process *p = b->process;
	struct plan_step *step;
	plan_text json_pointer;

	if (!b->spec->has_process || !p->terminal)
		return;
	json_pointer = builder_text(b, "/process/terminal");
	step = builder_step(b, PLAN_INIT, PLAN_CONSOLE, json_pointer);
	step->u.console.size = p->console_size;
	step->u.console.uid = p->user.uid;
	step->u.console.has_console_file = b->has_mount_ns && !b->is_dev_bound;
	step->u.console.is_controlling = !b->has_reaper;
}

void plan_add_late_readonly(struct builder *b)
{
	for (uint32_t i = 0; i < b->step_count; i++) {
		plan_text json_pointer = b->steps[i].json_pointer;
		int32_t slot = b->steps[i].u.mount.keep_slot;

		if (b->steps[i].kind == PLAN_MOUNT && b->steps[i].u.mount.is_readonly_later)
			builder_step(b, PLAN_INIT, PLAN_READONLY_MOUNT, json_pointer)->u.slot = slot;
	}
}

/* Formats a JSON pointer (RFC 6901) to member key of the object at prefix. */
static void format_pointer(char *ret, size_t size, const char *prefix, const char *key)
{
	size_t len = (size_t)str_format(ret, size, "%s/", prefix);

	for (; *key != '\0' && len + 2 < size; key++) {
		bool is_escaped = *key == '~' || *key == '/';

		ret[len++] = is_escaped ? '~' : *key;
		if (is_escaped)
			ret[len++] = *key == '~' ? '0' : '1';
	}
	ret[len] = '\0';
}

static void add_sysctl(struct builder *b, const struct spec_pair *pair)
{
	int owner = spec_sysctl_owner(pair->key);
	char path[512], json_pointer[sizeof((struct err *)0)->json_pointer];
	struct plan_step *step;
	plan_text texts[3], at;

	format_pointer(json_pointer, sizeof json_pointer, "/linux/sysctl", pair->key);
	if (owner >= 0 && b->host->namespaces[owner].is_own)
		builder_finding(b, ERR_CONFIG, json_pointer,
				"sysctl \"%s\" is not in a separate kernel namespace", pair->key);
	if (spec_sysctl_path(pair->key, path, sizeof path) < 0) {
		builder_finding(b, ERR_CONFIG, json_pointer, "'%s' is not the name of a sysctl", pair->key);
		return;
	}
	texts[0] = builder_text(b, path);
	texts[1] = builder_text(b, pair->value);
	texts[2] = builder_text(b, pair->key);
	at = builder_text(b, json_pointer);
	step = builder_step(b, PLAN_INIT, PLAN_SYSCTL, at);
	step->u.sysctl.slot = b->proc_slot;
	step->u.sysctl.path = texts[0];
	step->u.sysctl.value = texts[1];
	step->u.sysctl.key = texts[2];
}

static void add_paths(struct builder *b, const struct spec_list *paths, enum plan_kind kind, const char *key)
{
	for (size_t i = 0; i < paths->count; i++) {
		char clean[4096];
		plan_text text, json_pointer;
		size_t earlier = 0;

		while (earlier < i && !str_equal(paths->v[earlier], paths->v[i]))
			earlier++;
		if (earlier < i)
			continue;
		json_pointer = builder_pointer(b, "/linux/%s/%zu", key, i);
		if (str_is_empty(plan_clean_path(paths->v[i], clean, sizeof clean)))
			builder_finding(b, ERR_CONFIG, builder_get(b, json_pointer), "the path is too long");
		text = builder_text(b, clean);
		builder_step(b, PLAN_INIT, kind, json_pointer)->u.text = text;
	}
}

static void add_text(struct builder *b, enum plan_kind kind, const char *value, const char *pointer)
{
	plan_text text, json_pointer;

	if (value == NULL)
		return;
	text = builder_text(b, value);
	json_pointer = builder_text(b, pointer);
	builder_step(b, PLAN_INIT, kind, json_pointer)->u.text = text;
}

static void add_propagation(struct builder *b)
{
	static const struct {
		uint64_t type;
		bool is_recursive;
	} rows[] = {
		[SPEC_PROPAGATION_UNSET] = {0, false},
		[SPEC_PROPAGATION_SHARED] = {MS_SHARED, false},
		[SPEC_PROPAGATION_SLAVE] = {MS_SLAVE, false},
		[SPEC_PROPAGATION_PRIVATE] = {MS_PRIVATE, false},
		[SPEC_PROPAGATION_UNBINDABLE] = {MS_UNBINDABLE, false},
		[SPEC_PROPAGATION_RSHARED] = {MS_SHARED, true},
		[SPEC_PROPAGATION_RSLAVE] = {MS_SLAVE, true},
		[SPEC_PROPAGATION_RPRIVATE] = {MS_PRIVATE, true},
		[SPEC_PROPAGATION_RUNBINDABLE] = {MS_UNBINDABLE, true},
	};
	enum spec_propagation p = b->spec->rootfs_propagation;
	struct plan_step *step;
	plan_text json_pointer;

	if (p == SPEC_PROPAGATION_UNSET)
		return;
	if (!b->has_mount_ns) {
		builder_finding(b, ERR_CONFIG, "/linux/rootfsPropagation", "needs a mount namespace");
		return;
	}
	json_pointer = builder_text(b, "/linux/rootfsPropagation");
	step = builder_step(b, PLAN_INIT, PLAN_PROPAGATION, json_pointer);
	step->u.propagation.type = rows[p].type;
	step->u.propagation.is_recursive = rows[p].is_recursive;
}

void plan_add_late_rootfs(struct builder *b)
{
	struct plan_root root = root_of(b);
	plan_text json_pointer;

	builder_step(b, PLAN_INIT, PLAN_PIVOT, 0)->u.root = root;
	if (b->spec->has_process)
		add_text(b, PLAN_MAKE_CWD, b->process->cwd, "/process/cwd");
	add_console(b);
	plan_add_late_readonly(b);
	add_text(b, PLAN_HOSTNAME, b->spec->hostname, "/hostname");
	add_text(b, PLAN_DOMAINNAME, b->spec->domainname, "/domainname");
	for (size_t i = 0; i < b->spec->sysctl.count; i++)
		add_sysctl(b, &b->spec->sysctl.v[i]);
	add_paths(b, &b->spec->readonly_paths, PLAN_READONLY_PATH, "readonlyPaths");
	add_paths(b, &b->spec->masked_paths, PLAN_MASK_PATH, "maskedPaths");
	add_propagation(b);
	if (root.is_readonly && b->has_mount_ns) {
		json_pointer = builder_text(b, "/root/readonly");
		builder_step(b, PLAN_INIT, PLAN_READONLY_ROOT, json_pointer);
	}
}

/* --- printers --- */

void plan_detail_root(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	detail_add_item(out, "", plan_get(plan, step->u.root.path));
}

void plan_detail_pivot(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	(void)plan;
	buf_add_str(out, !step->u.root.has_mount_ns ? "chroot"
			 : step->u.root.is_no_pivot ? "move"
						    : "pivot_root");
}

void plan_detail_device(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	const struct plan_device *device = &step->u.device;

	buf_format(out, "%s %c %u:%u mode %o%s", plan_get(plan, device->path), device->type, device->major,
		   device->minor, device->mode,
		   device->is_node    ? " bound from the parent"
		   : device->is_bound ? " bound from the host"
		   : device->is_found ? " must exist"
				      : "");
}

void plan_detail_node(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	const struct plan_device *device = &step->u.node.device;

	buf_format(out, "%s %c %u:%u mode %o owner %u:%u", plan_get(plan, device->path), device->type,
		   device->major, device->minor, device->mode, device->host_uid, device->host_gid);
}

void plan_detail_link(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	buf_format(out, "%s to %s", plan_get(plan, step->u.link.path), plan_get(plan, step->u.link.target));
}

void plan_detail_sysctl(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	buf_format(out, "%s = %s", plan_get(plan, step->u.sysctl.key), plan_get(plan, step->u.sysctl.value));
}

void plan_detail_propagation(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	(void)plan;
	buf_add_str(out, step->u.propagation.is_recursive ? "r" : "");
	detail_add_propagation(out, step->u.propagation.type);
}
