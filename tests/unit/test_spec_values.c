/* SPDX-License-Identifier: Apache-2.0 */
/* Every property is stored in its member, and names can be converted in both directions. */
#include <errno.h>
#include <linux/capability.h>
#include <linux/ioprio.h>
#include <linux/mempolicy.h>
#include <linux/personality.h>
#include <linux/sched.h>
#include <sys/resource.h>

#include "spec_text.h"
#include "unit.h"

#define BIT(n) (UINT64_C(1) << (n))

static void check_list(const struct spec_list *list, const char *joined, int line)
{
	_cleanup_buf_ struct buf buf = {0};

	for (size_t i = 0; i < list->count; i++)
		buf_format(&buf, "%s%s", i > 0 ? "|" : "", list->v[i]);
	unit_str(buf.data, joined, "list", __FILE__, line);
	unit_true(list->v != NULL && list->v[list->count] == NULL, "the list ends with NULL", __FILE__, line);
}
#define CHECK_LIST(list, joined) check_list(&(list), (joined), __LINE__)

static void check_map(const struct spec_id_maps *maps, size_t at, const uint32_t *expected, int line)
{
	if (!unit_true(at < maps->count, "there are enough mappings", __FILE__, line))
		return;
	unit_int(maps->v[at].container_id, expected[0], "container_id", __FILE__, line);
	unit_int(maps->v[at].host_id, expected[1], "host_id", __FILE__, line);
	unit_int(maps->v[at].size, expected[2], "size", __FILE__, line);
}
#define CHECK_MAP(maps, at, ...) check_map(&(maps), (at), (const uint32_t[]){__VA_ARGS__}, __LINE__)

static void check_top(const struct spec *spec)
{
	CHECK_STR(spec->oci_version, "1.3.0");
	CHECK_STR(spec->root.path, "rootfs");
	CHECK(spec->root.is_readonly);
	CHECK_STR(spec->hostname, "lighthouse");
	CHECK_STR(spec->domainname, "example.org");
	CHECK_INT(spec->mount_count, 2);
	CHECK_STR(spec->mounts[0].destination, "/proc");
	CHECK_STR(spec->mounts[0].type, "proc");
	CHECK_STR(spec->mounts[0].source, "proc");
	CHECK_LIST(spec->mounts[0].options, "nosuid|noexec");
	CHECK_INT(spec->mounts[0].uid_mappings.count, 0);
	CHECK_STR(spec->mounts[1].destination, "data");
	CHECK_STR(spec->mounts[1].type, NULL);
	CHECK_MAP(spec->mounts[1].uid_mappings, 0, 0, 5000, 10);
	CHECK_MAP(spec->mounts[1].gid_mappings, 0, 1, 6000, 20);
	CHECK_INT(spec->annotations.count, 2);
	CHECK_STR(spec->annotations.v[1].key, "org.example.b");
	CHECK_STR(spec_annotation(spec, "org.example.a"), "one");
	CHECK_STR(spec_annotation(spec, "org.example.b"), "");
	CHECK_STR(spec_annotation(spec, "org.example"), NULL);
	CHECK_INT(spec->warnings.count, 0);
}

