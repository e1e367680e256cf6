/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that the specification defines and that other rooms need, and their values in the kernel or in spec.h.
 */
#include <sys/resource.h>

#include "names.h"

/* --- namespaces, hooks ----------------------------------------------------------------------------------- */

static const struct name namespaces[] = {
	{"cgroup", SPEC_NS_CGROUP},   {"ipc", SPEC_NS_IPC}, {"mount", SPEC_NS_MOUNT},
	{"network", SPEC_NS_NETWORK}, {"pid", SPEC_NS_PID}, {"time", SPEC_NS_TIME},
	{"user", SPEC_NS_USER},       {"uts", SPEC_NS_UTS},
};
const struct name_table spec_names_namespace = NAMES("namespace type", namespaces);

const char *names_at(const struct name_table *names, int index)
{
	return index >= 0 && (size_t)index < names->count ? names->v[index].name : NULL;
}

static const char *name_of(const struct name_table *names, uint64_t value)
{
	for (size_t i = 0; i < names->count; i++)
		if (names->v[i].value == value)
			return names->v[i].name;
	return NULL;
}

const char *spec_namespace_name(enum spec_ns ns)
{
	return name_of(&spec_names_namespace, (uint64_t)ns);
}

const char *spec_namespace_list(int index)
{
	return names_at(&spec_names_namespace, index);
}

const char *spec_hook_name(enum spec_hook_kind kind)
{
	static const char *const hooks[] = {
		[SPEC_HOOK_PRESTART] = "prestart",
		[SPEC_HOOK_CREATE_RUNTIME] = "createRuntime",
		[SPEC_HOOK_CREATE_CONTAINER] = "createContainer",
		[SPEC_HOOK_START_CONTAINER] = "startContainer",
		[SPEC_HOOK_POSTSTART] = "poststart",
		[SPEC_HOOK_POSTSTOP] = "poststop",
	};

	return (size_t)kind < ARRAY_SIZE(hooks) ? hooks[kind] : NULL;
}

/* --- process --------------------------------------------------------------------------------------------- */

#define RLIMIT(name)                                                                                           \
	{                                                                                                      \
		"RLIMIT_" #name, RLIMIT_##name                                                                 \
	}
static const struct name rlimits[] = {
	RLIMIT(AS),      RLIMIT(CORE),     RLIMIT(CPU),        RLIMIT(DATA),   RLIMIT(FSIZE), RLIMIT(LOCKS),
	RLIMIT(MEMLOCK), RLIMIT(MSGQUEUE), RLIMIT(NICE),       RLIMIT(NOFILE), RLIMIT(NPROC), RLIMIT(RSS),
	RLIMIT(RTPRIO),  RLIMIT(RTTIME),   RLIMIT(SIGPENDING), RLIMIT(STACK),
};
const struct name_table spec_names_rlimit = NAMES("rlimit", rlimits);

const char *spec_rlimit_name(uint32_t resource)
{
	return name_of(&spec_names_rlimit, resource);
}

/* --- seccomp --------------------------------------------------------------------------------------------- */

static const struct name seccomp_actions[] = {
	{"SCMP_ACT_KILL", SPEC_SECCOMP_KILL_THREAD},
	{"SCMP_ACT_KILL_PROCESS", SPEC_SECCOMP_KILL_PROCESS},
	{"SCMP_ACT_KILL_THREAD", SPEC_SECCOMP_KILL_THREAD},
	{"SCMP_ACT_TRAP", SPEC_SECCOMP_TRAP},
	{"SCMP_ACT_ERRNO", SPEC_SECCOMP_ERRNO},
	{"SCMP_ACT_TRACE", SPEC_SECCOMP_TRACE},
	{"SCMP_ACT_ALLOW", SPEC_SECCOMP_ALLOW},
	{"SCMP_ACT_LOG", SPEC_SECCOMP_LOG},
	{"SCMP_ACT_NOTIFY", SPEC_SECCOMP_NOTIFY},
};
const struct name_table spec_names_seccomp_action = NAMES("seccomp action", seccomp_actions);

const char *spec_seccomp_action_name(int index)
{
	return names_at(&spec_names_seccomp_action, index);
}

static const struct name seccomp_ops[] = {
	{"SCMP_CMP_NE", SPEC_SECCOMP_NE},
	{"SCMP_CMP_LT", SPEC_SECCOMP_LT},
	{"SCMP_CMP_LE", SPEC_SECCOMP_LE},
	{"SCMP_CMP_EQ", SPEC_SECCOMP_EQ},
	{"SCMP_CMP_GE", SPEC_SECCOMP_GE},
	{"SCMP_CMP_GT", SPEC_SECCOMP_GT},
	{"SCMP_CMP_MASKED_EQ", SPEC_SECCOMP_MASKED_EQ},
};
const struct name_table spec_names_seccomp_op = NAMES("seccomp operator", seccomp_ops);

const char *spec_seccomp_operator_name(int index)
{
	return names_at(&spec_names_seccomp_op, index);
}

#define ARCH(name)                                                                                             \
	{                                                                                                      \
		"SCMP_ARCH_" #name, 0                                                                          \
	}
static const struct name seccomp_archs[] = {
	ARCH(X86),         ARCH(X86_64), ARCH(X32),    ARCH(ARM),       ARCH(AARCH64), ARCH(LOONGARCH64),
	ARCH(M68K),        ARCH(MIPS),   ARCH(MIPS64), ARCH(MIPS64N32), ARCH(MIPSEL),  ARCH(MIPSEL64),
	ARCH(MIPSEL64N32), ARCH(PPC),    ARCH(PPC64),  ARCH(PPC64LE),   ARCH(S390),    ARCH(S390X),
	ARCH(SH),          ARCH(SHEB),   ARCH(PARISC), ARCH(PARISC64),  ARCH(RISCV64),
};
const struct name_table spec_names_seccomp_arch = NAMES("seccomp architecture", seccomp_archs);

const char *spec_seccomp_architecture_name(int index)
{
	return names_at(&spec_names_seccomp_arch, index);
}

#define SECCOMP_FLAG(name)                                                                                     \
	{                                                                                                      \
		"SECCOMP_FILTER_FLAG_" #name, 0                                                                \
	}
static const struct name seccomp_flags[] = {
	SECCOMP_FLAG(TSYNC),
	SECCOMP_FLAG(LOG),
	SECCOMP_FLAG(SPEC_ALLOW),
	SECCOMP_FLAG(WAIT_KILLABLE_RECV),
};
const struct name_table spec_names_seccomp_flag = NAMES("seccomp flag", seccomp_flags);

const char *spec_seccomp_flag_name(int index)
{
	return names_at(&spec_names_seccomp_flag, index);
}
