/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "builder.h"

/* Devices that every container may use; they come behind the configured rules and so cannot be denied. */
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
	plan_text where;

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
	where = builder_text(b, "/linux/resources/devices");
	builder_step(b, PLAN_PARENT, PLAN_CGROUP_DEVICES, where)->u.devices = table;
}

/*
 * A limit that is asked for and not enforced would be a silent downgrade. Only an object that is there but
 * asks for nothing passes.
 */
static void refuse_limits(struct builder *b)
{
	const struct spec_resources *r = &b->spec->resources;
	const struct {
		bool is_asked;
		const char *where;
	} rows[] = {
		{r->memory.limit.is_set || r->memory.reservation.is_set || r->memory.swap.is_set ||
			 r->memory.kernel.is_set || r->memory.kernel_tcp.is_set ||
			 r->memory.swappiness.is_set ||
			 (r->memory.disable_oom_killer.is_set && r->memory.disable_oom_killer.value),
		 "/linux/resources/memory"},
		{r->cpu.shares.is_set || r->cpu.burst.is_set || r->cpu.period.is_set || r->cpu.quota.is_set ||
			 r->cpu.idle.is_set || r->cpu.realtime_period.is_set ||
			 r->cpu.realtime_runtime.is_set || !str_is_empty(r->cpu.cpus) ||
			 !str_is_empty(r->cpu.mems),
		 "/linux/resources/cpu"},
		{r->block_io.weight.is_set || r->block_io.leaf_weight.is_set ||
			 r->block_io.weight_device_count > 0 ||
			 r->block_io.throttle[SPEC_THROTTLE_READ_BPS].count > 0 ||
			 r->block_io.throttle[SPEC_THROTTLE_WRITE_BPS].count > 0 ||
			 r->block_io.throttle[SPEC_THROTTLE_READ_IOPS].count > 0 ||
			 r->block_io.throttle[SPEC_THROTTLE_WRITE_IOPS].count > 0,
		 "/linux/resources/blockIO"},
		{r->hugepage_limit_count > 0, "/linux/resources/hugepageLimits"},
		{r->pids_limit.is_set, "/linux/resources/pids"},
		{r->network.class_id.is_set || r->network.priority_count > 0, "/linux/resources/network"},
		{r->rdma_count > 0, "/linux/resources/rdma"},
		{r->unified.count > 0, "/linux/resources/unified"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].is_asked)
			builder_finding(b, ERR_UNSUPPORTED, rows[i].where,
					"this version of tare cannot set this limit");
}

/* contract of cgroupsPath: absolute below the mount, otherwise beside the caller's own cgroup. */
static plan_text cgroup_path(struct builder *b)
{
	const char *asked = b->spec->cgroups_path;
	_cleanup_free_ char *joined = NULL;
	char clean[1024], parent[sizeof b->host->cgroup_own];
	char *slash;

	if (asked != NULL && asked[0] == '/')
		return builder_text(b, plan_clean_path(asked, clean, sizeof clean));
	str_format(parent, sizeof parent, "%s", b->host->cgroup_own);
	slash = strrchr(parent, '/');
	if (slash != NULL)
		*slash = '\0';
	joined = mem_format("%s/%s", parent, str_is_empty(asked) ? b->request->id : asked);
	return builder_text(b, plan_clean_path(joined, clean, sizeof clean));
}

void plan_add_cgroup(struct builder *b)
{
	bool has_path = !str_is_empty(b->spec->cgroups_path);
	plan_text path, where;

	refuse_limits(b);
	if (has_path && strlen(b->spec->cgroups_path) > 900) {
		builder_finding(b, ERR_CONFIG, "/linux/cgroupsPath", "the path is longer than 900 bytes");
		return;
	}
	if (!b->host->is_privileged || b->host->is_in_user_ns) {
		if (has_path)
			builder_finding(b, ERR_UNSUPPORTED, "/linux/cgroupsPath",
					"a cgroup for an unprivileged caller is not supported yet");
		return;
	}
	if (b->host->cgroup_mount[0] == '\0') {
		builder_finding(b, ERR_UNSUPPORTED, has_path ? "/linux/cgroupsPath" : NULL,
				"this host has no cgroup2 file system mounted");
		return;
	}
	path = cgroup_path(b);
	if (str_equal(builder_get(b, path), "/")) {
		builder_finding(b, ERR_CONFIG, "/linux/cgroupsPath", "the root cgroup cannot be a container's");
		return;
	}
	where = has_path ? builder_text(b, "/linux/cgroupsPath") : 0;
	builder_step(b, PLAN_PARENT, PLAN_CGROUP_CREATE, where)->u.text = path;
	add_devices(b);
}
