/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Translates linux.resources to writes of files of a cgroup (runtime-spec config-linux.md "Control groups",
 * cgroup-v2.rst of the kernel). The values are those of cgroup v1; a value that requests something which v2
 * cannot express is refused. Process: the parent.
 */
#include <errno.h>
#include <string.h>

#include "builder.h"
#include "detail.h"
#include "unit.h"

#define CONTROLLERS_MAX 32
#define CONTROLLER_NAME_MAX 32

struct limits {
	struct builder *b;
	const struct spec_resources *r;
	const char *prefix;       /* prefix of JSON pointers */
	bool has_cgroup;          /* false: only report findings */
	bool is_cgroup_missing;   /* a limit needs a cgroup, and the container has none */
	bool is_before_init;      /* init starts under these limits */
	const char *late_pointer; /* the property that is set only after init has started, or NULL */
	uint32_t enable;          /* index of the step that lists the controllers, which are known at the end */
	char controllers[CONTROLLERS_MAX][CONTROLLER_NAME_MAX];
	size_t controller_count;
};

static void refuse(struct limits *l, const char *json_pointer, const char *text)
{
	_cleanup_free_ char *pointer = mem_format("%s%s", l->prefix, json_pointer);

	builder_finding(l->b, ERR_UNSUPPORTED, pointer, "%s", text);
}

static void refuse_config(struct limits *l, const char *json_pointer, const char *text)
{
	_cleanup_free_ char *pointer = mem_format("%s%s", l->prefix, json_pointer);

	builder_finding(l->b, ERR_CONFIG, pointer, "%s", text);
}

/* The controller is the part of the file name before the first dot; "cgroup." files need none. */
static void need_controller(struct limits *l, const char *file)
{
	size_t len = strcspn(file, ".");

	if (len >= CONTROLLER_NAME_MAX || file[len] == '\0' || strncmp(file, "cgroup.", 7) == 0)
		return;
	for (size_t i = 0; i < l->controller_count; i++)
		if (strncmp(l->controllers[i], file, len) == 0 && l->controllers[i][len] == '\0')
			return;
	if (l->controller_count < CONTROLLERS_MAX)
		memcpy(l->controllers[l->controller_count++], file, len);
}

struct write {
	const char *json_pointer; /* appended to the prefix */
	const char *file, *value;
	const char *other_file, *other_value;
	uint32_t flags;
};

static void add_write(struct limits *l, const struct write *w)
{
	struct plan_cgroup_write write = {.flags = w->flags};
	plan_text json_pointer;

	if (!l->has_cgroup && (w->flags & (PLAN_WRITE_OPTIONAL | PLAN_WRITE_TENTATIVE)) == 0) {
		refuse(l, w->json_pointer, "a limit needs a cgroup, and this container gets none");
		l->is_cgroup_missing = true;
	}
	if (!l->has_cgroup)
		return;
	if ((w->flags & PLAN_WRITE_OPTIONAL) == 0)
		need_controller(l, w->file);
	json_pointer = builder_pointer(l->b, "%s%s", l->prefix, w->json_pointer);
	write.file = builder_text(l->b, w->file);
	write.value = builder_text(l->b, w->value);
	write.other_file = builder_text(l->b, w->other_file);
	write.other_value = builder_text(l->b, w->other_value);
	builder_step(l->b, PLAN_PARENT, PLAN_CGROUP_WRITE, json_pointer)->u.write = write;
}

/*
 * Writes a number, or "max" if value is negative: without the controller there is no limit, so the file may be
 * missing.
 */
static void add_limit(struct limits *l, const char *json_pointer, const char *file, int64_t value)
{
	char text[24];

	str_format(text, sizeof text, "%lld", (long long)value);
	if (value < 0)
		add_write(l, &(struct write){json_pointer, file, "max", .flags = PLAN_WRITE_OPTIONAL});
	else
		add_write(l, &(struct write){json_pointer, file, text});
}

/* --- what v2 cannot express --- */

