/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The unit that the plan requests from systemd. Names follow systemd.unit(5) and systemd.slice(5). Values were
 * computed by hand from the properties' descriptions in systemd.resource-control(5).
 */
#include <tare/host.h>
#include <tare/plan.h>

#include "spec_text.h"
#include "unit.h"

static const char common[] =
	"Delegate:b=true DefaultDependencies:b=false MemoryAccounting:b=true CPUAccounting:b=true "
	"IOAccounting:b=true TasksAccounting:b=true CollectMode:?s=inactive-or-failed";

/* "UNIT Slice:s=... NAME:TYPE=VALUE ...", followed by the later requests, each after "; ". */
static void describe(const struct plan *plan, struct buf *out)
{
	static const char *const before[] = {" ", ":", "="};
	const struct plan_step *steps = plan_steps(plan);

	buf_add_str(out, "");
	for (uint32_t i = 0; i < plan->step_count; i++) {
		const struct plan_unit *unit = &steps[i].u.unit;

		if (steps[i].kind != PLAN_UNIT_START && steps[i].kind != PLAN_UNIT_SET)
			continue;
		buf_add_str(out, out->len > 0 ? "; " : "");
		buf_add_str(out, plan_get(plan, unit->name));
		buf_add_str(out, unit->is_user ? " user" : "");
		for (uint32_t k = 0; k < unit->properties.count; k++) {
			buf_add_str(out, before[k % 3]);
			buf_add_str(out, plan_item(plan, unit->properties, k));
		}
	}
}

/* Removes the common properties. Returns false if they are missing. */
static bool shorten(struct buf *text)
{
	char *at = strstr(text->data, common);

	if (at == NULL || at == text->data)
		return false;
	memmove(at - 1, at + sizeof common - 1, strlen(at + sizeof common - 1) + 1);
	return true;
}

struct row {
	const char *path;      /* cgroupsPath */
	const char *resources; /* "" or members of linux.resources */
	const char *annotations;
	const char *expected; /* "!..." is an error: its JSON pointer and message */
};

static void check_row(const struct row *row, const struct host *host)
{
	const struct plan_request request = {.id = "web+1", .bundle = "/b", .is_systemd_cgroup = true};
	_cleanup_buf_ struct buf text = {0}, actual = {0};
	_cleanup_free_ char *json = NULL;
	_cleanup_free_ struct plan *plan = NULL;
	_cleanup_spec_ struct spec *spec = NULL;
	struct err err = {0};
	int r;

	buf_format(&text,
		   "{'ociVersion':'1.3.0','root':{'path':'r'},'annotations':{%s},'linux':{'cgroupsPath':'%s',"
		   "'resources':{%s},'namespaces':[{'type':'mount'},{'type':'user'}],"
		   "'uidMappings':[{'containerID':0,'hostID':1,'size':1}],"
		   "'gidMappings':[{'containerID':0,'hostID':1,'size':1}]}}",
		   row->annotations, row->path, row->resources);
	json = json_text(text.data);
	r = spec_parse(json, strlen(json), &spec, &err);
	if (r >= 0)
		r = plan_build(spec, host, &request, &plan, &err);
	if (r < 0)
		buf_format(&actual, "!%s: %s", err.json_pointer, err.msg);
	else
		describe(plan, &actual);
	if (r >= 0)
		CHECK(shorten(&actual));
	if (!CHECK_STR(actual.data, row->expected))
		fprintf(stderr, "\tof %s {%s} {%s}\n", row->path, row->resources, row->annotations);
}

#define PATH "!/linux/cgroupsPath: "
#define BAD_FORMAT(path)                                                                                       \
	PATH "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got \"" path     \
	     "\" instead"

