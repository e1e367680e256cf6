/* SPDX-License-Identifier: Apache-2.0 */
/* File systems that depend on the container's namespaces: devpts with a group, and a bind of /proc. */
#include <tare/host.h>
#include <tare/plan.h>

#include "spec_text.h"
#include "unit.h"

#define MOUNT "{'type':'mount'}"
/* Ends the list of namespaces. */
#define MAPS                                                                                                   \
	"],'uidMappings':[{'containerID':0,'hostID':1000,'size':5}],"                                          \
	"'gidMappings':[{'containerID':0,'hostID':1000,'size':5}],'maskedPaths':["

/*
 * options: of the mount, as JSON. expected: the step, as it is printed. The container has the groups 0 to 4: of
 * a new user namespace, or of the caller's.
 */
static void check_devpts_in(bool is_callers, const char *options, const char *expected)
{
	const struct plan_request request = {.id = "a", .bundle = "/b", .is_cgroup_disabled = true};
	const struct host host = {.is_privileged = true,
				  .is_mounting = true,
				  .gids = {{0, 2}, {2, 3}},
				  .gid_range_count = 2,
				  .page_size = 4096};
	_cleanup_buf_ struct buf config = {0}, text = {0};
	_cleanup_free_ char *json = NULL;
	_cleanup_free_ struct plan *plan = NULL;
	_cleanup_spec_ struct spec *spec = NULL;
	const struct plan_step *step;
	struct err err = {0};

	buf_format(&config,
		   "{'ociVersion':'1.3.0','root':{'path':'r'},'process':{'cwd':'/','args':['a']},"
		   "'mounts':[{'destination':'/p','type':'devpts','options':%s}],"
		   "'linux':{'namespaces':[%s]}}",
		   options, is_callers ? MOUNT : MOUNT ",{'type':'user'}" MAPS);
	json = json_text(config.data);
	CHECK_INT(spec_parse(json, strlen(json), &spec, &err), 0);
	if (!CHECK_INT(plan_build(spec, &host, &request, &plan, &err), 0)) {
		fprintf(stderr, "\t%s: %s\n", err.json_pointer, err.msg);
		return;
	}
	step = plan_find(plan, PLAN_MOUNT);
	if (!CHECK(step != NULL))
		return;
	plan_print_step(plan, step, &text);
	CHECK_STR(text.data, expected);
}

static void check_devpts(const char *options, const char *expected)
{
	check_devpts_in(false, options, expected);
	check_devpts_in(true, options, expected);
}

/* The error of a bind of the caller's /proc, "" if it is permitted. namespaces: rows, as JSON. */
static void check_bind(const char *namespaces, bool is_in_user_ns, const char *expected)
{
	const struct plan_request request = {
		.id = "a", .bundle = "/b", .is_cgroup_disabled = true, .proc = "bind"};
	const struct host host = {
		.is_privileged = true, .is_mounting = true, .is_in_user_ns = is_in_user_ns, .page_size = 4096};
	_cleanup_buf_ struct buf config = {0};
	_cleanup_free_ char *json = NULL;
	_cleanup_free_ struct plan *plan = NULL;
	_cleanup_spec_ struct spec *spec = NULL;
	struct err err = {0};

	buf_format(&config,
		   "{'ociVersion':'1.3.0','root':{'path':'r'},'process':{'cwd':'/','args':['a']},"
		   "'mounts':[{'destination':'/proc','type':'proc'}],'linux':{'namespaces':[%s]}}",
		   namespaces);
	json = json_text(config.data);
	CHECK_INT(spec_parse(json, strlen(json), &spec, &err), 0);
	if (plan_build(spec, &host, &request, &plan, &err) < 0)
		CHECK_STR(err.json_pointer, "/mounts/0");
	CHECK(strncmp(err.msg, expected, strlen(expected)) == 0 && (plan != NULL) == (expected[0] == '\0'));
}

int main(void)
{
	check_devpts("['gid=4','mode=0620']", "init    mount            devpts on /p with gid=4,mode=0620");
	check_devpts("['gid=5','mode=0620']", "init    mount            devpts on /p with mode=600");
	check_devpts("['mode=0666','ptmxmode=0666','gid=5']",
		     "init    mount            devpts on /p with mode=606,ptmxmode=0666");
	check_devpts("['gid=5']", "init    mount            devpts on /p");
	/* The kernel refuses what is no number. */
	check_devpts("['gid=5','mode=rw']", "init    mount            devpts on /p with mode=rw");
	check_devpts("['gid=5','mode=62x']", "init    mount            devpts on /p with mode=62x");
	check_devpts("['gid=5','mode=']", "init    mount            devpts on /p with mode=");
	check_devpts("['gid=5','mode=-1']", "init    mount            devpts on /p with mode=-1");
	/* Root of the host does not open the processes of other containers to one without a user namespace. */
	check_bind(MOUNT ",{'type':'pid'}", false, "a bind of the caller's /proc would open the processes");
	check_bind(MOUNT ",{'type':'pid'}", true, "");
	check_bind(MOUNT, false, "");
	check_bind(MOUNT ",{'type':'pid'},{'type':'user'}" MAPS, false, "");
	UNIT_MAIN_END;
}
