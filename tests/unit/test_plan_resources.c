/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.resources as writes to cgroup files. Every expected value was computed by hand: the weights from the
 * formulas in the comments, with 60 digits.
 */
#include <tare/host.h>
#include <tare/plan.h>

#include "spec_text.h"
#include "unit.h"

static const char head[] = "{'ociVersion':'1.3.0','root':{'path':'r'},'linux':{'resources':";

/*
 * The steps in one line: "+a,b" are controllers, "file<limit" is a check of the usage, "file=value" is a write,
 * "|file=value" is its alternative, "?" means that the file may be missing, and "~" that the write may be
 * refused.
 */
static void describe(const struct plan *plan, struct buf *out)
{
	const struct plan_step *steps = plan_steps(plan);

	buf_add_str(out, "");
	for (uint32_t i = 0; i < plan->step_count; i++) {
		const struct plan_step *s = &steps[i];

		buf_add_str(out, i == 0 ? "" : "; ");
		CHECK_INT(s->actor, PLAN_PARENT);
		if (s->kind == PLAN_CGROUP_ENABLE) {
			for (uint32_t k = 0; k < s->u.controllers.count; k++)
				buf_format(out, "%s%s", k == 0 ? "+" : ",",
					   plan_item(plan, s->u.controllers, k));
		} else if (s->kind == PLAN_CGROUP_USAGE) {
			buf_format(out, "%s<%llu", plan_get(plan, s->u.usage.file),
				   (unsigned long long)s->u.usage.limit);
		} else if (s->kind == PLAN_CGROUP_WRITE) {
			buf_format(out, "%s=%s", plan_get(plan, s->u.write.file),
				   plan_get(plan, s->u.write.value));
			if (s->u.write.other_file != 0)
				buf_format(out, "|%s=%s", plan_get(plan, s->u.write.other_file),
					   plan_get(plan, s->u.write.other_value));
			buf_add_str(out, s->u.write.flags & PLAN_WRITE_OPTIONAL ? "?" : "");
			buf_add_str(out, s->u.write.flags & PLAN_WRITE_TENTATIVE ? "~" : "");
		} else {
			buf_format(out, "kind %u", s->kind);
		}
	}
}

/* expected: the steps, or "!/pointer: message" of the error. */
struct row {
	const char *resources, *expected;
};

static void check_row(const struct row *row)
{
	_cleanup_buf_ struct buf text = {0}, actual = {0};
	_cleanup_free_ char *json = NULL;
	_cleanup_free_ struct plan *plan = NULL;
	_cleanup_spec_ struct spec *spec = NULL;
	struct host host = {.is_privileged = true};
	struct err err = {0};
	int r;

	buf_format(&text, "%s%s}}", head, row->resources);
	json = json_text(text.data);
	r = spec_parse(json, strlen(json), &spec, &err);
	if (r >= 0)
		r = plan_build_update(&spec->resources, &host, &plan, &err);
	if (r >= 0)
		describe(plan, &actual);
	else
		buf_format(&actual, "!%s: %s", err.json_pointer, err.msg);
	if (!CHECK_STR(actual.data, row->expected))
		fprintf(stderr, "of %s\n", row->resources);
}

