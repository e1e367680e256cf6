/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spec: config.json as typed, validated, constant data (runtime-spec 1.3.0).
 *
 * Pure: reads no file, asks the kernel nothing. Everything that spec_parse returns lives in the spec's own
 * arena until spec_free. Strings are NUL-terminated and never contain NUL. What is absent in the
 * configuration is NULL, has is_set false, or count 0; the parser fills in no defaults but those named here.
 * Absent is also what is null, and what is "" where an empty string could mean nothing else.
 */
#ifndef TARE_SPEC_H
#define TARE_SPEC_H

#include <tare/base.h>

#define SPEC_VERSION_MIN "1.0.0"
#define SPEC_VERSION_MAX "1.3.0"
#define SPEC_SIZE_MAX (16u << 20) /* bytes of config.json */
#define SPEC_DEPTH_MAX 64         /* levels of nesting */

struct spec_int {
	bool is_set;
	int64_t value;
};
struct spec_uint {
	bool is_set;
	uint64_t value;
};
struct spec_bool {
	bool is_set;
	bool value;
};
struct spec_list { /* v[count] is NULL, so that v can be an argv; v is NULL if the list is absent */
	char **v;
	size_t count;
};
struct spec_pair {
	const char *key, *value;
};
struct spec_map { /* in the configuration's order */
	struct spec_pair *v;
	size_t count;
};

/* --- namespaces, ids --- */
enum spec_ns {
	SPEC_NS_USER,
	SPEC_NS_MOUNT,
	SPEC_NS_PID,
	SPEC_NS_NETWORK,
	SPEC_NS_IPC,
	SPEC_NS_UTS,
	SPEC_NS_CGROUP,
	SPEC_NS_TIME,
	SPEC_NS_COUNT,
};
struct spec_namespace {
	bool is_set;
	const char *path; /* absolute; NULL: a new one */
	uint32_t index;   /* in /linux/namespaces, for messages */
};
struct spec_id_map {
	uint32_t container_id, host_id, size; /* size > 0; neither range passes 2^32 - 2 */
};
struct spec_id_maps {
	struct spec_id_map *v;
	size_t count;
};
struct spec_time_offset {
	bool is_set;
	int64_t secs;
	uint32_t nanosecs; /* < 10^9 */
};

/* --- root, mounts --- */
struct spec_mount {
	const char *destination;   /* as written; may be relative (to "/") */
	const char *type, *source; /* NULL if absent */
	struct spec_list options;
	struct spec_id_maps uid_mappings, gid_mappings; /* both or neither */
};

/* --- process --- */
enum spec_cap_set {
	SPEC_CAP_BOUNDING,
	SPEC_CAP_EFFECTIVE,
	SPEC_CAP_INHERITABLE,
	SPEC_CAP_PERMITTED,
	SPEC_CAP_AMBIENT,
	SPEC_CAP_SETS
};
struct spec_rlimit {
	int resource;        /* RLIMIT_* */
	uint64_t soft, hard; /* soft <= hard; 2^64-1 is infinity */
};
struct spec_scheduler {
	bool is_set;
	uint32_t policy; /* SCHED_* of <linux/sched.h> */
	int32_t nice;
	uint32_t priority;
	uint64_t flags;                     /* SCHED_FLAG_* of <linux/sched.h> */
	uint64_t runtime, deadline, period; /* ns */
};
struct spec_process {
	bool terminal;
	struct {
		bool is_set;
		uint16_t height, width;
	} console_size;        /* never set if !terminal */
	const char *cwd;       /* absolute, required */
	struct spec_list env;  /* every entry has "=" after a non-empty name; last duplicate wins, done here */
	struct spec_list args; /* count may be 0: then start must refuse */
	struct spec_rlimit *rlimits;
	size_t rlimit_count;
	bool has_user, has_capabilities;
	uint64_t capabilities[SPEC_CAP_SETS]; /* bit n: capability number n */
	bool no_new_privileges;
	struct spec_int oom_score_adj; /* -1000..1000 */
	const char *apparmor_profile, *selinux_label;
	struct spec_scheduler scheduler;
	struct {
		bool is_set;
		int class_;
		int priority;
	} io_priority; /* IOPRIO_CLASS_*, 0..7 */
	struct {
		bool is_set;
		const char *initial, *final;
	} exec_cpu_affinity; /* cpu lists, syntax checked */
	struct {
		uint32_t uid, gid;
		uint32_t *additional_gids;
		size_t additional_gid_count;
		struct spec_uint umask; /* <= 0777 */
	} user;
};