static void check_process(const struct spec_process *process)
{
	CHECK(process->terminal);
	CHECK(process->console_size.is_set);
	CHECK_INT(process->console_size.height, 25);
	CHECK_INT(process->console_size.width, 80);
	CHECK_STR(process->cwd, "/work");
	CHECK_LIST(process->env, "PATH=/bin|EMPTY=|A=2=3");
	CHECK_LIST(process->args, "sh|-c|true");
	CHECK_INT(process->rlimit_count, 2);
	CHECK_INT(process->rlimits[0].resource, RLIMIT_NOFILE);
	CHECK_INT(process->rlimits[0].soft, 1024);
	CHECK_INT(process->rlimits[0].hard, 4096);
	CHECK_INT(process->rlimits[1].resource, RLIMIT_CORE);
	CHECK_INT(process->rlimits[1].soft, 0);
	CHECK(process->rlimits[1].hard == UINT64_MAX);
	CHECK(process->has_capabilities);
	CHECK_INT(process->capabilities.bounding, BIT(CAP_CHOWN) | BIT(CAP_CHECKPOINT_RESTORE));
	CHECK_INT(process->capabilities.effective, BIT(CAP_KILL));
	CHECK_INT(process->capabilities.inheritable, 0);
	CHECK_INT(process->capabilities.permitted, BIT(CAP_NET_RAW) | BIT(CAP_KILL));
	CHECK_INT(process->capabilities.ambient, BIT(CAP_SETFCAP));
	CHECK(process->attributes.no_new_privileges);
	CHECK(process->attributes.oom_score_adj.is_set);
	CHECK_INT(process->attributes.oom_score_adj.value, -500);
	CHECK_STR(process->apparmor_profile, "harbour");
	CHECK_STR(process->selinux_label, "u:r:t:s0");
}

static void check_scheduling(const struct spec_process *process)
{
	CHECK(process->attributes.scheduler.is_set);
	CHECK_INT(process->attributes.scheduler.policy, SCHED_DEADLINE);
	CHECK_INT(process->attributes.scheduler.nice, -5);
	CHECK_INT(process->attributes.scheduler.priority, 0);
	CHECK_INT(process->attributes.scheduler.flags, SCHED_FLAG_RESET_ON_FORK | SCHED_FLAG_DL_OVERRUN);
	CHECK_INT(process->attributes.scheduler.runtime, 1000000);
	CHECK_INT(process->attributes.scheduler.deadline, 2000000);
	CHECK_INT(process->attributes.scheduler.period, 3000000);
	CHECK(process->attributes.io_priority.is_set);
	CHECK_INT(process->attributes.io_priority.class_, IOPRIO_CLASS_BE);
	CHECK_INT(process->attributes.io_priority.priority, 6);
	CHECK(process->exec_cpu_affinity.is_set);
	CHECK_STR(process->exec_cpu_affinity.initial, "0-1");
	CHECK_STR(process->exec_cpu_affinity.final, "2, 4-6");
	CHECK_INT(process->user.uid, 1000);
	CHECK_INT(process->user.gid, 100);
	CHECK(process->attributes.umask.is_set);
	CHECK_INT(process->attributes.umask.value, 022);
	CHECK_INT(process->user.additional_gid_count, 2);
	CHECK_INT(process->user.additional_gids[0], 5);
	CHECK_INT(process->user.additional_gids[1], 4294967294);
}

static void check_hooks(const struct spec *spec)
{
	const struct spec_hooks *create = &spec->hooks[SPEC_HOOK_CREATE_RUNTIME];

	CHECK_STR(spec->hooks[SPEC_HOOK_PRESTART].v[0].path, "/h/pre");
	CHECK(spec->hooks[SPEC_HOOK_PRESTART].v[0].args.v == NULL);
	CHECK(spec->hooks[SPEC_HOOK_PRESTART].v[0].env.v == NULL);
	CHECK_INT(spec->hooks[SPEC_HOOK_PRESTART].v[0].timeout, 0);
	CHECK_INT(create->count, 2);
	CHECK_LIST(create->v[0].args, "cr|-v");
	CHECK_LIST(create->v[0].env, "K=V");
	CHECK_INT(create->v[0].timeout, 7);
	CHECK(create->v[1].args.v == NULL);
	CHECK(create->v[1].env.v != NULL);
	CHECK_INT(create->v[1].env.count, 0);
	CHECK_STR(spec->hooks[SPEC_HOOK_CREATE_CONTAINER].v[0].path, "/h/cc");
	CHECK_STR(spec->hooks[SPEC_HOOK_START_CONTAINER].v[0].path, "/h/sc");
	CHECK_STR(spec->hooks[SPEC_HOOK_POSTSTART].v[0].path, "/h/ps");
	CHECK_STR(spec->hooks[SPEC_HOOK_POSTSTOP].v[0].path, "/h/st");
}