static void refuse_impossible(struct limits *l)
{
	const struct spec_resources *r = l->r;
	const struct {
		bool is_requested;
		const char *json_pointer, *text;
	} rows[] = {
		{r->memory.kernel.value > 0, "/memory/kernel",
		 "cgroup v2 has no separate limit of kernel memory, which counts as memory"},
		{r->memory.kernel_tcp.value > 0, "/memory/kernelTCP",
		 "cgroup v2 has no separate limit of TCP buffers, which count as memory"},
		{r->memory.swappiness.value > 0, "/memory/swappiness", "cgroup v2 has no swappiness"},
		{r->memory.disable_oom_killer.value, "/memory/disableOOMKiller",
		 "cgroup v2 cannot disable the OOM killer"},
		{r->memory.use_hierarchy.value, "/memory/useHierarchy", "cgroup v2 has no useHierarchy"},
		{r->cpu.realtime_runtime.value > 0, "/cpu/realtimeRuntime",
		 "cgroup v2 has no limits of realtime processes"},
		{r->cpu.realtime_period.value > 0, "/cpu/realtimePeriod",
		 "cgroup v2 has no limits of realtime processes"},
		{r->block_io.leaf_weight.value > 0, "/blockIO/leafWeight", "cgroup v2 has no leafWeight"},
		{r->network.class_id.value > 0, "/network/classID", "cgroup v2 has no network classes"},
		{r->network.priority_count > 0, "/network/priorities", "cgroup v2 has no network priorities"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].is_requested)
			refuse(l, rows[i].json_pointer, rows[i].text);
	for (size_t i = 0; i < r->block_io.weight_device_count; i++) {
		char json_pointer[64];

		str_format(json_pointer, sizeof json_pointer, "/blockIO/weightDevice/%zu/leafWeight", i);
		if (r->block_io.weight_devices[i].leaf_weight.value > 0)
			refuse(l, json_pointer, "cgroup v2 has no leafWeight");
	}
}

/* --- memory --- */

static void add_usage(struct limits *l, const char *json_pointer, const char *file, int64_t limit)
{
	plan_text pointer = builder_pointer(l->b, "%s%s", l->prefix, json_pointer),
		  name = builder_text(l->b, file);
	struct plan_step *step = builder_step(l->b, PLAN_PARENT, PLAN_CGROUP_USAGE, pointer);

	step->u.usage.file = name;
	step->u.usage.limit = (uint64_t)limit;
}

/*
 * memory.swap of v1 is the sum of memory and swap. Returns false if nothing is to be written, else *ret is the
 * limit of swap, -1 for "max". 0 means "not set" in both properties.
 */
static bool swap_limit(struct limits *l, int64_t *ret)
{
	int64_t memory = l->r->memory.limit.value, swap = l->r->memory.swap.value;

	if (swap < 0 || (swap == 0 && memory < 0)) {
		*ret = -1;
		return true;
	}
	if (swap == 0)
		return false;
	if (memory == 0)
		refuse_config(l, "/memory/swap", "unable to set swap limit without memory limit");
	else if (memory > 0 && swap < memory)
		refuse_config(l, "/memory/swap", "memory+swap limit should be >= memory limit");
	*ret = memory > 0 ? swap - memory : swap;
	return memory != 0 && swap >= memory;
}

/*
 * The kernel charges memory in batches of 64 pages, which it caches for the first processor that needs them. If
 * a batch is a large part of the limit, init could be killed on another processor although the memory is
 * unused. A limit below one batch is charged page by page, and after the first such page so is a larger limit
 * of up to four batches: init starts under the former, and the parent sets the latter before init continues.
 */
#define BATCH_PAGES 64

static bool is_tight(const struct host *host, int64_t memory)
{
	int64_t batch = BATCH_PAGES * host->page_size;

	return memory >= batch && memory < 4 * batch;
}

static int64_t first_limit(const struct host *host, int64_t memory)
{
	return is_tight(host, memory) ? (BATCH_PAGES - 1) * host->page_size : memory;
}