/* --- hooks --- */
enum spec_hook_kind {
	SPEC_HOOK_PRESTART,
	SPEC_HOOK_CREATE_RUNTIME,
	SPEC_HOOK_CREATE_CONTAINER,
	SPEC_HOOK_START_CONTAINER,
	SPEC_HOOK_POSTSTART,
	SPEC_HOOK_POSTSTOP,
	SPEC_HOOK_KINDS,
};
struct spec_hook {
	const char *path;      /* absolute */
	struct spec_list args; /* absent or empty: v NULL */
	struct spec_list env;  /* absent (v NULL) differs from empty */
	uint32_t timeout;      /* seconds, 0: none was given */
};
struct spec_hooks {
	struct spec_hook *v;
	size_t count;
};

/* --- linux.resources --- */
struct spec_device_rule {
	bool allow;
	char type;            /* 'a', 'b', 'c' */
	int64_t major, minor; /* -1: any */
	bool read, write, mknod;
};
struct spec_weight_device {
	int64_t major, minor;
	struct spec_uint weight, leaf_weight;
};
struct spec_throttle_device {
	int64_t major, minor;
	uint64_t rate;
};
enum spec_throttle {
	SPEC_THROTTLE_READ_BPS,
	SPEC_THROTTLE_WRITE_BPS,
	SPEC_THROTTLE_READ_IOPS,
	SPEC_THROTTLE_WRITE_IOPS,
	SPEC_THROTTLES
};
struct spec_resources {
	struct spec_device_rule *devices;
	size_t device_count;
	struct {
		struct spec_int limit, reservation, swap, kernel, kernel_tcp;
		struct spec_uint swappiness; /* 0..100 */
		struct spec_bool disable_oom_killer, use_hierarchy, check_before_update;
	} memory;
	struct {
		struct spec_uint shares, burst, period, realtime_period;
		struct spec_int quota, realtime_runtime, idle;
		const char *cpus, *mems;
	} cpu;
	struct {
		struct spec_uint weight, leaf_weight; /* 10..1000, or 0 */
		struct spec_weight_device *weight_devices;
		size_t weight_device_count;
		struct {
			struct spec_throttle_device *v;
			size_t count;
		} throttle[SPEC_THROTTLES];
	} block_io;
	struct {
		const char *page_size;
		uint64_t limit;
	} * hugepage_limits;
	size_t hugepage_limit_count;
	struct spec_int pids_limit;
	struct {
		struct spec_uint class_id;
		struct {
			const char *name;
			uint32_t priority;
		} * priorities;
		size_t priority_count;
	} network;
	struct {
		const char *device;
		struct spec_uint hca_handles, hca_objects;
	} * rdma;
	size_t rdma_count;
	struct spec_map unified; /* keys hold no "/" */
};