static const struct row name_rows[] = {
	{"", "", "", "tare-web\\x2b1.scope Slice:s=system.slice"},
	{"machine.slice:libpod:abc", "", "", "libpod-abc.scope Slice:s=machine.slice"},
	{":docker:abc", "", "", "docker-abc.scope Slice:s=system.slice"},
	{"a-b.slice::abc", "", "", "abc.scope Slice:s=a-b.slice"},
	{"-.slice:p:n", "", "", "p-n.scope Slice:s=-.slice"},
	{"/a/b", "", "", BAD_FORMAT("/a/b")},
	{"a.slice:b", "", "", BAD_FORMAT("a.slice:b")},
	{"a.slice:b:c:d", "", "", BAD_FORMAT("a.slice:b:c:d")},
	{"a.slice:b:", "", "", BAD_FORMAT("a.slice:b:")},
	{"machine:b:c", "", "", PATH "'machine' is not the name of a slice"},
	{"-a.slice:b:c", "", "", PATH "'-a.slice' is not the name of a slice"},
	{"a--b.slice:b:c", "", "", PATH "'a--b.slice' is not the name of a slice"},
	{"a-.slice:b:c", "", "", PATH "'a-.slice' is not the name of a slice"},
	{"a/b.slice:b:c", "", "", PATH "'a/b.slice' is not the name of a slice"},
	{".slice:b:c", "", "", PATH "'.slice' is not the name of a slice"},
	{"a.slice:p:c/d", "", "", "p-c\\x2fd.scope Slice:s=a.slice"},
	{"a.slice:p:pod.slice", "", "",
	 PATH "a slice cannot contain the container's processes (use the name of a scope)"},
};

static const struct row user_rows[] = {
	{"", "", "", "tare-web\\x2b1.scope user Slice:s=user.slice"},
	{"x.slice:p:n", "'pids':{'limit':7}", "", "p-n.scope user Slice:s=x.slice TasksMax:?t=7"},
};

#define N "n.scope Slice:s=system.slice"

#define NO_PROPERTY(file, value)                                                                               \
	"!/linux/resources/unified/" file ": cannot express '" value "' of '" file                             \
	"' as a property of systemd (write it in plain numbers)"

