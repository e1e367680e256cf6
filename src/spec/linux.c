/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the linux section (runtime-spec config-linux.md), without resources and seccomp. */
#include <errno.h>
#include <linux/mempolicy.h>
#include <linux/personality.h>
#include <string.h>
#include <sys/stat.h>

#include "rows.h"

/* --- namespaces, id maps, time --------------------------------------------------------------------------- */

struct namespace_entry {
	enum spec_ns type;
	const char *path;
};

/* An empty path means a new namespace: some writers cannot omit a string and write "". */
static void parse_namespace_path(struct reader *reader, const struct dom_node *node, const struct field *field,
				 void *target)
{
	if (node->type != DOM_STRING || node->text[0] != '\0')
		field_absolute(reader, node, field, target);
}

static const struct field namespace_fields[] = {
	FIELD("type", field_enum, struct namespace_entry, type, .detail = &spec_names_namespace, REQUIRED),
	FIELD("path", parse_namespace_path, struct namespace_entry, path),
};
static const struct table namespace_table = TABLE(namespace_fields);

static void parse_namespaces(struct reader *reader, const struct dom_node *node, const struct field *field,
			     void *target)
{
	struct spec *spec = target;
	int findings = reader->findings;

	(void)field;
	if (reader_expect(reader, node, DOM_ARRAY))
		node = node->first;
	else
		node = NULL;
	for (; node != NULL; node = node->next) {
		struct namespace_entry entry = {0};

		if (!reader_object(reader, node, &namespace_table, &entry))
			continue;
		if (spec->namespaces[entry.type].is_set)
			reader_refuse_key(reader, node, "type", "namespace '%s' given twice",
					  spec_namespace_name(entry.type));
		spec->namespaces[entry.type] = (struct spec_namespace){true, entry.path, node->index};
	}
	if (reader->findings > findings)
		reader->has_bad_namespaces = true;
}

static void check_id_map(struct reader *reader, const struct dom_node *node, void *target)
{
	const struct spec_id_range *map = target;

	if ((uint64_t)map->container_id + map->size > UINT32_MAX)
		reader_refuse_key(reader, node, "size",
				  "%u ids from containerID %u exceed the highest id, 4294967294", map->size,
				  map->container_id);
	if ((uint64_t)map->host_id + map->size > UINT32_MAX)
		reader_refuse_key(reader, node, "size",
				  "%u ids from hostID %u exceed the highest id, 4294967294", map->size,
				  map->host_id);
}

static const struct field id_map_fields[] = {
	FIELD("containerID", field_u32, struct spec_id_range, container_id, RANGE(0, ID_MAX), REQUIRED),
	FIELD("hostID", field_u32, struct spec_id_range, host_id, RANGE(0, ID_MAX), REQUIRED),
	FIELD("size", field_u32, struct spec_id_range, size, RANGE(1, UINT32_MAX), REQUIRED),
};
const struct table spec_table_id_map =
	TABLE(id_map_fields, .size = sizeof(struct spec_id_range), .check = check_id_map);

static const struct field offset_fields[] = {
	FIELD("secs", field_i64, struct spec_time_offset, secs),
	FIELD("nanosecs", field_u32, struct spec_time_offset, nanosecs, RANGE(0, 999999999)),
};
static const struct table offset_table = TABLE(offset_fields);

static const struct field time_fields[] = {
	OBJECT("monotonic", struct spec, monotonic_offset, offset_table,
	       SET(struct spec, monotonic_offset.is_set)),
	OBJECT("boottime", struct spec, boottime_offset, offset_table,
	       SET(struct spec, boottime_offset.is_set)),
};
static const struct table time_table = TABLE(time_fields);

/* --- devices --------------------------------------------------------------------------------------------- */

static void parse_device_type(struct reader *reader, const struct dom_node *node, const struct field *field,
			      void *target)
{
	struct spec_device *device = target;
	const char *type = node->text;

	(void)field;
	if (!reader_expect(reader, node, DOM_STRING))
		return;
	if (type[0] == '\0' || type[1] != '\0' || strchr("cbup", type[0]) == NULL)
		reader_refuse(reader, node, "must be 'c', 'u', 'b' or 'p', not %s", reader_quote(reader, type));
	else
		device->type = type[0] == 'u' ? 'c' : type[0];
}

