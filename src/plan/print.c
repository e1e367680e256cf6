/* SPDX-License-Identifier: Apache-2.0 */
/* Prints a plan as text for people and as JSON for programs, in the order of the steps. Process: the parent. */
#include <linux/seccomp.h>
#include <string.h>
#include <sys/types.h>

#include <tare/protocol.h>
#include <tare/spec.h>

#include "builder.h"

static const char *const actor_names[] = {"parent", "bridge", "init"};

static const char *const kind_names[PLAN_KINDS] = {
	[PLAN_CGROUP_CREATE] = "cgroup",
	[PLAN_UNIT_START] = "unit-start",
	[PLAN_RELEASE_PLACEHOLDER] = "release-placeholder",
	[PLAN_UNIT_SET] = "unit-set",
	[PLAN_UNIT_WATCH] = "unit-watch",
	[PLAN_CGROUP_ENABLE] = "controllers",
	[PLAN_CGROUP_OWNER] = "cgroup-owner",
	[PLAN_CGROUP_DEVICES] = "device-rules",
	[PLAN_CGROUP_USAGE] = "check-usage",
	[PLAN_CGROUP_WRITE] = "limit",
	[PLAN_OPEN_PROC] = "open-procfs",
	[PLAN_OPEN_NAMESPACE] = "open-namespace",
	[PLAN_OPEN_IDMAP] = "open-idmap",
	[PLAN_OPEN_SOURCE] = "open-source",
	[PLAN_OPEN_ENVIRONMENT] = "open-environment",
	[PLAN_OPEN_CONTAINER] = "open-container",
	[PLAN_OPEN_CGROUP] = "open-cgroup",
	[PLAN_SPAWN] = "spawn",
	[PLAN_ID_MAPS] = "id-maps",
	[PLAN_NET_DEVICE] = "network-device",
	[PLAN_RESCTRL] = "resctrl",
	[PLAN_OOM_SCORE] = "oom-score-adj",
	[PLAN_SET_UNDUMPABLE] = "set-undumpable",
	[PLAN_JOIN] = "join",
	[PLAN_ENTER] = "enter",
	[PLAN_UNSHARE] = "unshare",
	[PLAN_TIME_OFFSETS] = "time-offsets",
	[PLAN_SEND] = "send",
	[PLAN_EXPECT] = "expect",
	[PLAN_SETUP_IDS] = "setup-ids",
	[PLAN_KEYRING] = "keyring",
	[PLAN_LOOPBACK] = "loopback",
	[PLAN_ROOT] = "root",
	[PLAN_MOUNT] = "mount",
	[PLAN_MAKE_NODE] = "make-node",
	[PLAN_COPY_NODES] = "copy-nodes",
	[PLAN_DEVICE] = "device",
	[PLAN_LINK] = "link",
	[PLAN_HOOKS] = "hooks",
	[PLAN_PIVOT] = "pivot",
	[PLAN_MAKE_CWD] = "make-cwd",
	[PLAN_CONSOLE] = "console",
	[PLAN_CONTROLLING] = "controlling-tty",
	[PLAN_READONLY_MOUNT] = "readonly-mount",
	[PLAN_HOSTNAME] = "hostname",
	[PLAN_DOMAINNAME] = "domainname",
	[PLAN_SYSCTL] = "sysctl",
	[PLAN_LABEL] = "label",
	[PLAN_READONLY_PATH] = "readonly-path",
	[PLAN_MASK_PATH] = "mask-path",
	[PLAN_PROPAGATION] = "propagation",
	[PLAN_READONLY_ROOT] = "readonly-root",
	[PLAN_UMASK] = "umask",
	[PLAN_SCHEDULER] = "scheduler",
	[PLAN_IO_PRIORITY] = "io-priority",
	[PLAN_RLIMIT] = "rlimit",
	[PLAN_AFFINITY] = "affinity",
	[PLAN_MEMORY_POLICY] = "memory-policy",
	[PLAN_PERSONALITY] = "personality",
	[PLAN_NO_NEW_PRIVS] = "no-new-privs",
	[PLAN_STDIO_OWNER] = "stdio-owner",
	[PLAN_USER] = "user",
	[PLAN_HOME] = "home",
	[PLAN_LOOKUP] = "lookup",
	[PLAN_GATE] = "gate",
	[PLAN_HANDOVER] = "hand-over",
	[PLAN_SECCOMP] = "seccomp",
	[PLAN_LISTENER] = "listener",
	[PLAN_EXEC] = "exec",
};

