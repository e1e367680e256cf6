/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan of an exec: what the new process has of the container's process, and what a request replaces. Each
 * case is a configuration, what the request has, and the steps of the exec that it is about.
 */
#include <linux/filter.h>
#include <stddef.h>

#include <tare/host.h>
#include <tare/plan.h>

#include "spec_text.h"
#include "unit.h"

#define NAMESPACES "'linux':{'namespaces':[{'type':'mount'},{'type':'pid'}]"
#define CAP(name) "'bounding':['CAP_" name "'],'permitted':['CAP_" name "'],'inheritable':['CAP_" name "']"
/* clang-format off */
static const char full[] =
	"'process':{'cwd':'/work','args':['/bin/main','x'],'env':['A=1','B=2','HOME=/h'],"
	"'user':{'uid':7,'gid':8,'additionalGids':[9,10],'umask':63},"
	"'capabilities':{" CAP("KILL") "},"
	"'rlimits':[{'type':'RLIMIT_NOFILE','soft':5,'hard':100},{'type':'RLIMIT_CORE','soft':1,'hard':2}],"
	"'scheduler':{'policy':'SCHED_BATCH','nice':3},"
	"'ioPriority':{'class':'IOPRIO_CLASS_BE','priority':6},"
	"'oomScoreAdj':-7,'noNewPrivileges':true,'apparmorProfile':'prof','selinuxLabel':'a:b:c:s0',"
	"'execCPUAffinity':{'initial':'0','final':'1-2'}}," NAMESPACES ","
	"'memoryPolicy':{'mode':'MPOL_BIND','nodes':'1,64'},'personality':{'domain':'LINUX32'},"
	"'intelRdt':{'closID':'class','enableMonitoring':true}}";
/* What --process has instead. */
static const char other_process[] =
	"{'cwd':'/p','args':['/bin/p'],'env':['P=1','B=9'],'user':{'uid':17,'gid':18,'umask':2},"
	"'terminal':true,'consoleSize':{'height':3,'width':4},"
	"'capabilities':{" CAP("CHOWN") "},'rlimits':[{'type':'RLIMIT_CPU','soft':3,'hard':4}],"
	"'scheduler':{'policy':'SCHED_IDLE'},'ioPriority':{'class':'IOPRIO_CLASS_IDLE'},"
	"'oomScoreAdj':100,'apparmorProfile':'other','selinuxLabel':'d:e:f:s0','execCPUAffinity':{}}";
/* clang-format on */
static const char no_program[] = "'process':{'cwd':'/work','env':['A=1'],'user':{'uid':7,'gid':8}}," NAMESPACES
				 ",'memoryPolicy':{'mode':'MPOL_DEFAULT'}}";
static const char no_process[] = NAMESPACES ",'memoryPolicy':{'mode':'MPOL_DEFAULT'}}";
static const char user_namespace[] = "'process':{'cwd':'/','args':['/bin/main'],'user':{'uid':7,'gid':8}},"
				     "'linux':{'namespaces':[{'type':'mount'},{'type':'user'}],"
				     "'uidMappings':[{'containerID':0,'hostID':1000,'size':9}],"
				     "'gidMappings':[{'containerID':0,'hostID':1000,'size':9}]}";
static const char no_mounts[] = "'process':{'cwd':'/','args':['/bin/main']},'linux':{'namespaces':[]}";

static struct plan *build_container(const char *config, const struct host *host, bool is_filtered,
				    bool is_no_new_keyring)
{
	static const struct sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, 0x7fff0000)};
	const struct plan_filter_program filter = {.filter = allow, .count = 1, .flags = 2};
	const struct plan_request request = {.id = "c1",
					     .bundle = "/b",
					     .is_cgroup_disabled = true,
					     .is_no_new_keyring = is_no_new_keyring,
					     .listen_fds = 1,
					     .filter = is_filtered ? &filter : NULL};
	_cleanup_buf_ struct buf text = {0};
	_cleanup_free_ char *json = NULL;
	_cleanup_spec_ struct spec *spec = NULL;
	struct plan *plan = NULL;
	struct err err = {0};
	int r;

	buf_format(&text, "{'ociVersion':'1.3.0','root':{'path':'r'},%s}", config);
	json = json_text(text.data);
	r = spec_parse(json, strlen(json), &spec, &err);
	if (r >= 0)
		r = plan_build(spec, host, &request, &plan, &err);
	if (!CHECK_INT(r, 0))
		fprintf(stderr, "%s: %s\n", err.json_pointer, err.msg);
	return plan;
}

