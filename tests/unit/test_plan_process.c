/* SPDX-License-Identifier: Apache-2.0 */
/* The capability sets of a plan, on kernels that know other capabilities than the configuration names. */
#include <linux/capability.h>

#include <tare/host.h>
#include <tare/plan.h>

#include "spec_text.h"
#include "unit.h"

#define BIT(cap) (UINT64_C(1) << (cap))

static const char config[] =
	"{'ociVersion':'1.3.0','root':{'path':'r'},'process':{'cwd':'/','args':['a'],'capabilities':{"
	"'bounding':['CAP_KILL','CAP_BPF','CAP_CHECKPOINT_RESTORE'],"
	"'permitted':['CAP_KILL','CAP_BPF','CAP_CHECKPOINT_RESTORE'],"
	"'effective':['CAP_CHECKPOINT_RESTORE','CAP_KILL']}},'linux':{'namespaces':[{'type':'mount'}]}}";

/* A request for CAP_KILL, CAP_BPF and CAP_CHECKPOINT_RESTORE, on a host with the given rights. */
static void check_sets(int last_capability, uint64_t callers, uint64_t expected)
{
	const struct plan_request request = {.id = "a", .bundle = "/b"};
	const struct host host = {.is_privileged = true,
				  .cgroup_mount = "/sys/fs/cgroup",
				  .page_size = 4096,
				  .capabilities = callers,
				  .last_capability = last_capability};
	_cleanup_free_ char *json = json_text(config);
	_cleanup_free_ struct plan *plan = NULL;
	_cleanup_spec_ struct spec *spec = NULL;
	const struct plan_step *step;
	struct err err = {0};

	CHECK_INT(spec_parse(json, strlen(json), &spec, &err), 0);
	if (!CHECK_INT(plan_build(spec, &host, &request, &plan, &err), 0)) {
		fprintf(stderr, "\t%s\n", err.msg);
		return;
	}
	step = plan_find(plan, PLAN_USER);
	if (!CHECK(step != NULL))
		return;
	CHECK_INT(step->u.user.capabilities.bounding, expected);
	CHECK_INT(step->u.user.capabilities.permitted, expected);
	CHECK_INT(step->u.user.capabilities.effective, expected & ~BIT(CAP_BPF));
	CHECK_INT(step->u.user.capabilities.inheritable, 0);
}

int main(void)
{
	const uint64_t all = BIT(CAP_KILL) | BIT(CAP_BPF) | BIT(CAP_CHECKPOINT_RESTORE);

	check_sets(CAP_CHECKPOINT_RESTORE, UINT64_MAX, all);
	/* The kernel knows more capabilities, or fewer. */
	check_sets(CAP_CHECKPOINT_RESTORE + 1, UINT64_MAX, all);
	check_sets(63, UINT64_MAX, all);
	check_sets(CAP_BPF, UINT64_MAX, BIT(CAP_KILL) | BIT(CAP_BPF));
	check_sets(CAP_KILL, UINT64_MAX, BIT(CAP_KILL));
	/* The caller lacks one. */
	check_sets(CAP_CHECKPOINT_RESTORE, ~BIT(CAP_BPF), all & ~BIT(CAP_BPF));
	UNIT_MAIN_END;
}