static const struct row memory_rows[] = {
	{"{}", ""},
	{"{'memory':{}}", ""},
	{"{'memory':{'limit':262144}}", "+memory; memory.max=262144"},
	{"{'memory':{'limit':0}}", ""},
	/* unlimited: nothing is needed for that, and swap becomes unlimited, too */
	{"{'memory':{'limit':-1}}", "memory.swap.max=max?; memory.max=max?"},
	{"{'memory':{'limit':-1,'swap':0}}", "memory.swap.max=max?; memory.max=max?"},
	{"{'memory':{'limit':-1,'swap':5000}}", "+memory; memory.swap.max=5000; memory.max=max?"},
	{"{'memory':{'swap':5000}}", "!/memory/swap: unable to set swap limit without memory limit"},
	{"{'memory':{'limit':0,'swap':5000}}", "!/memory/swap: unable to set swap limit without memory limit"},
	{"{'memory':{'swap':-1}}", "memory.swap.max=max?"},
	{"{'memory':{'limit':1000,'swap':-1}}", "+memory; memory.swap.max=max?; memory.max=1000"},
	{"{'memory':{'limit':1000,'swap':0}}", "+memory; memory.max=1000"},
	{"{'memory':{'limit':1000,'swap':999}}", "!/memory/swap: memory+swap limit should be >= memory limit"},
	{"{'memory':{'limit':1000,'swap':1000}}", "+memory; memory.swap.max=0?; memory.max=1000"},
	{"{'memory':{'limit':1000,'swap':3000}}", "+memory; memory.swap.max=2000; memory.max=1000"},
	{"{'memory':{'limit':9223372036854775806,'swap':9223372036854775807}}",
	 "+memory; memory.swap.max=1; memory.max=9223372036854775806"},
	{"{'memory':{'reservation':700}}", "+memory; memory.low=700"},
	{"{'memory':{'reservation':-1}}", "memory.low=max?"},
	{"{'memory':{'limit':1000,'swap':1500,'reservation':700,'checkBeforeUpdate':true}}",
	 "+memory; memory.swap.current<500; memory.current<1000; memory.swap.max=500; memory.max=1000; "
	 "memory.low=700"},
	{"{'memory':{'limit':-1,'checkBeforeUpdate':true}}", "memory.swap.max=max?; memory.max=max?"},
	{"{'memory':{'limit':1000,'checkBeforeUpdate':false}}", "+memory; memory.max=1000"},
};

/* What v2 cannot express. Values without effect are accepted. */
static const struct row refused_rows[] = {
	{"{'memory':{'kernel':0,'kernelTCP':-1,'swappiness':0,'disableOOMKiller':false,'useHierarchy':false}}",
	 ""},
	{"{'memory':{'kernel':1}}",
	 "!/memory/kernel: cgroup v2 has no separate limit of kernel memory, which counts as memory"},
	{"{'memory':{'kernelTCP':1}}",
	 "!/memory/kernelTCP: cgroup v2 has no separate limit of TCP buffers, which count as memory"},
	{"{'memory':{'swappiness':60}}", "!/memory/swappiness: cgroup v2 has no swappiness"},
	{"{'memory':{'disableOOMKiller':true}}",
	 "!/memory/disableOOMKiller: cgroup v2 cannot disable the OOM killer"},
	{"{'memory':{'useHierarchy':true}}", "!/memory/useHierarchy: cgroup v2 has no useHierarchy"},
	{"{'cpu':{'realtimeRuntime':0,'realtimePeriod':0}}", ""},
	{"{'cpu':{'realtimeRuntime':1}}",
	 "!/cpu/realtimeRuntime: cgroup v2 has no limits of realtime processes"},
	{"{'cpu':{'realtimePeriod':1}}", "!/cpu/realtimePeriod: cgroup v2 has no limits of realtime processes"},
	{"{'blockIO':{'leafWeight':0}}", ""},
	{"{'blockIO':{'leafWeight':10}}", "!/blockIO/leafWeight: cgroup v2 has no leafWeight"},
	{"{'blockIO':{'weightDevice':[{'major':8,'minor':0,'leafWeight':0},{'major':8,'minor':1,'leafWeight':"
	 "10}]}}",
	 "!/blockIO/weightDevice/1/leafWeight: cgroup v2 has no leafWeight"},
	{"{'network':{'classID':0,'priorities':[]}}", ""},
	{"{'network':{'classID':1}}", "!/network/classID: cgroup v2 has no network classes"},
	{"{'network':{'priorities':[{'name':'lo','priority':1}]}}",
	 "!/network/priorities: cgroup v2 has no network priorities"},
};

static const struct row cpu_rows[] = {
	{"{'cpu':{'shares':0}}", ""},
	{"{'cpu':{'shares':1024}}", "+cpu; cpu.weight=100"},
	{"{'cpu':{'quota':50000,'period':200000}}", "+cpu; cpu.max=50000 200000"},
	{"{'cpu':{'quota':50000}}", "+cpu; cpu.max=50000 100000"},
	{"{'cpu':{'quota':0,'period':0}}", ""},
	{"{'cpu':{'quota':-1}}", "cpu.max=max 100000?"},
	{"{'cpu':{'period':50000}}", "cpu.max=max 50000?"},
	{"{'cpu':{'burst':1000}}", "+cpu; cpu.max.burst=1000"},
	{"{'cpu':{'burst':0}}", "cpu.max.burst=0?"},
	/* a burst above the old quota is written after the new quota, one below it before */
	{"{'cpu':{'quota':50000,'burst':1000}}",
	 "+cpu; cpu.max.burst=1000~; cpu.max=50000 100000; cpu.max.burst=1000"},
	{"{'cpu':{'quota':-1,'burst':1000}}", "+cpu; cpu.max=max 100000?; cpu.max.burst=1000"},
	{"{'cpu':{'idle':1}}", "+cpu; cpu.idle=1"},
	{"{'cpu':{'idle':1,'shares':1024}}", "+cpu; cpu.idle=1"},
	{"{'cpu':{'idle':0,'shares':1024}}", "+cpu; cpu.idle=0?; cpu.weight=100"},
	{"{'cpu':{'cpus':'0-1,3','mems':'0'}}", "+cpuset; cpuset.cpus=0-1,3; cpuset.mems=0"},
	{"{'cpu':{'cpus':'','mems':''}}", ""},
};