static const struct row limit_rows[] = {
	{"::n", "'memory':{'limit':1000,'swap':3000,'reservation':500}", "",
	 N " MemorySwapMax:?t=2000 MemoryMax:?t=1000 MemoryLow:?t=500"},
	{"::n", "'memory':{'limit':-1}", "",
	 N " MemorySwapMax:?t=18446744073709551615 MemoryMax:?t=18446744073709551615"},
	{"::n", "'pids':{'limit':-1}", "", N " TasksMax:?t=18446744073709551615"},
	{"::n", "'pids':{'limit':2}", "", N " TasksMax:?t=2"},
	/* A limit of one process is set after the placeholder has exited. */
	{"::n", "'pids':{'limit':1}", "", N "; n.scope TasksMax:?t=1"},
	{"::n", "'pids':{'limit':0}", "", N "; n.scope TasksMax:?t=1"},
	/*
	 * 50000 of 100000 us are 0.5 s per second. 12345 of 100000 are 123450 us, rounded up to a multiple of
	 * 10000.
	 */
	{"::n", "'cpu':{'quota':50000,'period':100000}", "",
	 N " CPUQuotaPerSecUSec:?t=500000 CPUQuotaPeriodUSec:?t=100000"},
	{"::n", "'cpu':{'quota':12345,'period':100000}", "",
	 N " CPUQuotaPerSecUSec:?t=130000 CPUQuotaPeriodUSec:?t=100000"},
	{"::n", "'cpu':{'quota':300000,'period':200000}", "",
	 N " CPUQuotaPerSecUSec:?t=1500000 CPUQuotaPeriodUSec:?t=200000"},
	{"::n", "'cpu':{'period':5000}", "",
	 N " CPUQuotaPerSecUSec:?t=18446744073709551615 CPUQuotaPeriodUSec:?t=5000"},
	{"::n", "'cpu':{'shares':1024}", "", N " CPUWeight:?t=100"},
	{"::n", "'cpu':{'idle':1,'shares':1024}", "", N " CPUWeight:?t=0"},
	/* bits 0, 1, 9: bytes 0x03 0x02; bit 64: the ninth byte */
	{"::n", "'cpu':{'cpus':'0-1,9','mems':'64'}", "",
	 N " AllowedCPUs:?ay=0302 AllowedMemoryNodes:?ay=000000000000000001"},
	/* The curve that maps 10 to 1000 to io.weight begins at 1. */
	{"::n", "'blockIO':{'weight':10}", "", N " IOWeight:?t=1"},
	{"::n", "'unified':{'memory.high':'5000','memory.min':'max','memory.oom.group':'1'}", "",
	 N " MemoryHigh:?t=5000 MemoryMin:?t=18446744073709551615 OOMPolicy:?s=kill"},
	{"::n", "'unified':{'memory.zswap.writeback':'0'}", "", N " MemoryZSwapWriteback:?b=false"},
	{"::n", "'unified':{'memory.zswap.writeback':'1\\n'}", "", N " MemoryZSwapWriteback:?b=true"},
	{"::n", "'unified':{'memory.zswap.writeback':'2'}", "", NO_PROPERTY("memory.zswap.writeback", "2")},
	{"::n", "'unified':{'memory.oom.group':'0'}", "", N " OOMPolicy:?s=continue"},
	/* For the same file, unified takes precedence. */
	{"::n", "'memory':{'limit':1000},'unified':{'memory.max':'2000'}", "", N " MemoryMax:?t=2000"},
	{"::n", "'cpu':{'shares':1024},'unified':{'cpu.idle':'1'}", "", N " CPUWeight:?t=0"},
	/* In the kernel's notation of numbers. */
	{"::n", "'unified':{'memory.max':'100M','memory.high':'3g','pids.max':' 7'}", "",
	 N " MemoryMax:?t=104857600 MemoryHigh:?t=3221225472 TasksMax:?t=7"},
	{"::n", "'unified':{'memory.max':'0x4000000','memory.high':'0100000000','cpu.weight':'0x20'}", "",
	 N " MemoryMax:?t=67108864 MemoryHigh:?t=16777216 CPUWeight:?t=32"},
	{"::n", "'unified':{'pids.max':'010'}", "", N " TasksMax:?t=8"},
	{"::n", "'unified':{'pids.max':' max\\n'}", "", N " TasksMax:?t=18446744073709551615"},
	{"::n", "'unified':{'io.weight':'default 0100'}", "", N " IOWeight:?t=100"},
	/* 335 of 1024 are 32.7 of 100; 88761 are 8668.1, 15 are 1.5 */
	{"::n", "'unified':{'cpu.weight.nice':'5'}", "", N " CPUWeight:?t=33"},
	{"::n", "'unified':{'cpu.weight.nice':'-20'}", "", N " CPUWeight:?t=8668"},
	{"::n", "'unified':{'cpu.weight.nice':'19'}", "", N " CPUWeight:?t=1"},
	{"::n", "'unified':{'pids.max':'1 '}", "", N "; n.scope TasksMax:?t=1"},
	{"::n", "'unified':{'pids.max':'0\\n'}", "", N "; n.scope TasksMax:?t=1"},
	{"::n", "'unified':{'pids.max':' 0'}", "", N "; n.scope TasksMax:?t=1"},
	{"::n", "'unified':{'pids.max':'0x0'}", "", N "; n.scope TasksMax:?t=1"},
	{"::n", "'cpu':{'idle':0}", "", N " CPUWeight:?t=100"},
	{"::n", "'cpu':{'idle':0,'shares':2048}", "", N " CPUWeight:?t=174"},
	{"::n", "'unified':{'pids.max':'1'}", "", N "; n.scope TasksMax:?t=1"},
	/* systemd has no property for these. */
	{"::n", "'hugepageLimits':[{'pageSize':'2MB','limit':0}]", "", N},
	/* Without a period the kernel keeps the current one. */
	{"::n", "'unified':{'cpu.max':'50000'}", "",
	 N " CPUQuotaPerSecUSec:?t=500000 CPUQuotaPeriodUSec:?t=100000"},
	{"::n", "'cpu':{'quota':20000,'period':20000},'unified':{'cpu.max':'50000'}", "",
	 N " CPUQuotaPerSecUSec:?t=2500000 CPUQuotaPeriodUSec:?t=20000"},
	{"::n", "'unified':{'cpu.max':'  max  40000 \\n 60000\\n'}", "",
	 N " CPUQuotaPerSecUSec:?t=1500000 CPUQuotaPeriodUSec:?t=40000"},
	{"::n", "'unified':{'cpu.max.burst':'5'}", "", N},
	{"::n", "'unified':{'cpuset.cpus':''}", "", N " AllowedCPUs:?ay="},
	{"::n", "'unified':{'io.weight':'8:0 200'}", "", N},
	/* systemd would undo a value that it does not know at its next reload. */
	{"::n", "'unified':{'memory.max':'99999999999T'}", "", NO_PROPERTY("memory.max", "99999999999T")},
	{"::n", "'unified':{'memory.high':''}", "", NO_PROPERTY("memory.high", "\n")},
	{"::n", "'unified':{'pids.max':'many'}", "", NO_PROPERTY("pids.max", "many")},
	{"::n", "'unified':{'cpu.max':'50000K'}", "", NO_PROPERTY("cpu.max", "50000K")},
	{"::n", "'unified':{'cpu.max':'50000 0'}", "", NO_PROPERTY("cpu.max", "50000 0")},
	{"::n", "'unified':{'cpu.max':'max 50000 5'}", "", NO_PROPERTY("cpu.max", "max 50000 5")},
	{"::n", "'unified':{'cpu.weight.nice':'20'}", "", NO_PROPERTY("cpu.weight.nice", "20")},
	{"::n", "'unified':{'cpuset.cpus':'all'}", "", NO_PROPERTY("cpuset.cpus", "all")},
	{"::n", "'unified':{'io.weight':'default 0x10z'}", "", NO_PROPERTY("io.weight", "default 0x10z")},
};