/* Prints the steps, and what plan_print omits: the cpus, the window, and the environment of the program. */
static void describe(const struct plan *plan, struct buf *out)
{
	for (uint32_t i = 0; i < plan->step_count; i++) {
		const struct plan_step *s = &plan_steps(plan)[i];

		plan_print_step(plan, s, out);
		if (s->kind == PLAN_AFFINITY && s->u.affinity.count > 0)
			buf_format(out, " %llx",
				   (unsigned long long)*(const uint64_t *)plan_rows(plan, s->u.affinity));
		if (s->kind == PLAN_CONSOLE && s->u.console.size.is_set)
			buf_format(out, " %ux%u", s->u.console.size.height, s->u.console.size.width);
		for (uint32_t k = 0; s->kind == PLAN_EXEC && k < s->u.program.env.count; k++)
			buf_format(out, " %s", plan_item(plan, s->u.program.env, k));
		buf_add_str(out, "\n");
	}
}

struct exec_case {
	const char *config;
	bool is_filtered, is_no_new_keyring, is_setgroups_denied;
	const char *process; /* of --process, or NULL */
	struct plan_exec_request request;
	const char *expected;
};

/* The steps of the exec, or the error. */
static void describe_exec(const struct exec_case *row, struct buf *actual)
{
	const struct host host = {
		.is_privileged = true,
		.is_mounting = true,
		.is_setgroups_denied = row->is_setgroups_denied,
		.capabilities = UINT64_MAX,
		.last_capability = 40,
		.page_size = 4096,
	};
	_cleanup_free_ struct plan *container =
		build_container(row->config, &host, row->is_filtered, row->is_no_new_keyring);
	_cleanup_free_ char *json = row->process == NULL ? NULL : json_text(row->process);
	_cleanup_free_ struct plan *plan = NULL, *copy = NULL;
	_cleanup_spec_ struct spec *spec = NULL;
	struct plan_exec_request request = row->request;
	struct err err = {0};

	if (container == NULL)
		return;
	if (json != NULL && CHECK_INT(spec_parse_process(json, strlen(json), &spec, &err), 0))
		request.process = &spec->process;
	/* A later command has the plan at another address. */
	plan_store(container);
	copy = mem_alloc(container->size);
	memcpy(copy, container, container->size);
	memset(container, 0, container->size);
	if (plan_build_exec(plan_restore(copy, copy->size), &host, &request, &plan, &err) < 0)
		buf_format(actual, "%s: %s", err.json_pointer, err.msg);
	else
		describe(plan, actual);
}

static void check_exec(const struct exec_case *row)
{
	_cleanup_buf_ struct buf actual = {0};

	describe_exec(row, &actual);
	CHECK_STR(actual.data, row->expected);
}

static char *const args[] = {"/bin/sh", "-c", NULL};
static char *const env[] = {"B=3", "C=4", NULL};
static const uint32_t groups[] = {21};

/* The steps of an exec that has the attributes of the process of "full". */
#define STORED_BEGIN                                                                                           \
	"parent  open-container\n"                                                                             \
	"parent  open-procfs\n"                                                                                \
	"parent  affinity 1\n"                                                                                 \
	"parent  spawn            bridge\n"                                                                    \
	"bridge  affinity 6\n"                                                                                 \
	"bridge  oom-score-adj    -7\n"                                                                        \
	"bridge  label            selinux keys a:b:c:s0\n"                                                     \
	"bridge  label            apparmor prof\n"                                                             \
	"bridge  label            selinux a:b:c:s0\n"                                                          \
	"bridge  set-undumpable\n"                                                                             \
	"bridge  enter            mount pid\n"                                                                 \
	"bridge  keyring          _ses.c1\n"