static void check_linux(const struct spec *spec)
{
	for (int ns = 0; ns < SPEC_NS_COUNT; ns++)
		CHECK(spec->namespaces[ns].is_set);
	CHECK_STR(spec->namespaces[SPEC_NS_USER].path, NULL);
	CHECK_STR(spec->namespaces[SPEC_NS_PID].path, "/run/ns/pid");
	CHECK_INT(spec->namespaces[SPEC_NS_PID].index, 2);
	CHECK_STR(spec->namespaces[SPEC_NS_NETWORK].path, "/run/ns/net");
	CHECK_INT(spec->namespaces[SPEC_NS_TIME].index, 7);
	CHECK_INT(spec->uid_mappings.count, 1);
	CHECK_MAP(spec->uid_mappings, 0, 0, 100000, 65536);
	CHECK_MAP(spec->gid_mappings, 1, 1, 200001, 4294767294);
	CHECK(spec->monotonic_offset.is_set && spec->boottime_offset.is_set);
	CHECK_INT(spec->monotonic_offset.secs, -100);
	CHECK_INT(spec->monotonic_offset.nanosecs, 999999999);
	CHECK_INT(spec->boottime_offset.secs, 200);
	CHECK_INT(spec->boottime_offset.nanosecs, 0);
	CHECK_INT(spec->net_device_count, 2);
	CHECK_STR(spec->net_devices[0].host_name, "eth0");
	CHECK_STR(spec->net_devices[0].container_name, "lan%d");
	CHECK_STR(spec->net_devices[1].host_name, "ens4");
	CHECK_STR(spec->net_devices[1].container_name, NULL);
	CHECK_STR(spec->cgroups_path, "/pier/box");
	CHECK_INT(spec->rootfs_propagation, SPEC_PROPAGATION_RSLAVE);
	CHECK_LIST(spec->masked_paths, "/proc/kcore|/proc/keys");
	CHECK_LIST(spec->readonly_paths, "/proc/sys");
	CHECK_STR(spec->mount_label, "u:object_r:t:s0");
	CHECK(spec->process.attributes.personality.is_set);
	CHECK_INT(spec->process.attributes.personality.domain, PER_LINUX32);
}

static void check_linux_more(const struct spec *spec)
{
	static const char *const sysctls[] = {"net.ipv4.ip_forward",      "kernel/shmmax",
					      "net.ipv4.conf.eth0/1.mtu", "user.max_user_namespaces",
					      "kernel.domainname",        "fs.mqueue.queues_max"};

	CHECK(spec->intel_rdt.is_set);
	CHECK_STR(spec->intel_rdt.clos_id, "gold");
	CHECK_STR(spec->intel_rdt.l3_cache_schema, "L3:0=f");
	CHECK_STR(spec->intel_rdt.mem_bw_schema, "MB:0=20");
	CHECK_LIST(spec->intel_rdt.schemata, "L2:0=f|L2:1=f");
	CHECK(spec->intel_rdt.enable_monitoring);
	CHECK(spec->process.attributes.memory_policy.is_set);
	CHECK_INT(spec->process.attributes.memory_policy.mode, MPOL_BIND);
	CHECK_INT(spec->process.attributes.memory_policy.flags, MPOL_F_STATIC_NODES | MPOL_F_NUMA_BALANCING);
	CHECK_INT(spec->process.attributes.memory_policy.nodes[0], 3);
	CHECK_INT(spec->sysctl.count, ARRAY_SIZE(sysctls));
	for (size_t i = 0; i < ARRAY_SIZE(sysctls); i++)
		CHECK_STR(spec->sysctl.v[i].key, sysctls[i]);
	CHECK_STR(spec->sysctl.v[1].value, "9");
}

