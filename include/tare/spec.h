/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spec: config.json as typed, validated, constant data (runtime-spec 1.3.0).
 *
 * Functions of this header read no file and make no system call. Everything that spec_parse returns lives in
 * the spec's arena until spec_free. Strings are NUL-terminated and contain no other NUL. A property that is
 * absent in the configuration is NULL, has is_set false, or count 0; the parser adds no defaults except those
 * stated here. A value of null means absent, and so does "" where an empty string can have no other meaning.
 */
#ifndef TARE_SPEC_H
#define TARE_SPEC_H

#include <tare/base.h>
#include <tare/values.h>

#define SPEC_VERSION_MIN "1.0.0"
#define SPEC_VERSION_MAX "1.3.0"
#define SPEC_SIZE_MAX (16u << 20) /* bytes of config.json */
#define SPEC_DEPTH_MAX 64         /* levels of nesting */

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
struct spec_id_maps {
	struct spec_id_range *v;
	size_t count;
};

/* --- root, mounts --- */
struct spec_mount {
	const char *destination;   /* as written; may be relative (to "/") */
	const char *type, *source; /* NULL if absent */
	struct spec_list options;
	struct spec_id_maps uid_mappings, gid_mappings; /* both or neither */
};

/* --- process --- */
struct spec_process {
	bool terminal;
	struct spec_console_size console_size; /* never set if !terminal */
	const char *cwd;                       /* absolute, required */
	struct spec_list env;  /* NAME=VALUE, names not empty and unique: the parser keeps the last duplicate */
	struct spec_list args; /* count may be 0; start must then fail */
	struct spec_rlimit *rlimits;
	size_t rlimit_count;
	bool has_user, has_capabilities;
	struct spec_capabilities capabilities;
	struct spec_attributes attributes;
	const char *apparmor_profile, *selinux_label;
	struct {
		bool is_set;
		const char *initial, *final;
	} exec_cpu_affinity; /* cpu lists, syntax checked */
	struct {
		uint32_t uid, gid;
		uint32_t *additional_gids;
		size_t additional_gid_count;
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
	uint32_t timeout;      /* seconds; 0: no timeout */
};
struct spec_hooks {
	struct spec_hook *v;
	size_t count;
};

/* --- linux.resources --- */
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
	struct spec_map unified; /* keys contain no "/" */
};

/* --- the rest of linux --- */
struct spec_device {
	char type;                  /* 'c' (also for "u"), 'b', 'p' */
	const char *path;           /* absolute, no empty or "." components, no "/" or ".." at its end */
	bool is_repeated;           /* an earlier device has the same path and all properties of this one */
	int64_t major, minor;       /* 0 for 'p' */
	struct spec_uint file_mode; /* permission bits, <= 07777 */
	struct spec_uint uid, gid;
};
struct spec_net_device {
	const char *host_name, *container_name; /* container_name NULL: the name is kept */
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
	struct spec_uint errno_ret; /* only with ERRNO and TRACE */
	struct spec_seccomp_arg *args;
	size_t arg_count;
};
struct spec_seccomp {
	bool is_set;
	enum spec_seccomp_action default_action;
	struct spec_uint default_errno_ret;
	struct spec_list architectures; /* "SCMP_ARCH_*", only names that runtime-spec lists */
	struct spec_list flags;         /* "SECCOMP_FILTER_FLAG_*"; v NULL if absent */
	const char *listener_path, *listener_metadata;
	const char *listener_pointer; /* JSON pointer of listener_path */
	bool refuses_unknown_names;   /* a system call that libseccomp does not know is an error */
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
	bool has_process; /* without it, process has only the attributes of /linux */
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
	struct spec_resources resources;
	struct {
		bool is_set;
		const char *clos_id, *l3_cache_schema, *mem_bw_schema;
		struct spec_list schemata;
		bool enable_monitoring;
	} intel_rdt;
	struct spec_map sysctl; /* keys as written, in either form that spec_sysctl_path accepts */
	struct spec_seccomp seccomp;
	enum spec_propagation rootfs_propagation;
	struct spec_list masked_paths, readonly_paths; /* absolute */
	const char *mount_label;

	struct spec_list warnings; /* "POINTER: TEXT"; runtime-spec: to be logged, not refused */
};

/*
 * Parses and validates len bytes of JSON text (which need not end with NUL). Checks all rules that depend on
 * the configuration alone: types, ranges, enums, required keys, absolute paths, duplicates, and properties that
 * require or exclude each other. Fails with -EINVAL at the first wrong value: *err has the kind ERR_CONFIG and
 * the JSON pointer of the value. For malformed JSON the pointer is empty and the message begins with "line L,
 * column C".
 *
 * Runs in the parent. *ret_spec is untouched on failure; the caller frees it with spec_free.
 */