struct bit {
	uint64_t value;
	const char *name;
};

static const struct bit clone_bits[] = {
	{CLONE_NEWUSER, "user"}, {CLONE_NEWNS, "mount"}, {CLONE_NEWPID, "pid"},       {CLONE_NEWNET, "network"},
	{CLONE_NEWIPC, "ipc"},   {CLONE_NEWUTS, "uts"},  {CLONE_NEWCGROUP, "cgroup"}, {0x80, "time"},
};
static const struct bit attr_bits[] = {
	{MOUNT_ATTR_RDONLY, "ro"},
	{MOUNT_ATTR_NOSUID, "nosuid"},
	{MOUNT_ATTR_NODEV, "nodev"},
	{MOUNT_ATTR_NOEXEC, "noexec"},
	{MOUNT_ATTR_NOATIME, "noatime"},
	{MOUNT_ATTR_STRICTATIME, "strictatime"},
	{MOUNT_ATTR_NODIRATIME, "nodiratime"},
	{MOUNT_ATTR_NOSYMFOLLOW, "nosymfollow"},
};
static const struct bit propagation_bits[] = {
	{MS_SHARED, "shared"}, {MS_SLAVE, "slave"}, {MS_PRIVATE, "private"}, {MS_UNBINDABLE, "unbindable"}};
static const struct bit access_bits[] = {
	{PLAN_ACCESS_READ, "r"}, {PLAN_ACCESS_WRITE, "w"}, {PLAN_ACCESS_MKNOD, "m"}};

static const struct bit filter_bits[] = {
	{SECCOMP_FILTER_FLAG_TSYNC, "tsync"},
	{SECCOMP_FILTER_FLAG_LOG, "log"},
	{SECCOMP_FILTER_FLAG_SPEC_ALLOW, "spec-allow"},
	{SECCOMP_FILTER_FLAG_NEW_LISTENER, "new-listener"},
	{1u << 5, "wait-killable-recv"}, /* Linux 5.19, missing in older headers */
};

static void add_bits(struct buf *out, uint64_t value, const struct bit *bits, size_t count, const char *between)
{
	bool is_first = true;

	for (size_t i = 0; i < count; i++) {
		if ((value & bits[i].value) == 0)
			continue;
		buf_format(out, "%s%s", is_first ? "" : between, bits[i].name);
		is_first = false;
	}
}

static void add_item(struct buf *out, const char *before, const char *item)
{
	buf_add_str(out, before);
	buf_add_str(out, item == NULL ? "" : item);
}

static void add_maps(struct buf *out, const struct plan *plan, const char *name, struct plan_table table)
{
	const struct plan_id_range *ranges = plan_rows(plan, table);

	buf_format(out, "%s", name);
	for (uint32_t i = 0; i < table.count; i++)
		buf_format(out, " %u:%u:%u", ranges[i].container_id, ranges[i].host_id, ranges[i].size);
}

static void add_device_number(struct buf *out, int64_t number)
{
	if (number < 0)
		buf_add_str(out, "*");
	else
		buf_format(out, "%lld", (long long)number);
}

static void add_rules(struct buf *out, const struct plan *plan, struct plan_table table)
{
	const struct plan_device_rule *rules = plan_rows(plan, table);

	for (uint32_t i = 0; i < table.count; i++) {
		buf_format(out, "%s%s %c ", i == 0 ? "" : ", ", rules[i].allow ? "allow" : "deny",
			   rules[i].type);
		add_device_number(out, rules[i].major);
		buf_add_str(out, ":");
		add_device_number(out, rules[i].minor);
		buf_add_str(out, " ");
		add_bits(out, rules[i].access, access_bits, ARRAY_SIZE(access_bits), "");
	}
}