#define A "org.systemd.property."
#define BAD "!/annotations/" A
#define SYNTAX                                                                                                 \
	"cannot set this property of the unit: the value is not GVariant text: true, 'text', uint64 5, ['a', " \
	"'b']"
#define SET "cannot set this property of the unit: "
#define ESCAPE SET "the value has a backslash before a character other than a quote or backslash"

static const struct row annotation_rows[] = {
	{"::n", "", "'run.oci.systemd.subgroup':''", N},
	{"::n", "", "'run.oci.systemd.subgroup':'sub'",
	 "!/annotations/run.oci.systemd.subgroup: cannot place the program in the cgroup 'sub' of the scope: "
	 "it is in the scope itself (set the annotation to \"\", or use run.oci.delegate-cgroup)"},
	{"::n", "", "'" A "TimeoutStopUSec':'uint64 10000000'", N " TimeoutStopUSec:t=10000000"},
	{"::n", "", "'" A "KillSignal':'15'", N " KillSignal:i=15"},
	{"::n", "", "'" A "TimeoutStopSec':'7'", N " TimeoutStopUSec:t=7000000"},
	{"::n", "", "'" A "RuntimeMaxSec':'uint64 2'", N " RuntimeMaxUSec:t=2000000"},
	{"::n", "", "'" A "SendSIGHUP':'true'", N " SendSIGHUP:b=true"},
	{"::n", "'memory':{'limit':9}", "'" A "MemoryMax':'uint64 5'", N " MemoryMax:t=5"},
	{"::n", "", "'" A "After':'[\\u0027a.service\\u0027, \\u0022b.service\\u0022]'",
	 N " After:as=a.service\nb.service\n"},
	{"::n", "", "'" A "After':'[]'", N " After:as="},
	/* A backslash in JSON is written as two. */
	{"::n", "", "'" A "Xyz':'\\u0027a\\\\\\\\b\\\\\\u0027c\\\\\\u0022d\\u0027'", N " Xyz:s=a\\b'c\"d"},
	{"::n", "", "'" A "Xyz':'\\u0027a\\\\nb\\u0027'", BAD "Xyz: " ESCAPE},
	{"::n", "", "'" A "Xyz':'[\\u0027a\\\\nb\\u0027]'", BAD "Xyz: " ESCAPE},
	{"::n", "", "'" A "Xyz':'[\\u0027a\\u0027, \\u0022\\\\u0041\\u0022]'", BAD "Xyz: " ESCAPE},
	{"::n", "", "'" A "Xyz':'\\u0027a\\\\'", BAD "Xyz: " ESCAPE},
	{"::n", "", "'" A "Xyz':'int64 -5'", N " Xyz:x=-5"},
	{"::n", "", "'" A "Xyz':'uint32 4294967295'", N " Xyz:u=4294967295"},
	{"::n", "", "'" A "Xyz':'uint32 4294967296'", BAD "Xyz: " SET "the number is out of its type's range"},
	{"::n", "", "'" A "Xyz':'-2147483648'", N " Xyz:i=-2147483648"},
	{"::n", "", "'" A "Xyz':'2147483648'", BAD "Xyz: " SET "the number is out of its type's range"},
	{"::n", "", "'" A "Xyz':'uint64 -1'", BAD "Xyz: " SET "the number is out of its type's range"},
	{"::n", "", "'" A "Xyz':'word'", BAD "Xyz: " SYNTAX},
	{"::n", "", "'" A "Xyz':''", BAD "Xyz: " SYNTAX},
	{"::n", "", "'" A "Xyz':'\\u0027open'", BAD "Xyz: " SYNTAX},
	{"::n", "", "'" A "Xyz':'[\\u0027a\\u0027'", BAD "Xyz: " SYNTAX},
	{"::n", "", "'" A "Xyz':'[\\u0027a\\u0027 \\u0027b\\u0027]'", BAD "Xyz: " SYNTAX},
	{"::n", "", "'" A "Xyz':'uint64 '", BAD "Xyz: " SYNTAX},
	{"::n", "", "'" A "ab':'1'", BAD "ab: " SET "its name must be three or more letters"},
	{"::n", "", "'" A "a.b':'1'", BAD "a.b: " SET "its name must be three or more letters"},
	{"::n", "", "'" A "StopSec':'\\u0027x\\u0027'",
	 BAD "StopSec: " SET "the value is not a number of seconds"},
	{"::n", "", "'" A "PIDs':'[]'", BAD "PIDs: " SET "the runtime sets this property itself"},
	{"::n", "", "'" A "Delegate':'false'", BAD "Delegate: " SET "the runtime sets this property itself"},
};