static void add_memory(struct limits *l)
{
	int64_t memory = l->r->memory.limit.value, reservation = l->r->memory.reservation.value, swap = -1;
	bool has_swap = swap_limit(l, &swap), is_checked = l->r->memory.check_before_update.value;

	/* Both checks come before the first write: a refused update changes nothing. */
	if (l->has_cgroup && is_checked && has_swap && swap >= 0)
		add_usage(l, "/memory/swap", "memory.swap.current", swap);
	if (l->has_cgroup && is_checked && memory > 0)
		add_usage(l, "/memory/limit", "memory.current", memory);
	/* A kernel without swap has no such file, and no swap is what 0 requests. */
	if (has_swap && swap == 0)
		add_write(l, &(struct write){"/memory/swap", "memory.swap.max", "0",
					     .flags = PLAN_WRITE_OPTIONAL});
	else if (has_swap)
		add_limit(l, l->r->memory.swap.value != 0 ? "/memory/swap" : "/memory/limit", "memory.swap.max",
			  swap);
	if (memory != 0)
		add_limit(l, "/memory/limit", "memory.max",
			  l->is_before_init ? first_limit(l->b->host, memory) : memory);
	if (reservation != 0)
		add_limit(l, "/memory/reservation", "memory.low", reservation);
}

/* --- block I/O --- */

static void add_device_weights(struct limits *l)
{
	char json_pointer[64], weight[48], other[48];

	for (size_t i = 0; i < l->r->block_io.weight_device_count; i++) {
		const struct spec_weight_device *device = &l->r->block_io.weight_devices[i];

		if (device->weight.value == 0)
			continue;
		str_format(json_pointer, sizeof json_pointer, "/blockIO/weightDevice/%zu/weight", i);
		str_format(weight, sizeof weight, "%lld:%lld %llu", (long long)device->major,
			   (long long)device->minor, (unsigned long long)device->weight.value);
		str_format(other, sizeof other, "%lld:%lld %u", (long long)device->major,
			   (long long)device->minor, plan_io_weight(device->weight.value));
		add_write(l, &(struct write){json_pointer, "io.bfq.weight", weight, "io.weight", other});
	}
}

/* In v1 a rate of 0 removed the limit. */
static void add_throttle(struct limits *l, enum spec_throttle kind)
{
	static const struct {
		const char *json_pointer, *key;
	} rows[SPEC_THROTTLES] = {
		[SPEC_THROTTLE_READ_BPS] = {"throttleReadBpsDevice", "rbps"},
		[SPEC_THROTTLE_WRITE_BPS] = {"throttleWriteBpsDevice", "wbps"},
		[SPEC_THROTTLE_READ_IOPS] = {"throttleReadIOPSDevice", "riops"},
		[SPEC_THROTTLE_WRITE_IOPS] = {"throttleWriteIOPSDevice", "wiops"},
	};
	char json_pointer[64], value[64];

	for (size_t i = 0; i < l->r->block_io.throttle[kind].count; i++) {
		const struct spec_throttle_device *device = &l->r->block_io.throttle[kind].v[i];
		struct write write = {json_pointer, "io.max", value};
		int len = str_format(value, sizeof value, "%lld:%lld %s=", (long long)device->major,
				     (long long)device->minor, rows[kind].key);

		str_format(json_pointer, sizeof json_pointer, "/blockIO/%s/%zu", rows[kind].json_pointer, i);
		if (device->rate == 0) {
			str_format(value + len, sizeof value - (size_t)len, "max");
			write.flags = PLAN_WRITE_OPTIONAL;
		} else {
			str_format(value + len, sizeof value - (size_t)len, "%llu",
				   (unsigned long long)device->rate);
		}
		add_write(l, &write);
	}
}