/* 1 + (w - 10) * 9999 / 990, rounded down: 10 -> 1, 500 -> 4950, 1000 -> 10000. */
static const struct row io_rows[] = {
	{"{'blockIO':{'weight':0}}", ""},
	{"{'blockIO':{'weight':10}}", "+io; io.bfq.weight=10|io.weight=1"},
	{"{'blockIO':{'weight':500}}", "+io; io.bfq.weight=500|io.weight=4950"},
	{"{'blockIO':{'weight':1000}}", "+io; io.bfq.weight=1000|io.weight=10000"},
	{"{'blockIO':{'weightDevice':[{'major':8,'minor':16,'weight':100},{'major':8,'minor':0,'weight':0}]}}",
	 "+io; io.bfq.weight=8:16 100|io.weight=8:16 910"},
	{"{'blockIO':{'throttleReadBpsDevice':[{'major':8,'minor':0,'rate':600}],"
	 "'throttleWriteBpsDevice':[{'major':8,'minor':0,'rate':18446744073709551615}],"
	 "'throttleReadIOPSDevice':[{'major':8,'minor':0,'rate':0}],"
	 "'throttleWriteIOPSDevice':[{'major':8,'minor':0,'rate':1},{'major':9,'minor':1,'rate':2}]}}",
	 "+io; io.max=8:0 rbps=600; io.max=8:0 wbps=18446744073709551615; io.max=8:0 riops=max?; "
	 "io.max=8:0 wiops=1; io.max=9:1 wiops=2"},
};

static const struct row other_rows[] = {
	{"{'pids':{'limit':0}}", "+pids; pids.max=0"},
	{"{'pids':{'limit':1}}", "+pids; pids.max=1"},
	{"{'pids':{'limit':-1}}", "pids.max=max?"},
	{"{'hugepageLimits':[{'pageSize':'2MB','limit':0},{'pageSize':'1GB','limit':9223372036854771712}]}",
	 "+hugetlb; hugetlb.2MB.rsvd.max=0|hugetlb.2MB.max=0; "
	 "hugetlb.1GB.rsvd.max=9223372036854771712|hugetlb.1GB.max=9223372036854771712"},
	{"{'rdma':{'mlx5_1':{'hcaHandles':3,'hcaObjects':10000},'rxe3':{'hcaObjects':0}}}",
	 "+rdma; rdma.max=mlx5_1 hca_handle=3 hca_object=10000; rdma.max=rxe3 hca_object=0"},
	/* each line is one write, in the order of the configuration, after all other writes */
	{"{'unified':{'memory.high':'1G','io.max':'8:0 rbps=1\\n8:16 wbps=2\\n','cgroup.max.depth':'3'},"
	 "'memory':{'limit':1000},'pids':{'limit':5}}",
	 "+pids,memory,io; pids.max=5; memory.max=1000; memory.high=1G; io.max=8:0 rbps=1; io.max=8:16 wbps=2; "
	 "cgroup.max.depth=3"},
	{"{'unified':{'cpuset.cpus':''}}", "+cpuset; cpuset.cpus=\n"},
	{"{'unified':{'hugetlb.2MB.max':'1','misc.max':'a 1','weird':'x'}}",
	 "+hugetlb,misc; hugetlb.2MB.max=1; misc.max=a 1; weird=x"},
	{"{'unified':{'cgroup.freeze':'1'}}",
	 "!/unified/cgroup.freeze: only the runtime writes this file, which acts on processes"},
	/* steps for processes are not in the plan of an update */
	{"{'devices':[{'allow':false}]}", ""},
	/* the order of all writes */
	{"{'rdma':{'a':{'hcaHandles':1}},'hugepageLimits':[{'pageSize':'2MB','limit':1}],"
	 "'cpu':{'mems':'0','shares':2},'blockIO':{'weight':10},'memory':{'limit':1},'pids':{'limit':1}}",
	 "+pids,memory,io,cpu,cpuset,hugetlb,rdma; pids.max=1; memory.max=1; io.bfq.weight=10|io.weight=1; "
	 "cpu.weight=1; cpuset.mems=0; hugetlb.2MB.rsvd.max=1|hugetlb.2MB.max=1; rdma.max=a hca_handle=1"},
};

