/* SPDX-License-Identifier: Apache-2.0 */
/* The container's cgroup: its path, its device rules and its owner. Process: the parent. */
#include <string.h>

#include "builder.h"

/*
 * Devices that every container can use. They follow the configured rules, so the configuration cannot deny
 * them.
 */
static const struct plan_device_rule default_rules[] = {
	{-1, -1, 'c', PLAN_ACCESS_MKNOD, true},
	{-1, -1, 'b', PLAN_ACCESS_MKNOD, true},
	{1, 3, 'c', PLAN_ACCESS_READ | PLAN_ACCESS_WRITE | PLAN_ACCESS_MKNOD, true},    /* null */
	{1, 5, 'c', PLAN_ACCESS_READ | PLAN_ACCESS_WRITE | PLAN_ACCESS_MKNOD, true},    /* zero */
	{1, 7, 'c', PLAN_ACCESS_READ | PLAN_ACCESS_WRITE | PLAN_ACCESS_MKNOD, true},    /* full */
	{1, 8, 'c', PLAN_ACCESS_READ | PLAN_ACCESS_WRITE | PLAN_ACCESS_MKNOD, true},    /* random */
	{1, 9, 'c', PLAN_ACCESS_READ | PLAN_ACCESS_WRITE | PLAN_ACCESS_MKNOD, true},    /* urandom */
	{5, 0, 'c', PLAN_ACCESS_READ | PLAN_ACCESS_WRITE | PLAN_ACCESS_MKNOD, true},    /* tty */
	{136, -1, 'c', PLAN_ACCESS_READ | PLAN_ACCESS_WRITE | PLAN_ACCESS_MKNOD, true}, /* pts */
	{5, 2, 'c', PLAN_ACCESS_READ | PLAN_ACCESS_WRITE | PLAN_ACCESS_MKNOD, true},    /* ptmx */
	{10, 200, 'c', PLAN_ACCESS_READ | PLAN_ACCESS_WRITE | PLAN_ACCESS_MKNOD, true}, /* net/tun */
};

static void add_devices(struct builder *b)
{
	const struct spec_resources *r = &b->spec->resources;
	size_t count = r->device_count + ARRAY_SIZE(default_rules);
	_cleanup_free_ struct plan_device_rule *rules = NULL;
	struct plan_table table;
	plan_text json_pointer;

	if (r->device_count == 0)
		return;
	rules = mem_alloc(count * sizeof *rules);
	for (size_t i = 0; i < r->device_count; i++) {
		const struct spec_device_rule *rule = &r->devices[i];

		rules[i].major = rule->major;
		rules[i].minor = rule->minor;
		rules[i].type = rule->type;
		rules[i].allow = rule->allow;
		rules[i].access = (uint8_t)((rule->read ? PLAN_ACCESS_READ : 0) |
					    (rule->write ? PLAN_ACCESS_WRITE : 0) |
					    (rule->mknod ? PLAN_ACCESS_MKNOD : 0));
	}
	memcpy(rules + r->device_count, default_rules, sizeof default_rules);
	table = builder_table(b, rules, count, sizeof *rules);
	json_pointer = builder_text(b, "/linux/resources/devices");
	builder_step(b, PLAN_PARENT, PLAN_CGROUP_DEVICES, json_pointer)->u.devices = table;
}

/*
 * runtime-spec config-linux.md "Cgroups Path": an absolute path is below the mount, a relative one beside the
 * caller's own cgroup.
 */
static plan_text cgroup_path(struct builder *b)
{
	const char *requested = b->spec->cgroups_path;
	_cleanup_free_ char *joined = NULL;
	char clean[1024], parent[sizeof b->host->cgroup_own];
	char *slash;

	if (requested != NULL && requested[0] == '/')
		return builder_text(b, plan_clean_path(requested, clean, sizeof clean));
	str_format(parent, sizeof parent, "%s", b->host->cgroup_own);
	slash = strrchr(parent, '/');
	if (slash != NULL)
		*slash = '\0';
	joined = mem_format("%s/%s", parent, str_is_empty(requested) ? b->request->id : requested);
	return builder_text(b, plan_clean_path(joined, clean, sizeof clean));
}