static void add_io(struct limits *l)
{
	uint64_t weight = l->r->block_io.weight.value;
	char raw[24], converted[24];

	if (weight != 0) {
		str_format(raw, sizeof raw, "%llu", (unsigned long long)weight);
		str_format(converted, sizeof converted, "%u", plan_io_weight(weight));
		add_write(l, &(struct write){"/blockIO/weight", "io.bfq.weight", raw, "io.weight", converted});
	}
	add_device_weights(l);
	for (int kind = 0; kind < SPEC_THROTTLES; kind++)
		add_throttle(l, (enum spec_throttle)kind);
}

/* --- cpu --- */

static void add_bandwidth(struct limits *l)
{
	int64_t quota = l->r->cpu.quota.value;
	uint64_t period = l->r->cpu.period.value;
	struct write write = {quota != 0 ? "/cpu/quota" : "/cpu/period", "cpu.max"};
	char text[48];

	if (quota == 0 && period == 0)
		return;
	if (quota <= 0)
		write.flags = PLAN_WRITE_OPTIONAL;
	if (period == 0)
		period = PLAN_CPU_PERIOD;
	if (quota > 0)
		str_format(text, sizeof text, "%lld %llu", (long long)quota, (unsigned long long)period);
	else
		str_format(text, sizeof text, "max %llu", (unsigned long long)period);
	write.value = text;
	add_write(l, &write);
}

static void add_cpu(struct limits *l)
{
	const struct spec_resources *r = l->r;
	uint32_t weight = plan_cpu_weight(r->cpu.shares.value);
	struct write burst = {"/cpu/burst", "cpu.max.burst"};
	char text[24];

	/* The kernel refuses a weight for an idle cgroup; shares have no effect there, as in v1. */
	if (r->cpu.idle.is_set)
		add_write(l, &(struct write){"/cpu/idle", "cpu.idle", r->cpu.idle.value != 0 ? "1" : "0",
					     .flags = r->cpu.idle.value != 0 ? 0 : PLAN_WRITE_OPTIONAL});
	if (weight != 0 && r->cpu.idle.value == 0) {
		str_format(text, sizeof text, "%u", weight);
		add_write(l, &(struct write){"/cpu/shares", "cpu.weight", text});
	}
	str_format(text, sizeof text, "%llu", (unsigned long long)r->cpu.burst.value);
	burst.value = text;
	burst.flags = r->cpu.burst.value == 0 ? PLAN_WRITE_OPTIONAL : 0;
	/*
	 * The burst must never exceed the quota: a lower one is written before the quota, a higher one after
	 * it.
	 */
	if (r->cpu.burst.is_set && r->cpu.quota.value > 0) {
		burst.flags |= PLAN_WRITE_TENTATIVE;
		add_write(l, &burst);
		burst.flags &= ~PLAN_WRITE_TENTATIVE;
	}
	add_bandwidth(l);
	if (r->cpu.burst.is_set)
		add_write(l, &burst);
}

static void add_cpuset(struct limits *l)
{
	if (!str_is_empty(l->r->cpu.cpus))
		add_write(l, &(struct write){"/cpu/cpus", "cpuset.cpus", l->r->cpu.cpus});
	if (!str_is_empty(l->r->cpu.mems))
		add_write(l, &(struct write){"/cpu/mems", "cpuset.mems", l->r->cpu.mems});
}

/* --- huge pages, rdma, unified --- */

/* runtime-spec: limit reservations if the kernel can, otherwise page faults. */
static void add_huge_pages(struct limits *l)
{
	char json_pointer[64], limit[24];

	for (size_t i = 0; i < l->r->hugepage_limit_count; i++) {
		const char *size = l->r->hugepage_limits[i].page_size;
		_cleanup_free_ char *reserved = mem_format("hugetlb.%s.rsvd.max", size);
		_cleanup_free_ char *faulted = mem_format("hugetlb.%s.max", size);

		str_format(json_pointer, sizeof json_pointer, "/hugepageLimits/%zu", i);
		str_format(limit, sizeof limit, "%llu", (unsigned long long)l->r->hugepage_limits[i].limit);
		add_write(l, &(struct write){json_pointer, reserved, limit, faulted, limit});
	}
}