/*
 * Stores the path without empty and "." components. ".." is kept: it has to be resolved in the file system,
 * because the component before it may be a symbolic link.
 */
static void parse_device_path(struct reader *reader, const struct dom_node *node, const struct field *field,
			      void *target)
{
	struct spec_device *device = target;
	size_t len = 0, part = 0;
	char *path;

	(void)field;
	if (!reader_expect(reader, node, DOM_STRING))
		return;
	if (node->text[0] != '/') {
		reader_refuse(reader, node, "must be an absolute path, not %s",
			      reader_quote(reader, node->text));
		return;
	}
	path = arena_alloc(reader->arena, strlen(node->text) + 1);
	for (const char *at = node->text; *at != '\0'; at += part) {
		at += strspn(at, "/");
		part = strcspn(at, "/");
		if (part == 0 || (part == 1 && at[0] == '.'))
			continue;
		path[len++] = '/';
		memcpy(path + len, at, part);
		len += part;
	}
	path[len] = '\0';
	if (len == 0 || str_equal(strrchr(path, '/'), "/.."))
		reader_refuse(reader, node, "must be the path of a file, not %s",
			      reader_quote(reader, node->text));
	device->path = path;
}

static void check_device(struct reader *reader, const struct dom_node *node, void *target)
{
	struct spec_device *device = target;
	mode_t format = device->type == 'c' ? S_IFCHR : device->type == 'b' ? S_IFBLK : S_IFIFO;

	if (device->type != 'p' && dom_member(node, "major") == NULL)
		reader_refuse_key(reader, node, "major", "is required");
	if (device->type != 'p' && dom_member(node, "minor") == NULL)
		reader_refuse_key(reader, node, "minor", "is required");
	/* 0 is allowed: some writers cannot omit a number. */
	if (device->type == 'p' && device->major != 0)
		reader_refuse_key(reader, node, "major", "must be 0 or absent for a device of type 'p'");
	if (device->type == 'p' && device->minor != 0)
		reader_refuse_key(reader, node, "minor", "must be 0 or absent for a device of type 'p'");
	/* Engines copy st_mode, which includes the type of the file. */
	if ((device->file_mode.value & S_IFMT) == format)
		device->file_mode.value &= ~(uint64_t)S_IFMT;
	if (device->file_mode.value > 07777)
		reader_refuse_key(reader, node, "fileMode", "must be permission bits (0 to 4095), not %llu",
				  (unsigned long long)device->file_mode.value);
}

static const struct field device_fields[] = {
	FIELD("type", parse_device_type, struct spec_device, type, REQUIRED),
	FIELD("path", parse_device_path, struct spec_device, path, REQUIRED),
	FIELD("major", field_i64, struct spec_device, major, RANGE(0, 0xfff)),
	FIELD("minor", field_i64, struct spec_device, minor, RANGE(0, 0xfffff)),
	FIELD("fileMode", field_opt_uint, struct spec_device, file_mode, RANGE(0, UINT32_MAX)),
	FIELD("uid", field_opt_uint, struct spec_device, uid, RANGE(0, ID_MAX)),
	FIELD("gid", field_opt_uint, struct spec_device, gid, RANGE(0, ID_MAX)),
};
static const struct table device_table =
	TABLE(device_fields, .size = sizeof(struct spec_device), .check = check_device);

static bool is_contradiction(const struct spec_uint *a, const struct spec_uint *b)
{
	return a->is_set && b->is_set && a->value != b->value;
}

static void merge(struct spec_uint *into, const struct spec_uint *from)
{
	if (!into->is_set)
		*into = *from;
}

/*
 * Engines list a device once for each request for it. Merges the properties of a repetition into the first one;
 * false if they contradict each other.
 */
