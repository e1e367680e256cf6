/* SPDX-License-Identifier: Apache-2.0 */
/* The container's cgroup: its path, its device rules and its owner. Process: the parent. */
#include <string.h>

#include "builder.h"
#include "detail.h"

/*
 * Devices that every container can use. They follow the configured rules, so the configuration cannot deny
 * them.
 */
static const struct spec_device_rule default_rules[] = {
	{-1, -1, 'c', SPEC_ACCESS_MKNOD, true},
	{-1, -1, 'b', SPEC_ACCESS_MKNOD, true},
	{1, 3, 'c', SPEC_ACCESS_READ | SPEC_ACCESS_WRITE | SPEC_ACCESS_MKNOD, true},    /* null */
	{1, 5, 'c', SPEC_ACCESS_READ | SPEC_ACCESS_WRITE | SPEC_ACCESS_MKNOD, true},    /* zero */
	{1, 7, 'c', SPEC_ACCESS_READ | SPEC_ACCESS_WRITE | SPEC_ACCESS_MKNOD, true},    /* full */
	{1, 8, 'c', SPEC_ACCESS_READ | SPEC_ACCESS_WRITE | SPEC_ACCESS_MKNOD, true},    /* random */
	{1, 9, 'c', SPEC_ACCESS_READ | SPEC_ACCESS_WRITE | SPEC_ACCESS_MKNOD, true},    /* urandom */
	{5, 0, 'c', SPEC_ACCESS_READ | SPEC_ACCESS_WRITE | SPEC_ACCESS_MKNOD, true},    /* tty */
	{136, -1, 'c', SPEC_ACCESS_READ | SPEC_ACCESS_WRITE | SPEC_ACCESS_MKNOD, true}, /* pts */
	{5, 2, 'c', SPEC_ACCESS_READ | SPEC_ACCESS_WRITE | SPEC_ACCESS_MKNOD, true},    /* ptmx */
	{10, 200, 'c', SPEC_ACCESS_READ | SPEC_ACCESS_WRITE | SPEC_ACCESS_MKNOD, true}, /* net/tun */
};

static void add_devices(struct builder *b)
{
	const struct spec_resources *r = &b->spec->resources;
	size_t count = r->device_count + ARRAY_SIZE(default_rules);
	_cleanup_free_ struct spec_device_rule *rules = NULL;
	struct plan_table table;
	plan_text json_pointer;

	if (r->device_count == 0)
		return;
	rules = mem_alloc(count * sizeof *rules);
	memcpy(rules, r->devices, r->device_count * sizeof *rules);
	memcpy(rules + r->device_count, default_rules, sizeof default_rules);
	table = builder_table(b, rules, count, sizeof *rules);
	json_pointer = builder_text(b, "/linux/resources/devices");
	builder_step(b, PLAN_PARENT, PLAN_CGROUP_DEVICES, json_pointer)->u.devices = table;
}

/* Whether the caller may only make cgroups where the owner of a cgroup has given it the right to. */
static bool is_limited(const struct host *host)
{
	return !host->is_privileged || host->is_in_user_ns;
}

/* runtime-spec config-linux.md "Cgroups Path": an absolute path is below the mount. */
static plan_text cgroup_path(struct builder *b)
{
	const char *requested = b->spec->cgroups_path;
	_cleanup_free_ char *joined = NULL;
	char clean[1024];

	if (requested != NULL && requested[0] == '/')
		return builder_text(b, plan_clean_path(requested, clean, sizeof clean));
	joined = mem_format("%s/%s", b->host->cgroup_parent,
			    str_is_empty(requested) ? b->request->id : requested);
	return builder_text(b, plan_clean_path(joined, clean, sizeof clean));
}

