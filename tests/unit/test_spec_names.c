/* SPDX-License-Identifier: Apache-2.0 */
/* The name tables in both directions, sysctl keys, and lists of numbers. */
#include <ctype.h>
#include <errno.h>
#include <sys/capability.h>
#include <sys/resource.h>

#include "spec_text.h"
#include "unit.h"

/* A configuration that contains text, with name in place of "%s". */
static struct spec *parse_with(const char *text, const char *name)
{
	_cleanup_buf_ struct buf buf = {0};
	_cleanup_free_ char *json = NULL;
	struct spec *spec = NULL;
	struct err err = {0};

	buf_add_str(&buf, "{'ociVersion':'1.3.0','root':{'path':'r'},");
	for (const char *c = text; *c != '\0'; c++) {
		if (c[0] == '%' && c[1] == 's')
			buf_add_str(&buf, name), c++;
		else
			buf_add(&buf, c, 1);
	}
	buf_add_str(&buf, "}");
	json = json_text(buf.data);
	if (!CHECK_INT(spec_parse(json, strlen(json), &spec, &err), 0))
		fprintf(stderr, "\t%s: %s\n\tfor %s\n", err.json_pointer, err.msg, json);
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
	uint32_t count = 0;

	for (; spec_rlimit_name(count) != NULL; count++) {
		_cleanup_spec_ struct spec *spec =
			parse_with("'process':{'cwd':'/','rlimits':[{'type':'%s','soft':1,'hard':1}]}",
				   spec_rlimit_name(count));

		CHECK(spec != NULL && spec->process.rlimits[0].resource == count);
	}
	CHECK_INT(count, RLIM_NLIMITS);
	CHECK_STR(spec_rlimit_name(RLIMIT_NOFILE), "RLIMIT_NOFILE");
	CHECK_STR(spec_rlimit_name(RLIMIT_RTTIME), "RLIMIT_RTTIME");
	CHECK_STR(spec_rlimit_name(RLIM_NLIMITS), NULL);
}

/* Every name of libcap, in the specification's spelling, is the capability with libcap's number. */
static void test_capabilities(void)
{
	int count = 0;

	for (int cap = 0; cap < 64; cap++) {
		char *name = cap_to_name(cap), expected[64];
		bool is_known = !isdigit((unsigned char)name[0]); /* libcap prints the number of others */

		for (size_t i = 0; i <= strlen(name) && i < sizeof expected; i++)
			expected[i] = (char)toupper((unsigned char)name[i]);
		CHECK_STR(capability_name(cap), is_known ? expected : NULL);
		count += is_known;
		cap_free(name);
	}
	CHECK_INT(capability_last(), count - 1);
	CHECK_INT(capability_last(), CAP_LAST_CAP);
	CHECK_STR(capability_name(CAP_SYS_ADMIN), "CAP_SYS_ADMIN");
	CHECK_STR(capability_name(-1), NULL);
	for (int cap = 0; cap < count; cap++) {
		_cleanup_spec_ struct spec *spec = parse_with(
			"'process':{'cwd':'/','capabilities':{'bounding':['%s']}}", capability_name(cap));

		CHECK(spec != NULL && spec->warnings.count == 0 &&
		      spec->process.capabilities.bounding == UINT64_C(1) << cap);
	}
}

/* libcap reads these as capabilities; runtime-spec config.md has one spelling: CAP_ and upper case. */
static void test_capability_spelling(void)
{
	static const char *const names[] = {"cap_chown",  "Cap_Chown",   "CHOWN", "chown",         "0",
					    "CAP_CHOWN ", "CAP_CHOWN,x", "",      "CAP_CHOWN=eip", "CAP_41"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_spec_ struct spec *spec =
			parse_with("'process':{'cwd':'/','capabilities':{'bounding':['%s']}}", names[i]);

		CHECK_INT(capability_number(names[i]), -1);
		if (!CHECK(spec != NULL && spec->warnings.count == 1 &&
			   spec->process.capabilities.bounding == 0))
			fprintf(stderr, "\tfor '%s'\n", names[i]);
	}
}