static bool merge_device(struct spec_device *into, struct spec_device *again)
{
	if (into->type != again->type || into->major != again->major || into->minor != again->minor ||
	    is_contradiction(&into->file_mode, &again->file_mode) ||
	    is_contradiction(&into->uid, &again->uid) || is_contradiction(&into->gid, &again->gid))
		return false;
	merge(&into->file_mode, &again->file_mode);
	merge(&into->uid, &again->uid);
	merge(&into->gid, &again->gid);
	again->is_repeated = true;
	return true;
}

static void parse_devices(struct reader *reader, const struct dom_node *node, const struct field *field,
			  void *target)
{
	struct spec *spec = target;
	int findings = reader->findings;
	struct named *paths;
	size_t first = 0;

	field_array(reader, node, field, target);
	if (node->type != DOM_ARRAY || reader->findings > findings)
		return;
	paths = arena_alloc(reader->scratch, node->count * sizeof *paths);
	for (const struct dom_node *item = node->first; item != NULL; item = item->next) {
		const char *path = spec->devices[item->index].path;

		paths[item->index] = (struct named){path, strlen(path), item->index, item};
	}
	reader_named_sort(paths, node->count);
	for (size_t i = 1; i < node->count; i++) {
		if (!reader_named_equal(&paths[first], &paths[i]))
			first = i;
		else if (!merge_device(&spec->devices[paths[first].index], &spec->devices[paths[i].index]))
			reader_refuse_key(reader, paths[i].node, "path",
					  "device %s given twice, with different properties",
					  reader_quote(reader, paths[i].name));
	}
}

/* --- network devices ------------------------------------------------------------------------------------- */

#define IFNAME_MAX 15 /* IFNAMSIZ - 1 */

static bool is_interface_name(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= IFNAME_MAX && strcspn(name, "/: \t\n\v\f\r") == len && !str_equal(name, ".") &&
	       !str_equal(name, "..");
}

/* The kernel replaces a single "%d" by a number and refuses any other "%". name contains a "%". */
static bool is_template(const char *name)
{
	const char *percent = strchr(name, '%');

	return percent[1] == 'd' && strchr(percent + 1, '%') == NULL;
}

static void check_net_device(struct reader *reader, const struct dom_node *node, void *target)
{
	const struct spec_net_device *device = target;
	const char *name = device->container_name;

	if (!is_interface_name(device->host_name))
		reader_refuse(reader, node, "%s is not a valid interface name",
			      reader_quote(reader, device->host_name));
	if (name == NULL)
		return;
	if (!is_interface_name(name))
		reader_refuse_key(reader, node, "name", "%s is not a valid interface name",
				  reader_quote(reader, name));
	else if (strchr(name, '%') != NULL && !is_template(name))
		reader_refuse_key(reader, node, "name", "%s must have '%%d' once, and no other '%%'",
				  reader_quote(reader, name));
}

static const struct field net_device_fields[] = {
	FIELD("name", field_text, struct spec_net_device, container_name),
};
static const struct table net_device_table = TABLE(net_device_fields, .size = sizeof(struct spec_net_device),
						   .key_offset = offsetof(struct spec_net_device, host_name),
						   .check = check_net_device);

static void parse_net_devices(struct reader *reader, const struct dom_node *node, const struct field *field,
			      void *target)
{
	struct named *names;
	size_t count = 0;

	field_keyed(reader, node, field, target);
	if (node->type != DOM_OBJECT)
		return;
	names = arena_alloc(reader->scratch, node->count * sizeof *names);
	for (const struct dom_node *item = node->first; item != NULL; item = item->next) {
		const struct dom_node *name = dom_member(item, "name");
		const char *text = item->key;

		if (name != NULL && name->type == DOM_STRING && name->text[0] != '\0')
			text = name->text;
		if (strchr(text, '%') == NULL)
			names[count++] = (struct named){text, strlen(text), item->index, item};
	}
	reader_refuse_duplicates(reader, names, count, "interface name");
}

/* --- cgroup path, sysctls -------------------------------------------------------------------------------- */

