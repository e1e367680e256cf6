/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan: everything that will be done for a container, as one ordered list of steps.
 *
 * Computed from a spec and a host without a system call, and deterministic: the same two give the same
 * bytes. "tare plan" prints the list; the parent, the bridge and init each walk it from its beginning and
 * carry out the steps that are theirs, in the order in which they stand.
 *
 * A plan is one block of memory without pointers ("image"): texts and tables are offsets into it, so that
 * it can be handed to another program as a file. It is written once by plan_build, and read-only after.
 */
#ifndef TARE_PLAN_H
#define TARE_PLAN_H

#include <tare/base.h>

struct spec;
struct spec_resources;
struct host;

#define PLAN_MAGIC 0x3130524154455241ull
#define PLAN_NO_SLOT (-1)

typedef uint32_t plan_text; /* offset of a NUL-terminated string; 0: absent */
struct plan_texts { /* an argv: offset of count + 1 64-bit cells, each the offset of a string, the last 0 */
	uint32_t offset, count;
};
struct plan_table { /* offset of count structs, the type is told where it is used */
	uint32_t offset, count;
};

enum plan_actor {
	PLAN_PARENT, /* the tare process that was called */
	PLAN_BRIDGE, /* the short-lived process that enters namespaces which only a child can be born into */
	PLAN_INIT,   /* the process that becomes the container's program */
};