#define STORED_END                                                                                             \
	"parent  resctrl          class monitored as c1\n"                                                     \
	"parent  scheduler        policy 3 nice 3 priority 0\n"                                                \
	"parent  io-priority      16390\n"                                                                     \
	"parent  rlimit           RLIMIT_NOFILE soft 5 hard 100\n"                                             \
	"parent  rlimit           RLIMIT_CORE soft 1 hard 2\n"                                                 \
	"parent  send             committed\n"                                                                 \
	"init    expect           committed\n"                                                                 \
	"init    hand-over\n"

static void test_stored(void)
{
	static const struct exec_case row = {
		.config = full,
		.is_filtered = true,
		.request = {.args = args, .arg_count = 2},
		.expected = STORED_BEGIN
		"bridge  umask            77\n"
		"bridge  memory-policy    mode 2 flags 0\n"
		"bridge  personality      8\n"
		"bridge  no-new-privs\n"
		"bridge  stdio-owner      7\n"
		"bridge  user             uid 7 gid 8 groups 9,10 bounding CAP_KILL effective none "
		"permitted CAP_KILL inheritable CAP_KILL ambient none cwd /work\n"
		"bridge  lookup           /bin/sh -c\n"
		"bridge  spawn            init\n"
		"parent  expect           init-started\n" STORED_END "init    seccomp          log\n"
		"init    exec             /bin/sh -c A=1 B=2 HOME=/h\n",
	};

	check_exec(&row);
}

static void test_replaced(void)
{
	static const struct exec_case row = {
		.config = full,
		.is_filtered = true,
		.process = other_process,
		.request =
			{
				.env = env,
				.env_count = 2,
				.cwd = "/cwd",
				.apparmor_profile = "third",
				.selinux_label = "",
				.has_uid = true,
				.uid = 99,
				.groups = groups,
				.group_count = 1,
				.capabilities = 1 << 5,
				.cgroup = "/x",
			},
		.expected = "parent  open-container\n"
			    "parent  open-cgroup      /x\n"
			    "parent  open-procfs\n"
			    "parent  spawn            bridge\n"
			    "bridge  oom-score-adj    100\n"
			    "bridge  label            selinux keys d:e:f:s0\n"
			    "bridge  label            apparmor third\n"
			    "bridge  label            selinux d:e:f:s0\n"
			    "bridge  set-undumpable\n"
			    "bridge  enter            mount pid\n"
			    "bridge  keyring          _ses.c1\n"
			    "bridge  home             99\n"
			    "bridge  console 3x4\n"
			    "bridge  umask            2\n"
			    "bridge  memory-policy    mode 2 flags 0\n"
			    "bridge  personality      8\n"
			    "bridge  stdio-owner      99\n"
			    "bridge  rlimit           RLIMIT_CPU soft 3 hard 4\n"
			    "bridge  seccomp          log\n"
			    "bridge  user             uid 99 gid 18 groups 21 bounding CAP_CHOWN,CAP_KILL "
			    "effective CAP_KILL permitted CAP_CHOWN,CAP_KILL inheritable CAP_CHOWN ambient "
			    "none cwd /cwd\n"
			    "bridge  lookup           /bin/p\n"
			    "bridge  spawn            init\n"
			    "parent  expect           init-started\n"
			    "init    controlling-tty\n"
			    "parent  resctrl          class monitored as c1\n"
			    "parent  scheduler        policy 5 nice 0 priority 0\n"
			    "parent  io-priority      24576\n"
			    "parent  send             committed\n"
			    "init    expect           committed\n"
			    "init    hand-over\n"
			    "init    exec             /bin/p P=1 B=3 C=4\n",
	};

	check_exec(&row);
}

