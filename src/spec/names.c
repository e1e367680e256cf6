/* SPDX-License-Identifier: Apache-2.0 */
/* Names that the specification defines, and their values in the kernel or in spec.h. */
#include <linux/capability.h>
#include <linux/ioprio.h>
#include <linux/mempolicy.h>
#include <linux/personality.h>
#include <linux/sched.h>
#include <sys/resource.h>

#include "names.h"

/* Since Linux 6.9; headers of older kernels do not define it. */
#define WEIGHTED_INTERLEAVE 6
/* <linux/sched.h> reserves the number without a macro. */
#define SCHED_ISO 4

#define NAMES(what_, v_)                                                                                       \
	{                                                                                                      \
		.what = (what_), .v = (v_), .count = ARRAY_SIZE(v_)                                            \
	}

/* --- namespaces, hooks ----------------------------------------------------------------------------------- */

static const struct name namespaces[] = {
	{"cgroup", SPEC_NS_CGROUP},   {"ipc", SPEC_NS_IPC}, {"mount", SPEC_NS_MOUNT},
	{"network", SPEC_NS_NETWORK}, {"pid", SPEC_NS_PID}, {"time", SPEC_NS_TIME},
	{"user", SPEC_NS_USER},       {"uts", SPEC_NS_UTS},
};
const struct name_table spec_names_namespace = NAMES("namespace type", namespaces);

static const char *name_at(const struct name_table *names, int index)
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
	return name_at(&spec_names_namespace, index);
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

const char *spec_rlimit_name(int resource)
{
	return resource < 0 ? NULL : name_of(&spec_names_rlimit, (uint64_t)resource);
}

#define CAP(name) [CAP_##name] = "CAP_" #name
static const char *const capabilities[] = {
	CAP(CHOWN),
	CAP(DAC_OVERRIDE),
	CAP(DAC_READ_SEARCH),
	CAP(FOWNER),
	CAP(FSETID),
	CAP(KILL),
	CAP(SETGID),
	CAP(SETUID),
	CAP(SETPCAP),
	CAP(LINUX_IMMUTABLE),
	CAP(NET_BIND_SERVICE),
	CAP(NET_BROADCAST),
	CAP(NET_ADMIN),
	CAP(NET_RAW),
	CAP(IPC_LOCK),
	CAP(IPC_OWNER),
	CAP(SYS_MODULE),
	CAP(SYS_RAWIO),
	CAP(SYS_CHROOT),
	CAP(SYS_PTRACE),
	CAP(SYS_PACCT),
	CAP(SYS_ADMIN),
	CAP(SYS_BOOT),
	CAP(SYS_NICE),
	CAP(SYS_RESOURCE),
	CAP(SYS_TIME),
	CAP(SYS_TTY_CONFIG),
	CAP(MKNOD),
	CAP(LEASE),
	CAP(AUDIT_WRITE),
	CAP(AUDIT_CONTROL),
	CAP(SETFCAP),
	CAP(MAC_OVERRIDE),
	CAP(MAC_ADMIN),
	CAP(SYSLOG),
	CAP(WAKE_ALARM),
	CAP(BLOCK_SUSPEND),
	CAP(AUDIT_READ),
	CAP(PERFMON),
	CAP(BPF),
	CAP(CHECKPOINT_RESTORE),
};

const char *spec_capability_name(int capability)
{
	return capability >= 0 && (size_t)capability < ARRAY_SIZE(capabilities) ? capabilities[capability]
										: NULL;
}

int spec_capability_number(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++)
		if (str_equal(capabilities[i], name))
			return (int)i;
	return -1;
}

static const struct name sched_policies[] = {
	{"SCHED_OTHER", SCHED_NORMAL},      {"SCHED_FIFO", SCHED_FIFO}, {"SCHED_RR", SCHED_RR},
	{"SCHED_BATCH", SCHED_BATCH},       {"SCHED_ISO", SCHED_ISO},   {"SCHED_IDLE", SCHED_IDLE},
	{"SCHED_DEADLINE", SCHED_DEADLINE},
};
const struct name_table spec_names_sched_policy = NAMES("scheduler policy", sched_policies);

#define SCHED_FLAG(name)                                                                                       \
	{                                                                                                      \
		"SCHED_FLAG_" #name, SCHED_FLAG_##name                                                         \
	}
static const struct name sched_flags[] = {
	SCHED_FLAG(RESET_ON_FORK),  SCHED_FLAG(RECLAIM),     SCHED_FLAG(DL_OVERRUN),
	SCHED_FLAG(KEEP_POLICY),    SCHED_FLAG(KEEP_PARAMS), SCHED_FLAG(UTIL_CLAMP_MIN),
	SCHED_FLAG(UTIL_CLAMP_MAX),
};
const struct name_table spec_names_sched_flag = NAMES("scheduler flag", sched_flags);

static const struct name io_classes[] = {
	{"IOPRIO_CLASS_RT", IOPRIO_CLASS_RT},
	{"IOPRIO_CLASS_BE", IOPRIO_CLASS_BE},
	{"IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE},
};
const struct name_table spec_names_io_class = NAMES("I/O priority class", io_classes);

/* --- linux ----------------------------------------------------------------------------------------------- */

static const struct name memory_modes[] = {
	{"MPOL_DEFAULT", MPOL_DEFAULT},       {"MPOL_BIND", MPOL_BIND},
	{"MPOL_INTERLEAVE", MPOL_INTERLEAVE}, {"MPOL_WEIGHTED_INTERLEAVE", WEIGHTED_INTERLEAVE},
	{"MPOL_PREFERRED", MPOL_PREFERRED},   {"MPOL_PREFERRED_MANY", MPOL_PREFERRED_MANY},
	{"MPOL_LOCAL", MPOL_LOCAL},
};
const struct name_table spec_names_memory_mode = NAMES("memory policy", memory_modes);

const char *spec_memory_policy_mode_name(int index)
{
	return name_at(&spec_names_memory_mode, index);
}

static const struct name memory_flags[] = {
	{"MPOL_F_NUMA_BALANCING", MPOL_F_NUMA_BALANCING},
	{"MPOL_F_RELATIVE_NODES", MPOL_F_RELATIVE_NODES},
	{"MPOL_F_STATIC_NODES", MPOL_F_STATIC_NODES},
};
const struct name_table spec_names_memory_flag = NAMES("memory policy flag", memory_flags);

const char *spec_memory_policy_flag_name(int index)
{
	return name_at(&spec_names_memory_flag, index);
}

static const struct name propagations[] = {
	{"shared", SPEC_PROPAGATION_SHARED},     {"slave", SPEC_PROPAGATION_SLAVE},
	{"private", SPEC_PROPAGATION_PRIVATE},   {"unbindable", SPEC_PROPAGATION_UNBINDABLE},
	{"rshared", SPEC_PROPAGATION_RSHARED},   {"rslave", SPEC_PROPAGATION_RSLAVE},
	{"rprivate", SPEC_PROPAGATION_RPRIVATE}, {"runbindable", SPEC_PROPAGATION_RUNBINDABLE},
};
const struct name_table spec_names_propagation = NAMES("propagation", propagations);

static const struct name personalities[] = {
	{"LINUX", PER_LINUX},
	{"LINUX32", PER_LINUX32},
};
const struct name_table spec_names_personality = NAMES("personality domain", personalities);

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
	return name_at(&spec_names_seccomp_action, index);
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
	return name_at(&spec_names_seccomp_op, index);
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
	return name_at(&spec_names_seccomp_arch, index);
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
	return name_at(&spec_names_seccomp_flag, index);
}