enum plan_kind {
	PLAN_CGROUP_CREATE,       /* parent: text = path below the cgroup2 mount, of a new cgroup */
	PLAN_UNIT_START,          /* parent: unit, the cgroup as a transient scope of systemd */
	PLAN_RELEASE_PLACEHOLDER, /* parent: init gets on alone in the unit's cgroup, and whoever kept its place
				   * goes
				   */
	PLAN_UNIT_SET,            /* parent: unit, properties that could not be there when init was born */
	PLAN_UNIT_WATCH,          /* parent: somebody reads in time what the unit's cgroup has counted */
	PLAN_CGROUP_ENABLE,       /* parent: controllers that the cgroup needs, enabled above it */
	PLAN_CGROUP_OWNER,        /* parent: number = uid on the host that may make cgroups below it */
	PLAN_CGROUP_DEVICES,      /* parent: devices */
	PLAN_CGROUP_USAGE,        /* parent: usage, refuses a limit that is below what is used already */
	PLAN_CGROUP_WRITE,        /* parent: write, a limit */
	PLAN_OPEN_PROC,           /* parent: a private procfs in slot */
	PLAN_OPEN_NAMESPACE,      /* parent: ns, into slot */
	PLAN_OPEN_IDMAP,          /* parent: a user namespace with maps, into slot, for idmapped mounts */
	PLAN_OPEN_SOURCE,         /* parent or init: source, a detached copy of a tree, into slot */
	PLAN_OPEN_ENVIRONMENT,    /* parent: the caller's environment as a file, into slot, for hooks that init
				     runs */
	PLAN_OPEN_CONTAINER, /* parent: container, the pidfd of a container's init (and its root) into slots */
	PLAN_OPEN_CGROUP,    /* parent: text = path below the cgroup2 mount, of a container that is there */
	PLAN_SPAWN,          /* parent or bridge: spawn, the next process is born */
	PLAN_ID_MAPS,        /* parent: maps, of the process just born */
	PLAN_NET_DEVICE,     /* parent: net_device, moves into the container's network namespace */
	PLAN_RESCTRL,        /* parent: resctrl, the process just born gets a class of service */
	PLAN_OOM_SCORE, /* parent: number, of init; bridge: of itself and so of the process that it makes */
	PLAN_SET_UNDUMPABLE, /* bridge or init: nobody without CAP_SYS_PTRACE may look into it, prctl(2) */
	PLAN_JOIN,           /* bridge or init: ns, from slot */
	PLAN_ENTER,          /* bridge: container, all its namespaces in one step, and its root */
	PLAN_UNSHARE,        /* bridge or init: number = CLONE_NEW* */
	PLAN_TIME_OFFSETS,   /* bridge: times, into slot (procfs) */
	PLAN_SEND,           /* any: step, tells the peer that all above is done */
	PLAN_EXPECT,         /* any: step, waits until the peer has done its part */
	PLAN_SETUP_IDS,      /* init: ids, become the owner of what is going to be made */
	PLAN_KEYRING,        /* init: text = name of a new session keyring */
	PLAN_LOOPBACK,       /* init: set the interface "lo" up */
	PLAN_ROOT,           /* init: root, attach the root file system */
	PLAN_MOUNT,          /* init: mount */
	PLAN_MAKE_NODE,      /* parent: node, a device in the tmpfs of slot, which the first one makes */
	PLAN_COPY_NODES,     /* init: slot of that tmpfs; each device into its source_slot */
	PLAN_DEVICE,         /* init: device */
	PLAN_LINK,           /* init: link, a symbolic link */
	PLAN_HOOKS,          /* parent or init: hooks */
	PLAN_PIVOT,          /* init: root, make it "/" */
	PLAN_MAKE_CWD,       /* init: text = directory to create if it is missing */
	PLAN_CONSOLE,        /* init or bridge: console */
	PLAN_CONTROLLING,    /* init: standard input becomes the controlling terminal */
	PLAN_READONLY_MOUNT, /* init: the mount kept in slot becomes read-only */
	PLAN_HOSTNAME,       /* init: text */
	PLAN_DOMAINNAME,     /* init: text */
	PLAN_SYSCTL,         /* init: sysctl */
	PLAN_LABEL,          /* init or bridge: label, a security module's, of what it executes or makes */
	PLAN_READONLY_PATH,  /* init: text = path that becomes read-only with all below it */
	PLAN_MASK_PATH,      /* init: text = path that is hidden */
	PLAN_PROPAGATION,    /* init: number = MS_*, bool is_recursive: of the root mount */
	PLAN_READONLY_ROOT,  /* init: the root mount becomes read-only */
	PLAN_UMASK,          /* init: number */
	PLAN_SCHEDULER,      /* parent: scheduler */
	PLAN_IO_PRIORITY,    /* parent: number = ioprio value */
	PLAN_RLIMIT,         /* parent: rlimit */
	PLAN_AFFINITY,       /* any: affinity, of this process */
	PLAN_MEMORY_POLICY,  /* init: memory_policy */
	PLAN_PERSONALITY,    /* init: number */
	PLAN_NO_NEW_PRIVS,   /* init */
	PLAN_STDIO_OWNER,    /* init: number = uid that gets descriptors 0 to 2 */
	PLAN_USER,           /* init: user: bounding set, groups, ids, capabilities, working directory */
	PLAN_HOME,           /* init or bridge: number = uid, its HOME from the container's passwd */
	PLAN_LOOKUP,         /* init: program, find the executable */
	PLAN_GATE,           /* init: wait until somebody says start; in slot a listening socket, or none */
	PLAN_HANDOVER,       /* init: program, nothing is left to do but to execute it, and the peer is told */
	PLAN_SECCOMP,        /* bridge or init: filter */
	PLAN_LISTENER,       /* parent: filter, takes the listener out of that process and hands it on */
	PLAN_EXEC,           /* init: program */
	PLAN_KINDS,
};

struct plan_id_range { /* element of plan_table */
	uint32_t container_id, host_id, size;
};
struct plan_maps {
	struct plan_table uid, gid; /* of struct plan_id_range */
	bool deny_setgroups;        /* the caller may not map groups otherwise */
	bool is_joined;             /* the namespace has its own, which these have to be */
};
struct plan_device_rule {     /* element */
	int64_t major, minor; /* -1: any */
	char type;            /* 'a', 'b', 'c' */
	uint8_t access;       /* PLAN_ACCESS_* */
	bool allow;
};
#define PLAN_ACCESS_MKNOD 1u
#define PLAN_ACCESS_READ 2u
#define PLAN_ACCESS_WRITE 4u