static void add_rdma(struct limits *l)
{
	for (size_t i = 0; i < l->r->rdma_count; i++) {
		const char *device = l->r->rdma[i].device;
		_cleanup_buf_ struct buf value = {0};
		_cleanup_free_ char *json_pointer = mem_format("/rdma/%s", device);

		buf_add_str(&value, device);
		if (l->r->rdma[i].hca_handles.is_set)
			buf_format(&value, " hca_handle=%llu",
				   (unsigned long long)l->r->rdma[i].hca_handles.value);
		if (l->r->rdma[i].hca_objects.is_set)
			buf_format(&value, " hca_object=%llu",
				   (unsigned long long)l->r->rdma[i].hca_objects.value);
		add_write(l, &(struct write){json_pointer, "rdma.max", value.data});
	}
}

/*
 * The kernel accepts one line for each write(2). A line feed empties the file, a write of zero bytes would not.
 */
static void add_lines(struct limits *l, const char *json_pointer, const char *file, const char *value)
{
	if (value[0] == '\0')
		add_write(l, &(struct write){json_pointer, file, "\n"});
	while (*value != '\0') {
		size_t len = strcspn(value, "\n");
		_cleanup_free_ char *line = mem_format("%.*s", (int)len, value);

		if (len > 0)
			add_write(l, &(struct write){json_pointer, file, line});
		value += len + (value[len] == '\n');
	}
}

/*
 * Files that act on processes are no parameters; a frozen cgroup, for example, could not become that of a
 * container.
 */
static bool is_action(const char *file)
{
	static const char *const actions[] = {"cgroup.freeze", "cgroup.kill", "cgroup.procs", "cgroup.threads",
					      "cgroup.type"};

	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (str_equal(file, actions[i]))
			return true;
	return false;
}

static void add_unified(struct limits *l)
{
	for (size_t i = 0; i < l->r->unified.count; i++) {
		const char *file = l->r->unified.v[i].key;
		_cleanup_free_ char *json_pointer = mem_format("/unified/%s", file);

		if (is_action(file))
			refuse(l, json_pointer, "only the runtime writes this file, which acts on processes");
		else if (str_equal(json_pointer, l->late_pointer))
			need_controller(l, file);
		else
			add_lines(l, json_pointer, file, l->r->unified.v[i].value);
	}
}

/* --- the whole --- */

static void begin_limits(struct limits *l)
{
	l->enable = l->b->step_count;
	if (l->has_cgroup)
		builder_step(l->b, PLAN_PARENT, PLAN_CGROUP_ENABLE, 0);
}

/* A plan that needs no controllers has no step that enables them. */
static void end_limits(struct limits *l)
{
	struct builder *b = l->b;
	char *names[CONTROLLERS_MAX];
	struct plan_texts texts;

	if (!l->has_cgroup)
		return;
	for (size_t i = 0; i < l->controller_count; i++)
		names[i] = l->controllers[i];
	if (l->controller_count > 0) {
		texts = builder_texts(b, names, l->controller_count);
		b->steps[l->enable].json_pointer = builder_pointer(b, "%s", l->prefix);
		b->steps[l->enable].u.controllers = texts;
		return;
	}
	b->step_count--;
	memmove(b->steps + l->enable, b->steps + l->enable + 1, (b->step_count - l->enable) * sizeof *b->steps);
}

#define UNIFIED_PIDS "/unified/pids.max"

/*
 * A limit of 0 processes is valid, but init could not start under it. If systemd makes the cgroup, the
 * placeholder process is in it until init has started, and createContainer hooks run in it: then the same
 * applies to a limit of 1. Returns the JSON pointer of the property that sets such a limit, or NULL.
 */
