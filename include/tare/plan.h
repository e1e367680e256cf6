/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan: everything that is done for a container, as one ordered list of steps.
 *
 * The list is computed from a spec and a host without a system call, and deterministically: the same spec, host
 * and request give the same bytes. "tare plan" prints it. The parent, the bridge and init each walk the list
 * from its beginning and carry out their own steps in this order.
 *
 * A plan is one block of memory without pointers (the "image"): texts and tables are offsets into it, so that
 * it can be passed to another program as a file. plan_build writes it once; after that it is read-only.
 *
 * A slot is a number that stands for a descriptor: one step opens it, later steps use it, also in a child that
 * inherits it. All functions run in the parent; those marked [free] also exist in init and the bridge, which
 * have no C library.
 */
#ifndef TARE_PLAN_H
#define TARE_PLAN_H

#include <tare/base.h>

struct spec;
struct spec_resources;
struct host;

#define PLAN_MAGIC 0x3130524154455241ull
#define PLAN_NO_SLOT (-1)

typedef uint32_t plan_text; /* offset of a NUL-terminated string; 0: none */
struct plan_texts { /* an argv: offset of count + 1 64-bit cells, each the offset of a string, the last is 0 */
	uint32_t offset, count;
};
struct plan_table { /* offset of count structs; each use names their type */
	uint32_t offset, count;
};

enum plan_actor {
	PLAN_PARENT, /* the tare process that the caller started */
	PLAN_BRIDGE, /* a short-lived process; enters the namespaces that only its child can start in */
	PLAN_INIT,   /* the process that becomes the container's program */
};

/*
 * Each kind: the processes that carry it out, and the member of the union that it uses. In the plan of an exec,
 * the bridge also carries out steps of init, before it starts its child.
 */