/* Translates a uid of the container to that of the host; false if it is not mapped. */
static bool host_uid(const struct spec *spec, uint32_t uid, uint32_t *ret)
{
	const struct spec_id_maps *maps = &spec->uid_mappings;

	*ret = uid;
	if (!spec->namespaces[SPEC_NS_USER].is_set)
		return true;
	for (size_t i = 0; i < maps->count; i++) {
		const struct spec_id_map *map = &maps->v[i];

		if (uid < map->container_id || uid - map->container_id >= map->size)
			continue;
		*ret = map->host_id + (uid - map->container_id);
		return true;
	}
	return false;
}

static bool has_option(const struct spec_mount *mount, const char *option)
{
	for (size_t i = 0; i < mount->options.count; i++)
		if (str_equal(mount->options.v[i], option))
			return true;
	return false;
}

/*
 * runtime-spec config-linux.md "Cgroup ownership": the uid of the container's process owns the cgroup if the
 * container has a new cgroup namespace and a writable cgroup mount. If that uid is root on the host, it has
 * these rights already.
 */
static void add_owner(struct builder *b)
{
	const struct spec *spec = b->spec;
	char clean[sizeof "/sys/fs/cgroup" + 1];
	bool is_writable = false;
	uint32_t uid;

	for (size_t i = 0; i < spec->mount_count; i++) {
		const struct spec_mount *mount = &spec->mounts[i];

		if (!str_equal(plan_clean_path(mount->destination, clean, sizeof clean), "/sys/fs/cgroup"))
			continue;
		is_writable = (str_equal(mount->type, "cgroup") || str_equal(mount->type, "cgroup2")) &&
			      !has_option(mount, "ro") && !has_option(mount, "rro");
	}
	/* The cgroup of an unprivileged caller already belongs to that caller, and no other owner is set. */
	if (!plan_is_new(spec, SPEC_NS_CGROUP) || !is_writable || !b->host->is_privileged)
		return;
	if (host_uid(spec, spec->process.user.uid, &uid) && uid != 0)
		builder_step(b, PLAN_PARENT, PLAN_CGROUP_OWNER, 0)->u.number = uid;
}

/* False if the container gets no cgroup. */
static bool add_create(struct builder *b)
{
	bool has_path = !str_is_empty(b->spec->cgroups_path);
	plan_text path, json_pointer;

	if (b->request->is_cgroup_disabled)
		return false;
	if (has_path && strlen(b->spec->cgroups_path) > 900) {
		builder_finding(b, ERR_CONFIG, "/linux/cgroupsPath", "the path is longer than 900 bytes");
		return false;
	}
	if (b->request->is_systemd_cgroup && b->host->cgroup_mount[0] != '\0')
		return plan_begin_unit(b);
	/*
	 * Most unprivileged callers cannot create a cgroup, so they get one only if the configuration needs it.
	 */
	if (!b->request->is_systemd_cgroup && (!b->host->is_privileged || b->host->is_in_user_ns) &&
	    !has_path && !plan_needs_cgroup(b))
		return false;
	if (b->host->cgroup_mount[0] == '\0') {
		builder_finding(b, ERR_UNSUPPORTED, has_path ? "/linux/cgroupsPath" : NULL,
				"this host has no cgroup2 file system mounted "
				"(--cgroup-manager disabled starts without a cgroup)");
		return false;
	}
	path = cgroup_path(b);
	if (str_is_empty(builder_get(b, path))) {
		builder_finding(b, ERR_CONFIG, "/linux/cgroupsPath",
				"the path is too long below the caller's cgroup");
		return false;
	}
	if (str_equal(builder_get(b, path), "/")) {
		builder_finding(b, ERR_CONFIG, "/linux/cgroupsPath", "the root cgroup cannot be a container's");
		return false;
	}
	json_pointer = has_path ? builder_text(b, "/linux/cgroupsPath") : 0;
	builder_step(b, PLAN_PARENT, PLAN_CGROUP_CREATE, json_pointer)->u.text = path;
	return true;
}

void plan_add_cgroup(struct builder *b)
{
	b->has_cgroup = add_create(b);
	/* A caller that cannot attach device programs (BPF) cannot create device nodes either. */
	if (b->has_cgroup && b->host->is_privileged && !b->host->is_in_user_ns)
		add_devices(b);
	plan_add_limits(b);
	if (b->has_unit)
		plan_end_unit(b);
	/* Last: enabled controllers add files, which also need the owner. */
	if (b->has_cgroup)
		add_owner(b);
}