/* For limits from 64 to 255 pages, 63 pages are set first. */
static const struct row small_page_rows[] = {
	{"::n", "'memory':{'limit':262143}", "", N " MemoryMax:?t=262143"},
	{"::n", "'memory':{'limit':262144}", "", N " MemoryMax:?t=258048; n.scope MemoryMax:?t=262144"},
	{"::n", "'memory':{'limit':1048575}", "", N " MemoryMax:?t=258048; n.scope MemoryMax:?t=1048575"},
	{"::n", "'memory':{'limit':1048576}", "", N " MemoryMax:?t=1048576"},
};
static const struct row large_page_rows[] = {
	{"::n", "'memory':{'limit':1048575}", "", N " MemoryMax:?t=1048575"},
	{"::n", "'memory':{'limit':4194304}", "", N " MemoryMax:?t=4128768; n.scope MemoryMax:?t=4194304"},
	{"::n", "'memory':{'limit':16777215}", "", N " MemoryMax:?t=4128768; n.scope MemoryMax:?t=16777215"},
	{"::n", "'memory':{'limit':16777216}", "", N " MemoryMax:?t=16777216"},
};

/* A unit with a memory limit needs a watcher, unless run waits for the container's end. */
static const struct {
	const char *resources;
	bool is_run, is_waited, is_watched;
} watch_rows[] = {
	{"'memory':{'limit':1000}", false, false, true},
	{"'memory':{'limit':1000}", true, false, true},
	{"'memory':{'limit':1000}", true, true, false},
	{"'memory':{'limit':262144}", false, false, true}, /* which is set in two steps */
	{"'memory':{'limit':-1}", false, false, false},
	{"'memory':{'limit':1000},'unified':{'memory.max':'max'}", false, false, false},
	{"'unified':{'memory.max':'5M'}", false, false, true},
	{"'memory':{'reservation':1000},'pids':{'limit':5}", false, false, false},
	{"", false, false, false},
};