#define PLAN_WRITE_OPTIONAL 1u  /* the file may be missing: the value is what is so without the controller */
#define PLAN_WRITE_TENTATIVE 2u /* EINVAL is no error: a later step insists */
struct plan_cgroup_write {
	plan_text file, value;             /* one write(2) */
	plan_text other_file, other_value; /* absent, or what is written where file is missing */
	uint32_t flags;                    /* PLAN_WRITE_* */
};
struct plan_cgroup_usage {
	plan_text file; /* holds a number; missing: nothing is used */
	uint64_t limit;
};

struct plan_resctrl {
	plan_text clos;     /* name of its directory, "" for the default class */
	plan_text monitor;  /* name of a monitoring group in it, or absent */
	plan_text schemata; /* lines, each with its line feed, or absent */
	bool is_own;        /* the container's alone */
	bool is_made;       /* of exec: it is there */
};

struct plan_net_device {
	plan_text name, new_name; /* new_name may hold a "%d" for the first number that is free */
	int32_t slot;             /* of the network namespace, PLAN_NO_SLOT: init's */
};

struct plan_unit {
	plan_text name, slice;
	struct plan_texts properties; /* NAME TYPE VALUE of each, as tare-systemd takes them; no Description */
	bool is_user;                 /* of the user's manager, not the system's */
};

struct plan_source {
	plan_text path;
	bool is_recursive;
	bool is_bind_of_device; /* must be the character device major:minor */
	uint32_t major, minor;
	uint64_t propagation; /* MS_SLAVE or MS_PRIVATE of the copy, 0: stay a peer */
	int32_t idmap_slot;   /* or PLAN_NO_SLOT */
	bool is_idmap_recursive;
	bool is_readonly; /* the copy, with all mounts in it */
	bool is_empty;    /* a new tmpfs in its place */
	bool is_inside;   /* path is the container's, below an earlier mount of the plan */
};

#define PLAN_PROPAGATIONS 4
struct plan_mount {
	plan_text target;
	plan_text type;                /* absent for binds */
	plan_text source;              /* as the file system's "source", also for messages of binds */
	struct plan_texts options;     /* of the file system: "key" or "key=value" */
	int32_t source_slot;           /* binds: the detached tree */
	int32_t keep_slot;             /* file systems: where the mount's descriptor stays for later steps */
	int32_t idmap_slot;            /* file systems only */
	uint64_t attr_set, attr_clear; /* MOUNT_ATTR_* */
	uint64_t attr_implied_clear;   /* binds: of the source's, unless the kernel has locked it */
	uint64_t recursive_attr_set, recursive_attr_clear; /* with AT_RECURSIVE */
	struct {
		uint64_t type; /* MS_SHARED ... */
		bool is_recursive;
	} propagation[PLAN_PROPAGATIONS]; /* applied in order until type is 0 */
	bool is_bind;
	bool is_remount; /* changes the attributes of what is mounted at the target */
	bool is_superblock_readonly;
	bool is_copy_up;        /* tmpfs: copy what the target holds first */
	bool is_mode_of_target; /* tmpfs: take the mode of the directory that it covers */
	bool is_real_directory; /* the target must not be reached through a symbolic link */
	bool is_readonly_later; /* the mount in keep_slot becomes read-only by a later step */
	bool is_base;           /* later steps look below the target, from the mount's descriptor */
	bool is_inside_proc;    /* one of the few files that may be covered below /proc */
	bool is_cgroup;         /* falls back to a bind of cgroup_path if a new mount is not allowed */
	bool is_fallback_readonly;
	bool is_host_sysfs;    /* falls back to a bind of the host's /sys if a new sysfs is not allowed */
	plan_text cgroup_path; /* host path for that fallback; absent: there is none */
	plan_text label; /* SELinux label of the root directory, of a file system without an option for it */
};