/* --- the rest of linux --- */
struct spec_device {
	char type;                  /* 'c' (also for "u"), 'b', 'p' */
	const char *path;           /* absolute, no empty or "." components, no "/" or ".." at its end */
	bool is_repeated;           /* an earlier one has the same path, and all that this one says */
	int64_t major, minor;       /* 0 for 'p' */
	struct spec_uint file_mode; /* permission bits, <= 07777 */
	struct spec_uint uid, gid;
};
struct spec_net_device {
	const char *host_name, *container_name; /* container_name NULL: the same */
};
enum spec_seccomp_arg_op {
	SPEC_SECCOMP_NE,
	SPEC_SECCOMP_LT,
	SPEC_SECCOMP_LE,
	SPEC_SECCOMP_EQ,
	SPEC_SECCOMP_GE,
	SPEC_SECCOMP_GT,
	SPEC_SECCOMP_MASKED_EQ
};
enum spec_seccomp_action {
	SPEC_SECCOMP_KILL_THREAD, /* also "SCMP_ACT_KILL" */
	SPEC_SECCOMP_KILL_PROCESS,
	SPEC_SECCOMP_TRAP,
	SPEC_SECCOMP_ERRNO,
	SPEC_SECCOMP_TRACE,
	SPEC_SECCOMP_ALLOW,
	SPEC_SECCOMP_LOG,
	SPEC_SECCOMP_NOTIFY,
};
struct spec_seccomp_arg {
	uint32_t index; /* 0..5 */
	uint64_t value, value_two;
	enum spec_seccomp_arg_op op;
};
struct spec_seccomp_rule {
	struct spec_list names; /* at least one */
	enum spec_seccomp_action action;
	struct spec_uint errno_ret; /* only with ERRNO, TRACE (the schema's meaning) */
	struct spec_seccomp_arg *args;
	size_t arg_count;
};
struct spec_seccomp {
	bool is_set;
	enum spec_seccomp_action default_action;
	struct spec_uint default_errno_ret;
	struct spec_list architectures; /* "SCMP_ARCH_*", each a name of the spec */
	struct spec_list flags;         /* "SECCOMP_FILTER_FLAG_*"; v NULL if absent */
	const char *listener_path, *listener_metadata;
	struct spec_seccomp_rule *rules;
	size_t rule_count;
};
enum spec_propagation {
	SPEC_PROPAGATION_UNSET,
	SPEC_PROPAGATION_SHARED,
	SPEC_PROPAGATION_SLAVE,
	SPEC_PROPAGATION_PRIVATE,
	SPEC_PROPAGATION_UNBINDABLE,
	SPEC_PROPAGATION_RSHARED,
	SPEC_PROPAGATION_RSLAVE,
	SPEC_PROPAGATION_RPRIVATE,
	SPEC_PROPAGATION_RUNBINDABLE
};

struct spec {
	struct arena arena;
	const char *oci_version; /* SemVer with major 1; or major 0 (drafts), with an entry in warnings */
	struct {
		const char *path;
		bool is_readonly;
	} root; /* path as written */
	struct spec_mount *mounts;
	size_t mount_count;
	const char *hostname, *domainname;
	bool has_process;
	struct spec_process process;
	struct spec_hooks hooks[SPEC_HOOK_KINDS];
	struct spec_map annotations;

	/* linux */
	struct spec_namespace namespaces[SPEC_NS_COUNT];
	struct spec_id_maps uid_mappings, gid_mappings;
	struct spec_time_offset monotonic_offset, boottime_offset;
	struct spec_device *devices;
	size_t device_count;
	struct spec_net_device *net_devices;
	size_t net_device_count;
	const char *cgroups_path;
	bool has_resources;
	struct spec_resources resources;
	struct {
		bool is_set;
		const char *clos_id, *l3_cache_schema, *mem_bw_schema;
		struct spec_list schemata;
		bool enable_monitoring;
	} intel_rdt;
	struct {
		bool is_set;
		int mode;
		uint32_t flags;
		const char *nodes;
	} memory_policy; /* MPOL_*, MPOL_F_* of <linux/mempolicy.h>; nodes: a node list, syntax checked, NULL if
			    empty */
	struct spec_map sysctl; /* keys as given, in either form: spec_sysctl_path takes both */
	struct spec_seccomp seccomp;
	enum spec_propagation rootfs_propagation;
	struct spec_list masked_paths, readonly_paths; /* absolute */
	const char *mount_label;
	struct {
		bool is_set;
		uint32_t domain;
	} personality; /* PER_LINUX, PER_LINUX32 */

	struct spec_list warnings; /* what the spec wants logged but not refused: e.g. unknown capabilities */
};

