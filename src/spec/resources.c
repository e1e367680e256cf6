/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of linux.resources (runtime-spec config-linux.md, Control groups). */
#include <string.h>

#include "rows.h"

#define MAJOR_MAX 0xfff
#define MINOR_MAX 0xfffff

/* Types of anonymous structs in spec.h. */
#define HUGEPAGE_LIMIT __typeof__(*(((struct spec_resources *)NULL)->hugepage_limits))
#define PRIORITY __typeof__(*(((struct spec_resources *)NULL)->network.priorities))
#define RDMA __typeof__(*(((struct spec_resources *)NULL)->rdma))

/* --- devices --------------------------------------------------------------------------------------------- */

static void parse_rule_type(struct reader *reader, const struct dom_node *node, const struct field *field,
			    void *target)
{
	struct spec_device_rule *rule = target;
	const char *type = node->text;

	(void)field;
	if (!reader_expect(reader, node, DOM_STRING) || type[0] == '\0')
		return;
	if (type[1] != '\0' || strchr("abc", type[0]) == NULL)
		reader_refuse(reader, node, "must be 'a', 'b' or 'c', not %s", reader_quote(reader, type));
	else
		rule->type = type[0];
}

static void parse_access(struct reader *reader, const struct dom_node *node, const struct field *field,
			 void *target)
{
	struct spec_device_rule *rule = target;
	const char *access = node->text;

	(void)field;
	if (!reader_expect(reader, node, DOM_STRING))
		return;
	if (access[0] == '\0' || access[strspn(access, "rwm")] != '\0')
		reader_refuse(reader, node, "must consist of 'r', 'w' and 'm', not %s",
			      reader_quote(reader, access));
	rule->access = (uint8_t)((strchr(access, 'r') != NULL ? SPEC_ACCESS_READ : 0) |
				 (strchr(access, 'w') != NULL ? SPEC_ACCESS_WRITE : 0) |
				 (strchr(access, 'm') != NULL ? SPEC_ACCESS_MKNOD : 0));
}

/* An omitted type, major, minor or access means all. */
static void check_rule(struct reader *reader, const struct dom_node *node, void *target)
{
	struct spec_device_rule *rule = target;

	(void)reader;
	if (rule->type == '\0')
		rule->type = 'a';
	if (dom_member(node, "major") == NULL)
		rule->major = -1;
	if (dom_member(node, "minor") == NULL)
		rule->minor = -1;
	if (dom_member(node, "access") == NULL)
		rule->access = SPEC_ACCESS_READ | SPEC_ACCESS_WRITE | SPEC_ACCESS_MKNOD;
}

static const struct field rule_fields[] = {
	FIELD("allow", field_bool, struct spec_device_rule, allow, REQUIRED),
	FIELD("type", parse_rule_type, struct spec_device_rule, type),
	FIELD("major", field_i64, struct spec_device_rule, major, RANGE(-1, MAJOR_MAX)),
	FIELD("minor", field_i64, struct spec_device_rule, minor, RANGE(-1, MINOR_MAX)),
	{.key = "access", .parse = parse_access},
};
static const struct table rule_table =
	TABLE(rule_fields, .size = sizeof(struct spec_device_rule), .check = check_rule);

/* --- memory, cpu, pids ----------------------------------------------------------------------------------- */

#define LIMIT(key, member) FIELD(key, field_opt_int, struct spec_resources, member, RANGE(-1, INT64_MAX))
static const struct field memory_fields[] = {
	LIMIT("limit", memory.limit),
	LIMIT("reservation", memory.reservation),
	LIMIT("swap", memory.swap),
	LIMIT("kernel", memory.kernel),
	LIMIT("kernelTCP", memory.kernel_tcp),
	FIELD("swappiness", field_opt_uint, struct spec_resources, memory.swappiness, RANGE(0, 100)),
	FIELD("disableOOMKiller", field_opt_bool, struct spec_resources, memory.disable_oom_killer),
	FIELD("useHierarchy", field_opt_bool, struct spec_resources, memory.use_hierarchy),
	FIELD("checkBeforeUpdate", field_opt_bool, struct spec_resources, memory.check_before_update),
};
static const struct table memory_table = TABLE(memory_fields);