static void check_devices(const struct spec *spec)
{
	const struct spec_device *devices = spec->devices;

	CHECK_INT(spec->device_count, 4);
	CHECK_INT(devices[0].type, 'c');
	CHECK_STR(devices[0].path, "/dev/fuse");
	CHECK_INT(devices[0].major, 10);
	CHECK_INT(devices[0].minor, 229);
	CHECK(devices[0].file_mode.is_set && devices[0].uid.is_set && devices[0].gid.is_set);
	CHECK_INT(devices[0].file_mode.value, 0666);
	CHECK_INT(devices[0].uid.value, 1);
	CHECK_INT(devices[0].gid.value, 2);
	CHECK_INT(devices[1].type, 'c');
	CHECK_INT(devices[1].major, 4095);
	CHECK_INT(devices[1].minor, 1048575);
	CHECK(!devices[1].file_mode.is_set && !devices[1].uid.is_set && !devices[1].gid.is_set);
	CHECK_INT(devices[2].type, 'b');
	CHECK_INT(devices[2].file_mode.value, 0660);
	CHECK_INT(devices[3].type, 'p');
}

static void check_seccomp(const struct spec_seccomp *seccomp)
{
	const struct spec_seccomp_rule *rules = seccomp->rules;

	CHECK(seccomp->is_set);
	CHECK_INT(seccomp->default_action, SPEC_SECCOMP_ERRNO);
	CHECK(seccomp->default_errno_ret.is_set);
	CHECK_INT(seccomp->default_errno_ret.value, 38);
	CHECK_LIST(seccomp->architectures, "SCMP_ARCH_X86_64|SCMP_ARCH_RISCV64");
	CHECK_LIST(seccomp->flags, "SECCOMP_FILTER_FLAG_LOG");
	CHECK_STR(seccomp->listener_path, "/run/l.sock");
	CHECK_STR(seccomp->listener_metadata, "meta");
	CHECK_INT(seccomp->rule_count, 2);
	CHECK_LIST(rules[0].names, "read|write");
	CHECK_INT(rules[0].action, SPEC_SECCOMP_ALLOW);
	CHECK(!rules[0].errno_ret.is_set);
	CHECK_INT(rules[0].arg_count, 0);
	CHECK_INT(rules[1].action, SPEC_SECCOMP_TRACE);
	CHECK_INT(rules[1].errno_ret.value, 65535);
	CHECK_INT(rules[1].arg_count, 2);
	CHECK_INT(rules[1].args[0].index, 5);
	CHECK(rules[1].args[0].value == UINT64_MAX);
	CHECK_INT(rules[1].args[0].value_two, 7);
	CHECK_INT(rules[1].args[0].op, SPEC_SECCOMP_MASKED_EQ);
	CHECK_INT(rules[1].args[1].op, SPEC_SECCOMP_EQ);
}