static const char *const label_names[] = {
	[PLAN_LABEL_APPARMOR] = "apparmor",
	[PLAN_LABEL_SELINUX] = "selinux",
	[PLAN_LABEL_SELINUX_KEYS] = "selinux keys",
};
/* A value of only a line feed empties the file: print no value. */
static void add_write(struct buf *out, const struct plan *plan, const struct plan_cgroup_write *write)
{
	const char *value = plan_get(plan, write->value);

	buf_format(out, "%s = %.*s", plan_get(plan, write->file), (int)strcspn(value, "\n"), value);
	if (write->other_file != 0)
		buf_format(out, " or %s = %s", plan_get(plan, write->other_file),
			   plan_get(plan, write->other_value));
	if (write->flags & PLAN_WRITE_OPTIONAL)
		buf_add_str(out, " if the file exists");
	if (write->flags & PLAN_WRITE_TENTATIVE)
		buf_add_str(out, " if allowed");
}

static void add_resctrl(struct buf *out, const struct plan *plan, const struct plan_resctrl *resctrl)
{
	const char *clos = plan_get(plan, resctrl->clos), *line = plan_get(plan, resctrl->schemata);

	buf_format(out, "%s%s", resctrl->is_own ? "new " : "", clos[0] == '\0' ? "/" : clos);
	for (const char *word = " with "; line != NULL && *line != '\0'; word = ",") {
		size_t len = strcspn(line, "\n");

		buf_format(out, "%s%.*s", word, (int)len, line);
		line += len + (line[len] == '\n');
	}
	if (resctrl->monitor != 0)
		buf_format(out, " monitored as %s", plan_get(plan, resctrl->monitor));
}

static void add_mount(struct buf *out, const struct plan *plan, const struct plan_mount *m)
{
	if (m->is_remount)
		buf_format(out, "remount %s", plan_get(plan, m->target));
	else if (m->is_bind)
		buf_format(out, "bind %s on %s", plan_get(plan, m->source), plan_get(plan, m->target));
	else
		buf_format(out, "%s on %s", plan_get(plan, m->type), plan_get(plan, m->target));
	for (uint32_t i = 0; i < m->options.count; i++)
		add_item(out, i == 0 ? " with " : ",", plan_item(plan, m->options, i));
	if (m->attr_set != 0) {
		buf_add_str(out, " set ");
		add_bits(out, m->attr_set, attr_bits, ARRAY_SIZE(attr_bits), ",");
	}
	if ((m->attr_clear & ~(uint64_t)MOUNT_ATTR__ATIME) != 0) {
		buf_add_str(out, " clear ");
		add_bits(out, m->attr_clear & ~(uint64_t)MOUNT_ATTR__ATIME, attr_bits, ARRAY_SIZE(attr_bits),
			 ",");
	}
	if (m->attr_implied_clear != 0) {
		buf_add_str(out, " clear-implied ");
		add_bits(out, m->attr_implied_clear & ~(uint64_t)MOUNT_ATTR__ATIME, attr_bits,
			 ARRAY_SIZE(attr_bits), ",");
		buf_add_str(out, (m->attr_implied_clear & MOUNT_ATTR__ATIME) != 0 ? ",atime" : "");
	}
	if (m->recursive_attr_set != 0) {
		buf_add_str(out, " set-recursive ");
		add_bits(out, m->recursive_attr_set, attr_bits, ARRAY_SIZE(attr_bits), ",");
	}
	for (int i = 0; i < PLAN_PROPAGATIONS && m->propagation[i].type != 0; i++) {
		buf_add_str(out, m->propagation[i].is_recursive ? " r" : " ");
		add_bits(out, m->propagation[i].type, propagation_bits, ARRAY_SIZE(propagation_bits), ",");
	}
	buf_add_str(out, m->is_copy_up ? " copy-up" : "");
	buf_add_str(out, m->is_cgroup_shared ? " bind-host" : "");
	buf_add_str(out, m->is_readonly_later ? " read-only-later" : "");
	buf_add_str(out, m->is_base ? " keep-fd" : "");
	if (m->label != 0)
		add_item(out, " labelled ", plan_get(plan, m->label));
}

