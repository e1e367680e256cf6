/* SPDX-License-Identifier: Apache-2.0 */
/* The name tables in both directions, sysctl keys, and lists of numbers. */
#include <errno.h>
#include <linux/capability.h>
#include <sys/resource.h>

#include "spec_text.h"
#include "unit.h"

/* A configuration in which name stands at the "%s" of text; NULL if it is refused. */
static struct spec *parse_with(const char *text, const char *name)
{
	_cleanup_free_ char *filled = mem_format(text, name);
	_cleanup_free_ char *whole =
		mem_format("{'ociVersion':'1.3.0','root':{'path':'r'},'process':{'cwd':'/'},%s}", filled);
	_cleanup_free_ char *json = json_text(whole);
	struct spec *spec = NULL;
	struct err err;

	if (spec_parse(json, strlen(json), &spec, &err) < 0)
		fprintf(stderr, "%s\n\t%s: %s\n", whole, err.where, err.msg);
	return spec;
}

static void test_namespaces(void)
{
	static const char *const names[] = {"user", "mount", "pid", "network", "ipc", "uts", "cgroup", "time"};
	const char *last = "";
	int count = 0;

	for (int ns = 0; ns < SPEC_NS_COUNT; ns++) {
		_cleanup_spec_ struct spec *spec =
			parse_with("'linux':{'namespaces':[{'type':'%s','path':'/p'}]}", names[ns]);

		CHECK_STR(spec_namespace_name((enum spec_ns)ns), names[ns]);
		CHECK(spec != NULL && spec->namespaces[ns].is_set);
	}
	CHECK_STR(spec_namespace_name(SPEC_NS_COUNT), NULL);
	for (; spec_namespace_list(count) != NULL; count++) {
		CHECK(strcmp(last, spec_namespace_list(count)) < 0);
		last = spec_namespace_list(count);
	}
	CHECK_INT(count, SPEC_NS_COUNT);
	CHECK_STR(spec_namespace_list(-1), NULL);
}

static void test_hooks(void)
{
	static const char *const names[] = {"prestart",       "createRuntime", "createContainer",
					    "startContainer", "poststart",     "poststop"};

	for (int kind = 0; kind < SPEC_HOOK_KINDS; kind++) {
		_cleanup_spec_ struct spec *spec = parse_with("'hooks':{'%s':[{'path':'/p'}]}", names[kind]);

		CHECK_STR(spec_hook_name((enum spec_hook_kind)kind), names[kind]);
		CHECK(spec != NULL && spec->hooks[kind].count == 1);
	}
	CHECK_STR(spec_hook_name(SPEC_HOOK_KINDS), NULL);
}

static void test_rlimits(void)
{
	int count = 0;

	for (; spec_rlimit_name(count) != NULL; count++) {
		_cleanup_spec_ struct spec *spec = parse_with(
			"'process':null,'x':1}", ""); /* the key "process" twice is refused: only a stand-in */
		_cleanup_free_ char *text = mem_format(
			"{\"cwd\":\"/\",\"args\":[\"a\"],\"rlimits\":[{\"type\":\"%s\",\"soft\":1,\"hard\":2}]}",
			spec_rlimit_name(count));
		_cleanup_spec_ struct spec *process = NULL;
		struct err err;

		(void)spec;
		if (CHECK_INT(spec_parse_process(text, strlen(text), &process, &err), 0))
			CHECK_INT(process->process.rlimits[0].resource, count);
	}
	CHECK_INT(count, RLIM_NLIMITS);
	CHECK_STR(spec_rlimit_name(RLIMIT_NOFILE), "RLIMIT_NOFILE");
	CHECK_STR(spec_rlimit_name(RLIMIT_RTTIME), "RLIMIT_RTTIME");
	CHECK_STR(spec_rlimit_name(-1), NULL);
}