/* --process states what it has; env, cwd, terminal and no_new_privs are its own also if it has none. */
static void test_completed(void)
{
	static const struct exec_case row = {
		.config = full,
		.process = "{'cwd':'/p','args':['/bin/p']}",
		.request = {.is_terminal = true},
		.expected = STORED_BEGIN
		"bridge  home             7\n"
		"bridge  console\n"
		"bridge  umask            77\n"
		"bridge  memory-policy    mode 2 flags 0\n"
		"bridge  personality      8\n"
		"bridge  stdio-owner      7\n"
		"bridge  user             uid 7 gid 8 groups 9,10 bounding CAP_KILL effective none "
		"permitted CAP_KILL inheritable CAP_KILL ambient none cwd /p\n"
		"bridge  lookup           /bin/p\n"
		"bridge  spawn            init\n"
		"parent  expect           init-started\n"
		"init    controlling-tty\n" STORED_END "init    exec             /bin/p\n",
	};

	check_exec(&row);
}

/* Without a program the filter and the environment of the configuration apply as well. */
static void test_no_program(void)
{
	static const struct exec_case row = {
		.config = no_program,
		.is_filtered = true,
		.request = {.args = args, .arg_count = 2},
		.expected = "parent  open-container\n"
			    "parent  spawn            bridge\n"
			    "bridge  affinity\n"
			    "bridge  set-undumpable\n"
			    "bridge  enter            mount pid\n"
			    "bridge  keyring          _ses.c1\n"
			    "bridge  home             7\n"
			    "bridge  umask            22\n"
			    "bridge  memory-policy    mode 0 flags 0\n"
			    "bridge  stdio-owner      7\n"
			    "bridge  seccomp          log\n"
			    "bridge  user             uid 7 gid 8 groups none bounding none effective none "
			    "permitted none inheritable none ambient none cwd /work\n"
			    "bridge  lookup           /bin/sh -c\n"
			    "bridge  spawn            init\n"
			    "parent  expect           init-started\n"
			    "init    hand-over\n"
			    "init    exec             /bin/sh -c A=1\n",
	};

	check_exec(&row);
}