static void test_capability_sets(void)
{
	static const struct {
		uint64_t set;
		const char *text;
	} sets[] = {
		{0, "none"},
		{1, "CAP_CHOWN"},
		{0x20000420, "CAP_KILL,CAP_NET_BIND_SERVICE,CAP_AUDIT_WRITE"},
		{UINT64_C(1) << 63 | 1, "CAP_CHOWN,63"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		_cleanup_buf_ struct buf text = {0};

		capability_set_add(&text, sets[i].set);
		CHECK_STR(text.data, sets[i].text);
	}
}

/* Each name of the table is accepted in text. The spec's list must equal expected. */
static void check_names(const char *(*name)(int), const char *expected, const char *text)
{
	_cleanup_buf_ struct buf got = {0};

	for (int i = 0; name(i) != NULL; i++) {
		_cleanup_spec_ struct spec *spec = parse_with(text, name(i));

		CHECK(spec != NULL);
		buf_format(&got, "%s ", name(i));
	}
	CHECK_STR(got.data, expected);
	CHECK_STR(name(-1), NULL);
}

static const struct spec_feature *feature(const char *object, const char *key)
{
	const struct spec_feature *f = spec_features();

	while (f->object != NULL && !(str_equal(f->object, object) && str_equal(f->key, key)))
		f++;
	return f;
}

static void test_lists(void)
{
	check_names(feature("memoryPolicy", "flags")->name,
		    "MPOL_F_NUMA_BALANCING MPOL_F_RELATIVE_NODES MPOL_F_STATIC_NODES ",
		    "'linux':{'memoryPolicy':{'mode':'MPOL_BIND','nodes':'0','flags':['%s']}}");
	check_names(spec_seccomp_action_name,
		    "SCMP_ACT_KILL SCMP_ACT_KILL_PROCESS SCMP_ACT_KILL_THREAD SCMP_ACT_TRAP SCMP_ACT_ERRNO "
		    "SCMP_ACT_TRACE SCMP_ACT_ALLOW SCMP_ACT_LOG SCMP_ACT_NOTIFY ",
		    "'linux':{'seccomp':{'defaultAction':'%s','listenerPath':'/l'}}");
	check_names(
		spec_seccomp_operator_name,
		"SCMP_CMP_NE SCMP_CMP_LT SCMP_CMP_LE SCMP_CMP_EQ SCMP_CMP_GE SCMP_CMP_GT SCMP_CMP_MASKED_EQ ",
		"'linux':{'seccomp':{'defaultAction':'SCMP_ACT_LOG','syscalls':[{'names':['read'],"
		"'action':'SCMP_ACT_LOG','args':[{'index':0,'value':0,'op':'%s'}]}]}}");
	check_names(spec_seccomp_flag_name,
		    "SECCOMP_FILTER_FLAG_TSYNC SECCOMP_FILTER_FLAG_LOG SECCOMP_FILTER_FLAG_SPEC_ALLOW "
		    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV ",
		    "'linux':{'seccomp':{'defaultAction':'SCMP_ACT_LOG','flags':['%s']}}");
	check_names(spec_seccomp_architecture_name,
		    "SCMP_ARCH_X86 SCMP_ARCH_X86_64 SCMP_ARCH_X32 SCMP_ARCH_ARM SCMP_ARCH_AARCH64 "
		    "SCMP_ARCH_LOONGARCH64 SCMP_ARCH_M68K SCMP_ARCH_MIPS SCMP_ARCH_MIPS64 SCMP_ARCH_MIPS64N32 "
		    "SCMP_ARCH_MIPSEL SCMP_ARCH_MIPSEL64 SCMP_ARCH_MIPSEL64N32 SCMP_ARCH_PPC SCMP_ARCH_PPC64 "
		    "SCMP_ARCH_PPC64LE SCMP_ARCH_S390 SCMP_ARCH_S390X SCMP_ARCH_SH SCMP_ARCH_SHEB "
		    "SCMP_ARCH_PARISC SCMP_ARCH_PARISC64 SCMP_ARCH_RISCV64 ",
		    "'linux':{'seccomp':{'defaultAction':'SCMP_ACT_LOG','architectures':['%s']}}");
}

/* Names with numbers that the kernel defines. They have no table in the spec's interface. */
static void test_numbers(void)
{
	static const struct {
		const char *name;
		uint32_t number;
	} policies[] = {{"SCHED_OTHER", 0}, {"SCHED_BATCH", 3}, {"SCHED_ISO", 4}, {"SCHED_IDLE", 5}},
	  modes[] = {{"MPOL_DEFAULT", 0},    {"MPOL_BIND", 2},
		     {"MPOL_INTERLEAVE", 3}, {"MPOL_WEIGHTED_INTERLEAVE", 6},
		     {"MPOL_PREFERRED", 1},  {"MPOL_PREFERRED_MANY", 5},
		     {"MPOL_LOCAL", 4}},
	  propagations[] = {{"shared", 1},  {"slave", 2},  {"private", 3},  {"unbindable", 4},
			    {"rshared", 5}, {"rslave", 6}, {"rprivate", 7}, {"runbindable", 8}};

	for (size_t i = 0; i < ARRAY_SIZE(policies); i++) {
		_cleanup_spec_ struct spec *spec =
			parse_with("'process':{'cwd':'/','scheduler':{'policy':'%s'}}", policies[i].name);

		CHECK(spec != NULL && spec->process.attributes.scheduler.policy == policies[i].number);
	}
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		bool has_nodes = modes[i].number != 0 && modes[i].number != 4;
		_cleanup_spec_ struct spec *spec =
			parse_with(has_nodes ? "'linux':{'memoryPolicy':{'mode':'%s','nodes':'1'}}"
					     : "'linux':{'memoryPolicy':{'mode':'%s'}}",
				   modes[i].name);

		CHECK(spec != NULL && spec->process.attributes.memory_policy.mode == (int)modes[i].number);
		CHECK_STR(feature("memoryPolicy", "modes")->name((int)i), modes[i].name);
	}
	CHECK_STR(feature("memoryPolicy", "modes")->name(ARRAY_SIZE(modes)), NULL);
	for (size_t i = 0; i < ARRAY_SIZE(propagations); i++) {
		_cleanup_spec_ struct spec *spec =
			parse_with("'linux':{'rootfsPropagation':'%s'}", propagations[i].name);

		CHECK(spec != NULL && (uint32_t)spec->rootfs_propagation == propagations[i].number);
	}
}