static void add_user(struct buf *out, const struct plan *plan, const struct plan_user *user)
{
	const uint32_t *groups = plan_rows(plan, user->groups);
	bool is_callers = user->is_setgroups_denied || user->has_callers_groups;
	uint32_t count = is_callers ? 0 : user->groups.count;

	buf_format(out, "uid %u gid %u groups", user->uid, user->gid);
	for (uint32_t i = 0; i < count; i++)
		buf_format(out, "%s%u", i == 0 ? " " : ",", groups[i]);
	if (count == 0)
		buf_add_str(out, is_callers ? " the caller's" : " none");
	buf_format(out, " bounding %llx effective %llx permitted %llx inheritable %llx ambient %llx cwd %s",
		   (unsigned long long)user->bounding, (unsigned long long)user->effective,
		   (unsigned long long)user->permitted, (unsigned long long)user->inheritable,
		   (unsigned long long)user->ambient, plan_get(plan, user->cwd));
}

static void add_hooks(struct buf *out, const struct plan *plan, const struct plan_hooks *hooks)
{
	const struct plan_hook *rows = plan_rows(plan, hooks->hooks);

	buf_add_str(out, spec_hook_name((enum spec_hook_kind)hooks->kind));
	for (uint32_t i = 0; i < hooks->hooks.count; i++)
		add_item(out, " ", plan_get(plan, rows[i].path));
}

static void add_filter(struct buf *out, const struct plan_filter *filter)
{
	buf_add_str(out, filter->flags == 0 ? "no flags" : "");
	add_bits(out, filter->flags, filter_bits, ARRAY_SIZE(filter_bits), ",");
}

static void add_process_step(struct buf *out, const struct plan *plan, const struct plan_step *s)
{
	switch ((enum plan_kind)s->kind) {
	case PLAN_UMASK:
		buf_format(out, "%o", (unsigned int)s->u.number);
		break;
	case PLAN_OOM_SCORE:
	case PLAN_IO_PRIORITY:
	case PLAN_PERSONALITY:
	case PLAN_STDIO_OWNER:
	case PLAN_HOME:
		buf_format(out, "%lld", (long long)s->u.number);
		break;
	case PLAN_RLIMIT:
		buf_format(out, "%s soft %llu hard %llu", spec_rlimit_name((int)s->u.rlimit.resource),
			   (unsigned long long)s->u.rlimit.soft, (unsigned long long)s->u.rlimit.hard);
		break;
	case PLAN_SCHEDULER:
		buf_format(out, "policy %u nice %d priority %u", s->u.scheduler.policy, s->u.scheduler.nice,
			   s->u.scheduler.priority);
		break;
	case PLAN_MEMORY_POLICY:
		buf_format(out, "mode %d flags %x", s->u.memory_policy.mode, s->u.memory_policy.flags);
		break;
	case PLAN_USER:
		add_user(out, plan, &s->u.user);
		break;
	case PLAN_LISTENER:
		add_item(out, "", plan_get(plan, s->u.filter.listener_path));
		break;
	case PLAN_SECCOMP:
		add_filter(out, &s->u.filter);
		break;
	case PLAN_LOOKUP:
	case PLAN_EXEC:
		for (uint32_t i = 0; i < s->u.program.args.count; i++)
			add_item(out, i == 0 ? "" : " ", plan_item(plan, s->u.program.args, i));
		break;
	default:
		break;
	}
}