/*
 * Parses and validates len bytes of JSON text (which need not end with NUL). All rules that need nothing
 * but the configuration itself are checked here: types, ranges, enums, required keys, absolute paths,
 * duplicates, what must and must not come together. The first wrong value is refused with kind ERR_CONFIG,
 * where = its JSON pointer; malformed JSON with "line L, column C" in the message.
 *
 * Runs in the parent. *ret_spec is untouched on failure; the caller frees it with spec_free.
 */
int spec_parse(const char *json, size_t len, struct spec **ret_spec, struct err *err) MUST_CHECK;

/*
 * The same, but goes on after a wrong value and hands every finding to the callback (at most 1,000), for
 * "tare check", and as findings of kind ERR_NONE (at most 1,000) warnings and keys that are not known. Returns
 * the number of findings without those; *ret_spec is NULL unless that is 0.
 */
typedef void (*spec_finding)(void *context, const struct err *finding);
int spec_parse_all(const char *json, size_t len, spec_finding on_finding, void *context,
		   struct spec **ret_spec);

void spec_free(struct spec *spec); /* NULL is fine */
static inline void spec_freep(struct spec **spec)
{
	spec_free(*spec);
	*spec = NULL;
}
#define _cleanup_spec_ __attribute__((cleanup(spec_freep)))

/*
 * The process document of "exec --process": the same rules as /process in a configuration, plus that args
 * must not be empty. JSON pointers start at the document's own root. The result is a spec in which only
 * process is set.
 */
int spec_parse_process(const char *json, size_t len, struct spec **ret_spec, struct err *err) MUST_CHECK;

/*
 * The document of "update --resources": the same rules as /linux/resources in a configuration. JSON pointers
 * start at the document's own root. The result is a spec in which only resources is set.
 */
int spec_parse_resources(const char *json, size_t len, struct spec **ret_spec, struct err *err) MUST_CHECK;

/*
 * Names: each table is used in both directions, for parsing and for "features". spec_*_name return NULL
 * past the end of the table, so that they can be enumerated from 0.
 */
const char *spec_namespace_name(enum spec_ns ns);     /* "user", "mount", ... */
const char *spec_hook_name(enum spec_hook_kind kind); /* "prestart", "createRuntime", ... */
const char *spec_rlimit_name(int resource);           /* "RLIMIT_CPU", ... */
const char *spec_capability_name(int capability);     /* "CAP_CHOWN", ...; as <linux/capability.h> */
const char *spec_memory_policy_mode_name(int index);  /* "MPOL_DEFAULT", ... */
const char *spec_memory_policy_flag_name(int index);
const char *spec_seccomp_action_name(int index); /* every name of the spec */
const char *spec_seccomp_operator_name(int index);
const char *spec_seccomp_architecture_name(int index);
const char *spec_seccomp_flag_name(int index);
const char *spec_namespace_list(int index); /* alphabetical, for features */

/* The value of an annotation, or NULL. */
const char *spec_annotation(const struct spec *spec, const char *key);

/* What spec_sysctl_owner says about a sysctl key: the namespace that it belongs to. */
#define SPEC_SYSCTL_FORBIDDEN (-1)
/*
 * The namespace that a sysctl belongs to (kernel.msg* and friends and fs.mqueue.* ipc, net.*
 * network, kernel.domainname uts, user.* user), or SPEC_SYSCTL_FORBIDDEN (kernel.hostname and all others).
 * key is in either form: dots, or slashes where a component itself has dots (as sysctl(8)).
 */
int spec_sysctl_owner(const char *key);
/* key as a path below /proc/sys ("net/ipv4/ip_forward"). -EINVAL if it has "..", "." or empty components. */
int spec_sysctl_path(const char *key, char *ret, size_t size) MUST_CHECK;

/*
 * A cpu or node list ("0-3,7") as used by cgroups and affinity: calls on_range for each range, in the text's
 * order; numbers are at most 65535. Blanks may stand around ranges; an empty list is fine. -EINVAL if it is
 * malformed (strides are not understood); on_range may have been called by then.
 */
int spec_list_parse(const char *text, void (*on_range)(void *context, uint32_t first, uint32_t last),
		    void *context) MUST_CHECK;

#endif