enum plan_label_kind {
	PLAN_LABEL_APPARMOR,     /* profile that the next execve(2) changes to */
	PLAN_LABEL_SELINUX,      /* context that the next execve(2) changes to */
	PLAN_LABEL_SELINUX_KEYS, /* context of the keys and keyrings that are made */
};
struct plan_label {
	uint32_t kind;
	int32_t slot; /* procfs */
	plan_text text;
};
struct plan_device {
	plan_text path;
	char type;     /* 'c', 'b', 'p' */
	bool is_bound; /* in a user namespace: from the host's node of the same number, in source_slot */
	bool is_found; /* below a /dev that is the host's: it is not made, and an error if it is not there */
	bool is_node;  /* is_bound, but from a node that the parent makes */
	bool has_mode, has_uid, has_gid; /* the configuration says so: the host's node has to be that */
	uint32_t major, minor;
	uint32_t mode, uid, gid;
	uint32_t host_uid, host_gid; /* is_node */
	int32_t source_slot;
};
struct plan_link {
	plan_text path, target;
	plan_text needs; /* only if this path of the host exists */
	bool is_replacing;
};
struct plan_hook { /* element */
	plan_text path;
	plan_text json_pointer;
	struct plan_texts args;
	struct plan_texts env;
	bool is_env_set;  /* else the environment of the process that runs it */
	uint32_t timeout; /* seconds, 0: none */
};
struct plan_hooks {
	struct plan_table hooks;          /* of struct plan_hook */
	uint32_t kind;                    /* enum spec_hook_kind */
	plan_text state_head, state_tail; /* the state JSON before and behind the pid's digits */
	int32_t environment_slot;         /* of those before the pivot that state none, or PLAN_NO_SLOT */
};
struct plan_root {
	plan_text path; /* the bundle's root file system on the host, absolute */
	int32_t slot;   /* of the detached tree */
	int32_t proc_slot;
	bool is_readonly;
	bool is_no_pivot;
	bool has_mount_ns; /* else chroot only */
	bool is_slave;     /* stays a slave of the host's mount that it is a copy of */
};
struct plan_rlimit {
	uint32_t resource;
	uint64_t soft, hard;
};
struct plan_user {
	uint32_t uid, gid;
	struct plan_table groups; /* of uint32_t */
	bool is_setgroups_denied; /* by the kernel, here: the groups are the caller's */
	bool has_callers_groups;  /* as was asked for, whatever groups says */
	uint64_t bounding, effective, inheritable, permitted, ambient;
	plan_text cwd;
};
struct plan_program {
	struct plan_texts args, env;
	bool needs_home;            /* HOME is not in env: PLAN_HOME finds it */
	uint32_t preserved_fds;     /* descriptors 3 to 2 + n stay open */
	uint32_t runtime_env_count; /* the last n entries of env are the runtime's, not the configuration's */
};
struct plan_filter {
	struct plan_table program;                  /* of struct sock_filter */
	uint32_t flags;                             /* SECCOMP_FILTER_FLAG_* */
	bool is_notify;                             /* the parent takes the listener and hands it on */
	bool is_parent_limited;                     /* the parent has no CAP_SYS_PTRACE to take it with */
	plan_text listener_path, listener_metadata; /* to whom, with what */
};
struct plan_container {
	int32_t slot;      /* of the pidfd */
	int32_t root_slot; /* of the root directory, for a container without a mount namespace; or none */
	plan_text root;
	uint64_t namespaces; /* CLONE_NEW* */
};
struct plan_step {
	uint16_t kind;          /* enum plan_kind */
	uint8_t actor;          /* enum plan_actor */
	plan_text json_pointer; /* JSON pointer, for errors */
	union {
		plan_text text;
		int64_t number;
		int32_t slot;
		uint32_t step; /* enum protocol_step */
		struct {
			uint32_t ns;
			int32_t slot;
			plan_text path;
			bool is_tentative; /* not allowed (EPERM) is no error: a later step insists */
		} ns;
		struct {
			int32_t slot;
			struct plan_maps maps;
		} idmap;
		struct {
			int32_t slot;
			struct plan_source source;
		} source;
		struct {
			uint64_t flags;
			bool is_bridge;
			bool into_cgroup;
		} spawn; /* CLONE_NEW* */
		struct plan_maps maps;
		struct plan_table devices;     /* of struct plan_device_rule */
		struct plan_texts controllers; /* names of cgroup.controllers */
		struct plan_cgroup_write write;
		struct plan_cgroup_usage usage;
		struct plan_net_device net_device;
		struct plan_resctrl resctrl;
		struct plan_unit unit;
		struct {
			int32_t slot;
			bool has_monotonic, has_boottime;
			int64_t monotonic_secs, boottime_secs;
			uint32_t monotonic_nanosecs, boottime_nanosecs;
		} times;
		struct {
			uint32_t uid, gid;
			bool clear_groups;
		} ids;
		struct plan_container container;
		struct plan_root root;
		struct plan_mount mount;
		struct plan_device device;
		struct {
			int32_t slot;
			struct plan_device device;
		} node;
		struct plan_link link;
		struct plan_hooks hooks;
		struct {
			uint16_t height, width;
			bool has_size;
			uint32_t uid;
			bool has_console_file;
			bool is_controlling; /* else a later step makes it so, in the process that stays */
		} console;
		struct {
			plan_text path, value, key;
			int32_t slot;
		} sysctl;
		struct plan_label label;
		struct {
			uint64_t type;
			bool is_recursive;
		} propagation;
		struct {
			uint32_t policy, priority;
			int32_t nice;
			uint64_t flags, runtime, deadline, period;
		} scheduler;
		struct {
			int32_t mode;
			uint32_t flags;
			struct plan_table nodes;
		} memory_policy;            /* of uint64_t mask words */
		struct plan_table affinity; /* of uint64_t mask words; none: all cpus */
		struct plan_rlimit rlimit;
		struct plan_user user;
		struct plan_program program;
		struct plan_filter filter;
	} u;
};