static void check_cgroup(const struct spec_resources *r)
{
	CHECK_INT(r->device_count, 3);
	CHECK(!r->devices[0].allow);
	CHECK_INT(r->devices[0].access, SPEC_ACCESS_READ | SPEC_ACCESS_WRITE | SPEC_ACCESS_MKNOD);
	CHECK_INT(r->devices[0].type, 'a');
	CHECK_INT(r->devices[0].major, -1);
	CHECK_INT(r->devices[0].minor, -1);
	CHECK(r->devices[1].allow);
	CHECK_INT(r->devices[1].access, SPEC_ACCESS_READ | SPEC_ACCESS_WRITE);
	CHECK_INT(r->devices[1].type, 'c');
	CHECK_INT(r->devices[1].major, 10);
	CHECK_INT(r->devices[1].minor, 229);
	CHECK_INT(r->devices[2].access, SPEC_ACCESS_MKNOD);
	CHECK_INT(r->devices[2].minor, -1);
	CHECK_INT(r->memory.limit.value, 536870912);
	CHECK_INT(r->memory.reservation.value, 1024);
	CHECK_INT(r->memory.swap.value, -1);
	CHECK_INT(r->memory.kernel.value, 1);
	CHECK_INT(r->memory.kernel_tcp.value, 2);
	CHECK_INT(r->memory.swappiness.value, 60);
	CHECK(r->memory.disable_oom_killer.is_set && !r->memory.disable_oom_killer.value);
	CHECK(r->memory.use_hierarchy.is_set && r->memory.use_hierarchy.value);
	CHECK(r->memory.check_before_update.is_set && r->memory.check_before_update.value);
	CHECK_INT(r->cpu.shares.value, 1024);
	CHECK_INT(r->cpu.quota.value, 50000);
	CHECK_INT(r->cpu.burst.value, 40000);
	CHECK_INT(r->cpu.period.value, 100000);
	CHECK_INT(r->cpu.realtime_runtime.value, 950000);
	CHECK_INT(r->cpu.realtime_period.value, 1000000);
	CHECK_STR(r->cpu.cpus, "0-3,7");
	CHECK_STR(r->cpu.mems, "0");
	CHECK_INT(r->cpu.idle.value, 1);
	CHECK(r->pids_limit.is_set);
	CHECK_INT(r->pids_limit.value, 0);
}

static void check_cgroup_more(const struct spec_resources *r)
{
	CHECK_INT(r->block_io.weight.value, 10);
	CHECK_INT(r->block_io.leaf_weight.value, 1000);
	CHECK_INT(r->block_io.weight_device_count, 2);
	CHECK_INT(r->block_io.weight_devices[0].weight.value, 500);
	CHECK_INT(r->block_io.weight_devices[0].leaf_weight.value, 300);
	CHECK(!r->block_io.weight_devices[1].weight.is_set && r->block_io.weight_devices[1].leaf_weight.is_set);
	CHECK_INT(r->block_io.weight_devices[1].minor, 16);
	CHECK_INT(r->block_io.throttle[SPEC_THROTTLE_READ_BPS].v[0].minor, 1);
	CHECK_INT(r->block_io.throttle[SPEC_THROTTLE_READ_BPS].v[0].rate, 600);
	CHECK(r->block_io.throttle[SPEC_THROTTLE_WRITE_BPS].v[0].rate == UINT64_MAX);
	CHECK_INT(r->block_io.throttle[SPEC_THROTTLE_READ_IOPS].count, 2);
	CHECK_INT(r->block_io.throttle[SPEC_THROTTLE_READ_IOPS].v[1].major, 9);
	CHECK_INT(r->block_io.throttle[SPEC_THROTTLE_WRITE_IOPS].v[0].minor, 4);
	CHECK_INT(r->hugepage_limit_count, 2);
	CHECK_STR(r->hugepage_limits[0].page_size, "2MB");
	CHECK_INT(r->hugepage_limits[0].limit, 9223372036854772000);
	CHECK_STR(r->hugepage_limits[1].page_size, "64KB");
	CHECK(r->network.class_id.is_set);
	CHECK_INT(r->network.class_id.value, 4294967295);
	CHECK_INT(r->network.priority_count, 1);
	CHECK_STR(r->network.priorities[0].name, "eth0");
	CHECK_INT(r->network.priorities[0].priority, 500);
	CHECK_INT(r->rdma_count, 2);
	CHECK_STR(r->rdma[0].device, "mlx5_1");
	CHECK_INT(r->rdma[0].hca_handles.value, 3);
	CHECK_INT(r->rdma[0].hca_objects.value, 10000);
	CHECK_STR(r->rdma[1].device, "rxe3");
	CHECK(!r->rdma[1].hca_handles.is_set && r->rdma[1].hca_objects.is_set);
	CHECK_INT(r->unified.count, 2);
	CHECK_STR(r->unified.v[0].key, "memory.high");
	CHECK_STR(r->unified.v[1].value, "a\nb");
}