static void test_no_process(void)
{
	static const struct exec_case rows[] = {
		{
			.config = no_process,
			.is_filtered = true,
			.request = {.args = args, .arg_count = 2},
			.expected = "parent  open-container\n"
				    "parent  spawn            bridge\n"
				    "bridge  affinity\n"
				    "bridge  set-undumpable\n"
				    "bridge  enter            mount pid\n"
				    "bridge  keyring          _ses.c1\n"
				    "bridge  home             0\n"
				    "bridge  umask            22\n"
				    "bridge  memory-policy    mode 0 flags 0\n"
				    "bridge  stdio-owner      0\n"
				    "bridge  seccomp          log\n"
				    "bridge  user             uid 0 gid 0 groups none bounding none effective "
				    "none permitted none inheritable none ambient none cwd /\n"
				    "bridge  lookup           /bin/sh -c\n"
				    "bridge  spawn            init\n"
				    "parent  expect           init-started\n"
				    "init    hand-over\n"
				    "init    exec             /bin/sh -c\n",
		},
		{.config = no_process, .request = {.cwd = "/"}, .expected = ": there is no program to execute"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_exec(&rows[i]);
}

static void test_namespaces(void)
{
	static const struct exec_case rows[] = {
		{
			.config = user_namespace,
			.request = {.args = args, .arg_count = 1},
			.expected = "parent  open-container\n"
				    "parent  spawn            bridge\n"
				    "bridge  affinity\n"
				    "bridge  set-undumpable\n"
				    "bridge  enter            user mount\n"
				    "bridge  setup-ids        uid 0 gid 0\n"
				    "bridge  keyring          _ses.c1\n"
				    "bridge  home             7\n"
				    "bridge  umask            22\n"
				    "bridge  stdio-owner      7\n"
				    "bridge  user             uid 7 gid 8 groups none bounding none effective "
				    "none permitted none inheritable none ambient none cwd /\n"
				    "bridge  lookup           /bin/sh\n"
				    "bridge  spawn            init\n"
				    "parent  expect           init-started\n"
				    "init    hand-over\n"
				    "init    exec             /bin/sh\n",
		},
		{
			.config = no_mounts,
			.request = {.args = args, .arg_count = 1},
			.expected = "parent  open-container\n"
				    "parent  spawn            bridge\n"
				    "bridge  affinity\n"
				    "bridge  set-undumpable\n"
				    "bridge  enter\n"
				    "bridge  keyring          _ses.c1\n"
				    "bridge  home             0\n"
				    "bridge  umask            22\n"
				    "bridge  stdio-owner      0\n"
				    "bridge  user             uid 0 gid 0 groups none bounding none effective "
				    "none permitted none inheritable none ambient none cwd /\n"
				    "bridge  lookup           /bin/sh\n"
				    "bridge  spawn            init\n"
				    "parent  expect           init-started\n"
				    "init    hand-over\n"
				    "init    exec             /bin/sh\n",
		},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_exec(&rows[i]);
}

#define PROCESS(members) "'process':{'cwd':'/','args':['a'],'env':['A=1'],'user':{'uid':7,'gid':8}" members "}"
#define PROGRAM .args = args, .arg_count = 1
static char *const repeated[] = {"B=1", "A=2", "B=2", "C=3", NULL};
static const char inheritable[] =
	PROCESS(",'capabilities':{'bounding':['CAP_KILL'],'inheritable':['CAP_KILL']}") "," NAMESPACES "}";
static const char plain[] = PROCESS("") "," NAMESPACES "}";
static const char kept_groups[] = PROCESS("") ",'annotations':{'run.oci.keep_original_groups':'1'}," NAMESPACES
					      "}";
static const char labelled[] = PROCESS(",'selinuxLabel':'a:b:c:s0'") "," NAMESPACES "}";
static const char processes[] = PROCESS(",'rlimits':[{'type':'RLIMIT_NPROC','soft':1,'hard':2}]") "," NAMESPACES
												  "}";
static const char files[] = PROCESS(",'rlimits':[{'type':'RLIMIT_NOFILE','soft':18,'hard':100}]") "," NAMESPACES
												  "}";
static const char enough_files[] =
	PROCESS(",'rlimits':[{'type':'RLIMIT_NOFILE','soft':19,'hard':100}]") "," NAMESPACES "}";
static const char with_user[] =
	PROCESS(",'rlimits':[{'type':'RLIMIT_CPU','soft':1,'hard':2}]") ","
									"'linux':{'namespaces':[{'type'"
									":'mount'},{'type':'user'}],"
									"'uidMappings':[{'containerID':"
									"0,'hostID':1000,'size':9}],"
									"'gidMappings':[{'containerID':"
									"0,'hostID':1000,'size':9}]}";
static const struct {
	struct exec_case row;
	const char *absent;
} single_steps[] = {
	{{plain, .request = {PROGRAM, .env = repeated, .env_count = 4},
	  .expected = "init    exec             /bin/sh A=2 B=2 C=3\n"},
	 NULL},
	{{plain, .request = {PROGRAM, .has_uid = true, .uid = 9}, .expected = " uid 9 gid 8 "}, NULL},
	{{plain, .request = {PROGRAM, .has_uid = true, .uid = 9, .has_gid = true, .gid = 10},
	  .expected = " uid 9 gid 10 "},
	 NULL},
	{{plain, .request = {PROGRAM, .is_no_new_privs = true}, .expected = "bridge  no-new-privs\n"}, NULL},
	/* capabilities(7): only what is inheritable, too, can be ambient. */
	{{plain, .request = {PROGRAM, .capabilities = 1 << 5},
	  .expected = " effective CAP_KILL permitted CAP_KILL inheritable none ambient none "},
	 NULL},
	{{inheritable, .request = {PROGRAM, .capabilities = 1 << 5},
	  .expected = " effective CAP_KILL permitted CAP_KILL inheritable CAP_KILL ambient CAP_KILL "},
	 NULL},
	/* Groups. */
	{{kept_groups, .request = {PROGRAM}, .expected = " groups the caller's "}, NULL},
	{{kept_groups, .request = {PROGRAM, .groups = groups, .group_count = 1}, .expected = " groups 21 "},
	 NULL},
	{{plain, .is_setgroups_denied = true, .request = {PROGRAM}, .expected = " groups the caller's "}, NULL},
	{{plain, .is_setgroups_denied = true, .request = {PROGRAM, .groups = groups, .group_count = 1},
	  .expected = "/process/user/additionalGids: cannot set any additional groups"},
	 NULL},
	/* Without a keyring of the container there is none to label. */
	{{labelled, .request = {PROGRAM}, .expected = " selinux keys "}, NULL},
	{{labelled, .is_no_new_keyring = true, .request = {PROGRAM},
	  .expected = "bridge  label            selinux a:b:c:s0\n"},
	 " keys "},
	/* Only an exec that is announced waits for the parent. */
	{{plain, .request = {PROGRAM, .is_announced = true},
	  .expected = "init    expect           committed\n"},
	 NULL},
	{{plain, .request = {PROGRAM}, .expected = "init    hand-over\n"}, "committed"},
	/* Limits that the bridge cannot have, and a bridge that loses its rights in the user namespace. */
	{{processes, .request = {PROGRAM}, .expected = "parent  rlimit           RLIMIT_NPROC "}, NULL},
	{{files, .request = {PROGRAM}, .expected = "parent  rlimit           RLIMIT_NOFILE "}, NULL},
	{{enough_files, .request = {PROGRAM}, .expected = "bridge  rlimit           RLIMIT_NOFILE "}, NULL},
	{{with_user, .request = {PROGRAM}, .expected = "parent  rlimit           RLIMIT_CPU "}, NULL},
};

/* expected is a part of the plan of the exec, or of the error; absent is not. */
static void test_single_steps(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(single_steps); i++) {
		_cleanup_buf_ struct buf actual = {0};

		describe_exec(&single_steps[i].row, &actual);
		if (!CHECK(actual.data != NULL && strstr(actual.data, single_steps[i].row.expected) != NULL) ||
		    !CHECK(single_steps[i].absent == NULL ||
			   strstr(actual.data, single_steps[i].absent) == NULL))
			fprintf(stderr, "row %zu: no '%s' in\n%s\n", i, single_steps[i].row.expected,
				actual.data);
	}
}

/* The sum of a stored plan as plan_store makes it, so that only the change itself can be the reason. */
static void seal(struct plan *plan)
{
	const unsigned char *bytes = (const unsigned char *)plan;
	size_t at = offsetof(struct plan, sum), after = at + sizeof plan->sum;

	plan->sum = sum_add(sum_add(SUM_BEGIN, bytes, at), bytes + after, plan->size - after);
}

/* A plan of another version, or a damaged one, is none. */
static void test_restore(void)
{
	static const struct host host = {.is_privileged = true, .is_mounting = true, .page_size = 4096};
	_cleanup_free_ struct plan *plan = build_container(full, &host, false, false);
	unsigned char *bytes = (unsigned char *)plan;

	if (plan == NULL)
		return;
	plan_store(plan);
	CHECK(plan_restore(plan, plan->size) == plan);
	CHECK(plan_restore(plan, plan->size - 8) == NULL);
	CHECK(plan_restore(plan, sizeof *plan - 1) == NULL);
	seal(plan);
	CHECK(plan_restore(plan, plan->size) == plan);
	bytes[plan->process] ^= 1;
	CHECK(plan_restore(plan, plan->size) == NULL);
	bytes[plan->process] ^= 1;
	plan->layout++;
	seal(plan);
	CHECK(plan_restore(plan, plan->size) == NULL);
	plan->layout--;
	plan->magic++;
	seal(plan);
	CHECK(plan_restore(plan, plan->size) == NULL);
}

int main(void)
{
	test_stored();
	test_replaced();
	test_completed();
	test_no_program();
	test_no_process();
	test_namespaces();
	test_single_steps();
	test_restore();
	UNIT_MAIN_END;
}