static void test_sysctl(void)
{
	static const struct {
		const char *key, *path;
		int owner;
	} keys[] = {
		{"net.ipv4.ip_forward", "net/ipv4/ip_forward", SPEC_NS_NETWORK},
		{"net/ipv4/ip_forward", "net/ipv4/ip_forward", SPEC_NS_NETWORK},
		{"net.ipv4.conf.eth0/1.mtu", "net/ipv4/conf/eth0.1/mtu", SPEC_NS_NETWORK},
		{"net/ipv4/conf/eth0.1/mtu", "net/ipv4/conf/eth0.1/mtu", SPEC_NS_NETWORK},
		{"kernel.msgmax", "kernel/msgmax", SPEC_NS_IPC},
		{"kernel.shm_rmid_forced", "kernel/shm_rmid_forced", SPEC_NS_IPC},
		{"kernel.sem", "kernel/sem", SPEC_NS_IPC},
		{"kernel.sem2", "kernel/sem2", SPEC_SYSCTL_FORBIDDEN},
		{"fs.mqueue.msg_max", "fs/mqueue/msg_max", SPEC_NS_IPC},
		{"fs.file-max", "fs/file-max", SPEC_SYSCTL_FORBIDDEN},
		{"kernel.domainname", "kernel/domainname", SPEC_NS_UTS},
		{"kernel.hostname", "kernel/hostname", SPEC_SYSCTL_FORBIDDEN},
		{"user.max_net_namespaces", "user/max_net_namespaces", SPEC_NS_USER},
		{"network.x", "network/x", SPEC_SYSCTL_FORBIDDEN},
		{"net", "net", SPEC_SYSCTL_FORBIDDEN},
		{"a...b", NULL, SPEC_SYSCTL_FORBIDDEN},
		{"", NULL, SPEC_SYSCTL_FORBIDDEN},
		{".net.a", NULL, SPEC_SYSCTL_FORBIDDEN},
		{"net.", NULL, SPEC_SYSCTL_FORBIDDEN},
		{"/net/a", NULL, SPEC_SYSCTL_FORBIDDEN},
		{"net/a/", NULL, SPEC_SYSCTL_FORBIDDEN},
		{"net//a", NULL, SPEC_SYSCTL_FORBIDDEN},
		{"net/./a", NULL, SPEC_SYSCTL_FORBIDDEN},
		{"net/../vm/x", NULL, SPEC_SYSCTL_FORBIDDEN},
		{"net.//.vm", NULL, SPEC_SYSCTL_FORBIDDEN},
		{"net/..", NULL, SPEC_SYSCTL_FORBIDDEN},
		{"net/...", "net/...", SPEC_NS_NETWORK},
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		char path[64] = "";

		CHECK_INT(spec_sysctl_path(keys[i].key, path, sizeof path), keys[i].path == NULL ? -EINVAL : 0);
		if (keys[i].path != NULL)
			CHECK_STR(path, keys[i].path);
		if (!CHECK_INT(spec_sysctl_owner(keys[i].key), keys[i].owner))
			fprintf(stderr, "\tfor %s\n", keys[i].key);
	}
	CHECK_INT(spec_sysctl_path("net.abc", (char[7]){0}, 7), -EINVAL);
	CHECK_INT(spec_sysctl_path("net.abc", (char[8]){0}, 8), 0);
}