static void test_full(void)
{
	_cleanup_free_ char *json = json_text(full_config);
	_cleanup_spec_ struct spec *spec = NULL;
	struct err err = {0};

	if (!CHECK_INT(spec_parse(json, strlen(json), &spec, &err), 0)) {
		fprintf(stderr, "%s: %s\n", err.json_pointer, err.msg);
		return;
	}
	check_top(spec);
	CHECK(spec->has_process);
	check_process(&spec->process);
	check_scheduling(&spec->process);
	check_hooks(spec);
	check_linux(spec);
	check_linux_more(spec);
	check_devices(spec);
	check_seccomp(&spec->seccomp);
	check_cgroup(&spec->resources);
	check_cgroup_more(&spec->resources);
}

static struct spec *parse(int (*parser)(const char *, size_t, struct spec **, struct err *), const char *text)
{
	_cleanup_free_ char *json = json_text(text);
	struct spec *spec = NULL;
	struct err err = {0};

	if (!CHECK_INT(parser(json, strlen(json), &spec, &err), 0))
		fprintf(stderr, "%s\n%s: %s\n", text, err.json_pointer, err.msg);
	return spec;
}

static void test_absent(void)
{
	_cleanup_spec_ struct spec *minimal =
		parse(spec_parse,
		      "{'ociVersion':'1.0.0','root':{'path':'r'},'process':null,'linux':null,'windows':{}}");
	_cleanup_spec_ struct spec *empty = parse(
		spec_parse,
		"{'ociVersion':'1.9.9-rc.1+x.01','root':{'path':'r'},'hostname':'','mounts':[],"
		"'process':{'cwd':'/','consoleSize':5,'apparmorProfile':'','execCPUAffinity':{'final':''}},"
		"'linux':{'cgroupsPath':'','rootfsPropagation':'','timeOffsets':{},'maskedPaths':[],"
		"'uidMappings':[],'devices':[],'seccomp':null}}");

	if (minimal == NULL || empty == NULL)
		return;
	CHECK(!minimal->has_process && !minimal->seccomp.is_set);
	CHECK(minimal->process.args.v == NULL && minimal->masked_paths.v == NULL);
	CHECK_STR(empty->hostname, NULL);
	CHECK_STR(empty->cgroups_path, NULL);
	CHECK_STR(empty->process.apparmor_profile, NULL);
	CHECK(empty->process.exec_cpu_affinity.is_set);
	CHECK_STR(empty->process.exec_cpu_affinity.final, NULL);
	CHECK(!empty->process.console_size.is_set && !empty->process.has_capabilities);
	CHECK(!empty->process.attributes.oom_score_adj.is_set && !empty->process.attributes.umask.is_set);
	CHECK_INT(empty->process.args.count, 0);
	CHECK(empty->masked_paths.v != NULL);
	CHECK_INT(empty->rootfs_propagation, SPEC_PROPAGATION_UNSET);
}

static void test_documents(void)
{
	_cleanup_spec_ struct spec *process =
		parse(spec_parse_process, "{'cwd':'/','args':['a'],'user':{'uid':7,'gid':8},'x':1}");
	_cleanup_spec_ struct spec *resources = parse(spec_parse_resources, "{'pids':{'limit':7},'x':1}");

	if (process == NULL || resources == NULL)
		return;
	CHECK(process->has_process);
	CHECK_STR(process->process.args.v[0], "a");
	CHECK_INT(process->process.user.uid, 7);
	CHECK_INT(process->process.user.gid, 8);
	CHECK_INT(resources->resources.pids_limit.value, 7);
	CHECK_INT(process->warnings.count, 0);
	if (CHECK_INT(resources->warnings.count, 1))
		CHECK_STR(resources->warnings.v[0], "/x: is an unknown key and has no effect");
}