enum plan_kind {
	PLAN_CGROUP_CREATE,       /* parent: text = path of a new cgroup, below the cgroup2 mount */
	PLAN_UNIT_START,          /* parent: unit, makes the cgroup as a transient scope of systemd */
	PLAN_RELEASE_PLACEHOLDER, /* parent: ends the process that kept the unit's cgroup populated */
	PLAN_UNIT_SET,         /* parent: unit, sets properties that must not be in force while init starts */
	PLAN_UNIT_WATCH,       /* parent: starts the watcher, which reads the counters of the unit's cgroup */
	PLAN_CGROUP_ENABLE,    /* parent: controllers that the cgroup needs, enabled in the cgroups above it */
	PLAN_CGROUP_OWNER,     /* parent: number = uid on the host that may create cgroups below it */
	PLAN_CGROUP_DEVICES,   /* parent: devices, the rules of the device program (BPF) */
	PLAN_CGROUP_USAGE,     /* parent: usage, fails if the current use exceeds a limit */
	PLAN_CGROUP_WRITE,     /* parent: write, a value into a file of the cgroup */
	PLAN_OPEN_PROC,        /* parent: a private procfs, into slot */
	PLAN_OPEN_NAMESPACE,   /* parent: ns, into its slot */
	PLAN_OPEN_IDMAP,       /* parent: idmap, a user namespace with these maps for idmapped mounts */
	PLAN_OPEN_SOURCE,      /* parent or init: source, a detached copy of a mount tree, into its slot */
	PLAN_OPEN_ENVIRONMENT, /* parent: the caller's environment as a file, into slot, for hooks in init */
	PLAN_OPEN_CONTAINER,   /* parent: container, the pidfd of its init (and its root) into slots */
	PLAN_OPEN_CGROUP,      /* parent: text = path of an existing cgroup, below the cgroup2 mount */
	PLAN_SPAWN,            /* parent or bridge: spawn, starts the next process */
	PLAN_ID_MAPS,          /* parent: maps, of the process just started */
	PLAN_NET_DEVICE,       /* parent: net_device, moved into the container's network namespace */
	PLAN_RESCTRL,          /* parent: resctrl, class of service of the process just started */
	PLAN_OOM_SCORE,        /* parent: number, of init; bridge: of itself, inherited by its child */
	PLAN_SET_UNDUMPABLE,   /* bridge or init: PR_SET_DUMPABLE 0, access needs CAP_SYS_PTRACE */
	PLAN_JOIN,             /* bridge or init: ns, setns(2) of its slot */
	PLAN_ENTER,            /* bridge: container, all its namespaces by one setns(2), and its root */
	PLAN_UNSHARE,          /* bridge or init: number = CLONE_NEW* */
	PLAN_TIME_OFFSETS,     /* bridge: times; slot is a procfs */
	PLAN_SEND,             /* any: step, a message to the peer: all steps above are done */
	PLAN_EXPECT,           /* any: step, waits for that message of the peer */
	PLAN_SETUP_IDS,        /* init: ids, become the owner of the files that init makes */
	PLAN_KEYRING,          /* init: text = name of a new session keyring */
	PLAN_LOOPBACK,         /* init: set the interface "lo" up */
	PLAN_ROOT,             /* init: root, attach the root file system */
	PLAN_MOUNT,            /* init: mount */
	PLAN_MAKE_NODE,        /* parent: node, a device in the tmpfs of slot; the first such step mounts it */
	PLAN_COPY_NODES,       /* init: slot of that tmpfs; each device in it into its source_slot */
	PLAN_DEVICE,           /* init: device */
	PLAN_LINK,             /* init: link, a symbolic link */
	PLAN_HOOKS,            /* parent or init: hooks */
	PLAN_PIVOT,            /* init: root, make it "/" */
	PLAN_MAKE_CWD,         /* init: text = directory to create if it is missing */
	PLAN_CONSOLE,          /* init or bridge: console */
	PLAN_CONTROLLING,      /* init: standard input becomes the controlling terminal */
	PLAN_READONLY_MOUNT,   /* init: the mount in slot becomes read-only */
	PLAN_HOSTNAME,         /* init: text */
	PLAN_DOMAINNAME,       /* init: text */
	PLAN_SYSCTL,           /* init: sysctl */
	PLAN_LABEL,            /* init or bridge: label, of the program that it executes or of its keys */
	PLAN_READONLY_PATH,    /* init: text = path that becomes read-only with everything below it */
	PLAN_MASK_PATH,        /* init: text = path that is hidden */
	PLAN_PROPAGATION,      /* init: propagation, of the root mount */
	PLAN_READONLY_ROOT,    /* init: the root mount becomes read-only */
	PLAN_UMASK,            /* init: number */
	PLAN_SCHEDULER,        /* parent: scheduler */
	PLAN_IO_PRIORITY,      /* parent: number = ioprio value */
	PLAN_RLIMIT,           /* any: rlimit; parent: of init */
	PLAN_AFFINITY,         /* any: affinity, of this process */
	PLAN_MEMORY_POLICY,    /* init: memory_policy */
	PLAN_PERSONALITY,      /* init: number */
	PLAN_NO_NEW_PRIVS,     /* init */
	PLAN_STDIO_OWNER,      /* init: number = uid that becomes the owner of descriptors 0 to 2 */
	PLAN_USER,             /* init: user, sets bounding set, groups, ids, capabilities, working directory */
	PLAN_HOME,             /* init or bridge: number = uid; HOME from the container's passwd */
	PLAN_LOOKUP,           /* init: program, finds the executable file */
	PLAN_GATE,             /* init: waits for "start" at the listening socket in slot; none: no wait */
	PLAN_HANDOVER,         /* init: program; last message to the parent, only the steps below remain */
	PLAN_SECCOMP,          /* bridge or init: filter, installs it */
	PLAN_LISTENER,         /* parent: filter, takes the listener from that process and passes it on */
	PLAN_EXEC,             /* init: program */
	PLAN_KINDS,
};

