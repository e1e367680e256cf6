/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts of the types symlink and file, and the annotation org.tare.root. */
#include <tare/host.h>
#include <tare/plan.h>

#include "spec_text.h"
#include "unit.h"

/* The plan of a container with these mounts and this annotation, or NULL with *err. The caller frees it. */
static struct plan *build(const char *mounts, const char *root, struct err *err)
{
	const struct plan_request request = {.id = "a", .bundle = "/b", .is_cgroup_disabled = true};
	const struct host host = {.is_privileged = true, .is_mounting = true, .page_size = 4096};
	_cleanup_buf_ struct buf config = {0};
	_cleanup_free_ char *json = NULL;
	_cleanup_spec_ struct spec *spec = NULL;
	struct plan *plan = NULL;

	buf_format(&config,
		   "{'ociVersion':'1.3.0','root':{'path':'r'},'process':{'cwd':'/','args':['a']},"
		   "'annotations':{'org.tare.root':'%s'},'mounts':[%s],"
		   "'linux':{'namespaces':[{'type':'mount'}]}}",
		   root, mounts);
	json = json_text(config.data);
	CHECK_INT(spec_parse(json, strlen(json), &spec, err), 0);
	(void)!plan_build(spec, &host, &request, &plan, err);
	return plan;
}

static void check_error(const char *mounts, const char *root, const char *pointer, const char *message)
{
	struct err err = {0};
	_cleanup_free_ struct plan *plan = build(mounts, root, &err);

	CHECK(plan == NULL);
	CHECK_STR(err.json_pointer, pointer);
	if (!CHECK(strncmp(err.msg, message, strlen(message)) == 0))
		fprintf(stderr, "\t%s\n", err.msg);
}

static void check_file(const char *source, const char *options, const char *content, size_t len, uint32_t mode)
{
	_cleanup_free_ char *mounts = mem_format(
		"{'destination':'/x/../f','type':'file','source':'%s','options':[%s]}", source, options);
	struct err err = {0};
	_cleanup_free_ struct plan *plan = build(mounts, "tmpfs", &err);
	const struct plan_step *step = plan == NULL ? NULL : plan_find(plan, PLAN_FILE);

	if (!CHECK(step != NULL)) {
		fprintf(stderr, "\t%s: %s\n", err.json_pointer, err.msg);
		return;
	}
	CHECK_STR(plan_get(plan, step->u.file.path), "/f");
	CHECK_INT(step->u.file.mode, mode);
	CHECK_INT(step->u.file.content.count, len);
	CHECK(memcmp(plan_rows(plan, step->u.file.content), content, len) == 0);
}

#define FILE_MOUNT(source) "{'destination':'/f','type':'file','source':'" source "'}"
#define NO_CONTENT "the source of a file must be its content"

static void check_sources(void)
{
	static const char *const wrong[] = {
		FILE_MOUNT("text"),
		FILE_MOUNT("data:text/plain,x"),
		FILE_MOUNT("data:;base64"),
		FILE_MOUNT("data:,%4"),
		FILE_MOUNT("data:,%zz"),
		FILE_MOUNT("data:;base64,QQ="),
		FILE_MOUNT("data:;base64,QQ=Q"),
		FILE_MOUNT("data:;base64,Q==="),
		FILE_MOUNT("data:;base64,Q*=="),
		FILE_MOUNT("data:;base64,QQ==QUFB"),
		"{'destination':'/f','type':'file'}",
	};

	check_file("data:,", "", "", 0, 0644);
	check_file("data:,a%00%fF,b%25", "", "a\0\xff,b%", 6, 0644);
	/* RFC 4648, section 10. */
	check_file("data:;base64,", "", "", 0, 0644);
	check_file("data:;base64,Zg==", "'mode=7'", "f", 1, 07);
	check_file("data:;base64,Zm8=", "'mode=0755'", "fo", 2, 0755);
	check_file("data:;base64,Zm9v", "'mode=1','mode=777'", "foo", 3, 0777);
	check_file("data:;base64,Zm9vYmFy", "", "foobar", 6, 0644);
	check_file("data:;base64,+/8=", "", "\xfb\xff", 2, 0644);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		check_error(wrong[i], "tmpfs", "/mounts/0", NO_CONTENT);
}

#define WITH_OPTION(option) "{'destination':'/f','type':'file','source':'data:,','options':['" option "']}"

static void check_options(void)
{
	static const char *const wrong[] = {
		WITH_OPTION("ro"),        WITH_OPTION("mode="),   WITH_OPTION("mode=8"), WITH_OPTION("mode=-1"),
		WITH_OPTION("mode=1777"), WITH_OPTION("mode=7x"), WITH_OPTION("mode"),   WITH_OPTION("")};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		check_error(wrong[i], "tmpfs", "/mounts/0", "option '");
	check_error("{'destination':'/l','type':'symlink'}", "tmpfs", "/mounts/0", "a symlink needs a source");
	check_error("{'destination':'/l','type':'symlink','source':'a','options':['ro']}", "tmpfs", "/mounts/0",
		    "option 'ro' is not for mounts of type symlink");
	check_error("{'destination':'/a/..','type':'symlink','source':'a'}", "tmpfs", "/mounts/0",
		    "'/a/..' cannot be the path of a symlink");
	check_error("{'destination':'/proc/x','type':'file','source':'data:,'}", "tmpfs", "/mounts/0",
		    "a file cannot be inside /proc");
}

static void check_roots(void)
{
	static const char *const wrong[] = {"",
					    "dir",
					    "tmpfs,size=1",
					    "overlayfs",
					    "overlay,",
					    "overlay,size=",
					    "overlay,size=0",
					    "overlay,size=1k",
					    "overlay,size=1,",
					    "overlay,size=9223372036854775808"};
	struct err err = {0};
	_cleanup_free_ struct plan *plan = build("", "overlay,size=4096", &err);

	CHECK(plan != NULL && plan_find(plan, PLAN_OVERLAY)->u.overlay.size == 4096);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		check_error("", wrong[i], "/annotations/org.tare.root", "'");
	check_error("", "overlay,idmap=uids=0", "/annotations/org.tare.root", "option 'idmap=uids=0'");
}

int main(void)
{
	check_sources();
	check_options();
	check_roots();
}