/* runtime-spec allows refusing paths. A ".." could lead out of the cgroup that the engine delegated. */
static void parse_cgroups_path(struct reader *reader, const struct dom_node *node, const struct field *field,
			       void *target)
{
	int findings = reader->findings;

	if (!reader_expect(reader, node, DOM_STRING))
		return;
	for (const char *part = node->text; part != NULL; part = strchr(part, '/')) {
		part += *part == '/';
		if (strcspn(part, "/") == 2 && str_has_prefix(part, "..")) {
			reader_refuse(reader, node, "must not contain '..', as %s does",
				      reader_quote(reader, node->text));
			break;
		}
	}
	if (reader->findings == findings)
		field_text(reader, node, field, target);
}

static const char *sysctl_path(struct reader *reader, const struct dom_node *node)
{
	size_t size = strlen(node->key) + 1;
	char *path = arena_alloc(reader->scratch, size);

	if (spec_sysctl_path(node->key, path, size) < 0)
		reader_refuse(reader, node, "%s is not a valid name of a sysctl",
			      reader_quote(reader, node->key));
	else if (str_equal(path, "kernel/hostname"))
		reader_refuse(reader, node, "must not be set: use the property /hostname");
	else if (spec_sysctl_owner(node->key) == SPEC_SYSCTL_FORBIDDEN)
		reader_refuse(reader, node, "sysctl %s belongs to no namespace: it would change the host",
			      reader_quote(reader, node->key));
	return path;
}

static void parse_sysctl(struct reader *reader, const struct dom_node *node, const struct field *field,
			 void *target)
{
	struct spec *spec = target;
	struct named *paths;
	size_t count = 0;

	field_map(reader, node, field, target);
	if (node->type != DOM_OBJECT || spec->sysctl.count != node->count)
		return;
	paths = arena_alloc(reader->scratch, node->count * sizeof *paths);
	for (const struct dom_node *item = node->first; item != NULL; item = item->next) {
		const char *path = sysctl_path(reader, item);

		paths[count++] = (struct named){path, strlen(path), item->index, item};
	}
	reader_refuse_duplicates(reader, paths, count, "sysctl");
}

/* --- resctrl --------------------------------------------------------------------------------------------- */

static bool check_schema(struct reader *reader, const struct dom_node *node, const void *detail)
{
	bool is_valid = node->text[0] != '\0' && strchr(node->text, '\n') == NULL;

	(void)detail;
	if (!is_valid)
		reader_refuse(reader, node, "must be a single line that is not empty");
	return is_valid;
}

static void parse_schema(struct reader *reader, const struct dom_node *node, const struct field *field,
			 void *target)
{
	const char *prefix = field->detail;

	if (!reader_expect(reader, node, DOM_STRING) || node->text[0] == '\0')
		return;
	if (prefix != NULL && !str_has_prefix(node->text, prefix))
		reader_refuse(reader, node, "must begin with '%s', not be %s", prefix,
			      reader_quote(reader, node->text));
	else if (check_schema(reader, node, NULL))
		field_text(reader, node, field, target);
}

static void parse_schemata(struct reader *reader, const struct dom_node *node, const struct field *field,
			   void *target)
{
	struct spec *spec = target;

	(void)field;
	reader_strings(reader, node, check_schema, NULL, &spec->intel_rdt.schemata);
}

static void check_intel_rdt(struct reader *reader, const struct dom_node *node, void *target)
{
	const char *id = ((const struct spec *)target)->intel_rdt.clos_id;

	if (id == NULL || str_equal(id, "/"))
		return;
	if (strpbrk(id, "/\n") != NULL || str_equal(id, ".") || str_equal(id, ".."))
		reader_refuse_key(reader, node, "closID", "must be '/' or a directory's name, not %s",
				  reader_quote(reader, id));
}

static const struct field intel_rdt_fields[] = {
	FIELD("closID", field_text, struct spec, intel_rdt.clos_id),
	FIELD("l3CacheSchema", parse_schema, struct spec, intel_rdt.l3_cache_schema),
	FIELD("memBwSchema", parse_schema, struct spec, intel_rdt.mem_bw_schema, .detail = "MB:"),
	FIELD("schemata", parse_schemata, struct spec, intel_rdt.schemata),
	FIELD("enableMonitoring", field_bool, struct spec, intel_rdt.enable_monitoring),
};
static const struct table intel_rdt_table = TABLE(intel_rdt_fields, .check = check_intel_rdt);