static void check_cpu(struct reader *reader, const struct dom_node *node, void *target)
{
	const struct spec_resources *resources = target;
	uint64_t burst = resources->cpu.burst.value;
	int64_t quota = resources->cpu.quota.value;

	if (quota > 0 && burst > (uint64_t)quota)
		reader_refuse_key(reader, node, "burst", "must not be above the quota of %lld, not %llu",
				  (long long)quota, (unsigned long long)burst);
}

static const struct field cpu_fields[] = {
	FIELD("shares", field_opt_uint, struct spec_resources, cpu.shares),
	LIMIT("quota", cpu.quota),
	FIELD("burst", field_opt_uint, struct spec_resources, cpu.burst),
	FIELD("period", field_opt_uint, struct spec_resources, cpu.period),
	FIELD("realtimePeriod", field_opt_uint, struct spec_resources, cpu.realtime_period),
	LIMIT("realtimeRuntime", cpu.realtime_runtime),
	FIELD("cpus", field_cpu_list, struct spec_resources, cpu.cpus),
	FIELD("mems", field_cpu_list, struct spec_resources, cpu.mems),
	FIELD("idle", field_opt_int, struct spec_resources, cpu.idle, RANGE(0, 1)),
};
static const struct table cpu_table = TABLE(cpu_fields, .check = check_cpu);

static const struct field pids_fields[] = {
	FIELD("limit", field_opt_int, struct spec_resources, pids_limit, RANGE(-1, INT64_MAX), REQUIRED),
};
static const struct table pids_table = TABLE(pids_fields);

/* --- block I/O ------------------------------------------------------------------------------------------- */

static void parse_weight(struct reader *reader, const struct dom_node *node, const struct field *field,
			 void *target)
{
	struct spec_uint *weight = (struct spec_uint *)((char *)target + field->offset);

	if (!reader_uint(reader, node, (struct range){0, UINT16_MAX}, &weight->value))
		return;
	weight->is_set = true;
	if (weight->value != 0 && (weight->value < 10 || weight->value > 1000))
		reader_refuse(reader, node, "must be 0, or from 10 to 1000, not %llu",
			      (unsigned long long)weight->value);
}

static void check_weight_device(struct reader *reader, const struct dom_node *node, void *target)
{
	const struct spec_weight_device *device = target;

	if (!device->weight.is_set && !device->leaf_weight.is_set)
		reader_refuse(reader, node, "needs a weight or a leafWeight");
}

static const struct field weight_device_fields[] = {
	FIELD("major", field_i64, struct spec_weight_device, major, RANGE(0, MAJOR_MAX), REQUIRED),
	FIELD("minor", field_i64, struct spec_weight_device, minor, RANGE(0, MINOR_MAX), REQUIRED),
	FIELD("weight", parse_weight, struct spec_weight_device, weight),
	FIELD("leafWeight", parse_weight, struct spec_weight_device, leaf_weight),
};
static const struct table weight_device_table =
	TABLE(weight_device_fields, .size = sizeof(struct spec_weight_device), .check = check_weight_device);

static const struct field throttle_fields[] = {
	FIELD("major", field_i64, struct spec_throttle_device, major, RANGE(0, MAJOR_MAX), REQUIRED),
	FIELD("minor", field_i64, struct spec_throttle_device, minor, RANGE(0, MINOR_MAX), REQUIRED),
	FIELD("rate", field_u64, struct spec_throttle_device, rate, REQUIRED),
};
static const struct table throttle_table = TABLE(throttle_fields, .size = sizeof(struct spec_throttle_device));

#define THROTTLE(key, kind)                                                                                    \
	ARRAY(key, struct spec_resources, block_io.throttle[kind].v, block_io.throttle[kind].count,            \
	      throttle_table)
