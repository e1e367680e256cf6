/* SPDX-License-Identifier: Apache-2.0 */
/* New file systems: their options, and what is mounted if the kernel refuses one. Process: the parent. */
#include <stdlib.h>
#include <string.h>

#include "filesystem.h"

#define PROC_ANNOTATION "org.tare.proc"

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

/* Whether a group id has no mapping in the container's user namespace. False also if that is unknown. */
static bool is_unmapped_gid(const struct builder *b, uint64_t id)
{
	const struct host *host = b->host;
	uint32_t i = 0;

	if (b->has_new_user || b->spec->gid_mappings.count > 0)
		return plan_find_range(&b->spec->gid_mappings, id) == NULL;
	if (host->gid_range_count == 0 || !plan_has_callers(b, SPEC_NS_USER))
		return false;
	while (i < host->gid_range_count &&
	       (id < host->gids[i].first || id - host->gids[i].first >= host->gids[i].size))
		i++;
	return i == host->gid_range_count;
}

/* The text of an option mode=, without the rights of the group. One that is no mode is left to the kernel. */
static char *mode_without_group(struct builder *b, char *text)
{
	const char *digits = text + strlen("mode=");

	if (digits[0] == '\0' || digits[strspn(digits, "01234567")] != '\0')
		return text;
	return arena_format(&b->arena, "mode=%llo", strtoull(digits, NULL, 8) & ~070ull);
}

/*
 * No process of the container can have a group that is not mapped. A devpts (gid=5 by habit) is then mounted
 * without it, and the mode of its terminals without rights of the group: otherwise that would be the group of
 * the process that opens a terminal. Access to the terminals is the same as requested.
 */
void filesystem_drop_group(struct builder *b, const struct spec_mount *m, struct plan_options *o)
{
	uint64_t id;
	size_t count = 0;
	bool is_dropped = false;

	for (size_t i = 0; str_equal(m->type, "devpts") && i < o->data.count; i++)
		is_dropped |= str_has_prefix(o->data.v[i], "gid=") &&
			      str_to_u64(o->data.v[i] + 4, UINT32_MAX, &id) && is_unmapped_gid(b, id);
	for (size_t i = 0; is_dropped && i < o->data.count; i++) {
		char *text = o->data.v[i];

		if (str_has_prefix(text, "gid=")) {
			builder_note(b, builder_mount_pointer(b, m, NULL),
				     "option '%s' is omitted: the group is not mapped, and no group has access "
				     "to the terminals",
				     text);
			continue;
		}
		o->data.v[count++] = str_has_prefix(text, "mode=") ? mode_without_group(b, text) : text;
	}
	if (is_dropped)
		o->data.count = count;
}

/* The kernel only returns EINVAL for these, so the cause is found here. */
void filesystem_check_owners(struct builder *b, const struct plan_options *o, const char *json_pointer)
{
	if (!b->has_new_user)
		return;
	for (size_t i = 0; i < o->data.count; i++) {
		const char *text = o->data.v[i];
		bool is_uid = str_has_prefix(text, "uid="), is_gid = str_has_prefix(text, "gid=");
		uint64_t id;

		if ((!is_uid && !is_gid) || !str_to_u64(text + 4, UINT32_MAX, &id))
			continue;
		if (plan_find_range(is_uid ? &b->spec->uid_mappings : &b->spec->gid_mappings, id) == NULL)
			builder_finding(b, ERR_CONFIG, json_pointer,
					"option '%s': the id is not mapped in the container's user namespace",
					text);
	}
}