static const char *late_limit(const struct builder *b, int64_t *ret)
{
	const struct spec_resources *r = &b->spec->resources;
	bool is_shared = b->has_unit || b->spec->hooks[SPEC_HOOK_CREATE_CONTAINER].count > 0;
	int64_t limit = r->pids_limit.is_set ? r->pids_limit.value : -1;
	const char *json_pointer = "/pids/limit";
	uint64_t number;

	for (size_t i = 0; i < r->unified.count; i++) {
		if (!str_equal(r->unified.v[i].key, "pids.max"))
			continue;
		json_pointer = UNIFIED_PIDS;
		limit = number_parse(r->unified.v[i].value, &number) && number <= 1 ? (int64_t)number : -1;
	}
	*ret = limit;
	return limit == 0 || (limit == 1 && is_shared) ? json_pointer : NULL;
}

static void add_pids(struct limits *l)
{
	if (!l->r->pids_limit.is_set)
		return;
	if (l->late_pointer != NULL)
		need_controller(l, "pids.max");
	else
		add_limit(l, "/pids/limit", "pids.max", l->r->pids_limit.value);
}

/* unified is last: it overrides other properties that write the same file. */
static void add_limits(struct limits *l)
{
	begin_limits(l);
	refuse_impossible(l);
	add_pids(l);
	add_memory(l);
	add_io(l);
	add_cpu(l);
	add_cpuset(l);
	add_huge_pages(l);
	add_rdma(l);
	add_unified(l);
	end_limits(l);
}

#define IN_CONFIG "/linux/resources"

void plan_add_limits(struct builder *b)
{
	const struct spec_resources *r = &b->spec->resources;
	struct limits limits = {
		.b = b, .r = r, .prefix = IN_CONFIG, .has_cgroup = b->has_cgroup, .is_before_init = true};
	int64_t late;

	limits.late_pointer = b->has_cgroup ? late_limit(b, &late) : NULL;
	add_limits(&limits);
}

bool plan_needs_cgroup(const struct builder *b)
{
	struct err ignored = {0};
	struct builder probe = {.spec = b->spec, .host = b->host, .request = b->request, .first = &ignored};
	struct limits limits = {.b = &probe, .r = &b->spec->resources, .prefix = IN_CONFIG};

	add_limits(&limits);
	builder_done(&probe);
	return limits.is_cgroup_missing;
}

static bool has_unified(const struct spec_resources *r, const char *file)
{
	for (size_t i = 0; i < r->unified.count; i++)
		if (str_equal(r->unified.v[i].key, file))
			return true;
	return false;
}

void plan_add_late_limits(struct builder *b)
{
	const struct spec_resources *r = &b->spec->resources;
	struct limits limits = {.b = b, .r = r, .prefix = IN_CONFIG, .has_cgroup = true};
	uint32_t from = b->step_count;
	const char *json_pointer;
	int64_t limit;

	json_pointer = b->has_cgroup ? late_limit(b, &limit) : NULL;
	if (json_pointer != NULL)
		add_limit(&limits, json_pointer, "pids.max", limit);
	if (b->has_cgroup && is_tight(b->host, r->memory.limit.value) && !has_unified(r, "memory.max"))
		add_limit(&limits, "/memory/limit", "memory.max", r->memory.limit.value);
	if (b->has_unit && b->step_count > from)
		plan_add_unit_set(b, from);
}

int plan_build_update(const struct spec_resources *resources, const struct host *host, struct plan **ret_plan,
		      struct err *err)
{
	struct builder b = {.host = host, .first = err};
	struct limits limits = {.b = &b, .r = resources, .prefix = "", .has_cgroup = true};

	builder_begin(&b);
	add_limits(&limits);
	if (b.finding_count == 0)
		*ret_plan = builder_finish(&b);
	builder_done(&b);
	return b.finding_count == 0 ? 0 : -EINVAL;
}

/* --- printers --- */

void plan_detail_usage(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	buf_format(out, "%s at most %llu", plan_get(plan, step->u.usage.file),
		   (unsigned long long)step->u.usage.limit);
}

/* A value of only a line feed empties the file: print no value. */
void plan_detail_write(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	const struct plan_cgroup_write *write = &step->u.write;
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