struct plan {
	uint64_t magic;
	uint32_t size; /* of the whole image in bytes */
	uint32_t slot_count;
	uint32_t steps; /* offset of step_count struct plan_step */
	uint32_t step_count;
	plan_text id;
	uint32_t has_bridge;
	uint64_t namespaces; /* CLONE_NEW* of those that are not the caller's */
	plan_text exec_affinity_initial, exec_affinity_final; /* cpu lists, for a later exec */
	plan_text mount_context; /* "context=LABEL": of file systems that no step of their own makes */
	int64_t created_secs;    /* of a stored plan: as in the record, for when that is damaged */
	uint64_t created_nanosecs;
	uint64_t layout; /* of a stored plan: what the program that wrote it means by these bytes */
	uint64_t sum;    /* of a stored plan: of all bytes, with sum itself 0 */
};

/* A compiled seccomp filter. Owned by whoever made it. */
struct plan_filter_program {
	const void *filter; /* of struct sock_filter */
	uint32_t count, flags;
	bool is_notify;
};

/* What the command line adds to the configuration. */
struct plan_request {
	const char *id;
	const char *bundle; /* absolute, no "." or ".." */
	bool is_run;        /* no gate: the parent itself says start */
	bool is_waited;     /* the parent waits for the container's end, too */
	bool is_no_pivot;
	bool is_no_new_keyring;
	const char *keyring;   /* name of the session keyring; NULL: "_ses." and the id */
	uint32_t preserve_fds; /* of --preserve-fds, behind listen_fds */
	uint32_t listen_fds;   /* socket activation: LISTEN_FDS */
	const char *listen_fdnames;
	const char *notify_dir; /* host directory to show at /run/notify, or NULL */
	bool is_systemd_cgroup;
	const struct plan_filter_program *filter; /* of the configuration's seccomp section, or NULL */
	bool is_cgroup_disabled;
};