static const struct field block_io_fields[] = {
	FIELD("weight", parse_weight, struct spec_resources, block_io.weight),
	FIELD("leafWeight", parse_weight, struct spec_resources, block_io.leaf_weight),
	ARRAY("weightDevice", struct spec_resources, block_io.weight_devices, block_io.weight_device_count,
	      weight_device_table),
	THROTTLE("throttleReadBpsDevice", SPEC_THROTTLE_READ_BPS),
	THROTTLE("throttleWriteBpsDevice", SPEC_THROTTLE_WRITE_BPS),
	THROTTLE("throttleReadIOPSDevice", SPEC_THROTTLE_READ_IOPS),
	THROTTLE("throttleWriteIOPSDevice", SPEC_THROTTLE_WRITE_IOPS),
};
static const struct table block_io_table = TABLE(block_io_fields);

/* --- huge pages, network, rdma, unified ------------------------------------------------------------------ */

static void parse_page_size(struct reader *reader, const struct dom_node *node, const struct field *field,
			    void *target)
{
	const char *text = node->text;
	size_t digits;

	if (!reader_expect(reader, node, DOM_STRING))
		return;
	digits = strspn(text, "0123456789");
	if (digits == 0 || text[0] == '0' || text[digits] == '\0' || strchr("KMG", text[digits]) == NULL ||
	    !str_equal(text + digits + 1, "B"))
		reader_refuse(reader, node, "must be a size like '64KB', '2MB' or '1GB', not %s",
			      reader_quote(reader, text));
	else
		field_string(reader, node, field, target);
}

static const struct field hugepage_fields[] = {
	FIELD("pageSize", parse_page_size, HUGEPAGE_LIMIT, page_size, REQUIRED),
	FIELD("limit", field_u64, HUGEPAGE_LIMIT, limit, REQUIRED),
};
static const struct table hugepage_table = TABLE(hugepage_fields, .size = sizeof(HUGEPAGE_LIMIT));

static const struct field priority_fields[] = {
	FIELD("name", field_string, PRIORITY, name, REQUIRED),
	FIELD("priority", field_u32, PRIORITY, priority, REQUIRED),
};
static const struct table priority_table = TABLE(priority_fields, .size = sizeof(PRIORITY));

static const struct field network_fields[] = {
	FIELD("classID", field_opt_uint, struct spec_resources, network.class_id, RANGE(0, UINT32_MAX)),
	ARRAY("priorities", struct spec_resources, network.priorities, network.priority_count, priority_table),
};
static const struct table network_table = TABLE(network_fields);

static void check_rdma(struct reader *reader, const struct dom_node *node, void *target)
{
	const RDMA *rdma = target;

	if (!rdma->hca_handles.is_set && !rdma->hca_objects.is_set)
		reader_refuse(reader, node, "needs hcaHandles or hcaObjects");
}

static const struct field rdma_fields[] = {
	FIELD("hcaHandles", field_opt_uint, RDMA, hca_handles, RANGE(0, UINT32_MAX)),
	FIELD("hcaObjects", field_opt_uint, RDMA, hca_objects, RANGE(0, UINT32_MAX)),
};
static const struct table rdma_table =
	TABLE(rdma_fields, .size = sizeof(RDMA), .key_offset = offsetof(RDMA, device), .check = check_rdma);

static void parse_unified(struct reader *reader, const struct dom_node *node, const struct field *field,
			  void *target)
{
	field_map(reader, node, field, target);
	if (node->type != DOM_OBJECT)
		return;
	for (const struct dom_node *item = node->first; item != NULL; item = item->next)
		if (strchr(item->key, '/') != NULL || str_equal(item->key, ".") || str_equal(item->key, ".."))
			reader_refuse(reader, item, "the key must be the name of a file, not %s",
				      reader_quote(reader, item->key));
}

static const struct field resources_fields[] = {
	ARRAY("devices", struct spec_resources, devices, device_count, rule_table),
	INLINE_OBJECT("memory", memory_table),
	INLINE_OBJECT("cpu", cpu_table),
	INLINE_OBJECT("blockIO", block_io_table),
	ARRAY("hugepageLimits", struct spec_resources, hugepage_limits, hugepage_limit_count, hugepage_table),
	INLINE_OBJECT("pids", pids_table),
	INLINE_OBJECT("network", network_table),
	KEYED("rdma", struct spec_resources, rdma, rdma_count, rdma_table),
	FIELD("unified", parse_unified, struct spec_resources, unified),
};
const struct table spec_table_resources = TABLE(resources_fields);