/* The words for "0-3,7" and the like: numbers below 64 in the first, 65535 in the last of 1024. */
static void test_number_lists(void)
{
	static const struct {
		const char *text;
		uint64_t first, last;
		int r;
	} lists[] = {
		{"", 0, 0, 0},
		{"0", 1, 0, 0},
		{"0-3,7", 0x8f, 0, 0},
		{" 1 , 2-2\n", 6, 0, 0},
		{"65535", 0, UINT64_C(1) << 63, 0},
		{"63-65535", UINT64_C(1) << 63, UINT64_MAX, 0},
		{"65536", 0, 0, -EINVAL},
		{"99999999999999999999", 0, 0, -EINVAL},
		{"3-2", 0, 0, -EINVAL},
		{"1-", 0, 0, -EINVAL},
		{"-1", 0, 0, -EINVAL},
		{"1,", 0, 0, -EINVAL},
		{",1", 0, 0, -EINVAL},
		{"1,,2", 0, 0, -EINVAL},
		{"1 2", 0, 0, -EINVAL},
		{"1 - 2", 0, 0, -EINVAL},
		{"0-7:1/2", 0, 0, -EINVAL},
		{"a", 0, 0, -EINVAL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		uint64_t words[1024] = {0};

		CHECK_INT(spec_list_mask(lists[i].text, words, ARRAY_SIZE(words)), lists[i].r);
		CHECK(lists[i].r < 0 || words[0] == lists[i].first);
		CHECK(lists[i].r < 0 || words[1023] == lists[i].last);
	}
}

/* Numbers that do not fit are reported, and do not change what is beside the words. */
static void test_small_masks(void)
{
	uint64_t words[3] = {0, 0, 42};

	CHECK_INT(spec_list_mask("1,127", words, 2), 0);
	CHECK(words[0] == 2 && words[1] == UINT64_C(1) << 63);
	CHECK_INT(spec_list_mask("64-128,0,65535", words, 2), -ERANGE);
	CHECK(words[0] == 3 && words[1] == UINT64_MAX && words[2] == 42);
	CHECK_INT(spec_list_mask("128,x", words, 2), -EINVAL);
	CHECK_INT(spec_list_mask("0-3", NULL, 0), -ERANGE);
	CHECK_INT(spec_list_mask("", NULL, 0), 0);
}

int main(void)
{
	test_namespaces();
	test_hooks();
	test_rlimits();
	test_capabilities();
	test_capability_spelling();
	test_capability_sets();
	test_lists();
	test_numbers();
	test_sysctl();
	test_number_lists();
	test_small_masks();
	UNIT_MAIN_END;
}