static void add_rootfs_step(struct buf *out, const struct plan *plan, const struct plan_step *s)
{
	switch ((enum plan_kind)s->kind) {
	case PLAN_ROOT:
		add_item(out, "", plan_get(plan, s->u.root.path));
		break;
	case PLAN_PIVOT:
		buf_add_str(out, !s->u.root.has_mount_ns ? "chroot"
				 : s->u.root.is_no_pivot ? "move"
							 : "pivot_root");
		break;
	case PLAN_OPEN_SOURCE:
		buf_format(out, "%s%s%s%s%s", plan_get(plan, s->u.source.source.path),
			   s->u.source.source.is_inside ? " in the root" : "",
			   s->u.source.source.is_recursive ? " recursive" : "",
			   s->u.source.source.is_locked ? " locked" : "",
			   s->u.source.source.idmap_slot != PLAN_NO_SLOT ? " idmapped" : "");
		break;
	case PLAN_MOUNT:
		add_mount(out, plan, &s->u.mount);
		break;
	case PLAN_DEVICE:
		buf_format(out, "%s %c %u:%u mode %o%s", plan_get(plan, s->u.device.path), s->u.device.type,
			   s->u.device.major, s->u.device.minor, s->u.device.mode,
			   s->u.device.is_node    ? " bound from the parent"
			   : s->u.device.is_bound ? " bound from the host"
			   : s->u.device.is_found ? " must exist"
						  : "");
		break;
	case PLAN_MAKE_NODE:
		buf_format(out, "%s %c %u:%u mode %o owner %u:%u", plan_get(plan, s->u.node.device.path),
			   s->u.node.device.type, s->u.node.device.major, s->u.node.device.minor,
			   s->u.node.device.mode, s->u.node.device.host_uid, s->u.node.device.host_gid);
		break;
	case PLAN_LINK:
		buf_format(out, "%s to %s", plan_get(plan, s->u.link.path), plan_get(plan, s->u.link.target));
		break;
	case PLAN_SYSCTL:
		buf_format(out, "%s = %s", plan_get(plan, s->u.sysctl.key), plan_get(plan, s->u.sysctl.value));
		break;
	case PLAN_LABEL:
		buf_format(out, "%s %s", label_names[s->u.label.kind], plan_get(plan, s->u.label.text));
		break;
	case PLAN_PROPAGATION:
		buf_add_str(out, s->u.propagation.is_recursive ? "r" : "");
		add_bits(out, s->u.propagation.type, propagation_bits, ARRAY_SIZE(propagation_bits), ",");
		break;
	default:
		add_process_step(out, plan, s);
	}
}

static void add_unit(struct buf *out, const struct plan *plan, const struct plan_unit *unit)
{
	buf_format(out, "%s%s", plan_get(plan, unit->name), unit->is_user ? " of the user" : "");
	for (uint32_t i = 0; i + 2 < unit->properties.count; i += 3) {
		add_item(out, " ", plan_item(plan, unit->properties, i));
		add_item(out, "=", "");
		/* A list has one string on each line: print them with commas. */
		for (const char *c = plan_item(plan, unit->properties, i + 2); *c != '\0'; c++)
			if (*c != '\n' || c[1] != '\0')
				buf_add(out, *c == '\n' ? "," : c, 1);
	}
}

static void add_cgroup_step(struct buf *out, const struct plan *plan, const struct plan_step *s)
{
	switch ((enum plan_kind)s->kind) {
	case PLAN_UNIT_START:
	case PLAN_UNIT_SET:
		add_unit(out, plan, &s->u.unit);
		break;
	case PLAN_CGROUP_ENABLE:
		for (uint32_t i = 0; i < s->u.controllers.count; i++)
			add_item(out, i == 0 ? "" : " ", plan_item(plan, s->u.controllers, i));
		break;
	case PLAN_CGROUP_OWNER:
		buf_format(out, "uid %lld", (long long)s->u.number);
		break;
	case PLAN_CGROUP_DEVICES:
		add_rules(out, plan, s->u.devices);
		break;
	case PLAN_CGROUP_USAGE:
		buf_format(out, "%s at most %llu", plan_get(plan, s->u.usage.file),
			   (unsigned long long)s->u.usage.limit);
		break;
	case PLAN_CGROUP_WRITE:
		add_write(out, plan, &s->u.write);
		break;
	case PLAN_RESCTRL:
		add_resctrl(out, plan, &s->u.resctrl);
		break;
	case PLAN_NET_DEVICE:
		buf_format(out, "%s as %s", plan_get(plan, s->u.net_device.name),
			   plan_get(plan, s->u.net_device.new_name));
		break;
	default:
		add_rootfs_step(out, plan, s);
	}
}