static bool has_option(const struct plan_options *o, const char *prefix)
{
	for (size_t i = 0; i < o->data.count; i++)
		if (str_has_prefix(o->data.v[i], prefix))
			return true;
	return false;
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

/* The names of --proc and of the annotation. */
static const struct {
	const char *name;
	uint32_t ways;
} proc_ways[] = {
	{"auto", PLAN_WAY_NEW | PLAN_WAY_SUBSET | PLAN_WAY_COPY},
	{"fresh", PLAN_WAY_NEW},
	{"subset", PLAN_WAY_SUBSET},
	{"bind", PLAN_WAY_COPY},
};

/*
 * Without a user namespace of its own, root of the container has the ids and often the capabilities of other
 * processes in that /proc: it could read their memory maps and environments, enter their root directories and
 * set their oom_score_adj. A caller that is root of the host can mount a fresh procfs instead.
 */
static bool is_bind_exposing(const struct builder *b)
{
	return !plan_has_callers(b, SPEC_NS_PID) && plan_has_callers(b, SPEC_NS_USER) &&
	       !b->host->is_in_user_ns;
}

/* Whether the parent may have to make the procfs: it needs the rights in its own mount namespace. */
static uint32_t parents_way(const struct builder *b)
{
	return b->has_user && b->host->is_mounting && plan_is_new(b->spec, SPEC_NS_PID) ? PLAN_WAY_PARENT : 0;
}

/* The request for a bind of the caller's /proc. */
static void check_bind(struct builder *b, const struct plan_options *o, const char *json_pointer)
{
	if (o->data.count > 0)
		builder_finding(b, ERR_CONFIG, json_pointer,
				"option '%s' needs a procfs of the container's own: a bind cannot have it",
				o->data.v[0]);
	if (is_bind_exposing(b))
		builder_finding(b, ERR_CONFIG, json_pointer,
				"a bind of the caller's /proc would open the processes of other containers to "
				"this one, which has no user namespace");
}

/*
 * The caller's /proc shows the processes of its pid namespace. For a container in another one that would be
 * more than a new procfs shows, so it is used only on request. The options of a procfs, such as hidepid, are
 * those of its mount: a bind has others.
 */
static uint32_t requested_proc(struct builder *b, const struct plan_options *o, const char *json_pointer)
{
	const char *requested = b->request->proc, *at = NULL;
	size_t i = 0;

	if (requested == NULL) {
		requested = spec_annotation(b->spec, PROC_ANNOTATION);
		at = "/annotations/" PROC_ANNOTATION;
	}
	if (requested == NULL)
		requested = proc_ways[0].name;
	while (i < ARRAY_SIZE(proc_ways) && !str_equal(requested, proc_ways[i].name))
		i++;
	if (i == ARRAY_SIZE(proc_ways)) {
		builder_finding(b, at == NULL ? ERR_USAGE : ERR_CONFIG, at,
				"'%.100s' is no way to mount /proc: auto, fresh, subset or bind", requested);
		return PLAN_WAY_NEW;
	}
	if (proc_ways[i].ways == PLAN_WAY_COPY)
		check_bind(b, o, json_pointer);
	if (i == 0 && (o->data.count > 0 || !plan_has_callers(b, SPEC_NS_PID)))
		return proc_ways[0].ways & ~PLAN_WAY_COPY;
	return proc_ways[i].ways;
}

static struct plan_texts subset_options(struct builder *b, const struct plan_options *o)
{
	char **v = arena_alloc(&b->arena, (o->data.count + 1) * sizeof *v);
	size_t count = 0;

	for (size_t i = 0; i < o->data.count; i++)
		if (!str_has_prefix(o->data.v[i], "subset="))
			v[count++] = o->data.v[i];
	v[count++] = arena_format(&b->arena, "subset=pid");
	return builder_texts(b, v, count);
}

/*
 * The kernel refuses a new procfs, sysfs or mqueue to a user namespace that does not own the namespace that it
 * shows. If that is the caller's, the caller's mount shows the same. It also refuses a procfs or sysfs if parts
 * of the caller's are covered (mount_namespaces(7)): the caller's /sys then shows other network devices, but it
 * is made read-only, and its files are the kernel's.
 */
static void plan_ways(struct builder *b, struct plan_mount *mount, const struct plan_options *o,
		      const char *json_pointer)
{
	const char *type = builder_get(b, mount->type);
	bool is_callers;

	mount->ways = PLAN_WAY_NEW;
	if (str_equal(type, "proc")) {
		mount->ways = requested_proc(b, o, json_pointer);
		if ((mount->ways & PLAN_WAY_NEW) != 0)
			mount->ways |= parents_way(b);
		mount->subset_options = subset_options(b, o);
	} else if (str_equal(type, "sysfs")) {
		is_callers = plan_has_callers(b, SPEC_NS_NETWORK);
		mount->is_fallback_readonly = !is_callers;
		if (is_callers || plan_is_new(b->spec, SPEC_NS_NETWORK))
			mount->ways |= PLAN_WAY_COPY;
	} else if (str_equal(type, "mqueue") && plan_has_callers(b, SPEC_NS_IPC)) {
		mount->ways |= PLAN_WAY_COPY;
	}
}

/* A read-only tmpfs stays writable until the devices and the targets of later mounts are created in it. */
void filesystem_plan(struct builder *b, struct plan_mount *mount, const struct plan_options *o,
		     const char *json_pointer)
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
	mount->is_fallback_readonly = mount->is_cgroup && b->has_user &&
				      !b->spec->namespaces[SPEC_NS_CGROUP].is_set;
	plan_ways(b, mount, o, json_pointer);
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