/*
 * Computes the plan. Fails with ERR_CONFIG for what the configuration alone cannot tell (needs host facts),
 * ERR_UNSUPPORTED for what this host or this version cannot do; never downgrades silently. The caller frees
 * *ret_plan with free(3) semantics (_cleanup_free_).
 */
int plan_build(const struct spec *spec, const struct host *host, const struct plan_request *request,
	       struct plan **ret_plan, struct err *err) MUST_CHECK;

/*
 * Computes the plan of "update": nothing but the steps PLAN_CGROUP_ENABLE, PLAN_CGROUP_USAGE and
 * PLAN_CGROUP_WRITE that put these limits in force, by the rules of plan_build; device rules are no part of it.
 * What is not set stays as it is, so that a quota without a period gets the default one, and swap without a
 * memory limit is refused: the caller completes such pairs from what is in force. The resources are a
 * document of their own: JSON pointers begin at its root, not at /linux/resources. The caller frees.
 */
int plan_build_update(const struct spec_resources *resources, const struct host *host, struct plan **ret_plan,
		      struct err *err) MUST_CHECK;

/*
 * cpu.weight for cpu.shares, 0 for "not set" (0): the curve through 2 -> 1, 1024 -> 100 and 262144 -> 10000
 * that runc and crun use, rounded up. io.weight (1 to 10000) for blockIO.weight (10 to 1000), linear, rounded
 * down.
 */
uint32_t plan_cpu_weight(uint64_t shares);
uint32_t plan_io_weight(uint64_t weight);

/* As plan_build, but hands every finding over and goes on, for "check". Returns their number. */
int plan_check(const struct spec *spec, const struct host *host, const struct plan_request *request,
	       void (*on_finding)(void *context, const struct err *finding), void *context);

/*
 * The plan as far as it can be told, whatever findings there are: to be looked at by "check", and never carried
 * out. The caller frees.
 */
struct plan *plan_sketch(const struct spec *spec, const struct host *host, const struct plan_request *request);

/*
 * What "check" carries out of a plan: namespaces, id maps, mounts and what follows them, as far as no change of
 * the host is among it. The root file system and all bind mounts are read-only copies, so that a mount point
 * that is missing fails with EROFS instead of being made; has_empty_root: the root is a new tmpfs, in which
 * they can be made. It ends before COMMITTED. The caller frees.
 */
struct plan_trial {
	bool has_empty_root;
	bool has_program;           /* the program is looked up, unless the root is empty */
	const char *const *without; /* JSON pointers: what is there or above, and can be left out, is */
	size_t without_count;
};
struct plan *plan_build_trial(const struct plan *plan, const struct plan_trial *request);

/*
 * The mount options that have a meaning of their own, for "features": entry index of the table, NULL past its
 * end. Every other option is data for the file system.
 */
const char *plan_mount_option_name(int index);

/* What "exec" asks for. Strings and arrays are the caller's. */
struct plan_exec_request {
	const struct spec_process
		*process; /* of --process; NULL: the container's own, with the changes below */
	char *const *args;
	size_t arg_count;
	char *const *env; /* NAME=VALUE, in the place of those of the same name */
	size_t env_count;
	const char *cwd; /* or NULL */
	const char *apparmor_profile, *selinux_label;
	bool has_uid, has_gid, has_groups;
	uint32_t uid, gid;
	const uint32_t *groups;
	size_t group_count;
	uint64_t capabilities; /* bit n: capability number n, added */
	bool is_no_new_privs, is_terminal;
	bool is_announced; /* somebody is to know of the process before its program starts */
	uint32_t preserve_fds, listen_fds;
	const char *listen_fdnames;
	const char *cgroup; /* below the cgroup2 mount, "" or NULL: the caller's own */
};