static void test_mounts_document(void)
{
	static const struct {
		const char *json, *json_pointer; /* of the error; NULL: none */
	} documents[] = {
		{"[]", NULL},
		{"[{'destination':'/a','source':'/b','options':['bind']}]", NULL},
		{"[{'destination':'/a'},{'destination':'/b','source':1}]", "/1/source"},
		{"[{'type':'tmpfs'}]", "/0/destination"},
		{"[{'destination':'/a','uidMappings':[{'containerID':0,'hostID':0,'size':1}]}]",
		 "/0/gidMappings"},
		{"[{'destination':'/a','type':'x','type':'y'}]", "/0/type"},
		{"[1]", "/0"},
		{"{}", ""},
		{"{'mounts':[]}", ""},
		{"1", ""},
	};
	_cleanup_spec_ struct spec *spec = parse(spec_parse_mounts, "[{'destination':'a','type':'b','x':1}]");

	if (spec != NULL && CHECK_INT(spec->mount_count, 1)) {
		CHECK_STR(spec->mounts[0].destination, "a");
		CHECK_STR(spec->mounts[0].type, "b");
		if (CHECK_INT(spec->warnings.count, 1))
			CHECK_STR(spec->warnings.v[0], "/0/x: is an unknown key and has no effect");
	}
	for (size_t i = 0; i < ARRAY_SIZE(documents); i++) {
		_cleanup_free_ char *json = json_text(documents[i].json);
		_cleanup_spec_ struct spec *mounts = NULL;
		struct err err = {.kind = ERR_NONE};
		int r = spec_parse_mounts(json, strlen(json), &mounts, &err);

		CHECK_INT(r, documents[i].json_pointer == NULL ? 0 : -EINVAL);
		CHECK_STR(err.json_pointer, documents[i].json_pointer == NULL ? "" : documents[i].json_pointer);
	}
}

/* A whole configuration instead of resources: it has no known key, and would change nothing. */
static void test_whole_document(void)
{
	static const struct {
		const char *json;
		bool is_valid;
	} documents[] = {
		{"{}", true},
		{"{'x':1}", true},
		{"{'linux':null}", true},
		{"{'linux':{},'devices':[]}", true},
		{"{'linux':{'resources':{}},'unified':{'a.b':'1'}}", true},
		{"{'linux':{'resources':{'pids':{'limit':7}}}}", false},
		{"{'ociVersion':'1.0.0','linux':{}}", false},
		{"{'linux':[]}", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(documents); i++) {
		_cleanup_free_ char *json = json_text(documents[i].json);
		_cleanup_spec_ struct spec *spec = NULL;
		struct err err = {.kind = ERR_NONE};
		int r = spec_parse_resources(json, strlen(json), &spec, &err);

		CHECK_INT(r, documents[i].is_valid ? 0 : -EINVAL);
		CHECK_STR(err.json_pointer, documents[i].is_valid ? "" : "/linux");
	}
}

static void test_warnings(void)
{
	_cleanup_spec_ struct spec *spec = parse(
		spec_parse,
		"{'ociVersion':'0.5.0-dev','root':{'path':'r'},'process':{'cwd':'/','capabilities':"
		"{'bounding':['CAP_KILL','CAP_TEA','cap_kill','CAP_','','CAP_1','CAP_2','CAP_3','CAP_4']}}}");

	if (spec == NULL || !CHECK_INT(spec->warnings.count, 9))
		return;
	CHECK_STR(spec->warnings.v[0], "/ociVersion: version '0.5.0-dev' is a draft of 1.0.0");
	CHECK_STR(spec->warnings.v[1],
		  "/process/capabilities/bounding/1: unknown capability 'CAP_TEA' is ignored");
	CHECK_STR(spec->warnings.v[8],
		  "/process/capabilities/bounding/8: unknown capability 'CAP_4' is ignored");
	CHECK(spec->warnings.v[9] == NULL);
	CHECK_INT(spec->process.capabilities.bounding, BIT(CAP_KILL));
}

int main(void)
{
	test_full();
	test_absent();
	test_documents();
	test_whole_document();
	test_mounts_document();
	test_warnings();
	UNIT_MAIN_END;
}
