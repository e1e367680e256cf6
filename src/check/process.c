/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries properties of the process, each in a forked copy of the parent. Whether the kernel allows them cannot
 * be read in advance: for example, the lowest allowed oom_score_adj depends on what the caller's ancestors were
 * allowed. Runs in the parent and in the copies.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <string.h>
#include <sys/resource.h>

#include <tare/probe.h>
#include <tare/sys.h>

#include "private.h"

/* --- in a copy --- */

struct property {
	int (*try)(const struct property *property, struct err *err);
	const struct plan *plan;
	const struct plan_step *step;     /* of the property; not used for resource limits, ... */
	const struct spec_rlimit *rlimit; /* ... which are those of the configuration */
	const char *json_pointer;
};

/* Every process may set the highest value, 1000: if that fails too, the value is not the reason. */
static int try_oom_score(const struct property *property, struct err *err)
{
	int64_t score = property->step->u.number;
	_cleanup_fd_ int proc_fd = k_openat(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	int r = process_set_oom_score(proc_fd, score, err);
	struct err ignored;

	if (r >= 0 || process_set_oom_score(proc_fd, 1000, &ignored) < 0)
		return 0;
	return r;
}

/* Only raising a hard limit can be refused. A lower limit is not set, because it could kill this process. */
static int try_rlimit(const struct property *property, struct err *err)
{
	const struct spec_rlimit *limit = property->rlimit;
	struct rlimit64 now = {0};
	int r = k_prlimit(0, (int)limit->resource, NULL, &now);

	return r < 0 || limit->hard <= now.rlim_max ? 0 : process_set_rlimit(0, limit, err);
}

/*
 * The kernel requires one node that has memory and is in the cpuset of the process. The container's cpuset may
 * be larger than the caller's: if a node with memory is missing only from the caller's, the result is unknown.
 */
static int try_memory_policy(const struct property *property, struct err *err)
{
	const struct spec_memory_policy *wanted = &property->step->u.memory_policy;
	uint64_t present[SPEC_NODE_WORDS] = {0}, allowed[SPEC_NODE_WORDS] = {0};
	char text[512];
	int r = process_memory_policy(property->plan, property->step, err);

	if (r >= 0)
		return 0;
	if (io_read_small(AT_FDCWD, "/sys/devices/system/node/has_memory", 0, text, sizeof text) < 0)
		return r == -EINVAL ? 0 : r;
	text[strcspn(text, "\n")] = '\0';
	if (spec_list_mask(text, present, SPEC_NODE_WORDS) == -EINVAL ||
	    k_call5(__NR_get_mempolicy, (long)NULL, (long)allowed, SPEC_NODE_WORDS * 64, (long)NULL,
		    MPOL_F_MEMS_ALLOWED) < 0)
		return 0;
	for (uint32_t i = 0; i < SPEC_NODE_WORDS; i++) {
		if ((wanted->nodes[i] & present[i] & ~allowed[i]) != 0)
			return 0;
		if ((wanted->nodes[i] & ~present[i]) != 0)
			err_hint(err, "the nodes of this host that have memory: %s", text);
	}
	return r;
}

static int try_property(const void *context, struct err *err)
{
	const struct property *property = context;
	int r = property->try(property, err);

	if (r < 0)
		err_pointer(err, property->json_pointer);
	else
		*err = (struct err){.kind = ERR_NONE};
	return r;
}

/* --- in the parent --- */

/* An error without the pointer is not the property's: there was no copy, so nothing is known. */
static void check_property(struct check *check, const struct property *property)
{
	const struct probe_trial trial = {.run = try_property, .context = property};
	struct err finding;

	if (probe_try(&trial, &finding) < 0 && finding.json_pointer[0] != '\0')
		check_report(check, &finding);
}

void check_process(struct check *check)
{
	const struct spec_process *process = &check->spec->process;
	struct property property = {.plan = check->plan};
	const struct {
		enum plan_kind kind;
		int (*try)(const struct property *property, struct err *err);
	} steps[] = {{PLAN_MEMORY_POLICY, try_memory_policy}, {PLAN_OOM_SCORE, try_oom_score}};

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		property.step = plan_find(check->plan, steps[i].kind);
		if (property.step == NULL)
			continue;
		property.try = steps[i].try;
		property.json_pointer = plan_get(check->plan, property.step->json_pointer);
		check_property(check, &property);
	}
	for (size_t i = 0; i < process->rlimit_count; i++) {
		char json_pointer[64];

		str_format(json_pointer, sizeof json_pointer, "/process/rlimits/%zu", i);
		property.try = try_rlimit;
		property.rlimit = &process->rlimits[i];
		property.json_pointer = json_pointer;
		check_property(check, &property);
	}
}