/*
 * Computes the plan of a further process in a container, from the container's own plan. Nothing of the
 * configuration is read again. The bridge enters the container, takes on the process's identity there, and only
 * then lets it be born: the container's processes can see nobody who has more rights than the new process.
 * Fails as plan_build. The caller frees.
 */
int plan_build_exec(const struct plan *container, const struct host *host,
		    const struct plan_exec_request *request, struct plan **ret_plan,
		    struct err *err) MUST_CHECK;

/*
 * A plan as a file of the state directory, which a later command reads back: plan_restore gives NULL for bytes
 * that are damaged or of another version of tare. data must be aligned to 8; the result is data itself.
 */
void plan_store(struct plan *plan);
const struct plan *plan_restore(const void *data, size_t size);

/*
 * Calls on_property for what systemd has to know of the plan's limits (PLAN_CGROUP_WRITE), so that it does not
 * take them back: properties of org.freedesktop.systemd1(5), with types of D-Bus. A type that begins with '?'
 * is of a property that an older systemd may not know, and then does not manage. cpu is what is in force where
 * a limit does not say it. Returns NULL, or the first step whose value cannot be told to systemd, which would
 * take it back (PLAN_UNTOLD says so of value and file).
 */
#define PLAN_CPU_PERIOD 100000 /* of a new cgroup */
#define PLAN_CPU_WEIGHT 100
struct plan_cpu {
	uint64_t period; /* of cpu.max, in microseconds */
	uint64_t weight; /* of a cgroup that is not idle, or is not to be any more */
};
typedef void (*plan_property)(void *context, const char *name, const char *type, const char *value);
#define PLAN_UNTOLD "cannot tell systemd '%.100s' for '%s': write it in plain numbers"
const struct plan_step *plan_unit_limits(const struct plan *plan, struct plan_cpu cpu,
					 plan_property on_property, void *context);

/* Whether init is born into a cgroup of the container's; [free]. */
bool plan_has_cgroup(const struct plan *plan);
/*
 * The path of the container's cgroup below the cgroup2 mount. "" if it gets none, or one that systemd makes,
 * which names it then. Valid as long as the plan.
 */
const char *plan_cgroup_path(const struct plan *plan);

/*
 * A plan of nothing but the hooks of one kind, for commands that come after the creation. status is the state
 * that they are told. The step is plan_find(plan, PLAN_HOOKS), NULL if there are none. The caller frees.
 */
struct plan *plan_build_hooks(const struct spec *spec, const struct plan_request *request, uint32_t kind,
			      const char *status);

/* Appends the plan as text, a line a step, or as a JSON array of objects {who, step, where, ...}. */
void plan_print(const struct plan *plan, struct buf *out);
void plan_print_json(const struct plan *plan, struct buf *out);
/* One step as plan_print writes it, without the end of the line. */
void plan_print_step(const struct plan *plan, const struct plan_step *step, struct buf *out);

/* --- reading a plan; [free] --- */

static inline const char *plan_get(const struct plan *plan, plan_text text)
{
	return text == 0 ? NULL : (const char *)plan + text;
}
static inline const struct plan_step *plan_steps(const struct plan *plan)
{
	return (const struct plan_step *)((const char *)plan + plan->steps);
}
static inline const void *plan_rows(const struct plan *plan, struct plan_table table)
{
	return (const char *)plan + table.offset;
}
/* Entry i of a list of texts. */
static inline const char *plan_item(const struct plan *plan, struct plan_texts texts, uint32_t i)
{
	const uint64_t *cells = (const uint64_t *)((const char *)plan + texts.offset);

	return i < texts.count ? (const char *)plan + cells[i] : NULL;
}
/* The first step of a kind, or NULL. */
const struct plan_step *plan_find(const struct plan *plan, enum plan_kind kind);

#endif