/* --- memory policy, personality -------------------------------------------------------------------------- */

/* Since Linux 6.9; headers of older kernels do not define it. */
#define WEIGHTED_INTERLEAVE 6

static const struct name memory_modes[] = {
	{"MPOL_DEFAULT", MPOL_DEFAULT},       {"MPOL_BIND", MPOL_BIND},
	{"MPOL_INTERLEAVE", MPOL_INTERLEAVE}, {"MPOL_WEIGHTED_INTERLEAVE", WEIGHTED_INTERLEAVE},
	{"MPOL_PREFERRED", MPOL_PREFERRED},   {"MPOL_PREFERRED_MANY", MPOL_PREFERRED_MANY},
	{"MPOL_LOCAL", MPOL_LOCAL},
};
static const struct name_table memory_mode_names = NAMES("memory policy", memory_modes);

static const char *memory_mode_name(int index)
{
	return names_at(&memory_mode_names, index);
}

static const struct name memory_flags[] = {
	{"MPOL_F_NUMA_BALANCING", MPOL_F_NUMA_BALANCING},
	{"MPOL_F_RELATIVE_NODES", MPOL_F_RELATIVE_NODES},
	{"MPOL_F_STATIC_NODES", MPOL_F_STATIC_NODES},
};
static const struct name_table memory_flag_names = NAMES("memory policy flag", memory_flags);

static const char *memory_flag_name(int index)
{
	return names_at(&memory_flag_names, index);
}

static void parse_nodes(struct reader *reader, const struct dom_node *node, const struct field *field,
			void *target)
{
	struct spec_memory_policy *policy = target;

	(void)field;
	if (reader_expect(reader, node, DOM_STRING) &&
	    reader_list(reader, node, policy->nodes, SPEC_NODE_WORDS) == -ERANGE)
		reader_refuse(reader, node, "a node number is %d or larger", SPEC_NODE_WORDS * 64);
}

static void check_memory_policy(struct reader *reader, const struct dom_node *node, void *target)
{
	const struct spec_memory_policy *policy = target;
	const char *mode = dom_member(node, "mode")->text;
	int value = policy->mode;
	uint32_t flags = policy->flags;
	uint32_t both = MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES;
	bool has_nodes = false;

	for (size_t i = 0; i < SPEC_NODE_WORDS; i++)
		has_nodes = has_nodes || policy->nodes[i] != 0;
	if (value == MPOL_DEFAULT || value == MPOL_LOCAL) {
		if (has_nodes)
			reader_refuse_key(reader, node, "nodes", "%s accepts no nodes", mode);
	} else if (value != MPOL_PREFERRED && !has_nodes) {
		reader_refuse_key(reader, node, "nodes", "%s needs at least one node", mode);
	}
	if ((flags & both) == both)
		reader_refuse_key(reader, node, "flags",
				  "MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES must not be combined");
	if ((flags & MPOL_F_NUMA_BALANCING) != 0 && value != MPOL_BIND && value != MPOL_PREFERRED_MANY)
		reader_refuse_key(reader, node, "flags",
				  "MPOL_F_NUMA_BALANCING needs MPOL_BIND or MPOL_PREFERRED_MANY, not %s", mode);
}

static const struct field memory_policy_fields[] = {
	FIELD("mode", field_enum, struct spec_memory_policy, mode, .detail = &memory_mode_names, REQUIRED),
	{.key = "nodes", .parse = parse_nodes},
	FIELD("flags", field_flags32, struct spec_memory_policy, flags, .detail = &memory_flag_names),
};
static const struct table memory_policy_table = TABLE(memory_policy_fields, .check = check_memory_policy);