/*
 * ceil(10^((l^2 + 125 l) / 612 - 7 / 34)), l = log2(shares). The comment of each row is the power before it is
 * rounded.
 */
static void test_weights(void)
{
	static const struct {
		uint64_t shares;
		uint32_t weight;
	} rows[] = {
		{0, 0},          /* not set */
		{1, 1},          /* below the minimum of cgroup v1 */
		{2, 1},          /* 1 */
		{3, 2},          /* 1.324 */
		{4, 2},          /* 1.619 */
		{10, 4},         /* 3.095 */
		{100, 17},       /* 16.740 */
		{102, 17},       /* 16.971 */
		{256, 35},       /* 34.094 */
		{512, 59},       /* 58.171 */
		{1023, 100},     /* 99.923 */
		{1024, 100},     /* 100 */
		{1025, 101},     /* 100.077 */
		{2048, 174},     /* 173.206 */
		{4096, 303},     /* 302.268 */
		{10000, 627},    /* 626.056 */
		{65536, 3023},   /* 3022.680 */
		{200000, 7899},  /* 7898.714 */
		{262143, 10000}, /* 9999.967 */
		{262144, 10000}, /* 10000 */
		{UINT64_MAX, 10000},
	};
	uint32_t last = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (!CHECK_INT(plan_cpu_weight(rows[i].shares), rows[i].weight))
			fprintf(stderr, "of %llu shares\n", (unsigned long long)rows[i].shares);
	for (uint64_t shares = 0; shares <= 262145; shares += 7) {
		uint32_t weight = plan_cpu_weight(shares);

		if (weight < last || weight > 10000)
			CHECK(!"more shares are no less weight");
		last = weight;
	}
	CHECK_INT(plan_io_weight(10), 1);
	CHECK_INT(plan_io_weight(11), 11);    /* 1 + 10.1 */
	CHECK_INT(plan_io_weight(100), 910);  /* 1 + 909 */
	CHECK_INT(plan_io_weight(999), 9989); /* 1 + 9988.9 */
	CHECK_INT(plan_io_weight(1000), 10000);
}

/* Pointers begin at the root of the resources document. */
static void test_document(void)
{
	struct spec_resources resources = {.memory.limit = {.is_set = true, .value = 10},
					   .memory.swap = {.is_set = true, .value = 9}};
	_cleanup_free_ struct plan *plan = NULL;
	struct host host = {.is_privileged = true};
	struct err err = {0};

	CHECK(plan_build_update(&resources, &host, &plan, &err) < 0);
	CHECK_STR(err.json_pointer, "/memory/swap");
	CHECK_INT(err.kind, ERR_CONFIG);
	CHECK(plan == NULL);
	resources.memory.swap = (struct spec_int){.is_set = false};
	resources.memory.swappiness = (struct spec_uint){.is_set = true, .value = 1};
	CHECK(plan_build_update(&resources, &host, &plan, &err) < 0);
	CHECK_STR(err.json_pointer, "/memory/swappiness");
	CHECK_INT(err.kind, ERR_UNSUPPORTED);
}

int main(void)
{
	static const struct {
		const struct row *rows;
		size_t count;
	} tables[] = {
		{memory_rows, ARRAY_SIZE(memory_rows)}, {refused_rows, ARRAY_SIZE(refused_rows)},
		{cpu_rows, ARRAY_SIZE(cpu_rows)},       {io_rows, ARRAY_SIZE(io_rows)},
		{other_rows, ARRAY_SIZE(other_rows)},
	};

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		for (size_t k = 0; k < tables[i].count; k++)
			check_row(&tables[i].rows[k]);
	test_weights();
	test_document();
	UNIT_MAIN_END;
}