/* Translates a uid of the container to that of the host; false if it is not mapped. */
static bool host_uid(const struct spec *spec, uint32_t uid, uint32_t *ret)
{
	const struct spec_id_range *range = plan_find_range(&spec->uid_mappings, uid);

	*ret = uid;
	if (!spec->namespaces[SPEC_NS_USER].is_set)
		return true;
	if (range == NULL)
		return false;
	*ret = range->host_id + (uid - range->container_id);
	return true;
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

/* Whether device rules deny nothing: the last match decides, and no rule after one for all devices denies any.
 */
static bool allow_all_devices(const struct spec_resources *r)
{
	const uint32_t all = SPEC_ACCESS_READ | SPEC_ACCESS_WRITE | SPEC_ACCESS_MKNOD;
	bool is_all = r->device_count == 0;

	for (size_t i = 0; i < r->device_count; i++) {
		const struct spec_device_rule *rule = &r->devices[i];

		if (!rule->allow)
			is_all = false;
		else if (rule->type == 'a' && rule->major < 0 && rule->minor < 0 && rule->access == all)
			is_all = true;
	}
	return is_all;
}

/*
 * Whether the caller can make no cgroup. Device rules of root that deny anything need one, and are not given
 * up: without CAP_MKNOD, too, device nodes of the root file system and of volumes could be opened. In a user
 * namespace of its own the container cannot make device nodes.
 */
static bool lacks_cgroups(const struct builder *b)
{
	const struct host *host = b->host;
	bool needs_devices = !allow_all_devices(&b->spec->resources) && !plan_is_new(b->spec, SPEC_NS_USER);

	if (is_limited(host))
		return !host->is_cgroup_delegated || host->is_cgroup_readonly;
	return host->is_cgroup_readonly && !needs_devices;
}

/* False if the container gets no cgroup. */
static bool add_create(struct builder *b)
{
	const struct host *host = b->host;
	bool has_path = !str_is_empty(b->spec->cgroups_path);
	const char *cause = NULL; /* what requests the cgroup, if it is not there by default */
	plan_text path, json_pointer;

	if (b->request->is_cgroup_disabled)
		return false;
	if (has_path && strlen(b->spec->cgroups_path) > 900) {
		builder_finding(b, ERR_CONFIG, "/linux/cgroupsPath", "the path is longer than 900 bytes");
		return false;
	}
	if (b->request->is_systemd_cgroup && host->cgroup_mount[0] != '\0')
		return plan_begin_unit(b);
	/* Without a delegated cgroup there is none unless the configuration needs it: that is an error then. */
	if (!b->request->is_systemd_cgroup && lacks_cgroups(b) && !has_path && !plan_needs_cgroup(b))
		return false;
	if (host->cgroup_mount[0] == '\0') {
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
	if (has_path)
		cause = "/linux/cgroupsPath";
	else if (is_limited(host) && !host->is_cgroup_delegated)
		cause = "/linux/resources";
	json_pointer = builder_text(b, cause);
	builder_step(b, PLAN_PARENT, PLAN_CGROUP_CREATE, json_pointer)->u.text = path;
	return true;
}

/* Annotation of crun: the container's program is in a cgroup of this name, below the one with the limits. */
#define DELEGATE "run.oci.delegate-cgroup"

static bool is_cgroup_name(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= 255 && strchr(name, '/') == NULL && strchr(name, '\n') == NULL &&
	       !str_equal(name, ".") && !str_equal(name, "..");
}

/* After init has its cgroup namespace, of which the container's cgroup is the root. */
void plan_add_delegate(struct builder *b)
{
	const char *name = spec_annotation(b->spec, DELEGATE), *json_pointer = "/annotations/" DELEGATE;
	struct plan_step *step;
	uint32_t uid;

	if (name == NULL)
		return;
	if (!is_cgroup_name(name))
		builder_finding(b, ERR_CONFIG, json_pointer, "'%.40s' is no name of a cgroup", name);
	if (!b->has_cgroup) {
		builder_finding(b, ERR_UNSUPPORTED, json_pointer, "the container has no cgroup");
		return;
	}
	step = builder_step(b, PLAN_PARENT, PLAN_CGROUP_DELEGATE, builder_text(b, json_pointer));
	step->u.delegate.name = builder_text(b, name);
	step->u.delegate.has_owner = b->host->is_privileged &&
				     host_uid(b->spec, b->spec->process.user.uid, &uid);
	step->u.delegate.uid = step->u.delegate.has_owner ? uid : 0;
}

void plan_add_cgroup(struct builder *b)
{
	b->has_cgroup = add_create(b);
	/* A caller that cannot attach device programs (BPF) cannot create device nodes either. */
	if (b->has_cgroup && !is_limited(b->host))
		add_devices(b);
	plan_add_limits(b);
	if (b->has_unit)
		plan_end_unit(b);
	/* Last: enabled controllers add files, which also need the owner. */
	if (b->has_cgroup)
		add_owner(b);
}

/* --- printers --- */

void plan_detail_delegate(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	buf_add_str(out, plan_get(plan, step->u.delegate.name));
	if (step->u.delegate.has_owner)
		buf_format(out, " uid %u", step->u.delegate.uid);
}

void plan_detail_owner(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	(void)plan;
	buf_format(out, "uid %lld", (long long)step->u.number);
}

static void add_device_number(struct buf *out, int64_t number)
{
	if (number < 0)
		buf_add_str(out, "*");
	else
		buf_format(out, "%lld", (long long)number);
}

static const struct detail_bit access_bits[] = {
	{SPEC_ACCESS_READ, "r"}, {SPEC_ACCESS_WRITE, "w"}, {SPEC_ACCESS_MKNOD, "m"}};

void plan_detail_device_rules(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	struct plan_table table = step->u.devices;
	const struct spec_device_rule *rules = plan_rows(plan, table);

	for (uint32_t i = 0; i < table.count; i++) {
		buf_format(out, "%s%s %c ", i == 0 ? "" : ", ", rules[i].allow ? "allow" : "deny",
			   rules[i].type);
		add_device_number(out, rules[i].major);
		buf_add_str(out, ":");
		add_device_number(out, rules[i].minor);
		buf_add_str(out, " ");
		detail_add_bits(out, rules[i].access, access_bits, ARRAY_SIZE(access_bits), "");
	}
}

void plan_detail_controllers(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	for (uint32_t i = 0; i < step->u.controllers.count; i++)
		detail_add_item(out, i == 0 ? "" : " ", plan_item(plan, step->u.controllers, i));
}