static void add_detail(struct buf *out, const struct plan *plan, const struct plan_step *s)
{
	switch ((enum plan_kind)s->kind) {
	case PLAN_CGROUP_CREATE:
	case PLAN_OPEN_CGROUP:
	case PLAN_KEYRING:
	case PLAN_MAKE_CWD:
	case PLAN_HOSTNAME:
	case PLAN_DOMAINNAME:
	case PLAN_READONLY_PATH:
	case PLAN_MASK_PATH:
		add_item(out, "", plan_get(plan, s->u.text));
		break;
	case PLAN_OPEN_NAMESPACE:
		buf_format(out, "%s %s", spec_namespace_name((enum spec_ns)s->u.ns.ns),
			   plan_get(plan, s->u.ns.path));
		break;
	case PLAN_JOIN:
		buf_format(out, "%s%s", spec_namespace_name((enum spec_ns)s->u.ns.ns),
			   s->u.ns.is_tentative ? " if allowed" : "");
		break;
	case PLAN_ENTER:
		add_bits(out, s->u.container.namespaces, clone_bits, ARRAY_SIZE(clone_bits), " ");
		break;
	case PLAN_SPAWN:
		add_item(out, "", s->u.spawn.is_bridge ? "bridge" : "init");
		buf_add_str(out, s->u.spawn.flags != 0 ? " in new " : "");
		add_bits(out, s->u.spawn.flags, clone_bits, ARRAY_SIZE(clone_bits), " ");
		break;
	case PLAN_UNSHARE:
		add_bits(out, (uint64_t)s->u.number, clone_bits, ARRAY_SIZE(clone_bits), " ");
		break;
	case PLAN_ID_MAPS:
		buf_add_str(out, s->u.maps.is_joined ? "must be " : "");
		add_maps(out, plan, "uid", s->u.maps.uid);
		add_maps(out, plan, " gid", s->u.maps.gid);
		break;
	case PLAN_OPEN_IDMAP:
		add_maps(out, plan, "uid", s->u.idmap.maps.uid);
		add_maps(out, plan, " gid", s->u.idmap.maps.gid);
		break;
	case PLAN_TIME_OFFSETS:
		buf_format(out, "monotonic %lld.%u boottime %lld.%u", (long long)s->u.times.monotonic_secs,
			   s->u.times.monotonic_nanosecs, (long long)s->u.times.boottime_secs,
			   s->u.times.boottime_nanosecs);
		break;
	case PLAN_SEND:
	case PLAN_EXPECT:
		buf_add_str(out, protocol_step_name((enum protocol_step)s->u.step));
		break;
	case PLAN_SETUP_IDS:
		buf_format(out, "uid %u gid %u", s->u.ids.uid, s->u.ids.gid);
		break;
	case PLAN_HOOKS:
		add_hooks(out, plan, &s->u.hooks);
		break;
	default:
		add_cgroup_step(out, plan, s);
	}
}

void plan_print_step(const struct plan *plan, const struct plan_step *step, struct buf *out)
{
	const char *kind = kind_names[step->kind];

	buf_format(out, "%s%s%s", actor_names[step->actor], step->actor == PLAN_INIT ? "    " : "  ", kind);
	for (size_t len = strlen(kind); len < 17; len++)
		buf_add(out, " ", 1);
	add_detail(out, plan, step);
	while (out->data[out->len - 1] == ' ')
		out->data[--out->len] = '\0';
}

void plan_print(const struct plan *plan, struct buf *out)
{
	const struct plan_step *steps = plan_steps(plan);

	for (uint32_t i = 0; i < plan->step_count; i++) {
		plan_print_step(plan, &steps[i], out);
		buf_add(out, "\n", 1);
	}
}

void plan_print_json(const struct plan *plan, struct buf *out)
{
	const struct plan_step *steps = plan_steps(plan);
	struct json json;

	json_begin(&json, out, 2);
	json_array(&json);
	for (uint32_t i = 0; i < plan->step_count; i++) {
		_cleanup_buf_ struct buf detail = {0};

		buf_add(&detail, "", 0);
		add_detail(&detail, plan, &steps[i]);
		json_object(&json);
		json_pair(&json, "who", actor_names[steps[i].actor]);
		json_pair(&json, "step", kind_names[steps[i].kind]);
		json_pair(&json, "what", detail.data);
		if (steps[i].json_pointer != 0)
			json_pair(&json, "where", plan_get(plan, steps[i].json_pointer));
		json_object_end(&json);
	}
	json_array_end(&json);
	buf_add(out, "\n", 1);
}