static const struct name personalities[] = {
	{"LINUX", PER_LINUX},
	{"LINUX32", PER_LINUX32},
};
static const struct name_table personality_names = NAMES("personality domain", personalities);

/* runtime-spec 1.3.0 defines no flags. */
static void parse_personality_flags(struct reader *reader, const struct dom_node *node,
				    const struct field *field, void *target)
{
	(void)field;
	(void)target;
	if (!reader_expect(reader, node, DOM_ARRAY))
		return;
	for (const struct dom_node *item = node->first; item != NULL; item = item->next)
		if (reader_expect(reader, item, DOM_STRING))
			reader_refuse(reader, item, "unknown personality flag %s",
				      reader_quote(reader, item->text));
}

static const struct field personality_fields[] = {
	FIELD("domain", field_enum, struct spec, process.attributes.personality.domain,
	      .detail = &personality_names, REQUIRED),
	{.key = "flags", .parse = parse_personality_flags},
};
static const struct table personality_table = TABLE(personality_fields);

static const struct name propagations[] = {
	{"shared", SPEC_PROPAGATION_SHARED},     {"slave", SPEC_PROPAGATION_SLAVE},
	{"private", SPEC_PROPAGATION_PRIVATE},   {"unbindable", SPEC_PROPAGATION_UNBINDABLE},
	{"rshared", SPEC_PROPAGATION_RSHARED},   {"rslave", SPEC_PROPAGATION_RSLAVE},
	{"rprivate", SPEC_PROPAGATION_RPRIVATE}, {"runbindable", SPEC_PROPAGATION_RUNBINDABLE},
};
static const struct name_table propagation_names = NAMES("propagation", propagations);

static void parse_propagation(struct reader *reader, const struct dom_node *node, const struct field *field,
			      void *target)
{
	if (node->type != DOM_STRING || node->text[0] != '\0')
		field_enum(reader, node, field, target);
}

/* --- linux ----------------------------------------------------------------------------------------------- */

static const struct field linux_fields[] = {
	FIELD("namespaces", parse_namespaces, struct spec, namespaces),
	ARRAY("uidMappings", struct spec, uid_mappings.v, uid_mappings.count, spec_table_id_map),
	ARRAY("gidMappings", struct spec, gid_mappings.v, gid_mappings.count, spec_table_id_map),
	INLINE_OBJECT("timeOffsets", time_table),
	FIELD("devices", parse_devices, struct spec, devices,
	      .count_offset = offsetof(struct spec, device_count), .detail = &device_table),
	FIELD("netDevices", parse_net_devices, struct spec, net_devices,
	      .count_offset = offsetof(struct spec, net_device_count), .detail = &net_device_table),
	FIELD("cgroupsPath", parse_cgroups_path, struct spec, cgroups_path),
	OBJECT("resources", struct spec, resources, spec_table_resources),
	INLINE_OBJECT("intelRdt", intel_rdt_table, SET(struct spec, intel_rdt.is_set)),
	OBJECT("memoryPolicy", struct spec, process.attributes.memory_policy, memory_policy_table,
	       SET(struct spec, process.attributes.memory_policy.is_set)),
	FIELD("sysctl", parse_sysctl, struct spec, sysctl),
	OBJECT("seccomp", struct spec, seccomp, spec_table_seccomp, SET(struct spec, seccomp.is_set)),
	FIELD("rootfsPropagation", parse_propagation, struct spec, rootfs_propagation,
	      .detail = &propagation_names),
	FIELD("maskedPaths", field_absolute_list, struct spec, masked_paths),
	FIELD("readonlyPaths", field_absolute_list, struct spec, readonly_paths),
	FIELD("mountLabel", field_text, struct spec, mount_label),
	INLINE_OBJECT("personality", personality_table,
		      SET(struct spec, process.attributes.personality.is_set)),
};
const struct table spec_table_linux = TABLE(linux_fields);

const struct spec_feature *spec_features(void)
{
	static const struct spec_feature features[] = {
		{"memoryPolicy", "modes", memory_mode_name},
		{"memoryPolicy", "flags", memory_flag_name},
		{NULL},
	};

	return features;
}