static void check_watch(size_t i, bool is_systemd)
{
	const struct host host = {.is_privileged = true, .cgroup_mount = "/sys/fs/cgroup", .page_size = 4096};
	const struct plan_request request = {.id = "a",
					     .bundle = "/b",
					     .is_run = watch_rows[i].is_run,
					     .is_waited = watch_rows[i].is_waited,
					     .is_systemd_cgroup = is_systemd};
	_cleanup_buf_ struct buf text = {0};
	_cleanup_free_ char *json = NULL;
	_cleanup_free_ struct plan *plan = NULL;
	_cleanup_spec_ struct spec *spec = NULL;
	const struct plan_step *step;
	struct err err;

	buf_format(&text,
		   "{'ociVersion':'1.3.0','root':{'path':'r'},'process':{'cwd':'/','args':['a']},"
		   "'linux':{'resources':{%s},'namespaces':[{'type':'mount'}]}}",
		   watch_rows[i].resources);
	json = json_text(text.data);
	CHECK(spec_parse(json, strlen(json), &spec, &err) == 0);
	CHECK(plan_build(spec, &host, &request, &plan, &err) == 0);
	step = plan_find(plan, PLAN_UNIT_WATCH);
	if (!CHECK((step != NULL) == (is_systemd && watch_rows[i].is_watched)))
		fprintf(stderr, "\tof {%s}\n", watch_rows[i].resources);
	/* After all limits, and before any program of the container runs. */
	CHECK(step == NULL || (step > plan_find(plan, PLAN_RELEASE_PLACEHOLDER) &&
			       step[1].actor == PLAN_PARENT && step[1].kind == PLAN_SEND));
}

static void check_rows(const struct row *rows, size_t count, bool is_privileged, int64_t page_size)
{
	const struct host host = {
		.is_privileged = is_privileged, .cgroup_mount = "/sys/fs/cgroup", .page_size = page_size};

	for (size_t i = 0; i < count; i++)
		check_row(&rows[i], &host);
}

int main(void)
{
	check_rows(name_rows, ARRAY_SIZE(name_rows), true, 4096);
	check_rows(user_rows, ARRAY_SIZE(user_rows), false, 4096);
	check_rows(small_page_rows, ARRAY_SIZE(small_page_rows), true, 4096);
	check_rows(large_page_rows, ARRAY_SIZE(large_page_rows), true, 65536);
	check_rows(limit_rows, ARRAY_SIZE(limit_rows), true, 4096);
	check_rows(annotation_rows, ARRAY_SIZE(annotation_rows), true, 4096);
	for (size_t i = 0; i < ARRAY_SIZE(watch_rows); i++) {
		check_watch(i, true);
		check_watch(i, false);
	}
	UNIT_MAIN_END;
}