int spec_parse(const char *json, size_t len, struct spec **ret_spec, struct err *err) MUST_CHECK;

/*
 * Like spec_parse, but continues after a wrong value, for "tare check". Calls on_finding for each finding (at
 * most 1,000). Warnings and unknown keys (at most 1,000) are also passed to on_finding, with the kind ERR_NONE.
 * Returns the number of findings of other kinds; *ret_spec is NULL unless that number is 0.
 */
typedef void (*spec_finding)(void *context, const struct err *finding);
int spec_parse_all(const char *json, size_t len, spec_finding on_finding, void *context,
		   struct spec **ret_spec);

void spec_free(struct spec *spec); /* spec may be NULL */
static inline void spec_freep(struct spec **spec)
{
	spec_free(*spec);
	*spec = NULL;
}
#define _cleanup_spec_ __attribute__((cleanup(spec_freep)))

/*
 * Parses the process document of "exec --process" by the rules of /process in a configuration. In addition,
 * args is required, and a user needs a uid and a gid. JSON pointers start at the root of the document. In the
 * result only has_process and process are set.
 */
int spec_parse_process(const char *json, size_t len, struct spec **ret_spec, struct err *err) MUST_CHECK;

/*
 * Parses the document of "update --resources" by the rules of /linux/resources in a configuration, and refuses
 * a whole configuration. JSON pointers start at the root of the document. In the result only
 * resources and warnings are set; warnings also has the unknown keys (at most 1,000).
 */
int spec_parse_resources(const char *json, size_t len, struct spec **ret_spec, struct err *err) MUST_CHECK;

/*
 * Parses the document of "mounts", an array, by the rules of /mounts in a configuration. JSON pointers start at
 * the root of the document. In the result only mounts and warnings are set; warnings also has the unknown keys
 * (at most 1,000).
 */
int spec_parse_mounts(const char *json, size_t len, struct spec **ret_spec, struct err *err) MUST_CHECK;

/*
 * Names of the specification, from the tables that the parser uses. Each function returns NULL for a number
 * without a name, so that "features" can enumerate the names from 0 up.
 */
const char *spec_namespace_name(enum spec_ns ns);     /* "user", "mount", ... */
const char *spec_hook_name(enum spec_hook_kind kind); /* "prestart", "createRuntime", ... */
const char *spec_rlimit_name(uint32_t resource);      /* "RLIMIT_CPU", ... */
const char *spec_seccomp_action_name(int index);      /* every name in runtime-spec */
const char *spec_seccomp_operator_name(int index);
const char *spec_seccomp_architecture_name(int index);
const char *spec_seccomp_flag_name(int index);
const char *spec_namespace_list(int index); /* alphabetical, for features */

/*
 * What the parser accepts below /linux, as lists of names for features (runtime-spec features-linux.md): each
 * is the member key of an object. Lists of an object follow each other; object is NULL after the last.
 */
struct spec_feature {
	const char *object, *key;
	const char *(*name)(int index); /* NULL past the last */
};
const struct spec_feature *spec_features(void);

/* The value of an annotation, or NULL; belongs to spec. */
const char *spec_annotation(const struct spec *spec, const char *key);

/* Result of spec_sysctl_owner for a sysctl that a container must not set. */
#define SPEC_SYSCTL_FORBIDDEN (-1)
/*
 * The namespace (enum spec_ns) that a sysctl belongs to: ipc (fs.mqueue.* and the System V limits of kernel.*),
 * network (net.*), uts (kernel.domainname) or user (user.*). SPEC_SYSCTL_FORBIDDEN for all others, including
 * kernel.hostname, for which the configuration has a property. key is in one of the forms of sysctl(8):
 * separated by dots, or by slashes, for components that contain dots.
 */
int spec_sysctl_owner(const char *key);
/*
 * Writes key as a path below /proc/sys ("net/ipv4/ip_forward") into ret. -EINVAL if it has "..", "." or empty
 * components, or does not fit into size bytes.
 */
int spec_sysctl_path(const char *key, char *ret, size_t size) MUST_CHECK;

/*
 * Parses a list of cpus or memory nodes ("0-3,7"; cpuset(7), "List format") and sets bit n of words for each
 * number n. Numbers are at most 65535. Blanks around ranges are allowed; an empty list is valid. Fails with
 * -EINVAL if the list is malformed or has a stride ("0-8:2"), and with -ERANGE if numbers do not fit into count
 * words: the bits of all others are set.
 */
int spec_list_mask(const char *text, uint64_t *words, size_t count) MUST_CHECK;

#endif