struct plan_id_range { /* element of plan_table */
	uint32_t container_id, host_id, size;
};
struct plan_maps {
	struct plan_table uid, gid; /* of struct plan_id_range */
	bool deny_setgroups; /* write "deny" to setgroups first: the caller may not map groups otherwise */
	bool is_joined;      /* the namespace exists and has maps, which must equal these */
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

#define PLAN_WRITE_OPTIONAL 1u  /* a missing file is no error: the value is in force without the controller */
#define PLAN_WRITE_TENTATIVE 2u /* EINVAL is no error: a later step writes the value again */
struct plan_cgroup_write {
	plan_text file, value;             /* one write(2) */
	plan_text other_file, other_value; /* written instead if file does not exist; 0: no such file */
	uint32_t flags;                    /* PLAN_WRITE_* */
};
struct plan_cgroup_usage {
	plan_text file; /* contains a number; if it does not exist, nothing is used */
	uint64_t limit;
};

struct plan_resctrl {
	plan_text clos;     /* name of the directory of the class, "" for the default class */
	plan_text monitor;  /* name of a monitoring group in it; 0: none */
	plan_text schemata; /* lines, each with a line feed; 0: none */
	bool is_own;        /* named after the container and used by it alone */
	bool is_made;       /* of exec: the class already exists */
};

struct plan_net_device {
	plan_text name, new_name; /* new_name may contain "%d", for the lowest free number */
	int32_t slot;             /* of the network namespace; PLAN_NO_SLOT: that of init */
};

struct plan_unit {
	plan_text name, slice;
	struct plan_texts properties; /* name, type, value of each, without Description */
	bool is_user;                 /* of the systemd instance of the user, not of the system */
};

struct plan_source {
	plan_text path;
	bool is_recursive;
	bool is_bind_of_device; /* must be the character device major:minor */
	uint32_t major, minor;
	uint64_t propagation; /* MS_SLAVE or MS_PRIVATE of the copy; 0: it remains a peer of the original */
	int32_t idmap_slot;   /* or PLAN_NO_SLOT */
	bool is_idmap_recursive;
	bool is_readonly; /* make the copy and all mounts in it read-only */
	bool is_empty;    /* open a new tmpfs instead */
	bool is_locked;   /* the container cannot clear the copy's flags, or unmount the mounts in it */
	bool is_inside;   /* path is in the container, below the target of an earlier mount of the plan */
};

#define PLAN_PROPAGATIONS 4
struct plan_mount {
	plan_text target;
	plan_text type;            /* 0 for binds and remounts */
	plan_text source;          /* option "source" of the file system; in binds only for messages */
	struct plan_texts options; /* of the file system: "key" or "key=value" */
	int32_t source_slot;       /* binds: of the detached tree */
	int32_t keep_slot;  /* new file systems: where the mount's descriptor stays open for later steps */
	int32_t idmap_slot; /* new file systems only */
	uint64_t attr_set, attr_clear; /* MOUNT_ATTR_* */
	uint64_t attr_implied_clear;   /* binds: flags of the source to clear unless the kernel locks them */
	uint64_t recursive_attr_set, recursive_attr_clear; /* applied with AT_RECURSIVE */
	struct {
		uint64_t type; /* MS_SHARED ... */
		bool is_recursive;
	} propagation[PLAN_PROPAGATIONS]; /* applied in this order until type is 0 */
	bool is_bind;
	bool is_remount; /* changes the attributes of the existing mount at the target */
	bool is_superblock_readonly;
	bool is_copy_up;        /* tmpfs: first copy the content of the target into it */
	bool is_mode_of_target; /* tmpfs: use the mode of the directory that it covers */
	bool is_real_directory; /* the target must not be a symbolic link or below one */
	bool is_readonly_later; /* a later step makes the mount in keep_slot read-only */
	bool is_base;           /* later steps look up paths below the target from the mount's descriptor */
	bool is_inside_proc;    /* the target is one of the few files below /proc that a mount may cover */
	bool is_cgroup;         /* falls back to a bind of cgroup_path if a new mount is not permitted */
	bool is_cgroup_shared;  /* binds it without trying: the container is in the caller's cgroup namespace */
	bool is_fallback_readonly;
	bool is_host_sysfs;    /* falls back to a bind of the host's /sys if a new sysfs is not permitted */
	plan_text cgroup_path; /* host path for that fallback; 0: there is no fallback */
	plan_text label;       /* SELinux label for its root directory, if no mount option sets it */
};

enum plan_label_kind {
	PLAN_LABEL_APPARMOR,     /* profile that the next execve(2) changes to */
	PLAN_LABEL_SELINUX,      /* context that the next execve(2) changes to */
	PLAN_LABEL_SELINUX_KEYS, /* context of keys and keyrings that the process creates */
};
struct plan_label {
	uint32_t kind;
	int32_t slot; /* of the private procfs */
	plan_text text;
};
struct plan_device {
	plan_text path;
	char type;     /* 'c', 'b', 'p' */
	bool is_bound; /* in a user namespace: bind mount of a device in source_slot, not mknod(2) */
	bool is_found; /* below a /dev that is the host's: never made, must exist */
	bool is_node;  /* is_bound, and source_slot is a node that the parent makes */
	bool has_mode, has_uid, has_gid; /* configured: the host's node must have the same */
	uint32_t major, minor;
	uint32_t mode, uid, gid;
	uint32_t host_uid, host_gid; /* if is_node */
	int32_t source_slot;
};
struct plan_link {
	plan_text path, target;
	plan_text needs; /* make the link only if this path exists in the container; 0: always */
	bool is_replacing;
};
struct plan_hook { /* element */
	plan_text path;
	plan_text json_pointer;
	struct plan_texts args;
	struct plan_texts env;
	bool is_env_set;  /* false: use the environment of the process that runs it */
	uint32_t timeout; /* seconds, 0: no limit */
};
struct plan_hooks {
	struct plan_table hooks;          /* of struct plan_hook */
	uint32_t kind;                    /* enum spec_hook_kind */
	plan_text state_head, state_tail; /* the state JSON before and after the digits of the pid */
	int32_t environment_slot;         /* of PLAN_OPEN_ENVIRONMENT, for hooks without env; or PLAN_NO_SLOT */
};
struct plan_root {
	plan_text path; /* path of the root file system on the host, absolute */
	int32_t slot;   /* of the detached tree */
	int32_t proc_slot;
	bool is_readonly;
	bool is_no_pivot;
	bool has_mount_ns; /* false: only chroot(2) */
	bool is_slave;     /* remains a slave of the mount on the host that it is a copy of */
};
struct plan_rlimit {
	uint32_t resource;
	uint64_t soft, hard;
};
struct plan_user {
	uint32_t uid, gid;
	struct plan_table groups; /* of uint32_t */
	bool is_setgroups_denied; /* setgroups(2) is denied in the user namespace: keep the caller's groups */
	bool has_callers_groups; /* the configuration requests the caller's groups: ignore the list in groups */
	uint64_t bounding, effective, inheritable, permitted, ambient;
	plan_text cwd;
};
struct plan_program {
	struct plan_texts args, env;
	bool needs_home;            /* env has no HOME: PLAN_HOME looks it up */
	uint32_t preserved_fds;     /* n: descriptors 3 to 2 + n stay open in the program */
	uint32_t runtime_env_count; /* the last n entries of env come from the runtime itself */
};
struct plan_filter {
	struct plan_table program; /* of struct sock_filter */
	uint32_t flags;            /* SECCOMP_FILTER_FLAG_* */
	bool is_notify;            /* it has a listener, which the parent takes and passes on */
	bool is_parent_limited;    /* the parent lacks CAP_SYS_PTRACE: init must be dumpable meanwhile */
	plan_text listener_path, listener_metadata; /* socket to send it to, data to send with it */
};
struct plan_container {
	int32_t slot;      /* of the pidfd */
	int32_t root_slot; /* of the root directory, without a mount namespace; or PLAN_NO_SLOT */
	plan_text root;
	uint64_t namespaces; /* CLONE_NEW* */
};
struct plan_step {
	uint16_t kind;          /* enum plan_kind */
	uint8_t actor;          /* enum plan_actor */
	plan_text json_pointer; /* JSON pointer of the property, for errors; 0: none */
	union {
		plan_text text;
		int64_t number;
		int32_t slot;
		uint32_t step; /* enum protocol_step */
		struct {
			uint32_t ns;
			int32_t slot;
			plan_text path;
			bool is_tentative; /* EPERM is no error: a later step joins again */
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
			bool is_controlling; /* false: PLAN_CONTROLLING does it later, in init */
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
		struct plan_table affinity; /* of uint64_t mask words; empty: all cpus */
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
	uint64_t namespaces; /* CLONE_NEW* of namespaces that are new or joined, not the caller's */
	plan_text exec_affinity_initial, exec_affinity_final; /* cpu lists, for a later exec */
	plan_text mount_context; /* "context=LABEL", for mounts without a PLAN_MOUNT step of their own */
	int64_t created_secs;    /* of a stored plan: copy from the record, used if the record is damaged */
	uint64_t created_nanosecs;
	uint64_t layout; /* of a stored plan: version of the layout of these bytes */
	uint64_t sum;    /* of a stored plan: sum of all other bytes */
};

/* A compiled seccomp filter. The caller owns it. */
struct plan_filter_program {
	const void *filter; /* of struct sock_filter */
	uint32_t count, flags;
	bool is_notify;
};

/* What the command line adds to the configuration. Strings are the caller's. */
struct plan_request {
	const char *id;
	const char *bundle; /* absolute, no "." or ".." */
	bool is_run;        /* no gate: the program starts without a "start" command */
	bool is_waited;     /* the parent waits until the container exits */
	bool is_no_pivot;
	bool is_no_new_keyring;
	const char *keyring;   /* name of the session keyring; NULL: "_ses." and the id */
	uint32_t preserve_fds; /* of --preserve-fds: number of descriptors after the listen_fds */
	uint32_t listen_fds;   /* socket activation: number of descriptors from 3 on (LISTEN_FDS) */
	const char *listen_fdnames;
	const char *notify_dir; /* directory of the host to bind on /run/notify, or NULL */
	bool is_systemd_cgroup;
	const struct plan_filter_program *filter; /* compiled from its seccomp section, or NULL */
	bool is_cgroup_disabled;
};

/*
 * Computes the plan. Fails with ERR_CONFIG for an error in the configuration that only shows together with
 * facts of the host, with ERR_UNSUPPORTED for what this host or this version cannot do, and with ERR_SYSTEM if
 * a namespace that the configuration names cannot be opened. Never silently ignores a property. The caller
 * frees *ret_plan with free(3) (_cleanup_free_).
 */
int plan_build(const struct spec *spec, const struct host *host, const struct plan_request *request,
	       struct plan **ret_plan, struct err *err) MUST_CHECK;

/*
 * Computes the plan of "update": only the steps PLAN_CGROUP_ENABLE, PLAN_CGROUP_USAGE and PLAN_CGROUP_WRITE
 * that put these limits in force, by the rules of plan_build; device rules are ignored. A property that is not
 * set remains as it is, so that a quota without a period gets the default period, and swap without a memory
 * limit is refused: the caller completes such pairs from the values in force. The resources are a document of
 * their own: JSON pointers begin at its root, not at /linux/resources. Fails as plan_build. The caller frees
 * *ret_plan.
 */
int plan_build_update(const struct spec_resources *resources, const struct host *host, struct plan **ret_plan,
		      struct err *err) MUST_CHECK;

/*
 * plan_cpu_weight: cpu.weight (1 to 10000) for cpu.shares, 0 for 0 ("not set"): the curve through 2 -> 1, 1024
 * -> 100 and 262144 -> 10000 that runc and crun use, rounded up. plan_io_weight: io.weight (1 to 10000) for
 * blockIO.weight (10 to 1000), linear, rounded down.
 */
uint32_t plan_cpu_weight(uint64_t shares);
uint32_t plan_io_weight(uint64_t weight);

/*
 * Like plan_build, but reports each finding to on_finding and continues, and builds no plan; for "check".
 * Returns the number of findings. The finding is valid during the call of on_finding.
 */
int plan_check(const struct spec *spec, const struct host *host, const struct plan_request *request,
	       void (*on_finding)(void *context, const struct err *finding), void *context);

/*
 * The plan as far as it can be computed, despite findings: for "check" to read, never to be carried out. The
 * caller frees it.
 */
struct plan *plan_sketch(const struct spec *spec, const struct host *host, const struct plan_request *request);

/*
 * The part of a plan that "check" carries out: namespaces, id maps, mounts and the steps after them, without
 * those that change the host. The root file system and all bind mounts are read-only copies, so that a missing
 * mount point fails with EROFS instead of being created. If has_empty_root is set, the root is a new tmpfs, in
 * which mount points can be created. The plan stops before COMMITTED. The caller frees it.
 */
struct plan_trial {
	bool has_empty_root;
	bool has_program;           /* look up the program, unless the root is empty */
	const char *const *without; /* JSON pointers: omit steps of these and of objects that contain them */
	size_t without_count;
};
struct plan *plan_build_trial(const struct plan *plan, const struct plan_trial *request);

/*
 * The mount options that tare itself interprets, for "features": name number index, NULL past the last. Every
 * other option is passed to the file system.
 */
const char *plan_mount_option_name(int index);

/* What "exec" requests. Strings and arrays are the caller's. */
struct plan_exec_request {
	const struct spec_process *process; /* of --process; NULL: the container's process */
	char *const *args;
	size_t arg_count;
	char *const *env; /* NAME=VALUE, replaces an entry with the same NAME */
	size_t env_count;
	const char *cwd; /* or NULL */
	const char *apparmor_profile, *selinux_label;
	bool has_uid, has_gid, has_groups;
	uint32_t uid, gid;
	const uint32_t *groups;
	size_t group_count;
	uint64_t capabilities; /* bit n: add capability number n */
	bool is_no_new_privs, is_terminal;
	bool is_announced; /* a pid file or socket announces the process before its program starts */
	uint32_t preserve_fds, listen_fds;
	const char *listen_fdnames;
	const char *cgroup; /* cgroup to start in, below the cgroup2 mount; "" or NULL: the caller's */
};

/*
 * Computes the plan of another process in a container, from the container's plan; the configuration is not read
 * again. The bridge enters the container, takes on the identity of the process there (ids, capabilities,
 * limits), and only then starts its child: the container's processes never see a process with more rights than
 * the new one. Fails as plan_build, and with ERR_USAGE if there is no program. The caller frees *ret_plan.
 */
int plan_build_exec(const struct plan *container, const struct host *host,
		    const struct plan_exec_request *request, struct plan **ret_plan,
		    struct err *err) MUST_CHECK;

/*
 * A plan as a file of the state directory, which a later command reads. plan_store sets layout and sum, after
 * which the bytes of the plan can be written. plan_restore returns data as a plan, or NULL for bytes that are
 * damaged or of another version of tare. data must be aligned to 8 bytes.
 */
void plan_store(struct plan *plan);
const struct plan *plan_restore(const void *data, size_t size);

/*
 * Calls on_property for each property of org.freedesktop.systemd1(5) that states a limit of the plan
 * (PLAN_CGROUP_WRITE): systemd writes its own value of a limit again when it reloads, and would undo a limit
 * that it does not have. type is a D-Bus signature; a leading '?' means that an older systemd may not know the
 * property, and then does not write that limit. cpu has the values in force before the plan. Returns NULL, or
 * the first step with a value that cannot be expressed as a property: the caller then fails with
 * PLAN_NO_PROPERTY, which formats value and file.
 */
#define PLAN_CPU_PERIOD 100000 /* cpu.max of a new cgroup, in microseconds */
#define PLAN_CPU_WEIGHT 100
struct plan_cpu {
	uint64_t period; /* period of cpu.max, in microseconds */
	uint64_t weight; /* cpu.weight that applies while the cgroup is not idle */
};
typedef void (*plan_property)(void *context, const char *name, const char *type, const char *value);
#define PLAN_NO_PROPERTY "cannot express '%.100s' of '%s' as a property of systemd (write it in plain numbers)"
const struct plan_step *plan_unit_limits(const struct plan *plan, struct plan_cpu cpu,
					 plan_property on_property, void *context);

/* Whether the plan gives the container a cgroup of its own; [free]. */
bool plan_has_cgroup(const struct plan *plan);
/*
 * The path of the container's cgroup below the cgroup2 mount; "" if it has none, or if systemd makes it, which
 * then chooses the path. Valid as long as the plan.
 */
const char *plan_cgroup_path(const struct plan *plan);

/*
 * A plan of only the hooks of one kind (enum spec_hook_kind), for commands after the creation. status is the
 * one in the state that the hooks read. The step is plan_find(plan, PLAN_HOOKS), NULL if the configuration has
 * no such hooks. The caller frees the plan.
 */
struct plan *plan_build_hooks(const struct spec *spec, const struct plan_request *request, uint32_t kind,
			      const char *status);

/* Appends the plan as text, one line for each step, or as a JSON array of objects {who, step, what, where}. */
void plan_print(const struct plan *plan, struct buf *out);
void plan_print_json(const struct plan *plan, struct buf *out);
/* Appends one step as plan_print writes it, without the line feed. */
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
/* Entry i of a list of texts; NULL past the last. */
static inline const char *plan_item(const struct plan *plan, struct plan_texts texts, uint32_t i)
{
	const uint64_t *cells = (const uint64_t *)((const char *)plan + texts.offset);

	return i < texts.count ? (const char *)plan + cells[i] : NULL;
}
/* The first step of this kind, or NULL. */
const struct plan_step *plan_find(const struct plan *plan, enum plan_kind kind);

#endif
